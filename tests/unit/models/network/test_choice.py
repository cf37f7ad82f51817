"""What is measured, and how often: from scores alone."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.errors import UsageError
from tabsynth.models.network.choice import Function, all_pairs, choose, excess, reference
from tabsynth.models.network.workload import Workload, workload_of


@st.composite
def questions(draw):
    n = draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    total = draw(st.sampled_from([0.0, 30.0, 5000.0]))
    coarse = [rng.dirichlet(np.ones(size)) * total for size in rng.integers(1, 8, n)]
    largest = draw(st.sampled_from([1.0, 100.0, 3 * total + 1]))
    scores = {pair: float(rng.normal(0.3, 1.0) * largest) for pair in all_pairs(n)}
    for pair in scores:
        if rng.random() < 0.2:
            scores[pair] = 2 * total  # as a function of one another would score
    options = {
        "scale": draw(st.sampled_from([0.0, 1.0, 40.0])),
        "n_releases": draw(st.integers(1, 20 * n)),
        "most_cells": draw(st.integers(1, 2000)),
    }
    return scores, coarse, options


@given(questions())
@settings(max_examples=120, deadline=None)
def test_whatever_the_scores_the_choice_is_one_that_can_be_fitted(question):
    scores, coarse, options = question
    choice = choose(scores, coarse, **options)
    n = len(coarse)
    children = [function.child for function in choice.functions]
    parents = [function.parent for function in choice.functions]
    assert len(set(children)) == len(children), "no child has two parents"
    assert not set(children) & set(parents), "no column is both"
    assert {v for clique in choice.cliques for v in clique} == set(range(n)) - set(children)
    held = {pair for clique in choice.cliques for pair in itertools.combinations(sorted(clique), 2)}
    assert set(choice.pairs) <= held
    assert len(set(choice.pairs)) == len(choice.pairs) == len(choice.repeats)
    assert all(scores[pair] > 0 for pair in choice.pairs)
    n_used = sum(choice.repeats) + choice.function_repeats * len(children)
    assert n_used <= options["n_releases"], "no more is released than was paid for"
    assert all(repeats >= 1 for repeats in choice.repeats)
    assert n_used == options["n_releases"] or not choice.pairs, (
        "and no less, where there is something to measure"
    )
    assert (choice.function_repeats > 0) == bool(children)


@given(questions())
@settings(max_examples=50, deadline=None)
def test_the_choice_is_a_function_of_the_scores(question):
    scores, coarse, options = question
    shuffled = dict(reversed(scores.items()))
    first = choose(scores, coarse, **options)
    assert first == choose(dict(scores), coarse, **options)
    assert first.functions == choose(shuffled, coarse, **options).functions


def counts_of(n_cells, total=10_000.0):
    return np.full(n_cells, total / n_cells)


def test_more_cells_get_more_releases_by_the_power_two_thirds():
    coarse = [counts_of(8), counts_of(8), counts_of(2), counts_of(4)]
    scores = dict.fromkeys(all_pairs(4), -1.0) | {(0, 1): 5000.0, (2, 3): 4000.0}
    choice = choose(scores, coarse, scale=1.0, n_releases=100, most_cells=10_000)
    repeats = dict(zip(choice.pairs, choice.repeats, strict=True))
    assert repeats == {(0, 1): 80, (2, 3): 20}  # 64^(2/3) : 8^(2/3) = 16 : 4


def test_a_pair_whose_score_its_noise_could_make_is_not_measured():
    coarse = [counts_of(6), counts_of(6), counts_of(6)]
    scores = {(0, 1): 3000.0, (0, 2): 8.0, (1, 2): -5.0}
    assert choose(scores, coarse, scale=4.0, n_releases=48, most_cells=10_000).pairs == ((0, 1),)
    assert set(choose(scores, coarse, scale=0.0, n_releases=48, most_cells=10_000).pairs) == {(0, 1), (0, 2)}


def test_where_not_all_fit_the_dearest_for_its_score_waits():
    coarse = [counts_of(10), counts_of(10), counts_of(2)]
    scores = {(0, 1): 1000.0, (0, 2): 900.0, (1, 2): 800.0}
    choice = choose(scores, coarse, scale=0.0, n_releases=48, most_cells=45)
    assert set(choice.pairs) == {(0, 2), (1, 2)}


def test_a_function_leaves_the_tree_and_hangs_on_its_parent():
    # Of 10,000 rows, 4 equal levels: a function of another column scores 2 n (1 - 4/16) = 15,000.
    coarse = [counts_of(4), counts_of(8), counts_of(5)]
    scores = {(0, 1): 14_900.0, (0, 2): 500.0, (1, 2): 700.0}
    choice = choose(scores, coarse, scale=1.0, n_releases=100, most_cells=10_000)
    assert choice.functions == (Function(child=0, parent=1),)
    assert choice.function_repeats == 4
    assert choice.pairs == ((1, 2),)
    assert choice.repeats == (96,)
    weak = choose({**scores, (0, 1): 12_000.0}, coarse, scale=1.0, n_releases=100, most_cells=10_000)
    assert weak.functions == ()


def test_of_two_levels_nothing_is_called_a_function():
    coarse = [counts_of(2), counts_of(2)]
    assert choose({(0, 1): 10_000.0}, coarse, scale=1.0, n_releases=100, most_cells=100).functions == ()


def test_functions_take_at_most_a_quarter_of_the_releases():
    n = 20
    coarse = [counts_of(4)] * n
    choice = choose(dict.fromkeys(all_pairs(n), 15000.0), coarse, scale=1.0, n_releases=320, most_cells=10**6)
    assert 0 < choice.function_repeats * len(choice.functions) <= 80


def test_one_column_has_no_pairs():
    choice = choose({}, [counts_of(3)], scale=1.0, n_releases=16, most_cells=100)
    assert (choice.cliques, choice.pairs, choice.repeats) == (((0,),), (), ())


def test_the_reference_is_what_independent_columns_would_count():
    first, second = np.array([30.0, 70.0]), np.array([50.0, 25.0, 25.0])
    assert reference(first, second).tolist() == [[15, 8, 8], [35, 18, 18]]  # 7.5 and 17.5 to even
    assert reference(np.zeros(2), np.zeros(2)).tolist() == [[0, 0], [0, 0]]


def test_independent_rows_have_an_excess_about_zero():
    """Mean of 400 tables of 4,000 rows: within six standard errors, about 1 % of the score itself."""
    rng = np.random.default_rng(0)
    shares = np.outer([0.5, 0.3, 0.2], [0.4, 0.4, 0.2])
    expected = np.rint(4000 * shares).astype(np.int64)
    found = np.array([excess(np.abs(rng.poisson(expected) - expected).sum(), expected) for _ in range(400)])
    assert abs(found.mean()) < 6 * found.std() / 20 + 1.0
    assert excess(100.0, np.zeros((2, 2), dtype=np.int64)) == pytest.approx(100.0)


def test_columns_get_the_releases_that_no_pair_is_worth():
    coarse = [np.full(4, 250.0)] * 3
    nothing = dict.fromkeys([(0, 1), (0, 2), (1, 2)], -1.0)
    choice = choose(nothing, coarse, scale=9.0, n_releases=48, most_cells=10_000, fine=[8, 8, 64], known=2.0)
    assert choice.pairs == ()
    # Least Σ cells / √(known + r): known + r in proportion to cells^(2/3) = 4, 4, 16; 54 in all, less 2 each.
    assert choice.column_repeats == (7, 7, 34)


def test_cells_that_no_pair_tells_of_get_releases_of_their_column():
    coarse = [np.full(4, 250.0)] * 2
    how = {"scale": 1.0, "n_releases": 96, "most_cells": 10_000, "fine": [4, 11], "known": 2.0}
    choice = choose({(0, 1): 700.0}, coarse, **how, merged=[0, 8])
    # The pair's 16 cells count 16^(2/3) = 6.35, the 8 merged ones 1.5 · 4 = 6, of which 2 releases are known: 98 in all.
    assert choice.repeats == (50,)
    assert choice.column_repeats == (0, 46)


def test_columns_that_are_known_well_get_none():
    coarse = [np.full(4, 250.0)] * 2
    choice = choose(
        {(0, 1): 700.0}, coarse, scale=1.0, n_releases=32, most_cells=10_000, fine=[8, 8], known=100.0
    )
    assert choice.repeats == (32,)
    assert choice.column_repeats == (0, 0)


def test_a_function_whose_table_noise_would_drown_is_a_pair_like_others():
    coarse = [np.full(4, 250.0)] * 2
    scores = {(0, 1): 1_500.0}  # 2 n (1 - 4/16): a function
    how = {"n_releases": 50, "most_cells": 10_000, "known": 1.0}
    # Two releases: 0.8 · cells · scale / √2 against 500 rows.
    assert choose(scores, coarse, scale=10.0, fine=[4, 4], **how).functions
    assert not choose(scores, coarse, scale=10.0, fine=[40, 40], **how).functions


def test_pairs_with_the_target_come_first_and_are_measured_twice_as_often():
    """Three columns alike, room for one pair: without a target the largest score, with one its largest."""
    coarse = [counts_of(5) for _ in range(3)]
    scores = {(0, 1): 3000.0, (0, 2): 2000.0, (1, 2): 1000.0}
    options = {"scale": 1.0, "n_releases": 100, "most_cells": 30}
    assert choose(scores, coarse, **options).pairs == ((0, 1),)
    assert choose(scores, coarse, **options, workload=workload_of("abc", target="c")).pairs == ((0, 2),)
    options["most_cells"] = 125
    choice = choose(scores, coarse, **options, workload=workload_of("abc", target="c"))
    repeats = dict(zip(choice.pairs, choice.repeats, strict=True))
    assert repeats[0, 2] == repeats[1, 2] == pytest.approx(2 * repeats[0, 1], abs=1)


def test_pairs_of_the_workload_come_first_and_others_as_they_are():
    coarse = [counts_of(5) for _ in range(3)]
    scores = {(0, 1): 3000.0, (0, 2): 2000.0, (1, 2): 1000.0}
    options = {"scale": 1.0, "n_releases": 100, "workload": workload_of("abc", pairs=" c*b ;")}
    assert choose(scores, coarse, **options, most_cells=30).pairs == ((1, 2),)
    choice = choose(scores, coarse, **options, most_cells=125)
    repeats = dict(zip(choice.pairs, choice.repeats, strict=True))
    assert repeats[1, 2] == pytest.approx(2 * repeats[0, 1], abs=1) == pytest.approx(50, abs=1)
    assert repeats[0, 2] == pytest.approx(repeats[0, 1], abs=1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a*d", "the workload 'd' is not a column that is modelled"),
        ("a", "pairs of different columns"),
        ("a*a", "pairs of different columns"),
        ("a*b*c", "pairs of different columns"),
    ],
)
def test_a_workload_is_pairs_of_columns(text, said):
    with pytest.raises(UsageError, match=said):
        workload_of("abc", pairs=text)
    assert workload_of("abc", pairs="b*a; c * a") == Workload(
        frozenset({(0, 1), (0, 2)}), frozenset({0, 1, 2})
    )
    assert workload_of("abc", target="b") == Workload(frozenset({(0, 1), (1, 2)}), frozenset({1}))


def test_a_target_is_never_left_hanging_on_another_column():
    coarse = [counts_of(6), counts_of(6)]
    options = {"scale": 0.0, "n_releases": 100, "most_cells": 10_000}
    found = choose({(0, 1): 16_000.0}, coarse, **options).functions
    assert found == (Function(0, 1),)
    assert (
        choose({(0, 1): 16_000.0}, coarse, **options, workload=workload_of("ab", target="a")).functions
        != found
    )


def test_every_column_is_joined_before_strong_ones_fill_the_tree():
    """Three columns that depend on each other take 125 cells together; a fourth, weakly joined, takes 25 more."""
    coarse = [counts_of(5) for _ in range(4)]
    scores = {(0, 1): 3000.0, (0, 2): 2500.0, (1, 2): 2400.0, (2, 3): 300.0}
    choice = choose(scores, coarse, scale=0.0, n_releases=100, most_cells=140)
    assert set(choice.pairs) == {(0, 1), (0, 2), (2, 3)}
    assert set(choose(scores, coarse, scale=0.0, n_releases=100, most_cells=150).pairs) == set(scores)
