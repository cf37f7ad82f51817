"""Balls of nearest neighbours by hand, against brute force and against what theory expects."""

import numpy as np
import pytest

from tabsynth.metrics.base import Status
from tabsynth.metrics.support import SupportOverlap, ball_radii, support_of
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind
from tests.unit.metrics.tables import category, eval_data, number, rows_of, schema_of

SCHEMA = schema_of(number("x"), category("c"))


def compute(synthetic, train, holdout, **options):
    data = eval_data(SCHEMA, synthetic, train, holdout)
    return rows_of(SupportOverlap(**options).compute(data, streams=Streams(0)))


def draw(rng, n, levels="abc"):
    return {"x": rng.normal(size=n).tolist(), "c": rng.choice(list(levels), n).tolist()}


def points(*numbers):
    return np.array(numbers, dtype=np.float64)[:, np.newaxis]


def brute_force(train, other, k):
    def reach(table):
        return [sorted(np.linalg.norm(table - row, axis=1))[k] for row in table]  # its own 0 comes first

    inside = np.array(
        [[np.linalg.norm(y - x) <= r for x, r in zip(train, reach(train), strict=True)] for y in other]
    )
    around = np.array(
        [[np.linalg.norm(y - x) <= r for x in train] for y, r in zip(other, reach(other), strict=True)]
    )
    return (
        inside.any(axis=0).mean(),
        around.any(axis=0).mean(),
        inside.any(axis=1).mean(),
        inside.sum() / (k * len(other)),
    )


def test_figures_by_hand():
    train, other = points(0, 1, 3, 10), points(0.5, 0.6, 30)
    # nearest neighbours: train reaches 1, 1, 2, 7; the others .1, .1, 29.4
    assert ball_radii(train, k=1) == pytest.approx([1, 1, 4, 49])
    (found,) = support_of(train, [other], k=1)
    assert found.coverage == pytest.approx(2 / 4)  # balls about 0 and 1; (1, 5) and (3, 17) hold none
    assert found.recall == pytest.approx(3 / 4)  # the ball about 30 reaches down to .6
    assert found.precision == pytest.approx(2 / 3)
    assert found.density == pytest.approx(4 / 3)


@pytest.mark.parametrize("k", [1, 5])
def test_figures_are_those_of_brute_force_across_blocks(k, monkeypatch):
    monkeypatch.setattr("tabsynth.metrics.support.CHUNK", 7)
    rng = np.random.default_rng(1)
    train, other = rng.normal(size=(40, 3)), rng.normal(0.5, 1.3, size=(30, 3))
    (found,) = support_of(train, [other], k=k)
    assert tuple(found) == pytest.approx(brute_force(train, other, k))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_rows_lie_in_a_ball_without_extent(dtype):
    levels = np.repeat(np.eye(3, dtype=dtype) * np.sqrt(2).astype(dtype), 4, axis=0)
    (same,) = support_of(levels, [levels], k=3)
    assert same == pytest.approx((1.0, 1.0, 1.0, 4 / 3))  # four equal train rows about each, for a k of 3
    (one,) = support_of(levels, [levels[:4]], k=3)
    assert (one.coverage, one.recall, one.precision) == pytest.approx((1 / 3, 1 / 3, 1.0))


def test_fresh_rows_score_what_theory_expects():
    # E[coverage] = 1 - prod (n - i) / (2n - i) over i = 1..k (Naeem et al. 2020); E[density] = 1.
    # Coverage of 1,500 rows varies by about .006: ±.03 is five deviations (chance below 1e-5).
    rng, n, k = np.random.default_rng(2), 1_500, 5
    (found,) = support_of(rng.normal(size=(n, 2)), [rng.normal(size=(n, 2))], k=k)
    i = np.arange(1, k + 1)
    assert found.coverage == pytest.approx(1 - np.prod((n - i) / (2 * n - i)), abs=0.03)
    assert found.density == pytest.approx(1.0, abs=0.1)


def test_mode_collapse_shows_in_coverage_and_made_up_rows_in_precision():
    rng = np.random.default_rng(3)
    train, holdout = draw(rng, 300), draw(rng, 300)
    collapsed = compute(draw(rng, 300, levels="a"), train, holdout)
    share = train["c"].count("a") / 300
    assert collapsed[("support_coverage",)].value <= share < 0.5
    assert collapsed[("support_coverage",)].floor > 0.9
    assert collapsed[("support_precision",)].value > 0.9
    far = {"x": [1_000.0 + x for x in range(300)], "c": ["a"] * 300}
    assert compute(far, train, holdout)[("support_precision",)].value == 0.0
    assert compute(train, train, holdout)[("support_coverage",)].value == 1.0


def test_all_tables_are_read_for_as_many_rows():
    rng = np.random.default_rng(4)
    found = compute(draw(rng, 50), draw(rng, 60), draw(rng, 40))
    assert found[("support_recall",)].reason == "40 rows of each table"
    found = compute(draw(rng, 50), draw(rng, 60), draw(rng, 5))
    assert found[("support_recall",)].reason == "50 rows of each table"
    assert found[("support_recall",)].floor is None
    found = compute(draw(rng, 50), draw(rng, 60), draw(rng, 40), max_rows=20)
    assert found[("support_recall",)].reason == "20 rows of each table"


def test_too_few_rows_are_a_reason():
    rng = np.random.default_rng(5)
    few, enough = draw(rng, 5), draw(rng, 20)
    for tables, which in (((few, enough), "synthetic"), ((enough, few), "train")):
        found = compute(*tables, enough)
        assert {row.status for row in found.values()} == {Status.NOT_APPLICABLE}
        assert found[("support_density",)].reason == f"needs 6 rows of the {which} table, found 5"


def test_a_table_without_modelled_columns_is_a_reason():
    schema = schema_of(Column(name="t", kind=Kind.TEXT, dtype="string"))
    cells = {"t": ["u"] * 10}
    (row, *_) = SupportOverlap().compute(eval_data(schema, cells, cells, cells), streams=Streams(0))
    assert row.reason == "no column is modelled"
