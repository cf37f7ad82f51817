"""Neighbouring tables: every exact vector beneath the noise changes by at most the stated sensitivity.

Each example holds a table of persons with at most k rows each and all its neighbours: without one person,
and with one more. With k = 1 the unit is the row. Some 5,000 pairs of tables in all.
"""

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tabsynth.privacy.marginals import Marginal, histograms, l1_distances, n_distinct, observed_values
from tests.privacy.transcripts import change

SHAPE = (3, 4, 2)
PAIRS = [(0,), (2,), (0, 1), (2, 1), (0, 1, 2)]


@st.composite
def neighbours(draw, k):
    """Rows of codes, and the same without one person or with another one."""
    row = st.tuples(*(st.integers(0, size - 1) for size in SHAPE))
    persons = draw(st.lists(st.lists(row, min_size=1, max_size=k), max_size=6))
    extra = draw(st.lists(row, min_size=1, max_size=k))
    others = [persons[:i] + persons[i + 1 :] for i in range(len(persons))] + [[*persons, extra]]
    return as_rows(persons), [as_rows(other) for other in others]


def as_rows(persons):
    rows = [(i, *row) for i, person in enumerate(persons) for row in person]
    return np.array(rows, dtype=np.uint8).reshape(len(rows), 1 + len(SHAPE))


def marginals_of(rows):
    codes = [np.ascontiguousarray(column) for column in rows[:, 1:].T]
    return [
        Marginal(tuple("abc"[i] for i in axes), tuple(codes[i] for i in axes), tuple(SHAPE[i] for i in axes))
        for axes in PAIRS
    ]


@pytest.mark.parametrize("k", [1, 2, 5])
def test_histograms_change_by_the_rows_of_a_unit(k):
    @given(neighbours(k))
    @settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(pair):
        rows, others = pair
        for other in others:
            for one, two in zip(histograms(marginals_of(rows)), histograms(marginals_of(other)), strict=True):
                assert np.abs(one - two).sum() <= k

    check()


@pytest.mark.parametrize("k", [1, 2, 5])
def test_scores_change_by_the_rows_of_a_unit(k):
    """Against references that are the same for both tables: whole numbers, below 0 too, as noise leaves them."""

    @given(neighbours(k), st.integers(0, 2**32 - 1))
    @settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(pair, seed):
        rows, others = pair
        rng = np.random.default_rng(seed)
        references = [rng.integers(-3, 8, marginal.shape) for marginal in marginals_of(rows)]
        scores = l1_distances(marginals_of(rows), references)
        for other in others:
            assert np.abs(l1_distances(marginals_of(other), references) - scores).max() <= k

    check()


def test_scores_against_moving_references_would_change_by_more():
    """Why references are frozen: against each table's own rounded one-ways the score moves by 3 for one row."""

    def own_score(a, b):
        pair = Marginal(("a", "b"), (np.array(a, np.uint8), np.array(b, np.uint8)), (2, 2))
        [counts] = histograms([pair])
        product = np.outer(counts.sum(1), counts.sum(0)) / max(1, len(a))
        return l1_distances([pair], [np.rint(product).astype(np.int64)])[0]

    changes = [
        abs(own_score(a, b) - own_score(a[1:], b[1:]))
        for seed in range(200)
        for a, b in [np.random.default_rng(seed).integers(0, 2, (2, 9))]
    ]
    assert max(changes) > 1


@pytest.mark.parametrize("k", [1, 2, 5])
def test_observed_levels_change_by_the_rows_of_a_unit(k):
    """And a unit makes at most k levels frequent enough to be looked at, which have at most k rows without: what thresholds are set for."""

    @given(neighbours(k))
    @settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(pair):
        rows, others = pair

        def levels(table):
            values, counts = observed_values(pl.Series("c", table[:, 2] * 10 + table[:, 1]))
            return dict(zip(values.to_list(), counts.tolist(), strict=True))

        def looked_at(table):
            return {level for level, n in levels(table).items() if n > k}

        for other in others:
            assert change(levels(rows), levels(other)) <= k
            alone = looked_at(rows) ^ looked_at(other)
            assert len(alone) <= k
            for level in alone:
                counts = sorted(levels(table).get(level, 0) for table in (rows, other))
                assert counts[0] <= k < counts[1] <= 2 * k

    check()


@pytest.mark.parametrize("k", [1, 2, 5])
def test_distinct_counts_change_by_the_rows_of_a_unit(k):
    @given(neighbours(k))
    @settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(pair):
        rows, others = pair
        names = [pl.Series("id", table[:, 1] * 10 + table[:, 2]) for table in (rows, *others)]
        distinct = [n_distinct(cells) for cells in names]
        assert max(abs(count - distinct[0]) for count in distinct) <= k

    check()
