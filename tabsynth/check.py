"""Hold the cells of a table against its schema.

What this finds depends on the data, so its output is private, and a differentially private fit never
calls it. It speaks of columns and counts, never of a cell.
"""

from __future__ import annotations

import numpy as np

from tabsynth.encode import encode_table
from tabsynth.encode.table import EncodedColumn, EncodedTable
from tabsynth.errors import DataError, Fault
from tabsynth.fake import FakeColumns
from tabsynth.schema.generators import text_of
from tabsynth.schema.guess.personal import unmarked
from tabsynth.schema.made import unmade
from tabsynth.schema.types import Column, Kind
from tabsynth.table import Table


def check_table(table: Table, encoded: EncodedTable | None = None) -> tuple[Fault, ...]:
    """Every way in which a real table contradicts its schema, one fault per column and kind, with its count."""
    return (*check_cells(table, encoded), *_unit_faults(table))


def check_cells(table: Table, encoded: EncodedTable | None = None) -> tuple[Fault, ...]:
    """Every way in which cells contradict the schema, as far as synthetic ones may not: rows per person are none.

    The unit says what a fit protects of the source; who stands in a synthetic row is made anew, as often as it comes.
    """
    encoded = encode_table(table) if encoded is None else encoded
    faults: list[Fault] = []
    for column in table.schema.columns:
        series = table.frame[column.name]
        where = f"column {column.name!r}"
        nulls = series.null_count()
        if nulls and not column.nullable:
            faults.append(Fault(where, _cells(nulls, "null"), "set nullable: true"))
        if column.name in encoded.columns:
            faults.extend(_domain_faults(column, encoded.columns[column.name], nulls, where))
        if column.kind is Kind.IDENTIFIER and column.unique:
            faults.extend(_repeats(table, (column.name,), where))
    key = table.schema.primary_key
    if key and not (len(key) == 1 and table.schema[key[0]].unique):
        faults.extend(_repeats(table, key, f"primary key ({', '.join(key)})"))
    return tuple(faults)


def _unit_faults(table: Table) -> list[Fault]:
    unit = table.schema.unit
    if unit.column is None or unit.max_rows is None:
        return []
    counts = table.frame[unit.column].value_counts()["count"]
    n_over = int((counts > unit.max_rows).sum())
    what = f"{n_over} persons have more than the declared {unit.max_rows} rows"
    hint = "raise max_rows, or accept that a fit leaves rows out at random"
    return [Fault(f"privacy unit {unit.column!r}", what, hint)] if n_over else []


def check_personal(table: Table) -> tuple[Fault, ...]:
    """Columns that a fit would refuse by the schema, and those that look personal and would be learnt all the same."""
    looks = (
        Fault(
            f"column {name!r}",
            f"looks like {found}, and would be learnt",
            "role: identifier, kind: identifier or text, and a generator; or learnt_because: why it is none of that",
        )
        for name, found in unmarked(table.schema, table.frame).items()
    )
    refused = unmade(table.schema)
    named = {fault.where for fault in refused}
    return (*refused, *(fault for fault in looks if fault.where not in named))


def check_generators(table: Table) -> tuple[Fault, ...]:
    """Generators that cannot make such a table: too few values for its rows, or a sex that no cell can have."""
    schema = table.schema
    fake = FakeColumns(schema=schema, n_rows=table.n_rows, seed=0)
    room = (
        Fault(f"column {name!r}", what, "a wider pattern, or leave unique out")
        for name, what in fake.without_room.items()
    )
    return (*room, *(fault for column in schema.columns for fault in _sex_faults(column, table)))


def _sex_faults(column: Column, table: Table) -> list[Fault]:
    """`female` or `male` names no value of the column of sex, which has some that neither names."""
    found = column.generator
    if found is None or found.sex is None or found.sex not in table.schema:
        return []
    levels = table.schema[found.sex].categories
    cells = table.frame[found.sex].drop_nulls().unique().to_list() if levels is None else levels
    values = {text_of(value) for value in cells}
    said = {"female": {text_of(one) for one in found.female}, "male": {text_of(one) for one in found.male}}
    n_open = len(values - said["female"] - said["male"])
    return [
        Fault(
            f"column {column.name!r}",
            f"{name}: names none of the {len(values)} values of {found.sex!r}, of which {n_open} are neither female nor male",
            f"name values that {found.sex!r} has",
        )
        for name, named in said.items()
        if n_open and not named & values
    ]


def require_valid(table: Table, encoded: EncodedTable | None = None) -> None:
    """Raise `DataError` with every fault that `check_cells` finds."""
    if faults := check_cells(table, encoded):
        raise DataError(f"cells of table {table.schema.name!r} contradict the schema", faults)


def _domain_faults(column: Column, encoded: EncodedColumn, nulls: int, where: str) -> list[Fault]:
    variable, faults = encoded.variable, []
    outside = int((encoded.codes == variable.n_levels).sum()) - (0 if column.nullable else nulls)
    if outside > 0:
        what = (
            "not a finite number or time in the declared format"
            if variable.is_continuous
            else "not a declared category"
        )
        hint = (
            _not_a_number_hint(column) if variable.is_continuous else "add the categories, or mend the data"
        )
        faults.append(Fault(where, _cells(outside, what), hint))
    if encoded.values is not None and variable.lower is not None and variable.upper is not None:
        numbers = encoded.values[encoded.codes == 0]
        beyond = int(np.count_nonzero((numbers < variable.lower) | (numbers > variable.upper)))
        if beyond:
            faults.append(
                Fault(
                    where, _cells(beyond, "beyond the declared bounds"), "widen the bounds, or mend the data"
                )
            )
    return faults


def _not_a_number_hint(column: Column) -> str:
    """An infinity is no special value: these are finite where the stored type is of numbers."""
    if column.dtype.startswith("float"):
        return "turn infinities into nulls, or leave these rows out; mend other cells"
    return "list them under special_values, or mend the data"


def _repeats(table: Table, key: tuple[str, ...], where: str) -> list[Fault]:
    duplicates = table.n_rows - table.frame.select(key).n_unique() if table.n_rows else 0
    return (
        [Fault(where, f"{duplicates} rows repeat an earlier key", "it is not unique")] if duplicates else []
    )


def _cells(count: int, what: str) -> str:
    return f"{count} cell{'s' if count != 1 else ''} {'is' if count == 1 else 'are'} {what}"
