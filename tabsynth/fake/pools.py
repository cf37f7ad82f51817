"""Names, places and texts of a country and language, as Faker gives them, drawn once and kept.

A pool does not depend on a sample's seed: what each row takes from it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from tabsynth.errors import UsageError
from tabsynth.schema.generators import DEFAULT_LOCALE

SIZE = 2_000
_SEED = 20_231_031
_FAMILY_FIRST = {"ja_JP": " ", "zh_CN": "", "zh_TW": "", "ko_KR": "", "hu_HU": " ", "vi_VN": " "}
_PLACE_THEN_STATE = ("en_US", "en_CA", "en_AU", "es_MX")


@dataclass(frozen=True)
class Pools:
    """The pools of one locale; each is drawn when it is first asked for."""

    locale: str

    @cached_property
    def _faker(self) -> Any:
        from faker import Faker

        return Faker(self.locale, use_weighting=True)

    def draw(self, *methods: str) -> tuple[str, ...]:
        """`SIZE` texts by the first of Faker's methods that the locale has. Raises `UsageError` where it has none."""
        for method in methods:
            make = getattr(self._faker, method, None)
            if make is not None:
                self._faker.seed_instance(f"{_SEED} {method}")
                return tuple(str(make()).replace("\n", ", ") for _ in range(SIZE))
        raise UsageError(
            f"locale {self.locale} has no {methods[-1].replace('_', ' ')}: choose another locale"
        )

    @cached_property
    def first_names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of women, and of men."""
        return self.draw("first_name_female", "first_name"), self.draw("first_name_male", "first_name")

    @cached_property
    def last_names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of women, and of men, who bear others in some languages."""
        return self.draw("last_name_female", "last_name"), self.draw("last_name_male", "last_name")

    @cached_property
    def streets(self) -> tuple[str, ...]:
        return self.draw("street_address")

    @cached_property
    def cities(self) -> tuple[str, ...]:
        return self.draw("city")

    @cached_property
    def postcodes(self) -> tuple[str, ...]:
        return self.draw("postcode", "postalcode")

    @cached_property
    def states(self) -> tuple[str, ...] | None:
        """Where an address names one."""
        return self.draw("state_abbr", "state") if self.locale in _PLACE_THEN_STATE else None

    @cached_property
    def companies(self) -> tuple[str, ...]:
        return self.draw("company")

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        return self.draw("sentence")

    @property
    def family_first(self) -> str | None:
        """What stands between a last name and a first name that follows it; None where the first name leads."""
        return _FAMILY_FIRST.get(self.locale)


@lru_cache(maxsize=32)
def pools_of(locale: str | None) -> Pools:
    """The pools of a locale, US English without one."""
    return Pools(locale or DEFAULT_LOCALE)
