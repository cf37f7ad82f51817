"""Statistics against brute force, and the ledger's word before each of them."""

import math

import numpy as np
import polars as pl
import pytest

from tabsynth.errors import UsageError
from tabsynth.privacy import NO_PRIVACY, Budget, Charge, Ledger
from tabsynth.privacy.ledger import charges_from_data, charges_to_data
from tabsynth.privacy.mechanisms import EXACT
from tabsynth.privacy.queries import Queries


def queries():
    return Queries(Ledger())


def test_level_counts_leave_out_what_is_outside_the_domain():
    counts = queries().level_counts(np.array([0, 2, 2, 3], np.uint8), 3, column="c")()
    assert counts.tolist() == [1, 0, 2]


@pytest.mark.parametrize("values", [[3, 1, 3, -5], [0, 2**40, 0], [0.5, 0.5, -1.0], []])
def test_value_counts_are_ascending_and_complete(values):
    array = np.array(values, dtype=np.float64 if any(isinstance(v, float) for v in values) else np.int64)
    distinct, counts = queries().value_counts(array, column="v")()
    assert distinct.tolist() == sorted(set(values))
    assert counts.tolist() == [values.count(v) for v in sorted(set(values))]


def test_score_sums_by_level_against_a_loop():
    rng = np.random.default_rng(0)
    pieces, scores = rng.integers(0, 4, 50).astype(np.uint8), rng.normal(size=(50, 3)).astype(np.float32)
    found = queries().score_sums_by_level(pieces, 5, scores, columns=["c"])
    wanted = [scores[pieces == level].sum(axis=0) for level in range(5)]
    assert found == pytest.approx(np.array(wanted), abs=1e-4)


def test_moments_over_blocks_give_pairwise_complete_correlations():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(300, 3)).astype(np.float32)
    scores[:, 1] += scores[:, 0]
    there = (rng.random((300, 3)) < [1, 0.7, 0.5]).astype(np.float32)
    blocks = [(scores[s] * there[s], there[s]) for s in (slice(0, 120), slice(120, 300))]
    found = queries().score_moments(blocks, columns=["a", "b", "c"]).correlation()
    for i in range(3):
        for j in range(i):
            both = (there[:, i] * there[:, j]) == 1
            assert found[i, j] == pytest.approx(np.corrcoef(scores[both, i], scores[both, j])[0, 1], abs=1e-4)
    assert found == pytest.approx(found.T)


def test_moments_without_gaps_need_no_presence():
    scores = np.random.default_rng(2).normal(size=(100, 2)).astype(np.float32)
    full = queries().score_moments([(scores, np.ones_like(scores))], columns=["a", "b"]).correlation()
    assert queries().score_moments([(scores, None)], columns=["a", "b"]).correlation() == pytest.approx(full)


def test_distinct_identifiers_per_row_that_has_one():
    assert queries().distinct_share(pl.Series(["a", "a", None, "b"]), column="p") == pytest.approx(2 / 3)
    assert queries().distinct_share(pl.Series([None, None], dtype=pl.String), column="p") == 1.0


def test_constant_scores_correlate_with_nothing():
    scores = np.c_[np.zeros(10), np.arange(10)].astype(np.float32)
    assert (
        queries().score_moments([(scores, None)], columns=["a", "b"]).correlation().tolist()
        == np.eye(2).tolist()
    )


def test_a_statistic_that_fails_stays_charged():
    ledger = Ledger()
    with pytest.raises(ValueError, match="negative"):
        Queries(ledger).level_counts(np.array([-1]), 3, column="c")()
    assert [charge.columns for charge in ledger.charges] == [("c",)]


def test_an_exact_release_costs_everything():
    ledger = Ledger()
    assert ledger.epsilon(1e-6) == 0
    assert Queries(ledger).row_count(5) == 5
    assert ledger.epsilon(1e-6) == math.inf
    assert ledger.charges[0].mechanism == EXACT


def test_charges_survive_plain_data():
    charges = (Charge(statistic="s", columns=("a", "b")), Charge(statistic="t", columns=()))
    assert charges_from_data(charges_to_data(charges)) == charges


@pytest.mark.parametrize("epsilon", [0, -1, math.inf, math.nan])
def test_a_budget_without_an_epsilon_is_none(epsilon):
    with pytest.raises(UsageError, match="epsilon"):
        Budget(epsilon=epsilon)


@pytest.mark.parametrize("delta", [0, 1, -0.1])
def test_a_budget_needs_a_delta(delta):
    with pytest.raises(UsageError, match="delta"):
        Budget(epsilon=1, delta=delta)


def test_statements_name_the_guarantee():
    assert "ε = 1, δ = 1e-06" in Budget(epsilon=1).statement
    assert "Not anonymous" in NO_PRIVACY.statement
