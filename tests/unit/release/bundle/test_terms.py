"""Terms: what is asked for, and every fault at once."""

from __future__ import annotations

import datetime as dt

import pytest

from tabsynth.errors import BundleError, SchemaError
from tabsynth.release.bundle.terms import read_terms, terms_from_dict
from tests.unit.release.bundle.made import TERMS

TEXT = """\
version: 1
licence: Contract 12
purpose: Tests
recipient: Example Ltd
contact: office@example.org
expires: 2027-12-31
reassess: "2027-06-30"
left_out: {note: free text}
"""


def test_terms_are_read_and_come_back(tmp_path):
    (tmp_path / "terms.yaml").write_text(TEXT)
    found = read_terms(tmp_path / "terms.yaml")
    assert (found.licence, found.expires, found.reassess) == (
        "Contract 12",
        dt.date(2027, 12, 31),
        dt.date(2027, 6, 30),
    )
    assert found.left_out == (("note", "free text"),)
    for terms in (found, TERMS):
        assert terms_from_dict(terms.to_dict()) == terms


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("licence: Contract 12\n", ""), "licence: required key is missing"),
        (("licence: Contract 12", 'licence: " "'), "licence: must not be blank"),
        (("licence: Contract 12", "licence: 12"), "licence"),
        (("version: 1\n", ""), "version: required key is missing"),
        (("expires: 2027-12-31", "expires: soon"), "expires: expected a day such as 2027-12-31"),
        (("purpose", "purpos"), "purpos: unknown key (did you mean 'purpose'?)"),
        (("2027-06-30", "2028-01-01"), "reassess: after expires"),
        (("version: 1", "version: ["), "is not YAML"),
    ],
)
def test_faults_are_named(tmp_path, change, said):
    (tmp_path / "terms.yaml").write_text(TEXT.replace(*change))
    with pytest.raises(SchemaError) as fault:
        read_terms(tmp_path / "terms.yaml")
    assert said in str(fault.value)


def test_all_faults_are_listed_at_once(tmp_path):
    (tmp_path / "terms.yaml").write_text("version: 1\n")
    with pytest.raises(SchemaError, match="has 6 faults"):
        read_terms(tmp_path / "terms.yaml")


def test_terms_of_a_bundle_that_are_none_are_refused():
    for data in ({}, [], None, {**TERMS.to_dict(), "more": 1}):
        with pytest.raises(BundleError, match="the terms are damaged"):
            terms_from_dict(data)
