"""Jensen-Shannon and Kullback-Leibler divergence of each column from train's, over shared cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.metrics.base import Direction, EvalData, MetricInfo, MetricResult, Status
from tabsynth.metrics.fidelity_columns import table_mean
from tabsynth.metrics.pair_view import Binning, Counts
from tabsynth.randomness import Streams

PRIOR = 0.5  # rows added to every cell that occurs, for the Kullback-Leibler divergence alone

JENSEN_SHANNON = MetricInfo(
    name="js_divergence",
    title="Jensen-Shannon",
    group="fidelity",
    direction=Direction.LOWER,
    meaning=(
        "The Jensen-Shannon divergence (base 2, from 0 to 1; Lin 1991) of a column from train's: how many bits one "
        "cell tells of the table that it is from. Numbers are cut at train's deciles; nulls and special values have "
        "cells of their own. The headline is the mean over columns."
    ),
    caveat=(
        "It is about the square of a distance: .01 is a visible difference already. It sees nothing inside a "
        "decile, so neither tails nor rounding, and nothing between columns; with many levels and few rows it is "
        "well above 0 even for real rows."
    ),
)
KULLBACK_LEIBLER = MetricInfo(
    name="kl_divergence",
    title="Kullback-Leibler",
    group="fidelity",
    direction=Direction.LOWER,
    secondary=True,
    meaning=(
        "The Kullback-Leibler divergence in bits, from 0 without an upper limit (Kullback & Leibler 1951), of a "
        "column from train's, over the same cells: what it costs to code a train row by the column's shares in the "
        "synthetic table. Half a row is added to each cell that occurs in either table, so that it is finite."
    ),
    caveat=(
        "Levels that train has and the synthetic table lacks rule it, and how much each costs is set by the half "
        "row that is added, so by the table's size: compare tables of one size only. Leaving out a level that one "
        "person has is right for privacy and is charged here."
    ),
)
INFOS = (JENSEN_SHANNON, KULLBACK_LEIBLER)


def jensen_shannon(left: Counts, right: Counts) -> float:
    """The Jensen-Shannon divergence of two counts of the same cells, in bits, in [0, 1] (Lin 1991).

    Raises ValueError where a side has no rows.
    """
    p, q = _shares(left), _shares(right)
    middle = (p + q) / 2
    return float(np.clip((_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2, 0.0, 1.0))


def kullback_leibler(left: Counts, right: Counts) -> float:
    """KL(left ‖ right) in bits, at least 0, after half a row is added to each cell that occurs in either.

    The half is Krichevsky and Trofimov's (1981) estimate of a share. Raises ValueError where a side has
    no rows.
    """
    if not left.sum() or not right.sum():
        raise ValueError("a divergence needs rows on both sides")
    occurs = (left + right) > 0
    return max(0.0, _relative_entropy(_shares(left[occurs] + PRIOR), _shares(right[occurs] + PRIOR)))


def _shares(counts: Counts | npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    total = counts.sum()
    if not total:
        raise ValueError("a divergence needs rows on both sides")
    return np.asarray(counts / total, dtype=np.float64)


def _relative_entropy(p: npt.NDArray[np.float64], q: npt.NDArray[np.float64]) -> float:
    seen = p > 0
    return float((p[seen] * np.log2(p[seen] / q[seen])).sum())


@dataclass(frozen=True, slots=True)
class ColumnDivergence:
    """Both divergences of each column over the cells of `pair_view.Binning`, and their means."""

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return INFOS

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:  # noqa: ARG002
        """The means over columns first, then one row per column and figure; all rows are read."""
        tables = (data.encoded_train, data.encoded_synthetic, data.encoded_holdout)
        for which, table in zip(("train", "synthetic"), tables, strict=False):
            if table.n_rows == 0:
                reason = f"the {which} table has no rows"
                return tuple(
                    MetricResult(metric=info.name, status=Status.NOT_APPLICABLE, reason=reason)
                    for info in INFOS
                )
        rows: dict[str, list[MetricResult]] = {info.name: [] for info in INFOS}
        for name in tables[0].columns:
            binning = Binning.of(tables[0].columns[name])
            train, synthetic, holdout = (
                np.bincount(binning.cells(table.columns[name]), minlength=binning.n_cells) for table in tables
            )
            for info, divergence in zip(INFOS, (jensen_shannon, kullback_leibler), strict=True):
                rows[info.name].append(
                    MetricResult(
                        metric=info.name,
                        columns=(name,),
                        value=divergence(train, synthetic),
                        floor=divergence(train, holdout) if holdout.sum() else None,
                    )
                )
        means = (table_mean(name, results, of="columns") for name, results in rows.items())
        return (*means, *(result for results in rows.values() for result in results))
