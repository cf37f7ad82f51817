"""Partial rows to be completed: what is given stays as it is, the rest is drawn given it.

Rows are grouped by which cells are given, and drawn group by group, at most as many groups at once as a block has rows.
A null cell is not given, unless its column is one in which null is a value.

Given cells outside a domain that was stated to be public are refused: the rows, or the statement, are wrong. A domain that was learnt from
rows is only what those rows showed, so there such cells stay as they are: to the model a number is the nearest it knows, and
a level is not given.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.constraints.base import Mask
from tabsynth.constraints.held import held_at
from tabsynth.constraints.plan import RulePlan
from tabsynth.constraints.steps import Combine
from tabsynth.encode import EncodedColumn
from tabsynth.encode.continuous import ContinuousEncoder
from tabsynth.encode.table import encoder_of
from tabsynth.errors import ConditionError, ConstraintError, DataError, Fault, StructureError, UsageError
from tabsynth.io import Layout, read_table
from tabsynth.models.condition import Condition, Given
from tabsynth.models.spans import LATTICE, LINE
from tabsynth.pipeline.requests import Part, Positions, places_of
from tabsynth.schema.hints import did_you_mean
from tabsynth.schema.rules import title_of
from tabsynth.schema.types import Kind, Origin, PrivacyUnit, TableSchema
from tabsynth.table import Table

Known = Mapping[str, Mask]
_NEAR = 1e-9


def read_partial(data: Any, schema: TableSchema) -> tuple[pl.DataFrame, Layout]:
    """Rows of some of the schema's columns, in their stored types, and how they were laid out.

    Raises `StructureError` listing columns that the schema does not know, `UsageError` where there is none that it does.
    """
    if isinstance(data, Table):
        data = data.frame
    names = read_table(data)[0].columns
    unknown = [name for name in names if name not in schema]
    if unknown:
        faults = [
            Fault(f"column {name!r}", "not in the schema", did_you_mean(name, schema.column_names))
            for name in unknown
        ]
        raise StructureError(f"the rows do not fit table {schema.name!r}", faults)
    columns = tuple(replace(schema[name], nullable=True) for name in schema.column_names if name in names)
    if not columns:
        raise UsageError("the rows have no column of the schema")
    part = replace(schema, columns=columns, constraints=(), primary_key=(), unit=PrivacyUnit())
    frame, layout = read_table(data, schema=part)
    return Table.conform(frame, part).frame.select(names), layout


@dataclass(frozen=True, eq=False, kw_only=True)
class Completed:
    """Rows to complete: `frame` has the given columns, `known` says which of their cells are given.

    Cells of `filled` columns that are not given may not be null in the end.
    """

    frame: pl.DataFrame
    known: Known
    filled: frozenset[str]
    plan: RulePlan

    @classmethod
    def of(
        cls, frame: pl.DataFrame, plan: RulePlan, *, nulls: Collection[str], filled: Collection[str]
    ) -> Completed:
        """Null cells of the columns `nulls` are given, those of others not.

        Raises `DataError` listing given cells outside domains that are public, `ConstraintError` for given cells that break rules by
        themselves, both with the numbers of rows.
        """
        known = {
            name: np.ones(frame.height, dtype=np.bool_)
            if name in nulls
            else frame[name].is_not_null().to_numpy()
            for name in frame.columns
        }
        found = cls(frame=frame, known=known, filled=frozenset(filled), plan=plan)
        found.require()
        return found

    def require(self) -> None:
        """Raise `DataError` and `ConstraintError` where given cells cannot be completed, as `of` does."""
        self._require_domains()
        self._require_rules()
        _ = self._groups

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.frame.columns, *sorted(self.filled)]))

    @cached_property
    def _strange(self) -> Mapping[str, tuple[Mask, Mask]]:
        """Of each modelled column which given cells are levels that it does not have, and which are numbers beyond its bounds."""
        found = {}
        for name in self.frame.columns:
            column = self.plan.schema[name]
            encoder = encoder_of(column)
            if encoder is None or not column.kind.is_modelled:
                continue
            variable, encoded = encoder.variable, encoder.encode(self.frame[name])
            codes = encoded[0] if isinstance(encoded, tuple) else encoded
            beyond = np.zeros(len(codes), dtype=np.bool_)
            if isinstance(encoded, tuple) and variable.lower is not None and variable.is_bounded:
                beyond = (encoded[1] < variable.lower) | (encoded[1] > (variable.upper or 0))
                beyond &= (codes == 0) & self.known[name]
            found[name] = (codes >= variable.n_levels) & self.known[name], beyond
        return found

    @property
    def n_outside(self) -> int:
        """Rows with a given cell outside its domain."""
        rows = np.zeros(self.frame.height, dtype=np.bool_)
        for level, number in self._strange.values():
            rows |= level | number
        return int(rows.sum())

    @cached_property
    def _told(self) -> Known:
        """The given cells that the model can be told of."""
        return {
            name: mask & ~self._strange[name][0] if name in self._strange else mask
            for name, mask in self.known.items()
        }

    @cached_property
    def fixed(self) -> frozenset[str]:
        return frozenset(name for name in self.plan.sources(self.frame.columns))

    @cached_property
    def _waiting(self) -> tuple[str, ...]:
        """Given columns that the model cannot be given."""
        combined = {name for step in self._combines for name in step.makes}
        return tuple(
            name
            for name in self.frame.columns
            if self.plan.sources([name]) != (name,) and name not in combined
        )

    @cached_property
    def _combines(self) -> tuple[Combine, ...]:
        return tuple(step for step in self.plan.steps if isinstance(step, Combine))

    @cached_property
    def _encoded(self) -> Given:
        """Given columns as the model knows them; of combined ones their variable, right where all are given."""
        found = {}
        for name in self.frame.columns:
            if name in self.plan.working and self.plan.sources([name]) == (name,):
                encoder = encoder_of(self.plan.working[name])
                if isinstance(encoder, ContinuousEncoder):
                    variable, (codes, values) = encoder.variable, encoder.encode(self.frame[name])
                    if variable.is_bounded:
                        values = np.where(codes == 0, np.clip(values, variable.lower, variable.upper), values)
                    found[name] = EncodedColumn(variable, codes, values)
                elif encoder is not None:
                    found[name] = EncodedColumn(encoder.variable, encoder.encode(self.frame[name]))
        for step in self._combines:
            if all(name in self.frame.columns for name in step.makes):
                encoder = encoder_of(self.plan.working[step.name])
                assert encoder is not None
                codes = np.maximum(step.combined.codes(self.frame), 0)
                small = np.min_scalar_type(encoder.variable.n_levels)
                found[step.name] = EncodedColumn(encoder.variable, codes.astype(small))
        return found

    @cached_property
    def _groups(self) -> tuple[npt.NDArray[np.int32], list[Part]]:
        """The group of every row, and what is asked of each, with whole columns of the model that it is given."""
        keys = [mask.astype(np.int64) for mask in self._told.values()]
        keys += [self._partial_codes(step) for step in self._combines]
        keys = keys or [np.zeros(self.frame.height, dtype=np.int64)]
        _, first, which = np.unique(np.stack(keys, axis=1), axis=0, return_index=True, return_inverse=True)
        kinds = which.reshape(-1).astype(np.int32)
        groups, n_refused, refused = [], 0, set()
        for kind, row in enumerate(first):
            try:
                groups.append(self._group(int(row)))
            except ConditionError as error:
                n_refused += int((kinds == kind).sum())
                refused.add(str(error).partition(": ")[2])
        if n_refused:
            said = "; ".join(sorted(refused))
            raise ConstraintError(
                f"{n_refused:,} rows have given cells that rules do not allow together: {said}"
            )
        return kinds, groups

    def _partial_codes(self, step: Combine) -> npt.NDArray[np.int64]:
        """A number for each set of given cells of a combined variable, 0 where all or none of them are given."""
        names = [name for name in step.makes if name in self.known]
        if not names:
            return np.zeros(self.frame.height, dtype=np.int64)
        n_known = np.sum([self._told[name] for name in names], axis=0)
        cells = self.frame.select(pl.struct(names).rank("dense").cast(pl.Int64)).to_series().to_numpy()
        return np.where((n_known > 0) & (n_known < len(step.makes)), cells, 0)

    def _group(self, row: int) -> Part:
        """What the group of a row is asked for."""
        names = {name for name, mask in self._told.items() if mask[row]}
        given = {name: column for name, column in self._encoded.items() if name in names}
        for step in self._combines:
            if set(step.makes) <= names:
                given[step.name] = self._encoded[step.name]
        missing = {name for name in self.filled if not (name in self.known and self.known[name][row])}
        conditions = [self._not_null(name) for name in sorted(missing)]
        for step in self._combines:
            if set(step.makes) & names and not set(step.makes) <= names:
                conditions += [self._at(name, row) for name in step.makes if name in names]
        held = held_at([one for one in conditions if one is not None], self.plan)
        return Part(np.empty(0, dtype=np.int64), held.conditions, given)

    def _not_null(self, name: str) -> Condition | None:
        """That a column is not null; None where it never is."""
        encoder = encoder_of(self.plan.schema[name])
        if encoder is None or encoder.variable.null_code is None:
            return None
        variable = encoder.variable
        codes = tuple(code for code in range(variable.n_levels) if code != variable.null_code)
        spans = LATTICE if variable.is_lattice else LINE
        return Condition(column=name, codes=codes, spans=spans if variable.is_continuous else ())

    def _at(self, name: str, row: int) -> Condition | None:
        encoder = encoder_of(self.plan.schema[name])
        cell = self.frame[name][row : row + 1]
        if encoder is None:
            return None
        if isinstance(encoder, ContinuousEncoder):
            codes, values = encoder.encode(cell)
            return Condition.at(name, int(codes[0]), values[0].item())
        return Condition.at(name, int(encoder.encode(cell)[0]))

    def parts(self, rows: Positions) -> Sequence[Part]:
        kinds, groups = self._groups
        found = []
        for kind, places in places_of(kinds[rows]):
            asked, chosen = groups[kind], rows[places]
            given = {name: _rows(column, chosen) for name, column in asked.given.items()}
            found.append(Part(places, asked.conditions, given))
        return found

    def missed(self, frame: pl.DataFrame, rows: Positions) -> Mask:
        missed = np.zeros(len(rows), dtype=np.bool_)
        for name in self.frame.columns:
            if name in frame.columns:
                missed |= self.known[name][rows] & ~_agree(frame[name], self.frame[name].gather(rows))
        for name in self.filled:
            if name in frame.columns:
                missed |= ~self._known_in(name, rows) & frame[name].is_null().to_numpy()
        return missed

    def _known_in(self, name: str, rows: Positions) -> Mask:
        return self.known[name][rows] if name in self.known else np.zeros(len(rows), dtype=np.bool_)

    def overlaid(self, frame: pl.DataFrame, rows: Positions) -> pl.DataFrame:
        made = []
        for name in self.frame.columns:
            if name in frame.columns and name not in self._waiting:
                cells, is_known = self.frame[name].gather(rows), self.known[name][rows]
                made.append(cells if is_known.all() else cells.zip_with(pl.Series(is_known), frame[name]))
        return frame.with_columns(made) if made else frame

    def _require_domains(self) -> None:
        faults = []
        for name in self.frame.columns:
            column, cells = self.plan.schema[name], self.frame[name]
            if column.kind is Kind.IDENTIFIER and column.unique and not self.known[name].all():
                n = int((~self.known[name]).sum())
                what = f"{n:,} identifiers are missing, which must not repeat the given ones"
                faults.append(Fault(f"column {name!r}", what, "give all of them, or leave the column out"))
            if name not in self._strange:
                continue
            level, number = self._strange[name]
            is_outside = level | number
            if column.domain.origin is not Origin.PUBLIC:
                is_outside = level & cells.is_null().to_numpy()
            if is_outside.any():
                what = f"{int(is_outside.sum()):,} given cells are outside its domain"
                faults.append(Fault(f"column {name!r}", what, "mend them, or leave them empty"))
        if faults:
            raise DataError("these rows cannot be completed", faults)

    def _require_rules(self) -> None:
        faults = []
        for one in self.plan.constraints:
            if not set(one.columns) <= set(self.known):
                continue
            whole = np.flatnonzero(np.logical_and.reduce([self.known[name] for name in one.columns]))
            n = int(one.violations(self.frame[whole]).sum())
            if n:
                faults.append(f"{title_of(one.rule)} ({n:,} rows)")
        if faults:
            raise ConstraintError(f"given cells break rules by themselves: {'; '.join(faults)}")
        for step in self._combines:
            if set(step.makes) <= set(self.known):
                whole = np.logical_and.reduce([self.known[name] for name in step.makes])
                n = int((whole & (step.combined.codes(self.frame) < 0)).sum())
                if n:
                    names = ", ".join(step.makes)
                    raise ConstraintError(f"{n:,} rows have given cells of {names} that no rule allows")


def _rows(column: EncodedColumn, rows: Positions) -> EncodedColumn:
    values = None if column.values is None else column.values[rows]
    return EncodedColumn(column.variable, column.codes[rows], values)


def _agree(made: pl.Series, given: pl.Series) -> Mask:
    if made.dtype.is_float():
        near = (made - given).abs() <= given.abs().clip(1.0) * _NEAR
        return (near.fill_null(value=False) | (made.is_null() & given.is_null())).to_numpy()
    return made.eq_missing(given).to_numpy()
