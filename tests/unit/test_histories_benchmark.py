"""The figures of `benchmarks.histories`, by hand."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from benchmarks.histories import (
    Histories,
    Teller,
    auc,
    by_person,
    coded,
    follows,
    kolmogorov,
    nearest,
    total_variation,
)


def test_rows_follow_one_another_within_a_person_as_they_came() -> None:
    rows = by_person(pl.DataFrame({"who": [2, 1, 2, 1, 1], "at": [5, 1, 4, 3, 2]}), "who")
    assert rows["at"].to_list() == [1, 3, 2, 5, 4]
    assert follows(rows, "who").tolist() == [True, True, False, True]


def test_distances() -> None:
    assert total_variation(np.array([0, 0, 1, 2]), np.array([0, 1, 1, -1])) == 0.5
    assert total_variation(np.array([3]), np.array([], dtype=np.int64)) == 1.0
    assert kolmogorov(np.array([1.0, 2.0, np.nan]), np.array([1.0, 3.0, 3.0, 3.0])) == pytest.approx(0.75)
    assert kolmogorov(np.array([1.0]), np.array([np.nan])) == 1.0


def test_cells_are_coded_by_trains_bins_and_levels() -> None:
    train = pl.Series(range(100))
    assert coded(train, pl.Series([None, -5, 0, 50, 1000]), is_continuous=True).tolist() == [0, 1, 1, 6, 10]
    levels = pl.Series(["b", "a", None, "a"])
    assert coded(levels, pl.Series(["a", None, "c", "b"]), is_continuous=False).tolist() == [1, 0, -1, 2]


@pytest.fixture
def histories() -> tuple[pl.DataFrame, Histories]:
    """A hundred persons of two rows, ten days apart, whose `mood` turns and whose `kind` stays."""
    who = np.repeat(np.arange(1000, 1100), 2)
    day = [dt.date(2020, 1, 1) + dt.timedelta(days=int(i // 2 * 3 + 10 * (i % 2))) for i in range(200)]
    rows = pl.DataFrame(
        {"who": who, "day": day, "mood": ["low", "high"] * 100, "kind": np.where(who % 2, "x", "y")}
    )
    return rows, Histories(file="", unit="who", order="day")


def test_train_lies_at_no_distance_from_itself(histories: tuple[pl.DataFrame, Histories]) -> None:
    train, table = histories
    teller = Teller(train, table)
    told = teller.told(train)
    assert teller.columns == ["day", "mood", "kind"]
    assert teller.constant == ["kind"]
    assert [told[key] for key in ("rows_per_person", "cells", "pairs", "changed", "backwards", "gaps")] == [
        0
    ] * 6


def test_rows_that_come_backwards_and_persons_who_change(histories: tuple[pl.DataFrame, Histories]) -> None:
    train, table = histories
    turned = train.reverse().with_columns(
        kind=pl.when(pl.col("who") < 1050, pl.col("mood") == "low").then(pl.lit("z")).otherwise("kind")
    )
    told = Teller(train, table).told(turned)
    assert told["backwards"] == 1.0
    assert told["gaps"] == 1.0  # ten days on in train, ten days back here
    assert told["rows_per_person"] == 0.0
    assert told["changed"] == 0.5
    assert told["worst_pairs"]["mood"] == 1.0  # high after low in train, low after high here
    assert told["repeats"]["kind"] == {"train": 1.0, "here": 0.5}


def test_no_pairs_are_as_far_as_can_be(histories: tuple[pl.DataFrame, Histories]) -> None:
    train, table = histories
    told = Teller(train, table).told(train.with_columns(who=pl.int_range(pl.len())))
    assert (told["rows_per_person"], told["pairs"], told["changed"]) == (1.0, 1.0, None)
    assert told["repeats"]["kind"] == {"train": 1.0, "here": None}


def test_persons_who_were_copied_are_recognised() -> None:
    """By all their rows: members of a copy are at distance 0; of the two halves of one made table neither is nearer."""
    rng = np.random.default_rng(0)

    def made(n: int, first: int) -> pl.DataFrame:
        who = np.repeat(np.arange(first, first + n), 2)
        day = [dt.date(2020, 1, 1) + dt.timedelta(days=int(d)) for d in rng.integers(0, 3000, 2 * n)]
        return pl.DataFrame({"who": who, "day": day, "mood": rng.choice(["a", "b", "c"], 2 * n)})

    train, holdout, other = made(300, 1000), made(300, 2000), made(300, 3000)
    teller = Teller(train, Histories(file="", unit="who", order="day"))
    assert teller.members(train, holdout) == {"members": 1.0, "members_of": 300}
    # 300 on either side: a standard error of .024; five of them in one time of a million
    assert teller.members(other, holdout)["members"] == pytest.approx(0.5, abs=0.12)
    assert teller.members(train.head(40), holdout) == {
        "members": pytest.approx(0.5, abs=0.12),
        "members_of": 300,
    }
    few = teller.members(train, holdout.head(98))
    assert few == {"members": None, "members_of": 0}


def test_distances_of_persons_by_hand() -> None:
    known = np.array([[0.5, 20.0, 0.1, 30.0], [0.9, 20.0, -10.0, 20.0]])
    persons = np.array([[0.5, 20.0, 0.1, 30.0], [0.7, 30.0, -10.0, 20.0]])
    assert nearest(persons, known) == pytest.approx([0.0, 1.2])
    assert auc(np.array([0.0, 1.0]), np.array([1.0, 2.0])) == 0.875
