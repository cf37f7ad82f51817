"""Numbers that differ give texts that differ, and all of them are of the pattern."""

import re

import numpy as np
import pytest

from tabsynth.fake.hashing import key_of, mixed, permuted
from tabsynth.fake.words import Words


def bits(n: int):
    rows = np.arange(n, dtype=np.uint64)
    return lambda position: mixed(rows, key_of(1, position))


@pytest.mark.parametrize("pattern", [r"(MR|KH)-\d{1,2}[A-C]?", r"(a|ab)(c|bc)b?", r"a{0,3}", r"[A-Z]\d{2}"])
def test_all_numbers_give_all_texts_once(pattern: str):
    words = Words(pattern)
    numbers = np.arange(words.capacity, dtype=np.uint64)
    texts = words.write(numbers, bits(len(numbers))).to_list()
    assert len(set(texts)) == words.capacity == words.automaton.size
    assert all(re.fullmatch(pattern, text) for text in texts)


@pytest.mark.parametrize("pattern", [r"[A-Za-z0-9]{32}", r"(x\d{20}|y[a-z]{30})z", r"A?[0-9]{25}"])
def test_more_texts_than_can_be_counted_never_repeat(pattern: str):
    words = Words(pattern)
    assert 10**6 < words.capacity <= 2**62 < words.automaton.size
    texts = words.write(
        permuted(np.arange(5_000, dtype=np.uint64), words.capacity, key_of(1)), bits(5_000)
    ).to_list()
    assert len(set(texts)) == 5_000
    assert all(re.fullmatch(pattern, text) for text in texts)
    assert len({text[:3] for text in texts}) > 20  # the first characters are drawn, too


def test_a_text_that_may_end_before_its_number_is_read_has_no_room():
    assert Words(r"[a-z]{0,40}").capacity == 1


@pytest.mark.parametrize("size", [1, 2, 3, 5, 16, 17, 1000, 1025])
def test_permutations_are_permutations(size: int):
    found = permuted(np.arange(size, dtype=np.uint64), size, key_of(3, size))
    assert sorted(found.tolist()) == list(range(size))


def test_permutations_depend_on_the_key_and_look_even():
    rows = np.arange(10_000, dtype=np.uint64)
    one, other = (permuted(rows, 10_000, key_of(seed)) for seed in (1, 2))
    # Two random permutations of 10,000 agree in 1 place on average, Poisson: in more than 15 with p < 1e-12.
    assert (one == other).sum() <= 15
    # |corr| of independent ranks has standard deviation 0.01: beyond 0.07 with p < 1e-11.
    assert abs(np.corrcoef(rows, one)[0, 1]) < 0.07


def test_mixing_loses_nothing():
    assert len(np.unique(mixed(np.arange(100_000, dtype=np.uint64), key_of(1)))) == 100_000
