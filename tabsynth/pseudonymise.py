"""Identifiers of real rows behind a keyed hash, where real rows are kept beside synthetic ones.

A pseudonym is HMAC-SHA256 (RFC 2104) of the cell under a key of yours, 32 hexadecimal digits of it: the same cell
gives the same one, so tables can still be joined, and nobody without the key can try cells out. It stays personal
data (WP29 Opinion 05/2014, 4): whoever has the key names everybody, rows can be followed from table to table, and the
other columns are as they were. So columns are marked in the schema, no private fit takes them, and the policy for
outsiders denies them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from tabsynth.errors import PrivacyError, UsageError
from tabsynth.io import Layout
from tabsynth.privacy import NoPrivacy, Privacy
from tabsynth.schema.generators import MASK, generator_of
from tabsynth.schema.types import Column, Kind, Role, Schema, TableSchema
from tabsynth.secrets_file import read_secret
from tabsynth.source import AnySchema, as_schema, as_table
from tabsynth.table import Table

METHOD = "hmac-sha256"
FEWEST_BYTES = 32
_LENGTH = 32


@dataclass(frozen=True, eq=False, slots=True)
class Pseudonymised:
    """Real rows with pseudonyms, and how the source was laid out; the schema marks the columns."""

    table: Table
    layout: Layout
    hashed: tuple[str, ...]
    masked: tuple[str, ...]


def read_key(path: str | Path) -> bytes:
    """The bytes of a key file. Raises `UsageError` where it cannot be read, others can read it, or it has fewer than 32."""
    key = read_secret(Path(path), "key file")
    _require_long(key, f"key file {path}")
    return key


def pseudonymise_table(
    data: Any, *, schema: AnySchema, key: bytes, privacy: Privacy, table: str | None = None
) -> Pseudonymised:
    """Real rows with every identifier hashed, and every text that is none masked.

    Columns are those of kind identifier, or of kind text with the role identifier; foreign keys of a `Schema` of
    which `table` is one are hashed as what they refer to. Raises `PrivacyError` where `privacy` is a budget: keyed
    hashes give out exact identities; `UsageError` for a short key, identifiers that are no whole numbers, or where nothing is to be hashed; `InputError` for
    data that does not fit the schema.
    """
    if not isinstance(privacy, NoPrivacy):
        raise PrivacyError(
            "keyed hashes give out who is in a table, which no budget covers: ask for no privacy in words "
            "(privacy=tabsynth.NO_PRIVACY, or --no-privacy), and keep the rows inside"
        )
    _require_long(key, "the key")
    schema = as_schema(schema)
    one = schema[table] if isinstance(schema, Schema) and table is not None else schema
    read, layout = as_table(data, one)
    hashed = tuple(column.name for column in read.schema.columns if _is_hashed(column))
    texts = tuple(c.name for c in read.schema.columns if c.kind is Kind.TEXT and c.name not in hashed)
    if not hashed and not texts:
        raise UsageError(
            f"table {read.schema.name!r} has no column of kind identifier or text: nothing is to be hashed"
        )
    already = [name for name in hashed if read.schema[name].pseudonymised]
    if already:
        raise UsageError(f"columns are pseudonyms already: {', '.join(already)}")
    realms = _realms(schema, read.schema)
    frame = read.frame.with_columns(
        *(_hashed(read.frame[name], key, realms[name]) for name in hashed),
        *(_masked(read.frame[name], read.schema[name]) for name in texts),
    )
    marked = replace(read.schema, columns=tuple(_marked(column, hashed) for column in read.schema.columns))
    return Pseudonymised(Table(marked, frame), layout, hashed, texts)


def _require_long(key: bytes, what: str) -> None:
    if len(key) < FEWEST_BYTES:
        raise UsageError(
            f"{what} has {len(key)} bytes, a key needs at least {FEWEST_BYTES} random ones: "
            f"(umask 077 && head -c {FEWEST_BYTES} /dev/urandom > key)"
        )


def _is_hashed(column: Column) -> bool:
    return column.kind is Kind.IDENTIFIER or (column.kind is Kind.TEXT and column.role is Role.IDENTIFIER)


def _realms(schema: TableSchema | Schema, table: TableSchema) -> Mapping[str, str]:
    """What each column's cells name: those of the column that it refers to in the end, or its own."""
    keys = schema.foreign_keys if isinstance(schema, Schema) else ()
    found = {}
    for column in table.columns:
        at, seen = (table.name, column.name), set[tuple[str, str]]()
        while at not in seen:
            seen.add(at)
            for key in keys:
                if key.child == at[0] and at[1] in key.child_columns:
                    at = (key.parent, key.parent_columns[key.child_columns.index(at[1])])
                    break
        found[column.name] = ".".join(at)
    return found


def _hashed(cells: pl.Series, key: bytes, realm: str) -> pl.Series:
    """Pseudonyms of cells; those of two realms have nothing in common."""
    texts = _whole_texts(cells) if cells.dtype.is_float() else cells.cast(pl.String)
    distinct = texts.drop_nulls().unique()
    own = hmac.digest(key, realm.encode(), hashlib.sha256)
    names = [hmac.digest(own, text.encode(), hashlib.sha256).hex()[:_LENGTH] for text in distinct.to_list()]
    return texts.replace_strict(
        distinct, pl.Series(names, dtype=pl.String), default=None, return_dtype=pl.String
    )


def _whole_texts(cells: pl.Series) -> pl.Series:
    """Floats as the whole numbers that they are, digit by digit; NaN is no cell.

    Raises `UsageError` where one is no whole number, or so large that floats next to it are more than 1 apart: two
    identifiers may have become one there.
    """
    present = cells.cast(pl.Float64).fill_nan(None)
    exact = 2.0**24 if cells.dtype == pl.Float32 else 2.0**53
    is_odd = (present != present.round()) | (present.abs() > exact)
    n_odd = int(is_odd.fill_null(value=False).sum())
    if n_odd:
        raise UsageError(
            f"column {cells.name!r}: {n_odd:,} identifiers are floats that are no whole numbers, or too large to be exact: "
            "store them as text or integers"
        )
    return present.cast(pl.Int64).cast(pl.String)


def _masked(cells: pl.Series, column: Column) -> pl.Series:
    found = generator_of(column)
    text = (found.text if found is not None and found.make == "mask" else None) or MASK
    return pl.select(pl.when(pl.lit(cells.is_not_null())).then(pl.lit(text))).to_series().alias(cells.name)


def _marked(column: Column, hashed: tuple[str, ...]) -> Column:
    if column.name not in hashed:
        return column
    return replace(column, dtype="string", pseudonymised=METHOD, role=Role.IDENTIFIER)
