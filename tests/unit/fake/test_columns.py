"""Columns made anew: consistent within a row and across tables, unique, by seed, whatever the batches."""

import re

import numpy as np
import polars as pl
import pytest

from tabsynth.errors import UsageError
from tabsynth.fake import FakeColumns, fresh_cells
from tabsynth.fake.pools import pools_of
from tabsynth.schema.generators import WAYS
from tabsynth.schema.types import Column, Generator, Kind, Schema, TableSchema
from tabsynth.schema.validate import check_schema


def column(name: str, make: str, *, unique: bool = False, dtype: str = "string", **keys: object) -> Column:
    kind = Kind.IDENTIFIER if unique or dtype != "string" else Kind.TEXT
    return Column(name=name, kind=kind, dtype=dtype, unique=unique, generator=Generator(make=make, **keys))


def table(*columns: Column, name: str = "t") -> TableSchema:
    made = TableSchema(name=name, columns=columns)
    check_schema(Schema(tables=(made,)))
    return made


def fill(schema: TableSchema, n: int = 50, *, seed: int = 1, start: int = 0, **given: object) -> pl.DataFrame:
    columns = {
        one.name: given.get(one.name, [str(number) for number in range(start + 1, start + n + 1)])
        for one in schema.columns
    }
    fake = FakeColumns(schema=schema, n_rows=n, seed=seed)
    fake.require_room()
    return fake.fill(pl.DataFrame(columns), start)


SEX = Column(name="sex", kind=Kind.CATEGORICAL, dtype="string", categories=("F", "M"), nullable=True)
ID = Column(name="id", kind=Kind.IDENTIFIER, dtype="string", unique=True)


def person(**keys: object) -> tuple[Column, ...]:
    return (
        column("first", "first_name", **keys),
        column("last", "last_name"),
        column("name", "name"),
        column("mail", "email"),
        column("street", "street"),
        column("city", "city"),
        column("postcode", "postcode"),
        column("address", "address"),
    )


def test_a_row_is_one_person():
    found = fill(table(SEX, *person(sex="sex", female=("F",), male=("M",))), sex=["F", "M"] * 25)
    women, men = (set(names) for names in pools_of(None).first_names)
    for row in found.to_dicts():
        assert row["name"] == f"{row['first']} {row['last']}"
        assert row["first"] in (women if row["sex"] == "F" else men)
        plain = f"{row['first']}.{row['last']}".lower().replace("'", "")
        assert re.fullmatch(re.escape(plain) + r"\d+@example\.(com|org|net)", row["mail"])
        for part in ("street", "city", "postcode"):
            assert row[part] in row["address"]


def test_a_sex_that_is_missing_or_another_one_still_has_a_name():
    schema = table(SEX, *person(sex="sex", female=("F",), male=("M",)))
    assert fill(schema, sex=[None, "X"] * 25)["name"].null_count() == 0


@pytest.mark.parametrize("values", [[1, 2], [1.0, 2.0], [True, False]])
def test_codes_of_any_type_say_the_sex(values: list[object]):
    dtype = {int: "int64", float: "float64", bool: "bool"}[type(values[0])]
    kind = Kind.BOOLEAN if dtype == "bool" else Kind.CATEGORICAL
    sex = Column(name="sex", kind=kind, dtype=dtype, categories=tuple(values))
    names = column("first", "first_name", sex="sex", female=(values[0],), male=(values[1],))
    found = fill(table(sex, names), sex=values * 25)
    women, men = (set(names) for names in pools_of(None).first_names)
    for row in found.to_dicts():
        assert row["first"] in (women if row["sex"] == values[0] else men)


def test_the_same_key_is_the_same_person_in_every_table_and_type():
    people = table(ID, *person(person="id"), name="people")
    number = Column(name="id", kind=Kind.IDENTIFIER, dtype="int64")
    stays = table(number, *person(person="id"), name="stays")
    keys = [7, 8, 9, 7]
    one = fill(people, 4, id=["9", "8", "7", "6"]).to_dicts()
    other = fill(stays, 4, id=keys).to_dicts()
    for row in other:
        same = [{**found, "id": int(found["id"])} for found in one if found["id"] == str(row["id"])]
        assert same == [row]
    assert fill(stays, 4, id=keys, seed=2).to_dicts() != other


def test_rows_of_different_tables_are_different_persons():
    one, other = (fill(table(*person(), name=name))["name"] for name in ("doctors", "patients"))
    # Of 50 rows each agrees by chance with p < 1e-3 a name: 10 or more with p < 1e-18.
    assert (one == other).sum() < 10


def test_two_persons_of_a_row_differ():
    found = fill(table(column("a", "name"), column("b", "name", who="second driver")))
    assert (found["a"] == found["b"]).sum() < 10


@pytest.mark.parametrize(
    "make", [make for make, way in WAYS.items() if way.can_be_unique and make != "sequence"]
)
def test_unique_columns_never_repeat_in_batches(make: str):
    keys = {"pattern": r"[A-Z]{2}\d{3}"} if make == "pattern" else {}
    schema = table(column("x", make, unique=True, **keys))
    fake = FakeColumns(schema=schema, n_rows=30_000, seed=3)
    fake.require_room()
    parts = [
        fake.fill(pl.DataFrame({"x": [str(row + 1) for row in range(start, start + 10_000)]}), start)
        for start in (0, 10_000, 20_000)
    ]
    whole = fake.fill(pl.DataFrame({"x": [str(row + 1) for row in range(30_000)]}), 0)
    assert pl.concat(parts).equals(whole)
    assert whole["x"].n_unique() == 30_000


def test_the_same_number_of_an_identifier_that_repeats_is_the_same_value():
    schema = table(Column(name="x", kind=Kind.IDENTIFIER, dtype="string", generator=Generator(make="uuid")))
    found = fill(schema, 4, x=["5", "6", "5", None])["x"].to_list()
    assert found[0] == found[2] != found[1]
    assert found[3] is None


def test_too_little_room_is_an_error_that_says_how_much_there_is():
    schema = table(
        column("ward", "pattern", unique=True, pattern="[A-D]"), column("tel", "phone", unique=True)
    )
    with pytest.raises(
        UsageError, match=r"'ward': pattern gives 4 different values, 100,000 rows need as many.*'tel': phone"
    ):
        FakeColumns(schema=schema, n_rows=100_000, seed=1).require_room()


def test_numbers_may_be_stored_as_numbers():
    found = fill(
        table(column("x", "pattern", unique=True, dtype="int64", pattern=r"[1-9]\d{8}")), x=range(1, 51)
    )
    assert found.schema == {"x": pl.Int64}
    assert found["x"].is_between(10**8, 10**9 - 1).all()


def test_a_number_that_its_type_cannot_hold_is_an_error():
    schema = table(column("x", "pattern", unique=True, dtype="int16", pattern=r"9\d{8}"))
    with pytest.raises(UsageError, match="column 'x': int16 cannot hold 50 of the values"):
        fill(schema, x=pl.Series(range(50), dtype=pl.Int16))


def test_templates_and_masks():
    schema = table(
        SEX,
        column("note", "template", text="{{{sex}}}: {name}, {first}"),
        column("first", "first_name"),
        column("name", "name"),
        column("remark", "mask"),
        column("scan", "mask", text="[gone]"),
    )
    for row in fill(schema, sex=["F", None] * 25).to_dicts():
        assert row["note"] == f"{{{row['sex'] or ''}}}: {row['name']}, {row['first']}"
        assert (row["remark"], row["scan"]) == ("***", "[gone]")


def test_what_is_missing_stays_missing():
    found = fill(table(*person(), column("u", "uuid", unique=True)), 2, mail=[None, "x"], u=["1", None])
    assert [found["mail"][0], found["u"][1]] == [None, None]
    assert found["mail"][1] is not None


def test_uuids_are_of_version_4():
    from uuid import UUID

    for text in fill(table(column("u", "uuid", unique=True)))["u"].to_list():
        assert (UUID(text).version, UUID(text).variant) == (4, "specified in RFC 4122")


@pytest.mark.parametrize("locale", ["de_DE", "ja_JP", "ru_RU"])
def test_other_locales(locale: str):
    found = fill(table(*person(locale=locale)), 5).to_dicts()
    for row in found:
        assert {row["first"], row["last"]} <= {*row["name"].split(" ")} | {row["first"], row["last"]}
        assert row["mail"].isascii()
    lead = "last" if locale == "ja_JP" else "first"
    assert all(row["name"].startswith(row[lead]) for row in found)


def test_a_locale_without_what_is_asked_for_is_an_error():
    with pytest.raises(UsageError, match="locale en_US has no fax"):
        pools_of("en_US").draw("fax")


def test_a_million_names_e_mails_and_numbers_take_seconds():
    import time

    schema = table(
        column("name", "name"),
        column("mail", "email", unique=True),
        column("u", "pattern", unique=True, pattern=r"MR-\d{9}"),
    )
    frame = pl.DataFrame(
        {name: pl.Series(np.arange(1, 200_001)).cast(pl.String) for name in schema.column_names}
    )
    fake = FakeColumns(schema=schema, n_rows=200_000, seed=1)
    fake.fill(frame[:10], 0)
    begun = time.process_time()
    fake.fill(frame, 0)
    assert time.process_time() - begun < 4  # measured: 0.4 s on a quiet core, so 2 s for a million


def test_fresh_cells_are_none_of_those_taken():
    one = column("x", "pattern", unique=True, pattern="[0-9]")
    taken = pl.Series(["3", "1", "4"])
    assert sorted(fresh_cells(one, n=7, taken=taken)) == ["0", "2", "5", "6", "7", "8", "9"]
    with pytest.raises(UsageError, match="10 different values, 11 rows need as many"):
        fresh_cells(one, n=8, taken=taken)


@pytest.mark.parametrize(
    ("locale", "phone", "number"),
    [
        ("de_AT", r"\+999 \d{8}", r"9\d\d-[0-4]\d-\d{4}"),
        ("de_DE", r"0\d+ \d{5} \d{3}|0\d+ \d{4} \d{3}", r"0\d{10}"),
        ("en_GB", r"0[\d ]{9,12}", r"QQ\d{6}[ABCD]"),
    ],
)
def test_numbers_follow_the_locale_that_another_column_of_the_person_says(locale, phone, number):
    found = fill(
        table(
            column("first", "first_name", locale=locale),
            column("mobile", "phone"),
            column("no", "national_id"),
        )
    )
    assert all(re.fullmatch(phone, cell) for cell in found["mobile"])
    assert all(re.fullmatch(number, cell) for cell in found["no"])


def test_the_locale_of_another_person_of_the_row_is_not_followed():
    found = fill(table(column("first", "first_name", locale="de_AT"), column("other", "phone", who="other")))
    assert found["other"].str.contains(r"555-01\d\d$").all()


HISTORIES = np.array([4, 4, 4, 9, 9, 2], dtype=np.uint64)


def by_history(schema, *, kept, start=0, histories=HISTORIES, seed=1):
    columns = {one.name: [str(k) for k in range(1, len(histories) + 1)] for one in schema.columns}
    fake = FakeColumns(schema=schema, n_rows=60, seed=seed, kept=frozenset(kept))
    return fake.fill(pl.DataFrame(columns), start, histories=histories)


def test_what_is_kept_is_made_of_the_history_and_the_rest_of_the_row():
    schema = table(column("first", "first_name"), column("last", "last_name"), column("note", "sentence"))
    found = by_history(schema, kept=("first", "note"))
    for name, n in (("first", 3), ("note", 3)):
        runs = found[name].to_list()
        assert runs[0] == runs[1] == runs[2] != runs[3]
        assert runs[3] == runs[4] != runs[5]
        assert found[name].n_unique() == n
    assert (
        found["last"].n_unique() > 3
    )  # six of hundreds of names: three and fewer have less than one in a million
    assert found.select("last").equals(fill(schema, 6).select("last"))


def test_names_of_a_history_agree_with_one_another():
    schema = table(column("name", "name"), column("mail", "email"))
    found = by_history(schema, kept=("name", "mail"))
    assert found.n_unique() == 3
    for name, mail in found.rows():
        assert mail.startswith(name.split()[0].lower())


def test_kept_cells_depend_on_the_history_and_the_seed_alone():
    schema = table(column("first", "first_name"), column("u", "uuid", unique=True))
    one = by_history(schema, kept=("first", "u"))
    assert one["u"].to_list()[0] == one["u"].to_list()[2]
    assert one.equals(by_history(schema, kept=("first", "u"), start=40))
    assert one[:3].equals(by_history(schema, kept=("first", "u"), histories=HISTORIES[:3]))
    assert not one.equals(by_history(schema, kept=("first", "u"), seed=2))


def test_without_histories_nothing_is_kept():
    schema = table(column("last", "last_name"))
    fake = FakeColumns(schema=schema, n_rows=6, seed=1, kept=frozenset({"last"}))
    frame = pl.DataFrame({"last": [str(k) for k in range(6)]})
    assert fake.fill(frame, 0).equals(FakeColumns(schema=schema, n_rows=6, seed=1).fill(frame, 0))
    alone = by_history(schema, kept=(), histories=np.arange(6, dtype=np.uint64))
    assert alone.equals(fake.fill(frame, 0))
