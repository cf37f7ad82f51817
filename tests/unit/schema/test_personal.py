"""The detector: what it finds by content and by name, what it leaves alone, and what drafts and checks make of it."""

import numpy as np
import polars as pl
import pytest

import tabsynth as ts
from tabsynth.fake import numbers as made
from tabsynth.fake.pools import pools_of
from tabsynth.schema.draft import FREE_TEXT, draft_table
from tabsynth.schema.guess.personal import suspicion
from tabsynth.schema.types import Kind, Role

N = 200
RNG = np.random.default_rng(0)
NUMBERS = np.arange(7, 7 + N, dtype=np.uint64)


def cards() -> list[str]:
    return made.cards(NUMBERS).to_list()


def names(locale: str) -> list[str]:
    pools = pools_of(locale)
    return [f"{pools.first_names[0][at]} {pools.last_names[0][-at - 1]}" for at in range(N)]


FOUND = {
    "e-mail addresses, by content": ("kontakt", [f"x{at}@example.com" for at in range(N)], "email"),
    "IBANs, by content and check digits": ("konto", made.ibans(NUMBERS, "DE").to_list(), "iban"),
    "card numbers, by check digits": ("c1", cards(), "card"),
    "NHS numbers, by check digits": ("c2", made.nhs_numbers(NUMBERS).to_list(), "nhs_number"),
    "UUIDs, by content": ("c3", [f"{at:08x}-0000-4000-8000-{at:012x}" for at in range(N)], "uuid"),
    "national insurance or social security numbers, by content": (
        "c4",
        made.national_ids(NUMBERS, None).to_list(),
        "national_id",
    ),
    "telephone numbers, by content": ("c5", made.phones(NUMBERS, "cs_CZ").to_list(), "phone"),
    "network addresses, by content": ("c6", [f"10.0.{at // 9}.{at}" for at in range(N)], None),
    "names of persons, by content": ("c7", names("en_US"), "name"),
    "numbers in sequence, by content": ("c8", [300_000 + 3 * at for at in range(N)], None),
    "birth numbers, which tell the day of birth and the sex, by content and name": (
        "birth_number",
        [(at % 90) * 10_000 + (1 + at % 12 + 50 * (at % 2)) * 100 + 1 + at % 28 for at in range(N)],
        None,
    ),
    "an identifier, by name": ("patient_id", [5, 9, 2, 5] * 50, None),
}


@pytest.mark.parametrize("what", FOUND)
def test_what_is_found(what: str):
    name, cells, make = FOUND[what]
    found = suspicion(pl.Series(name, cells))
    assert str(found) == what
    assert (found.generator and found.generator.make) == make


@pytest.mark.parametrize("locale", ["de_DE", "fr_FR", "cs_CZ"])
def test_names_of_other_languages(locale: str):
    assert suspicion(pl.Series("a", names(locale))).what == "names of persons"


def test_numbers_that_pandas_made_floats_and_categories_are_looked_at_too():
    assert suspicion(pl.Series("c8", [300_000.0 + at for at in range(N)])).what == "numbers in sequence"
    assert (
        suspicion(pl.Series("k", FOUND["e-mail addresses, by content"][1], dtype=pl.Categorical)) is not None
    )


LEFT = {
    "nothing": pl.Series("a", [], dtype=pl.String),
    "nulls": pl.Series("a", [None, None], dtype=pl.Int64),
    "amounts": pl.Series("amount", RNG.integers(10**5, 10**7, N)),
    "fractions": pl.Series("a", RNG.random(N)),
    "sixteen digits that fail Luhn": pl.Series("a", [f"{4 * 10**15 + at}" for at in range(N)]),
    "ten digits": pl.Series("a", [f"{4 * 10**9 + 7 * at}" for at in range(N)]),
    "few levels": pl.Series("county", ["Adams", "Jefferson", "Lincoln"] * 50),
    "towns": pl.Series("ort", ["Großburg", "Kleinheim", "Wiesental", "Neustadt-Nord"] * 50),
    "days in order": pl.Series("date", np.arange(20_200_101, 20_200_101 + N)),
    "flags": pl.Series("a", [True, False]),
    "words": pl.Series(
        "a",
        [
            f"{one} {other}"
            for one in ("red", "blue", "grey", "pink")
            for other in ("cup", "jar", "box", "tin", "pan", "pot")
        ]
        * 9,
    ),
}


@pytest.mark.parametrize("what", LEFT)
def test_what_is_left_alone(what: str):
    assert suspicion(LEFT[what]) is None


def frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "kontakt": FOUND["e-mail addresses, by content"][1],
            "konto": FOUND["IBANs, by content and check digits"][1],
            "ref": FOUND["numbers in sequence, by content"][1],
            "remark": [f"came at {at} and left soon after that, as ever" for at in range(N)],
            "ward": ["a", "b"] * (N // 2),
        }
    )


def test_a_draft_proposes_role_and_generator_and_marks_them_for_review():
    table = draft_table(frame(), name="t")
    assert [column.name for column in table.columns if column.review] == ["kontakt", "konto", "ref", "remark"]
    assert (table["kontakt"].kind, table["kontakt"].format, table["kontakt"].role) == (
        Kind.TEXT,
        "email",
        Role.IDENTIFIER,
    )
    assert (table["konto"].kind, table["konto"].generator.make) == (Kind.IDENTIFIER, "iban")
    assert (table["ref"].kind, table["ref"].unique, table["ref"].bounds) == (Kind.IDENTIFIER, True, None)
    assert table["remark"].review == FREE_TEXT
    assert table["ward"].kind is Kind.CATEGORICAL


def test_free_text_is_refused_until_somebody_says_what_stands_in_its_place():
    table = draft_table(frame(), name="t")
    with pytest.raises(
        ts.errors.SchemaError, match=r"column 'remark': free text is never learnt.*drop.*template.*mask"
    ):
        ts.fit(frame(), schema=table, privacy=ts.NO_PRIVACY, engine="independent")
    with pytest.raises(ts.errors.SchemaError, match="column 'remark'"):
        ts.fit(frame(), engine="independent")
    assert [fault.where for fault in ts.check(frame(), table)] == ["column 'remark'"]


def test_a_check_insists_where_a_schema_would_have_personal_data_learnt():
    from dataclasses import replace

    table = draft_table(frame().drop("remark"), name="t")
    learnt = table.with_column(ts.Column(name="ref", kind=Kind.INTEGER, dtype="int64"))
    (fault,) = ts.check(frame(), learnt)
    assert str(fault).startswith(
        "column 'ref': looks like numbers in sequence, by content, and would be learnt"
    )
    excused = learnt.with_column(replace(learnt["ref"], learnt_because="mileage, says A. Steward"))
    assert ts.check(frame(), excused) == ()


def test_a_signature_is_a_review():
    table = ts.confirm(draft_table(frame(), name="t"), by="A. Steward", source="form", columns=["konto"])
    assert table["konto"].review is None
    assert table["ref"].review is not None


def test_what_a_draft_noticed_stays_out_of_a_private_model(tmp_path):
    small = frame().drop("remark")
    fitted = ts.fit(
        small, schema=draft_table(small, name="t"), engine="independent", privacy=ts.Budget(epsilon=10)
    )
    fitted.save(tmp_path / "model")
    assert "by content" not in (tmp_path / "model" / "model.json").read_text()
