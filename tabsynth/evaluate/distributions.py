"""Each column in the three tables over shared bins or levels, as a chart needs it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, Variable
from tabsynth.encode.continuous import ContinuousEncoder
from tabsynth.encode.discrete import declared_levels
from tabsynth.evaluate.results import Distribution, PairDistribution
from tabsynth.metrics.base import EvalData, MetricResult
from tabsynth.metrics.differences import DIFFERENCES, difference_of
from tabsynth.metrics.samples import Numbers, Sample, numbers_of
from tabsynth.schema.types import Column, Kind

MAX_BINS = 40
MAX_LEVELS = 30
MAX_DIFFERENCES = 12
MISSING = "(missing)"
OUTSIDE = "(outside the domain)"

_LARGEST = float(np.finfo(np.float64).max)
_PER_DAY = {
    "day": 1.0,
    "hour": 24.0,
    "minute": 1_440.0,
    "second": 86_400.0,
    "millisecond": 8.64e7,
    "ms": 8.64e7,
    "microsecond": 8.64e10,
    "us": 8.64e10,
    "nanosecond": 8.64e13,
    "ns": 8.64e13,
}
# widths of bins on a time axis that read well, in days
_MINUTE, _HOUR, _YEAR = 1 / 1440, 1 / 24, 365.25
_TIME_WIDTHS = (
    *(_MINUTE * k for k in (1, 5, 15)),
    *(_HOUR * k for k in (1, 3, 6, 12)),
    *(1, 2, 7, 14, 28, 91, 182),
    *(_YEAR * k for k in (1, 2, 5, 10, 20, 50, 100)),
)

Edges = npt.NDArray[np.int64] | npt.NDArray[np.float64]
Shares = npt.NDArray[np.float64]


def distributions(data: EvalData) -> tuple[Distribution, ...]:
    """One for every encoded column, in the schema's order."""
    tables = (data.encoded_train, data.encoded_holdout, data.encoded_synthetic)
    found = []
    for name in data.encoded_train.columns:
        column = data.train.schema[name]
        found.append(column_distribution(column, [table.columns[name] for table in tables]))
    return tuple(found)


def difference_distributions(data: EvalData, results: Sequence[MetricResult]) -> tuple[PairDistribution, ...]:
    """Of the pairs whose difference is furthest from train's beyond its floor, at most 12."""
    rows = [
        row for row in results if row.metric == DIFFERENCES.name and row.columns and row.value is not None
    ]
    rows.sort(key=lambda row: (row.floor or 0.0) - (row.value or 0.0))
    found = []
    for row in rows[:MAX_DIFFERENCES]:
        one, other = row.columns
        difference = difference_of((one, other), data)
        train, synthetic, holdout = difference.tables
        drawn = column_distribution(difference.column, (train, holdout, synthetic))
        found.append(PairDistribution(columns=(one, other), metric=row.metric, distribution=drawn))
    return tuple(found)


def column_distribution(column: Column, tables: Sequence[EncodedColumn]) -> Distribution:
    """One column in train, holdout and synthetic, given in this order."""
    make = _continuous if tables[0].variable.is_continuous else _discrete
    return make(column, tables)


def _shares(counts: npt.NDArray[np.int64]) -> Shares:
    return counts / max(1, int(counts.sum()))


def _level_names(column: Column, variable: Variable) -> list[str]:
    """The name of every code from 0 to n_levels; of a continuous column, code 0 has none."""
    if variable.is_continuous:
        levels = ["", *([MISSING] if column.nullable else []), *map(str, column.special_values)]
    elif column.kind.is_discrete:
        levels = [*map(str, declared_levels(column)), *([MISSING] if column.nullable else [])]
    else:
        levels = ["(present)", MISSING]
    return [*levels, OUTSIDE]


def _discrete(column: Column, tables: Sequence[EncodedColumn]) -> Distribution:
    variable = tables[0].variable
    names = _level_names(column, variable)
    shares = np.array([_shares(np.bincount(table.codes, minlength=len(names))) for table in tables])
    largest = shares.max(axis=0)
    is_apart = np.zeros(len(names), dtype=np.bool_)  # shown after the categories, and never pooled
    is_apart[[code for code in (variable.null_code, variable.n_levels) if code is not None]] = True
    shown = np.flatnonzero(~is_apart & ((largest > 0) | variable.is_ordered))
    apart = np.flatnonzero(is_apart & (largest > 0))
    by_size = shown[np.argsort(-largest[shown], kind="stable")]
    room = MAX_LEVELS - len(apart)
    kept, pooled = (by_size, by_size[:0]) if len(by_size) <= room else (by_size[:room], by_size[room:])
    kept = np.sort(kept) if variable.is_ordered else kept[np.argsort(-shares[0, kept], kind="stable")]
    codes = [*kept, *apart]
    labels = [names[code] for code in codes]
    parts = shares[:, codes]
    if len(pooled):
        labels.append(f"other levels ({len(pooled):,})")
        parts = np.column_stack([parts, shares[:, pooled].sum(axis=1)])
    train, holdout, synthetic = (tuple(side.tolist()) for side in parts)
    return Distribution(
        column=column.name,
        kind=column.kind.value,
        labels=tuple(labels),
        train=train,
        holdout=holdout,
        synthetic=synthetic,
    )


def _continuous(column: Column, tables: Sequence[EncodedColumn]) -> Distribution:
    variable = tables[0].variable
    names = _level_names(column, variable)
    numbers = [numbers_of(table) for table in tables]
    scale, edges = choose_bins(numbers, is_lattice=variable.is_lattice, steps_per_day=_steps_per_day(column))
    n_bins = max(0, len(edges) - 1)
    levels = np.array([np.bincount(table.codes, minlength=len(names)) for table in tables])
    shown = [code for code in range(1, len(names)) if levels[:, code].any()]
    rows = []
    for side, found in enumerate(numbers):
        bins = np.clip(np.searchsorted(edges, found, side="right") - 1, 0, max(0, n_bins - 1))
        rows.append(_shares(np.concatenate([np.bincount(bins, minlength=n_bins), levels[side, shown]])))
    train, holdout, synthetic = (tuple(row.tolist()) for row in rows)
    decimals = column.decimals if variable.is_lattice and column.decimals is not None else 0
    return Distribution(
        column=column.name,
        kind=column.kind.value,
        labels=tuple(names[code] for code in shown),
        edges=tuple((edges / 10.0**decimals).tolist()),
        edge_labels=_time_labels(column, edges) if column.kind.is_time else (),
        scale=scale,
        train=train,
        holdout=holdout,
        synthetic=synthetic,
    )


def _steps_per_day(column: Column) -> float | None:
    """How many steps of the encoded values make a day; None where they are no time."""
    if not column.kind.is_time:
        return None
    if column.kind is Kind.DATE:
        return 1.0
    unit = column.resolution or column.dtype.partition("[")[2].rstrip("]") or "us"
    return _PER_DAY[unit]


def _time_labels(column: Column, edges: Edges) -> tuple[str, ...]:
    dtype = column.dtype
    if dtype == "string":
        dtype = "date" if column.kind is Kind.DATE else "datetime[us]"
    plain = replace(
        column, dtype=dtype, bounds=None, special_values=(), nullable=False, format=None, description=None
    )
    moments = ContinuousEncoder(plain).decode(np.zeros(len(edges), dtype=np.uint8), edges.astype(np.int64))
    if column.kind is Kind.DURATION:
        return tuple(moments.dt.to_string("polars").to_list())
    if column.kind is Kind.DATE or (moments.dt.time() == dt.time(0)).all():
        return tuple(moments.dt.strftime("%Y-%m-%d").to_list())
    return tuple(moments.dt.strftime("%Y-%m-%d %H:%M:%S").to_list())


class _Scale(Protocol):
    """A monotone map of numbers onto the axis of a chart, and back."""

    def forth(self, x: Shares) -> Shares: ...

    def back(self, t: Shares) -> Shares: ...


@dataclass(frozen=True, slots=True)
class _Log:
    def forth(self, x: Shares) -> Shares:
        return np.log(x)

    def back(self, t: Shares) -> Shares:
        return np.exp(t)


@dataclass(frozen=True, slots=True)
class _SymLog:
    """Linear within ±`unit`, logarithmic beyond."""

    unit: float

    def forth(self, x: Shares) -> Shares:
        return np.sign(x) * np.log1p(np.abs(x) / self.unit)

    def back(self, t: Shares) -> Shares:
        return np.sign(t) * np.expm1(np.abs(t)) * self.unit


def choose_bins(
    numbers: Sequence[Numbers], *, is_lattice: bool, steps_per_day: float | None = None
) -> tuple[str, Edges]:
    """A scale and at most 40 bins, closed on the left, that cover the numbers of all tables.

    Logarithmic scales are for numbers whose extremes lie more than eight times as far apart as their
    .05 and .95 quantiles: tails stay visible. Lattice numbers get edges on the lattice, or half a step
    beside it where every value has a bin of its own. Times (`steps_per_day`) stay linear. Edges are
    empty where there are no numbers.
    """
    whole: Numbers = np.concatenate(list(numbers))
    if is_lattice and np.abs(whole.astype(np.float64)).max(initial=0) >= 2.0**51:
        whole, is_lattice = whole.astype(np.float64), False  # half steps are beyond a double's reach
    pooled = Sample.of(whole)
    if pooled.n == 0:
        return "linear", np.empty(0)
    low, high = pooled.values[0].item(), pooled.values[-1].item()
    if is_lattice and high - low < MAX_BINS:
        edges = low + np.arange(high - low + 2)
        return "linear", edges if steps_per_day else edges - 0.5
    if low == high:
        return "linear", np.array([low, _above(low)] if low < _LARGEST else [_LARGEST / 2, low])
    core = pooled.quantile([0.05, 0.95])
    has_tails = high / 64 - low / 64 > core[1] / 8 - core[0] / 8  # divided first: no overflow
    if steps_per_day or not has_tails:
        wanted = max(high / (MAX_BINS - 2) - low / (MAX_BINS - 2), math.ulp(low), math.ulp(high))
        width = _time_width(wanted, steps_per_day) if steps_per_day else _round_width(wanted)
        return "linear", _even_edges(low, high, width, is_lattice=is_lattice)
    if low > 0:
        return "log", _curved_edges(pooled, _Log(), is_lattice=is_lattice)
    sizes = np.abs(pooled.values[pooled.values != 0].astype(np.float64))
    scale = _SymLog(max(float(np.quantile(sizes, 0.1)), float(sizes.max()) * 1e-12))
    return "symlog", _curved_edges(pooled, scale, is_lattice=is_lattice)


def _round_width(wanted: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(next(k * power for k in (1, 2, 5, 10) if k * power >= wanted * (1 - 1e-9)))


def _time_width(wanted: float, steps_per_day: float) -> float:
    widths = (days * steps_per_day for days in _TIME_WIDTHS)
    return next((width for width in widths if width >= wanted), _round_width(wanted))


def _even_edges(low: float, high: float, width: float, *, is_lattice: bool) -> Edges:
    """Edges at multiples of `width`, from the one at or below `low` to the one above `high`."""
    if is_lattice:
        step = max(1, round(width))
        first = int(low) // step
        return (first + np.arange(int(high) // step - first + 2)) * step
    first = np.floor(low / width)
    multiples = first + np.arange(int(np.floor(high / width) - first) + 2)
    edges = np.clip(multiples, -_LARGEST / width, _LARGEST / width) * width
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], _above(high))  # what rounding has left out
    return np.unique(edges)


def _above(number: float) -> float:
    """The next larger double, if there is a finite one."""
    return min(math.nextafter(number, math.inf), _LARGEST)


def _curved_edges(pooled: Sample, scale: _Scale, *, is_lattice: bool) -> Edges:
    """Edges evenly spaced on the scale; a zero among the numbers has a bin of its own."""
    low, high = float(pooled.values[0]), float(pooled.values[-1])
    ends = scale.forth(np.array([low, high]))
    with np.errstate(over="ignore"):  # rounding may lift the last edge past the largest double
        edges = np.clip(scale.back(np.linspace(ends[0], ends[1], MAX_BINS - 1)), low, high)
    edges = np.unique(np.concatenate([[low], edges[1:-1], [_above(high)]]))
    if is_lattice:
        edges = np.unique(np.append(np.floor(edges[:-1]), high + 1))
    at_zero = int(np.searchsorted(pooled.values, 0))
    if at_zero + 1 < len(pooled.values) and pooled.values[at_zero] == 0:
        beyond = float(pooled.values[at_zero + 1])
        is_between = (edges > 0) & (edges < beyond)
        edges = np.unique(np.append(edges[~is_between], [0.0, beyond]))
    return edges
