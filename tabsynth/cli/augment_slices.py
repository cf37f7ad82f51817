"""`augment --find-slices`: the audit of slices, and commands that try what it found."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tabsynth.cli.notes import note_mark
from tabsynth.cli.session import Session, printable
from tabsynth.errors import ConditionError, UsageError

if TYPE_CHECKING:
    import typer

    from tabsynth.augment.find import Finding, SliceResults
    from tabsynth.augment.stretches import Text
    from tabsynth.config.types import CsvOptions
    from tabsynth.schema.types import TableSchema

_REPEATED = (
    "schema", "table", "delimiter", "decimal", "encoding", "null_mark", "target", "max_rows", "seed", "real_share",
)  # fmt: skip
"""What a command that is proposed takes over as it was given."""
_HEEDED = frozenset({*_REPEATED, "data", "find_slices", "json_output", "quiet", "debug"})
_RATIOS = ((1, 10), (1, 5), (1, 3), (1, 2), (1, 1))
_WORTH_WHILE = 1.5  # so many times the rows that the slice has
_MOST_STEPS = 3


def look_for_slices(session: Session, context: typer.Context, *, csv: CsvOptions) -> None:
    """The slices, shown and given as data. Raises `UsageError` naming options that say what is added."""
    from rich.console import Console

    from tabsynth.augment.find import find_slices
    from tabsynth.cli.augment_command import read_for
    from tabsynth.report.slices import proposed_for, render_slices

    asked = context.params
    ignored = [option for name, option in _given(context) if name not in _HEEDED]
    if asked["target"] is None or ignored:
        found_too = f", or other options that it would ignore (found {', '.join(ignored)})" if ignored else ""
        raise UsageError(
            f"--find-slices looks at all rows: give it a --target, and no --where, --out or --evaluate{found_too}"
        )
    data: Path = asked["data"]
    note_mark(session, data, asked["real_share"])
    with session.progress() as report:
        report("Reading", 0.0)
        real = read_for(data, asked["schema"], asked["table"], csv=csv)
        found = find_slices(
            real,
            target=asked["target"],
            max_rows=asked["max_rows"],
            seed=asked["seed"],
            progress=report,
        )
    if not session.json_output and not session.quiet:
        render_slices(found, Console(highlight=False))
    start = ["tabsynth", "augment", str(data), *_repeated(context)]
    steps = dict(_tried(found, real.schema, start))
    if said := proposed_for([found.proposals[at] for at in steps], n_found=len(found.findings)):
        session.show(said)
    session.finish(
        f"Looked at {found.n_examined:,} slices of {found.n_rows:,} rows",
        data=found.to_dict(),
        next_steps=list(steps.values()),
    )


def _given(context: typer.Context) -> Iterator[tuple[str, str]]:
    """Parameters that stand on the command line, each with its option."""
    for parameter in context.command.params:
        source = None if parameter.name is None else context.get_parameter_source(parameter.name)
        if parameter.name is not None and source is not None and source.name == "COMMANDLINE":
            yield parameter.name, parameter.opts[0]


def _repeated(context: typer.Context) -> list[str]:
    """The options that a trial of a slice of this table takes over."""
    said = []
    for name, option in _given(context):
        if name in _REPEATED:
            value = context.params[name]
            for one in value if isinstance(value, (list, tuple)) else (value,):
                said += [option, str(one).replace("\t", "\\t") if name == "delimiter" else str(one)]
    return said


def _tried(
    found: SliceResults, schema: TableSchema, start: list[str]
) -> Iterator[tuple[int, list[str | Path]]]:
    """Commands that try the first proposals, by their places: those that a command line can say."""
    folders = (Path(f"trial-{number}") for number in range(1, 1_000_000))
    n_steps = 0
    for at, one in enumerate(found.proposals):
        ratio, where = _ratio_for(one, found.n_rows), _where_options(one, schema)
        if (
            ratio is None
            or where is None
            or printable(shlex.join((*start, *where))) != shlex.join((*start, *where))
        ):
            continue
        folder = next(folder for folder in folders if not folder.exists())
        yield at, [*start, *where, "--to", ratio, "--evaluate", folder]
        n_steps += 1
        if n_steps == _MOST_STEPS:
            return


def _ratio_for(one: Finding, n_rows: int) -> str | None:
    """The first ratio that asks for half as many rows again as the slice has, or more."""
    n_rest = n_rows - one.n_rows
    return next(
        (f"{a}:{b}" for a, b in _RATIOS if a * n_rest >= _WORTH_WHILE * one.n_rows * b),
        None,
    )


def _where_options(one: Finding, schema: TableSchema) -> list[str] | None:
    """`--where` for each comparison of a slice; None where a command line would read another slice in them."""
    from tabsynth.cli.conditions import read_conditions
    from tabsynth.where import conditions_of

    texts = [text for name, asked in one.where.items() for text in _written(name, asked)]
    try:
        is_same = conditions_of(read_conditions(texts, schema), schema) == conditions_of(one.where, schema)
    except ConditionError:
        return None
    return [part for text in texts for part in ("--where", text)] if is_same else None


def _written(name: str, asked: Text) -> list[str]:
    """A column's comparisons as `--where` reads them: nothing after the = is null, quotes around nothing are an empty text."""
    if isinstance(asked, dict):
        return [f"{name}{sign}{value}" for sign, value in asked.items()]
    return [f"{name}={'' if asked is None else asked or chr(34) * 2}"]
