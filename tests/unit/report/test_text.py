from __future__ import annotations

import pytest

from tabsynth.report import text


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, "0%"),
        (1.0, "100%"),
        (0.0048, "0.48%"),
        (0.00012, "0.012%"),
        (0.0514, "5.14%"),
        (0.09999, "10.0%"),
        (0.625, "62.5%"),
        (0.000001, "<0.001%"),
        (-0.0514, "−5.14%"),
    ],
)
def test_percent(share: float, expected: str) -> None:
    assert text.percent(share) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (0.941, "0.941"),
        (1.0, "1.000"),
        (12.345, "12.35"),
        (1250.4, "1,250"),
        (0.0021, "0.0021"),
        (0.00001234, "1.2e−05"),
        (-3.0, "−3.000"),
    ],
)
def test_number(value: float, expected: str) -> None:
    assert text.number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (0.25, "0.25"),
        (1994, "1994"),
        (12_500, "12.5k"),
        (3_000_000, "3M"),
        (2_500_000_000, "2.5G"),
        (-40.0, "−40"),
        (0.00001, "1e−05"),
        (4e15, "4000000000000000"),
    ],
)
def test_edge(value: float, expected: str) -> None:
    assert text.edge(value) == expected


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("2021-03-05", "2021-03-05"),
        ("2021-03-05T00:00:00", "2021-03-05"),
        ("2021-03-05 14:30:00", "2021-03-05 14:30"),
        ("2021-03-05 14:30:15", "2021-03-05 14:30:15"),
    ],
)
def test_time(label: str, expected: str) -> None:
    assert text.time(label) == expected


def test_what_would_act_on_a_terminal_is_replaced() -> None:
    assert text.printable("a\x1b[31mb\u202ec\nd") == "a\ufffd[31mb\ufffdc\ufffdd"
    family = "👩\u200d👧"
    assert text.printable(f"naïve {family} 名前") == f"naïve {family} 名前"


def test_shorten_counts_wide_characters_twice() -> None:
    assert text.shorten("education", 9) == "education"
    assert text.shorten("education", 5) == "educ…"
    assert text.shorten("名前住所", 5) == "名前…"
    assert text.width("e\u0301") == 1


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), ""),
        (("a",), "a"),
        (("a", "b"), "a and b"),
        (("a", "b", "c"), "a, b and c"),
        (("a", "b", "c", "d", "e"), "a, b, c, d and 1 more"),
    ],
)
def test_names_in_a_sentence(names: tuple[str, ...], expected: str) -> None:
    assert text.enumerate_names(names) == expected


def test_sentence_ends_once() -> None:
    assert text.sentence(" none: exact. ") == "None: exact."
    assert text.sentence("") == ""
