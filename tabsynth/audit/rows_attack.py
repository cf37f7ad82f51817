"""An attack on rows: from how many synthetic rows hold the canary, to a classifier of whole releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.audit.gaussian import LowerBounds, counts_bound, estimated_mu
from tabsynth.audit.neighbouring import PERSON, Pair
from tabsynth.audit.outside import Outside
from tabsynth.privacy import Budget

Floats = npt.NDArray[np.float64]
_RIDGE = 0.1


@dataclass
class Releases:
    """Features of many releases: `features[0]` of the table without the unit, `features[1]` with it.

    The first feature is how many rows equal a row of the unit. `ended` counts fits that gave no rows.
    """

    features: tuple[list[Floats], list[Floats]] = field(default_factory=lambda: ([], []))
    ended: int = 0

    def add(self, other: Releases) -> None:
        """Join others."""
        for side in (0, 1):
            self.features[side].extend(other.features[side])
        self.ended += other.ended


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsFound:
    """The better of two attacks: its estimate and lower bounds, which hold for both at once."""

    by: str
    mu: float
    lower: LowerBounds


def release_rows(pair: Pair, engine: Outside, budget: Budget, *, n: int, share: float) -> Releases:
    """`n` releases of each table, with `share` of the noise."""
    found = Releases()
    for _ in range(n):
        for side, table in enumerate(pair.tables):
            rows = engine.rows(table, budget=budget, share=share)
            found.ended += isinstance(rows, str)
            found.features[side].append(features_of(rows, pair))
    return found


def features_of(rows: pl.DataFrame | str, pair: Pair) -> Floats:
    """What a release shows: counts and shares of the unit's cells, alone and together, and of every level.

    A fit that ended without rows has a feature of its own: an error is something that is released too.
    """
    names = [name for name in pair.extra if name != PERSON]
    if isinstance(rows, str) or rows.height == 0:
        return np.append(np.zeros(_n_features(pair, names)), 1.0 if isinstance(rows, str) else 0.5)
    columns = {name: _texts(rows, name) for name in names}
    is_extra = {name: columns[name] == _text(pair.extra[name]) for name in names}
    counts = [float(_all_of(is_extra, names).sum())]
    counts += [float(_all_of(is_extra, few).sum()) for size in (1, 2) for few in combinations(names, size)]
    for name in names:
        levels = _levels(pair, name)
        known = np.array([float((columns[name] == level).sum()) for level in levels])
        counts += [*known, rows.height - float(known.sum())]
    n = float(rows.height)
    return np.array([*counts, *(count / n for count in counts), n, 0.0])


def attack_rows(found: Releases, *, alpha: float, delta: float) -> RowsFound:
    """The canary's count, and a linear classifier taught on the first half of the releases; level `alpha`."""
    without, beside = (np.stack(side) for side in found.features)
    scores = {
        "count of the unit's rows": (without[:, 0], beside[:, 0]),
        "classifier of releases": classified(without, beside),
    }
    results = []
    for by, sides in scores.items():
        lower = counts_bound(*sides, alpha=alpha / len(scores), delta=delta)
        results.append(
            RowsFound(by=by, mu=estimated_mu(*(side[len(side) // 2 :] for side in sides)), lower=lower)
        )
    return RowsFound(
        by=max(results, key=lambda one: (one.lower.epsilon, one.lower.mu)).by,
        mu=max(results, key=lambda one: (one.lower.mu, one.mu)).mu,
        lower=LowerBounds(
            mu=max(one.lower.mu for one in results), epsilon=max(one.lower.epsilon for one in results)
        ),
    )


def classified(without: Floats, beside: Floats) -> tuple[Floats, Floats]:
    """Scores by Fisher's linear discriminant with a ridge, taught on the first halves alone."""
    half = len(without) // 2
    taught = np.concatenate([without[:half], beside[:half]])
    centre, spread = taught.mean(axis=0), taught.std(axis=0)
    # what the first halves never varied in may give the others away all the same
    spread = np.where(spread > 0, spread, 1.0)
    first, second = ((side - centre) / spread for side in (without, beside))
    within = np.cov(first[:half].T) + np.cov(second[:half].T) + _RIDGE * np.eye(first.shape[1])
    direction = np.linalg.solve(within, second[:half].mean(axis=0) - first[:half].mean(axis=0))
    return first @ direction, second @ direction


def _texts(rows: pl.DataFrame, name: str) -> npt.NDArray[np.str_]:
    if name not in rows.columns:
        return np.full(rows.height, "no column")
    return np.array([_text(cell) for cell in rows[name].to_list()])


def _text(cell: object) -> str:
    """One spelling for a cell, whether it went through a CSV file or not."""
    if cell is None or cell == "":
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = str(cell)
    return text.lower() if text in ("True", "False") else text.removesuffix(".0")


def _levels(pair: Pair, name: str) -> list[str]:
    column = pair.schema[name]
    if column.categories is not None:
        return [str(level) for level in column.categories]
    if column.bounds is not None:
        return [str(number) for number in range(int(str(column.bounds[0])), int(str(column.bounds[1])) + 1)]
    return ["true", "false", ""]


def _all_of(is_extra: Mapping[str, npt.NDArray[np.bool_]], names: Sequence[str]) -> npt.NDArray[np.bool_]:
    return np.asarray(np.logical_and.reduce([is_extra[name] for name in names]), dtype=np.bool_)


def _n_features(pair: Pair, names: Sequence[str]) -> int:
    n_sets = 1 + len(names) + len(names) * (len(names) - 1) // 2
    return 2 * (n_sets + sum(len(_levels(pair, name)) + 1 for name in names)) + 1
