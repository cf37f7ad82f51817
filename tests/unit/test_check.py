"""Every fault of a table is found, named by column and count, and shows no cell."""

import polars as pl
import pytest

from tabsynth.check import check_generators, check_table, require_valid
from tabsynth.errors import DataError
from tabsynth.schema.types import Column, Generator, Kind, PrivacyUnit, TableSchema
from tabsynth.table import Table

SCHEMA = TableSchema(
    name="t",
    primary_key=("id", "visit"),
    unit=PrivacyUnit(column="id", max_rows=2),
    columns=(
        Column(name="id", kind=Kind.IDENTIFIER, dtype="string"),
        Column(name="visit", kind=Kind.INTEGER, dtype="int64", bounds=(1, 9)),
        Column(name="sex", kind=Kind.CATEGORICAL, dtype="string", categories=("f", "m")),
        Column(name="cost", kind=Kind.NUMBER, dtype="float64", nullable=True),
        Column(name="card", kind=Kind.IDENTIFIER, dtype="int64", unique=True),
    ),
)


def faults_of(**changes):
    cells = {
        "id": ["a", "a", "b", "c"],
        "visit": [1, 2, 1, 1],
        "sex": ["f", "m", "m", "f"],
        "cost": [1.5, None, 2.0, 3.0],
        "card": [1, 2, 3, 4],
    }
    table = Table.conform(pl.DataFrame({**cells, **changes}, strict=False), SCHEMA)
    return {fault.where: fault.what for fault in check_table(table)}, table


def test_a_table_that_follows_its_schema_has_no_fault():
    assert faults_of()[0] == {}
    require_valid(faults_of()[1])


@pytest.mark.parametrize(
    ("changes", "where", "what"),
    [
        ({"sex": ["f", None, None, "m"]}, "column 'sex'", "2 cells are null"),
        ({"sex": ["f", "canary", "m", "m"]}, "column 'sex'", "1 cell is not a declared category"),
        ({"visit": [1, 77, 0, 1]}, "column 'visit'", "2 cells are beyond the declared bounds"),
        (
            {"cost": [float("inf"), 1.0, -float("inf"), 2.0]},
            "column 'cost'",
            "2 cells are not a finite number",
        ),
        ({"card": [1, 2, 2, 2]}, "column 'card'", "2 rows repeat an earlier key"),
        ({"visit": [1, 1, 1, 1]}, "primary key (id, visit)", "1 rows repeat an earlier key"),
        (
            {"id": ["a"] * 4, "visit": [1, 2, 3, 4]},
            "privacy unit 'id'",
            "1 persons have more than the declared 2 rows",
        ),
    ],
)
def test_each_fault_is_named_and_counted(changes, where, what):
    faults, table = faults_of(**changes)
    assert list(faults) == [where]
    assert what in faults[where]
    if where.startswith("privacy unit"):
        require_valid(table)
    else:
        with pytest.raises(DataError) as caught:
            require_valid(table)
        assert "canary" not in str(caught.value)
        assert len(caught.value.faults) == 1


def test_all_faults_are_listed_at_once():
    faults, _ = faults_of(sex=["x"] * 4, visit=[0, 0, 0, 0], card=[None, 1, 2, 3])
    assert set(faults) == {"column 'sex'", "column 'visit'", "column 'card'", "primary key (id, visit)"}


def test_no_rows_have_no_faults():
    table = Table.conform(pl.DataFrame({name: [] for name in SCHEMA.column_names}), SCHEMA)
    assert check_table(table) == ()


def test_infinities_are_not_for_special_values():
    table = faults_of(cost=[float("inf"), 1.0, None, 2.0])[1]
    (fault,) = check_table(table)
    assert "turn infinities into nulls" in fault.hint
    assert "special_values" not in fault.hint


def made_faults(sexes, *, female, male, categories=None, n=4, pattern="[1-5]"):
    kind = Kind.CATEGORICAL if categories else Kind.IDENTIFIER
    schema = TableSchema(
        name="t",
        columns=(
            Column(name="sex", kind=kind, dtype="string", categories=categories, nullable=True),
            Column(
                name="first",
                kind=Kind.TEXT,
                dtype="string",
                generator=Generator(make="first_name", sex="sex", female=female, male=male),
            ),
            Column(
                name="ref",
                kind=Kind.IDENTIFIER,
                dtype="string",
                unique=True,
                generator=Generator(make="pattern", pattern=pattern),
            ),
        ),
    )
    cells = {
        "sex": [sexes[at % len(sexes)] for at in range(n)],
        "first": "canary",
        "ref": [str(at) for at in range(n)],
    }
    return check_generators(Table.conform(pl.DataFrame(cells), schema))


@pytest.mark.parametrize(
    ("female", "male", "names"),
    [
        (("F",), ("M",), []),
        (("W",), ("M",), ["female"]),
        (("W",), ("H",), ["female", "male"]),
        (("W", "F"), ("M",), []),
    ],
)
@pytest.mark.parametrize("categories", [("F", "M"), None])
def test_a_sex_that_no_cell_can_have_is_a_fault(female, male, names, categories):
    faults = made_faults(["F", "M", None], female=female, male=male, categories=categories)
    assert [fault.where for fault in faults] == ["column 'first'"] * len(names)
    n_open = len(names)  # F, or F and M, are said to be neither
    for fault, name in zip(faults, names, strict=True):
        assert (
            fault.what
            == f"{name}: names none of the 2 values of 'sex', of which {n_open} are neither female nor male"
        )


def test_a_table_of_one_sex_or_with_a_third_is_none():
    assert made_faults(["M"], female=("F",), male=("M",), categories=("M",)) == ()
    assert made_faults(["F", "M", "X"], female=("F",), male=("M",), categories=("F", "M", "X")) == ()


def test_a_unique_pattern_with_less_room_than_rows_is_a_fault():
    says = {"female": ("F",), "male": ("M",)}
    assert made_faults(["F", "M"], n=5, **says) == ()
    (fault,) = made_faults(["F", "M"], n=6, **says)
    assert (fault.where, fault.what) == (
        "column 'ref'",
        "pattern gives 5 different values, 6 rows need as many",
    )
