"""Columns whose cells look like identifiers or personal data, by content and by name.

    by form         e-mail addresses, IBANs (mod 97), card numbers (Luhn, 13 to 19 digits), UUIDs, US social security
                    and British national insurance numbers, telephone numbers (with a name or a + that says so),
                    IPv4 and MAC addresses: four fifths of the distinct values
    by check digit  NHS numbers: ten digits, all right mod 11, from 50 distinct values
    by birthday     six to ten digits that begin with a day, 20, 50 or 70 added to the month or not, under a name that
                    speaks of birth: birth numbers
    by names        half of the distinct values of one to four words hold a first or last name that Faker knows of
                    English, German, French, Spanish, Italian, Czech or Polish, from 20 distinct values
    by number       whole numbers of at least six digits that never repeat and only rise or only fall with the
                    rows, from 100 rows: numbers in sequence
    by name         a key of a person or a thing (`tabsynth.schema.guess.names`) that the cells bear out

What is found is as private as the cells. Nothing is found where people wrote codes of their own that look like no form here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module

import numpy as np
import polars as pl

from tabsynth.schema.guess.cells import Cells, key_verdict
from tabsynth.schema.guess.names import words_of
from tabsynth.schema.guess.strings import is_mostly
from tabsynth.schema.types import Column, Generator, Kind, Role, TableSchema

_SAMPLE = 2_000
_MOST = 0.8
_FEWEST = 20
_FEWEST_CHECKED = 50
_FEWEST_ROWS = 100
_LOCALES = ("en_US", "de_DE", "fr_FR", "es_ES", "it_IT", "cs_CZ", "pl_PL")
_IBAN = r"^[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{1,4}){3,8}$"
_IBAN_FORM = re.compile(_IBAN)
_FORMS = {
    "uuid": ("UUIDs", r"^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"),
    "national_id": (
        "national insurance or social security numbers",
        r"^(?:[0-9]{3}-[0-9]{2}-[0-9]{4}|[A-Z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D])$",
    ),
}
_NETWORK = r"^(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}|(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2})$"
_ABROAD = r"^\+[0-9][0-9 ()/.-]{6,18}$"
_WORDS = r"^\p{L}[\p{L}'’.-]*(?:,? \p{L}[\p{L}'’.-]*){0,3}$"
_BIRTH = frozenset({"birth", "born", "geburt", "naissance", "rodne", "rc"})


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What a column looks like, in words, why, and how it could be made anew."""

    what: str
    why: str
    generator: Generator | None = None
    kind: Kind = Kind.IDENTIFIER

    def __str__(self) -> str:
        return f"{self.what}, by {self.why}"


def suspicion(series: pl.Series) -> Suspicion | None:
    """What the cells of a column look like; None where nothing speaks for an identifier or personal data."""
    if series.dtype in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    present = series.drop_nulls()
    if present.dtype.is_float():
        present = present.drop_nans()
        if present.is_empty() or not bool((present == present.round()).all() and present.abs().max() < 2**53):  # type: ignore[operator]
            return None
        present = present.cast(pl.Int64)
    if present.is_empty() or not (present.dtype == pl.String or present.dtype.is_integer()):
        return None
    cells = Cells(series.name, "", present, present.unique(maintain_order=False), nullable=False)
    texts = cells.distinct.head(_SAMPLE).cast(pl.String).str.strip_chars()
    for look in _LOOKS:
        found = look(cells, texts)
        if found is not None:
            return found
    return None


def proposed(column: Column, found: Suspicion, *, unique: bool) -> Column:
    """The column as an identifier or a text that is made anew, to be reviewed by a person."""
    is_text = found.kind is Kind.TEXT
    generator = found.generator if found.generator is not None and column.dtype == "string" else None
    return Column(
        name=column.name,
        kind=found.kind if column.dtype == "string" else Kind.IDENTIFIER,
        dtype=column.dtype,
        role=Role.IDENTIFIER,
        nullable=column.nullable,
        unique=unique and not is_text,
        format=generator.make if is_text and generator is not None else None,
        generator=None if is_text else generator,
        review=str(found),
    )


def unmarked(table: TableSchema, frame: pl.DataFrame) -> dict[str, Suspicion]:
    """Columns that the schema has learnt although they look personal, and that nobody has given a reason for."""
    found = {}
    for column in table.columns:
        if not column.kind.is_modelled or column.learnt_because or column.kind in TIMES:
            continue
        seen = suspicion(frame[column.name])
        if seen is not None:
            found[column.name] = seen
    return found


TIMES = (Kind.DATE, Kind.DATETIME, Kind.DURATION, Kind.BOOLEAN)
"""Kinds that a look at their cells does not change: what they are is certain."""


def is_key(series: pl.Series) -> bool:
    """Whether no cell is missing and none repeats."""
    return series.null_count() == 0 and series.n_unique() == len(series)


def _by_form(cells: Cells, texts: pl.Series) -> Suspicion | None:
    if cells.present.dtype != pl.String:
        return None
    if is_mostly(cells.distinct, "email"):
        return Suspicion("e-mail addresses", "content", Generator(make="email"), Kind.TEXT)
    for make, (what, form) in _FORMS.items():
        if _share(texts.str.contains(form)) >= _MOST:
            return Suspicion(what, "content", Generator(make=make))
    if _share(texts.str.contains(_NETWORK)) >= _MOST:
        return Suspicion("network addresses", "content")
    if _share(texts.str.contains(_IBAN)) >= _MOST and _share(_checked(texts, _is_iban)) >= _MOST:
        return Suspicion("IBANs", "content and check digits", Generator(make="iban"))
    says_phone = cells.hints.text_format == "phone" and is_mostly(cells.distinct, "phone")
    if (says_phone and len(texts) > 2) or _share(texts.str.contains(_ABROAD)) >= _MOST:
        return Suspicion("telephone numbers", "content", Generator(make="phone"), Kind.TEXT)
    return None


def _by_check_digit(_cells: Cells, texts: pl.Series) -> Suspicion | None:
    """Numbers that all pass a check that one in ten passes by chance: 50 at random with probability 1e-50."""
    if len(texts) < _FEWEST_CHECKED:
        return None
    plain = texts.str.replace_all(r"[ -]", "")
    if bool(plain.str.contains(r"^[0-9]{13,19}$").all()) and _share(_checked(plain, _is_luhn)) >= 0.95:
        return Suspicion("card numbers", "check digits", Generator(make="card"))
    if bool(plain.str.contains(r"^[0-9]{10}$").all()) and _share(_checked(plain, _is_nhs)) >= 0.95:
        return Suspicion("NHS numbers", "check digits", Generator(make="nhs_number"))
    return None


def _by_birthday(cells: Cells, texts: pl.Series) -> Suspicion | None:
    if not frozenset(words_of(cells.name)) & _BIRTH or len(texts) < _FEWEST:
        return None
    plain = texts.str.replace_all("/", "").str.zfill(6)
    if _share(_checked(plain, _is_birth_number)) < 0.95:
        return None
    return Suspicion("birth numbers, which tell the day of birth and the sex", "content and name")


def _by_names(cells: Cells, texts: pl.Series) -> Suspicion | None:
    if cells.present.dtype != pl.String or len(texts) < _FEWEST or _share(texts.str.contains(_WORDS)) < _MOST:
        return None
    firsts, lasts = _known_names()
    words = [frozenset(re.split(r"[ ,.]+", text.casefold())) for text in texts.to_list()]
    is_first = np.array([bool(one & firsts) for one in words])
    is_last = np.array([bool(one & lasts) for one in words])
    n_words = float(np.mean([len(one) for one in words]))
    if float((is_first | is_last).mean()) < 0.5:
        return None
    make = "name" if n_words >= 1.5 else "first_name" if is_first.mean() >= is_last.mean() else "last_name"
    return Suspicion("names of persons", "content", Generator(make=make), Kind.TEXT)


def _by_number(cells: Cells, _texts: pl.Series) -> Suspicion | None:
    """Numbers in sequence: none repeats, all have six digits and more, and they only rise or fall."""
    if not cells.present.dtype.is_integer() or not cells.is_unique or cells.n_present < _FEWEST_ROWS:
        return None
    if cells.hints.is_date or int(cells.present.abs().min()) < 100_000:  # type: ignore[arg-type]
        return None
    if cells.present.is_sorted() or cells.present.is_sorted(descending=True):
        return Suspicion("numbers in sequence", "content")
    return None


def _by_name(cells: Cells, _texts: pl.Series) -> Suspicion | None:
    if key_verdict(cells) is True:
        return Suspicion("an identifier", "name")
    what = cells.hints.text_format
    if (
        cells.present.dtype == pl.String
        and what in ("first_name", "last_name")
        and cells.n_distinct >= _FEWEST
    ):
        return Suspicion("names of persons", "name", Generator(make=what), Kind.TEXT)
    return None


_LOOKS: tuple[Callable[[Cells, pl.Series], Suspicion | None], ...] = (
    _by_form,
    _by_check_digit,
    _by_birthday,
    _by_name,
    _by_names,
    _by_number,
)


def _share(found: pl.Series) -> float:
    share = found.mean()
    return float(share) if isinstance(share, (int, float)) else 0.0


def _checked(texts: pl.Series, check: Callable[[str], bool]) -> pl.Series:
    return pl.Series([check(text) for text in texts.to_list()], dtype=pl.Boolean)


def _is_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B; false for what is no digits of ASCII."""
    if not _is_digits(digits):
        return False
    doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits))]
    return sum(one - 9 if one > 9 else one for one in doubled) % 10 == 0


def _is_iban(text: str) -> bool:
    """ISO 13616: the number with its first four characters behind is 1 mod 97; false for another form."""
    if not _IBAN_FORM.fullmatch(text):
        return False
    plain = text.replace(" ", "")
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def _is_nhs(digits: str) -> bool:
    if not _is_digits(digits) or len(digits) != 10:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False))
    return (11 - total % 11) % 11 == int(digits[9])


def _is_digits(text: str) -> bool:
    """Whether there are digits and nothing else; those of other scripts and superscripts are none."""
    return text.isascii() and text.isdigit()


def _is_birth_number(digits: str) -> bool:
    """YYMMDD and up to four digits more; some countries add 20, 50 or 70 to the month."""
    if not (_is_digits(digits) and 6 <= len(digits) <= 10):
        return False
    month, day = int(digits[2:4]), int(digits[4:6])
    return any(1 <= month - added <= 12 for added in (0, 20, 50, 70)) and 1 <= day <= 31


@lru_cache(maxsize=1)
def _known_names() -> tuple[frozenset[str], frozenset[str]]:
    """First and last names of at least three letters that Faker lists."""
    firsts: set[str] = set()
    lasts: set[str] = set()
    for locale in _LOCALES:
        provider = import_module(f"faker.providers.person.{locale}").Provider
        for into, start in ((firsts, "first_names"), (lasts, "last_names")):
            for name in dir(provider):
                if name.startswith(start):
                    into.update(one.casefold() for one in getattr(provider, name) if len(one) >= 3)
    return frozenset(firsts), frozenset(lasts)
