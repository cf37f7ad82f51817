"""LightGBM on encoded tables: one feature matrix, one set of parameters, the same rows every time."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable

if TYPE_CHECKING:
    import lightgbm

T = TypeVar("T")
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Features:
    """Which columns of a feature matrix stand for which column of the table.

    A discrete column gives its codes as a categorical feature. A continuous one gives its numbers, NaN
    where there is none, and its codes beside them where several levels hide behind that NaN.
    """

    owners: tuple[str, ...]
    is_categorical: tuple[bool, ...]

    @classmethod
    def of(cls, tables: Sequence[EncodedTable], *, without: str | None = None) -> Self:
        owners, categorical = [], []
        for name, column in tables[0].columns.items():
            if name == without:
                continue
            if column.variable.is_continuous:
                owners.append(name)
                categorical.append(False)
                beside = {int(code) for table in tables for code in np.unique(table.columns[name].codes)}
                if len(beside - {0}) < 2:
                    continue
            owners.append(name)
            categorical.append(True)
        return cls(tuple(owners), tuple(categorical))

    def matrix(self, table: EncodedTable) -> Matrix:
        """The feature matrix of `table`, shape (n_rows, n_features)."""
        matrix = np.empty((table.n_rows, len(self.owners)), dtype=np.float64)
        for k, (name, is_categorical) in enumerate(zip(self.owners, self.is_categorical, strict=True)):
            column = table.columns[name]
            matrix[:, k] = column.codes if is_categorical else column.as_float()
        return matrix

    @property
    def categorical_indices(self) -> list[int]:
        return [k for k, is_categorical in enumerate(self.is_categorical) if is_categorical]

    def by_owner(self, gains: npt.NDArray[np.float64]) -> dict[str, float]:
        """Per table column, its share of the features' gains; all 0 where nothing was gained."""
        totals = dict.fromkeys(self.owners, 0.0)
        whole = float(gains.sum()) or 1.0
        for name, gain in zip(self.owners, gains.tolist(), strict=True):
            totals[name] += gain / whole
        return totals


def n_threads() -> int:
    """The processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_parallel(calls: Sequence[Callable[[], T]]) -> list[T]:
    """What each call returns, in order; as many at once as there are processors."""
    with ThreadPoolExecutor(max_workers=max(1, min(n_threads(), len(calls)))) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Boosting:
    """Gradient boosted trees as every figure here uses them; deterministic for a seed."""

    seed: int
    n_rounds: int = 200
    learning_rate: float = 0.1
    n_leaves: int = 31

    def fit(
        self,
        matrix: Matrix,
        labels: npt.NDArray[np.float64],
        *,
        features: Features,
        objective: Mapping[str, str | int],
        weights: Matrix | None = None,
    ) -> lightgbm.Booster:
        """A booster for `labels`; `objective` holds LightGBM's objective and, if it has any, its classes.

        `weights`, (n_rows,), say how much each row counts.
        """
        import lightgbm

        parameters = {
            **objective,
            "learning_rate": self.learning_rate,
            "num_leaves": self.n_leaves,
            # wide tables: each tree reads some 250 features, so time stays in hand
            "feature_fraction": min(1.0, 250 / max(1, matrix.shape[1])),
            "feature_pre_filter": False,
            "deterministic": True,
            "force_row_wise": True,
            # one thread per booster and several boosters at once (see `in_parallel`): LightGBM's own threads
            # wait for each other after every split, and stand still where the machine is shared
            "num_threads": 1,
            "seed": self.seed,
            "verbosity": -1,
        }
        data = lightgbm.Dataset(
            matrix,
            label=labels,
            weight=weights,
            categorical_feature=features.categorical_indices,
            params={**parameters},
            free_raw_data=True,
        )
        return lightgbm.train(parameters, data, num_boost_round=self.n_rounds)


def predict(booster: lightgbm.Booster, matrix: Matrix) -> Matrix:
    """The booster's predictions, shape (n_rows,), or (n_rows, n_classes) with more than two classes."""
    return np.asarray(booster.predict(matrix, num_threads=1), dtype=np.float64)
