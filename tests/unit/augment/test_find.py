"""Slices: a planted failure is found and named, small slices are counted and not named."""

import io
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from tabsynth.augment.find import Finding, SliceResults, find_slices
from tabsynth.augment.stretches import COARSE, FINE, axis_of
from tabsynth.encode import encode_table
from tabsynth.errors import DataError, UsageError
from tabsynth.report.slices import lead_of_slices, name_of, proposed_for, render_slices
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.table import Table

SCHEMA = TableSchema(
    name="visits",
    columns=(
        Column(name="x", kind=Kind.NUMBER, dtype="float64", nullable=True),
        Column(name="site", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b", "c", "minute")),
        Column(name="sex", kind=Kind.CATEGORICAL, dtype="string", categories=("f", "m")),
        Column(name="y", kind=Kind.BOOLEAN, dtype="bool"),
    ),
)


def visits(n: int = 1_500) -> Table:
    """`x` says what y is, but at site c, 4 % of the rows, where it says nothing; 6 rows are of a minute site."""
    rng = np.random.default_rng(2)
    site = rng.choice(["a", "b", "c"], n, p=[0.6, 0.36, 0.04]).astype("<U6")
    site[:6] = "minute"
    y = rng.random(n) < 0.3
    x = np.where(site == "c", rng.normal(size=n), rng.normal(4.0 * y, 1.0))
    frame = pl.DataFrame({"x": x, "site": site, "sex": rng.choice(["f", "m"], n), "y": y})
    return Table.conform(frame, SCHEMA)


@pytest.fixture(scope="module")
def found() -> SliceResults:
    return find_slices(visits(), target="y", seed=1)


def test_the_planted_slice_comes_first_and_is_proposed(found):
    first = found.findings[0]
    assert first.where == {"site": "c"}
    assert first.fails
    assert first.is_thin
    assert first.n_rows == (visits().frame["site"] == "c").sum()
    assert first.loss > 2 * found.loss
    assert found.proposals[0] == first


def test_slices_of_few_rows_are_counted_and_never_named(found):
    # the minute site; it with either sex, where anybody is; and pairs with a stretch of x
    frame = visits().frame
    encoded = encode_table(visits()).columns["x"]
    frame = frame.with_columns(x=pl.Series(axis_of(SCHEMA["x"], encoded, at=COARSE).codes))
    assert set(axis_of(SCHEMA["x"], encoded, at=FINE).codes) == set(range(14))
    counts = [
        frame.group_by(names).len()["len"]
        for names in (["site"], ["site", "sex"], ["site", "x"], ["sex", "x"])
    ]
    assert found.n_small == sum(int((each < 11).sum()) for each in counts)
    assert "minute" not in str(found.to_dict())
    assert all(one.n_class is None or one.n_class == 0 or one.n_class >= 11 for one in found.findings)


def test_a_column_that_tells_nothing_is_no_news(found):
    """The loss is the same for both sexes, but for chance, which is allowed for: 5 % for all slices together."""
    assert not any(set(one.where) == {"sex"} and one.fails for one in found.findings)


def test_the_terminal_names_slices(found):
    buffer = io.StringIO()
    render_slices(found, Console(file=buffer, width=120))
    assert "site = c" in buffer.getvalue()
    assert "fails in" in lead_of_slices(found)
    assert SliceResults.from_dict(found.to_dict()) == found
    # x says nothing then; of 130 tables of noise 6 had a slice that fails, the 5 % that are allowed for
    alike = Table(
        SCHEMA, visits().frame.filter(pl.col("site") == "a").with_columns(pl.col("x").shuffle(seed=2))
    )
    assert "No slice" in lead_of_slices(find_slices(alike, target="y"))


OLD = TableSchema(
    name="old",
    columns=(
        Column(name="age", kind=Kind.INTEGER, dtype="int64"),
        Column(name="since", kind=Kind.DATE, dtype="date"),
        Column(name="x", kind=Kind.NUMBER, dtype="float64"),
        Column(name="ward", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b")),
        Column(name="y", kind=Kind.BOOLEAN, dtype="bool"),
    ),
)


def old(where: str, n: int = 6_000) -> Table:
    """y is x > 1 but a coin flip among the old, or the recent."""
    rng = np.random.default_rng(4)
    frame = pl.DataFrame(
        {
            "age": rng.integers(18, 92, n),
            "since": pl.Series(rng.integers(19_000, 20_000, n)).cast(pl.Int32).cast(pl.Date),
            "x": rng.normal(size=n),
            "ward": rng.choice(["a", "b"], n),
            "coin": rng.random(n) < 0.5,
        }
    )
    is_lost = pl.sql_expr(where)
    return Table.conform(
        frame.with_columns(y=pl.when(is_lost).then("coin").otherwise(pl.col("x") > 1)).drop("coin"), OLD
    )


@pytest.mark.parametrize(
    ("lost", "name", "sign"),
    [("age >= 85", "age", ">="), ("since >= '2024-07-20'::date", "since", ">="), ("age < 22", "age", "<")],
)
def test_a_stretch_where_a_model_fails_is_found(lost, name, sign):
    table = old(lost)
    found = find_slices(table, target="y")
    first = found.findings[0]
    assert list(first.where) == [name]
    assert list(first.where[name]) == [sign]
    asked = pl.sql_expr(
        f"{name} {sign} "
        + (f"'{first.where[name][sign]}'::date" if name == "since" else first.where[name][sign])
    )
    frame = table.frame
    assert first.n_rows == frame.filter(asked).height
    lost_rows = frame.select((pl.sql_expr(lost) != asked).mean()).item()
    assert lost_rows < 0.02  # its end is near the true one
    assert found.proposals[0] == first
    assert name_of(first) == f"{name} {sign} {first.where[name][sign]}"


def test_the_ages_of_twenty_thousand_rows():
    first = find_slices(old("age >= 85", 20_000), target="y").findings[0]
    assert first.where == {"age": {">=": "85"}}
    assert first.fails


def test_a_level_of_a_stretch_fails_where_neither_does_by_itself():
    found = find_slices(old("age >= 70 AND ward = 'b'"), target="y")
    assert any({"age", "ward"} == set(one.where) and one.where["ward"] == "b" for one in found.findings)


def test_a_stretch_that_is_thin_alone_is_no_news():
    """Ward a has 4 % of the rows, and so have the ends of age and of the dates, where a model does as well as elsewhere."""
    table = old("age >= 200", 1_500)
    is_rare = pl.int_range(pl.len()) % 25 == 0
    frame = table.frame.with_columns(ward=pl.when(is_rare).then(pl.lit("a")).otherwise(pl.lit("b")))
    thin = [one.where for one in find_slices(Table(OLD, frame), target="y").findings if one.is_thin]
    assert {"ward": "a"} in thin
    assert not any(set(where) & {"age", "since"} for where in thin)


def test_all_numbers_of_a_column_are_two_stretches():
    """Where age is known y is a coin flip: all of its stretches fail alike, and no range holds all numbers and no null."""
    schema = OLD.with_column(replace(OLD["age"], nullable=True))
    frame = old("ward = 'b'").frame.with_columns(age=pl.when(ward="b").then("age")).drop("ward")
    schema = replace(schema, columns=tuple(one for one in schema.columns if one.name != "ward"))
    found = [
        one.where["age"]
        for one in find_slices(Table(schema, frame), target="y").findings
        if "age" in one.where
    ]
    assert sorted(list(where) for where in found if where is not None) == [["<"], [">="]]


def test_unknown_levels_are_no_slice():
    table = old("age >= 85", 1_500)
    frame = table.frame.with_columns(ward=pl.when(pl.col("age") < 30).then(pl.lit("zz")).otherwise("ward"))
    assert "zz" not in str(find_slices(Table(OLD, frame), target="y").to_dict())


def finding(n_class: int | None, *, is_thin: bool, fails: bool, z: float = 9.0) -> Finding:
    return Finding(where={"a": "b"}, n_rows=50, n_class=n_class, loss=1.0, z=z, is_thin=is_thin, fails=fails)


@pytest.mark.parametrize(
    ("findings", "chosen", "said"),
    [
        ([(30, True, True), (40, True, True), (30, False, True)], [0, 1], ""),
        (
            [(30, False, True), (40, True, True), (40, False, True)],
            [0, 1],
            "failing, not thin; thin and failing",
        ),
        (
            [(30, False, True), (40, False, True), (40, True, False)],
            [0, 2],
            "failing, not thin; thin, not failing",
        ),
        ([(40, True, False), (40, True, False)], [0], "that is thin, not failing."),
        (
            [(19, True, True), (None, False, True), (0, True, False)],
            [],
            "of 20 rows of the class, and of 40% of all",
        ),
        ([], [], ""),
    ],
)
def test_what_is_proposed_can_be_tried_and_is_explained(findings, chosen, said):
    made = tuple(
        finding(n, is_thin=thin, fails=fails, z=9.0 - at) for at, (n, thin, fails) in enumerate(findings)
    )
    results = SliceResults(
        table="t", target="y", n_rows=500, n_examined=9, n_small=0, loss=0.1, findings=made
    )
    assert results.proposals == tuple(made[at] for at in chosen)
    assert said in proposed_for(results.proposals, n_found=len(made))
    assert bool(said) == bool(proposed_for(results.proposals, n_found=len(made)))


def test_most_of_the_rows_are_not_proposed():
    made = tuple(
        replace(finding(90, is_thin=False, fails=True), where={"a": "b"}, n_rows=n_rows)
        for n_rows in (201, 200)
    )
    results = SliceResults(
        table="t", target="y", n_rows=500, n_examined=9, n_small=0, loss=0.1, findings=made
    )
    assert results.proposals == made[1:]


@pytest.mark.parametrize(
    ("n", "target", "error", "said"),
    [
        (100, "x", UsageError, "kind number"),
        (100, "z", UsageError, "not a column"),
        (30, "y", DataError, "needs 20"),
    ],
)
def test_targets_that_cannot_be_found(n, target, error, said):
    with pytest.raises(error, match=said):
        find_slices(visits(n), target=target)
