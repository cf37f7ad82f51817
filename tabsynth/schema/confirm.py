"""Record who states that a column's domain is public, and on what source.

A domain drafted from private data becomes public knowledge by a person's statement only: somebody named,
relying on something that is not the data (a codebook, a form, a law). The statement is kept column by
column with its date. Whether it is true is for that person to answer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from tabsynth.errors import Fault, SchemaError
from tabsynth.schema.hints import did_you_mean
from tabsynth.schema.types import Domain, Origin, TableSchema


def confirm(
    table: TableSchema, *, by: str, source: str, columns: Sequence[str] | None = None, on: dt.date
) -> TableSchema:
    """`table` with the domains of `columns` (None: of all) marked public, as stated `by` someone on a `source`.

    Raises `SchemaError`, listing everything that is wrong: `by` or `source` left blank, columns that the
    table does not have. Says nothing of whether the domain is right or the source public.
    """
    faults = [
        Fault(key, "must not be blank", hint)
        for key, value, hint in (
            ("by", by, "name the person who states that the domains are public"),
            ("source", source, "name what the statement rests on, such as a codebook"),
        )
        if not value.strip()
    ]
    chosen = table.column_names if columns is None else tuple(columns)
    faults += [
        Fault(f"column {name!r}", f"not in table {table.name!r}", did_you_mean(name, table.column_names))
        for name in dict.fromkeys(chosen)
        if name not in table
    ]
    if faults:
        raise SchemaError(f"the domains of table {table.name!r} cannot be confirmed", faults)
    domain = Domain(origin=Origin.PUBLIC, by=by.strip(), source=source.strip(), on=on)
    stated = frozenset(chosen)
    return replace(
        table,
        columns=tuple(
            replace(c, domain=domain, review=None) if c.name in stated else c for c in table.columns
        ),
    )
