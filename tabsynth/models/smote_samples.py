"""Rows between rows: what the `imbalanced-learn` library is given of a class, and what it gives back.

Numbers are taken about their median and by their spread, levels as nominal features with the distance that SMOTE-NC
gives them (Chawla et al. 2002, "SMOTE: synthetic minority over-sampling technique", section 6.1). Missing numbers
lie at the median, and their level says that they are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.errors import UsageError

Matrix = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

MOST_NOMINAL = 4_000
"""Rows of one class that the variant for nominal columns alone compares with each other: it holds a matrix of them."""


def require_library() -> None:
    """Raise `UsageError` where `imbalanced-learn` is not installed."""
    try:
        import imblearn  # noqa: F401
    except ModuleNotFoundError:
        raise UsageError(
            "engine 'smote' needs the extra smote: pip install 'tabsynth[smote]' (imbalanced-learn)"
        ) from None


@dataclass(frozen=True, eq=False)
class Axes:
    """Rows as features. `numbers`, (n_rows, n_numbers), are standardised; `levels`, (n_rows, n_levels), codes.

    `centre` and `scale`, by name, lead back: a number is centre + scale * feature.
    """

    numbers: Matrix
    levels: npt.NDArray[np.int64]
    number_names: tuple[str, ...]
    level_names: tuple[str, ...]
    centre: Mapping[str, int | float]
    scale: Mapping[str, float]

    @classmethod
    def of(cls, table: EncodedTable, *, without: str = "") -> Self:
        """The features of every column but `without`; levels beside numbers where a column has any."""
        numbers, number_names, levels, level_names = list[Matrix](), list[str](), [], list[str]()
        centre, scale = dict[str, int | float](), dict[str, float]()
        for name, column in table.columns.items():
            if name == without:
                continue
            if column.values is not None:
                is_number = column.codes == 0
                held = column.values[is_number]
                middle = np.sort(held)[len(held) // 2].item() if len(held) else 0
                offsets = np.where(is_number, (column.values - middle).astype(np.float64), 0.0)
                spread = float(offsets[is_number].std()) if len(held) else 0.0
                centre[name], scale[name] = middle, spread or 1.0
                numbers.append(offsets / scale[name])
                number_names.append(name)
                if column.variable.n_levels == 1:
                    continue
            levels.append(column.codes.astype(np.int64))
            level_names.append(name)
        return cls(
            np.column_stack(numbers) if numbers else np.zeros((table.n_rows, 0)),
            np.column_stack(levels) if levels else np.zeros((table.n_rows, 0), dtype=np.int64),
            tuple(number_names),
            tuple(level_names),
            centre,
            scale,
        )


def between(
    axes: Axes, group: Rows, n_rows: int, *, neighbours: int, seed: int
) -> tuple[Matrix, npt.NDArray[np.int64]]:
    """`n_rows` rows between those of `group` (two or more): features (n_rows, n_numbers) and codes (n_rows, n_levels).

    SMOTE-NC, or SMOTE where no level varies in the group, or SMOTEN where there are no numbers.
    """
    from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC

    numbers, levels = axes.numbers[group], axes.levels[group]
    varies = np.flatnonzero((levels != levels[:1]).any(axis=0))
    made_levels = np.repeat(levels[:1], n_rows, axis=0)
    options = {
        "k_neighbors": min(neighbours, len(group) - 1),
        "sampling_strategy": {1: len(group) + n_rows},
        "random_state": seed,
    }
    if n_rows == 0 or (not len(varies) and not numbers.shape[1]):
        return np.zeros((n_rows, numbers.shape[1])), made_levels
    if not numbers.shape[1]:
        others = np.setdiff1d(np.arange(len(axes.levels)), group)[:MOST_NOMINAL]
        features = np.r_[levels[:, varies], axes.levels[np.ix_(others, varies)]]
        labels = np.r_[np.ones(len(group), dtype=np.int64), np.zeros(len(others), dtype=np.int64)]
        made, _ = SMOTEN(**options).fit_resample(features, labels)
        made_levels[:, varies] = made[len(features) :]
        return np.zeros((n_rows, 0)), made_levels
    features = np.column_stack([numbers, levels[:, varies]])
    features = np.r_[features, features[:1]]  # the library wants a second class, which it leaves alone
    labels = np.r_[np.ones(len(group), dtype=np.int64), 0]
    first = numbers.shape[1]
    nominal = list(range(first, features.shape[1]))
    sampler: Any = SMOTENC(nominal, **options) if nominal else SMOTE(**options)
    made = sampler.fit_resample(features, labels)[0][len(features) :]
    made_levels[:, varies] = np.rint(made[:, first:]).astype(np.int64)
    return made[:, :first], made_levels


def in_danger(axes: Axes, group: Rows, *, neighbours: int) -> npt.NDArray[np.bool_]:
    """Which rows of `group`, (len(group),), lie at its border: most of their nearest rows are of other groups, not all.

    Of `neighbours` nearest rows of the whole table at least half, and fewer than all, lie outside the group (Han,
    Wang and Mao 2005, "Borderline-SMOTE"). A level that differs counts as the median spread of the group's numbers.
    """
    from sklearn.neighbors import NearestNeighbors

    spreads = axes.numbers[group].std(axis=0)
    weight = float(np.median(spreads)) if len(spreads) else 1.0
    space = np.column_stack([axes.numbers, *_one_hot(axes.levels, (weight or 1.0) / np.sqrt(2))])
    n_nearest = min(neighbours, len(space) - 1)
    search = NearestNeighbors(n_neighbors=n_nearest + 1).fit(space)
    nearest = search.kneighbors(space[group], return_distance=False)[:, 1:]
    is_other = ~np.isin(nearest, group)
    found = is_other.sum(axis=1)
    danger: npt.NDArray[np.bool_] = (found >= n_nearest / 2) & (found < n_nearest)
    return danger


def _one_hot(levels: npt.NDArray[np.int64], weight: float) -> list[Matrix]:
    return [weight * (column[:, None] == np.unique(column)).astype(np.float64) for column in levels.T]


def decoded(
    axes: Axes, numbers: Matrix, levels: npt.NDArray[np.int64], like: EncodedTable
) -> dict[str, EncodedColumn]:
    """Features as the columns that they stand for: numbers on their lattice and within those of the rows `like`."""
    columns = {}
    codes_of = dict(zip(axes.level_names, levels.T, strict=True))
    numbers_of = dict(zip(axes.number_names, numbers.T, strict=True))
    for name, column in like.columns.items():
        if name not in codes_of and name not in numbers_of:
            continue
        n_rows = len(numbers)
        codes = codes_of.get(name, np.zeros(n_rows, dtype=np.int64)).astype(column.codes.dtype)
        values = None
        if column.values is not None:
            values = _values(numbers_of[name] * axes.scale[name], axes.centre[name], column)
            values[codes != 0] = 0
        columns[name] = replace(column, codes=codes, values=values)
    return columns


def _values(offsets: Matrix, centre: float, column: EncodedColumn) -> npt.NDArray[Any]:
    assert column.values is not None
    held = column.values[column.codes == 0]
    if not len(held):
        return np.zeros(len(offsets), dtype=column.values.dtype)
    if column.variable.is_lattice:
        offsets = np.rint(offsets)
    inside: npt.NDArray[Any] = np.clip(centre + offsets.astype(column.values.dtype), held.min(), held.max())
    return inside
