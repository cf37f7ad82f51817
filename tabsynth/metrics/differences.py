"""What lies between two columns of a row: lengths of stay, waits, margins, that figures of single columns and binned pairs do not see."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.encode.continuous import ContinuousEncoder, resolution_of
from tabsynth.metrics.base import Detail, Direction, EvalData, MetricInfo, MetricResult, Status
from tabsynth.metrics.fidelity_columns import Profile, column_figures, table_mean
from tabsynth.randomness import Streams
from tabsynth.schema.rules import Inequality
from tabsynth.schema.types import Column, Kind
from tabsynth.schema.validate_rules import family_of

MIN_SUPPORT = 100
MAX_PAIRS = 50
CHANCE = 0.1
"""How often numbers paired at random must be out of order, for the order of two columns to say anything."""
_PROBE = 1_000
_MOST = 2.0**63
_MISSING = 1

Floats = npt.NDArray[np.float64]
Pair = tuple[str, str]

DIFFERENCES = MetricInfo(
    name="difference_error",
    title="Differences",
    group="fidelity",
    direction=Direction.LOWER,
    percent=True,
    meaning=(
        "The shape error of what lies between two columns of a row: how long a stay was, by how much a price is above "
        "its cost. Asked of columns that a rule puts in order, of every two dates or times, and of numbers that train "
        "has in order without exception; the largest difference in probability of any question about the difference, "
        "with rows where either is not there as a level. The headline is the mean over pairs."
    ),
    caveat=(
        "Two columns with ten bins each may agree in every figure of pairs while all stays are of the wrong length: "
        "that is seen here alone. It says nothing of tails, nor of whether a rule holds on every row, and nothing of "
        "differences across more than two columns."
    ),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """What the cells of `pair`'s second column are above those of its first, in train, synthetic and holdout.

    `column` describes it as if it were one of the table: a number, or a duration where both are times.
    """

    pair: Pair
    column: Column
    tables: tuple[EncodedColumn, EncodedColumn, EncodedColumn]


def pairs_of(data: EvalData, streams: Streams) -> tuple[list[Pair], str]:
    """At most 50: those that rules name, those of times, and of numbers that train has in order; and a note where there were more."""
    schema = data.train.schema
    declared = [
        (one, other)
        for rule in schema.constraints
        if isinstance(rule, Inequality)
        for one, other in pairwise(rule.columns)
        if schema[one].kind.is_continuous and _are_comparable(schema[one], schema[other])
    ]
    declared = list(dict.fromkeys(declared))
    named = {frozenset(pair) for pair in declared}
    times: list[Pair] = []
    numbers: list[Pair] = []
    rng = streams.generator("metrics/differences/chance")
    continuous = [column for column in schema.columns if column.kind.is_continuous]
    for one, other in combinations(continuous, 2):
        if frozenset((one.name, other.name)) in named or not _are_comparable(one, other):
            continue
        if one.kind.is_time:
            times.append((one.name, other.name))
        elif pair := _in_order(one, other, data.encoded_train, rng):
            numbers.append(pair)
    rest = [*times, *numbers]
    room = max(0, MAX_PAIRS - len(declared))
    n_all = len(declared) + len(rest)
    if len(rest) > room:
        chosen = streams.generator("metrics/differences/pairs").choice(len(rest), room, replace=False)
        rest = [rest[at] for at in sorted(chosen.tolist())]
    found = [*declared, *rest][:MAX_PAIRS]
    if len(found) == n_all:
        return found, ""
    chosen_how = "drawn at random" if room else "the first that rules name"
    return found, f"{len(found)} of {n_all:,} pairs, {chosen_how}"


def _are_comparable(one: Column, other: Column) -> bool:
    return family_of(one) == family_of(other) and (one.timezone is None) == (other.timezone is None)


def _in_order(one: Column, other: Column, table: EncodedTable, rng: np.random.Generator) -> Pair | None:
    """The two, the smaller first, if train has them in order and would not if they were paired at random."""
    _, steps = _common(one, other)
    columns = [table.columns[column.name] for column in (one, other)]
    first = [_cells(column, step, most=_PROBE) for column, step in zip(columns, steps, strict=True)]
    if (first[0] < first[1]).any() and (first[0] > first[1]).any():
        return None
    cells = [_cells(column, step) for column, step in zip(columns, steps, strict=True)]
    both = ~np.isnan(cells[0]) & ~np.isnan(cells[1])
    if both.sum() < MIN_SUPPORT:
        return None
    if _is_ordered(cells[0][both], cells[1][both], rng):
        return one.name, other.name
    return (other.name, one.name) if _is_ordered(cells[1][both], cells[0][both], rng) else None


def _cells(column: EncodedColumn, step: float, *, most: int | None = None) -> Floats:
    """The first cells as numbers, NaN where they are none."""
    assert column.values is not None
    return np.where(column.codes[:most] == 0, column.values[:most] * step, np.nan)


def _is_ordered(low: Floats, high: Floats, rng: np.random.Generator) -> bool:
    if (low > high).any():
        return False
    return bool(np.mean(low > rng.permutation(high)) > CHANCE)


def _common(one: Column, other: Column) -> tuple[Column, tuple[float, float]]:
    """What a difference of the two is, and how many of its steps a step of each of them is."""
    name = f"{other.name} − {one.name}"
    if one.kind.is_time:
        lengths = [ContinuousEncoder(column).nanoseconds for column in (one, other)]
        step = math.gcd(*lengths)
        unit = resolution_of(step)
        dtype = "duration[us]" if unit else "duration[ns]"
        column = Column(name=name, kind=Kind.DURATION, dtype=dtype, resolution=unit, nullable=True)
        return column, (lengths[0] / step, lengths[1] / step)
    own = [column.decimals or 0 for column in (one, other)]
    if any(column.kind is Kind.NUMBER and column.decimals is None for column in (one, other)):
        column = Column(name=name, kind=Kind.NUMBER, dtype="float64", nullable=True)
        return column, (10.0 ** -own[0], 10.0 ** -own[1])
    most = max(own)
    kind, dtype = (Kind.NUMBER, "float64") if most else (Kind.INTEGER, "int64")
    column = Column(name=name, kind=kind, dtype=dtype, decimals=most or None, nullable=True)
    return column, (10.0 ** (most - own[0]), 10.0 ** (most - own[1]))


def difference_of(pair: Pair, data: EvalData) -> Difference:
    """Of two columns of numbers, or of times of one family."""
    schema = data.train.schema
    column, steps = _common(*(schema[name] for name in pair))
    found = []
    for table in (data.encoded_train, data.encoded_synthetic, data.encoded_holdout):
        first, second = (
            table.columns[name].as_float() * step for name, step in zip(pair, steps, strict=True)
        )
        with np.errstate(over="ignore"):  # a difference that no double holds counts as none
            found.append(second - first)
    numbers = [cells[np.isfinite(cells)] for cells in found]
    if max(float(np.abs(own).max(initial=0.0)) for own in numbers) >= _MOST:
        column = Column(name=column.name, kind=Kind.NUMBER, dtype="float64", nullable=True)
    train, synthetic, holdout = (_encoded(cells, column) for cells in found)
    return Difference(pair, column, (train, synthetic, holdout))


def _encoded(cells: Floats, column: Column) -> EncodedColumn:
    """Differences in steps of `column`, NaN where there is none."""
    variable = ContinuousEncoder(column).variable
    is_number = np.isfinite(cells)
    codes = np.where(is_number, 0, _MISSING).astype(np.uint8)
    values = np.where(is_number, cells, 0.0)
    return EncodedColumn(variable, codes, np.rint(values).astype(np.int64) if variable.is_lattice else values)


def _result(difference: Difference) -> MetricResult:
    """The error of one difference and its floor; neither train nor synthetic is empty."""
    train, synthetic, holdout = (Profile.of(table) for table in difference.tables)
    variable = difference.tables[0].variable
    error = column_figures(variable, train, synthetic)["shape_error"].value
    floor = column_figures(variable, train, holdout)["shape_error"].value if holdout.n else None
    orders = [_orders(table) for table in difference.tables]
    one, other = difference.pair
    labels = (f"{one} > {other}", f"{one} = {other}", f"{one} < {other}", "either is missing")
    return MetricResult(
        metric=DIFFERENCES.name,
        columns=difference.pair,
        value=error,
        floor=floor,
        details=tuple(
            Detail(
                label=label,
                value=float(abs(orders[1][at] - orders[0][at])),
                floor=float(abs(orders[2][at] - orders[0][at])) if holdout.n else None,
            )
            for at, label in enumerate(labels)
            if orders[0][at] or orders[1][at]
        ),
    )


def _orders(column: EncodedColumn) -> Floats:
    """The shares of rows whose difference is below zero, zero, above it, and none, (4,)."""
    assert column.values is not None
    states = np.where(column.codes == 0, np.sign(column.values) + 1, 3).astype(np.intp)
    return np.bincount(states, minlength=4) / max(1, len(states))


@dataclass(frozen=True, slots=True)
class ColumnDifferences:
    """Shape errors of differences between two columns; all rows are read."""

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return (DIFFERENCES,)

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:
        """The mean over pairs first, then one row per pair, with parts that say in what order the two stand."""
        for which, table in (("train", data.encoded_train), ("synthetic", data.encoded_synthetic)):
            if table.n_rows == 0:
                reason = f"the {which} table has no rows"
                return (MetricResult(metric=DIFFERENCES.name, status=Status.NOT_APPLICABLE, reason=reason),)
        pairs, note = pairs_of(data, streams)
        if not pairs:
            reason = "no rule and no row of train puts two columns in order, and no two are dates or times"
            return (MetricResult(metric=DIFFERENCES.name, status=Status.NOT_APPLICABLE, reason=reason),)
        rows = [_result(difference_of(pair, data)) for pair in pairs]
        return (table_mean(DIFFERENCES.name, rows, of="pairs", note=note), *rows)
