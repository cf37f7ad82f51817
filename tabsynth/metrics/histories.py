"""Histories: how many rows a person has, and how a row goes on from the one before, which no figure of single rows sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tabsynth.encode import EncodedColumn
from tabsynth.encode.successions import Rows, in_succession
from tabsynth.metrics.base import Detail, Direction, EvalData, MetricInfo, MetricResult, Status
from tabsynth.metrics.cells import not_applicable
from tabsynth.metrics.fidelity_columns import table_mean
from tabsynth.metrics.fidelity_pairs import MAX_CELLS_READ, MAX_ROWS
from tabsynth.metrics.pair_view import Binning, Counts, total_variation
from tabsynth.metrics.sampling import affordable_rows
from tabsynth.randomness import Streams
from tabsynth.table import Table

HISTORIES = MetricInfo(
    name="history_error",
    title="Histories",
    group="fidelity",
    direction=Direction.LOWER,
    percent=True,
    meaning=(
        "How badly a column goes on from one row of a person to the next: of all rows that have a row before, the share "
        "that would have to change for the joint table of the cell before and the cell now to agree with train's. Numbers "
        "and times are cut at train's deciles, nulls and special values have cells of their own. The headline is the mean over columns."
    ),
    caveat=(
        "It looks one row back and at one column at a time: what builds up over three rows, or passes from one column to "
        "another, is not seen, and an error of the column itself counts here, too. Levels are many and rows few: most of it may "
        "be sampling noise, so read it against the floor. It weighs persons by their rows."
    ),
)
STAYS = MetricInfo(
    name="stay_error",
    title="Cells that stay",
    group="fidelity",
    direction=Direction.LOWER,
    percent=True,
    meaning=(
        "The difference in how often a cell is exactly what it was in the person's row before, nulls being equal: whether a "
        "diagnosis comes again, and an address is kept. The headline is the mean over columns."
    ),
    caveat=(
        "It sees what stays and not where the rest goes: that is in the histories. Columns of many levels show it where the "
        "distance of histories is mostly noise; a column that nearly always stays looks faithful in any table that holds it fixed."
    ),
)
ROWS_PER_PERSON = MetricInfo(
    name="rows_per_person_error",
    title="Rows per person",
    group="fidelity",
    direction=Direction.LOWER,
    percent=True,
    meaning=(
        "The share of persons who would have to have another number of rows for the table to have as many persons with one "
        "row, with two, and so on, as train. More rows of one person than max_rows count as max_rows, for no engine reads them."
    ),
    caveat=(
        "How many rows a person has says nothing of what they hold. A table whose rows are drawn independently is far off "
        "where persons have several rows, however faithful each row is."
    ),
)
NO_HISTORY = (
    "the schema does not say by which column the rows of a person follow one another (unit: order_by)"
)
_NO_SECOND = "no person of the synthetic table has a second row"
_MORE = 1.25  # times as many rows, for a reader to be told that noise differs


@dataclass(frozen=True, slots=True)
class Successions:
    """The rows of a table that have a row before of the same person, and those rows before: positions, (n,) each."""

    now: Rows
    before: Rows

    @property
    def n(self) -> int:
        return len(self.now)

    @classmethod
    def of(cls, table: Table) -> Successions:
        """By person, then by the schema's `order_by`, which is not None (`tabsynth.encode.successions`)."""
        persons, order = table.unit_codes(), in_succession(table)
        follows = persons[order[1:]] == persons[order[:-1]]
        return cls(order[1:][follows], order[:-1][follows])

    def at_most(self, n: int, rng: np.random.Generator) -> Successions:
        """All of them, or `n` drawn at random."""
        if self.n <= n:
            return self
        drawn = np.sort(rng.choice(self.n, n, replace=False))
        return Successions(self.now[drawn], self.before[drawn])

    def joint(self, column: EncodedColumn, binning: Binning) -> Counts:
        """Rows in each pair of cells, that before and that now, shape (n_cells²,)."""
        before, now = (binning.cells(_rows_of(column, rows)) for rows in (self.before, self.now))
        keys = before.astype(np.intp) * binning.n_cells + now
        return np.bincount(keys, minlength=binning.n_cells**2)

    def stay_rate(self, column: EncodedColumn) -> float | None:
        """How often a cell is exactly the one before, in [0, 1], nulls being equal; None without any row."""
        if self.n == 0:
            return None
        stays = column.codes[self.now] == column.codes[self.before]
        if column.values is not None:
            stays &= column.values[self.now] == column.values[self.before]
        return float(stays.mean())


def _rows_of(column: EncodedColumn, rows: Rows) -> EncodedColumn:
    values = None if column.values is None else column.values[rows]
    return EncodedColumn(column.variable, column.codes[rows], values)


def rows_per_person(table: Table) -> Counts:
    """How many persons have 0, 1, 2, … rows, max_rows or more being counted as max_rows, shape (most rows + 1,)."""
    _, counts = np.unique(table.unit_codes(), return_counts=True)
    most = table.schema.unit.max_rows
    return np.bincount(counts if most is None else np.minimum(counts, most))


def same_length(*counts: Counts) -> list[Counts]:
    """Counts of 0, 1, 2, …, each with zeros for what others go on to."""
    longest = max(len(own) for own in counts)
    return [np.pad(own, (0, longest - len(own))) for own in counts]


@dataclass(frozen=True, slots=True)
class PersonHistories:
    """How many rows a person has, and how columns go on from row to row; of schemas that order the rows of a person."""

    max_rows: int = MAX_ROWS

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return (HISTORIES, STAYS, ROWS_PER_PERSON)

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:
        """The means over columns and the figure of rows per person first, then two rows per column.

        The parts of a `stay_error` are the rates of the tables. Where no synthetic person has two rows, distances of
        histories are 1, the largest there is, and cells that stay do not apply.
        """
        names = tuple(info.name for info in self.infos)
        if data.train.schema.unit.order_by is None:
            return not_applicable(NO_HISTORY, *names)
        for which, table in (("train", data.train), ("synthetic", data.synthetic)):
            if table.n_rows == 0:
                return not_applicable(f"the {which} table has no rows", *names)
        found, note = self._successions(data, streams)
        if found[0].n == 0:
            reason = "no person of train has a second row"
            return (*not_applicable(reason, HISTORIES.name, STAYS.name), _rows_result(data))
        columns = _columns_of(data)
        distances = [_distance(data, name, found) for name in columns]
        stays = [_stays(data, name, found) for name in columns]
        means = (
            table_mean(HISTORIES.name, distances, of="columns", note=note),
            _stays_mean(stays, found[1], note=note),
        )
        return (*means, _rows_result(data), *distances, *stays)

    def _successions(self, data: EvalData, streams: Streams) -> tuple[list[Successions], str]:
        """Of train, synthetic and holdout, as many as are read of each; and what a reader must know of that."""
        most = affordable_rows(max(1, len(_columns_of(data))), most=self.max_rows, cells=MAX_CELLS_READ)
        whole = [Successions.of(table) for table in (data.train, data.synthetic, data.holdout)]
        drawn = [
            own.at_most(most, streams.generator("metrics/histories/rows", side))
            for side, own in enumerate(whole)
        ]
        is_cut = any(own.n > most for own in whole)
        cut = f"at most {most:,} rows of each table, drawn at random" if is_cut else ""
        return drawn, "; ".join(part for part in (_size_note(drawn), cut) if part)


def _size_note(found: Sequence[Successions]) -> str:
    """Why the figure cannot be held against its floor as it stands; "" where it can."""
    _, synthetic, holdout = (own.n for own in found)
    if synthetic == 0:
        return f"{_NO_SECOND}: its rows are independent of one another, and there is no history"
    if holdout and max(synthetic, holdout) > _MORE * min(synthetic, holdout):
        return f"{synthetic:,} synthetic rows have a row before, and {holdout:,} of the holdout: the fewer, the more sampling noise"
    return ""


def _columns_of(data: EvalData) -> list[str]:
    """Modelled columns but that which names the person."""
    schema = data.train.schema
    return [one.name for one in schema.columns if one.kind.is_modelled and one.name != schema.unit.column]


def _distance(data: EvalData, name: str, found: Sequence[Successions]) -> MetricResult:
    """How far the joint table of before and now is from train's, which has successions."""
    columns = _in_tables(data, name)
    binning = Binning.of(columns[0])
    joints = [own.joint(column, binning) for own, column in zip(found, columns, strict=True)]
    distances = [min(1.0, total_variation(joints[0], one)) if one.any() else None for one in joints]
    value = 1.0 if distances[1] is None else distances[1]
    return MetricResult(metric=HISTORIES.name, columns=(name,), value=value, floor=distances[2])


def _stays(data: EvalData, name: str, found: Sequence[Successions]) -> MetricResult:
    """|synthetic - train| of the rates of cells that stay, and, as its floor, |holdout - train|."""
    rates = [own.stay_rate(column) for own, column in zip(found, _in_tables(data, name), strict=True)]
    train, synthetic, holdout = rates
    assert train is not None
    labels = zip(("train", "synthetic", "holdout"), rates, strict=True)
    return MetricResult(
        metric=STAYS.name,
        columns=(name,),
        value=None if synthetic is None else abs(synthetic - train),
        floor=None if holdout is None else abs(holdout - train),
        status=Status.NOT_APPLICABLE if synthetic is None else Status.OK,
        reason=_NO_SECOND if synthetic is None else "",
        details=tuple(Detail(label=label, value=rate) for label, rate in labels if rate is not None),
    )


def _stays_mean(stays: Sequence[MetricResult], synthetic: Successions, *, note: str) -> MetricResult:
    if synthetic.n == 0:
        return not_applicable(_NO_SECOND, STAYS.name)[0]
    return table_mean(STAYS.name, stays, of="columns", note=note)


def _in_tables(data: EvalData, name: str) -> list[EncodedColumn]:
    """One column of train, synthetic and holdout."""
    tables = (data.encoded_train, data.encoded_synthetic, data.encoded_holdout)
    return [table.columns[name] for table in tables]


def _rows_result(data: EvalData) -> MetricResult:
    """The distance of numbers of rows per person; neither train nor synthetic is empty."""
    counts = same_length(*map(rows_per_person, (data.train, data.synthetic, data.holdout)))
    return MetricResult(
        metric=ROWS_PER_PERSON.name,
        value=min(1.0, total_variation(counts[0], counts[1])),
        floor=min(1.0, total_variation(counts[0], counts[2])) if counts[2].any() else None,
    )
