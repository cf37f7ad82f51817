"""Who stands apart, by brute force; rare people copied among many, and none copied."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tabsynth.audit.isolated import MIN_PEOPLE, Isolated, surprise
from tabsynth.audit.neighbours import nearest_rows
from tabsynth.audit.split import Candidates, stack
from tabsynth.encode import EncodedTable, encode_table
from tabsynth.metrics.sampling import take_rows
from tabsynth.table import Table
from tests.unit.audit.tables import SCHEMA, drawn
from tests.unit.metrics.tables import category, number, schema_of, table_of


def asked(members: EncodedTable, others: EncodedTable) -> Candidates:
    is_member = np.repeat([True, False], [members.n_rows, others.n_rows])
    return Candidates(stack([members, others]), is_member, np.zeros(len(is_member), dtype=np.bool_))


def test_a_row_is_not_its_own_neighbour():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(700, 3))  # two blocks of queries
    squared = ((rows[:, None] - rows) ** 2).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    found, distance = nearest_rows(rows, rows, but_themselves=True)
    assert found.tolist() == squared.argmin(axis=1).tolist()
    assert distance == pytest.approx(squared.min(axis=1))
    found, distance = nearest_rows(rows, rows)
    assert found.tolist() == list(range(700))
    assert (distance < 1e-12).all()


def test_surprise_by_hand():
    schema = schema_of(number("x", nullable=True), category("c", "ab"))
    table = encode_table(table_of(schema, {"x": [1.0, 2.0, 3.0, None], "c": list("aaab")}))
    # x: three of four are numbers; 1 is at most 1 of 3 of them, on either side; 2 is as low as 2 of 3
    number_, null = -np.log(3 / 4), -np.log(1 / 4)
    wanted = [
        number_ - np.log(2 / 3) - np.log(3 / 4),
        number_ - np.log(3 / 4),
        number_ - np.log(2 / 3) - np.log(3 / 4),
        null - np.log(1 / 4),
    ]
    assert surprise(table) == pytest.approx(wanted)


def test_those_far_from_all_are_chosen_on_either_side():
    far = {"x": [50.0], "y": [-50.0], "k": [90], "c": ["a"]}
    outlier = encode_table(table_of(SCHEMA, far))
    people = asked(encode_table(drawn(500, 1)), stack([encode_table(drawn(300, 2)), outlier]))
    found = Isolated.of(people, seed=1)
    assert found.people.columns["x"].values[0] == 50.0
    assert not found.is_member[0]
    assert found.sizes == (MIN_PEOPLE,)  # 1 % and 5 % of 801 are fewer, or as many
    assert found.n_members == found.is_member[:MIN_PEOPLE].sum()


@pytest.fixture(scope="module")
def people() -> Candidates:
    return asked(encode_table(drawn(1_000, 1)), encode_table(drawn(800, 2)))


def rows_of(found: Isolated, n: int) -> EncodedTable:
    """The `n` most isolated members."""
    return take_rows(found.people, np.flatnonzero(found.is_member)[:n])


def test_rare_people_copied_among_many_are_seen(people: Candidates):
    found = Isolated.of(people, seed=1)
    release = stack([rows_of(found, 20), encode_table(drawn(980, 3))])
    rows, numbers = found.questions(release)[:2]
    assert rows.attack.hits >= 18
    assert numbers.attack.hits >= 15
    # a released row is by chance nearer by a factor of four with a probability of some hundredths
    assert rows.control.hits <= 4
    assert not rows.of_all
    quiet = found.questions(encode_table(drawn(1_000, 3)))[0]
    assert quiet.attack.hits <= 5


def test_their_numbers_are_seen_with_a_tiny_error_and_column_by_column(people: Candidates):
    found, rng = Isolated.of(people, seed=1), np.random.default_rng(4)
    rare = rows_of(found, 20)
    frame = drawn(980, 3).frame
    cells = {
        name: np.concatenate([rng.permutation(rare.columns[name].values + 1e-9), frame[name]])
        for name in "xy"
    }
    cells["k"] = np.concatenate([rng.permutation(rare.columns["k"].values), frame["k"]])
    cells["c"] = ["a"] * 20 + frame["c"].to_list()
    release = encode_table(Table.conform(pl.DataFrame(cells), SCHEMA))
    rows, numbers = found.questions(release)[:2]
    assert numbers.attack.hits >= 15
    assert numbers.control.hits <= 2
    assert rows.attack.hits < numbers.attack.hits


def test_one_side_alone_cannot_be_compared():
    table = encode_table(drawn(300, 1))
    found = Isolated.of(
        Candidates(table, np.ones(300, dtype=np.bool_), np.zeros(300, dtype=np.bool_)), seed=1
    )
    assert {question.reason for question in found.questions(table)} == {"all are on one side"}


def test_levels_alone_are_asked_for_rows_alone():
    rng = np.random.default_rng(1)
    schema = schema_of(category("c"), category("d"))
    tables = [
        encode_table(table_of(schema, {name: list(rng.choice(list("abc"), 60)) for name in "cd"}))
        for _ in "mo"
    ]
    found = Isolated.of(asked(*tables), seed=1)
    assert [question.title for question in found.questions(tables[0])] == ["40 most isolated: rows"]


def test_of_equally_isolated_people_members_are_not_chosen_first():
    """20 people are far from all, and 100 stand apart equally: 20 of these are asked about, of either side.

    The release holds every one of the 100, members and non-members alike, so it tells nothing of train; were
    the first 20 of the list chosen, who are members, Fisher's p would be .0002.
    """
    levels = "abcdefghijklmnopqrstu"
    schema = schema_of(*(category(name, levels) for name in "vwxy"))

    def rows(apart: range, far: range, n_common: int) -> EncodedTable:
        cells = [levels[k // 10] + levels[k % 10] + "uu" for k in apart]
        cells += ["uu" + 2 * levels[k] for k in far] + n_common * ["uuuu"]
        return encode_table(
            table_of(schema, dict(zip("vwxy", map(list, zip(*cells, strict=True)), strict=True)))
        )

    people = asked(rows(range(50), range(10), 340), rows(range(50, 100), range(10, 20), 340))
    found = Isolated.of(people, seed=1)
    asked_about = found.questions(rows(range(100), range(0), 100))[0]
    assert asked_about.attack.hits + asked_about.control.hits == 20
    assert 4 <= asked_about.attack.hits <= 16  # hypergeometric: missed by .002 of all seeds
    assert found.n_members == 10 + asked_about.attack.hits
