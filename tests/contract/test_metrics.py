"""What every registered metric must do, whatever the tables look like."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from tabsynth.evaluate.run import compute_safely
from tabsynth.metrics.base import Direction, Status
from tabsynth.metrics.registry import METRICS, all_infos
from tabsynth.metrics.utility_suite import UtilitySuite
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind, PrivacyUnit
from tests.unit.metrics.tables import category, eval_data, integer, number, schema_of

SCHEMA = schema_of(
    number("x", nullable=True),
    integer("k", special_values=(-1,)),
    category("c", nullable=True),
    category("target", "pq"),
    Column(name="note", kind=Kind.TEXT, dtype="string", format="sentence", nullable=True),
    Column(name="id", kind=Kind.IDENTIFIER, dtype="string"),
)

HISTORIES = replace(SCHEMA, unit=PrivacyUnit(column="id", max_rows=3, order_by="k"))


def rows(n, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "x": [None if k % 7 == 3 else float(value) for k, value in enumerate(rng.normal(size=n))],
        "k": rng.integers(-1, 30, n).tolist(),
        "c": rng.choice(["a", "b", "c", None], n).tolist(),
        "target": rng.choice(["p", "q"], n).tolist(),
        "note": [None if k % 5 == 0 else "text" for k in range(n)],
        "id": [f"{k // 2}" for k in range(n)],
    }


def with_column(cells, **columns):
    n = len(cells["x"])
    return cells | {name: [cell] * n for name, cell in columns.items()}


BESIDE_HOLDOUT = ("c2st", "tstr", "trts", "augmented", "group_utility", "nearest", "cap", "tcap", "attribute")
DISCLOSURE = tuple(info.name for info in all_infos() if info.group == "disclosure")
PLAIN = (rows(60, 1), rows(80, 2), rows(70, 3))
CASES = {
    "plain": PLAIN,
    "a copy of train": (PLAIN[1], PLAIN[1], PLAIN[2]),
    **{
        f"{n} rows of {name}": tuple(rows(n, 4) if side == place else PLAIN[side] for side in range(3))
        for place, name in enumerate(("synthetic", "train", "holdout"))
        for n in (0, 1, 2)
    },
    **{f"{n} rows everywhere": (rows(n, 5), rows(n, 6), rows(n, 7)) for n in (0, 1, 2, 3)},
    "constant columns": tuple(with_column(side, x=1.5, k=3, c="a", target="p") for side in PLAIN),
    "all null": tuple(with_column(side, x=None, c=None, note=None) for side in PLAIN),
    "outside the domain": tuple(with_column(side, c="z", target="z") for side in PLAIN),
    "outside on one side": (with_column(PLAIN[0], c="z", k=None), PLAIN[1], PLAIN[2]),
    **{
        f"no numbers in {name}": tuple(
            with_column(cells, x=None, k=-1) if side == place else cells for side, cells in enumerate(PLAIN)
        )
        for place, name in enumerate(("synthetic", "train", "holdout"))
    },
    "one side constant": (with_column(PLAIN[0], x=2.5, k=1, c="b", target="q"), PLAIN[1], PLAIN[2]),
    "huge numbers": tuple(
        side | {"x": (np.array([-1.7e308, 0.0, 1.7e308, 5e-324])[np.arange(len(side["x"])) % 4]).tolist()}
        for side in PLAIN
    ),
    "integers at the ends": tuple(
        side | {"k": [(-(2**63) + 1, 2**63 - 1, 0)[k % 3] for k in range(len(side["k"]))]} for side in PLAIN
    ),
}


def quick(metric):
    """The registered metric, with fewer trees where trees take the time."""
    return replace(metric, n_trees=10, n_rounds=20) if isinstance(metric, UtilitySuite) else metric


@pytest.fixture(params=[quick(metric) for metric in METRICS], ids=lambda metric: type(metric).__name__)
def metric(request):
    return request.param


@pytest.mark.parametrize(
    ("schema", "target"), [(SCHEMA, "target"), (SCHEMA, "x"), (SCHEMA, None), (HISTORIES, None)]
)
@pytest.mark.parametrize("case", CASES)
def test_every_table_gets_rows_with_values_or_reasons(metric, case, schema, target):
    data = eval_data(schema, *CASES[case], target)
    results = compute_safely(metric, data, streams=Streams(0))
    names = {info.name: info for info in metric.infos}
    assert any(result.columns == () for result in results)
    assert len({(result.metric, result.columns) for result in results}) == len(results)
    for result in results:
        assert result.metric in names
        assert set(result.columns) <= set(data.encoded_train.columns)
        if result.value is None:
            assert result.status is not Status.OK
            assert result.reason
        else:
            assert result.status is Status.OK
            assert math.isfinite(result.value)
            if result.interval is not None:
                assert result.interval[0] <= result.value <= result.interval[1]
        if names[result.metric].percent and result.metric != "tail_error":
            assert result.value is None or 0 <= result.value <= 1
            assert result.floor is None or 0 <= result.floor <= 1


@pytest.mark.parametrize("case", CASES)
def test_named_columns_get_rows_whatever_the_tables_hold(metric, case):
    named = {"quasi_identifiers": ("c", "x", "note"), "sensitive": ("target", "k")}
    results = compute_safely(metric, replace(eval_data(SCHEMA, *CASES[case]), **named), streams=Streams(0))
    assert len({(result.metric, result.columns) for result in results}) == len(results)
    for result in results:
        assert result.status is not Status.FAILED or result.reason
        if result.value is not None and result.interval is not None:
            assert result.interval[0] <= result.value <= result.interval[1]
        if result.value is not None and result.metric.startswith(DISCLOSURE):
            assert math.isfinite(result.value)
        assert not (result.status is Status.FAILED and result.metric.startswith(DISCLOSURE))


@pytest.mark.parametrize("schema", [SCHEMA, HISTORIES])
def test_the_same_streams_give_the_same_rows(metric, schema):
    data = eval_data(schema, *PLAIN, "target")
    assert metric.compute(data, streams=Streams(1)) == metric.compute(data, streams=Streams(1))


def test_tables_are_left_as_they_were(metric):
    data, fresh = (eval_data(SCHEMA, *PLAIN, "target") for _ in range(2))
    metric.compute(data, streams=Streams(1))
    for side in ("encoded_synthetic", "encoded_train", "encoded_holdout"):
        for name, column in getattr(fresh, side).columns.items():
            found = getattr(data, side).columns[name]
            np.testing.assert_array_equal(found.codes, column.codes)
            if column.values is not None:
                np.testing.assert_array_equal(found.values, column.values)


@pytest.mark.parametrize("schema", [SCHEMA, HISTORIES])
def test_a_copy_of_the_holdout_scores_the_floor_where_train_alone_is_the_reference(metric, schema):
    """The floor is the same figure, of the holdout: swapping it in for synthetic must give it."""
    _, train, holdout = PLAIN
    results = metric.compute(eval_data(schema, holdout, train, holdout, "target"), streams=Streams(1))
    for result in results:
        if result.metric.startswith(BESIDE_HOLDOUT):
            continue  # these set synthetic against the holdout itself
        assert result.value == result.floor


def test_no_reason_and_no_detail_shows_a_cell(metric):
    canary = "CANARY-7391"
    schema = schema_of(category("c", ("a", canary)), number("x"), category("target", "pq"))
    cells = {"c": ["a", canary] * 20, "x": [73914.25, 1.0] * 20, "target": ["p"] * 40}
    for side in (cells, with_column(cells, x=73914.25)):
        data = eval_data(schema, side, cells, cells, "target")
        named = replace(data, quasi_identifiers=("c",), sensitive=("x", "target"))
        for result in (*metric.compute(data, streams=Streams(0)), *metric.compute(named, streams=Streams(0))):
            text = result.reason + " ".join(part.label for part in result.details)
            assert canary not in text
            assert "73914" not in text


def test_infos_tell_people_what_they_need():
    infos = all_infos()
    assert len({info.name for info in infos}) == len(infos)
    for info in infos:
        assert info.title
        assert info.group in {"fidelity", "detection", "utility", "proximity", "disclosure"}
        assert isinstance(info.direction, Direction)
        for text in (info.meaning, info.caveat):
            assert len(text) > 40
            assert text[0].isupper()
            assert text.endswith(".")
    for one, other in combinations(infos, 2):
        assert one.title != other.title
