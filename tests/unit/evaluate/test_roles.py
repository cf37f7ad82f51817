"""Which columns the disclosure figures read: those named, else those with a role."""

import pytest

from tabsynth.errors import UsageError
from tabsynth.evaluate import evaluate, roles_of
from tabsynth.metrics.base import Status
from tabsynth.metrics.syntactic import SyntacticAnonymity
from tabsynth.schema.types import Column, Kind, Role
from tests.unit.metrics.tables import category, integer, schema_of, table_of

SCHEMA = schema_of(
    integer("age", role=Role.QUASI_IDENTIFIER),
    category("sex", role=Role.QUASI_IDENTIFIER),
    category("illness", role=Role.SENSITIVE),
    category("plain"),
    Column(name="note", kind=Kind.TEXT, dtype="string", role=Role.SENSITIVE),
)


def test_roles_of_the_schema_count_where_nothing_is_named():
    assert roles_of(SCHEMA) == (("age", "sex"), ("illness",))


def test_names_come_first_and_an_empty_list_names_none():
    assert roles_of(SCHEMA, quasi_identifiers=["plain", "plain"]) == (("plain",), ("illness",))
    assert roles_of(SCHEMA, quasi_identifiers=["illness"]) == (("illness",), ())
    assert roles_of(SCHEMA, sensitive=["sex"]) == (("age",), ("sex",))
    assert roles_of(SCHEMA, quasi_identifiers=[], sensitive=[]) == ((), ())


def test_all_faults_are_told_at_once():
    with pytest.raises(UsageError) as caught:
        roles_of(SCHEMA, quasi_identifiers=["agee", "age"], sensitive=["note", "age", "illnes"])
    for said in (
        "quasi-identifier 'agee' is not a column",
        "sensitive column 'illnes' is not a column",
        "sensitive column 'note' is of kind text",
        "'age' is named both",
    ):
        assert said in str(caught.value)


def test_an_evaluation_reads_the_columns_that_are_named_or_have_a_role():
    cells = {"plain": list("aabbbccc"), "illness": list("abcabcab")}

    def run(*columns, **named):
        schema = schema_of(*columns)
        tables = [table_of(schema, cells)] * 3
        return evaluate(*tables, schema=schema, metrics=(SyntacticAnonymity(),), **named)

    plain, illness = category("plain"), category("illness")
    named = run(plain, illness, quasi_identifiers=["plain"], sensitive=["illness"])
    assert named.value("k_anonymity") == 2  # a twice, b and c thrice
    assert named.find("t_closeness", ("illness",)).status is Status.OK
    with_role = run(category("plain", role=Role.QUASI_IDENTIFIER), illness)
    assert with_role.value("k_anonymity") == 2
    assert with_role.find("t_closeness").status is Status.NOT_APPLICABLE
    assert run(plain, illness).find("k_anonymity").status is Status.NOT_APPLICABLE
    with pytest.raises(UsageError, match="'ghost' is not a column"):
        run(plain, illness, quasi_identifiers=["ghost"])
