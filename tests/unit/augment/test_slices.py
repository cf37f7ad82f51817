"""Which rows are too few, and how many are missing."""

import numpy as np
import polars as pl
import pytest

from tabsynth.augment import Ratio, read_ratio, slice_of
from tabsynth.augment.splits import stratified_splits
from tabsynth.encode import encode_table
from tabsynth.errors import ConditionError, DataError, UsageError
from tabsynth.table import Table
from tests.unit.augment.tables import BY_PERSON, SCHEMA, claims


def found(table=None, **named):
    table = table or claims()
    return slice_of(encode_table(table), table.schema, **{"target": None, "where": None, **named})


@pytest.mark.parametrize(
    ("text", "n_thin", "n_rest", "missing"),
    [
        ("1:10", 50, 550, 5),
        ("1:10", 55, 550, 0),
        ("1:1", 50, 550, 500),
        ("3:2", 1, 3, 4),
        (" 1 : 4 ", 0, 9, 3),
        ("1:3", 0, 3 * 10**17 + 3, 10**17 + 1),
    ],
)
def test_ratios_say_how_many_rows_are_missing(text, n_thin, n_rest, missing):
    """The smallest whole number of rows that makes thin/rest at least the ratio."""
    assert read_ratio(text).missing(n_thin=n_thin, n_rest=n_rest) == missing


@pytest.mark.parametrize(
    "text", ["10", "1:0", "0:1", "1:2:3", "a:b", "-1:2", "1.5:2", "", "9" * 5_000 + ":1"]
)
def test_other_texts_are_no_ratios(text):
    with pytest.raises(UsageError, match="two whole numbers"):
        read_ratio(text)
    assert str(Ratio(thin=1, rest=10)) == "1:10"


def test_the_slice_is_the_rarest_class_or_what_is_said():
    table = claims()
    encoded, frame = encode_table(table), table.frame
    rare = found(target="fraud")
    assert (rare.mask(encoded) == (frame["fraud"] == "yes").to_numpy()).all()
    assert rare.where == {"fraud": "yes"}
    assert "yes" not in rare.label
    age = int(frame.filter(pl.col("region") == "west")["age"][0])
    both = found(where={"region": "west", "age": age})
    expected = ((frame["region"] == "west") & (frame["age"] == age)).to_numpy()
    assert (both.mask(encoded) == expected).all()
    without = found(target="fraud", where={"region": "south", "fraud": "yes"}).without("fraud")
    assert (without.mask(encoded) == (frame["region"] == "south").to_numpy()).all()


def test_missing_targets_are_no_class():
    frame = claims().frame.with_columns(
        pl.when(pl.col("fraud") == "yes").then(None).otherwise(pl.col("fraud")).alias("fraud")
    )
    with pytest.raises(DataError, match="has 1 classes"):
        found(Table.conform(frame, SCHEMA), target="fraud")


@pytest.mark.parametrize(
    ("named", "error", "said"),
    [
        ({}, UsageError, "which rows are too few"),
        ({"target": "fruad"}, UsageError, "did you mean 'fraud'"),
        ({"target": "age"}, UsageError, "kind integer"),
        ({"where": {"region": "east"}}, ConditionError, "outside the declared domain"),
        ({"where": {"age": 1}}, ConditionError, "no row of the table"),
    ],
)
def test_slices_that_cannot_be_meant(named, error, said):
    with pytest.raises(error, match=said) as caught:
        found(**named)
    assert "east" not in str(caught.value)


def test_splits_keep_persons_whole_and_the_rare_rows_in_both_parts():
    table = claims(schema=BY_PERSON)
    rare = (table.frame["fraud"] == "yes").to_numpy()
    cuts = list(stratified_splits(table, rare, n=3, test_share=0.3, seed=4))
    for cut in cuts:
        assert np.array_equal(np.sort(np.r_[cut.train, cut.test]), np.arange(600))
        persons = [set(table.frame["person"][rows]) for rows in (cut.train, cut.test)]
        assert not persons[0] & persons[1]
        # 50 of the 300 persons have a rare row, one each: .3 of them, rounded, are test
        assert rare[cut.test].sum() == 15
        assert len(persons[1]) == 15 + 75
    assert not np.array_equal(cuts[0].test, cuts[1].test)
    again = next(iter(stratified_splits(table, rare, n=1, test_share=0.3, seed=4)))
    assert np.array_equal(again.test, cuts[0].test)
