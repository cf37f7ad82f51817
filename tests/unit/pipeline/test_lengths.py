"""Rows of persons counted by persons: groups by hand, shares that are met, and stored ones that are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.errors import ModelFileError
from tabsynth.pipeline.lengths import Lengths, lengths_from


def lengths_of(persons, *, min_group=11):
    """From how many persons have so many rows."""
    rows = np.concatenate([np.full(n, length) for length, n in persons.items()])
    return Lengths.of(np.random.default_rng(0).permutation(rows), min_group=min_group)


def groups(lengths):
    return [tuple(group) for group in lengths.to_data()]


@pytest.mark.parametrize(
    ("persons", "expected"),
    [
        ({1: 11}, [(1, 1, 11)]),
        ({1: 20, 2: 15}, [(1, 1, 20), (2, 2, 15)]),
        # 3 and 4 are 12 together; 5 and 9 wait for more and go to them: 3 to 9 of mean (18 + 24 + 10 + 9) / 15
        ({1: 20, 3: 6, 4: 6, 5: 2, 9: 1}, [(1, 1, 20), (3, 5, 15)]),  # 2 * 61/15 - 3 = 5.13
        ({1: 300, 137: 1}, [(1, 1, 301)]),  # a mean of 1.45: up to 1.9
        ({2: 3, 4: 3}, [(2, 4, 6)]),  # fewer persons than a group
        ({7: 1}, [(7, 7, 1)]),
        ({1: 10, 2: 1, 3: 11}, [(1, 2, 11), (3, 3, 11)]),  # groups before the last are as they are
        # two groups; 40 goes to the second: mean of 5 (11 times) and 40 is 95/12, up to 10.8
        ({1: 11, 5: 11, 40: 1}, [(1, 1, 11), (5, 10, 12)]),
        # the mean is high up, so the longest is the end: 2 * (3 + 11 * 6) / 12 - 3 = 8.5
        ({3: 1, 6: 11}, [(3, 6, 12)]),
    ],
)
def test_groups_by_hand(persons, expected):
    assert groups(lengths_of(persons)) == expected


def test_the_mean_and_the_farthest_are_those_of_the_groups():
    lengths = lengths_of({1: 20, 3: 6, 4: 6, 5: 2, 9: 1})
    assert lengths.mean == pytest.approx((20 * 1 + 15 * 4) / 35)  # the middle of 3 to 5 is 4
    assert lengths.farthest == 2  # fifteen persons have two rows before their third
    assert lengths_of({1: 300, 137: 1}).farthest == 0


NUMBERS = st.lists(st.integers(1, 40), min_size=1, max_size=80)


@settings(max_examples=100, deadline=None)
@given(rows=NUMBERS, min_group=st.integers(1, 15))
def test_no_group_is_small_and_every_person_is_in_one(rows, min_group):
    lengths = Lengths.of(np.array(rows), min_group=min_group)
    assert min(lengths.persons) >= min(min_group, len(rows))
    assert sum(lengths.persons) == len(rows)
    assert lengths.low[0] == min(rows)
    assert lengths.high[-1] <= max(rows)
    within = [
        sum(low <= n <= high for n in rows) for low, high in zip(lengths.low, lengths.high, strict=True)
    ]
    assert within[:-1] == list(lengths.persons[:-1])
    assert sum(n >= lengths.low[-1] for n in rows) == lengths.persons[-1]
    assert sum(n > lengths.farthest for n in rows) >= min(min_group, len(rows))
    assert lengths_from(lengths.to_data()) == lengths


@settings(max_examples=100, deadline=None)
@given(rows=NUMBERS)
def test_the_last_group_keeps_its_mean_to_half_a_row(rows):
    lengths = Lengths.of(np.array(rows), min_group=11)
    mean = np.mean([n for n in rows if n >= lengths.low[-1]])
    middle = (lengths.low[-1] + lengths.high[-1]) / 2
    assert middle <= mean
    assert middle > mean - 0.5 - 1e-9 or lengths.high[-1] == max(rows)


@pytest.mark.parametrize("n", [1, 2, 10, 999, 20_000])
def test_shares_of_groups_are_met_to_within_one_person(n):
    lengths = lengths_of({1: 20, 3: 6, 4: 6, 5: 2, 9: 1})
    for seed in range(5):
        drawn = lengths.draw(n, np.random.default_rng(seed))
        assert abs((drawn == 1).sum() - n * 20 / 35) < 1
        assert set(np.unique(drawn)) <= {1, 3, 4, 5}


def test_within_a_group_all_lengths_are_equally_likely_and_persons_are_in_random_order():
    lengths = lengths_of({1: 20, 3: 6, 4: 6, 5: 2, 9: 1})
    drawn = lengths.draw(35_000, np.random.default_rng(1))
    # 15,000 persons, a third each: standard errors of 58; five of them in one time of a million
    assert np.bincount(drawn)[3:].tolist() == pytest.approx([5000] * 3, abs=290)
    # 17,500 persons in either half, a standard error of 46 for the difference to half: as above
    assert (drawn[:17_500] == 1).sum() == pytest.approx(10_000, abs=240)
    assert not np.array_equal(drawn, lengths.draw(35_000, np.random.default_rng(2)))


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        "abc",
        7,
        [],
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
        [[1, 2**53 + 1, 11]],
        [[1, 1, 2**70]],
    ],
)
def test_what_are_no_groups_is_refused(data):
    with pytest.raises(ModelFileError, match="does not say how many rows"):
        lengths_from(data)


@pytest.mark.parametrize(
    "data", [[[2, 1, 11]], [[3, 4, 11], [1, 2, 11]], [[1, 2, 11], [2, 3, 11]], [[1, 9, 11], [3, 4, 11]]]
)
def test_groups_that_overlap_or_stand_in_no_order_are_refused(data):
    with pytest.raises(ModelFileError, match="not in order"):
        lengths_from(data)
