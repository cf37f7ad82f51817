"""How close numbers are, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tabsynth.audit.close_numbers import CLOSEST, close_numbers, has_numbers, own_closeness
from tabsynth.encode import encode_table
from tests.unit.metrics.tables import category, integer, number, schema_of, table_of

X = schema_of(number("x", nullable=True), category("c"))
MOST = -np.log(CLOSEST)


def encoded(values: list[float | None]):
    return encode_table(table_of(X, {"x": values, "c": ["a"] * len(values)}))


def test_the_score_is_minus_log_of_the_share_of_the_gap():
    known = encoded([0.0, 10.0, 12.0, None])
    # in the gap of 10: the middle, a tenth, as good as equal; equal; below by half of the first gap; above far
    asked = encoded([5.0, 1.0, 1e-9, 10.0, -2.5, 40.0, None])
    wanted = [0.0, -np.log(0.2), MOST, MOST, -np.log(0.5), 0.0, 0.0]
    assert close_numbers(asked, to=known) == pytest.approx(wanted)


def test_columns_add_up_and_whole_numbers_count():
    schema = schema_of(number("x"), integer("k"))
    known = encode_table(table_of(schema, {"x": [0.0, 4.0], "k": [0, 10]}))
    asked = encode_table(table_of(schema, {"x": [1.0], "k": [10]}))
    assert close_numbers(asked, to=known) == pytest.approx([-np.log(0.5) + MOST])


def test_a_tiny_error_does_not_hide_a_copy_from_it():
    rng = np.random.default_rng(1)
    train, others = rng.normal(size=300), rng.normal(size=300)
    release = encoded(list(train + 1e-9 * rng.normal(size=300)))
    members, rest = (close_numbers(encoded(list(x)), to=release) for x in (train, others))
    assert (
        members.min() > 0.9 * MOST
    )  # the closest two of 300 are 1e-5 apart: never so close by an error of 1e-9
    assert rest.mean() < 2.0  # 1 is expected, of variance 1: 17 standard errors away


def test_one_or_no_known_number():
    asked = encoded([1.0, 2.0, None])
    assert close_numbers(asked, to=encoded([2.0, 2.0])).tolist() == [0.0, MOST, 0.0]
    assert close_numbers(asked, to=encoded([None])).tolist() == [0.0, 0.0, 0.0]


def test_own_closeness_is_that_to_a_table_without_the_row():
    values = [0.0, 1.0, 1.0, 4.0, 4.5, None, 9.0]
    found = own_closeness(encoded(values))
    for row in range(len(values)):
        others = encoded(values[:row] + values[row + 1 :])
        assert found[row] == pytest.approx(close_numbers(encoded([values[row]]), to=others)[0])


def test_levels_are_no_numbers():
    table = encode_table(table_of(schema_of(category("c")), {"c": ["a", "b"]}))
    assert not has_numbers(table)
    assert close_numbers(table, to=table).tolist() == own_closeness(table).tolist() == [0.0, 0.0]
