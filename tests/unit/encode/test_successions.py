"""Rows of persons in order: by what cells mean, and against a sort in plain Python."""

import datetime as dt
from itertools import groupby

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.encode.successions import in_succession, places_in
from tabsynth.schema.types import Column, Kind, PrivacyUnit, TableSchema
from tabsynth.table import Table

PERSON = Column(name="who", kind=Kind.IDENTIFIER, dtype="string", nullable=True)
VISIT = Column(name="at", kind=Kind.IDENTIFIER, dtype="string", nullable=True)
UNIT = PrivacyUnit(column="who", max_rows=9, order_by="at")


def table(persons, cells, order=VISIT):
    schema = TableSchema(name="t", columns=(PERSON, order), unit=UNIT)
    return Table.conform(
        pl.DataFrame({"who": persons, "at": cells}, schema_overrides={"who": pl.String}), schema
    )


def order_of(cells, column):
    """The cells of one person, in order."""
    return [cells[k] for k in in_succession(table(["ann"] * len(cells), cells, column))]


def test_rows_of_a_person_stand_together_and_in_order():
    persons = ["bob", "ann", "bob", "ann", "bob"]
    found = in_succession(table(persons, ["3", "2", "1", "1", "2"]))
    assert found.tolist() == [3, 1, 2, 4, 0]


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        (
            Column(name="at", kind=Kind.DATE, dtype="string", format="%d.%m.%Y", nullable=True),
            ["31.01.2019", "02.02.2019", "01.03.2019", "05.12.2019", "01.01.2020", None],
        ),
        (
            Column(name="at", kind=Kind.INTEGER, dtype="string", special_values=("> 89",), nullable=True),
            ["-3", "7", "10", "89", "> 89"],
        ),
        (
            Column(name="at", kind=Kind.INTEGER, dtype="int64", special_values=(-9,), nullable=True),
            [-20, -1, 0, 4, -9],
        ),
        (Column(name="at", kind=Kind.NUMBER, dtype="float64", nullable=True), [-1.5, 0.25, 3.0, None]),
        (
            Column(name="at", kind=Kind.DURATION, dtype="duration[us]", nullable=True),
            [dt.timedelta(hours=-30), dt.timedelta(hours=5), dt.timedelta(days=1), None],
        ),
        (VISIT, ["a2", "a10", "id9", "id10", "id010x", "id9x", None]),
        (VISIT, ["2020-9", "2020-10", "2021-1", "2021-"]),
        (Column(name="at", kind=Kind.IDENTIFIER, dtype="int64", nullable=True), [-1, 9, 10, 100, None]),
    ],
)  # fmt: skip
def test_cells_are_ordered_by_what_they_mean(column, cells):
    for seed in range(5):
        shuffled = [cells[k] for k in np.random.default_rng(seed).permutation(len(cells))]
        assert order_of(shuffled, column) == cells


def test_what_ties_stays_in_its_order():
    same = ["x1", "x01", "x1", None, "x001", None]  # one number, written three ways
    assert in_succession(table(["ann"] * 6, same)).tolist() == [0, 1, 2, 4, 3, 5]
    special = Column(name="at", kind=Kind.INTEGER, dtype="string", special_values=("a", "b"), nullable=True)
    assert in_succession(table(["ann"] * 4, ["b", None, "a", "3"], special)).tolist() == [3, 0, 1, 2]


def test_more_digits_than_a_number_holds_are_in_order_still():
    cells = ["9" * 17, "1" + "0" * 17, "1" + "0" * 18, "1" + "0" * 17 + "1"]
    assert order_of(cells[::-1], VISIT) == cells


def test_a_row_of_nobody_is_a_person_by_itself():
    rows = table([None, "ann", None, "ann"], ["1", "2", "3", "1"])
    order = in_succession(rows)
    counts, place = places_in(rows.unit_codes()[order])
    assert dict(zip(order.tolist(), zip(counts.tolist(), place.tolist(), strict=True), strict=True)) == {
        0: (1, 0), 2: (1, 0), 3: (2, 0), 1: (2, 1),
    }  # fmt: skip


def test_places_in_no_rows_and_in_some():
    assert [part.tolist() for part in places_in(np.array([], dtype=np.int64))] == [[], []]
    counts, place = places_in(np.array([4, 4, 4, 0, 7, 7]))
    assert (counts.tolist(), place.tolist()) == ([3, 3, 3, 1, 2, 2], [0, 1, 2, 0, 0, 1])


def key_of(cell):
    """What stands before the last digits, then their number; what has none comes after, and null last."""
    if cell is None:
        return (1, "", 0, 0)
    stem = cell.rstrip("0123456789")
    digits = cell[len(stem) :]
    return (0, stem, not digits, int(digits or 0))


CELLS = {
    "text": (VISIT, st.text("ab019-", max_size=5), key_of),
    "number": (
        Column(name="at", kind=Kind.INTEGER, dtype="int64", special_values=(0,), nullable=True),
        st.integers(-3, 3),
        lambda cell: (cell in (None, 0), 0 if cell is None else cell),
    ),
}


@settings(max_examples=60, deadline=None)
@given(data=st.data(), kind=st.sampled_from(sorted(CELLS)))
def test_as_a_sort_in_python_has_it(data, kind):
    column, cells, key = CELLS[kind]
    rows = data.draw(
        st.lists(st.tuples(st.none() | st.sampled_from("abc"), st.none() | cells), min_size=1, max_size=20)
    )
    persons = [f"nobody {k}" if who is None else who for k, (who, _) in enumerate(rows)]
    found = in_succession(table([who for who, _ in rows], [cell for _, cell in rows], column)).tolist()
    assert sorted(found) == list(range(len(rows)))
    runs = [(who, list(run)) for who, run in groupby(found, key=lambda k: persons[k])]
    assert len(runs) == len(set(persons))  # each person's rows stand together
    for who, run in runs:
        mine = [k for k in range(len(rows)) if persons[k] == who]
        assert run == sorted(mine, key=lambda k: key(rows[k][1]))  # which is stable
