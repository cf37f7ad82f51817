"""The ways in which texts and identifiers are made anew, and what a schema must say for each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

from tabsynth.schema.automata import PatternError
from tabsynth.schema.findings import Finding, Path
from tabsynth.schema.hints import did_you_mean
from tabsynth.schema.patterns import compile_pattern
from tabsynth.schema.types import Column, Generator, Kind, Scalar, TableSchema

DEFAULT_LOCALE = "en_US"
MASK = "***"
COUNTRIES: Mapping[str, tuple[str, int]] = {
    "XX": ("", 18),
    "AT": ("00000", 11),
    "CH": ("00000", 12),
    "DE": ("00000000", 10),
}
"""Countries of IBANs: a bank code that no bank has, and how many digits follow it."""
NATIONAL_IDS = ("en_US", "en_GB", "de_DE", "fi_FI")
PLACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
"""What stands in braces in a template: the name of a column; doubled braces are braces."""

_PERSON = frozenset({"locale", "person", "who", "sex", "female", "male"})


@dataclass(frozen=True, slots=True)
class Way:
    """One way: the keys it has beside `make`, which of them it needs, whether its values can be unique or numbers."""

    keys: frozenset[str] = frozenset()
    needs: str | None = None
    can_be_unique: bool = False
    can_be_numbers: bool = False

    @property
    def is_personal(self) -> bool:
        """Whether what is made belongs to a person with a name."""
        return "sex" in self.keys


WAYS: Mapping[str, Way] = {
    "first_name": Way(_PERSON),
    "last_name": Way(_PERSON),
    "name": Way(_PERSON),
    "email": Way(_PERSON, can_be_unique=True),
    "phone": Way(_PERSON, can_be_unique=True),
    "street": Way(_PERSON),
    "city": Way(_PERSON),
    "postcode": Way(_PERSON),
    "address": Way(_PERSON),
    "company": Way(_PERSON),
    "sentence": Way(_PERSON),
    "national_id": Way(_PERSON, can_be_unique=True),
    "nhs_number": Way(frozenset({"person"}), can_be_unique=True, can_be_numbers=True),
    "iban": Way(frozenset({"country", "person"}), can_be_unique=True),
    "card": Way(frozenset({"person"}), can_be_unique=True, can_be_numbers=True),
    "uuid": Way(frozenset({"person"}), can_be_unique=True),
    "pattern": Way(frozenset({"pattern", "person"}), "pattern", can_be_unique=True, can_be_numbers=True),
    "sequence": Way(can_be_unique=True, can_be_numbers=True),
    "template": Way(frozenset({"text"}), "text"),
    "mask": Way(frozenset({"text"})),
}


def generator_of(column: Column) -> Generator | None:
    """How the column's cells are made: as it says, or by the format of a text; None: nobody has said."""
    if column.kind.is_modelled:
        return None
    if column.generator is None and column.kind is Kind.TEXT and column.format is not None:
        return Generator(make=column.format)
    return column.generator


def is_counted(column: Column) -> bool:
    """Whether the column is an identifier that is counted through its mask, or drawn from such."""
    found = generator_of(column)
    return column.kind is Kind.IDENTIFIER and (found is None or found.make == "sequence")


def can_be_unique(column: Column) -> bool:
    """Whether the column's generator can give every row another value."""
    found = generator_of(column)
    return found is None or WAYS[found.make].can_be_unique


def may_say_unique(column: Column) -> bool:
    """Whether a schema may declare the column unique: its generator can be, and no person decides what repeats."""
    found = generator_of(column)
    return can_be_unique(column) and (found is None or found.person is None)


def generator_findings(path: Path, column: Column) -> Iterator[Finding]:
    """What is wrong with a column's generator, as far as the column alone tells."""
    found = column.generator
    if found is None:
        return
    path = (*path, "generator")
    if column.kind.is_modelled:
        what = f"kind {column.kind.value} is learnt, not made anew"
        yield Finding(path, what, "kind: text or identifier, or leave the generator out")
        return
    way = WAYS.get(found.make)
    if way is None:
        yield Finding((*path, "make"), f"unknown {found.make!r}", did_you_mean(found.make, WAYS))
        return
    yield from _key_findings(path, found, way)
    yield from _value_findings(path, found)
    if column.format is not None and found.make != "sequence":
        yield Finding(path, "stands beside a format, which says the same", "leave one of them out")
    if found.make == "sequence" and column.kind is not Kind.IDENTIFIER:
        yield Finding((*path, "make"), "a sequence is for identifiers", "kind: identifier")
    if column.unique and not way.can_be_unique:
        yield Finding(
            (*path, "make"), f"{found.make} cannot be unique", "leave unique out, or make something else"
        )
    if column.unique and found.person is not None:
        what = "the person's column decides whether these repeat"
        yield Finding((*path, "person"), what, "leave unique out here, or person")
    if column.dtype != "string" and not way.can_be_numbers:
        yield Finding(
            (*path, "make"), f"{found.make} gives text, this is stored as {column.dtype}", "dtype: string"
        )


def _key_findings(path: Path, found: Generator, way: Way) -> Iterator[Finding]:
    given = [
        one.name for one in fields(found) if one.name != "make" and getattr(found, one.name) not in (None, ())
    ]
    for name in given:
        if name not in way.keys:
            has = ", ".join(sorted(way.keys)) or "none"
            yield Finding((*path, name), f"{found.make} has no {name}", f"its keys: {has}")
    if way.needs is not None and getattr(found, way.needs) is None:
        yield Finding((*path, way.needs), f"required for {found.make}")
    if found.sex is None and (found.female or found.male):
        yield Finding((*path, "sex"), "female and male are values of a column: name it here")
    if found.sex is not None and not (found.female and found.male):
        yield Finding(
            (*path, "sex"), "needs the column's values for female and male", "female: [F], male: [M]"
        )


def _value_findings(path: Path, found: Generator) -> Iterator[Finding]:
    if found.pattern is not None:
        try:
            compile_pattern(found.pattern)
        except PatternError as error:
            yield Finding((*path, "pattern"), f"cannot be counted: {error}")
    if found.country is not None and found.country not in COUNTRIES:
        hint = did_you_mean(found.country, COUNTRIES)
        yield Finding(
            (*path, "country"), f"no bank code that is never given is known of {found.country!r}", hint
        )
    if found.locale is not None and found.locale != DEFAULT_LOCALE:
        from faker.config import AVAILABLE_LOCALES  # Faker takes its time to load

        if found.locale not in AVAILABLE_LOCALES:
            yield Finding(
                (*path, "locale"), f"unknown {found.locale!r}", did_you_mean(found.locale, AVAILABLE_LOCALES)
            )
    if found.make == "national_id" and (found.locale or DEFAULT_LOCALE) not in NATIONAL_IDS:
        what = f"no range that is never issued is known of {found.locale!r}"
        yield Finding(
            (*path, "locale"),
            what,
            f"known: {', '.join(NATIONAL_IDS)}; or make: pattern, in a form of your own",
        )


def table_generator_findings(path: Path, table: TableSchema) -> Iterator[Finding]:
    """What is wrong between generators and the other columns of their table."""
    names = table.column_names
    for column in table.columns:
        found = column.generator
        if found is None:
            continue
        here = (*path, column.name, "generator")
        for key in ("person", "sex"):
            named = getattr(found, key)
            if named is not None and named not in names:
                yield Finding((*here, key), f"no column {named!r} in this table", did_you_mean(named, names))
        if found.person is not None and found.person in table:
            other = table[found.person]
            if not other.kind.is_modelled and not is_counted(other) and generator_of(other) is not None:
                is_plain = other.kind is Kind.IDENTIFIER and generator_of(other).person is None  # type: ignore[union-attr]
                if not is_plain:
                    yield Finding(
                        (*here, "person"),
                        f"{found.person!r} is itself made of a person",
                        "name an identifier",
                    )
        if found.make == "template" and found.text is not None:
            yield from _template_findings((*here, "text"), found.text, table)
    yield from _group_findings(path, table)


def _template_findings(path: Path, text: str, table: TableSchema) -> Iterator[Finding]:
    for name in dict.fromkeys(match[1] for match in PLACES.finditer(text) if match[1] is not None):
        if name not in table:
            yield Finding(path, f"no column {name!r} in this table", did_you_mean(name, table.column_names))
        else:
            other = generator_of(table[name])
            if other is not None and other.make == "template":
                yield Finding(path, f"{name!r} is a template itself", "name columns that are not")
    if re.search(r"[{}]", PLACES.sub("", text)):
        yield Finding(path, "a brace stands alone", "{column}, or {{ and }} for braces")


def _group_findings(path: Path, table: TableSchema) -> Iterator[Finding]:
    """Columns of one person that say different things of it."""
    seen: dict[str, dict[str, object]] = {}
    for column in table.columns:
        found = generator_of(column)
        if found is None or found.make not in WAYS or not WAYS[found.make].is_personal:
            continue
        said = seen.setdefault(found.who or "", {})
        for key in ("locale", "person", "sex", "female", "male"):
            value = getattr(found, key)
            if value not in (None, ()) and said.setdefault(key, value) != value:
                what = f"differs from what another column says of {found.who or 'the same person'!r}"
                yield Finding(
                    (*path, column.name, "generator", key), what, "who: tells two persons of a row apart"
                )


def person_of(table: TableSchema, who: str | None) -> Generator:
    """What the table's columns say together of one person of a row."""
    whole = Generator(make="name", who=who)
    for column in table.columns:
        found = generator_of(column)
        if found is not None and WAYS[found.make].is_personal and (found.who or "") == (who or ""):
            given = {key: getattr(found, key) for key in ("locale", "person", "sex", "female", "male")}
            whole = replace(whole, **{key: value for key, value in given.items() if value not in (None, ())})
    return whole


def generator_data(found: Generator) -> dict[str, object]:
    """A generator as a file holds it: what it says, in order."""
    values: dict[str, object] = {one.name: getattr(found, one.name) for one in fields(found)}
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
        if value not in (None, ())
    }


def text_of(value: Scalar) -> str:
    """A value of a schema as the text of a cell, whatever it is stored as."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
