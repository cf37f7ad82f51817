"""Small tables made by hand, for the tests of metrics and of evaluation."""

from __future__ import annotations

import numpy as np
import polars as pl

from tabsynth.encode import EncodedColumn, EncodedTable, Variable, encode_table
from tabsynth.metrics.base import EvalData, MetricResult
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.table import Table


def integer(name: str, **fields) -> Column:
    return Column(name=name, kind=Kind.INTEGER, dtype="int64", **fields)


def number(name: str, **fields) -> Column:
    return Column(name=name, kind=Kind.NUMBER, dtype="float64", **fields)


def category(name: str, levels: str = "abc", **fields) -> Column:
    return Column(name=name, kind=Kind.CATEGORICAL, dtype="string", categories=tuple(levels), **fields)


def schema_of(*columns: Column) -> TableSchema:
    return TableSchema(name="t", columns=columns)


def table_of(schema: TableSchema, cells: dict[str, list]) -> Table:
    frame = pl.DataFrame({name: pl.Series(found, strict=False) for name, found in cells.items()})
    return Table.conform(frame, schema)


def eval_data(schema: TableSchema, synthetic: dict, train: dict, holdout: dict, target=None) -> EvalData:
    tables = [table_of(schema, cells) for cells in (synthetic, train, holdout)]
    encoded = [encode_table(table) for table in tables]
    return EvalData(
        synthetic=tables[0],
        train=tables[1],
        holdout=tables[2],
        encoded_synthetic=encoded[0],
        encoded_train=encoded[1],
        encoded_holdout=encoded[2],
        target=target,
    )


def discrete_column(codes, n_levels: int, **fields) -> EncodedColumn:
    variable = Variable(name="d", is_continuous=False, n_levels=n_levels, **fields)
    return EncodedColumn(variable, np.asarray(codes).astype(np.min_scalar_type(n_levels)))


def number_column(values, codes=None, **fields) -> EncodedColumn:
    """A continuous column; `codes` (all 0 by default) say where there is no number."""
    values = np.asarray(values)
    codes = np.zeros(len(values), dtype=np.uint8) if codes is None else np.asarray(codes, dtype=np.uint8)
    fields.setdefault("n_levels", 1 + int(codes.max(initial=0)))
    is_lattice = values.dtype.kind == "i"
    variable = Variable(name="n", is_continuous=True, is_lattice=is_lattice, **fields)
    return EncodedColumn(variable, codes, np.where(codes == 0, values, values.dtype.type(0)))


def encoded(**columns: EncodedColumn) -> EncodedTable:
    return EncodedTable(len(next(iter(columns.values())).codes), columns)


def rows_of(results: tuple[MetricResult, ...]) -> dict[tuple[str, ...], MetricResult]:
    """Results by (metric, *columns)."""
    return {(result.metric, *result.columns): result for result in results}
