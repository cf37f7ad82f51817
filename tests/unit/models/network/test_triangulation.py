"""Cliques of triangulated graphs, against brute force on every subset of columns."""

import itertools
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.models.network.triangulation import cliques_of, grow, grow_best


@st.composite
def graphs(draw, most=8):
    n = draw(st.integers(1, most))
    every = list(itertools.combinations(range(n), 2))
    pairs = draw(st.lists(st.sampled_from(every), unique=True)) if every else []
    sizes = draw(st.lists(st.integers(1, 6), min_size=n, max_size=n))
    return pairs, sizes


def edges_in(cliques):
    return {pair for clique in cliques for pair in itertools.combinations(sorted(clique), 2)}


def maximal_cliques(edges, n):
    complete = [
        set(members)
        for k in range(1, n + 1)
        for members in itertools.combinations(range(n), k)
        if set(itertools.combinations(members, 2)) <= edges
    ]
    return {tuple(sorted(one)) for one in complete if not any(one < other for other in complete)}


def is_chordal(edges, n):
    """Whether columns can be taken away one by one, each with neighbours that are all joined."""
    left = set(range(n))
    while left:
        for v in left:
            around = [w for w in left if (min(v, w), max(v, w)) in edges]
            if set(itertools.combinations(sorted(around), 2)) <= edges:
                left.remove(v)
                break
        else:
            return False
    return True


def n_cells(cliques, sizes):
    return sum(math.prod(sizes[v] for v in clique) for clique in cliques)


@given(graphs())
@settings(max_examples=80, deadline=None)
def test_cliques_are_the_maximal_ones_of_a_chordal_graph_that_holds_every_pair(graph):
    pairs, sizes = graph
    cliques = cliques_of(pairs, sizes)
    edges = edges_in(cliques)
    assert set(pairs) <= edges
    assert is_chordal(edges, len(sizes))
    assert sorted(cliques) == sorted(maximal_cliques(edges, len(sizes)))
    assert all(tuple(sorted(clique)) == clique for clique in cliques)
    if is_chordal(set(pairs), len(sizes)):
        assert edges == set(pairs), "nothing is added to a graph that is triangulated"


def test_a_cycle_of_four_gets_one_chord():
    cliques = cliques_of([(0, 1), (1, 2), (2, 3), (0, 3)], [2, 2, 2, 2])
    assert sorted(map(len, cliques)) == [3, 3]


def test_among_equal_fills_the_smaller_clique_is_made_first():
    # Either diagonal of the square triangulates it: by 1-3 both cliques leave out one of the large columns.
    cliques = cliques_of([(0, 1), (1, 2), (2, 3), (0, 3)], [9, 2, 9, 2])
    assert sorted(cliques) == [(0, 1, 3), (1, 2, 3)]


def test_no_columns_have_no_cliques():
    assert cliques_of([], []) == []
    assert grow([], [], most_cells=10) == []


@given(graphs(), st.integers(1, 400))
@settings(max_examples=60, deadline=None)
def test_growing_stays_within_the_limit_and_takes_pairs_in_their_order(graph, most_cells):
    pairs, sizes = graph
    cliques = grow(pairs, sizes, most_cells=most_cells)
    assert n_cells(cliques, sizes) <= max(most_cells, sum(sizes))
    assert {v for clique in cliques for v in clique} == set(range(len(sizes)))
    for end in range(len(pairs)):
        if n_cells(cliques_of(pairs[: end + 1], sizes), sizes) > most_cells:
            break
        assert pairs[end] in edges_in(cliques), "as long as everything fits, everything is taken"


def test_a_pair_that_another_fills_in_is_not_lost_when_that_is_filled_in_otherwise():
    # The square is first cut by the chord 0-2; with 1-3 joined it needs none.
    square = [(0, 1), (2, 3), (1, 2), (0, 3)]
    assert edges_in(cliques_of(square, [1, 1, 1, 2])) == {*square, (0, 2)}
    assert grow([*square, (0, 2), (1, 3)], [1, 1, 1, 2], most_cells=100) == [(0, 1, 2, 3)]


@given(graphs(), st.integers(1, 400))
@settings(max_examples=60, deadline=None)
def test_pairs_passed_over_had_no_room(graph, most_cells):
    """Taken one by one from what was kept, against a copy of the rule that keeps no cliques in between."""
    pairs, sizes = graph
    kept = []
    for pair in pairs:
        inside = pair in edges_in(cliques_of(kept, sizes))
        if inside or n_cells(cliques_of([*kept, pair], sizes), sizes) <= most_cells:
            kept.append(pair)
    held = edges_in(grow(pairs, sizes, most_cells=most_cells))
    assert set(kept) <= held or n_cells(cliques_of(kept, sizes), sizes) > most_cells


def test_after_enough_refusals_in_a_row_it_is_left_at_that():
    sizes = [10, 10, 10, 2, 2]
    pairs = [(0, 1), (0, 2), (3, 4)]
    assert (3, 4) in edges_in(grow(pairs, sizes, most_cells=40, most_refusals=3))
    assert (3, 4) not in edges_in(grow(pairs, sizes, most_cells=40, most_refusals=2))


@given(graphs(), st.integers(1, 400), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_best_of_several_orders_is_worth_at_least_what_each_alone_holds(graph, most_cells, random):
    pairs, sizes = graph
    pairs = list(dict.fromkeys(pairs))
    worth = {pair: random.random() for pair in pairs}
    orders = [random.sample(pairs, len(pairs)) for _ in range(3)]
    cliques = grow_best(orders, worth, sizes, most_cells=most_cells)
    assert n_cells(cliques, sizes) <= max(most_cells, sum(sizes))
    assert {v for clique in cliques for v in clique} == set(range(len(sizes)))
    held = edges_in(cliques)
    for order in orders:
        alone = edges_in(grow(order, sizes, most_cells=most_cells))
        assert (
            sum(worth[pair] for pair in pairs if pair in held)
            >= sum(worth[pair] for pair in pairs if pair in alone) - 1e-9
        )


def test_a_large_pair_that_leaves_no_room_gives_way_to_two_that_are_worth_more():
    worth = {(0, 1): 5.0, (1, 2): 4.0, (0, 2): 4.0}
    sizes, by_worth = [5, 4, 2], [(0, 1), (1, 2), (0, 2)]
    assert edges_in(grow(by_worth, sizes, most_cells=22)) == {(0, 1)}
    best = grow_best([by_worth, by_worth[::-1]], worth, sizes, most_cells=22)
    assert edges_in(best) == {(1, 2), (0, 2)}
    assert edges_in(grow_best([by_worth], worth, sizes, most_cells=40)) == set(by_worth)


def test_no_order_leaves_every_column_alone():
    assert sorted(grow_best([], {}, [3, 2], most_cells=10)) == [(0,), (1,)]


def eliminated(pairs, sizes):
    """Cliques by the rule as it is stated, every fill counted anew at every step."""
    around = {v: {w for pair in pairs if v in pair for w in pair} - {v} for v in range(len(sizes))}
    made = []
    while around:

        def cost(v):
            missing = [(a, b) for a, b in itertools.combinations(sorted(around[v]), 2) if b not in around[a]]
            return len(missing), math.prod(sizes[w] for w in (v, *around[v])), v

        column = min(around, key=cost)
        made.append({column, *around[column]})
        for other in around[column]:
            around[other] = (around[other] | around[column]) - {other, column}
        del around[column]
    return {tuple(sorted(one)) for one in made if not any(one < other for other in made)}


@given(st.integers(0, 10**6), st.integers(4, 12))
@settings(max_examples=80, deadline=None)
def test_columns_go_in_the_order_of_the_fewest_edges_added(seed, n):
    rng = np.random.default_rng(seed)
    pairs = [pair for pair in itertools.combinations(range(n), 2) if rng.random() < 0.35]
    sizes = rng.integers(1, 7, n).tolist()
    assert set(cliques_of(pairs, sizes)) == eliminated(pairs, sizes)
