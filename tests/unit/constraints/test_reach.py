"""How far computed columns reach, by hand; and that rows of a private fit are not held to bounds that noise cut."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

import tabsynth
from tabsynth.constraints.reach import widened
from tabsynth.constraints.rules import computed_value
from tabsynth.pipeline import FittedPipeline
from tabsynth.schema.rules import Formula, Sum
from tabsynth.schema.types import Domain, Kind, Schema
from tests.unit.constraints.tables import column, levels, table, whole

DAY = column("day", Kind.DATE, bounds=(dt.date(2019, 5, 1), dt.date(2021, 2, 1)))


@pytest.mark.parametrize(
    ("rule", "parts", "bounds"),
    [
        (Formula(column="c", sql="a * b - 3"), (whole("a", -2, 100), whole("b", 1, 9)), (-21, 897)),
        (Formula(column="c", sql="(a - 5) * (a - 5)"), (whole("a", 0, 7),), (0, 25)),
        (Formula(column="c", sql="date_part('year', day)"), (DAY,), (0, 2021)),
        (Sum(column="c", parts=("a", "b")), (whole("a", 1, 4), whole("b", 10, 90)), (0, 94)),
        (Formula(column="c", sql="1 / a"), (whole("a", 0, 1),), (0, 1)),  # 1/0 is no number
        (
            Formula(column="c", sql="CASE WHEN k = 'x' THEN 70 ELSE a END"),
            (levels("k", "x", "y"), whole("a", 2, 3)),
            (0, 70),
        ),
    ],
)
def test_bounds_hold_what_is_computed(rule, parts, bounds):
    target = whole("c", 0, 1)
    schema = table(target, *parts, rules=(rule,))
    found = widened(target, computed_value(rule, schema), parts)
    assert found.bounds == bounds
    assert all(isinstance(bound, int) for bound in found.bounds)


def test_numbers_with_decimals_keep_them():
    target = column("c", Kind.NUMBER, bounds=(0.5, 0.75), decimals=2)
    part = column("a", Kind.NUMBER, bounds=(0.1, 1.0), decimals=1)
    rule = Formula(column="c", sql="a / 3")
    found = widened(target, computed_value(rule, table(target, part, rules=(rule,))), (part,))
    assert found.bounds == (0.03, 0.75)


@pytest.mark.parametrize(
    "parts",
    [
        (column("a", Kind.INTEGER),),  # no bounds
        (levels("a", *(f"l{i}" for i in range(70_000))),),  # more than are tried
        (column("a", Kind.CATEGORICAL),),  # no levels
        tuple(whole(f"a{i}", 0, 1) for i in range(17)),  # 2**17 ends
        (),
    ],
)
def test_what_cannot_be_tried_stays(parts):
    target = whole("c", 0, 1)
    assert widened(target, pl.lit(9.0), parts) is target


def test_no_number_at_all_stays():
    target = whole("c", 0, 1)
    assert widened(target, pl.lit(None, dtype=pl.Float64), (whole("a", 0, 1),)) is target
    unbounded = column("c", Kind.INTEGER)
    assert widened(unbounded, pl.lit(9.0), (whole("a", 0, 1),)) is unbounded


@pytest.mark.parametrize(
    ("dtype", "kind", "sql", "bounds"),
    [
        ("uint8", Kind.INTEGER, "0 - a", (0, 1)),
        ("int8", Kind.INTEGER, "a * 1000", (0, 127)),
        ("int64", Kind.INTEGER, "a * 1e300", (0, 2**63 - 1)),
        ("float64", Kind.INTEGER, "a * 1e300", (0, 2**63 - 1)),
        ("float32", Kind.NUMBER, "0 - a * 1e300", (-float(np.finfo(np.float32).max), 1)),
        ("float64", Kind.NUMBER, "a * 1e299", (0, 9e299)),
    ],
)
def test_no_bound_is_beyond_the_stored_type(dtype, kind, sql, bounds):
    """A model with such a schema could not be saved, once all is charged."""
    target, part = column("c", kind, dtype=dtype, bounds=(0, 1)), whole("a", 1, 9)
    value = computed_value(Formula(column="c", sql=sql), table(target, part))
    assert widened(target, value, (part,)).bounds == pytest.approx(bounds, rel=1e-12)


@pytest.mark.parametrize(
    ("part", "bounds"),
    [
        (column("a", Kind.NUMBER, bounds=(-1.5e308, 1.5e308)), (-1.5e308, 1.5e308)),
        (column("a", Kind.NUMBER, bounds=(0.0, 1e300), decimals=2), (0, float(2**63) / 100)),
        (whole("a", -(2**63), 2**63 - 1), (-float(2**63), float(2**63))),
    ],
)
@pytest.mark.filterwarnings("error")
def test_domains_as_wide_as_there_are_numbers_are_tried(part, bounds):
    target = column("c", Kind.NUMBER, bounds=(0, 1))
    value = computed_value(Formula(column="c", sql="a"), table(target, part))
    assert widened(target, value, (part,)).bounds == pytest.approx(bounds)


def test_a_model_whose_rule_reaches_beyond_the_stored_type_is_saved_and_read(tmp_path):
    wide = {"dtype": "uint8", "bounds": (0, 200)}
    parts = (column("a", Kind.INTEGER, **wide), column("b", Kind.INTEGER, **wide))
    target = column("c", Kind.INTEGER, dtype="uint8", domain=Domain())
    rule = Formula(column="c", sql="CAST(a AS BIGINT) - CAST(b AS BIGINT)")
    rng = np.random.default_rng(0)
    rows = pl.DataFrame({"a": rng.integers(100, 201, 2000), "b": rng.integers(0, 100, 2000)})
    rows = rows.with_columns(c=pl.col("a") - pl.col("b")).cast(pl.UInt8)
    schema, budget = table(*parts, target, rules=(rule,)), tabsynth.Budget(epsilon=8)
    fits = [tabsynth.fit(rows, schema=schema, engine="independent", privacy=budget) for _ in range(7)]
    bounds = [fitted.schema["c"].bounds for fitted in fits]
    # bounds of c are bought: in 5 fits of 300 noise passed for a row beyond 200, so in four of seven with probability 3e-6
    assert bounds.count((0, 200)) >= 4
    assert all(low == 0 and 200 <= high <= 255 for low, high in bounds)
    fitted = fits[0]
    fitted.save(tmp_path / "m")
    made = FittedPipeline.load(tmp_path / "m").sample(500, seed=1)
    assert (made["a"].cast(int) - made["b"].cast(int) == made["c"]).mean() > 0.95


def test_a_cast_that_a_level_does_not_take_fails_no_fit_that_is_paid_for():
    rule = Formula(column="c", sql="CAST(k AS BIGINT) * 3")
    schema = table(column("c", Kind.INTEGER, domain=Domain()), levels("k", "1", "2", "x"), rules=(rule,))
    rows = pl.DataFrame({"c": [3, 6] * 200, "k": ["1", "2"] * 200})
    ledger = tabsynth.Ledger(tabsynth.Budget(epsilon=5))
    fitted = tabsynth.fit(
        rows, schema=schema, engine="independent", privacy=tabsynth.Budget(epsilon=5), ledger=ledger
    )
    assert fitted.schema["c"].bounds is not None


def test_a_private_fit_of_few_rows_does_not_hold_them_to_bounds_that_noise_hides():
    """Of 30 rows noise leaves a drafted column the bounds 0 and 1, where a * b + 50 never lies."""
    drafts = (whole("c", 0, 1), whole("d", 0, 1))
    drafts = tuple(column(one.name, Kind.INTEGER, domain=Domain()) for one in drafts)
    schema = Schema(
        tables=(
            table(
                whole("a", 0, 100),
                whole("b", 1, 9),
                *drafts,
                rules=(Formula(column="d", sql="c + 1000"), Formula(column="c", sql="a * b + 50")),
            ),
        )
    )
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": rng.integers(0, 101, 30), "b": rng.integers(1, 10, 30)})
    frame = frame.with_columns(c=pl.col("a") * pl.col("b") + 50).with_columns(d=pl.col("c") + 1000)
    fitted = tabsynth.fit(frame, schema=schema, engine="independent")
    rows = fitted.sample(2_000, seed=1)
    assert (rows["c"] == rows["a"] * rows["b"] + 50).all()
    assert (rows["d"] == rows["c"] + 1000).all()
    known = fitted.schema
    assert known["c"].bounds[0] <= 50
    assert known["c"].bounds[1] >= 950
    assert known["d"].bounds[1] >= 1950
