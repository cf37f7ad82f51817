"""Two rounds of measuring: what a first model does not explain, and what room is then given to."""

import numpy as np
import pytest
from scipy import stats

from tabsynth.models.network.choice import Earlier, Function, choose, reference
from tabsynth.models.network.junction_tree import JunctionTree
from tabsynth.models.network.loglinear import LogLinear
from tabsynth.models.network.rounds import Scores, expected_score, saved, unexplained


def chain_of(noise: float) -> tuple[LogLinear, np.ndarray]:
    """a, then b and c each a noisy copy of the one before, 4 levels; and the joint of the three."""
    step = np.full((4, 4), noise / 4) + (1 - noise) * np.eye(4)
    base = tuple(np.full(4, 0.25) for _ in range(3))
    tree = JunctionTree.of([(0, 1), (1, 2)], [4, 4, 4])
    model = LogLinear(tree, base, ((0, 1), (1, 2)), (np.log(4 * step), np.log(4 * step)))
    return model, np.einsum("ab,bc->abc", step, step) / 4


@pytest.mark.parametrize(
    ("count", "aim"), [(0.0, 0), (0.0, 7), (40.0, 40), (40.0, 43), (40.0, 20), (2.5, 900)]
)
def test_the_expected_distance_of_a_normal_count(count, aim):
    """Against numerical integration over the normal distribution."""
    law = stats.norm(count, max(count, 1e-12) ** 0.5)
    reached = max(law.std() * 12, 1e-3)
    points = np.linspace(count - reached, count + reached, 400_001)
    by_hand = np.trapezoid(np.abs(points - aim) * law.pdf(points), points)
    assert expected_score(np.array([[count]]), np.array([[aim]])) == pytest.approx(
        by_hand, rel=1e-5, abs=1e-5
    )


def test_what_a_chain_implies_is_explained_and_more_is_not():
    """Scores of 100,000 rows of the chain, and of rows where a and c are the same beside it."""
    model, joint = chain_of(0.4)
    n = 100_000
    rng = np.random.default_rng(0)
    even = reference(np.full(4, n / 4), np.full(4, n / 4))
    drawn = rng.multinomial(n, joint.sum(axis=1).ravel()).reshape(4, 4)
    same = np.diag(np.full(4, n // 4))
    left = {
        name: unexplained(
            Scores({(0, 2): float(np.abs(counts - even).sum())}, {(0, 2): even}), model, [(0, 2)], n
        )
        for name, counts in (("implied", drawn), ("more", same))
    }
    # A score of 16 counts has a standard deviation below √n = 316; six of them fail once in 10^8.
    assert left["implied"][(0, 2)] < 6 * n**0.5
    # By hand: c is a with probability .36 + .64 / 4 = .52, so the model scores n · 2 (.52 - .25) and `same` n · 2 (1 - .25).
    assert left["more"][(0, 2)] == pytest.approx(n * 2 * (1 - 0.52), rel=0.01)


def test_exact_counts_are_worth_the_nats_that_they_save():
    """`same` has ln 4 a row in common with itself; (4 - 1)² parameters cost a nat each. A likelihood ratio test says as much."""
    model, joint = chain_of(0.4)
    n = 100_000
    same = np.diag(np.full(4, n / 4))
    even = reference(np.full(4, n / 4), np.full(4, n / 4))
    scores = Scores({(0, 2): 0.0}, {(0, 2): even}, {(0, 2): same})
    assert scores.information[(0, 2)] == pytest.approx(n * np.log(4) - 9)
    assert Scores({(0, 2): 0.0}, {(0, 2): even}).information is None
    few = reference(
        np.full(4, 2.0), np.full(4, 2.0)
    )  # of 8 rows, with nats for no more than a part of the 9 parameters
    poor = Scores({(0, 2): 12.0}, {(0, 2): few}, {(0, 2): np.diag(np.full(4, 2.0))})
    assert poor.information[(0, 2)] == pytest.approx(8 * np.log(4) - 9)
    poorer = Scores({(0, 2): 6.0}, {(0, 2): few}, {(0, 2): np.eye(4)})
    assert 0 < poorer.information[(0, 2)] == pytest.approx(1e-6 * poorer.excess[(0, 2)])
    drawn = np.random.default_rng(0).multinomial(n, joint.sum(axis=1).ravel()).reshape(4, 4).astype(float)
    ratio = stats.chi2_contingency(drawn, lambda_="log-likelihood").statistic
    assert saved(drawn, np.outer(drawn.sum(axis=1), drawn.sum(axis=0)) / n) == pytest.approx(ratio / 2 - 9)
    # By hand: c is a with probability .52, so the model gives the cells of `same` .13 of the rows each.
    left = unexplained(scores, model, [(0, 2)], n)
    assert left[(0, 2)] == pytest.approx(n * np.log(0.25 / 0.13) - 9, rel=1e-6)
    implied = Scores({(0, 2): 0.0}, {(0, 2): even}, {(0, 2): drawn})
    # Twice what is saved is χ² of 15 degrees less 18: above 43 once in 10^6.
    assert unexplained(implied, model, [(0, 2)], n)[(0, 2)] < 22


def test_exact_pairs_go_by_information_and_functions_by_scores():
    """Pair (2, 3) has the smaller score and the greater information; room for one of the two is there."""
    coarse = [np.full(4, 250.0)] * 4
    scores = {(i, j): 0.0 for i in range(4) for j in range(i + 1, 4)} | {
        (0, 1): 900.0,
        (2, 3): 300.0,
        (1, 2): 500.0,
    }
    how = {"scale": 0.0, "n_releases": 64, "most_cells": 40}
    information = {**dict.fromkeys(scores, 0.0), (0, 1): 500.0, (1, 2): 100.0, (2, 3): 200.0}
    assert choose(scores, coarse, **how).pairs[:2] == ((0, 1), (1, 2))
    assert choose(scores, coarse, **how, information=information).pairs[:2] == ((0, 1), (2, 3))
    function = {**scores, (0, 1): 1500.0}  # 2 n (1 - Σ q²), that of a function
    found = choose(function, coarse, **how, information={**information, (0, 1): 0.1})
    assert [(each.child, each.parent) for each in found.functions] == [(0, 1)]


def test_room_goes_to_the_pair_that_is_not_explained():
    """After a chain 0 - 1 - 2, its ends have the larger score, but 3's pair is the one that nothing implies."""
    coarse = [np.full(4, 250.0)] * 4
    scores = {(0, 1): 900.0, (1, 2): 900.0, (0, 2): 800.0, (2, 3): 300.0, (0, 3): 0.0, (1, 3): 0.0}
    spent = {(0, 1): 5, (1, 2): 5}
    how = {"scale": 0.0, "n_releases": 20, "most_cells": 64}  # a clique of three columns, or three pairs
    alone = choose(scores, coarse, **how)
    assert set(alone.pairs) == {(0, 1), (1, 2), (2, 3)}, "a spanning tree comes first in any case"
    scores[(1, 3)] = 310.0
    how["most_cells"] = 84
    earlier = Earlier((), spent, {**dict.fromkeys(scores, 0.0), (0, 2): 10.0, (1, 3): 200.0, (2, 3): 290.0})
    assert (0, 2) in choose(scores, coarse, **how).pairs
    found = choose(scores, coarse, **how, earlier=earlier)
    assert {(1, 3), (2, 3)} <= set(found.pairs)
    assert (0, 2) not in found.pairs


@pytest.mark.parametrize("n_releases", [7, 48, 200])
def test_both_rounds_together_spend_what_there_is(n_releases):
    coarse = [np.full(4, 250.0)] * 5
    rng = np.random.default_rng(1)
    scores = {(i, j): float(rng.uniform(100, 900)) for i in range(5) for j in range(i + 1, 5)}
    how = {"scale": 1.0, "fine": [4] * 5, "known": 3.0}
    first = choose(scores, coarse, **how, n_releases=n_releases, most_cells=100, part=0.5)
    n_first = sum(first.repeats)
    assert first.pairs
    assert not first.column_repeats
    assert n_first <= n_releases / 2 + 1
    earlier = Earlier((), dict(zip(first.pairs, first.repeats, strict=True)), dict.fromkeys(scores, 50.0))
    left = n_releases - n_first
    second = choose(scores, coarse, **how, n_releases=left, most_cells=10_000, earlier=earlier)
    assert sum(second.repeats) + sum(second.column_repeats) == left
    assert set(first.pairs) <= set(second.pairs)
    assert len(second.pairs) > len(first.pairs)
    repeats = dict(zip(second.pairs, second.repeats, strict=True))
    assert all(repeats[pair] >= 1 for pair in second.pairs if pair not in first.pairs)


def test_functions_of_the_first_round_stay_and_are_not_paid_for_again():
    coarse = [np.full(4, 250.0)] * 3
    scores = {(0, 1): 1500.0, (0, 2): 400.0, (1, 2): 400.0}
    function = Function(child=0, parent=1)
    how = {"scale": 1.0, "n_releases": 100, "most_cells": 10_000}
    first = choose(scores, coarse, **how)
    assert first.functions == (function,)
    assert first.function_repeats > 0
    later = choose(
        scores, coarse, **how, earlier=Earlier((function,), {(1, 2): 3}, dict.fromkeys(scores, 1.0))
    )
    assert (later.functions, later.function_repeats, later.pairs) == ((function,), 0, ((1, 2),))
    assert sum(later.repeats) == 100
