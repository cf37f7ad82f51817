"""Columns of text: names and free text, booleans, dates, identifiers, numbers with words, levels."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from tabsynth.schema.guess.cells import Cells, key_verdict
from tabsynth.schema.guess.strings import (
    are_amounts,
    are_clocks,
    in_order,
    is_mostly,
    is_single_words,
    is_wordy,
    mask_of,
    read_numbers,
)
from tabsynth.schema.guess.times import are_moments, bounds_of, read_moments, resolution_of
from tabsynth.schema.types import Column, Kind, Role

_FEWEST_NAMES = 10
_FEWEST_UNIQUE = 20
_FEWEST_TEXTS = 50
_MOST_LEVELS = 1000
_NOTE = "Draft: "
_AMOUNTS_NOTE = (
    f"{_NOTE}amounts with separators or signs, which no number type reads. Write them as plain numbers "
    "(or state the decimal mark of the CSV) to have them learnt as numbers."
)
_CLOCKS_NOTE = f"{_NOTE}times held as text. Hold them as durations to have them learnt as times."
_MOMENTS_NOTE = (
    f"{_NOTE}dates or times that no single format reads. Write them in one form to have them learnt."
)
_DIRECT_IDENTIFIERS = frozenset({"first_name", "last_name", "name", "email", "phone", "address"})


def guess_text(cells: Cells) -> Column:
    """The first of the guesses that holds; what nothing speaks against is categorical."""
    direct = _named_text(cells)
    if direct is not None:
        return direct
    spelled = {level.casefold(): level for level in cells.distinct.head(3).to_list()}
    if cells.n_distinct == 2 and spelled.keys() == {"true", "false"}:
        return cells.categorical((spelled["false"], spelled["true"]), kind=Kind.BOOLEAN)
    moments = _moments(cells)
    if moments is not None:
        return moments
    is_key = key_verdict(cells)
    if is_key:
        return _identifier(cells)
    is_coded = cells.hints.is_code_list or cells.hints.is_code or is_key is False
    if not is_coded and not cells.hints.is_diagnosis:
        numbers = _numbers(cells)
        if numbers is not None:
            return numbers
    note = _note(cells, is_coded=is_coded or cells.hints.is_diagnosis)
    if note is not None:
        return _unread(cells, note)
    if cells.is_unique and cells.n_present >= _FEWEST_UNIQUE:
        return _identifier(cells) if is_single_words(cells.distinct) else _text(cells, "sentence")
    return _levels_or_text(cells, is_coded=is_coded)


def _named_text(cells: Cells) -> Column | None:
    """Names, addresses and remarks by the column's name, e-mail addresses also by their look."""
    found, n_distinct = cells.hints.text_format, cells.n_distinct
    if found in ("email", "phone"):
        return _text(cells, found) if is_mostly(cells.distinct, found) else None
    if n_distinct < _FEWEST_NAMES:
        return None
    if found in ("first_name", "last_name"):
        return _text(cells, found)
    is_varied = cells.distinct_rate > 0.5 or n_distinct > _most_levels(cells)
    if found in ("name", "address") and is_varied:
        return _text(cells, found)
    if found == "sentence" and is_varied and is_wordy(cells.distinct):
        return _text(cells, found)
    return _text(cells, "email") if is_mostly(cells.distinct, "email") else None


def _most_levels(cells: Cells) -> float:
    return max(_MOST_LEVELS, cells.n_present / 20)


def _text(cells: Cells, what: str) -> Column:
    return Column(
        name=cells.name,
        kind=Kind.TEXT,
        dtype=cells.stored,
        role=Role.IDENTIFIER if what in _DIRECT_IDENTIFIERS else cells.hints.role,
        nullable=cells.nullable,
        format=None if what == "sentence" else what,
    )


def _identifier(cells: Cells) -> Column:
    return cells.identifier(unique=cells.is_unique, mask=mask_of(cells.distinct))


def _moments(cells: Cells) -> Column | None:
    read = read_moments(cells.distinct, says_date=cells.hints.is_date)
    if read is None:
        return None
    moments = read.moments
    return Column(
        name=cells.name,
        kind=Kind.DATE if read.is_date else Kind.DATETIME,
        dtype=cells.stored,
        role=cells.hints.role,
        nullable=cells.nullable,
        bounds=bounds_of(moments),
        resolution=None if read.is_date else resolution_of(moments),
        timezone=read.timezone,
        format=read.format,
    )


def _note(cells: Cells, *, is_coded: bool) -> str | None:
    """What to do about numbers and times that are held as text which cannot be read as such."""
    has_commas = cells.decimal == "," and not is_coded
    if are_amounts(cells.distinct.str.replace_all(".", ",", literal=True) if has_commas else cells.distinct):
        return _AMOUNTS_NOTE
    if are_clocks(cells.distinct):
        return _CLOCKS_NOTE
    return _MOMENTS_NOTE if are_moments(cells.distinct) else None


def without_note(column: Column) -> Column:
    """The column without what a draft noticed of its cells and wrote as its description; a person's words stay."""
    return replace(column, description=None) if (column.description or "").startswith(_NOTE) else column


def _unread(cells: Cells, note: str) -> Column:
    """Levels, or free text where there are many; never an identifier, whose cells mean nothing."""
    is_varied = cells.n_distinct >= _FEWEST_TEXTS and cells.distinct_rate > 0.5
    if is_varied or cells.n_distinct > _most_levels(cells):
        return replace(_text(cells, "sentence"), description=note)
    return cells.categorical(note=note)


def _numbers(cells: Cells) -> Column | None:
    if cells.decimal == "," and cells.distinct.str.contains(".", literal=True).any():
        return None  # its points group thousands, and what has a comma was not read as a number
    read = read_numbers(cells.distinct)
    if read is None:
        return None
    kind = Kind.INTEGER if read.is_whole else Kind.NUMBER
    wanted = pl.Int64() if kind is Kind.INTEGER else pl.Float64()
    values = read.numbers.str.strip_prefix("+").cast(wanted, strict=False).drop_nulls()
    if len(values) < len(read.numbers):
        return None
    lower, upper = values.min(), values.max()
    assert isinstance(lower, (int, float))
    assert isinstance(upper, (int, float))
    return Column(
        name=cells.name,
        kind=kind,
        dtype=cells.stored,
        role=cells.hints.role,
        nullable=cells.nullable,
        bounds=(lower, upper),
        special_values=read.words,
        decimals=None if kind is Kind.INTEGER else read.decimals,
    )


def _levels_or_text(cells: Cells, *, is_coded: bool) -> Column:
    n_distinct = cells.n_distinct
    is_varied = n_distinct >= _FEWEST_TEXTS and (
        n_distinct > _most_levels(cells) or cells.distinct_rate > 0.5
    )
    if is_varied and not is_coded:
        if is_wordy(cells.distinct):
            return _text(cells, "sentence")
        if cells.distinct_rate > 0.9:
            return _identifier(cells)
    order = in_order(cells.distinct.to_list()) if n_distinct <= 50 else None
    return cells.categorical() if order is None else cells.categorical(order, kind=Kind.ORDINAL)
