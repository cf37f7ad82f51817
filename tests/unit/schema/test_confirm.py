"""A domain becomes public by a named person's statement on a named source, column by column."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from tabsynth.errors import SchemaError
from tabsynth.schema.confirm import confirm
from tabsynth.schema.files import schema_from_yaml, schema_to_yaml
from tabsynth.schema.types import Column, Domain, Kind, Origin, Schema, TableSchema

DAY = dt.date(2024, 5, 1)
AGE = Column(name="age", kind=Kind.INTEGER, dtype="int64", bounds=(0, 120))
SEX = Column(name="sex", kind=Kind.CATEGORICAL, dtype="string", categories=("f", "m"))
TABLE = TableSchema(name="people", columns=(AGE, SEX))
STATED = Domain(origin=Origin.PUBLIC, by="A. Steward", source="codebook 3.1", on=DAY)


def test_all_columns():
    confirmed = confirm(TABLE, by="A. Steward", source=" codebook 3.1 ", on=DAY)
    assert confirmed == replace(TABLE, columns=(replace(AGE, domain=STATED), replace(SEX, domain=STATED)))
    schema = Schema(tables=(confirmed,))
    assert schema_from_yaml(schema_to_yaml(schema)) == schema


def test_some_columns_and_then_the_others_by_someone_else():
    first = confirm(TABLE, by="A. Steward", source="codebook 3.1", columns=["sex"], on=DAY)
    assert first["sex"].domain == STATED
    assert first["age"].domain == Domain()
    second = confirm(first, by="B. Officer", source="law", columns=["age"], on=DAY)
    assert [column.domain.by for column in second.columns] == ["B. Officer", "A. Steward"]
    assert confirm(TABLE, by="A", source="b", columns=[], on=DAY) == TABLE


def test_everything_wrong_is_listed():
    with pytest.raises(SchemaError) as caught:
        confirm(TABLE, by=" ", source="", columns=["agee", "sex", "zzz", "agee"], on=DAY)
    assert [str(fault) for fault in caught.value.faults] == [
        "by: must not be blank (name the person who states that the domains are public)",
        "source: must not be blank (name what the statement rests on, such as a codebook)",
        "column 'agee': not in table 'people' (did you mean 'age'?)",
        "column 'zzz': not in table 'people' (one of: age, sex)",
    ]
