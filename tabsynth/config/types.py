"""What a run is: which tables, made by which engines, measured how, written as what.

Frozen values, the same whether they come from a run file, from the command line or from Python.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tabsynth.errors import UsageError
from tabsynth.models.base import Synthesizer
from tabsynth.models.registry import DEFAULT_ENGINE, make_engine
from tabsynth.privacy import DEFAULT_BUDGET, NO_PRIVACY, Budget, NoPrivacy, Privacy
from tabsynth.schema.types import CsvDialect, Schema

FORMATS = ("csv", "parquet", "arrow")
"""What a table can be written as, by the name of its file's suffix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvOptions:
    """What is known of a CSV file beside its schema; None leaves it to the schema."""

    delimiter: str | None = None
    quote: str | None = None
    encoding: str | None = None
    null_marks: tuple[str, ...] | None = None
    decimal: str | None = None

    def over(self, dialect: CsvDialect) -> CsvDialect:
        """`dialect` with what is stated here in its place."""
        return replace(
            dialect,
            delimiter=dialect.delimiter if self.delimiter is None else self.delimiter.replace("\\t", "\t"),
            quote=dialect.quote if self.quote is None else self.quote,
            encoding=dialect.encoding if self.encoding is None else self.encoding,
            null_marks=dialect.null_marks if self.null_marks is None else self.null_marks,
            decimal=dialect.decimal if self.decimal is None else self.decimal,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRun:
    """One table: where it lies, the recipe that learns it, and how many rows are made.

    `rows` None makes as many as the source has, as far as the model knows. `target` is the column that the utility figures predict;
    `title` stands over the report. `real_share` states the share of fresh real rows in a source that is marked synthetic. `public` is a file of public rows, as in `fit`. `where`, `rebalance` and `oversample` are those of `FittedPipeline.sample`: they shape the
    synthetic table, not what is learnt nor what is measured.
    """

    name: str
    source: Path
    csv: CsvOptions = field(default_factory=CsvOptions)
    engine: Synthesizer = field(default_factory=lambda: make_engine(DEFAULT_ENGINE))
    rows: int | None = None
    target: str | None = None
    title: str = ""
    real_share: float | None = None
    public: Path | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    rebalance: Mapping[str, Any] = field(default_factory=dict)
    oversample: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_steered(self) -> bool:
        """Whether other rows are made than the model makes by itself."""
        return bool(self.where or self.rebalance or self.oversample)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """A whole run. Raises `UsageError` where its parts contradict each other.

    `schema` None drafts one from the data. `holdout` in (0, 1) is the share of privacy units that is kept
    from the engine and measures it; it is not held out without `evaluation`. `audit` attacks the rows. `formats` empty means: as
    the source is. `seed` None draws a fresh one. `privacy` is what each table gets; `ledger`, a ledger
    file, is charged for all of them. `schema_file` is where the schema was read from, if it lies in a file of its own.
    """

    tables: tuple[TableRun, ...]
    schema: Schema | None = None
    privacy: Privacy = DEFAULT_BUDGET
    ledger: Path | None = None
    seed: int | None = None
    holdout: float = 0.5
    evaluation: bool = True
    audit: bool = False
    formats: tuple[str, ...] = ()
    schema_file: Path | None = field(default=None, compare=False)

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files that the run reads."""
        tables = (path for table in self.tables for path in (table.source, table.public))
        return tuple(path for path in (self.schema_file, self.ledger, *tables) if path is not None)

    def __post_init__(self) -> None:
        faults = [] if self.tables else ["a run needs at least one table"]
        if not 0 < self.holdout < 1:
            faults.append(f"holdout must lie strictly between 0 and 1, found {self.holdout:g}")
        if (self.seed or 0) < 0:
            faults.append("the seed must be 0 or more")
        if self.ledger is not None and isinstance(self.privacy, NoPrivacy):
            faults.append("a run without privacy has no place in a ledger")
        if isinstance(self.privacy, NoPrivacy) and any(table.public is not None for table in self.tables):
            faults.append("public rows are for private fits")
        if self.audit and not self.evaluation:
            faults.append("an audit needs rows that are held out, and without an evaluation none are")
        unknown = [name for name in self.formats if name not in FORMATS]
        if unknown:
            faults.append(f"unknown formats {', '.join(unknown)}; known are {', '.join(FORMATS)}")
        faults += [
            f"rows of table {table.name!r} must be 0 or more"
            for table in self.tables
            if (table.rows or 0) < 0
        ]
        faults += [
            f"the share of fresh real rows of table {table.name!r} lies in [0, 1], found {table.real_share:g}"
            for table in self.tables
            if table.real_share is not None and not 0 <= table.real_share <= 1
        ]
        if self.schema is not None:
            known = [table.name for table in self.schema.tables]
            faults += [
                f"the schema has no table {table.name!r}" for table in self.tables if table.name not in known
            ]
        if faults:
            raise UsageError("a run cannot be meant so: " + "; ".join(faults))


def privacy_of(*, no_privacy: bool, epsilon: float | None, delta: float | None) -> Privacy:
    """The privacy that flags or keys state, ε = 1 and δ = 1e-6 where they do not. Raises `UsageError` for both."""
    if no_privacy:
        if epsilon is not None or delta is not None:
            raise UsageError("state either no privacy or a budget (epsilon, delta), not both")
        return NO_PRIVACY
    return Budget(
        epsilon=DEFAULT_BUDGET.epsilon if epsilon is None else epsilon,
        delta=DEFAULT_BUDGET.delta if delta is None else delta,
    )


def csv_options(
    *,
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    null_marks: Sequence[str] | None = None,
) -> CsvOptions:
    """CSV options from flags, where an empty list states nothing."""
    return CsvOptions(
        delimiter=delimiter,
        decimal=decimal,
        encoding=encoding,
        null_marks=tuple(null_marks) if null_marks else None,
    )
