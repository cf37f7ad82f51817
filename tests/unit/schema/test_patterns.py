"""Patterns are counted exactly, or refused with what is wrong."""

import itertools
import re

import pytest

from tabsynth.schema.patterns import PatternError, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "size"),
    [
        ("", 1),
        ("abc", 1),
        (r"\d{3}", 1000),
        (r"[A-C]?\d", 40),
        (r"(MR|KH)-\d{1,2}", 2 * 110),
        (r"a{0,3}", 4),
        (r"(a|ab)(c|bc)", 3),  # ac, abc (in two ways), abbc
        (r"a?a?", 3),
        (r"(\d{2}){2}", 10_000),
        (r"^\w$", 63),
        (r"[\d.-]", 12),
        (r"\$\^", 1),
        (r"(?:x|y){2}", 4),
        (r"(a{1,2}){2}", 3),
    ],
)
def test_sizes_by_hand(pattern: str, size: int):
    assert compile_pattern(pattern).size == size


@pytest.mark.parametrize(
    "pattern", [r"(a|ab)(c|bc)b?", r"a{0,2}[ab]{1,3}", r"((a|b)?a){1,2}", r"(ab?|b){0,3}"]
)
def test_sizes_by_brute_force_with_re(pattern: str):
    texts = ("".join(chars) for n in range(9) for chars in itertools.product("abc", repeat=n))
    assert compile_pattern(pattern).size == sum(re.fullmatch(pattern, text) is not None for text in texts)


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("a*", "has no bound"),
        ("a+", "has no bound"),
        ("a{2,}", "both bounds"),
        ("a{x}", "both bounds"),
        ("a{3", "both bounds"),
        ("a{3,2}", "from low to high"),
        ("a{201}", "up to 200"),
        ("(a{100}){3}", "more than 200"),
        (".", "not understood"),
        ("?", "not understood"),
        ("(a", "ends too early"),
        ("[", "ends too early"),
        ("\\", "ends too early"),
        ("a)", "never opened"),
        ("(a|b", "ends too early"),
        ("[]", "holds nothing"),
        ("[^a]", "negated"),
        ("[z-a]", "low to high"),
        (r"\s", "not understood"),
        (r"(a)\1", "not understood"),
        ("(?=a)", "groups are"),
        ("((a{200}){200}){200}", "too large"),
    ],
)
def test_what_has_no_bound_or_no_meaning_here_is_refused(pattern: str, what: str):
    with pytest.raises(PatternError, match=re.escape(what)):
        compile_pattern(pattern)


def test_an_automaton_that_would_explode_is_refused():
    pattern = "(a|b){0,20}a" + "(a|b){20}"  # the subsets of 20 positions
    with pytest.raises(PatternError, match="too large"):
        compile_pattern(pattern)
