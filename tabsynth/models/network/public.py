"""What public rows say of the counts of private ones, and the two taken together.

Public rows of the same columns (an earlier year, a published sample) forecast every marginal of the private table:
a cell of which they hold z of N rows is expected to hold z n / N of its n. A pair's cells are scaled further, row by row and
column by column (iterative proportional fitting, Deming and Stephan 1940), to what is known of its two columns. Two
things make a forecast c wrong. Both tables are samples, which gives the difference the variance f² z + c, f being how
many private rows a public one stands for. And they may be of different populations, which is taken to change cells by a
factor, with the variance drift · c². The drift is estimated from the noisy counts themselves, less what noise and
sampling explain (a moment estimate), and leans to a usual one where noise hides it; a cell that stands out from all of it
by three deviations is believed as it was counted. Forecast and noisy count are weighted by the inverse of their variances, so public rows of
another population lose their weight as soon as the noise lets that be seen. All of it is post-processing of released
numbers and public ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable
from tabsynth.models.network.triangulation import Pair
from tabsynth.models.public_cells import PublicCells

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.unsignedinteger]

_UNSEEN = 0.5  # rows that a cell without public rows is taken to hold, for its variance alone
_RAKINGS = 10
_STANDS_OUT = 3.0  # deviations
_LEAST_DRIFT = 1e-6
USUAL_DRIFT = 0.05
"""Of tables of which noise hides how far they differ: cells within a deviation of 22 %."""


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """Expected counts and the variance of each, for private tables of one shape, by `n_rows` ≥ 1 public rows."""

    counts: Floats
    variance: Floats
    n_rows: int


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """Counts by noisy and public rows together, and the variance of each; one for all where there are no public rows."""

    counts: Floats
    variance: float | Floats


@dataclass(frozen=True, slots=True, eq=False)
class PublicRows:
    """Public rows as fine cells of every column, (n_rows,) each, and which of them are known; None for a column they lack."""

    fine: tuple[Codes | None, ...]
    known: tuple[npt.NDArray[np.bool_] | None, ...]

    def column(self, v: int, n_cells: int, *, total: float) -> Forecast | None:
        """What they say of a column's fine cells in `total` rows, (n_cells,), without any drift; None for nothing."""
        fine, known = self.fine[v], self.known[v]
        if fine is None or known is None:
            return None
        return _forecast(np.bincount(fine[known], minlength=n_cells), total)

    def pair(
        self, pair: Pair, cells: Sequence[npt.NDArray[np.integer]], margins: Sequence[Floats]
    ) -> Forecast | None:
        """What they say of two columns' cells, `cells[k]` giving the cell of each fine cell of the k-th, `margins[k]` its counts."""
        (one, other), (is_one, is_other) = ([each[v] for v in pair] for each in (self.fine, self.known))
        if one is None or other is None or is_one is None or is_other is None:
            return None
        both = is_one & is_other
        sizes = [len(each) for each in margins]
        flat = cells[0][one[both]].astype(np.int64) * sizes[1] + cells[1][other[both]]
        counts = np.bincount(flat, minlength=sizes[0] * sizes[1]).reshape(sizes)
        return _raked(counts, *margins) if counts.any() else None


def _forecast(counts: npt.NDArray[np.integer], total: float) -> Forecast | None:
    n_rows = int(counts.sum())
    if not n_rows:
        return None
    each = max(total, 1.0) / n_rows
    spread = each**2 * np.maximum(counts, _UNSEEN) + each * counts
    return Forecast(np.asarray(counts * each), np.asarray(spread), n_rows)


def _raked(counts: npt.NDArray[np.integer], first: Floats, second: Floats) -> Forecast:
    """A pair's public counts brought to the margins `first` and `second` ≥ 0; cells that nobody tells of lean to independence."""
    n_rows, total = float(counts.sum()), max(float(first.sum()), 1.0)
    independent = np.outer(first, second) / max(float(second.sum()), 1.0)
    seen = np.outer(counts.sum(axis=1) + _UNSEEN, counts.sum(axis=0) + _UNSEEN) / n_rows
    each = independent / seen
    found = counts + _UNSEEN * independent / total
    for _ in range(_RAKINGS):
        found = found * (first / np.maximum(found.sum(axis=1), 1e-300))[:, None]
        found = found * (second / np.maximum(found.sum(axis=0), 1e-300))
    spread = each**2 * np.maximum(counts, _UNSEEN) + found
    return Forecast(np.asarray(found), np.asarray(spread), int(n_rows))


def public_rows(cells: Sequence[PublicCells], rows: EncodedTable) -> PublicRows:
    """The rows in the cells of their columns: numbers beyond the bounds in the end cells, codes outside the domain unknown."""
    fine: list[Codes | None] = []
    known: list[npt.NDArray[np.bool_] | None] = []
    for cell in cells:
        column = rows.columns.get(cell.variable.name)
        if column is None:
            fine.append(None)
            known.append(None)
            continue
        is_known = column.codes < cell.variable.n_levels
        codes = np.where(is_known, column.codes, column.codes.dtype.type(0))
        fine.append(cell.cells_of(replace(column, codes=codes)))
        known.append(is_known)
    return PublicRows(tuple(fine), tuple(known))


Seen = tuple[Floats, float, Forecast]
"""Noisy counts, the variance of their noise, and what public rows forecast of them."""


def drift_of(seen: Iterable[Seen], *, usual: float = USUAL_DRIFT) -> float:
    """The squared factor by which cells differ beyond noise and sampling, at least 0; `usual` > 0 where nothing can be seen.

    Cells are weighted by how well each tells: Σ w z'² (d² - v) / Σ w z'⁴ with w = 1/v², v the variance that noise and
    sampling give the difference d. That estimate, whose variance is 2 / Σ w z'⁴, and `usual`, taken as right to a factor
    of about two, are weighted by the inverse of their variances.
    """
    told, power = 0.0, 0.0
    for counts, variance, forecast in seen:
        spread = variance + forecast.variance
        size = forecast.counts**2 / spread
        told += float((size * (((counts - forecast.counts) ** 2) / spread - 1)).sum())
        power += float((size**2).sum())
    return max((told / 2 + 1 / usual) / (power / 2 + 1 / usual**2), _LEAST_DRIFT)


def drifting(forecast: Forecast, drift: float) -> Forecast:
    """The forecast for another population, cells of which differ by a factor of variance `drift`."""
    spread = drift * np.maximum(forecast.counts, 1.0) ** 2
    return Forecast(forecast.counts, forecast.variance + spread, forecast.n_rows)


def blended(noisy: Floats, variance: float, forecast: Forecast, *, counts: Floats | None = None) -> Blend:
    """Noisy counts and a forecast, each cell by the inverse of its variances; in place of the noisy ones `counts`, if given.

    A cell that stands out is given the variance about its forecast that it shows itself.
    """
    apart = (noisy - forecast.counts) ** 2
    spread = np.where(
        apart > _STANDS_OUT**2 * (forecast.variance + variance),
        np.maximum(forecast.variance, apart - variance),
        forecast.variance,
    )
    share = 1 - variance / (spread + variance)
    own = noisy if counts is None else counts
    return Blend(np.asarray(share * own + (1 - share) * forecast.counts), np.asarray(share * variance))
