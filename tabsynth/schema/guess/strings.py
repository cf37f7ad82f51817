"""What the distinct values of a text column look like: numbers, brackets, codes, names, free text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

_NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_LEADING_ZERO = r"^[+-]?0\d"
_CODE = r"^[A-Za-z]{1,2}\d"
_CURRENCY = r"(?:[$€£¥%]|EUR|USD|GBP|CHF|JPY|CAD|AUD|CZK|PLN|SEK|NOK|DKK|HUF)?"
_DIGITS = r"(?:\d{1,3}(?:[.,'’  \x{202f}]\d{3})+|\d+)(?:[.,]\d+)?"
_AMOUNT_TEXT = rf"^\s*\(?[+-]?\s*{_CURRENCY}\s*[+-]?{_DIGITS}\s*{_CURRENCY}\s*\)?\s*$"
_CLOCK = r"^\d{1,4}:[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?(?: ?[AaPp]\.?[Mm]\.?)?$"
_DECIMALS = r"\.(\d*)"
_FEWEST_NUMBERS = 20
_MOST_WORDS_AMONG_NUMBERS = 5
_SHORT = 64
_SAMPLE = 1000

_EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
_PHONE = r"^\+?[\d\s()./-]{7,}(?:\s?x\d+)?$"

_AMOUNT = r"(?:[$€£])?\s*(-?(?!0\d)\d+(?:[.,]\d+)*)\s*[kKmM%+]?"
_UNIT = r"(?:\s*[^\W\d]+\.?){0,2}"
_BETWEEN = re.compile(rf"[\[(]?\s*{_AMOUNT}\s*(?:-|–|—|to|,|\.\.)\s*{_AMOUNT}\s*[\])]?{_UNIT}")
_BELOW = re.compile(rf"(?:<=?|≤|under|below|less than|up to)\s*{_AMOUNT}{_UNIT}", re.IGNORECASE)
_ABOVE = re.compile(rf"(?:>=?|≥|over|above|more than|at least)\s*{_AMOUNT}{_UNIT}", re.IGNORECASE)
_FROM = re.compile(rf"{_AMOUNT}{_UNIT}\s*(?:\+|or more|and over|and more|or older|and older)", re.IGNORECASE)
_EXACT = re.compile(rf"{_AMOUNT}{_UNIT}")
_SCALES = (
    ("xxs", "xs", "s", "m", "l", "xl", "xxl", "xxxl"),
    ("very small", "small", "medium", "large", "very large"),
    ("very low", "low", "moderate", "high", "very high"),
    ("very low", "low", "medium", "high", "very high"),
    ("never", "rarely", "sometimes", "often", "always"),
    ("very poor", "poor", "fair", "good", "very good", "excellent"),
    ("none", "mild", "moderate", "severe", "very severe"),
    ("strongly disagree", "disagree", "neutral", "agree", "strongly agree"),
    ("very dissatisfied", "dissatisfied", "neutral", "satisfied", "very satisfied"),
    ("primary", "secondary", "tertiary"),
    ("bronze", "silver", "gold", "platinum"),
)


@dataclass(frozen=True, slots=True)
class TextNumbers:
    """Texts that are numbers but for a few words: the numbers' texts, and the words."""

    numbers: pl.Series
    words: tuple[str, ...]
    decimals: int | None

    @property
    def is_whole(self) -> bool:
        return self.decimals == 0


def read_numbers(texts: pl.Series) -> TextNumbers | None:
    """Distinct texts as numbers beside at most 5 words, None where they are not that.

    Asks for 20 numbers, however many cells the words fill, none with a leading zero (those are codes), and no word that is a letter
    before digits: beside `V57` and `E934` the number 250.83 is a code of diseases.
    """
    sample = texts.head(_SAMPLE)
    if texts.len() < _FEWEST_NUMBERS or (~sample.str.contains(_NUMBER)).sum() > _MOST_WORDS_AMONG_NUMBERS:
        return None
    is_number = texts.str.contains(_NUMBER)
    words, numbers = texts.filter(~is_number), texts.filter(is_number)
    if len(words) > _MOST_WORDS_AMONG_NUMBERS or len(numbers) < _FEWEST_NUMBERS:
        return None
    if numbers.str.contains(_LEADING_ZERO).any() or words.str.contains(_CODE).any():
        return None
    return TextNumbers(numbers, tuple(words.sort().to_list()), _written_decimals(numbers))


def are_amounts(texts: pl.Series) -> bool:
    """Whether distinct texts but for at most 5 are amounts that no number type reads.

    Those are numbers with separators of thousands or a decimal comma, a currency or a per cent sign.
    """
    sample = texts.head(_SAMPLE)
    if (~sample.str.contains(_AMOUNT_TEXT)).sum() > _MOST_WORDS_AMONG_NUMBERS:
        return False
    is_amount = texts.str.contains(_AMOUNT_TEXT)
    is_odd = is_amount & ~texts.str.contains(_NUMBER)
    n_words = len(texts) - int(is_amount.sum())
    return n_words <= _MOST_WORDS_AMONG_NUMBERS and int(is_odd.sum()) > n_words


def are_clocks(texts: pl.Series) -> bool:
    """Whether all distinct texts are times of day (`8:30`, `08:30:15`, `8:30 PM`)."""
    return len(texts) > 0 and bool(texts.str.contains(_CLOCK).all())


def _written_decimals(numbers: pl.Series) -> int | None:
    """The most digits that follow a point; None with exponents or more than 6."""
    if numbers.str.contains("[eE]").any():
        return None
    most = numbers.str.extract(_DECIMALS).str.len_chars().max()
    decimals = int(most) if isinstance(most, int) else 0
    return decimals if decimals <= 6 else None


def is_mostly(texts: pl.Series, what: str) -> bool:
    """Whether four fifths of distinct texts look like an `email` or a `phone` number."""
    pattern = {"email": _EMAIL, "phone": _PHONE}[what]
    sample = texts.head(_SAMPLE)
    return len(sample) > 0 and bool(sample.str.contains(pattern).mean() >= 0.8)  # type: ignore[operator]


def is_wordy(texts: pl.Series) -> bool:
    """Whether half of distinct texts have several words, or they are long on average."""
    lengths = texts.str.len_chars().mean()
    return bool(texts.str.contains(r"\S\s+\S").mean() >= 0.5 or lengths > _SHORT)  # type: ignore[operator]


def is_single_words(texts: pl.Series) -> bool:
    """Whether no distinct text holds white space and all are short."""
    return not texts.str.contains(r"\s").any() and int(texts.str.len_chars().max()) <= _SHORT  # type: ignore[arg-type]


def mask_of(texts: pl.Series) -> str | None:
    """The mask (`#` a digit, `?` a capital letter, else itself) that all distinct identifiers share.

    Letters that are the same in all of them stand for themselves. None where they differ in shape, or
    where the mask has room for fewer than 20 times as many.
    """
    first = texts[0]
    if "#" in first or "?" in first or texts.str.len_bytes().n_unique() > 1 or not first.isascii():
        return None
    for shaped in (texts.head(_SAMPLE), texts):
        shapes = shaped.str.replace_all("[A-Z]", "?").str.replace_all(r"\d", "#").unique()
        if len(shapes) > 1:
            return None
    mask = list(shapes[0])
    for position, mark in enumerate(mask):
        if mark == "?" and texts.str.slice(position, 1).n_unique() == 1:
            mask[position] = first[position]
    room = math.prod({"#": 10, "?": 26}.get(mark, 1) for mark in mask)
    return "".join(mask) if room >= 20 * len(texts) else None


def in_order(levels: Sequence[str]) -> tuple[str, ...] | None:
    """Levels in their evident order: brackets of numbers, or a scale of words. None where it is not evident.

    >>> in_order(["[10-20)", "[0-10)", "[20-30)"]), in_order(["under $11k", ">$50k", "$11-$25k", "$25-$50k"])
    (('[0-10)', '[10-20)', '[20-30)'), ('under $11k', '$11-$25k', '$25-$50k', '>$50k'))
    >>> in_order(["low", "High", "medium"]), in_order(["<30", ">30", "NO"])
    (('low', 'medium', 'High'), None)
    """
    if not 3 <= len(levels) <= 50:
        return None
    folded = {level.strip().casefold(): level for level in levels}
    for scale in _SCALES:
        if len(folded) == len(levels) and folded.keys() <= set(scale):
            return tuple(folded[word] for word in scale if word in folded)
    return _brackets_in_order(levels)


def _brackets_in_order(levels: Sequence[str]) -> tuple[str, ...] | None:
    """Brackets ascending without overlap; single numbers may stand among them, but not outnumber them."""
    read = [(_bracket(level.strip()), level) for level in levels]
    brackets = sorted((bracket, level) for bracket, level in read if bracket is not None)
    n_single = sum(low == high for (low, high), _ in brackets)
    if len(brackets) < len(levels) or 2 * n_single >= len(levels):
        return None
    ends = [bracket for bracket, _ in brackets]
    is_apart = all(low[0] < high[0] and low[1] <= high[0] for low, high in pairwise(ends))
    return tuple(level for _, level in brackets) if is_apart else None


def _bracket(level: str) -> tuple[float, float] | None:
    if match := _BETWEEN.fullmatch(level):
        low, high = _number(match[1]), _number(match[2])
        return (low, high) if low <= high else None
    if match := _BELOW.fullmatch(level):
        return -math.inf, _number(match[1])
    if match := _ABOVE.fullmatch(level) or _FROM.fullmatch(level):
        return _number(match[1]), math.inf
    if match := _EXACT.fullmatch(level):
        return _number(match[1]), _number(match[1])
    return None


def _number(text: str) -> float:
    """A number with points or commas; commas before three digits group thousands."""
    plain = re.sub(r",(?=\d{3}(?:\D|$))", "", text).replace(",", ".")
    return float(plain) if plain.count(".") <= 1 else math.nan
