"""The demo's real table: prescription drug spending of 10,391 older Americans.

It comes with the Python package linearmodels, which took it from the examples of Cameron and Trivedi,
Microeconometrics Using Stata (chapter 6); its rows are from the Medical Expenditure Panel Survey of the
US Agency for Healthcare Research and Quality. Only the file is read: the package is not imported.

Of its 29 columns, 6 restate others (logarithms, a square, sums of indicators) and are left out; 9
indicators are put together again into the 3 questions that they came from (health, income, insurance).
"""

from __future__ import annotations

import bz2
import importlib.util
from importlib.resources import files
from pathlib import Path

import polars as pl

from tabsynth.errors import UsageError
from tabsynth.schema import Schema, schema_from_yaml
from tabsynth.table import Table

RESTATED = ("ldrugexp", "linc", "age2", "vgh", "fph", "blhisp")
"""Columns of the source that are functions of others."""
TARGET = "priority_condition"
"""What the utility figures predict: whether the person has a condition on the survey's priority list."""


def meps_schema() -> Schema:
    """The public schema of the demo's table, written by hand."""
    text = files("tabsynth.demo").joinpath("schema.yaml").read_text(encoding="utf-8")
    return schema_from_yaml(text, where="the demo's schema")


def meps_table() -> Table:
    """The real table, 10,391 rows. Raises `UsageError` where the package linearmodels is missing."""
    source = pl.read_csv(_uncompressed())
    return Table.conform(_recoded(source), meps_schema().only_table)


def _uncompressed() -> bytes:
    found = importlib.util.find_spec("linearmodels")
    folders = [] if found is None else list(found.submodule_search_locations or ())
    paths = [Path(folder) / "datasets" / "meps" / "meps.csv.bz2" for folder in folders]
    for path in paths:
        if path.is_file():
            return bz2.decompress(path.read_bytes())
    raise UsageError(
        "the demo's table comes with the package linearmodels, which is not installed; "
        'install it with: python -m pip install "tabsynth[demo]"'
    )


def _recoded(source: pl.DataFrame) -> pl.DataFrame:
    def flag(name: str) -> pl.Expr:
        return pl.col(name) == 1

    # 29 persons have two health indicators set: the worse of the two counts
    health = (
        pl.when(flag("poor")).then(pl.lit("poor"))
        .when(flag("fair")).then(pl.lit("fair"))
        .when(flag("good")).then(pl.lit("good"))
        .when(flag("vegood")).then(pl.lit("very good"))
        .otherwise(pl.lit("excellent"))
    )  # fmt: skip
    income_group = (
        pl.when(flag("poverty")).then(pl.lit("poor"))
        .when(flag("lowincome")).then(pl.lit("low"))
        .when(flag("midincome")).then(pl.lit("middle"))
        .otherwise(pl.lit("high"))
    )  # fmt: skip
    insurance = (
        pl.when(flag("hi_empunion")).then(pl.lit("employer or union"))
        .when(flag("private")).then(pl.lit("other private"))
        .otherwise(pl.lit("none beside Medicare"))
    )  # fmt: skip
    return source.select(
        pl.col("age"),
        pl.when(flag("female")).then(pl.lit("female")).otherwise(pl.lit("male")).alias("sex"),
        flag("black").alias("black"),
        flag("hisp").alias("hispanic"),
        flag("marry").alias("married"),
        pl.col("educyr").alias("years_of_education"),
        flag("msa").alias("metropolitan"),
        income_group.alias("income_group"),
        pl.col("income").round(3).alias("income"),
        pl.col("ssiratio").round(4).alias("social_security_share"),
        insurance.alias("insurance"),
        (pl.col("firmsz") * 10).round(0).cast(pl.Int64).alias("firm_size"),
        flag("multlc").alias("several_locations"),
        health.alias("health"),
        pl.col("totchr").alias("chronic_conditions"),
        flag("priolist").alias("priority_condition"),
        pl.col("drugexp").alias("drug_spending"),
    )
