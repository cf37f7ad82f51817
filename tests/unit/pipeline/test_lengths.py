"""Rows of persons counted by persons: groups by hand, shares that are met, and stored ones that are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.errors import ModelFileError
from tabsynth.pipeline.lengths import Lengths, lengths_from


def lengths_of(persons, *, min_group=11, most=200):
    """From how many persons have so many rows."""
    rows = np.concatenate([np.full(n, length) for length, n in persons.items()])
    return Lengths.of(np.random.default_rng(0).permutation(rows), min_group=min_group, most=most)


def groups(lengths):
    return [tuple(group) for group in lengths.to_data()["groups"]]


@pytest.mark.parametrize(
    ("persons", "expected", "farthest"),
    [
        ({1: 11}, [(1, 1, 11)], 0),
        ({1: 20, 2: 15}, [(1, 1, 20), (2, 2, 15)], 1),
        # 3 and 4 are 12 together; 5 and 9 wait for more and go to them: a mean of 61/15 = 4.07 and a spread of 1.48, √3 of which
        # is 2.57, so from 1.50 to 6.63. The eleventh longest has three rows
        ({1: 20, 3: 6, 4: 6, 5: 2, 9: 1}, [(1, 1, 20), (2, 7, 15)], 2),
        ({1: 300, 137: 1}, [(1, 1, 301)], 0),  # one is too few: as if it were the nearest
        ({1: 11, 5: 11, 40: 1}, [(1, 1, 11), (5, 5, 12)], 4),
        ({1: 11, 5: 11, 2: 3, 4: 2}, [(1, 1, 14), (5, 5, 13)], 4),
        # fewer persons than a group: 3 on average, and 1.73 to either side
        ({2: 3, 4: 3}, [(1, 5, 6)], 0),
        ({7: 1}, [(7, 7, 1)], 0),
        # ten of one and one of two: 1.09 on average, and nobody has fewer than one
        ({1: 10, 2: 1, 3: 11}, [(3, 3, 11), (1, 1, 11)], 2),
        # twelve planned visits and a few who stop before: 2.5 and 1.12, of which 1.5 fit above one; 8 and 2
        ({**dict.fromkeys(range(1, 12), 3), 12: 267}, [(12, 12, 267), (1, 4, 12), (5, 11, 21)], 11),
        # one of 100 among ten of 10: 18.2 on average, so that from 1 to 35
        ({10: 10, 100: 1, 20: 50}, [(20, 20, 50), (1, 35, 11)], 19),
    ],
)
def test_groups_by_hand(persons, expected, farthest):
    found = lengths_of(persons)
    assert groups(found) == expected
    assert found.farthest == farthest


def test_no_group_reaches_beyond_what_a_person_may_have():
    """6.92 on average and 1.90 of spread, √3 of which is 3.29; to ten there are 3.08."""
    assert groups(lengths_of({5: 6, 8: 5, 10: 2})) == [(4, 10, 13)]
    assert groups(lengths_of({5: 6, 8: 5, 12: 2})) == [(3, 11, 13)]  # 7.23 and 2.46
    assert groups(lengths_of({5: 6, 8: 5, 10: 2}, most=10)) == [(4, 10, 13)]
    assert groups(lengths_of({1: 12, 9: 11, 5: 6, 8: 3, 2: 2}, most=9))[2] == (2, 9, 11)  # 5.27 and 2.01
    assert lengths_of({5: 6, 8: 5, 10: 2}, most=10).mean == pytest.approx(7)


def test_the_mean_is_that_of_the_groups():
    lengths = lengths_of({1: 20, 3: 6, 4: 6, 5: 2, 9: 1})
    assert lengths.mean == pytest.approx((20 * 1 + 15 * 4.5) / 35)  # the middle of 2 to 7 is 4.5


NUMBERS = st.lists(st.integers(1, 40), min_size=1, max_size=80)


@settings(max_examples=100, deadline=None)
@given(rows=NUMBERS, min_group=st.integers(1, 15))
def test_no_group_is_small_and_every_person_is_in_one(rows, min_group):
    lengths = Lengths.of(np.array(rows), min_group=min_group, most=40)
    assert min(lengths.persons) >= min(min_group, len(rows))
    assert sum(lengths.persons) == len(rows)
    assert min(lengths.low) >= 1
    assert max(lengths.high) <= 40
    assert lengths_from(lengths.to_data()) == lengths
    common = {n: rows.count(n) for n in set(rows) if rows.count(n) >= min_group}
    rare = [n for n in rows if n not in common]
    alone = dict(zip(lengths.low[: len(common)], lengths.persons[: len(common)], strict=True))
    assert alone.keys() == common.keys()
    assert lengths.low[: len(common)] == lengths.high[: len(common)]
    if len(rare) >= min_group or not common:
        assert alone == common
        pooled = sum(lengths.persons[len(common) :])
        assert pooled == len(rare)
        middles = [
            n * (low + high) / 2
            for low, high, n in zip(lengths.low, lengths.high, lengths.persons, strict=True)
        ][len(common) :]
        assert sum(middles) == pytest.approx(sum(rare), abs=0.5 * max(pooled, 1) + 1e-9)
    else:
        assert len(lengths.low) == len(common)


@settings(max_examples=100, deadline=None)
@given(rows=NUMBERS, min_group=st.integers(1, 15))
def test_the_farthest_is_the_greatest_that_a_group_of_persons_reaches(rows, min_group):
    farthest = Lengths.of(np.array(rows), min_group=min_group, most=40).farthest
    reach = [n for n in range(max(rows)) if sum(own > n for own in rows) >= min_group]
    assert farthest == max(reach, default=0)


@pytest.mark.parametrize("n", [1, 2, 10, 999, 20_000])
def test_shares_of_groups_are_met_to_within_one_person(n):
    lengths = lengths_of({1: 20, 3: 6, 4: 6, 5: 2, 9: 1})
    for seed in range(5):
        drawn = lengths.draw(n, np.random.default_rng(seed))
        assert abs((drawn == 1).sum() - n * 20 / 35) < 1
        assert set(np.unique(drawn)) <= {1, *range(2, 8)}


def test_within_a_group_all_lengths_are_equally_likely_and_persons_are_in_random_order():
    lengths = lengths_of({1: 20, 3: 6, 4: 6, 5: 2, 9: 1})
    drawn = lengths.draw(35_000, np.random.default_rng(1))
    # 15,000 persons, a sixth each: standard errors of 46; five of them in one time of a million
    assert np.bincount(drawn)[2:].tolist() == pytest.approx([2500] * 6, abs=230)
    # 17,500 persons in either half, a standard error of 46 for the difference to half: as above
    assert (drawn[:17_500] == 1).sum() == pytest.approx(10_000, abs=240)
    assert not np.array_equal(drawn, lengths.draw(35_000, np.random.default_rng(2)))


GOOD = {"groups": [[1, 1, 11], [2, 9, 12]], "farthest": 3}


def test_groups_are_read():
    assert lengths_from(GOOD) == Lengths((1, 2), (1, 9), (11, 12), 3)


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        "abc",
        7,
        [],
        [[1, 1, 11]],
        {"groups": [[1, 1, 11]]},
        {**GOOD, "more": 1},
        *(
            {**GOOD, "groups": groups}
            for groups in (
                None,
                [],
                {},
                [[]],
                [[1, 1]],
                [[1, 1, 11, 1]],
                [(1, 1, 11)],
                [[1, 1, 11], 3],
                [[True, 1, 11]],
                [[1, 1, True]],
                [[1.0, 1, 11]],
                [[1, 1.5, 11]],
                [[1, None, 11]],
                [["1", 1, 11]],
                [[0, 1, 11]],
                [[-1, 1, 11]],
                [[1, 1, 0]],
                [[1, 1, -11]],
                [[2, 1, 11]],
                [[1, 2**31, 11]],
                [[1, 1, 2**70]],
            )
        ),
        *({**GOOD, "farthest": farthest} for farthest in (None, True, 1.0, "1", -1, 2**31, [])),
    ],
    ids=str,
)
def test_what_are_no_groups_is_refused(data):
    with pytest.raises(ModelFileError, match="does not say how many rows"):
        lengths_from(data)
