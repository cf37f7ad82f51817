"""Check digits by the standards' own rules, and ranges that nobody is given."""

import datetime as dt
import re
from collections import Counter

import numpy as np
import pytest

from tabsynth.fake import numbers as made

SOME = np.concatenate([np.arange(300), np.random.default_rng(0).integers(0, 10**5, 700)]).astype(np.uint64)


def luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value // 10 + value % 10
    return total % 10 == 0


def mod97(iban: str) -> int:
    return int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97


def test_the_checks_of_this_test_know_published_examples():
    assert luhn("4242424242424242")  # a processor's published test number
    assert not luhn("4242424242424243")
    assert mod97("DE89370400440532013000") == 1  # the IBAN registry's example
    assert mod97("GB82WEST12345698765432") == 1


def test_cards_pass_luhn_and_have_no_issuer():
    cards = made.cards(SOME).to_list()
    assert all(len(card) == 16 and card.startswith("9999") and luhn(card) for card in cards)
    assert len(set(cards)) == len(set(SOME.tolist()))


@pytest.mark.parametrize(("country", "length"), [("XX", 22), ("DE", 22), ("AT", 20), ("CH", 21)])
def test_ibans_pass_mod_97_and_have_no_bank(country: str, length: int):
    ibans = made.ibans(SOME, country).to_list()
    assert {len(iban) for iban in ibans} == {length}
    assert all(mod97(iban) == 1 and 2 <= int(iban[2:4]) <= 98 for iban in ibans)
    bank = {"XX": "", "DE": "0" * 8, "AT": "0" * 5, "CH": "0" * 5}[country]
    assert all(iban[:2] == country and iban[4:].startswith(bank) for iban in ibans)


def test_large_ibans_too():
    top = np.array([10**18 - 1, 123_456_789_012_345_678], dtype=np.uint64)
    assert [mod97(iban) for iban in made.ibans(top, "XX").to_list()] == [1, 1]


def test_nhs_numbers_pass_mod_11_in_the_range_of_tests():
    found = made.nhs_numbers(SOME).to_list()
    assert all(re.fullmatch(r"999\d{7}", number) for number in found)
    for number in found:
        total = sum(int(number[at]) * (10 - at) for at in range(9))
        assert (11 - total % 11) % 11 == int(number[9])
    # Of every 11 sums about one has no check digit.
    assert made.nhs_capacity() == pytest.approx(10**6 * 10 / 11, rel=0.01)


def test_national_ids_lie_where_none_is_issued():
    for number in made.national_ids(SOME, None).to_list():
        area, group, serial = number.split("-")
        assert 900 <= int(area) <= 999
        assert 1 <= int(group) <= 49  # taxpayer numbers have 50 and more
        assert 1 <= int(serial) <= 9999
    assert all(
        re.fullmatch(r"QQ\d{6}[ABCD]", number) for number in made.national_ids(SOME, "en_GB").to_list()
    )


def mod_11_10(digits: str) -> int:
    """The check digit of ISO 7064's hybrid system, as the standard states it: products are carried from digit to digit."""
    carried = 10
    for digit in digits:
        carried = (((carried + int(digit)) % 10 or 10) * 2) % 11
    return (11 - carried) % 10


def test_german_tax_ids_are_those_for_tests():
    """The form: of the first ten digits one occurs twice, the others once or never; 02476291358 is a published example."""
    assert mod_11_10("0247629135") == 8
    capacity = made.national_id_capacity("de_DE")
    assert capacity == 9 * 9 * 40_320 + 9 * 36 * 40_320  # 0 twice, or another digit twice
    ends = np.array([0, 3_265_919, 3_265_920, capacity - 1], dtype=np.uint64)
    some = np.unique(np.r_[ends, np.random.default_rng(1).integers(0, capacity, 4000).astype(np.uint64)])
    found = made.national_ids(some, "de_DE").to_list()
    for number in found:
        assert re.fullmatch(r"0\d{10}", number)
        assert sorted(Counter(number[:10]).values()) == [1] * 8 + [2]
        assert mod_11_10(number[:10]) == int(number[10])
    assert len(set(found)) == len(some)


def test_finnish_ids_are_of_the_temporary_numbers():
    """The rule of the check character: the nine digits as one number, by 31; 311280-999J is a published example."""
    letters = "0123456789ABCDEFHJKLMNPRSTUVWXY"
    assert letters[311_280_999 % 31] == "J"
    capacity = made.national_id_capacity("fi_FI")
    some = np.unique(np.r_[SOME, np.array([capacity - 1, 3_142_599], dtype=np.uint64)])
    found = made.national_ids(some, "fi_FI").to_list()
    for number in found:
        assert re.fullmatch(r"\d{6}-9\d\d[0-9A-Y]", number)
        dt.date(1900 + int(number[4:6]), int(number[2:4]), int(number[:2]))  # or it is no day
        assert letters[int(number[:6] + number[7:10]) % 31] == number[10]
    assert len(set(found)) == len(some)
    assert found[-1].startswith("311299-999")


@pytest.mark.parametrize(
    ("locale", "form"),
    [
        (None, r"\([2-9]\d\d\) 555-01\d\d"),
        ("fr_CA", r"\([2-9]\d\d\) 555-01\d\d"),
        ("en_GB", r"(01632 960|07700 900|020 7946 0)\d{3}"),
        ("de_DE", r"(030 23125|069 90009|040 66969|0221 4710|089 99998) \d{3}"),
        ("fr_FR", r"(01 99 00|02 61 91|03 53 01|04 65 71|05 36 49|06 39 98) \d{4}"),
        ("en_AU", r"\(0[2378]\) 5550 \d{4}"),
        ("cs_CZ", r"\+999 \d{8}"),
    ],
)
def test_phones_are_of_ranges_for_fiction(locale: str | None, form: str):
    capacity = made.phone_capacity(locale)
    every = np.arange(min(capacity, 100_000), dtype=np.uint64)
    found = made.phones(every, locale).to_list()
    assert len(set(found)) == len(every)
    assert all(re.fullmatch(form, number) for number in found)
