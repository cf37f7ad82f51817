"""What a schema must say of a generator: every fault at its path, before any row is made."""

import pytest

from tabsynth.errors import PrivacyError, SchemaError
from tabsynth.schema.files import schema_from_yaml, schema_to_yaml
from tabsynth.schema.generators import WAYS, generator_of
from tabsynth.schema.made import require_made, unmade
from tabsynth.schema.types import Column, Generator, Kind, PrivacyUnit, Role, Schema, TableSchema
from tabsynth.schema.validate import schema_findings


def faults(*columns: Column) -> list[str]:
    found = schema_findings(Schema(tables=(TableSchema(name="t", columns=columns),)))
    return [f"{one.path[3]}.{'.'.join(map(str, one.path[4:]))}: {one.what}" for one in found]


def made(
    make: str, *, kind: Kind = Kind.TEXT, dtype: str = "string", unique: bool = False, **keys: object
) -> Column:
    return Column(name="x", kind=kind, dtype=dtype, unique=unique, generator=Generator(make=make, **keys))


@pytest.mark.parametrize(
    ("column", "fault"),
    [
        (made("nme"), "x.generator.make: unknown 'nme'"),
        (made("name", kind=Kind.CATEGORICAL), "x.generator: kind categorical is learnt, not made anew"),
        (made("name", pattern="a"), "x.generator.pattern: name has no pattern"),
        (made("pattern"), "x.generator.pattern: required for pattern"),
        (made("pattern", pattern="a+"), "x.generator.pattern: cannot be counted: + has no bound"),
        (
            made("iban", country="FR"),
            "x.generator.country: no bank code that is never given is known of 'FR'",
        ),
        (made("name", locale="xx_XX"), "x.generator.locale: unknown 'xx_XX'"),
        (
            made("national_id", locale="de_CH"),
            "x.generator.locale: no range that is never issued is known of 'de_CH'",
        ),
        (made("sequence"), "x.generator.make: a sequence is for identifiers"),
        (made("name", kind=Kind.IDENTIFIER, unique=True), "x.generator.make: name cannot be unique"),
        (
            made("uuid", kind=Kind.IDENTIFIER, unique=True, person="x"),
            "x.generator.person: the person's column decides whether these repeat",
        ),
        (
            made("uuid", kind=Kind.IDENTIFIER, dtype="int64"),
            "x.generator.make: uuid gives text, this is stored as int64",
        ),
        (made("name", sex="x"), "x.generator.sex: needs the column's values for female and male"),
        (made("name", female=("F",)), "x.generator.sex: female and male are values of a column"),
        (made("name", person="y"), "x.generator.person: no column 'y' in this table"),
        (made("name", sex="y", female=("F",), male=("M",)), "x.generator.sex: no column 'y' in this table"),
        (made("name", person="x"), "x.generator.person: 'x' is itself made of a person"),
        (made("template"), "x.generator.text: required for template"),
        (made("template", text="of {y}"), "x.generator.text: no column 'y' in this table"),
        (made("template", text="of {x}"), "x.generator.text: 'x' is a template itself"),
        (made("template", text="of {"), "x.generator.text: a brace stands alone"),
    ],
)
def test_faults_of_one_column(column: Column, fault: str):
    assert any(found.startswith(fault) for found in faults(column)), faults(column)


def test_a_format_beside_a_generator_is_one_too_many():
    column = Column(
        name="x", kind=Kind.TEXT, dtype="string", format="email", generator=Generator(make="name")
    )
    assert faults(column) == ["x.generator: stands beside a format, which says the same"]


def test_columns_of_one_person_agree():
    one = made("first_name", locale="de_DE")
    other = Column(
        name="y", kind=Kind.TEXT, dtype="string", generator=Generator(make="last_name", locale="fr_FR")
    )
    assert faults(one, other) == [
        "y.generator.locale: differs from what another column says of 'the same person'"
    ]


def test_files_hold_them_and_list_their_faults():
    text = """\
version: 1
tables:
  t:
    columns:
      sex: {kind: categorical, dtype: int64, categories: [1, 2]}
      id:
        kind: identifier
        unique: true
        generator: {make: pattern, pattern: "MR-\\\\d{6}"}
      name:
        kind: text
        role: identifier
        generator: {make: name, locale: cs_CZ, person: id, sex: sex, female: [2], male: [1]}
      code: {kind: integer, learnt_because: "product numbers, says A. Steward", review: "numbers in sequence"}
"""
    schema = schema_from_yaml(text)
    table = schema.only_table
    assert table["name"].generator == Generator(
        make="name", locale="cs_CZ", person="id", sex="sex", female=(2,), male=(1,)
    )
    assert table["code"].learnt_because == "product numbers, says A. Steward"
    assert schema_from_yaml(schema_to_yaml(schema)) == schema
    with pytest.raises(
        SchemaError, match=r"generator.local: line 13: unknown key \(did you mean 'locale'\?\)"
    ):
        schema_from_yaml(text.replace("locale:", "local:"))
    with pytest.raises(SchemaError, match=r"generator.make: line 13: unknown 'nam'"):
        schema_from_yaml(text.replace("make: name", "make: nam"))


def test_a_format_of_text_is_a_generator():
    assert generator_of(Column(name="x", kind=Kind.TEXT, dtype="string", format="city")) == Generator(
        make="city"
    )
    assert generator_of(Column(name="x", kind=Kind.IDENTIFIER, dtype="string", format="P##")) is None
    assert generator_of(Column(name="x", kind=Kind.INTEGER, dtype="int64")) is None
    assert {"name", "email", "iban", "mask"} <= set(WAYS)


def column(name: str, kind: Kind, **more: object) -> Column:
    return Column(name=name, kind=kind, dtype="int64" if kind is Kind.INTEGER else "string", **more)


def test_a_fit_refuses_by_the_schema_alone():
    table = TableSchema(
        name="t",
        primary_key=("key",),
        unit=PrivacyUnit(column="who", max_rows=2),
        columns=(
            column("note", Kind.TEXT),
            column("ssn", Kind.INTEGER, role=Role.IDENTIFIER),
            column("key", Kind.INTEGER),
            column("who", Kind.CATEGORICAL),
            column("fine", Kind.TEXT, format="sentence"),
            column("said", Kind.TEXT, role=Role.SENSITIVE, generator=Generator(make="mask")),
            column("age", Kind.INTEGER),
        ),
    )
    found = {fault.where: fault for fault in unmade(table)}
    assert set(found) == {"column 'note'", "column 'ssn'", "column 'key'", "column 'who'"}
    for remedy in ("drop it", "template", "mask"):
        assert remedy in found["column 'note'"].hint
    with pytest.raises(SchemaError, match="neither learnt nor copied, so nothing was read"):
        require_made(table, is_private=False)


def test_a_reason_lets_a_key_be_learnt_but_never_a_declared_identifier():
    key = column("key", Kind.INTEGER, learnt_because="years, says A. Steward")
    ssn = column("ssn", Kind.INTEGER, role=Role.IDENTIFIER, learnt_because="no reason is enough")
    table = TableSchema(name="t", primary_key=("key",), columns=(key, ssn))
    assert [fault.where for fault in unmade(table)] == ["column 'ssn'"]


def test_keyed_hashes_are_refused_in_private_alone():
    table = TableSchema(name="t", columns=(column("id", Kind.IDENTIFIER, pseudonymised="hmac-sha256"),))
    require_made(table, is_private=False)
    with pytest.raises(PrivacyError, match="keyed hashes, which name real persons"):
        require_made(table, is_private=True)
