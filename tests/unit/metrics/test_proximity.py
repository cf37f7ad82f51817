"""Copies and nearest rows, against brute force."""

from collections import Counter

import numpy as np
import pytest

from tabsynth.metrics.base import Status
from tabsynth.metrics.proximity import (
    MAX_LEVELS,
    ExactCopies,
    NearestRows,
    Space,
    is_copy,
    nearer,
    row_hashes,
)
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind
from tests.unit.metrics.tables import (
    category,
    discrete_column,
    encoded,
    eval_data,
    integer,
    number,
    number_column,
    schema_of,
)

SCHEMA = schema_of(number("x", nullable=True), category("c"), integer("k"))


def make(rng, n):
    return {
        "x": rng.normal(size=n).tolist(),
        "c": rng.choice(list("abc"), n).tolist(),
        "k": rng.integers(0, 50, n).tolist(),
    }


def first(cells, n):
    return {name: found[:n] for name, found in cells.items()}


def compute(metric, synthetic, train, holdout, schema=SCHEMA, seed=0):
    (row,) = metric.compute(eval_data(schema, synthetic, train, holdout), streams=Streams(seed))
    return row


def test_copies_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    schema = schema_of(integer("a"), category("c"), integer("b", nullable=True))

    def draw(n):
        return {
            "a": rng.integers(0, 4, n).tolist(),
            "c": rng.choice(list("abc"), n).tolist(),
            "b": rng.choice([None, 0, 1], n).tolist(),
        }

    synthetic, train, holdout = draw(40), draw(30), draw(50)
    known = set(zip(*train.values(), strict=True))
    expected = [
        np.mean([row in known for row in zip(*side.values(), strict=True)]) for side in (synthetic, holdout)
    ]
    row = compute(ExactCopies(), synthetic, train, holdout, schema)
    assert 0 < expected[0] < 1
    assert (row.value, row.floor) == pytest.approx(expected)
    assert row.interval[0] < row.value < row.interval[1]


def test_rows_with_one_hash_are_told_apart_by_their_cells():
    start = encoded(a=number_column([1, 2]), b=discrete_column([0, 0], 1))
    before = row_hashes(start)
    # the next word is added to the hash before it is mixed: choose words that make the sums equal
    second = np.array([7, 7 + int(before[0]) - int(before[1])], dtype=object) % 2**64
    words = np.array(second, dtype=np.uint64).view(np.int64)
    table = encoded(a=number_column([1, 2]), b=number_column(words))
    hashes = row_hashes(table)
    assert hashes[0] == hashes[1]
    one = encoded(a=number_column([1]), b=number_column(words[:1]))
    assert is_copy(table, of=one).tolist() == [True, False]
    # both candidates share the hash; the second is the copy
    swapped = encoded(a=number_column([2, 1]), b=number_column(words[::-1]))
    assert is_copy(one, of=swapped).tolist() == [True]


def test_negative_zero_and_null_are_not_mistaken():
    train = encoded(x=number_column([0.0, 0.0], codes=[0, 1], n_levels=2))
    asked = encoded(x=number_column([-0.0, 0.0, 1e-300], codes=[0, 1, 0], n_levels=2))
    assert is_copy(asked, of=train).tolist() == [True, True, False]


def test_copies_without_rows_or_columns():
    rng = np.random.default_rng(1)
    some, none = make(rng, 5), {"x": [], "c": [], "k": []}
    assert compute(ExactCopies(), none, some, some).reason == "the synthetic table has no rows"
    assert compute(ExactCopies(), some, none, some).reason == "the train table has no rows"
    assert compute(ExactCopies(), some, some, none).floor is None
    text = schema_of(Column(name="t", kind=Kind.TEXT, dtype="string"))
    row = compute(ExactCopies(), {"t": ["v"]}, {"t": ["v"]}, {"t": ["v"]}, text)
    assert (row.status, row.reason) == (Status.NOT_APPLICABLE, "no column is modelled")


def test_fresh_rows_are_as_near_to_train_as_to_holdout():
    rng = np.random.default_rng(2)
    row = compute(NearestRows(), make(rng, 2000), make(rng, 1000), make(rng, 2000))
    # 2,000 queries: a standard error of .011 each, and of about .011 for the two references; five of both
    assert row.value == pytest.approx(0.5, abs=0.08)
    assert row.floor == pytest.approx(0.5, abs=0.11)
    assert row.reason == "2,000 synthetic rows against 1,000 rows of train and of the holdout"


def test_copies_of_train_or_of_the_holdout_are_seen():
    rng = np.random.default_rng(3)
    train, holdout = make(rng, 500), make(rng, 1000)
    assert compute(NearestRows(), train, train, holdout).value == 1.0
    # half of the holdout is the reference, and the other half is as far from both
    assert compute(NearestRows(), holdout, train, holdout).value == pytest.approx(0.25, abs=0.08)


def test_equal_distances_count_half():
    schema = schema_of(category("c"))
    cells = {"c": list("abc") * 40}
    row = compute(NearestRows(), cells, cells, cells, schema)
    assert (row.value, row.floor) == (0.5, 0.5)


def test_shares_are_those_of_brute_force():
    rng = np.random.default_rng(4)
    tables = [
        encoded(
            x=number_column(rng.normal(size=n), codes=rng.random(n) < 0.2, n_levels=2),
            c=discrete_column(rng.integers(0, 3, n), 3),
            k=number_column(rng.integers(0, 5, n)),
        )
        for n in (60, 40, 40)
    ]
    space = Space.of(tables[1], tables)
    queries, left, right = (space.embed(table) for table in tables)
    low, high = np.quantile(
        tables[1].columns["x"].as_float()[tables[1].columns["x"].codes == 0], [0.01, 0.99]
    )

    def position(value, start, end):
        place = (value - start) / (end - start)
        inside = min(max(place, 0.0), 1.0)
        return inside + np.sign(place - inside) * np.log1p(abs(place - inside))

    def gower(table, i, other, j):
        (x, c, k), (y, d, m) = table.columns.values(), other.columns.values()
        total = float(c.codes[i] != d.codes[j]) + float(x.codes[i] != y.codes[j])
        places = [
            position(side.values[r], low, high) if side.codes[r] == 0 else 0.5 for side, r in ((x, i), (y, j))
        ]
        total += (places[0] - places[1]) ** 2
        return total + (position(k.values[i], 0, 4) - position(m.values[j], 0, 4)) ** 2

    query_table, left_table, right_table = tables[0], tables[1], tables[2]
    np.testing.assert_allclose(
        ((queries[:, None] - left[None]) ** 2).sum(axis=2),
        [[2 * gower(query_table, i, left_table, j) for j in range(40)] for i in range(60)],
        atol=1e-9,
    )
    won, winners = 0.0, []
    for i in range(60):
        distances = [
            [gower(query_table, i, side, j) for j in range(40)] for side in (left_table, right_table)
        ]
        nearest = [min(each) for each in distances]
        lead = nearest[1] - nearest[0]
        won += 0.5 if abs(lead) < 1e-9 else float(lead > 0)
        side = 0 if lead > -1e-9 else 1
        winners.append((side, next(j for j in range(40) if distances[side][j] < nearest[side] + 1e-9)))
    found = nearer(queries, left, right)
    assert found.share == pytest.approx(won / 60)
    assert found.n_effective == pytest.approx(60**2 / sum(n**2 for n in Counter(winners).values()))


def test_rows_with_the_same_nearest_row_count_as_one():
    """A clump far from all real rows lies nearest to one of them, in train or in the holdout by the toss of a coin."""
    rng = np.random.default_rng(7)
    train, holdout = make(rng, 400), make(rng, 400)
    clump = {
        "x": rng.uniform(-40.0, -39.9, 300).tolist(),
        "c": ["a"] * 300,
        "k": [90] * 300,
    }
    row = compute(NearestRows(), clump, train, holdout)
    assert row.value in (0.0, 1.0)
    assert row.reason.endswith("; in clumps, so that they count as 1")
    lower, upper = row.interval
    assert upper - lower > 0.75
    fresh = compute(NearestRows(), make(rng, 300), train, holdout)
    assert fresh.interval[1] - fresh.interval[0] < 0.2


def test_many_levels_share_a_coordinate_and_wide_spaces_are_single_precision():
    codes = np.arange(200)
    table = encoded(c=discrete_column(codes, 200))
    space = Space.of(table, [table])
    assert space.n_coordinates == MAX_LEVELS
    assert space.embed(table).dtype == np.float64
    wide = encoded(c=discrete_column(codes, 200), d=discrete_column(codes, 200))
    embedded = Space.of(wide, [wide]).embed(wide)
    assert embedded.dtype == np.float32
    assert embedded.sum(axis=1).tolist() == [2.0] * 200


def test_a_column_without_numbers_in_train_has_a_place():
    train = encoded(x=number_column([0.0, 0.0], codes=[1, 1], n_levels=2))
    other = encoded(x=number_column([5.0, 0.0], codes=[0, 1], n_levels=2))
    space = Space.of(train, [train, other])
    assert np.isfinite(space.embed(other)).all()


def test_nearest_rows_need_rows():
    rng = np.random.default_rng(5)
    some, none = make(rng, 5), {"x": [], "c": [], "k": []}
    metric = NearestRows()
    assert compute(metric, none, some, some).reason == "the synthetic table has no rows"
    assert compute(metric, some, none, some).reason == "the train table has no rows"
    assert compute(metric, some, some, first(some, 1)).reason == "needs 2 rows of the holdout, found 1"
    assert compute(metric, first(some, 1), first(some, 1), first(some, 2)).status is Status.OK


def test_both_are_labelled_smoke_tests():
    for metric in (ExactCopies(), NearestRows()):
        (info,) = metric.infos
        assert info.smoke_test
        assert "no evidence of privacy" in info.caveat
