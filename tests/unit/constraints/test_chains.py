"""Rows that reach over what another lacks: chains that keep the order, and are found where there is one."""

import numpy as np
import pytest

from tabsynth.constraints.chains import MOST_LINKS, chains, reaching_over


def reaches(first, second, gap, others, *, strict):
    """By brute force: whether intervals of other rows lead from the gap's lower end to its upper one."""
    reach = second[gap]
    while True:
        begins = first < reach if strict else first <= reach
        further = max((end for end, ok in zip(second, others & begins, strict=True) if ok), default=reach)
        if (further > first[gap]) if strict else (further >= first[gap]):
            return True
        if further <= reach:
            return False
        reach = further


@pytest.mark.parametrize("strict", [False, True])
def test_a_chain_is_found_where_there_is_one_and_keeps_the_order(strict):
    rng = np.random.default_rng(3)
    n_found = n_alone = n_none = 0  # chains, those of one link, and none
    for _ in range(400):
        first, second = rng.integers(0, 30, (2, 14)).astype(float)
        second[1:] = first[1:] + rng.integers(1, 11, 13)
        first[0], second[0] = 25.0, 3.0
        others = rng.random(14) < 0.8
        others[0] = False
        found = chains(first, second, np.array([0]), others, rng, strict=strict)
        assert bool(found) == reaches(first, second, 0, others, strict=strict)
        if not found:
            n_none += 1
            continue
        (chain,) = found
        assert chain[-1] == 0
        assert others[chain[:-1]].all()
        taken = second[np.roll(chain, 1)]
        assert (first[chain] < taken if strict else first[chain] <= taken).all()
        n_found, n_alone = n_found + 1, n_alone + (len(chain) == 2)
    assert min(n_found - n_alone, n_none) > 30


def test_no_row_is_in_two_chains_and_a_single_link_is_drawn_among_all():
    first = np.array([9.0, 9.0, 9.0, *np.zeros(20), np.nan])
    second = np.array([1.0, 1.0, 1.0, *np.full(20, 9.0), 20.0])
    others = np.arange(24) > 2
    links = set()
    for seed in range(30):
        found = chains(first, second, np.arange(3), others, np.random.default_rng(seed), strict=False)
        assert sorted(chain[-1] for chain in found) == [0, 1, 2]
        assert [len(chain) for chain in found] == [2, 2, 2]
        rows = np.concatenate(found)
        assert len(set(rows.tolist())) == 6
        links |= set(rows.tolist()) - {0, 1, 2}
    # every one of 20 links in 90 draws but for a probability below 20 · .95^90 = .2; 12 of them surely enough: C(20, 11) · .55^90 < 1e-18
    assert 12 <= len(links) <= 20
    assert 23 not in links  # null reaches nowhere


def test_a_chain_of_too_many_links_is_left():
    n = MOST_LINKS + 1
    first = np.r_[float(n), np.arange(n)]
    second = np.r_[0.0, np.arange(n) + 1.0]
    others = np.arange(n + 1) > 0
    assert chains(first, second, np.array([0]), others, np.random.default_rng(0), strict=False) == []
    first[0] = n - 1.0
    (chain,) = chains(first, second, np.array([0]), others, np.random.default_rng(0), strict=False)
    assert chain.tolist() == [*range(1, n), 0]


@pytest.mark.parametrize("strict", [False, True])
def test_a_row_that_reaches_over_a_gap_is_one_of_those_that_do_and_no_two_gaps_share_it(strict):
    rng = np.random.default_rng(4)
    n_found = 0
    for _ in range(100):
        first, second = rng.integers(0, 30, (2, 60)).astype(float)
        gaps, free = np.flatnonzero(first > second), np.flatnonzero(first < second)[::2]
        partner = reaching_over(first, second, gaps, free, rng, window=100, strict=strict)
        reaching = {
            gap: [
                row
                for row in free
                if (first[row] < second[gap] and first[gap] < second[row])
                or (not strict and first[row] <= second[gap] and first[gap] <= second[row])
            ]
            for gap in gaps
        }
        for gap, row in zip(gaps, partner, strict=True):
            assert row < 0 or row in reaching[gap]
        taken = partner[partner >= 0]
        assert len(set(taken.tolist())) == len(taken)
        assert len(taken) > 0 or not any(reaching.values())
        n_found += len(taken)
    assert n_found > 300


def test_a_partner_lies_beside_the_gap():
    """Everybody reaches over it, but only the ten whose first numbers are the nearest below its lower end are asked."""
    first = np.r_[60.5, np.arange(100.0)]
    second = np.r_[50.5, np.full(100, 200.0)]
    seen = {
        int(
            reaching_over(
                first,
                second,
                np.array([0]),
                np.arange(1, 101),
                np.random.default_rng(seed),
                window=10,
                strict=False,
            )[0]
        )
        for seed in range(200)
    }
    beside = set(first[list(seen)].tolist())
    assert beside <= {*map(float, range(41, 51))}
    # of three the lowest is taken: it is 41, 42 or 43 with .27, .22 and .17; one of them fails in 200 draws with 3 · .83^200 < 1e-15
    assert {41.0, 42.0, 43.0} <= beside
