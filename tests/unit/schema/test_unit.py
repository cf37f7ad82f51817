"""Identifiers that repeat, and what schema files and notes say of them."""

from __future__ import annotations

from dataclasses import replace

from tabsynth.schema import schema_from_yaml, schema_to_yaml
from tabsynth.schema.files import without_notes
from tabsynth.schema.types import Column, Kind, PrivacyUnit, Schema, TableSchema
from tabsynth.schema.unit import possible_order, possible_persons, unit_cost, unit_line, unit_question

TABLE = TableSchema(
    name="stays",
    columns=(
        Column(name="stay_id", kind=Kind.IDENTIFIER, dtype="int64", unique=True),
        Column(name="patient_id", kind=Kind.IDENTIFIER, dtype="int64"),
        Column(name="the: doctor", kind=Kind.IDENTIFIER, dtype="string"),
        Column(name="age", kind=Kind.INTEGER, dtype="int64"),
    ),
)
SCHEMA = Schema(tables=(replace(TABLE, name="other", columns=TABLE.columns[3:]), TABLE))


def test_only_identifiers_that_may_repeat_can_name_persons() -> None:
    assert possible_persons(TABLE) == ("patient_id", "the: doctor")
    declared = replace(TABLE, unit=PrivacyUnit(column="patient_id", max_rows=3))
    assert possible_persons(declared) == ()
    assert unit_question(declared) is None


def test_many_levels_under_a_person_s_name_may_be_persons() -> None:
    """A draft takes names that repeat for categories: whose presence is protected has to be asked all the same."""
    levels = tuple(f"P{i}" for i in range(60))
    for name, categories, is_asked in (
        ("patient", levels, True),
        ("insuredPerson", levels, True),
        ("patient", levels[:50], False),
        ("patient_town", levels, False),
        ("2", levels, False),
    ):
        column = Column(name=name, kind=Kind.CATEGORICAL, dtype="string", categories=categories)
        assert possible_persons(replace(TABLE, columns=(column,))) == ((name,) if is_asked else ())


def test_the_question_names_the_columns_and_the_line() -> None:
    question = unit_question(TABLE)
    assert question is not None
    assert "patient_id, the: doctor may repeat: if one of them names persons" in question
    assert question.endswith("unit: {column: patient_id, max_rows: 20}")
    one = unit_question(replace(TABLE, columns=TABLE.columns[:2]))
    assert one is not None
    assert "patient_id may repeat: if it names persons" in one


def test_a_private_file_holds_the_lines_as_comments_that_can_be_uncommented() -> None:
    text = schema_to_yaml(SCHEMA, private_note=True)
    assert schema_from_yaml(text) == SCHEMA
    for name in ("patient_id", "the: doctor"):
        comment = f"# {unit_line(name)}"
        assert text.count(comment) == 1
        chosen = schema_from_yaml(text.replace(comment, unit_line(name)))["stays"]
        assert chosen.unit == PrivacyUnit(column=name, max_rows=20)


def test_a_date_may_order_the_rows_of_a_person_but_no_day_of_birth() -> None:
    born = Column(name="date_of_birth", kind=Kind.DATE, dtype="date")
    died = Column(name="died", kind=Kind.DATE, dtype="date", nullable=True)
    came = Column(name="came, at", kind=Kind.DATETIME, dtype="datetime[us]")
    left = Column(name="left", kind=Kind.DATE, dtype="date")
    for times, order in (
        ((), None),
        ((born,), None),
        ((born, died), "died"),
        ((born, died, came, left), "came, at"),
    ):
        assert possible_order(replace(TABLE, columns=(*TABLE.columns, *times))) == order


def test_the_comment_of_a_table_with_a_date_says_what_makes_a_history() -> None:
    came = Column(name="came, at", kind=Kind.DATE, dtype="date")
    table = replace(TABLE, columns=(*TABLE.columns[1:2], came))
    text = schema_to_yaml(Schema(tables=(table,)), private_note=True)
    entry = 'order_by: "came, at"'
    line = "    # unit: {column: patient_id, max_rows: 20}  # if it names persons, who may have several rows each"
    assert f"{line}; {entry} in the braces makes their rows a history\n" in text
    assert without_notes(text, Schema(tables=(table,))) == schema_to_yaml(Schema(tables=(table,)))
    chosen = schema_from_yaml(text.replace("# unit: {", f"unit: {{{entry}, "))["stays"]
    assert chosen.unit == PrivacyUnit(column="patient_id", max_rows=20, order_by="came, at")
    assert "order_by" not in schema_to_yaml(SCHEMA, private_note=True)


def test_the_comments_can_be_told_from_peoples_own() -> None:
    text = schema_to_yaml(SCHEMA, private_note=True)
    plain = schema_to_yaml(SCHEMA)
    assert "#" not in plain
    assert without_notes(text, SCHEMA) == plain
    assert without_notes(text + "# mine\n", SCHEMA) == plain + "# mine\n"


def test_what_rows_of_a_person_cost_is_said():
    """Sensitivity, and so noise, grows in proportion to `max_rows`."""
    assert unit_cost(PrivacyUnit()) == ""
    assert unit_cost(PrivacyUnit(column="who", max_rows=1)) == ""
    said = unit_cost(PrivacyUnit(column="who", max_rows=20))
    assert "up to 20 rows" in said
    assert "20 times" in said
    assert "smaller max_rows" in said
