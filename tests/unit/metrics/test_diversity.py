"""Distinct combinations, counted by hand."""

import itertools

import numpy as np
import pytest

from tabsynth.metrics.base import Status
from tabsynth.metrics.diversity import Diversity
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind
from tests.unit.metrics.tables import category, eval_data, number, rows_of, schema_of

SCHEMA = schema_of(category("a"), category("b"), category("c"))


def compute(synthetic, train, holdout, schema=SCHEMA, **options):
    data = eval_data(schema, synthetic, train, holdout)
    return rows_of(Diversity(**options).compute(data, streams=Streams(0)))


def rows(*texts):
    return {name: [text[k] for text in texts] for k, name in enumerate("abc")}


def test_combinations_by_hand():
    train = rows("aaa", "aab", "abb", "bbb")
    found = compute(rows("aaa", "aaa", "aaa", "bbb"), train, rows("aaa", "aab", "aab", "ccc"))
    row = found[("distinct_combinations",)]
    assert (row.value, row.floor) == (2 / 4, 3 / 4)
    assert row.reason == "4 rows of each table; 1 triples"
    assert [(part.label, part.value, part.floor) for part in row.details] == [("a × b × c", 0.5, 0.75)]
    assert found[("distinct_rows",)].value == 0.5
    assert found[("distinct_rows",)].reason == "4 rows of each table; 4 different rows in train"


def test_a_collapsed_table_has_fewer_and_independent_columns_have_more():
    rng = np.random.default_rng(0)

    def draw(n, levels):
        first = rng.choice(list(levels), n)
        return {"a": first.tolist(), "b": first.tolist(), "c": rng.choice(list(levels), n).tolist()}

    train, holdout = draw(300, "abc"), draw(300, "abc")
    row = compute(draw(300, "ab"), train, holdout)[("distinct_combinations",)]
    assert (row.value, row.floor) == (
        4 / 9,
        1.0,
    )  # 300 draws leave none of 9 cells empty (chance below 1e-14)
    free = {name: rng.choice(list("abc"), 300).tolist() for name in "abc"}
    assert compute(free, train, holdout)[("distinct_combinations",)].value == pytest.approx(27 / 9, abs=0.12)


def test_numbers_are_cut_at_deciles_of_train():
    schema = schema_of(number("x"), category("b"), category("c"))
    cells = {"x": [float(k) for k in range(100)], "b": ["a"] * 100, "c": ["a"] * 100}
    found = compute(cells | {"x": [1.0, 99.0] * 50}, cells, cells, schema)
    assert found[("distinct_combinations",)].value == pytest.approx(2 / 10)


def test_as_many_rows_are_read_of_every_table():
    texts = ["".join(found) for found in itertools.product("abc", repeat=3)]
    found = compute(rows(*texts * 3), rows(*texts * 2), rows(*texts), max_rows=20)
    assert found[("distinct_rows",)].reason.startswith("20 rows of each table")
    assert compute(rows(*texts), rows(*texts), rows())[("distinct_rows",)].floor is None


def test_what_cannot_be_counted_is_a_reason():
    two = schema_of(category("a"), category("b"))
    cells = {"a": ["a"] * 5, "b": ["b"] * 5}
    found = compute(cells, cells, cells, two)
    assert found[("distinct_combinations",)].reason == "needs three columns, found 2"
    assert found[("distinct_rows",)].value == 1.0
    found = compute(rows(), rows("aaa"), rows("aaa"))
    assert {row.reason for row in found.values()} == {"the synthetic table has no rows"}
    schema = schema_of(Column(name="t", kind=Kind.TEXT, dtype="string"))
    cells = {"t": ["u"] * 10}
    (row, _) = Diversity().compute(eval_data(schema, cells, cells, cells), streams=Streams(0))
    assert (row.status, row.reason) == (Status.NOT_APPLICABLE, "no column is modelled")
