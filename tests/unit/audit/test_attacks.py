"""Neighbours and scores by brute force; known releases by what they hold."""

from __future__ import annotations

import numpy as np
import pytest

from tabsynth.audit import generators, neighbours
from tabsynth.audit.attacks import (
    CLASSIFIER,
    CLIQUES,
    CLOSE,
    DENSITY,
    DISTANCE,
    GENERATIVE,
    MATCH,
    NUMBERS,
    TITLES,
    Attacker,
)
from tabsynth.audit.close_numbers import shared_numbers
from tabsynth.audit.generators import copying, interpolated, unrelated
from tabsynth.encode import encode_table
from tabsynth.metrics.proximity import Space, is_copy
from tabsynth.metrics.sampling import take_rows
from tests.unit.audit.tables import SCHEMA, drawn
from tests.unit.metrics.tables import category, integer, number, schema_of, table_of


def encoded(n: int, seed: int):
    return encode_table(drawn(n, seed))


def test_search_is_brute_force_across_blocks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(neighbours, "BLOCK_QUERIES", 7)
    monkeypatch.setattr(neighbours, "BLOCK_ROWS", 11)
    rng = np.random.default_rng(1)
    queries, rows = rng.normal(size=(20, 3)), rng.normal(size=(40, 3))
    found = neighbours.search(queries, rows, bandwidth=0.4)
    squared = ((queries[:, None] - rows) ** 2).sum(axis=2)
    assert found.squared_distance == pytest.approx(squared.min(axis=1))
    assert found.log_density == pytest.approx(np.log(np.exp(-squared / (2 * 0.4**2)).sum(axis=1)))


def test_a_row_far_from_all_has_a_density_all_the_same():
    found = neighbours.search(np.array([[1e3]]), np.array([[0.0], [1.0]]), bandwidth=0.05)
    assert found.log_density[0] == pytest.approx(-(999.0**2) / (2 * 0.05**2))


def test_more_rows_allow_a_finer_density():
    chosen = []
    for n in (60, 4_000):
        table = encoded(n, 1)
        space = Space.of(table, [table])
        chosen.append(neighbours.best_bandwidth(space, space.embed(table)))
    assert chosen[0] > chosen[1]


def test_copied_candidates_score_above_the_others():
    people, reference = encoded(100, 1), encoded(300, 2)
    attacker = Attacker.of(people, reference, seed=1)
    release = copying(
        take_rows(people, np.arange(50)), encoded(300, 3), share=1.0, n=200, rng=np.random.default_rng(4)
    )
    scores = attacker.scores(release)
    named = {DISTANCE, DENSITY, CLASSIFIER, MATCH, NUMBERS, CLOSE, GENERATIVE, CLIQUES}
    assert set(scores) == named <= set(TITLES)
    assert (scores[MATCH] == np.repeat([2.0, 0.0], 50)).mean() >= 0.9  # a few are near by chance
    assert (scores[MATCH][:50] >= 1).all()
    for name in (DISTANCE, DENSITY, CLIQUES):
        assert np.median(scores[name][:50]) > np.median(scores[name][50:])
    assert scores[DISTANCE][:50].min() > np.quantile(scores[DISTANCE][50:], 0.9)


def test_what_the_reference_holds_too_is_no_match():
    people = encoded(50, 1)
    attacker = Attacker.of(people, people, seed=1)
    assert (attacker.scores(people)[MATCH] == 0).all()


def test_near_rows_match_and_rows_further_off_do_not():
    cells = {"x": list(np.linspace(0, 1, 101)), "y": [0.0] * 101, "k": [0] * 101, "c": ["a"] * 101}
    reference = encode_table(table_of(SCHEMA, cells))
    asked = encode_table(
        table_of(SCHEMA, {"x": [3.0, 4.0, 5.0], "y": [0.0] * 3, "k": [0] * 3, "c": ["a"] * 3})
    )
    made = encode_table(
        table_of(SCHEMA, {"x": [3.0, 4.001, 6.0], "y": [0.0] * 3, "k": [0] * 3, "c": ["a"] * 3})
    )
    assert Attacker.of(asked, reference, seed=0)._by_distance(made, made)[MATCH].tolist() == [2.0, 1.0, 0.0]


def test_numbers_count_whatever_row_they_stand_in():
    cells = {"x": [1.0, None, 3.0], "y": [1.0, 2.0, 3.0], "c": ["a", "a", "b"]}
    schema = schema_of(number("x", nullable=True), number("y"), category("c"))
    asked = encode_table(table_of(schema, cells))
    made = encode_table(
        table_of(schema, {"x": [3.0, 9.0, None], "y": [-1.0, 1.0, 2.0], "c": ["b", "a", "a"]})
    )
    assert shared_numbers(asked, of=made).tolist() == [1.0, 2.0, 1.0]  # no number in x is a cell like others


def test_levels_alone_have_no_numbers_to_share():
    table = encode_table(table_of(schema_of(category("c")), {"c": list("abc") * 20}))
    assert NUMBERS not in Attacker.of(table, table, seed=0).scores(table)


def test_copiers_copy_as_many_rows_as_they_say():
    train, spare = encoded(100, 1), encoded(60, 2)
    for share, n, n_copies in ((0.2, 100, 20), (0.2, 50, 10), (0.2, 400, 20), (0.01, 100, 1)):
        release = copying(train, spare, share=share, n=n, rng=np.random.default_rng(3))
        assert release.n_rows == n
        assert is_copy(release, of=train).sum() == n_copies
    filler = unrelated(spare, 100, np.random.default_rng(4))
    assert filler.n_rows == 100
    assert is_copy(filler, of=train).sum() == 0
    assert is_copy(unrelated(spare, 40, np.random.default_rng(4)), of=spare).all()


def test_interpolated_cells_lie_between_those_of_two_rows_that_are_near(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(generators, "N_NEIGHBOURS", 1)
    cells = {"x": [0.0, 1.0, 100.0, 101.0], "y": [0.0] * 4, "k": [0, 10, 20, 30], "c": list("aabb")}
    table = encode_table(table_of(SCHEMA, cells))
    made = interpolated(table, 400, np.random.default_rng(1))
    assert made.n_rows == 400
    x, k, c = (made.columns[name] for name in "xkc")
    low = x.values <= 1  # rows 0 and 1 are near, and rows 2 and 3
    assert low.sum() == 200
    assert ((x.values[~low] >= 100) & (x.values[~low] <= 101)).all()
    assert (k.values[low] == np.rint(10 * x.values[low])).all()
    assert (k.values[~low] == np.rint(20 + 10 * (x.values[~low] - 100))).all()
    assert (c.codes == np.where(low, 0, 1)).all()
    assert len(np.unique(x.values)) > 300


def test_interpolation_keeps_what_is_no_number():
    frame = {"x": [1.0, None, None, None], "y": [0.0] * 4, "k": [1] * 4, "c": ["a"] * 4}
    schema = schema_of(number("x", nullable=True), number("y"), integer("k"), category("c"))
    made = interpolated(encode_table(table_of(schema, frame)), 100, np.random.default_rng(1)).columns["x"]
    assert set(made.values[made.codes == 0].tolist()) == {1.0}
    assert (made.values[made.codes != 0] == 0).all()
