"""CAP, TCAP and rare combinations of tables that can be counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tabsynth.metrics.base import Status
from tabsynth.metrics.disclosure import Attribution, cap_of, targeted
from tabsynth.metrics.rare import RareCombinations, exposed
from tabsynth.randomness import Streams
from tests.unit.metrics.tables import category, eval_data, integer, rows_of, schema_of

SCHEMA = schema_of(category("p", "xyz"), category("q", "uvw"), category("s", "abc"))
NAMED = {"quasi_identifiers": ("p", "q"), "sensitive": ("s",)}


def cells(*rows):
    return {name: [row[k] for row in rows] for k, name in enumerate("pqs")}


SYNTHETIC = cells("xua", "xua", "xub", "yva", "zvc")
TRAIN = cells("xua", "xub", "yva", "zva", "ywa", "xwc")
HOLDOUT = cells("xub", "yvb", "zvc", "zvc")


def compute(metric, named=NAMED, tables=(SYNTHETIC, TRAIN, HOLDOUT), target=None):
    data = replace(eval_data(SCHEMA, *tables, target), **named)
    return rows_of(metric.compute(data, streams=Streams(0)))


def test_attribution_counted_by_hand():
    rows = compute(Attribution())
    cap, tcap = rows["cap", "s"], rows["tcap", "s"]
    # xu: 2 of 3 hold a, 1 of 3 holds b; yv is a; zv is c, not a; yw has yv alone one key away: a; xw has
    # the three xu, none of them c
    assert cap.value == pytest.approx((2 / 3 + 1 / 3 + 1 + 0 + 1 + 0) / 6)
    assert cap.floor == pytest.approx((1 / 3 + 0 + 1 + 1) / 4)
    assert cap.interval[0] < cap.value < cap.interval[1]
    # yv and zv have one value alone: of train yva is right and zva wrong; of the holdout yvb is wrong
    assert tcap.value == 1 / 2
    assert tcap.floor == pytest.approx(2 / 3)
    assert (rows["cap",].value, rows["tcap",].value) == (cap.value, tcap.value)
    assert rows["cap",].reason.endswith(": s")


def test_the_target_stands_in_where_no_sensitive_column_is_named():
    rows = compute(Attribution(), {"quasi_identifiers": ("p", "q")}, target="s")
    assert rows["cap",].value == compute(Attribution())["cap",].value


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({}, "not applicable: no quasi-identifiers were named"),
        ({"quasi_identifiers": ("p",)}, "not applicable: no sensitive column was named"),
    ],
)
def test_what_was_not_named_is_said(named, reason):
    rows = compute(Attribution(), named)
    assert set(rows) == {("cap",), ("tcap",)}
    for row in rows.values():
        assert (row.status, row.reason) == (Status.NOT_APPLICABLE, reason)


def test_no_certain_key_no_targeted_attribution():
    mixed = cells("xua", "xub", "yva", "yvb")
    rows = compute(Attribution(), tables=(mixed, cells("xua", "yva"), HOLDOUT))
    assert rows["tcap",].status is Status.NOT_APPLICABLE
    assert rows["cap",].value == 1 / 2


def test_cap_is_that_of_the_definition():
    rng = np.random.default_rng(1)
    keys, known = (rng.integers(0, 4, (n, 3)).astype(np.uint16) for n in (30, 50))
    values, held = rng.integers(0, 3, 30), rng.integers(0, 3, 50)
    for found, key, value in zip(cap_of(keys, values, known, held), keys, values, strict=True):
        distance = (known != key).sum(axis=1)
        nearest = held[distance == distance.min()]
        assert found == pytest.approx((nearest == value).mean())


def test_targeted_counts():
    known = np.array([0, 0, 1, 2]), np.array([5, 5, 6, 7])
    asked = np.array([0, 0, 1, 3]), np.array([5, 6, 6, 5])
    assert targeted(asked, known) == (3, 2)


def test_rare_combinations_counted_by_hand():
    # values held once to thrice; 9 is held four times, 5 never
    train = np.array([0, 1, 1, 2, 2, 2, 9, 9, 9, 9])
    assert exposed(train, [np.array([0, 0, 9, 5]), np.array([2, 1])]) == (3, [1, 2])


def test_exposure_of_values_pairs_and_triples():
    schema = schema_of(category("a", "xyz"), category("b", "uvw"), integer("n"))
    train = {"a": list("xxxxxy"), "b": list("uuuuuv"), "n": [1, 1, 1, 1, 1, 77]}
    same = {"a": ["x"], "b": ["u"], "n": [1]}
    leak = {"a": ["y"], "b": ["v"], "n": [1]}
    data = eval_data(schema, leak, train, same)
    rows = rows_of(RareCombinations().compute(data, streams=Streams(0)))
    # rare are y, v and 77: two of them appear
    assert rows["rare_values_exposure",].value == pytest.approx(2 / 3)
    assert rows["rare_values_exposure",].floor == 0
    assert rows["rare_values_exposure",].reason.startswith("3 rare ones in 3 sets of columns")
    # numbers in deciles: train's are all at 1 but for the highest, so 77 has a cell of its own
    assert rows["rare_pairs_exposure",].value == pytest.approx(1 / 3)
    assert rows["rare_triples_exposure",].value == 0


def test_sets_are_drawn_where_there_are_many_and_missing_ones_are_said():
    schema = schema_of(*(category(f"c{k}", "ab") for k in range(6)))
    rng = np.random.default_rng(0)
    tables = [{f"c{k}": rng.choice(list("ab"), 4).tolist() for k in range(6)} for _ in range(3)]
    rows = rows_of(RareCombinations((2, 4, 3)).compute(eval_data(schema, *tables), streams=Streams(0)))
    assert " in 4 sets" in rows["rare_pairs_exposure",].reason
    assert " in 3 sets" in rows["rare_triples_exposure",].reason
    alone = schema_of(category("c"))
    data = eval_data(alone, {"c": ["a"]}, {"c": ["a"] * 4}, {"c": ["a"]})
    rows = rows_of(RareCombinations().compute(data, streams=Streams(0)))
    assert rows["rare_values_exposure",].reason == "no combination is held by at most 3 rows"
    assert rows["rare_pairs_exposure",].reason == "too few columns"
    data = eval_data(alone, {"c": []}, {"c": ["a"]}, {"c": ["a"]})
    rows = rows_of(RareCombinations().compute(data, streams=Streams(0)))
    assert rows["rare_pairs_exposure",].status is Status.NOT_APPLICABLE
