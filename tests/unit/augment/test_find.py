"""Slices: a planted failure is found and named, small slices are counted and not named."""

import io

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from tabsynth.augment.find import SliceResults, find_slices
from tabsynth.errors import DataError, UsageError
from tabsynth.report.slices import lead_of_slices, render_slices
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
    # the minute site; and it with either sex, where anybody is
    sexes = visits().frame.filter(pl.col("site") == "minute")["sex"].n_unique()
    assert found.n_small == 1 + sexes
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
    alike = Table(SCHEMA, visits().frame.filter(pl.col("site") == "a"))
    assert "No slice" in lead_of_slices(find_slices(alike, target="y"))


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
