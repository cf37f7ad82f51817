"""Numbers and names as people read them."""

from __future__ import annotations

import unicodedata

_ZERO_WIDTH_JOINER = "\u200d"  # holds emoji sequences together
_EMS = {
    "ijl.,:;'|!I ": 0.3,
    "ftr()[]{}/\\-`": 0.4,
    "mMW%": 0.95,
    "w": 0.8,
    "@…": 1.05,
    "CDGHNOQRU": 0.8,
    "ABEFKPSTVXYZ&": 0.7,
    "JL": 0.6,
}


def printable(text: str) -> str:
    """`text` with what would not print (controls, direction overrides, line breaks) replaced by U+FFFD.

    Column names and labels come from files: an escape sequence must not reach a terminal, nor an
    override turn a line around.
    """
    return "".join(c if c.isprintable() or c == _ZERO_WIDTH_JOINER else "\ufffd" for c in text)


def width(text: str) -> int:
    """Columns that `text` takes in a fixed-width face: wide characters count two, combining ones none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def shorten(text: str, n_columns: int) -> str:
    """`text` cut to at most `n_columns` (at least 2) in a fixed-width face, its loss marked by "…"."""
    if width(text) <= n_columns:
        return text
    kept = ""
    for character in text:
        if width(kept + character) > n_columns - 1:
            break
        kept += character
    return kept.rstrip() + "…"


def breadth(text: str) -> float:
    """About how far `text` runs in a proportional sans-serif face, in ems; rather too far than too short."""
    return sum(_em(character) for character in text)


def fit(text: str, ems: float) -> str:
    """`text` cut to at most `ems` (at least 2) in a proportional face, its loss marked by "…"."""
    if breadth(text) <= ems:
        return text
    kept = ""
    for character in text:
        if breadth(kept + character) > ems - _em("…"):
            break
        kept += character
    return kept.rstrip() + "…"


def _em(character: str) -> float:
    """The advance width of one character, by classes that hold for Arial and its like."""
    if unicodedata.combining(character) or character == _ZERO_WIDTH_JOINER:
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.3
    for letters, width_in_ems in _EMS.items():
        if character in letters:
            return width_in_ems
    return 0.8 if character.isupper() else 0.6 if character.isascii() or character.isalpha() else 1.05


def level(label: str) -> str:
    """The label of a level, printable; one that is blanks alone says so."""
    if label.strip():
        return printable(label)
    if not label:
        return "(empty)"
    return "(blank)" if len(label) == 1 else f"({len(label)} blanks)"


def count(n: int) -> str:
    """An integer with thousands set apart: 24,403."""
    return f"{n:,}"


def percent(share: float) -> str:
    """A share in percent, with digits that fall with its size: 0.012%, 0.48%, 5.14%, 62.5%."""
    value = 100 * share
    if value == 0:
        return "0%"
    if abs(value) < 0.001:
        return "<0.001%" if value > 0 else "−<0.001%"
    digits = 3 if abs(value) < 0.0995 else 2 if abs(value) < 9.995 else 0 if value == 100 else 1
    return f"{value:.{digits}f}%".replace("-", "−")


def number(value: float) -> str:
    """A figure with about three significant digits: 0.941, 12.35, 0.0021, 1,250."""
    size = abs(value)
    if value == 0:
        return "0"
    if size >= 1000:
        text = f"{value:,.0f}"
    elif size >= 10:
        text = f"{value:.2f}"
    elif size >= 0.01:
        text = f"{value:.3f}"
    elif size >= 0.0001:
        text = f"{value:.4f}"
    else:
        text = f"{value:.1e}"
    return text.replace("-", "−")


def figure(value: float, *, as_percent: bool) -> str:
    """A metric's value: in percent where that reads best."""
    return percent(value) if as_percent else number(value)


def edge(value: float) -> str:
    """A bin edge or axis label, short: 0.25, 40, 1994, 12.5k, 3M."""
    size = abs(value)
    for limit, unit, suffix in ((1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if limit <= size < 1e15:
            return f"{value / unit:.3g}{suffix}".replace("-", "−")
    if size >= 1000:
        return f"{value:.0f}".replace("-", "−")
    if 0 < size < 0.001:
        return f"{value:.0e}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−")


def time(label: str) -> str:
    """A time as ISO text, without a midnight that says nothing: 2021-03-05, 2021-03-05 14:30."""
    date, _, clock = printable(label).replace("T", " ").partition(" ")
    clock = clock.removesuffix("00:00:00").removesuffix(":00")
    return f"{date} {clock}".strip()


def enumerate_names(names: tuple[str, ...], *, limit: int = 4) -> str:
    """Names as in a sentence: a, b and c; beyond `limit` names: a, b, c, d and 7 more."""
    if not names:
        return ""
    if len(names) > limit:
        return f"{', '.join(names[:limit])} and {count(len(names) - limit)} more"
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def sentence(text: str) -> str:
    """`text` with its first letter raised and one full stop at its end."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:].rstrip(".") + "."
