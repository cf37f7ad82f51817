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


# advance widths of Helvetica in thousandths of an em, from its public font metrics
_HELVETICA = {
    278: " !,./:;ft\\[]|I",
    333: "()-r`",
    556: "0123456789abdeghnopqu#$?_L",
    500: "cksvxyzJ",
    222: "ijl",
    584: "+<=>~",
    611: "FTZ",
    667: "ABEKPSVXY&",
    722: "CDHNRUw",
    778: "GOQ",
    833: "mM",
    889: "%",
    944: "W",
    1000: "…",
    1015: "@",
}


def test_breadths_are_those_of_a_common_face_or_somewhat_more() -> None:
    for thousandths, characters in _HELVETICA.items():
        for character in characters:
            assert thousandths / 1000 <= text.breadth(character) <= thousandths / 1000 + 0.15, character
    assert text.breadth("漢字") == pytest.approx(2.6)
    assert text.breadth("e\u0301") == text.breadth("e")


@pytest.mark.parametrize(
    "words", ["MWMWMWMWMWMWMW", "ilililililililil", "Ünïcödé ÀÉÎ", "漢字漢字漢字漢字", "ab"]
)
def test_a_cut_label_fits_and_says_that_it_is_cut(words: str) -> None:
    cut = text.fit(words, 5.0)
    assert text.breadth(cut) <= 5.0
    assert (cut == words) == (text.breadth(words) <= 5.0)
    assert cut == words or (cut.endswith("…") and words.startswith(cut[:-1]))
    assert text.fit("ab cd", 2.3).startswith("ab")


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("", "(empty)"),
        (" ", "(blank)"),
        ("\t", "(blank)"),
        ("   ", "(3 blanks)"),
        (" a", " a"),
        ("a\x1b", "a\ufffd"),
    ],
)
def test_levels_are_visible(label: str, shown: str) -> None:
    assert text.level(label) == shown
