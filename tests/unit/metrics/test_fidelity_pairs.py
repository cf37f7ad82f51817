"""Pair and triple figures of tables small enough to work out by hand or by brute force."""

import itertools
from collections import Counter

import numpy as np
import pytest
import scipy.stats

from tabsynth.metrics.base import Status
from tabsynth.metrics.fidelity_pairs import (
    PairFidelity,
    association,
    choose_pairs,
    choose_triples,
    triple_distances,
)
from tabsynth.metrics.pair_view import PairView, binnings_of
from tabsynth.randomness import Streams
from tests.unit.metrics.tables import (
    category,
    discrete_column,
    encoded,
    eval_data,
    integer,
    number,
    number_column,
    rows_of,
    schema_of,
)


def compute(schema, synthetic, train, holdout, **settings):
    data = eval_data(schema, synthetic, train, holdout)
    return rows_of(PairFidelity(**settings).compute(data, streams=Streams(0)))


def brute_force_tvd(a: list, b: list) -> float:
    left, right = Counter(a), Counter(b)
    return 0.5 * sum(abs(left[cell] / len(a) - right[cell] / len(b)) for cell in left | right)


@pytest.fixture
def cells():
    rng = np.random.default_rng(2)

    def make(n):
        x = rng.normal(size=n)
        return {
            "x": x.tolist(),
            "y": (x + rng.normal(size=n)).tolist(),
            "c": rng.choice(list("abc"), n).tolist(),
            "d": rng.choice(["p", "q", None], n).tolist(),
        }

    return make(300), make(400), make(350)


SCHEMA = schema_of(number("x"), number("y"), category("c"), category("d", "pq", nullable=True))


def test_pairs_of_every_kind(cells):
    synthetic, train, holdout = cells
    rows = compute(SCHEMA, synthetic, train, holdout)
    correlation = [np.corrcoef(side["x"], side["y"])[0, 1] for side in cells]
    pearson = rows["pearson_difference", "x", "y"]
    assert pearson.value == pytest.approx(abs(correlation[0] - correlation[1]), abs=1e-5)
    assert pearson.floor == pytest.approx(abs(correlation[2] - correlation[1]), abs=1e-5)
    assert {part.label: part.value for part in pearson.details} == pytest.approx(
        {"train": correlation[1], "synthetic": correlation[0], "holdout": correlation[2]}, abs=1e-5
    )
    assert rows["trend_error", "x", "y"].value == pytest.approx(pearson.value / 2)
    ranks = [scipy.stats.spearmanr(side["x"], side["y"]).statistic for side in cells]
    assert rows["spearman_difference", "x", "y"].value == pytest.approx(abs(ranks[0] - ranks[1]), abs=1e-5)
    pairs = [list(zip(side["c"], side["d"], strict=True)) for side in cells]
    for metric in ("pair_tvd", "trend_error"):
        row = rows[metric, "c", "d"]
        assert row.value == pytest.approx(brute_force_tvd(pairs[1], pairs[0]))
        assert row.floor == pytest.approx(brute_force_tvd(pairs[1], pairs[2]))
    assert ("cramers_v_difference", "c", "d") in rows
    assert ("correlation_ratio_difference", "x", "c") in rows
    assert ("spearman_difference", "x", "c") not in rows
    kinds = {"pearson_difference": 1, "spearman_difference": 1, "cramers_v_difference": 1}
    kinds |= {"correlation_ratio_difference": 4, "pair_tvd": 6, "trend_error": 6}
    assert Counter(key[0] for key in rows if len(key) == 3) == kinds
    trends = [row.value for key, row in rows.items() if key[0] == "trend_error" and len(key) == 3]
    assert rows[("trend_error",)].value == pytest.approx(np.mean(trends))


def test_numbers_are_cut_at_trains_deciles(cells):
    synthetic, train, holdout = cells
    edges = np.quantile(train["x"], np.arange(1, 10) / 10)
    sides = [
        list(zip(np.searchsorted(edges, side["x"], side="right"), side["c"], strict=True))
        for side in (train, synthetic)
    ]
    rows = compute(SCHEMA, synthetic, train, holdout)
    assert rows["pair_tvd", "x", "c"].value == pytest.approx(brute_force_tvd(*sides))


def test_a_copy_of_train_has_no_error(cells):
    _, train, holdout = cells
    rows = compute(SCHEMA, train, train, holdout)
    assert {row.value for row in rows.values()} == {0.0}
    assert all(row.floor > 0 for row in rows.values())


def test_a_lost_correlation_falls_back_to_the_joint_distance():
    schema = schema_of(integer("x"), integer("y"))
    train = {"x": [0, 0, 1, 1], "y": [0, 0, 1, 1]}
    rows = compute(schema, {"x": [0, 0, 1, 1], "y": [1, 1, 1, 1]}, train, train)
    assert rows["pearson_difference", "x", "y"].status is Status.NOT_APPLICABLE
    assert (
        rows["pearson_difference", "x", "y"].reason == "undefined in synthetic: a column does not vary there"
    )
    trend = rows["trend_error", "x", "y"]
    assert trend.value == rows["pair_tvd", "x", "y"].value == pytest.approx(0.5)
    assert trend.reason.startswith("the joint distance, because undefined in synthetic")
    rows = compute(schema, train, {"x": [0, 1], "y": [1, 1]}, train)
    assert rows["pearson_difference", "x", "y"].reason.startswith("undefined in train")


def test_floors_need_a_holdout_that_varies():
    schema = schema_of(integer("x"), integer("y"))
    train = {"x": [0, 0, 1, 1], "y": [0, 0, 1, 1]}
    rows = compute(schema, train, train, {"x": [0, 1], "y": [1, 1]})
    assert rows["pearson_difference", "x", "y"].floor is None
    assert rows["trend_error", "x", "y"].floor == rows["pair_tvd", "x", "y"].floor == pytest.approx(0.5)
    rows = compute(schema, train, train, {"x": [], "y": []})
    assert {row.floor for row in rows.values()} == {None}


def test_triples_by_brute_force(cells):
    synthetic, train, holdout = cells
    names = ("c", "d", "e")
    for side in cells:
        side["e"] = [["u", "v"][value > 0] for value in side["x"]]
        del side["x"], side["y"]
    schema = schema_of(category("c"), category("d", "pq", nullable=True), category("e", "uv"))
    rows = compute(schema, synthetic, train, holdout)
    triples = [list(zip(*(side[name] for name in names), strict=True)) for side in cells]
    row = rows[("triple_tvd",)]
    assert row.value == pytest.approx(brute_force_tvd(triples[1], triples[0]))
    assert row.floor == pytest.approx(brute_force_tvd(triples[1], triples[2]))
    assert [part.label for part in row.details] == ["c × d × e"]


def test_triples_with_more_cells_than_memory_should_hold():
    rng = np.random.default_rng(4)
    codes = [[rng.integers(0, 200, 500) for _ in range(3)] for _ in range(3)]
    tables = [
        encoded(**{name: discrete_column(c, 200) for name, c in zip("abc", side, strict=True)})
        for side in codes
    ]
    binnings = binnings_of(tables[0])
    views = [PairView.of(table, binnings) for table in tables]
    found = triple_distances(("a", "b", "c"), views)  # 201 ** 3 cells
    rows = [list(zip(*side, strict=True)) for side in codes]
    assert found == pytest.approx((brute_force_tvd(rows[0], rows[1]), brute_force_tvd(rows[0], rows[2])))


def test_two_columns_have_no_triple():
    rows = compute(schema_of(integer("x"), integer("y")), *[{"x": [1, 2], "y": [1, 2]}] * 3)
    assert rows[("triple_tvd",)].reason == "needs three columns, found 2"


def test_one_column_has_no_pair():
    rows = compute(schema_of(integer("x")), *[{"x": [1, 2]}] * 3)
    assert {row.reason for row in rows.values()} == {"needs two columns, found 1"}


def test_no_rows(cells):
    none = {name: [] for name in cells[0]}
    assert {row.reason for row in compute(SCHEMA, none, cells[1], cells[2]).values()} == {
        "the synthetic table has no rows"
    }
    assert {row.reason for row in compute(SCHEMA, cells[0], none, cells[2]).values()} == {
        "the train table has no rows"
    }


def test_beyond_the_budget_pairs_and_rows_are_drawn_and_it_says_so(cells):
    rows = compute(SCHEMA, *cells, max_pairs=2, max_rows=320)
    assert sum(key[0] == "pair_tvd" and len(key) == 3 for key in rows) == 2
    note = "at most 320 rows of each table, drawn at random"
    assert rows[("pair_tvd",)].reason == f"{note}; 2 of 6 pairs, drawn at random"
    assert rows[("triple_tvd",)].reason == note


def test_chosen_pairs_and_triples_are_distinct_and_follow_the_seed():
    names = [f"c{k}" for k in range(40)]
    pairs = choose_pairs(names, 100, Streams(1))
    assert len(set(pairs)) == 100
    assert set(pairs) <= set(itertools.combinations(names, 2))
    assert pairs == choose_pairs(names, 100, Streams(1)) != choose_pairs(names, 100, Streams(2))
    assert choose_pairs(names, 780, Streams(1)) == list(itertools.combinations(names, 2))
    triples = choose_triples(names, 50, Streams(1))
    assert len(set(triples)) == 50
    assert set(triples) <= set(itertools.combinations(names, 3))
    assert choose_triples(names[:4], 50, Streams(1)) == list(itertools.combinations(names[:4], 3))


def test_a_chosen_pair_may_be_any_pair():
    # 60 draws of 5 of 10 pairs: that some pair never comes has probability below 10 * 2**-60
    names = list("abcde")
    seen = {pair for seed in range(60) for pair in choose_pairs(names, 5, Streams(seed))}
    assert seen == set(itertools.combinations(names, 2))


def test_association_is_that_of_the_kind_of_pair():
    table = encoded(
        x=number_column([1, 2, 3, 4]),
        y=number_column([1, 2, 4, 3]),
        c=discrete_column([0, 0, 1, 1], 2),
        d=discrete_column([0, 0, 1, 1], 2),
    )
    view = PairView.of(table, binnings_of(table))
    assert association(view, ("x", "y")) == ("spearman_difference", pytest.approx(0.8, abs=1e-5))
    ratio = ("correlation_ratio_difference", pytest.approx(np.sqrt(4 / 5), abs=1e-5))
    assert association(view, ("x", "c")) == association(view, ("c", "x")) == ratio
    assert association(view, ("c", "d")) == ("cramers_v_difference", pytest.approx(1.0))
