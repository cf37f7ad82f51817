"""Pages of a bundle for people, in Markdown: read me, data dictionary, model card, datasheet, terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tabsynth.decision import Decision
from tabsynth.models.registry import settings_of
from tabsynth.pipeline import FittedPipeline
from tabsynth.release.bundle.markdown import page, plain
from tabsynth.release.bundle.statement import Statement
from tabsynth.release.bundle.terms import Terms
from tabsynth.schema.rules import title_of
from tabsynth.schema.scalars import to_plain
from tabsynth.schema.types import Column, Origin, TableSchema
from tabsynth.schema.unit import unit_words

_ORIGINS = {
    Origin.PUBLIC: "public",
    Origin.CHARGED: "bought with the privacy budget",
    Origin.DRAFT: "as in the synthetic rows",
}
_MOST_LEVELS = 30
_CONTENTS = (
    "- `dictionary.md`: every column, what it means and what it may hold; `schema.yaml`: the same for programs",
    "- `privacy.md`: what is guaranteed, by what, and what it rests on; `privacy.json`, `ledger/`: the same as data",
    "- `report/`: charts of the rows, and what an attacker could do",
    "- `terms.md`: licence, purpose, recipient, expiry",
    "- `model-card.md`, `datasheet.md`: how the rows were made, and what they are good for",
    "- `verdict.json`, `policy.yaml`: that the release was allowed, and by which rules",
    "- `provenance.json`: versions, seed and source id; `bundle.json`, `signature.json`: every part's hash, signed",
    "- `datapackage.json` (Frictionless), `croissant.json` (MLCommons Croissant): metadata for other tools",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One table as its pages describe it."""

    schema: TableSchema
    pipeline: FittedPipeline
    statement: Statement
    n_rows: int
    stem: str


def read_me(title: str, tables: Sequence[Described], terms: Terms, decision: Decision) -> str:
    """What the bundle is, in a minute."""
    rows = [
        f"| {plain(t.schema.name)} | {t.n_rows:,} | {len(t.schema.columns)} | `data/{t.stem}.parquet`, `data/{t.stem}.csv` |"
        for t in tables
    ]
    return page(
        f"# {plain(title)}",
        plain(terms.description),
        "Synthetic rows: made by a model, not copied from anybody. "
        + plain(" ".join(dict.fromkeys(t.statement.guarantee for t in tables))),
        "\n".join(["| table | rows | columns | files |", "|---|---|---|---|", *rows]),
        f"For {plain(terms.recipient)}, until {terms.expires.isoformat()}. Questions: {plain(terms.contact)}.",
        "\n".join(_CONTENTS),
        "Check it, and unpack it for DuckDB and PostgreSQL, on a machine without a network:",
        "```\ntabsynth release verify BUNDLE --key RELEASE.pub\ntabsynth release open BUNDLE --key RELEASE.pub --out FOLDER\n```",
        "tabsynth's base install does for all but the DuckDB file, which asks for its extra `share`; `--no-database` leaves it out.",
        f"Released on {decision.on.isoformat()} for the audience \u201c{plain(decision.audience)}\u201d.",
    )


def dictionary(tables: Sequence[Described], terms: Terms) -> str:
    """Every column of every table, its rules and keys, and what was made anew or left out."""
    parts = ["# Data dictionary"]
    for table in tables:
        schema = table.schema
        parts.append(f"## {plain(schema.name)}")
        if schema.description:
            parts.append(plain(schema.description))
        is_covered = table.statement.epsilon is not None
        protected = f"each {plain(unit_words(schema.unit))}" if is_covered else "nobody"
        parts.append(f"{table.n_rows:,} rows. Protected is {protected}.")
        head = [
            "| column | meaning | type | unit | may hold | where that comes from |",
            "|---|---|---|---|---|---|",
        ]
        parts.append("\n".join([*head, *map(_column_row, schema.columns)]))
        if schema.primary_key:
            parts.append(f"Key: {', '.join(map(plain, schema.primary_key))}.")
        if schema.constraints:
            rules = [f"- {plain(title_of(rule))}" for rule in schema.constraints]
            parts.append("\n".join(["Rules that hold on every row:", "", *rules]))
        faked = [plain(column.name) for column in schema.columns if not column.kind.is_modelled]
        if faked:
            parts.append(
                f"Made anew, and in no way those of the source: {', '.join(faked)}. They agree with no other column."
            )
        parts += _dropped(schema)
    if terms.left_out:
        listed = [f"- {plain(name)}: {plain(why)}" for name, why in terms.left_out]
        parts.append("\n".join(["## Left out", "", "Not synthesised, so not here:", "", *listed]))
    return page(*parts)


def _dropped(schema: TableSchema) -> list[str]:
    """What buying domains costs besides budget: a paragraph, or none."""
    bought = [
        plain(column.name)
        for column in schema.columns
        if column.kind.is_modelled and column.domain.origin is Origin.CHARGED
    ]
    if not bought:
        return []
    return [
        (
            "Dropped: levels of few rows, and the far ends of numbers. What a column may hold was bought with the privacy "
            f"budget, which shows what many rows share alone; the source may hold more of {', '.join(bought)}."
        )
    ]


def model_card(tables: Sequence[Described], terms: Terms) -> str:
    """What made the rows, for what, and for what not."""
    parts = ["# Model card"]
    for table in tables:
        engine = table.pipeline.engine
        settings = ", ".join(
            f"{name} = {value}" for name, value in settings_of(engine).items() if value not in ("", None)
        )
        learnt = (
            f"Learnt from about {table.pipeline.n_rows:,} rows (a noisy number)."
            if table.statement.epsilon is not None
            else "From how many rows it learnt is not stated; unless another number was asked for, a run makes as many rows as "
            "the source has."
        )
        parts += [
            f"## {plain(table.schema.name)}",
            f"**Engine.** `{engine.name}`: {_sentence(engine.summary)} {learnt}",
            f"**Settings.** {plain(settings)}.",
            f"**Privacy.** {plain(table.statement.guarantee)}",
        ]
    parts += [
        "## Use",
        f"**Meant for.** {plain(terms.purpose)}",
        (
            "**Not meant for.** Decisions about single people; looking for people; statements on groups of a few rows; "
            "significance tests or confidence intervals on the rows as they stand; training a generator on its output "
            "again."
        ),
        "## Limits",
        "Dependence among three and more columns is kept as far as the engine learns it. Rare levels, tails and small "
        "groups suffer first from noise. Texts and identifiers are made anew and agree with nothing. Keys between "
        "tables are declared and not reproduced: tables were made one by one."
        if len(tables) > 1
        else "Dependence among three and more columns is kept as far as the engine learns it. Rare levels, tails and small "
        "groups suffer first from noise. Texts and identifiers are made anew and agree with nothing.",
        "## Figures",
        (
            "Figures that compare with the source were computed from the source, and no budget was charged for them: they "
            "are not published. Charts of the rows by themselves are in `report/`."
        ),
    ]
    return page(*parts)


def datasheet(tables: Sequence[Described], terms: Terms, decision: Decision) -> str:
    """The questions of Gebru et al. (2021), for synthetic rows."""
    n_rows = sum(table.n_rows for table in tables)
    n_columns = sum(len(table.schema.columns) for table in tables)
    faked = [
        column.name for table in tables for column in table.schema.columns if not column.kind.is_modelled
    ]
    return page(
        "# Datasheet",
        "## Why was it made?",
        plain(terms.purpose),
        "## What is in it?",
        f"{n_rows:,} synthetic rows in {len(tables)} table{'s' if len(tables) > 1 else ''} of {n_columns} columns. No row is one "
        "of the source's; a row may equal one by chance, as any common row does.",
        "Does it relate to people? The rows describe nobody. They were learnt from a source that may hold people: "
        + plain(" ".join(dict.fromkeys(table.statement.guarantee for table in tables))),
        "## How was it made?",
        "A model learnt the source under the privacy stated in `privacy.md`, and the rows were drawn from the model. "
        "Declared rules were held against every row. "
        + (f"Made anew: {', '.join(map(plain, faked))}." if faked else "No column was made anew."),
        "## What was left out?",
        "\n".join(f"- {plain(name)}: {plain(why)}" for name, why in terms.left_out)
        or "Whoever released it states nothing that was left out.",
        "## Who decided that it may leave?",
        f"The policy in `policy.yaml`, for the audience \u201c{plain(decision.audience)}\u201d, on {decision.on.isoformat()}; see `verdict.json`.",
        "## Uses",
        "Do not use it to look for people, nor to decide about them. See `model-card.md`.",
        "## Handing on, and until when",
        f"{_sentence(plain(terms.licence))} It expires on {terms.expires.isoformat()}; whether it may stay out is asked again on "
        f"{terms.reassess.isoformat()}. Contact: {plain(terms.contact)}.",
    )


def terms_page(terms: Terms) -> str:
    """The terms for people."""
    rows = {
        "Licence": terms.licence,
        "Purpose": terms.purpose,
        "Recipient": terms.recipient,
        "Contact": terms.contact,
        "Expires": terms.expires.isoformat(),
        "To be reassessed": terms.reassess.isoformat(),
    }
    return page(
        "# Terms",
        "\n".join(["| | |", "|---|---|", *(f"| {name} | {plain(value)} |" for name, value in rows.items())]),
        "After the day of expiry, delete the rows and all that was unpacked from them, or ask for a new release.",
    )


def type_words(column: Column) -> str:
    """How a column is to be understood, and how it is stored."""
    return f"{column.kind.value} ({column.dtype})"


def domain_words(column: Column) -> str:
    """What a column may hold."""
    said = []
    if column.categories is not None:
        named = [_level(str(to_plain(level))) for level in column.categories[:_MOST_LEVELS]]
        more = len(column.categories) - len(named)
        said.append(", ".join(named) + (f" and {more:,} more" if more else ""))
    if column.bounds is not None:
        lower, upper = (to_plain(bound) for bound in column.bounds)
        said.append(f"{lower} to {upper}")
    if column.special_values:
        said.append("also " + ", ".join(str(to_plain(value)) for value in column.special_values))
    if column.decimals is not None:
        said.append(f"{column.decimals} decimal{'s' if column.decimals != 1 else ''}")
    if column.unique:
        said.append("never twice")
    said.append("may be missing" if column.nullable else "never missing")
    return "; ".join(said)


def _level(text: str) -> str:
    """A level in a list of levels: quoted where it is blank or would be taken for several."""
    return f"\u201c{text}\u201d" if not text.strip() or "," in text or ";" in text else text


def _column_row(column: Column) -> str:
    source = (
        f": {column.domain.source}" if column.domain.origin is Origin.PUBLIC and column.domain.source else ""
    )
    origin = "made anew" if not column.kind.is_modelled else _ORIGINS[column.domain.origin] + source
    meaning, measure = column.description or "", column.measured_in or ""
    cells = (column.name, meaning, type_words(column), measure, domain_words(column), origin)
    return f"| {' | '.join(map(plain, cells))} |"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
