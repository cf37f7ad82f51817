"""Synthetic rows beside real ones: how many, of what, and told apart."""

from dataclasses import replace

import polars as pl
import pytest

import tabsynth
from tabsynth.augment import Share, augment, read_ratio, recipe_for
from tabsynth.augment.recipes import settled_for
from tabsynth.errors import UsageError
from tabsynth.models.registry import make_engine
from tabsynth.schema.types import Generator
from tabsynth.table import Table
from tests.unit.augment.tables import SCHEMA, claims


def made(to="1:4", **named):
    named = {"target": "fraud", "recipe": make_engine("sequential_trees"), **named}
    return augment(claims(), to=read_ratio(to), **named)


def test_rows_of_the_class_are_added_up_to_the_ratio():
    """600 rows, 50 of the class: for 550 others 1:4 asks for 138, so 88 are added."""
    found, real = made(), claims().frame
    assert (found.n_slice, found.n_rest, found.n_real, found.n_synthetic) == (50, 550, 600, 88)
    rows = found.rows
    assert rows.columns == [*real.columns, "origin"]
    assert rows.filter(pl.col("origin") == "real").drop("origin").equals(real)
    synthetic = rows.filter(pl.col("origin") == "synthetic")
    assert synthetic.height == 88
    assert (synthetic["fraud"] == "yes").all()
    assert found.real_share == pytest.approx(600 / 688)
    assert "Not anonymous" in found.guarantee


def test_identifiers_of_synthetic_rows_are_nobodys():
    rows = made().rows
    assert rows["id"].n_unique() == rows.height
    mine, theirs = (set(rows.filter(pl.col("origin") == mark)["person"]) for mark in ("synthetic", "real"))
    assert mine
    assert not mine & theirs


def test_a_share_of_the_real_rows_or_none_is_kept():
    half = made(keep_real=0.5)
    assert half.n_real == 300
    is_yes = half.rows["fraud"] == "yes"
    assert is_yes.sum() == -(-(~is_yes).sum() // 4)  # 1:4 in the result
    assert half.n_synthetic < 88
    kept = half.rows.filter(pl.col("origin") == "real")["id"]
    assert kept.is_sorted()
    assert kept.n_unique() == 300
    alone = made(keep_real=0.0)
    assert alone.n_synthetic == 88  # what the whole table would need
    assert (alone.rows["origin"].unique().to_list(), alone.real_share) == (["synthetic"], 0.0)


def test_a_share_of_the_result_is_synthetic():
    """600 real rows are 4 of 5 beside 150; 300 of them beside 75."""
    found = augment(claims(), to=Share(synthetic=0.2), target="fraud", recipe=make_engine("independent"))
    assert (found.n_synthetic, found.real_share, found.provenance.real_share) == (150, 0.8, 0.8)
    frame = claims().frame
    half = tabsynth.augment(
        frame, target="fraud", synthetic_share=0.2, keep_real=0.5, engine="independent", schema=SCHEMA
    )
    assert (half.n_real, half.n_synthetic) == (300, 75)
    for both in ({}, {"to": "1:4", "synthetic_share": 0.2}):
        with pytest.raises(UsageError, match="not by both"):
            tabsynth.augment(frame, target="fraud", schema=SCHEMA, **both)
        with pytest.raises(UsageError, match="not by both"):
            tabsynth.augment_trial(frame, target="fraud", schema=SCHEMA, **both)


def test_an_engine_by_name_is_told_of_the_target():
    told = [
        getattr(recipe_for(engine, settings, target="fraud", where=where), "target", None)
        for engine, settings, where in (
            ("smote", {"variant": "borderline"}, {}),
            ("sequential_trees", {}, {"fraud": "yes", "region": "west"}),
            ("bayesian_network", {"target": "region"}, {}),
            ("bayesian_network", {"target": ""}, {}),
            ("sequential_trees", {}, {"region": "west"}),
            ("independent", {}, {}),
        )
    ]
    assert told == ["fraud", "fraud", "region", "", "", None]
    auto = make_engine("auto")
    chosen, why = settled_for(auto, claims(), is_private=False, target="fraud")
    assert (chosen, "bayesian_network" in why) == (make_engine("bayesian_network", {"target": "fraud"}), True)
    assert settled_for(auto, claims(), is_private=False, target=None)[0].target == ""
    trees = make_engine("sequential_trees")
    assert settled_for(trees, claims(), is_private=False, target="fraud") == (trees, "")


def test_a_slice_of_an_engine_and_no_guarantee():
    found = made(
        to="1:3",
        target=None,
        where={"region": "west"},
        recipe=make_engine("independent"),
    )
    synthetic = found.rows.filter(pl.col("origin") == "synthetic")
    assert (synthetic["region"] == "west").all()
    assert found.n_synthetic == -(-found.n_rest // 3) - found.n_slice
    assert "no formal guarantee" in found.guarantee
    assert "real rows are in it" in found.guarantee
    assert found.provenance.augmented


def test_without_real_rows_identifiers_are_made_without_a_look_at_them():
    """Other real identifiers, of the same kind, give the same synthetic ones."""
    table = claims()
    moved = Table(table.schema, table.frame.with_columns(pl.col("id") + 1_000))
    found = [
        augment(
            each, to=read_ratio("1:4"), target="fraud", recipe=make_engine("independent"), keep_real=keep_real
        )
        .rows.filter(pl.col("origin") == "synthetic")["id"]
        .to_list()
        for keep_real in (0.0, 1.0)
        for each in (table, moved)
    ]
    assert found[0] == found[1]
    assert found[2] != found[3]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"to": "1:11"}, "is 1:11 or more already"),
        ({"keep_real": 1.5}, "lies in"),
        ({"to": "20000:1"}, "10,999,950 rows would be added, and 10,000,000 is the most"),
        ({"to": "1:30", "keep_real": 0.5}, "kept rows for .* others, which is 1:30 or more already"),
        ({"origin": "age"}, "name one that the table does not have"),
        ({"origin": ""}, "name one that the table does not have"),
    ],
)
def test_what_cannot_be_meant_is_refused(named, said):
    with pytest.raises(UsageError, match=said):
        made(**named)


@pytest.mark.parametrize(
    ("share", "keep_real", "said"),
    [
        (0.0, 1.0, "strictly between 0 and 1"),
        (1.0, 1.0, "strictly between 0 and 1"),
        (1e-6, 1.0, "beside 600 rows are none"),
        (0.2, 0.0, "none are kept"),
    ],
)
def test_shares_that_cannot_be_meant(share, keep_real, said):
    with pytest.raises(UsageError, match=said):
        tabsynth.augment(
            claims().frame, target="fraud", synthetic_share=share, keep_real=keep_real, schema=SCHEMA
        )


def test_one_seed_gives_one_table():
    assert made(seed=3).rows.equals(made(seed=3).rows)
    assert not made(seed=3).rows.equals(made(seed=4).rows)


def test_from_python_the_rows_are_of_the_kind_that_came_in():
    frame = claims().frame.to_pandas()
    found = tabsynth.augment(frame, target="fraud", to="1:4", engine="independent", schema=SCHEMA)
    assert type(found.rows) is type(frame)
    assert found.rows["origin"].value_counts().to_dict() == {"real": 600, "synthetic": 88}
    assert list(found.rows.columns) == [*frame.columns, "origin"]
    with pytest.raises(UsageError, match="settings belong"):
        tabsynth.augment(
            frame, target="fraud", to="1:4", engine=make_engine("independent"), settings={"a": 1}
        )


def test_a_generator_that_would_meet_a_real_rows_identifier_makes_another():
    """A pattern of 900 values for 600 real and 88 synthetic rows: without a look two in three would clash."""
    table = claims()
    column = replace(table.schema["id"], generator=Generator(make="pattern", pattern="[1-9][0-9]{2}"))
    table = Table(table.schema.with_column(column), table.frame.with_columns(id=pl.int_range(100, 700)))
    rows = augment(table, to=read_ratio("1:4"), target="fraud", recipe=make_engine("independent")).rows
    assert rows["id"].n_unique() == rows.height == 688
    assert rows["id"].is_between(100, 999).all()
