"""Coarse cells: what holds for any counts, and the cases that are meant."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.models.network.coarse import coarse_cells


@st.composite
def columns(draw):
    n_ordered = draw(st.integers(0, 40))
    n_levels = draw(st.integers(0 if n_ordered else 1, 12))
    n = n_ordered + n_levels
    counts = draw(st.lists(st.sampled_from([0.0, 0.4, 3.0, 12.0, 90.0, 4000.0]), min_size=n, max_size=n))
    alone = draw(st.none() | st.integers(n_ordered, n - 1)) if n_levels else None
    return {
        "counts": np.array(counts),
        "noise": draw(st.sampled_from([0.0, 1.0, 15.0, 1e4])),
        "n_ordered": n_ordered,
        "is_ordered": draw(st.booleans()) if not n_ordered else False,
        "alone": alone,
        "most": draw(st.integers(2, 20)),
    }


def cells_of(options):
    options = dict(options)
    return coarse_cells(options.pop("counts"), options.pop("noise"), **options)


@given(columns())
@settings(max_examples=80, deadline=None)
def test_every_cell_is_in_one_and_they_are_numbered_by_their_first_member(options):
    coarse = cells_of(options)
    assert coarse.shape == options["counts"].shape
    _, first = np.unique(coarse, return_index=True)
    assert np.unique(coarse).tolist() == list(range(len(first))), "no number is left out"
    assert first.tolist() == sorted(first.tolist())


@given(columns())
@settings(max_examples=80, deadline=None)
def test_cells_of_a_line_are_runs_and_null_is_alone(options):
    coarse = cells_of(options)
    n_ordered, alone = options["n_ordered"], options["alone"]
    if alone is not None:
        assert (coarse == coarse[alone]).sum() == 1
    rest = [cell for cell in range(len(coarse)) if cell != alone]
    line = coarse[[c for c in rest if c < n_ordered or options["is_ordered"]]]
    changes = int((np.diff(line) != 0).sum())
    assert changes + 1 == len(set(line.tolist())) or not len(line), "each is one run"
    assert not set(coarse[:n_ordered]) & set(coarse[n_ordered:]), "numbers and levels are not joined"


@given(columns())
@settings(max_examples=80, deadline=None)
def test_there_are_at_least_one_and_at_most_about_as_many_as_asked(options):
    coarse, most = cells_of(options), options["most"]
    n_levels = len(coarse) - options["n_ordered"]
    n_on_line = len(set(coarse[: options["n_ordered"]]))
    assert coarse.max() + 1 >= 1
    # Between heavy cells, of which there are at most most / 0.9, light ones may form a run of their own.
    assert n_on_line <= 2 * most / 0.9 + 2
    assert coarse.max() + 1 - n_on_line <= (2 * most / 0.9 + 2 if options["is_ordered"] else most + 2)
    assert n_levels == 0 or coarse.max() + 1 > n_on_line


@given(st.integers(60, 200), st.integers(3, 15), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_smooth_counts_give_runs_of_about_equal_mass(n, most, seed):
    counts = np.random.default_rng(seed).uniform(0.8, 1.25, n)
    coarse = coarse_cells(counts, 0.0, n_ordered=n, is_ordered=False, alone=None, most=most)
    mass, share = np.bincount(coarse, weights=counts), counts.sum() / most
    assert share / (share + 1.25) * most <= len(mass) <= most
    assert mass[:-1].min() >= 0.99 * share
    assert mass.max() <= share + 1.25


def test_few_cells_above_the_noise_stay_as_they_are():
    options = {"n_ordered": 4, "is_ordered": False, "alone": None, "most": 12}
    assert coarse_cells(np.array([40.0, 50, 60, 70]), 10.0, **options).tolist() == [0, 1, 2, 3]
    assert coarse_cells(np.array([40.0, 50, 60, 70]), 10.0, **{**options, "most": 3}).max() < 3


def test_a_light_run_between_heavy_cells_joins_the_lighter_one():
    counts = np.array([90.0, 90, 100, 3, 110, 20, 20, 20])
    coarse = coarse_cells(counts, 10.0, n_ordered=8, is_ordered=False, alone=None, most=8)
    assert coarse.tolist() == [0, 1, 2, 2, 3, 4, 5, 6]
    quiet = coarse_cells(counts, 0.5, n_ordered=8, is_ordered=False, alone=None, most=7)
    assert quiet[3] not in (quiet[2], quiet[4]), "it stands out from the noise"


def test_a_heavy_value_stands_alone_among_its_neighbours():
    counts = np.r_[np.ones(10), 500.0, np.ones(10)]
    coarse = coarse_cells(counts, 0.0, n_ordered=21, is_ordered=False, alone=None, most=4)
    assert (coarse == coarse[10]).sum() == 1


def test_levels_that_noise_would_drown_are_together_and_out_of_the_way():
    counts = np.array([500.0, 3.0, 300.0, 2.0, 1.0])
    coarse = coarse_cells(counts, 10.0, n_ordered=0, is_ordered=False, alone=None, most=12)
    assert coarse.tolist() == [0, 1, 1, 1, 1], "nothing but noise joins the lightest level that is more"
    counts[[1, 3, 4]] = 30.0
    assert coarse_cells(counts, 10.0, n_ordered=0, is_ordered=False, alone=None, most=12).tolist() == [
        0,
        1,
        2,
        1,
        1,
    ]


def test_beyond_the_number_asked_the_lightest_levels_share_one():
    counts = np.arange(1.0, 31.0)
    coarse = coarse_cells(counts, 0.0, n_ordered=0, is_ordered=False, alone=None, most=5)
    assert coarse.max() + 1 == 6
    assert len(set(coarse[25:])) == 5, "the five heaviest"
    assert len(set(coarse[:25])) == 1


@pytest.mark.parametrize("n_ordered", [0, 3])
def test_no_counts_at_all(n_ordered):
    coarse = coarse_cells(np.zeros(5), 2.0, n_ordered=n_ordered, is_ordered=False, alone=4, most=3)
    assert coarse[4] == coarse.max()
    assert len(coarse) == 5


def test_values_that_nobody_has_are_one_run_however_many_they_are():
    counts = np.r_[5000.0, np.zeros(100), 4000.0, np.zeros(20)]
    for noise in (0.0, 10.0):
        coarse = coarse_cells(counts, noise, n_ordered=122, is_ordered=False, alone=None, most=12)
        assert len(set(coarse[1:101])) == 1
        assert coarse.max() + 1 <= 4
    assert coarse_cells(np.zeros(122), 0.0, n_ordered=122, is_ordered=False, alone=None, most=12).max() == 0
