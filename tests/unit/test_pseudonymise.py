"""Keyed hashes of identifiers: joined, marked, refused where they may not be, and no cell of the source left."""

import hashlib
import hmac
import re

import pandas as pd
import polars as pl
import pytest

import tabsynth as ts
from tabsynth.errors import PrivacyError, UsageError
from tabsynth.pseudonymise import pseudonymise_table, read_key
from tabsynth.schema.types import Column, ForeignKey, Generator, Kind, Role, Schema, TableSchema

KEY = bytes(range(32))
PEOPLE = TableSchema(
    name="people",
    primary_key=("id",),
    columns=(
        Column(name="id", kind=Kind.IDENTIFIER, dtype="int64", unique=True),
        Column(name="name", kind=Kind.TEXT, dtype="string", role=Role.IDENTIFIER, format="name"),
        Column(
            name="remark",
            kind=Kind.TEXT,
            dtype="string",
            nullable=True,
            generator=Generator(make="mask", text="[gone]"),
        ),
        Column(name="age", kind=Kind.INTEGER, dtype="int64"),
    ),
)
STAYS = TableSchema(
    name="stays",
    columns=(
        Column(name="patient", kind=Kind.IDENTIFIER, dtype="string"),
        Column(name="id", kind=Kind.IDENTIFIER, dtype="string"),
        Column(name="days", kind=Kind.INTEGER, dtype="int64"),
    ),
)
BOTH = Schema(
    tables=(PEOPLE, STAYS),
    foreign_keys=(
        ForeignKey(child="stays", child_columns=("patient",), parent="people", parent_columns=("id",)),
    ),
)


def people() -> pl.DataFrame:
    return pl.DataFrame(
        {"id": [7, 8], "name": ["Ann Lee", "Bo Day"], "remark": ["came late", None], "age": [3, 4]}
    )


def stays() -> pl.DataFrame:
    return pl.DataFrame({"patient": ["8", "7", "8"], "id": ["7", "8", None], "days": [1, 2, 3]})


def test_identifiers_are_hashed_texts_masked_and_the_rest_left():
    found, schema = ts.pseudonymise(people(), schema=PEOPLE, key=KEY, privacy=ts.NO_PRIVACY)
    assert found["age"].to_list() == [3, 4]
    assert found["remark"].to_list() == ["[gone]", None]
    assert all(
        re.fullmatch("[0-9a-f]{32}", cell) for name in ("id", "name") for cell in found[name].to_list()
    )
    own = hmac.new(KEY, b"people.id", hashlib.sha256).digest()
    assert found["id"][0] == hmac.new(own, b"7", hashlib.sha256).hexdigest()[:32]
    assert [column.name for column in schema.columns if column.pseudonymised == "hmac-sha256"] == [
        "id",
        "name",
    ]
    assert schema["id"].dtype == "string"
    assert ts.check(found, schema) == ()


def test_tables_can_still_be_joined_and_columns_of_other_things_cannot():
    one = pseudonymise_table(
        people(), schema=BOTH, key=KEY, privacy=ts.NO_PRIVACY, table="people"
    ).table.frame
    other = pseudonymise_table(
        stays(), schema=BOTH, key=KEY, privacy=ts.NO_PRIVACY, table="stays"
    ).table.frame
    assert other.join(one, left_on="patient", right_on="id")["age"].sort().to_list() == [3, 4, 4]
    assert not set(other["id"].drop_nulls()) & set(one["id"])  # a stay's 7 is not the person's
    assert other["id"].null_count() == 1


def test_another_key_gives_other_pseudonyms():
    one, other = (
        ts.pseudonymise(people(), schema=PEOPLE, key=key, privacy=ts.NO_PRIVACY)[0]
        for key in (KEY, KEY[::-1])
    )
    assert not set(one["id"]) & set(other["id"])


def test_a_key_of_references_that_go_round_ends():
    ring = Schema(
        tables=(STAYS,),
        foreign_keys=(
            ForeignKey(child="stays", child_columns=("id",), parent="stays", parent_columns=("patient",)),
            ForeignKey(child="stays", child_columns=("patient",), parent="stays", parent_columns=("id",)),
        ),
    )
    assert pseudonymise_table(stays(), schema=ring, key=KEY, privacy=ts.NO_PRIVACY).hashed == (
        "patient",
        "id",
    )


def test_pandas_with_gaps_stays_pandas(tmp_path):
    (tmp_path / "key").write_bytes(KEY)
    (tmp_path / "key").chmod(0o600)
    schema = TableSchema(
        name="t", columns=(Column(name="id", kind=Kind.IDENTIFIER, dtype="float64", nullable=True),)
    )
    found, _ = ts.pseudonymise(
        pd.DataFrame({"id": [7.0, None]}), schema=schema, key=tmp_path / "key", privacy=ts.NO_PRIVACY
    )
    own = hmac.new(KEY, b"t.id", hashlib.sha256).digest()
    assert found["id"][0] == hmac.new(own, b"7", hashlib.sha256).hexdigest()[:32]
    assert found["id"].isna().tolist() == [False, True]


def test_it_is_refused_within_a_budget_and_such_a_table_is_not_fitted_privately():
    with pytest.raises(PrivacyError, match="keyed hashes give out who is in a table"):
        ts.pseudonymise(people(), schema=PEOPLE, key=KEY, privacy=ts.Budget(epsilon=1))
    found, schema = ts.pseudonymise(people(), schema=PEOPLE, key=KEY, privacy=ts.NO_PRIVACY)
    with pytest.raises(PrivacyError, match=r"columns are keyed hashes.*: id, name"):
        ts.fit(found, schema=schema)
    with pytest.raises(PrivacyError, match="columns are keyed hashes"):
        ts.budget_plan(schema=schema)


def test_twice_is_once_too_often():
    found, schema = ts.pseudonymise(people(), schema=PEOPLE, key=KEY, privacy=ts.NO_PRIVACY)
    with pytest.raises(UsageError, match="pseudonyms already: id, name"):
        ts.pseudonymise(found, schema=schema, key=KEY, privacy=ts.NO_PRIVACY)


def test_nothing_to_hash_is_said():
    schema = TableSchema(name="t", columns=(Column(name="age", kind=Kind.INTEGER, dtype="int64"),))
    with pytest.raises(UsageError, match="no column of kind identifier or text"):
        ts.pseudonymise(pl.DataFrame({"age": [1]}), schema=schema, key=KEY, privacy=ts.NO_PRIVACY)


def test_short_and_missing_keys_are_refused_without_a_byte_of_them(tmp_path):
    (tmp_path / "short").write_bytes(b"secret-of-16-byt")
    (tmp_path / "short").chmod(0o600)
    with pytest.raises(UsageError, match=r"has 16 bytes, a key needs at least 32") as error:
        read_key(tmp_path / "short")
    assert "secret" not in str(error.value)
    with pytest.raises(UsageError, match="no key file can be read there"):
        read_key(tmp_path / "none")
    with pytest.raises(UsageError, match="the key has 0 bytes"):
        ts.pseudonymise(people(), schema=PEOPLE, key=b"", privacy=ts.NO_PRIVACY)


def test_a_key_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(KEY)
    path.chmod(0o640)
    with pytest.raises(UsageError, match="can be read by others than you: chmod 600"):
        read_key(path)
    path.chmod(0o600)
    assert read_key(path) == KEY
    with pytest.raises(UsageError, match="is no key file"):
        read_key(tmp_path)


def _hashes(cells, dtype="float64"):
    schema = TableSchema(
        name="t", columns=(Column(name="id", kind=Kind.IDENTIFIER, dtype=dtype, nullable=True),)
    )
    frame = pl.DataFrame({"id": cells}, schema={"id": pl.Float32 if dtype == "float32" else pl.Float64})
    return ts.pseudonymise(frame, schema=schema, key=KEY, privacy=ts.NO_PRIVACY)[0]["id"].to_list()


@pytest.mark.parametrize(
    ("cells", "n"), [([1.2, 1.7, 3.0], 2), ([1e19, 1.0], 1), ([float("inf"), -(2.0**60), 0.5], 3)]
)
def test_floats_that_name_nobody_for_certain_are_refused_with_their_number(cells, n):
    with pytest.raises(
        UsageError, match=rf"column 'id': {n} identifiers are floats that are no whole"
    ) as error:
        _hashes(cells)
    assert "1.2" not in str(error.value)


def test_whole_floats_are_hashed_as_the_integers_that_they_are():
    own = hmac.new(KEY, b"t.id", hashlib.sha256).digest()
    found = _hashes([2.0**53, -7.0, None, float("nan")])
    names = [hmac.new(own, text, hashlib.sha256).hexdigest()[:32] for text in (b"9007199254740992", b"-7")]
    assert found == [*names, None, None]
    with pytest.raises(UsageError, match="1 identifiers are floats"):
        _hashes([2.0**25], "float32")


def test_a_policy_for_outsiders_denies_what_a_model_of_such_a_table_gives():
    from tabsynth.release import evaluate
    from tabsynth.release.evidence import evidence_of
    from tabsynth.release.files import default_policy

    frame = people()[[0, 1] * 30].with_columns(id=pl.int_range(60))
    found, schema = ts.pseudonymise(frame, schema=PEOPLE, key=KEY, privacy=ts.NO_PRIVACY)
    fitted = ts.fit(found, schema=schema, engine="independent", privacy=ts.NO_PRIVACY)
    evidence = evidence_of(fitted, model="0" * 64, where="model")
    assert evidence.pseudonymised == ("id", "name")
    decision = evaluate(default_policy(), evidence, audience="outsiders")
    reason = next(one for one in decision.reasons if one.rule == "retained_rows")
    assert reason.answer.value == "deny"
    assert "keyed hashes of real identities: id, name" in reason.found
