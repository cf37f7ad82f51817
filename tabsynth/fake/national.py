"""National ids of countries whose authorities keep a range out of use, each with its check digit.

    US  9xx-01-xxxx to 9xx-49-xxxx: neither social security numbers, whose areas end before 900, nor taxpayer numbers, whose
        groups begin at 50
    GB  QQ xxxxxx, a prefix of national insurance numbers that is never allocated
    DE  tax ids from 0: the tax authorities' description of the checks (ELSTER, "Prüfung der Steuer- und Steueridentifikationsnummer",
        chapter 2) keeps a leading 0 for tests
    FI  individual numbers 900 to 999: temporary ones, which the population register gives to nobody (its own are 002 to 899); the
        person's sex and date of birth are drawn

A number from 0 up to the capacity gives one text, and different numbers different texts.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.fake.hashing import U64

Digits = npt.NDArray[np.int64]
_NINO_ENDS = "ABCD"
_FINNISH_ENDS = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_FIRST_DAY, _LAST_DAY = dt.date(1900, 1, 1), dt.date(1999, 12, 31)
_ZERO_TWICE, _OTHER_TWICE = 362_880, 40_320
"""Ways to put eight of nine digits in a row, and seven of eight."""


def _american(numbers: U64) -> pl.Series:
    rest, serial = numbers // np.uint64(9_999), numbers % np.uint64(9_999) + np.uint64(1)
    area, group = rest // np.uint64(49) + np.uint64(900), rest % np.uint64(49) + np.uint64(1)
    return _written(_padded(area, 3), "-", _padded(group, 2), "-", _padded(serial, 4))


def _british(numbers: U64) -> pl.Series:
    ends = pl.Series(list(_NINO_ENDS)).gather(numbers % np.uint64(4))
    return _written("QQ", _padded(numbers // np.uint64(4), 6), ends)


def _german(numbers: U64) -> pl.Series:
    """Ten digits from 0, of which one occurs twice and the others at most once, and a check digit (ISO 7064, mod 11,10)."""
    at = numbers.astype(np.int64)
    n_zero = 9 * _ZERO_TWICE
    body = np.zeros((len(at), 10), dtype=np.int64)
    twice = at < n_zero
    body[twice, 1:] = _with_zero(at[twice])
    body[~twice, 1:] = _with_pair(at[~twice] - n_zero)
    product = np.full(len(at), 10)
    for place in range(10):
        total = (body[:, place] + product) % 10
        product = np.where(total == 0, 10, total) * 2 % 11
    whole = body @ (10 ** np.arange(9, -1, -1)) * 10 + (11 - product) % 10
    return _padded(whole.astype(np.uint64), 11)


def _with_zero(at: Digits) -> Digits:
    """Nine digits with one 0 and eight different others, (n, 9)."""
    rows = np.arange(len(at))
    others = _chosen(at % _ZERO_TWICE, np.tile(np.arange(1, 10), (len(at), 1)), 8)
    found = np.zeros((len(at), 9), dtype=np.int64)
    places = np.arange(8) + (np.arange(8) >= (at // _ZERO_TWICE)[:, None])
    found[rows[:, None], places] = others
    return found


def _with_pair(at: Digits) -> Digits:
    """Nine digits without 0, one of them twice, (n, 9)."""
    rows = np.arange(len(at))
    digit, rest = np.divmod(at, 36 * _OTHER_TWICE)
    pairs = np.array([*itertools.combinations(range(9), 2)])[rest // _OTHER_TWICE]
    left = np.arange(1, 9) + (np.arange(1, 9) > digit[:, None])
    is_free = np.ones((len(at), 9), dtype=np.bool_)
    is_free[rows[:, None], pairs] = False
    found = np.repeat(digit[:, None] + 1, 9, axis=1)
    found[is_free] = _chosen(rest % _OTHER_TWICE, left, 7).reshape(-1)
    return found


def _chosen(rank: Digits, able: Digits, n: int) -> Digits:
    """`n` of the digits in each row of `able`, in the order that has this rank among all, (n_rows, n)."""
    found = np.empty((len(rank), n), dtype=np.int64)
    for place in range(n):
        rank, index = np.divmod(rank, able.shape[1])
        found[:, place] = able[np.arange(len(able)), index]
        able = np.where(np.arange(able.shape[1] - 1) < index[:, None], able[:, :-1], able[:, 1:])
    return found


def _finnish(numbers: U64) -> pl.Series:
    """Day, month, year, a sign of the century, 900 to 999, and a check character: the number's remainder by 31."""
    at = numbers.astype(np.int64)
    days = np.datetime64(_FIRST_DAY) + at // 100
    born = pl.Series(days).dt.strftime("%d%m%y")
    individual = 900 + at % 100
    remainder = (born.cast(pl.Int64).to_numpy() * 1000 + individual) % 31
    ends = pl.Series(list(_FINNISH_ENDS)).gather(remainder)
    return _written(born, "-", _padded(individual.astype(np.uint64), 3), ends)


def _padded(numbers: U64, width: int) -> pl.Series:
    return pl.Series(numbers).cast(pl.String).str.zfill(width)


def _written(*parts: pl.Series | str) -> pl.Series:
    return pl.select(pl.concat_str([pl.lit(part) for part in parts])).to_series()


_WAYS: Mapping[str, tuple[int, Callable[[U64], pl.Series]]] = {
    "en_US": (100 * 49 * 9_999, _american),
    "en_GB": (4 * 10**6, _british),
    "de_DE": (9 * _ZERO_TWICE + 9 * 36 * _OTHER_TWICE, _german),
    "fi_FI": (100 * ((_LAST_DAY - _FIRST_DAY).days + 1), _finnish),
}


def national_id_capacity(locale: str) -> int:
    """How many different ones there are; `locale` is one of `tabsynth.schema.generators.NATIONAL_IDS`."""
    return _WAYS[locale][0]


def national_ids(numbers: U64, locale: str) -> pl.Series:
    """One text for each number below the capacity."""
    return _WAYS[locale][1](numbers)
