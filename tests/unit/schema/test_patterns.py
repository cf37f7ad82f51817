"""Patterns are counted exactly, or refused with what is wrong."""

import contextlib
import itertools
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.schema.automata import PatternError
from tabsynth.schema.patterns import compile_pattern


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
        ("a" * 501, "has 501 characters, more than 500"),
        ("(" * 31 + "a" + ")" * 31, "more than 30 deep"),
        ("(" * 499, "more than 30 deep"),
        ("a{1," + "1" * 400 + "}", "up to 200"),
        ("a{1,0999}", "up to 200"),
        ("a{" + "0" * 400 + "}", "up to 200"),
        ("[!-\U0010ffff]{2}", "more than 5,000 characters"),
        ("[" + "".join(f"{chr(n)}-{chr(n + 4000)}" for n in (0x4E00, 0x6000)) + "]", "more than 5,000"),
        ("\ud800", "no text can"),
        ("[\ud7ff-\ue000]", "no text can"),
        ("\\\udfff", "no text can"),
        ("a\0", "no text can"),
    ],
)
def test_what_has_no_bound_or_no_meaning_here_is_refused(pattern: str, what: str):
    with pytest.raises(PatternError, match=re.escape(what)):
        compile_pattern(pattern)


def test_an_automaton_that_would_explode_is_refused():
    pattern = "(a|b){0,20}a" + "(a|b){20}"  # the subsets of 20 positions
    with pytest.raises(PatternError, match="too large"):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"\w{0,80}a\w{11}",
        "[一-丁]{0,1}" + "[一-巿]{50}" + "[a-z]",
        "((a?){200}){20}",
        "(" + "|".join("ab" * 60) + "){0,20}",
        r"(\w?\w?\w?){60}",
        r"(((\w|\d)?){9}){20}",
    ],
)
def test_no_pattern_takes_long(pattern: str):
    """Refused or counted in 10 seconds of this thread; in half of one on a quiet core."""
    begun = time.thread_time()
    with contextlib.suppress(PatternError):
        compile_pattern(pattern)
    assert time.thread_time() - begun < 10


_pieces = st.sampled_from(
    [*"ab|()[]{}?*+-^$\\,019.", r"\d", r"\w", "{1,3}", "{0,200}", "(?:", "é", "\ud800", "\0"]
)


@given(st.lists(_pieces | st.characters(), max_size=40).map("".join))
@settings(deadline=None)
def test_any_text_is_a_pattern_or_a_pattern_error(pattern: str):
    try:
        found = compile_pattern(pattern)
    except PatternError:
        return
    assert found.size >= 1
    assert found.longest <= 200


def test_what_is_wrong_with_a_pattern_is_one_error_of_the_schema():
    from tabsynth.errors import SchemaError
    from tabsynth.schema import schema_from_yaml

    text = "version: 1\ntables:\n  t:\n    columns:\n      x: {{kind: identifier, generator: {{make: pattern, pattern: {}}}}}\n"
    for pattern in ("a{1," + "1" * 400 + "}", "(" * 40 + "a" + ")" * 40):
        with pytest.raises(SchemaError, match="pattern"):
            schema_from_yaml(text.format(repr(pattern)))
