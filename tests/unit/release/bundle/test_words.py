"""The pages for people say what the data says: columns, what was dropped or made anew, the model, the terms."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tabsynth.release.bundle import words
from tabsynth.release.bundle.shareable import shareable_schema
from tabsynth.release.bundle.statement import statement_of
from tabsynth.schema.types import Domain, Origin
from tests.unit.release.bundle.made import TERMS, decision, pipeline, rows


def described(*, charged: tuple[str, ...] = ()) -> words.Described:
    """The private table; what `charged` columns may hold was bought."""
    table = rows(private=True)
    schema = shareable_schema(table)
    for name in charged:
        schema = schema.with_column(replace(schema[name], domain=Domain(origin=Origin.CHARGED)))
    made = pipeline(private=True)
    return words.Described(
        schema=schema, pipeline=made, statement=statement_of(made), n_rows=200, stem="stays"
    )


def test_the_dictionary_has_a_row_for_each_column_and_what_was_dropped_or_made_anew():
    table = described(charged=("ward", "age"))
    page = words.dictionary([table], TERMS)
    for column in table.schema.columns:
        assert f"\n| {column.name} | " in page
    assert (
        "| age |  | integer (int64) |  | 18 to 94; never missing | bought with the privacy budget |" in page
    )
    assert "| died |  | boolean (bool) |  | never missing | public: codebook 3 |" in page
    assert "the source may hold more of age, ward." in page
    assert "Made anew, and in no way those of the source: stay id." in page
    assert "- 18 ≤ age" in page
    assert "Key: stay id." in page
    assert "- doctor's note: free text of persons" in page
    assert "Protected is each row." in page


def test_where_nothing_was_bought_nothing_is_said_to_be_dropped():
    assert "Dropped" not in words.dictionary([described()], replace(TERMS, left_out=()))


def test_the_model_card_says_what_made_the_rows_and_for_what():
    page = words.model_card([described()], TERMS)
    for said in ("`independent`", TERMS.purpose, "ε = 1", "**Not meant for.**", "(a noisy number)"):
        assert said in page


@pytest.mark.parametrize("left_out", [TERMS.left_out, ()])
def test_the_datasheet_answers_each_question(left_out):
    page = words.datasheet([described()], replace(TERMS, left_out=left_out), decision(rows(private=True)))
    for question in (
        "Why was it made?",
        "What is in it?",
        "How was it made?",
        "What was left out?",
        "Who decided",
        "Uses",
        "until when",
    ):
        assert question in page
    for said in (
        TERMS.purpose,
        TERMS.licence,
        TERMS.contact,
        "2099-12-31",
        "2099-06-30",
        "200 synthetic rows",
        "stay id",
    ):
        assert said in page
    assert ("doctor's note" in page) is bool(left_out)


def test_the_terms_stand_on_their_page():
    page = words.terms_page(TERMS)
    for said in (TERMS.licence, TERMS.purpose, TERMS.recipient, TERMS.contact, "2099-12-31", "2099-06-30"):
        assert f"| {said} |" in page
