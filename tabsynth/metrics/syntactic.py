"""k-anonymity, l-diversity and t-closeness of a release: properties of a table, no evidence of privacy.

Sources: Sweeney (2002, IJUFKS 10:557) for k-anonymity; Machanavajjhala et al. (2007, ACM TKDD 1:3) for
distinct and entropy l-diversity; Li, Li & Venkatasubramanian (2007, ICDE) for t-closeness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable
from tabsynth.metrics.base import Direction, EvalData, MetricInfo, MetricResult
from tabsynth.metrics.cells import (
    NO_KEYS,
    NO_SENSITIVE,
    Ids,
    cell_ids,
    joint_ids,
    named_columns,
    not_applicable,
)
from tabsynth.randomness import Streams

_CAVEAT = (
    "No evidence of privacy: no row of a synthetic table is a person, so a low figure identifies nobody and a high "
    "one protects nobody. It rests on the worst class alone, falls as rows are added, and sees no other column."
)
_FLOOR = "The floor is the same figure of the holdout"
K_ANONYMITY, L_DISTINCT, L_ENTROPY, T_CLOSENESS = INFOS = (
    MetricInfo(
        name="k_anonymity",
        title="k-anonymity of the release",
        group="disclosure",
        direction=Direction.HIGHER,
        meaning=(
            "The fewest synthetic rows that share one combination of the quasi-identifiers, compared exactly; from 1 "
            f"to the number of rows. {_FLOOR}."
        ),
        caveat=_CAVEAT,
        smoke_test=True,
    ),
    MetricInfo(
        name="l_diversity_distinct",
        title="l-diversity of the release (distinct)",
        group="disclosure",
        direction=Direction.HIGHER,
        meaning=(
            "The fewest distinct sensitive values among synthetic rows that share one combination of the "
            f"quasi-identifiers; from 1 up. The headline is the lowest of the sensitive columns. {_FLOOR}."
        ),
        caveat=_CAVEAT,
        smoke_test=True,
    ),
    MetricInfo(
        name="l_diversity_entropy",
        title="l-diversity of the release (entropy)",
        group="disclosure",
        direction=Direction.HIGHER,
        meaning=(
            "The lowest exponential of the entropy of a sensitive column among synthetic rows that share one "
            "combination of the quasi-identifiers: an effective number of values, from 1 up and never above the "
            f"distinct one. {_FLOOR}."
        ),
        caveat=_CAVEAT,
        smoke_test=True,
    ),
    MetricInfo(
        name="t_closeness",
        title="t-closeness of the release",
        group="disclosure",
        direction=Direction.LOWER,
        meaning=(
            "How far the distribution of a sensitive column in one class of quasi-identifiers is, at most, from that "
            "in the whole release, in [0, 1]: total variation for unordered levels; the ordered earth mover's "
            "distance for numbers and ordered levels, nulls and special values placed after the last of them. "
            f"{_FLOOR}."
        ),
        caveat=f"{_CAVEAT} A class of one row is as far away as its value allows.",
        smoke_test=True,
    ),
)


class Diversity(NamedTuple):
    """The worst class of one sensitive column."""

    distinct: float
    entropy: float
    closeness: float


@dataclass(frozen=True, slots=True)
class Classes:
    """How often each sensitive value occurs in each class, where it does: one entry per such pair.

    Entries are sorted by class, then by value; `counts` are at least 1. `starts` are each class's first
    entry, `overall` the shares of all values, shape (n_values,).
    """

    classes: Ids
    values: Ids
    counts: npt.NDArray[np.int64]
    starts: Ids
    sizes: npt.NDArray[np.int64]
    overall: npt.NDArray[np.float64]

    @classmethod
    def of(cls, classes: Ids, values: Ids) -> Self:
        """`classes` and `values` have shape (n_rows,), at least 1 long, ids without gaps."""
        n_values = int(values.max()) + 1
        pairs, counts = np.unique(classes * n_values + values, return_counts=True)
        of_class = pairs // n_values
        starts = np.flatnonzero(np.append(True, of_class[1:] != of_class[:-1]))
        return cls(
            of_class,
            pairs % n_values,
            counts,
            starts,
            np.bincount(classes),
            np.bincount(values) / len(values),
        )

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        return self.counts / self.sizes[self.classes]

    def diversity(self, *, is_ordered: bool) -> Diversity:
        """Over all classes: the fewest values, the least entropy (as its exponential), the largest distance."""
        shares = self.shares
        entropies = np.add.reduceat(-shares * np.log(shares), self.starts)
        distances = self._ordered_distances() if is_ordered else self._total_variations()
        distinct = np.diff(np.append(self.starts, len(self.classes)))
        return Diversity(
            float(distinct.min()), float(np.exp(max(0.0, entropies.min()))), float(distances.max())
        )

    def _total_variations(self) -> npt.NDArray[np.float64]:
        """Between each class and the whole, shape (n_classes,): the mass that the class has too much."""
        surplus = np.maximum(0.0, self.shares - self.overall[self.values])
        return np.clip(np.add.reduceat(surplus, self.starts), 0.0, 1.0)

    def _ordered_distances(self) -> npt.NDArray[np.float64]:
        """Li et al.'s ordered distance of each class, shape (n_classes,).

        The sum over values of the absolute difference of the distribution functions, divided by the number
        of values less one. A class's function is constant between its values, and that of the whole
        ascends, so each stretch is split where the two cross: nothing of size classes times values is made.
        """
        m = len(self.overall)
        if m < 2:
            return np.zeros(len(self.starts))
        whole = np.cumsum(self.overall)
        areas = np.append(0.0, np.cumsum(whole))
        running = np.cumsum(self.counts)
        before = (running - self.counts)[self.starts]
        level = (running - before[self.classes]) / self.sizes[self.classes]
        ends = np.append(self.values[1:], m)
        ends[np.append(self.starts[1:], len(self.values)) - 1] = m
        cross = np.clip(np.searchsorted(whole, level), self.values, ends)
        below = level * (cross - self.values) - (areas[cross] - areas[self.values])
        above = areas[ends] - areas[cross] - level * (ends - cross)
        totals = np.add.reduceat(below + above, self.starts) + areas[self.values[self.starts]]
        distances: npt.NDArray[np.float64] = np.clip(totals / (m - 1), 0.0, 1.0)
        return distances


@dataclass(frozen=True, slots=True)
class SyntacticAnonymity:
    """k-anonymity, l-diversity and t-closeness of the synthetic table."""

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return INFOS

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:  # noqa: ARG002
        names = tuple(info.name for info in INFOS)
        keys, sensitive = named_columns(data)
        if not keys:
            return not_applicable(NO_KEYS, *names)
        synthetic, holdout = data.encoded_synthetic, data.encoded_holdout
        if synthetic.n_rows == 0:
            return not_applicable("the synthetic table has no rows", *names)
        classes = [_classes(table, keys) for table in (synthetic, holdout)]
        sizes = [np.bincount(found) for found in classes]
        first = MetricResult(
            metric=K_ANONYMITY.name,
            value=float(sizes[0].min()),
            floor=float(sizes[1].min()) if len(sizes[1]) else None,
            reason=f"{len(keys)} quasi-identifiers, {len(sizes[0]):,} classes",
        )
        if not sensitive:
            return (first, *not_applicable(NO_SENSITIVE, *names[1:]))
        found = {
            name: [
                _diversity(table, name, of) for table, of in zip((synthetic, holdout), classes, strict=True)
            ]
            for name in sensitive
        }
        return (first, *_rows(found))


def _classes(table: EncodedTable, keys: tuple[str, ...]) -> Ids:
    return joint_ids([cell_ids([table.columns[name]])[0] for name in keys])


def _diversity(table: EncodedTable, name: str, classes: Ids) -> Diversity | None:
    if table.n_rows == 0:
        return None
    variable = table.columns[name].variable
    values = cell_ids([table.columns[name]])[0]
    return Classes.of(classes, values).diversity(is_ordered=variable.is_continuous or variable.is_ordered)


def _rows(found: dict[str, list[Diversity | None]]) -> list[MetricResult]:
    """One row per sensitive column, and one of the worst of them, for every figure."""
    results = []
    for metric, part, worst in ((L_DISTINCT, 0, min), (L_ENTROPY, 1, min), (T_CLOSENESS, 2, max)):
        sides = [[None if pair[k] is None else pair[k][part] for pair in found.values()] for k in (0, 1)]  # type: ignore[index]
        values, floors = ([figure for figure in side if figure is not None] for side in sides)
        results.append(
            MetricResult(metric=metric.name, value=worst(values), floor=worst(floors) if floors else None)
        )
        results.extend(
            MetricResult(metric=metric.name, columns=(name,), value=value, floor=floor)
            for name, value, floor in zip(found, *sides, strict=True)
        )
    return results
