"""One person per row or per key: names, address, e-mail and telephone that go together.

A person is 64 bits; each of its attributes is drawn by them alone, so that two tables, or two batches, that hold
the same person agree.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.fake import numbers as made
from tabsynth.fake.hashing import U64, key_of, mixed
from tabsynth.fake.pools import Pools, pools_of

_DOMAINS = ("example.com", "example.org", "example.net")  # RFC 2606
_FEW = np.uint64(100)


@dataclass(frozen=True, eq=False)
class People:
    """The persons of some rows: 64 bits each, and whether each is a woman, 0, a man, 1, or not said, -1."""

    ids: U64
    sexes: npt.NDArray[np.int8]
    locale: str | None
    seed: int

    def drawn(self, label: str, size: int) -> npt.NDArray[np.int64]:
        """For each person a position below `size`, evenly, the same for the same label."""
        return (mixed(self.ids, key_of(self.seed, label)) % np.uint64(size)).astype(np.int64)

    @property
    def pools(self) -> Pools:
        return pools_of(self.locale)

    @cached_property
    def are_men(self) -> npt.NDArray[np.bool_]:
        coin = self.drawn("sex", 2)
        found: npt.NDArray[np.bool_] = np.where(self.sexes < 0, coin, self.sexes) == 1
        return found

    def of(self, label: str, pool: tuple[str, ...]) -> pl.Series:
        return _series(pool).gather(self.drawn(label, len(pool)))

    def by_sex(self, label: str, pools: tuple[tuple[str, ...], tuple[str, ...]]) -> pl.Series:
        at = self.drawn(label, len(pools[0]))
        return _series(pools[0] + pools[1]).gather(at + self.are_men * len(pools[0]))

    @cached_property
    def first(self) -> pl.Series:
        return self.by_sex("first name", self.pools.first_names)

    @cached_property
    def last(self) -> pl.Series:
        return self.by_sex("last name", self.pools.last_names)

    def name(self) -> pl.Series:
        between = self.pools.family_first
        if between is not None:
            return made.joined(self.last, between, self.first)
        return made.joined(self.first, " ", self.last)

    def email(self, numbers: U64 | None) -> pl.Series:
        """`first.last` and a number at a domain of RFC 2606; by `numbers`, which make them unique, where given."""
        ends = (
            self.drawn("e-mail", int(_FEW)).astype(np.uint64) if numbers is None else numbers + np.uint64(1)
        )
        at = self.of("domain", _DOMAINS)
        return made.joined(
            _plain(self.first), ".", _plain(self.last), pl.Series(ends).cast(pl.String), "@", at
        )

    def address(self) -> pl.Series:
        street, city = self.street(), self.city()
        states = self.pools.states
        if states is None:
            return made.joined(street, ", ", self.postcode(), " ", city)
        return made.joined(street, ", ", city, ", ", self.of("state", states), " ", self.postcode())

    def street(self) -> pl.Series:
        return self.of("street", self.pools.streets)

    def city(self) -> pl.Series:
        return self.of("city", self.pools.cities)

    def postcode(self) -> pl.Series:
        return self.of("postcode", self.pools.postcodes)

    def company(self) -> pl.Series:
        return self.of("company", self.pools.companies)

    def sentence(self) -> pl.Series:
        return self.of("sentence", self.pools.sentences)


TEXTS: Mapping[str, Callable[[People], pl.Series]] = {
    "first_name": lambda people: people.first,
    "last_name": lambda people: people.last,
    "name": People.name,
    "street": People.street,
    "city": People.city,
    "postcode": People.postcode,
    "address": People.address,
    "company": People.company,
    "sentence": People.sentence,
}


@lru_cache(maxsize=64)
def _series(pool: tuple[str, ...]) -> pl.Series:
    return pl.Series(pool, dtype=pl.String)


def _plain(names: pl.Series) -> pl.Series:
    """Names in small letters of ASCII, as addresses are written; `user` where nothing is left."""
    distinct = names.unique()
    plain = pl.Series([_ascii(name) for name in distinct.to_list()], dtype=pl.String)
    return names.replace_strict(distinct, plain, return_dtype=pl.String)


def _ascii(name: str) -> str:
    folded = unicodedata.normalize(
        "NFKD", name.replace("ß", "ss").replace("ø", "o").replace("ł", "l")
    ).casefold()
    return "".join(char for char in folded if char.isascii() and char.isalnum()) or "user"
