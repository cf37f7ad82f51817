"""Parts are disjoint, drawn by unit, and sized as asked."""

from __future__ import annotations

import numpy as np

from tabsynth.audit.sizes import MIN_ASKED, Sizes, for_columns
from tabsynth.audit.split import asked_of, candidates_of, cut
from tabsynth.encode import Variable, encode_table
from tabsynth.randomness import Streams
from tests.unit.audit.tables import drawn

WIDE = Sizes(candidates=10_000, release=10_000, reference=10_000, asked=10_000)


def test_every_holdout_row_is_in_one_part():
    parts = cut(np.arange(90), np.arange(300), sizes=WIDE, streams=Streams(1))
    held = np.concatenate([parts.non_members, parts.reference, parts.spare])
    assert sorted(held.tolist()) == list(range(300))
    assert [len(parts.non_members), len(parts.reference), len(parts.spare)] == [100, 100, 100]
    assert sorted(parts.members.tolist()) == list(range(90))


def test_persons_stay_together_and_are_attacked_once():
    train, holdout = np.repeat(np.arange(50), 3), np.repeat(np.arange(100, 190), 4)
    parts = cut(train, holdout, sizes=WIDE, streams=Streams(2))
    assert sorted(train[parts.members].tolist()) == list(range(50))
    sides = [set(holdout[rows].tolist()) for rows in (parts.non_members, parts.reference, parts.spare)]
    assert [len(side) for side in sides] == [30, 30, 30]
    assert len(set.union(*sides)) == 90
    assert (len(parts.non_members), len(parts.reference)) == (30, 120)


def test_sizes_hold():
    parts = cut(
        np.arange(90),
        np.arange(300),
        sizes=Sizes(candidates=20, release=30, reference=40, asked=25),
        streams=Streams(1),
    )
    assert [len(rows) for rows in (parts.members, parts.non_members, parts.reference, parts.spare)] == [
        20,
        20,
        40,
        30,
    ]


def test_candidates_are_the_rows_of_their_side():
    train, holdout = (encode_table(drawn(n, seed)) for n, seed in ((90, 1), (300, 2)))
    parts = cut(np.arange(90), np.arange(300), sizes=WIDE, streams=Streams(1))
    found = candidates_of(train, holdout, parts, streams=Streams(1))
    assert found.is_member.tolist() == [True] * 90 + [False] * 100
    assert (found.is_validation[:90].sum(), found.is_validation[90:].sum()) == (30, 33)
    wanted = [train.columns["x"].values[parts.members], holdout.columns["x"].values[parts.non_members]]
    assert (found.rows.columns["x"].values == np.concatenate(wanted)).all()
    assert (found.rows.columns["c"].codes[:90] == train.columns["c"].codes[parts.members]).all()


def test_people_asked_about_are_one_row_of_each_unit_but_those_kept_for_calibration():
    units = np.repeat(np.arange(300), 2)
    parts = cut(np.arange(90), units, sizes=WIDE, streams=Streams(1))
    asked = units[parts.asked_others]
    assert len(set(asked)) == len(asked) == 200
    assert not set(asked) & set(units[parts.spare])
    train, holdout = (encode_table(drawn(n, seed)) for n, seed in ((90, 1), (600, 2)))
    people = asked_of(train, holdout, parts)
    assert people.is_member.sum() == 90
    assert not people.is_validation.any()
    wanted = np.concatenate(
        [train.columns["x"].values[parts.asked_members], holdout.columns["x"].values[parts.asked_others]]
    )
    assert (people.rows.columns["x"].values == wanted).all()


def test_wide_tables_are_asked_about_fewer_people():
    narrow, wide = ([Variable(name="c", is_continuous=False, n_levels=30)] * n for n in (4, 40))
    assert for_columns(WIDE, narrow) == WIDE
    assert for_columns(WIDE, wide[:20]).asked == 10_000 * 120 // 600
    assert for_columns(WIDE, wide).asked == MIN_ASKED
    assert for_columns(WIDE, wide).candidates == WIDE.candidates
