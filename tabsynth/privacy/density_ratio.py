"""How much more frequent rows are in a table than among rows that a model drew: a density ratio, estimated by boosted trees.

A classifier that tells the two apart estimates the logarithm of their ratio (Sugiyama, Suzuki and Kanamori 2012, chapter 4); as
boosting of a density it is due to Grover and Ermon (2018). Two sequences of trees grow side by side, each against half of the drawn rows, and are
averaged (bagging: Breiman 1996). They are grown on all rows of the table and stop where new rows would be told apart no better (`expected_gain`): rows held out would
judge them too harshly, as the model that drew was fitted to them as well, so that what the others lack they have too much of. One row more can change
every tree, so no noise could be added at a bearable price: for fits without privacy, where the ledger says that it was read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.privacy.boosted import MOST_LEAVES, BoostedTree, Codes, repeatable, trees_of

Floats = npt.NDArray[np.float64]
DensityRatio = Callable[..., "list[BoostedTree]"]

MOST_TREES = 1000
LEAST_ROWS = 200
"""Of a table; with fewer, every leaf would be most of it."""
SEQUENCES = 2
_STRETCH = 10  # trees, after which it is asked whether they are worth their while
_PATIENCE = 30  # trees that may grow without
_LEAST_GAINED = 15.0  # nats on all rows of the table, by the trees since
_ERRORS = 2.0  # standard errors that all trees together must be expected to gain
_MOST_FRESH = 12_288
_RATE = 0.4
_RIDGE = 10.0  # rows, as LightGBM counts them
_SMOOTHED = 100.0  # rows, below which a leaf says mostly what the node above it does
_MOST_BINS = 63  # of a column, between which trees split


def fit_density_ratio(
    real: Codes,
    drawn: Codes,
    *,
    min_leaf: int,
    min_group: int,
    seed: int,
    most_trees: int = MOST_TREES,
    flattered: float = 1.0,
) -> list[BoostedTree]:
    """Trees whose sum is the logarithm of the ratio of `real` rows, (n, d) codes, to `drawn` ones, (m, d), m ≥ 4.

    A leaf is grown on about `min_leaf` rows of either table or more. One that holds fewer than `min_group` real rows, and not
    none, adds nothing. At most `most_trees`; none where what they are expected to gain is less than two standard errors of that. `flattered`: how many times as much trees flatter themselves on
    real rows as they would on as many drawn ones; 1 where the model that drew does not know the real rows. The same whatever else is running.
    """
    if len(real) < LEAST_ROWS:
        return []

    n_fresh = min(_MOST_FRESH, len(drawn) // (2 * SEQUENCES))
    fresh, parts = drawn[:n_fresh], np.array_split(drawn[n_fresh:], SEQUENCES)
    with ExitStack() as stack:
        threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in parts]
        made = [
            thread.submit(_Sequence, real, part, fresh, min_leaf=min_leaf, seed=seed + k)
            for k, (thread, part) in enumerate(zip(threads, parts, strict=True))
        ]
        sequences = [one.result() for one in made]
        best, n_trees, n_grown, is_chance = 0.0, 0, 0, True
        while n_grown < min(most_trees // SEQUENCES, n_trees + _PATIENCE):
            n_more = min(_STRETCH, most_trees // SEQUENCES - n_grown)
            growing = [
                thread.submit(one.grow, n_more) for thread, one in zip(threads, sequences, strict=True)
            ]
            said = [one.result() for one in growing]
            gain, error = expected_gain(said, flattered * len(parts[0]) / len(real))
            n_grown += n_more
            if (gain - best) * len(real) > _LEAST_GAINED:
                best, n_trees, is_chance = gain, n_grown, gain < _ERRORS * error
        if is_chance:
            return []
        found = [
            thread.submit(one.trees, real, n_trees, min_group=min_group)
            for thread, one in zip(threads, sequences, strict=True)
        ]
        return [tree for trees in found for tree in trees.result()]


@dataclass(frozen=True, eq=False)
class Logs:
    """Estimated log ratios of real rows, (n,), of the drawn ones that trees were grown on, (m,), and of others, (k,)."""

    real: Floats
    drawn: Floats
    fresh: Floats

    @cached_property
    def flattery(self) -> tuple[float, float]:
        """Nats a row by which drawn rows that trees were grown on are told better than others, and the variance of that."""
        fresh, drawn = _losses(self.fresh), _losses(self.drawn)
        variance = fresh.var() / len(fresh) + drawn.var() / len(drawn)
        return float(fresh.mean() - drawn.mean()), float(variance)


def expected_gain(sequences: Sequence[Logs], flattered: float) -> tuple[float, float]:
    """Nats a row by which the average of sequences is expected to tell real from drawn rows better than a coin, both such as it was not grown on, and the standard error of that.

    Fresh drawn rows say by how much trees flatter themselves on those that they were grown on. On real ones they do so `flattered` times as much: by more, as there
    are fewer of them, and by less as far as the model that drew was fitted to the same. The error is mostly
    that of the flattery; sequences share the fresh rows, so it is no smaller for their number.
    """
    flattery = float(np.mean([one.flattery[0] for one in sequences]))
    variance = float(np.mean([one.flattery[1] for one in sequences]))
    on_real = _losses(-np.mean([one.real for one in sequences], axis=0)).mean()
    on_fresh = _losses(np.mean([one.fresh for one in sequences], axis=0)).mean()
    error = flattered * float(np.sqrt(variance))
    return float(np.log(2) - (on_real + flattered * max(flattery, 0.0) + on_fresh) / 2), error / 2


def _losses(logs: Floats) -> Floats:
    """Nats that a drawn row costs at each log ratio; a real one, at minus that."""
    return np.logaddexp(0, logs)


class _Sequence:
    """Trees that LightGBM grows to tell `real` rows from `drawn` ones."""

    def __init__(self, real: Codes, drawn: Codes, fresh: Codes, *, min_leaf: int, seed: int) -> None:
        import lightgbm

        self.n_real, drawn_per_real = len(real), len(drawn) / len(real)
        is_real = np.arange(len(real) + len(drawn)) < len(real)
        settings = {
            "objective": "binary",
            "metric": "None",
            "num_leaves": MOST_LEAVES,
            "learning_rate": _RATE,
            "max_bin": _MOST_BINS,
            "min_data_in_leaf": min(round(min_leaf * (1 + drawn_per_real)), len(real) + len(drawn)),
            "lambda_l2": _RIDGE,
            "path_smooth": _SMOOTHED,
            **repeatable(seed),
        }
        grown = lightgbm.Dataset(
            np.concatenate([real, drawn]).astype(np.float32),
            is_real,
            weight=np.where(is_real, drawn_per_real, 1.0),
            params=settings,
        )
        self.booster: Any = lightgbm.Booster(settings, grown)
        apart = lightgbm.Dataset(
            fresh.astype(np.float32), np.zeros(len(fresh)), reference=grown, params=settings
        )
        self.booster.add_valid(apart, "fresh")

    def grow(self, n_trees: int) -> Logs:
        """Grow as many trees more; what all of them say."""
        for _ in range(n_trees):
            self.booster.update()
        said: list[Floats] = []

        def listen(chance: Floats, data: Any) -> tuple[str, float, bool]:  # noqa: ARG001
            said.append(np.log(chance) - np.log1p(-chance))
            return "nothing", 0.0, False

        self.booster.eval_train(listen)
        self.booster.eval_valid(listen)
        logs = Logs(said[0][: self.n_real], said[0][self.n_real :], said[1])
        _ = logs.flattery  # computed here, by this sequence's thread
        return logs

    def trees(self, real: Codes, n_trees: int, *, min_group: int) -> list[BoostedTree]:
        """The first so many, each with its part of the average over sequences."""
        return trees_of(self.booster, real, n_trees, scale=1 / SEQUENCES, min_group=min_group)
