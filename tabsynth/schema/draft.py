"""Draft a schema from data: a proposal to read, correct and confirm.

Everything proposed was read off the data, so every domain is marked `draft` and the result is as private
as the table. Names suggest, values decide. `n` is the number of cells that are present; nulls and NaN
make a column nullable.

Booleans
    Boolean columns, and text that is `true` and `false` in any case (both must occur).
Whole numbers, and floats that are all whole (integers with nulls, as pandas reads them)
    1. 0 … n-1 or 1 … n without gap, in any order, from 20 rows: a unique identifier (a row number).
    2. A name that speaks of a key (`id`, `…_id`, `key`, `uuid`, `ssn`, `account`; weaker `number`, `nbr`,
       `no`): an identifier if all values differ, if it names a person (`patient_nbr`), or if it names some
       other thing with more than 100 values or has fewer than 10 rows a value; else a code list.
    3. At most 2 values, or at most 6 from 0 to 9 with 10 rows each on average under a name that counts
       nothing (`number`, `count`, `age`, `years`), or a code-like name (`…_code`, `…type…`, `sex`, `race`,
       `region`) with at most 100 values, or a name of a public code list (`zip`, `icd`, `naics`):
       categorical.
    4. Integer; whole floats are numbers with 0 decimals. Unsigned integers of 2**63 and more: an
       identifier, or categorical with at most 100 values.
Floats and decimals
    Number, with `decimals` where values are written with at most 6 (the rounding noise of sums aside). One
    cell in 1,000 may have more and is rounded, if the column has other values enough. `format` is the fewest decimals of
    a cell in the CSV, where they are not always the same. Infinities are outside the domain.
Special values of numbers and times
    Values that occur at least 5 times and in 0.1 % of cells and stand apart from the others: -1, -9, -99
    beside numbers that are not negative; 99, 999, 9998 far above; or one value far from all others, in
    1 % of cells.
Dates, datetimes, durations
    With their timezone, and the coarsest resolution of which all are whole multiples. Times of day in a
    CSV (`08:30`, `08:30:00`) are durations, written as they were; datetimes there whose UTC offsets differ
    are in UTC.
Text
    1. `first_name`, `last_name`, `email`, `phone`, `address`, `name` and the like by name (and look): text of
       that format. E-mail addresses also by look alone. Under `comment` and the like: free text.
    2. Dates and datetimes when one format reads all values and writes them back the same; day and month
       must be told apart by the data. Eight digits only under a name that speaks of a date.
    3. Keys by name, as above.
    4. At least 20 different numbers beside at most 5 different words, none with a leading zero: an integer
       or number held as text, the words as special values (`N`, `> 89`).
    5. Amounts that no number type reads (`8,583.00`, `533,38`, `$5`; in a CSV with decimal commas `8.583`, too), times of day, and dates and datetimes
       that no one format reads: categorical, or free text where most differ; never an identifier. The
       description says what to do.
    6. All different, from 20 rows: an identifier if single short words, else free text.
    7. More than max(1000, 5 % of n) values, or values that mostly occur once (from 50 values): free text if
       most have several words; an identifier if 90 % differ; else it is a long code list.
    8. Three or more brackets (`[0-10)`, `1-2 years`, `>5 years`) or a known scale (low, medium, high):
       ordinal, in that order. Else categorical, levels in ascending order, of numbers
       where all are.
Types that list levels
    Ordered categories of pandas, Enums of polars and ordered dictionaries of Arrow: ordinal, all levels in the type's
    order, whether they occur or not. Other categories of pandas: their list, where the values do not look like an
    identifier, a text, a number with decimals or a time.
Empty columns
    Categorical without levels, nullable: null is the only level.
Personal data
    What then looks like an identifier or personal data (`tabsynth.schema.guess.personal`) is made anew with a
    generator of its kind. Every column that is made anew has a note for `review`; free text has no generator,
    and no fit takes it before somebody says what stands in its place.
Roles
    Identifiers, names and addresses are `identifier`; names such as age, sex, zip, birth date, race or
    native country are `quasi_identifier`; diagnosis, income, HIV and the like `sensitive`. The rest, and
    whether these are right, is for people to say. So is the privacy unit: a draft protects rows.
Keys
    The first unique identifier that is never null becomes the primary key, a row number (`row_id`, `no`)
    only where there is no other. Between tables, a column that bears the name and holds only values of
    another table's primary key becomes a foreign key, row numbers aside.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import polars as pl

from tabsynth.errors import Fault, StructureError
from tabsynth.schema.guess.column import guess_column, stored_dtype
from tabsynth.schema.guess.fill import filled_column
from tabsynth.schema.guess.names import read_name
from tabsynth.schema.guess.personal import TIMES, is_key, proposed, suspicion
from tabsynth.schema.levels import Levels
from tabsynth.schema.types import Column, CsvDialect, ForeignKey, Kind, Origin, Schema, TableSchema

FREE_TEXT = (
    "free text, which is never learnt: drop it, or say what stands in its place (generator: mask or template)"
)
NO_ROWS = "Drafted from a table without rows: nothing can be learnt of its columns but their names."


def draft_table(
    frame: pl.DataFrame,
    *,
    name: str,
    csv: CsvDialect | None = None,
    as_written: Collection[str] = (),
    levels: Mapping[str, Levels] | None = None,
) -> TableSchema:
    """A proposed schema of `frame`, every domain marked `draft`. The result is private (see the module).

    Text in the columns `as_written` has decimal commas, and points between thousands. `levels` are those that the types of the frame's source list, by column.

    Raises `StructureError`, listing every column whose type a schema cannot store, and where there is no
    column at all. No cell makes it raise.
    """
    stored = {column: stored_dtype(dtype) for column, dtype in frame.schema.items()}
    faults = [
        Fault(
            f"column {column!r}",
            f"type {frame.schema[column]} is not supported",
            _remedy(frame.schema[column]),
        )
        for column, found in stored.items()
        if found is None
    ]
    if faults or not stored:
        what = "has columns that a schema cannot describe" if faults else "has no columns"
        raise StructureError(f"table {name!r} {what}", faults)
    listed = levels or {}
    guessed = (
        guess_column(
            frame[column],
            stored=found or "",
            decimal="," if column in as_written else ".",
            levels=listed.get(column),
        )
        for column, found in stored.items()
    )
    columns = tuple(_with_review(column, frame[column.name]) for column in guessed)
    return TableSchema(
        name=name,
        columns=columns,
        primary_key=_primary_key(columns),
        csv=csv or CsvDialect(),
        description=None if frame.height else NO_ROWS,
    )


def draft_schema(
    frames: Mapping[str, pl.DataFrame],
    *,
    as_written: Mapping[str, Collection[str]] | None = None,
    levels: Mapping[str, Mapping[str, Levels]] | None = None,
) -> Schema:
    """A proposed schema of several tables and the foreign keys between them; `as_written` and `levels` as in `draft_table`, by table.

    Raises `StructureError` as `draft_table` does, listing the faults of all tables at once.
    """
    tables: list[TableSchema] = []
    faults: list[Fault] = []
    for name, frame in frames.items():
        try:
            tables.append(
                draft_table(
                    frame,
                    name=name,
                    as_written=(as_written or {}).get(name, ()),
                    levels=(levels or {}).get(name),
                )
            )
        except StructureError as error:
            where = [
                Fault(f"table {name!r}, {fault.where}", fault.what, fault.hint) for fault in error.faults
            ]
            faults += where or [Fault(f"table {name!r}", "has no columns")]
    if faults:
        raise StructureError("the data has columns that a schema cannot describe", faults)
    return Schema(tables=tuple(tables), foreign_keys=_foreign_keys(tables, frames))


def with_formats(table: TableSchema, formats: Mapping[str, str]) -> TableSchema:
    """A drafted table with the formats in which a CSV writes its dates, times and numbers, by column.

    They go to columns that are held as such, not as text. The fewest decimals of numbers (`0.0`) are left
    out where they are what is written without them.
    """
    for name, form in formats.items():
        column = table[name]
        if column.dtype == "string" or column.format is not None:
            continue
        if column.kind is Kind.NUMBER:
            usual = 1 if column.decimals is None else column.decimals
            if len(form.partition(".")[2]) != usual:
                table = table.with_column(replace(column, format=form))
        elif column.kind.is_time:
            table = table.with_column(replace(column, format=form.replace(".%f", "%.f")))
    return table


def fill_domains(table: TableSchema, cells: pl.DataFrame) -> TableSchema:
    """`table` with what it leaves open read off `cells`, its columns in its types. Private, as drafts are.

    Levels, bounds, decimals, resolutions, special values and masks of identifiers are added where none is
    declared, and columns with nulls become nullable, identifiers that are unique aside. What is declared
    stays, and so do columns whose domain is public or charged. What was read off the data is `draft`.
    """
    for column in table.columns:
        if column.domain.origin is Origin.DRAFT:
            table = table.with_column(filled_column(column, cells[column.name]))
    return table


def _with_review(column: Column, series: pl.Series) -> Column:
    """The column, made anew where its cells look personal, with what a person should look at."""
    found = suspicion(series)
    if column.kind.is_modelled:
        return (
            column
            if found is None or column.kind in TIMES
            else proposed(column, found, unique=is_key(series))
        )
    if found is None:
        is_free = column.kind is Kind.TEXT and column.format is None
        return replace(column, review=FREE_TEXT if is_free else "an identifier, by content")
    if column.kind is Kind.IDENTIFIER and found.generator is not None and column.dtype == "string":
        return replace(proposed(column, found, unique=column.unique), unique=column.unique)
    return replace(column, review=str(found))


def _remedy(dtype: pl.DataType) -> str:
    if dtype.is_nested():
        return "unnest or explode it into plain columns, or drop it"
    if dtype == pl.Time:
        return "hold it as text, or as a duration since midnight"
    if dtype.is_integer():
        return "cast it to a 64-bit integer or to text"
    return "convert it to text, or drop it"


def _primary_key(columns: tuple[Column, ...]) -> tuple[str, ...]:
    """The first unique identifier, row numbers only where there is no other."""
    keys = [c.name for c in columns if c.kind is Kind.IDENTIFIER and c.unique and not c.nullable]
    named = [name for name in keys if not _is_row_number(name)]
    return tuple((named or keys)[:1])


def _is_row_number(name: str) -> bool:
    return read_name(name).key.startswith("weak")


def _foreign_keys(tables: list[TableSchema], frames: Mapping[str, pl.DataFrame]) -> tuple[ForeignKey, ...]:
    parents = [(table.name, table.primary_key[0]) for table in tables if table.primary_key]
    parents = [(table, key) for table, key in parents if not _is_row_number(key)]
    found = []
    for child in tables:
        for parent, key in parents:
            if parent == child.name or key not in child:
                continue
            cells, known = frames[child.name].select(key).drop_nulls(), frames[parent].select(key)
            if (
                cells.schema == known.schema
                and len(cells)
                and cells.join(known, on=key, how="anti").is_empty()
            ):
                found.append(
                    ForeignKey(child=child.name, child_columns=(key,), parent=parent, parent_columns=(key,))
                )
    return tuple(found)
