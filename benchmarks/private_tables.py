"""The real tables of the private benchmark: where they lie, how they are halved, what each predicts.

Their domains stand in `schemas/`, written from the publishers' codebooks and confirmed as public there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.files import read_schema
from tabsynth.schema.types import Schema

SCHEMAS = Path(__file__).parent / "schemas"


@dataclass(frozen=True, slots=True)
class Source:
    """A table's file below the data folder (a folder where it comes halved), and what is predicted."""

    path: str
    target: str | None = None
    person: str | None = None


SOURCES = {
    "adult_half": Source("adult_half", "income"),
    "credit_default": Source("credit_default/credit_default.csv.gz", "has_default"),
    "bank_marketing": Source("bank_marketing/bank_marketing.csv.gz", "y"),
    "support2": Source("support2/support2.csv.gz", "hospdead"),
    "diabetes130": Source("diabetes130/diabetes130.parquet", "readmitted", "patient_nbr"),
    "kdd_census_income": Source("kdd_census_income/kdd_census_train.parquet", "income"),
    "acs_income_2018": Source("acs_income_2018/acs_income_2018.parquet", "Income"),
    "nist_acs_national2019": Source("nist_acs_national2019/national2019.csv.gz"),
}


def schema_of(name: str) -> Schema:
    return read_schema(SCHEMAS / f"{name}.yaml")


def halves(name: str, data: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Train and holdout in the schema's columns and types: half of the rows each, or of the persons."""
    source, table = SOURCES[name], schema_of(name).only_table
    dtypes = {column.name: polars_dtype(column) for column in table.columns}

    def tidy(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.select(list(dtypes)).cast(dtypes)

    path = data / source.path
    if path.is_dir():
        return tidy(pl.read_parquet(path / "train.parquet")), tidy(pl.read_parquet(path / "holdout.parquet"))
    if path.suffix == ".parquet":
        frame = tidy(pl.read_parquet(path))
    else:
        frame = tidy(pl.read_csv(path, null_values=[""], infer_schema_length=None))
    order = np.random.default_rng(0)
    if source.person:
        persons = np.unique(frame[source.person].to_numpy())
        drawn = persons[order.permutation(len(persons))[: len(persons) // 2]]
        is_train = pl.Series(np.isin(frame[source.person].to_numpy(), drawn))
        return frame.filter(is_train), frame.filter(~is_train)
    rows = order.permutation(frame.height)
    middle = frame.height // 2
    return frame[np.sort(rows[:middle])], frame[np.sort(rows[middle:])]
