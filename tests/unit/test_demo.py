"""The demo's table and its public schema."""

from __future__ import annotations

import importlib.util
import sys

import polars as pl
import pytest

from tabsynth.check import check_table
from tabsynth.demo import meps, meps_schema, meps_table
from tabsynth.errors import UsageError
from tabsynth.schema.types import Kind, Origin

needs_package = pytest.mark.skipif(
    importlib.util.find_spec("linearmodels") is None, reason="linearmodels (extra demo) is not installed"
)


@needs_package
def test_every_row_of_the_table_conforms_to_the_schema() -> None:
    table = meps_table()
    assert table.n_rows == 10_391
    assert check_table(table) == ()


@needs_package
def test_the_package_is_not_imported() -> None:
    meps_table()
    assert "linearmodels" not in sys.modules


@needs_package
def test_the_indicators_are_kept_in_the_columns_made_of_them() -> None:
    source = pl.read_csv(meps._uncompressed())
    made = meps_table().frame
    assert (made["health"] == "poor").sum() == (source["poor"] == 1).sum()
    n_indicators = source.select("poor", "fair", "good", "vegood").sum_horizontal()
    assert (n_indicators > 1).sum() == 29
    assert (made["health"] == "excellent").sum() == (n_indicators == 0).sum()
    assert (made["income_group"] == "poor").sum() == (source["poverty"] == 1).sum()
    assert (made["income_group"] == "high").sum() == 10_391 - source.select(
        "poverty", "lowincome", "midincome"
    ).to_numpy().sum()
    assert (made["insurance"] == "employer or union").sum() == (source["hi_empunion"] == 1).sum()
    assert (made["insurance"] == "none beside Medicare").sum() == (source["private"] == 0).sum()
    assert (made["sex"] == "female").sum() == (source["female"] == 1).sum()
    assert (made["firm_size"] - source["firmsz"] * 10).abs().max() < 1e-5  # type: ignore[operator]


@needs_package
def test_what_is_left_out_restates_other_columns() -> None:
    source = pl.read_csv(meps._uncompressed())
    positive = source.filter(pl.col("income") > 0)
    assert (source["age2"] == source["age"] ** 2).all()
    assert (source["ldrugexp"] - source["drugexp"].log()).abs().max() < 1e-5  # type: ignore[operator]
    assert (positive["linc"] - positive["income"].log()).abs().max() < 1e-4  # type: ignore[operator]
    either = (source["black"] + source["hisp"] > 0).cast(pl.Int64)
    assert (source["blhisp"].cast(pl.Int64) == either).all()
    used = {"vegood", "good", "fair", "poor"}
    assert used.isdisjoint(meps.RESTATED)
    n_source = len(source.columns)
    assert (n_source, len(meps.RESTATED), len(meps_schema().only_table.columns)) == (29, 6, 17)


def test_every_domain_is_stated_public_with_its_source_and_described() -> None:
    for column in meps_schema().only_table.columns:
        assert column.domain.origin is Origin.PUBLIC
        assert column.domain.by == "tabsynth"
        assert column.domain.source
        assert column.description
        assert column.kind is Kind.BOOLEAN or column.bounds or column.categories


def test_a_missing_package_is_said_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r'python -m pip install "tabsynth\[demo\]"'):
        meps_table()
