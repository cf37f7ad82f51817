"""Numbers with valid check digits in ranges that nobody is ever given.

    card         9999 …: ISO/IEC 7812 gives 9 and a country's number to its standards body, and ISO 3166-1 leaves
                 900 to 999 to users, so no body has 999; the last digit by Luhn
    iban         XX …: ISO 3166-1 leaves XA to XZ to users; or AT, CH, DE with a bank code of zeros, which no
                 bank has; check digits by ISO 7064 mod 97-10, as in ISO 13616
    nhs_number   999 …, which the NHS keeps for tests; the last digit mod 11
    national_id  of US, GB, DE and FI (`tabsynth.fake.national`)
    phone        numbers that regulators keep for films and examples: US and CA 555-0100 to 555-0199 of an area;
                 GB 01632 960000 to 960999; DE (030) 23125 000 to 999; FR 01 99 00 and 06 39 98; AU 5550 xxxx;
                 elsewhere +999, a code that the ITU has given to no country

A number from 0 up to the capacity gives one text, and different numbers different texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.fake import national
from tabsynth.fake.hashing import U64
from tabsynth.schema.generators import COUNTRIES, DEFAULT_LOCALE

_AREAS = tuple(area for area in range(201, 990) if area % 100 != 11 and (area // 10) % 10 != 9)
_PHONES: Mapping[str, tuple[tuple[str, int], ...]] = {
    "GB": (("01632 960", 3), ("07700 900", 3), ("020 7946 0", 3)),
    "DE": (("030 23125 ", 3), ("069 90009 ", 3), ("040 66969 ", 3), ("0221 4710 ", 3), ("089 99998 ", 3)),
    "FR": (
        ("01 99 00 ", 4),
        ("02 61 91 ", 4),
        ("03 53 01 ", 4),
        ("04 65 71 ", 4),
        ("05 36 49 ", 4),
        ("06 39 98 ", 4),
    ),
    "AU": (("(02) 5550 ", 4), ("(03) 5550 ", 4), ("(07) 5550 ", 4), ("(08) 5550 ", 4)),
}
_ELSEWHERE = ("+999 ", 8)
_AMERICA = frozenset({"US", "CA"})


def digits(numbers: U64, width: int) -> pl.Series:
    """Numbers with leading zeros."""
    return pl.Series(numbers).cast(pl.String).str.zfill(width)


def joined(*parts: pl.Series | str) -> pl.Series:
    """Texts one after another, row by row."""
    return pl.select(pl.concat_str([pl.lit(part) for part in parts])).to_series()


def card_capacity() -> int:
    return 10**11


def cards(numbers: U64) -> pl.Series:
    """Sixteen digits, the last by Luhn (ISO/IEC 7812-1, annex B)."""
    body = digits(numbers, 11)
    total = np.full(len(numbers), sum(_doubled(9) if place % 2 == 0 else 9 for place in range(4)))
    for place, digit in enumerate(_places(numbers, 11), start=4):
        total = total + (np.where(digit > 4, 2 * digit - 9, 2 * digit) if place % 2 == 0 else digit)
    return joined("9999", body, digits((-total % 10).astype(np.uint64), 1))


def _doubled(digit: int) -> int:
    return 2 * digit - 9 if digit > 4 else 2 * digit


def _places(numbers: U64, width: int) -> list[npt.NDArray[np.int64]]:
    """The digits of numbers, the highest first."""
    return [
        (numbers // np.uint64(10**at) % np.uint64(10)).astype(np.int64) for at in range(width - 1, -1, -1)
    ]


def iban_capacity(country: str) -> int:
    return int(10 ** min(COUNTRIES[country][1], 18))


def ibans(numbers: U64, country: str) -> pl.Series:
    """IBANs of a country whose bank code no bank has; the check digits are 98 - (BBAN, country, 00) mod 97."""
    bank, width = COUNTRIES[country]
    code = "".join(str(ord(letter) - ord("A") + 10) for letter in country)
    shift = pow(10, len(code) + 2, 97)  # the bank code is zeros and adds nothing
    remainder = (numbers % np.uint64(97)).astype(np.int64) * shift + int(code + "00")
    check = (98 - remainder % 97).astype(np.uint64)
    return joined(country, digits(check, 2), bank, digits(numbers, width))


def nhs_capacity() -> int:
    return len(_nhs())


def nhs_numbers(numbers: U64) -> pl.Series:
    """Ten digits from 999, the last mod 11; those whose check digit would be 10 are passed over."""
    return _nhs().gather(numbers)


@lru_cache(maxsize=1)
def _nhs() -> pl.Series:
    bodies = np.arange(10**6, dtype=np.uint64)
    total = np.full(len(bodies), 9 * (10 + 9 + 8))
    for at, digit in enumerate(_places(bodies, 6)):
        total += digit * (7 - at)
    check = (11 - total % 11) % 11
    sound = check < 10
    return joined("999", digits(bodies[sound], 6), digits(check[sound].astype(np.uint64), 1))


def national_id_capacity(locale: str | None) -> int:
    return national.national_id_capacity(locale or DEFAULT_LOCALE)


def national_ids(numbers: U64, locale: str | None) -> pl.Series:
    return national.national_ids(numbers, locale or DEFAULT_LOCALE)


def phone_capacity(locale: str | None) -> int:
    country = _country(locale)
    if country in _AMERICA:
        return 100 * len(_AREAS)
    return sum(10**width for _, width in _PHONES.get(country, (_ELSEWHERE,)))


def phones(numbers: U64, locale: str | None) -> pl.Series:
    country = _country(locale)
    if country in _AMERICA:
        areas = pl.Series([f"({area}) 555-01" for area in _AREAS]).gather(numbers // np.uint64(100))
        return joined(areas, digits(numbers % np.uint64(100), 2))
    ranges = _PHONES.get(country, (_ELSEWHERE,))
    size = np.uint64(10 ** ranges[0][1])
    begins = pl.Series([begin for begin, _ in ranges]).gather(numbers // size)
    return joined(begins, digits(numbers % size, ranges[0][1]))


def _country(locale: str | None) -> str:
    return (locale or DEFAULT_LOCALE).rpartition("_")[2]
