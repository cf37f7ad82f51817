"""Engines and functions that claim differential privacy and break it: proof that the audit of noise can fail.

The engines go through the real plan, ledger and noise, and cheat beside them; the functions are engines seen
from outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from tabsynth.models.independent import FittedIndependent, Independent
from tabsynth.privacy.plan import Part
from tabsynth.privacy.queries import Marginal

SEEN = "seen levels"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadsTheDomain(Independent):
    """Counts the levels of `a` that occur, as many as there are, instead of those that are declared."""

    def parts(self, variables):
        return (*Independent.parts(self, variables), Part(statistic=SEEN, share=0.1))

    def fit(self, data, *, queries, streams, **how):
        codes = data.columns["a"].codes
        n_seen = int(codes.max(initial=0)) + 1
        queries.marginals(SEEN, [Marginal(("a",), (codes,), (n_seen,))])
        return Independent.fit(self, data, queries=queries, streams=streams, **how)


@dataclass(frozen=True, eq=False)
class Telling(FittedIndependent):
    """A model with an exact count beside its noisy parameters."""

    exact: int = 0

    def parameters(self):
        return {**FittedIndependent.parameters(self), "n": self.exact}


@dataclass(frozen=True, slots=True, kw_only=True)
class SideChannel(Independent):
    """Stores the exact number of rows at the first level of `a` in the model."""

    def fit(self, data, *, queries, streams, **how):
        model = Independent.fit(self, data, queries=queries, streams=streams, **how)
        return Telling(model.latents, int((data.columns["a"].codes == 0).sum()))


@dataclass(frozen=True, slots=True, kw_only=True)
class CountsTwice(Independent):
    """Every row is counted twice in one histogram that is charged as if it were counted once."""

    def parts(self, variables):
        return (*Independent.parts(self, variables), Part(statistic=SEEN, share=0.1))

    def fit(self, data, *, queries, streams, **how):
        column = data.columns["b"]
        cells = np.repeat(column.values.astype(np.uint8), 2)
        queries.marginals(SEEN, [Marginal(("b",), (cells,), (5,))])
        return Independent.fit(self, data, queries=queries, streams=streams, **how)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuses(Independent):
    """An error where a level that is declared occurs: the message need not say which."""

    def fit(self, data, *, queries, streams, **how):
        if (data.columns["a"].codes == 2).any():
            raise ValueError("a rare level")
        return Independent.fit(self, data, queries=queries, streams=streams, **how)


@dataclass(frozen=True, slots=True, kw_only=True)
class AsksLess(Independent):
    """Buys a count only where the table has rows at some level."""

    def parts(self, variables):
        return (*Independent.parts(self, variables), Part(statistic=SEEN, share=0.1))

    def fit(self, data, *, queries, streams, **how):
        model = Independent.fit(self, data, queries=queries, streams=streams, **how)
        if (data.columns["a"].codes == 2).any():
            queries.total(SEEN, data.n_rows)
        return model


LEVELS, TRUTHS = "pqst", (True, False, None)
CELLS = np.indices((4, 5, 3)).reshape(3, -1)


def histogram(
    frame: pl.DataFrame, _n_rows: int, _seed: int, *, epsilon: float, noise: float = 1.0
) -> pl.DataFrame:
    """Keeps its promise: one histogram over the public domain with Laplace noise of scale `noise`/ε."""
    a = np.array([LEVELS.index(level) for level in frame["a"].to_list()])
    c = np.array([TRUTHS.index(truth) for truth in frame["c"].to_list()])
    counts = np.bincount((a * 5 + frame["b"].to_numpy()) * 3 + c, minlength=60)
    noisy = counts + np.random.default_rng().laplace(0, noise / epsilon, 60)
    cells = np.repeat(np.arange(60), np.maximum(np.rint(noisy), 0).astype(int))
    return pl.DataFrame(
        {
            "a": np.array(list(LEVELS))[CELLS[0, cells]],
            "b": CELLS[1, cells],
            "c": pl.Series(CELLS[2, cells]).replace_strict(
                {0: True, 1: False, 2: None}, return_dtype=pl.Boolean
            ),
        }
    )


def third(frame: pl.DataFrame, _n_rows: int, _seed: int, *, epsilon: float) -> pl.DataFrame:
    """A third of the noise."""
    return histogram(frame, _n_rows, _seed, epsilon=epsilon, noise=1 / 3)


def own_domain(frame: pl.DataFrame, _n_rows: int, _seed: int, *, epsilon: float) -> pl.DataFrame:
    """Categories are read off the table: a level that nobody has never comes out."""
    made = histogram(frame, _n_rows, _seed, epsilon=epsilon)
    return made.filter(pl.col("a").is_in(frame["a"].unique().to_list()))


def exact_counts(frame: pl.DataFrame, _n_rows: int, _seed: int, *, epsilon: float) -> pl.DataFrame:
    """As many rows as the table has."""
    made = histogram(frame, _n_rows, _seed, epsilon=epsilon)
    return pl.concat([made, made])[: frame.height]


def refuses(frame: pl.DataFrame, _n_rows: int, _seed: int, *, epsilon: float) -> pl.DataFrame:
    """An error where a level that is declared occurs."""
    if frame["a"].is_in(["s", "t"]).any():
        raise ValueError("a rare level")
    return histogram(frame, _n_rows, _seed, epsilon=epsilon)


def always_refuses(_frame: pl.DataFrame, _n_rows: int, _seed: int) -> pl.DataFrame:
    raise ValueError("nothing works")


def of_pandas(frame: pl.DataFrame, _n_rows: int, _seed: int, *, epsilon: float):
    """The same as a pandas table."""
    return histogram(frame, _n_rows, _seed, epsilon=epsilon).to_pandas()


def to_csv(train: str, synthetic: str, epsilon: str, noise: str = "1") -> None:
    """`histogram` from file to file, for a command line."""
    frame = pl.read_csv(train)
    frame = frame.with_columns(
        pl.col("c")
        .cast(pl.String)
        .replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
    )
    histogram(frame, 0, 0, epsilon=float(epsilon), noise=float(noise)).write_csv(synthetic)


if __name__ == "__main__":
    import sys

    to_csv(*sys.argv[1:])
