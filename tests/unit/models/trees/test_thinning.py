"""Rows drawn from trees: evenly within leaves, and chosen so that all of them speak for the model."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from tabsynth.models.trees.drawing import draw_rows
from tabsynth.models.trees.margins import cells_of
from tabsynth.models.trees.thinning import _MANY, _spread, draw_evenly, draw_kept
from tabsynth.pipeline import fit
from tabsynth.privacy import NO_PRIVACY
from tests.unit.models.trees.test_refining import shifts


class Certain:
    """A ratio by which every row is kept."""

    def chance(self, pieces):
        return np.ones(len(next(iter(pieces.values()))))


N_ROWS = 1500
DRAWS = 60


@pytest.fixture(scope="module")
def model():
    return fit(shifts(3000), engine="sequential_trees", privacy=NO_PRIVACY, seed=0).model


def rngs(seed, n_parts):
    return [np.random.default_rng([seed, part]) for part in range(n_parts)]


def counts_of_pairs(model, drawn):
    """Rows in every pair of cells of every pair of axes, one after another."""
    cells = cells_of(model.latents, model.bins)
    states = [own[drawn.pieces[axis]] for axis, own in enumerate(cells)]
    sizes = [int(own.max()) + 1 for own in cells]
    return np.concatenate(
        [
            np.bincount(states[i] * sizes[j] + states[j], minlength=sizes[i] * sizes[j])
            for i, j in itertools.combinations(range(len(cells)), 2)
        ]
    )


def test_shares_of_a_leaf_are_met_to_within_a_row(model):
    """The first axis has one leaf, so each of its pieces has one row more or less than its share at most."""
    first = model.order[0]
    assert model.trees[first].n_nodes == 1
    assert first not in model.tilts
    drawn = draw_rows(model, 997, np.random.default_rng(3))
    shares = model.leaves[first].draw(
        model.trees[first],
        np.zeros(200_000, dtype=np.int32),
        (np.arange(200_000) + 0.5) / 200_000,
    )[0]
    n_pieces = len(model.latents[first].marginal.mass)
    expected = 997 * np.bincount(shares, minlength=n_pieces) / 200_000
    found = np.bincount(drawn.pieces[first], minlength=n_pieces)
    assert np.abs(found - expected).max() < 1.02


def test_rows_that_speak_for_all_have_the_same_means_and_vary_less(model):
    """Over 60 draws of either kind: no mean of a pair's cell is off by six standard errors, and squares are below 7/10."""
    plain, evenly = (
        np.array(
            [counts_of_pairs(model, draw_evenly(model, N_ROWS, rngs(seed, n_parts))) for seed in range(DRAWS)]
        )
        for n_parts in (1, 2)
    )
    assert (plain.sum(axis=1) == evenly.sum(axis=1)).all()
    error = np.sqrt((plain.var(axis=0) + evenly.var(axis=0) + 0.1) / DRAWS)
    assert (np.abs(plain.mean(axis=0) - evenly.mean(axis=0)) < 6 * error).all()
    assert evenly.var(axis=0).sum() < 0.7 * plain.var(axis=0).sum()


@pytest.mark.parametrize("most", [10_000, 500])
def test_rows_are_kept_by_their_chance_each_once_and_evenly_among_similar_ones(model, most):
    """Over 400 choices of the same 2,000 rows: no frequency of a row is off by six standard errors (4e-6 for all of them together)."""
    rng = np.random.default_rng(5)
    drawn = draw_rows(model, 2000, rng)
    chance = np.where(rng.random(2000) < 0.1, 1.0, rng.random(2000))
    n_kept = min(most, int(chance.sum()))
    expected = chance * n_kept / chance.sum()
    kept = np.zeros((400, 2000), dtype=bool)
    for each in kept:
        chosen = _spread(model, drawn, chance, most, rng)
        assert len(np.unique(chosen)) == len(chosen) == n_kept
        each[chosen] = True
    error = np.sqrt(expected * (1 - expected) / 400)
    assert (np.abs(kept.mean(axis=0) - expected) <= 6 * error + 1e-3).all()
    cells = cells_of(model.latents, model.bins)
    for axis in model.order:
        states = cells[axis][drawn.pieces[axis]]
        counts = np.array([np.bincount(states[each], minlength=states.max() + 1) for each in kept])
        by_chance = np.bincount(states, weights=expected * (1 - expected), minlength=states.max() + 1)
        assert counts.var(axis=0).sum() < 0.75 * by_chance.sum()


def test_few_rows_are_kept_by_chance_alone(model, monkeypatch):
    """How many a few chances add up to depends on each of them: shared out evenly, the likely rows would come too seldom."""
    told = replace(model, ratio=Certain())
    chosen = []
    monkeypatch.setattr(
        "tabsynth.models.trees.thinning._spread", lambda *a: chosen.append(a[3]) or _spread(*a)
    )
    for n_rows in (1, _MANY - 1, _MANY, 1000):
        assert draw_kept(told, n_rows, np.random.default_rng(0)).n_rows == n_rows
    assert chosen == [_MANY, 1000]


def test_no_rows_and_one_row(model):
    for n_rows in (0, 1):
        assert draw_evenly(model, n_rows, rngs(0, 2)).n_rows == n_rows
