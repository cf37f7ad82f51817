"""Whole fits with rules: every row keeps them, in every mode, under conditions, from a saved model."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import tabsynth as ts
from tabsynth.constraints.rules import constraints_of
from tabsynth.errors import ConditionError, ConstraintError, ModelFileError, PrivacyError, SchemaError
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.privacy import NO_PRIVACY, Budget
from tabsynth.schema.rules import (
    Check,
    Combinations,
    Dependency,
    Expression,
    Hierarchy,
    Monotone,
    Range,
    Unique,
    title_of,
)
from tabsynth.schema.types import Kind
from tests.unit.constraints.tables import STAYS, column, levels, stays, table, whole

QUICK = ts.engines.BayesianNetwork(coarse_cells=4, iterations=10)


def broken(rows, schema):
    """How many rows break each rule that some row breaks."""
    found = {title_of(one.rule): int(one.violations(rows).sum()) for one in constraints_of(schema)}
    return {name: n for name, n in found.items() if n}


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 2,000 rows, so that few rows are several blocks."""
    monkeypatch.setattr("tabsynth.pipeline.sampling.BLOCK_ROWS", 2000)


@pytest.fixture(scope="module", params=["private", "independent"])
def fitted(request):
    if request.param == "private":
        return fit(stays(), schema=STAYS, engine="gaussian_copula", privacy=Budget(epsilon=20.0))
    return fit(stays(), schema=STAYS, engine=request.param, privacy=NO_PRIVACY)


@pytest.mark.usefixtures("small_blocks")
def test_every_row_keeps_every_rule(fitted):
    rows, outcomes = fitted.sample_reported(5000, seed=1)
    assert rows.height == 5000
    assert broken(rows, STAYS) == {}
    assert ts.check(rows, fitted.schema) == ()
    assert [one.n_violations for one in outcomes] == [0] * 11
    assert {one.n_rows for one in outcomes} == {5000}
    by_rule = {one.rule: one for one in outcomes}
    came = by_rule["came ≤ left"]
    assert came.form == "repair"
    assert came.n_broken == came.n_swapped + came.n_redrawn > 0


@pytest.mark.usefixtures("small_blocks")
def test_rows_are_a_function_of_the_seed(fitted, tmp_path, monkeypatch):
    first = fitted.sample(5000, seed=3)
    fitted.save(tmp_path / "model")
    monkeypatch.setattr("tabsynth.pipeline.sampling._BATCH_BLOCKS", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert FittedPipeline.load(tmp_path / "model").sample(5000, seed=3).equals(first)
    assert not fitted.sample(5000, seed=4).equals(first)


@pytest.mark.parametrize(
    "where",
    [
        {"town": "w"},
        {"region": "A", "alive": True},
        {"cause": "x"},
        {"alive": False, "came": __import__("datetime").date(2020, 6, 1)},
        {"one": True, "pulse": None},
        {"cash": 3},
        {"land": "P", "two": False},
    ],
    ids=str,
)
def test_rules_hold_under_conditions(fitted, where):
    rows = fitted.sample(120, seed=2, where=where)
    assert rows.height == 120
    assert broken(rows, STAYS) == {}
    for name, value in where.items():
        assert rows[name].unique().to_list() == [value]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"alive": True, "cause": "x"}, "it breaks if alive"),
        ({"town": "u", "region": "B"}, "no combination of town, region"),
        ({"cash": 1, "card": 1}, "at most one of cash, card"),
        ({"one": True, "two": True}, "it breaks combinations of one, two"),
        ({"price": 1}, "2 ≤ price ≤ 20"),
    ],
)
def test_conditions_that_rules_forbid_are_refused(fitted, where, words):
    with pytest.raises(ConditionError, match="cannot be met") as caught:
        fitted.sample(5, where=where)
    assert words in str(caught.value)


def test_a_condition_on_a_computed_column_waits_for_it(fitted):
    rows = fitted.sample(20, seed=1, where={"cost": 60})
    assert set(rows["cost"]) == {60}
    assert (rows["price"] * rows["number"] == 60).all()


def test_no_rows_are_no_trouble(fitted):
    assert fitted.sample(0).columns == list(STAYS.column_names)


def test_of_a_condition_that_several_levels_meet_each_comes_in_its_share():
    """Towns u and v are .4 and .3 of all rows: of 20,000 rows of region A, u's share is .571 ± .02 (a pilot of
    16,384 rows, 800 learnt: 4 standard deviations, once in 10^4)."""
    model = fit(stays(), schema=STAYS, engine="independent", privacy=NO_PRIVACY)
    share = (stays().filter(pl.col("region") == "A")["town"] == "u").mean()
    rows = model.sample(20_000, seed=5, where={"region": "A"})
    assert abs((rows["town"] == "u").mean() - share) < 0.02


def test_probabilities_are_of_rows_that_keep_the_rules():
    model = fit(stays(), schema=STAYS, engine=QUICK, privacy=NO_PRIVACY)
    assert np.isfinite(model.log_prob(stays())).all()
    worse = stays().with_columns(paid=pl.col("paid") % 450 + 1)
    assert (model.log_prob(worse) == -np.inf).all()


def test_source_rows_that_break_a_rule_are_learnt_as_rows_that_do_not(monkeypatch):
    """Without privacy too: what a table breaks is said by `constraints check`, not by a fit."""
    bad = stays().with_columns(
        region=pl.lit("B"), paid=pl.lit(7, dtype=pl.Int64), cash=pl.lit(1), card=pl.lit(2)
    )
    monkeypatch.setattr("tabsynth.constraints.enforce.MOST_TRIES", 3)
    with pytest.raises(
        ConstraintError, match=r"The model never meets 'at most one of cash, card': acceptance 0 %"
    ):
        fit(bad, schema=STAYS, engine="independent", privacy=NO_PRIVACY).sample(50, seed=1)
    for privacy in (NO_PRIVACY, Budget(epsilon=5.0)):
        eased = replace(STAYS, constraints=tuple(one for one in STAYS.constraints if one.kind != "exclusive"))
        rows = fit(bad, schema=eased, engine="independent", privacy=privacy).sample(500, seed=1)
        assert broken(rows, eased) == {}


def test_mappings_are_read_off_the_rows_where_privacy_allows_it():
    rules = (Hierarchy(columns=("town", "region", "land")), Combinations(columns=("one", "two", "three")))
    schema = replace(STAYS, constraints=rules)
    model = fit(stays(), schema=schema, engine="independent", privacy=NO_PRIVACY)
    assert model.schema.constraints[0].rows == STAYS.constraints[0].rows
    assert all(rule.draft for rule in model.schema.constraints)
    assert "valid combinations" in {charge.statistic for charge in model.charges}
    assert broken(model.sample(2000, seed=1), replace(STAYS, constraints=STAYS.constraints[:1])) == {}
    with pytest.raises(PrivacyError, match="list them as `rows`"):
        fit(stays(), schema=schema, engine="independent")


def test_of_two_ways_the_more_frequent_one_is_the_mapping():
    frame = pl.DataFrame({"town": ["u"] * 25 + ["v"] * 15, "region": ["A"] * 20 + ["B"] * 20})
    schema = table(
        levels("town", "u", "v"),
        levels("region", "A", "B"),
        rules=(Dependency(columns=("town",), determines=("region",)),),
    )
    model = fit(frame, schema=schema, engine="independent", privacy=NO_PRIVACY)
    assert model.schema.constraints[0].rows == (("u", "A"), ("v", "B"))


def test_a_function_of_python_holds_and_cannot_be_stored(tmp_path):
    rule = Check(
        columns=("tip", "price"), function=lambda rows: (rows["tip"] % 2 == 0).to_numpy(), name="even tips"
    )
    schema = replace(STAYS, constraints=(rule,))
    model = fit(stays(), schema=schema, engine="independent", privacy=NO_PRIVACY)
    assert (model.sample(3000, seed=1)["tip"] % 2 == 0).all()
    with pytest.raises(SchemaError, match="'even tips' is a function of Python, which no file can hold"):
        model.save(tmp_path / "model")


def test_a_saved_model_whose_rules_contradict_each_other_is_refused(tmp_path):
    from tabsynth.model_folder import read_folder, write_folder

    schema = replace(STAYS, constraints=(Range(column="price", lower=3),))
    fit(stays(), schema=schema, engine="independent", privacy=NO_PRIVACY).save(tmp_path / "model")
    document, arrays = read_folder(tmp_path / "model")
    document.pop("format_version")
    document["schema"]["tables"]["t"]["constraints"].append({"rule": "range", "column": "price", "upper": 2})
    write_folder(tmp_path / "other", document, arrays)
    with pytest.raises(ModelFileError, match="no row can meet"):
        FittedPipeline.load(tmp_path / "other")


KEYED = table(
    column("id", Kind.IDENTIFIER, dtype="int64"),
    whole("year", 2010, 2012),
    whole("month", 1, 12),
    whole("day", 1, 31),
    column("x", Kind.NUMBER, bounds=(0.0, 1.0)),
    rules=(
        Unique(columns=("year", "month", "day")),
        Expression(sql="day <= 28 OR (month <> 2 AND (day <= 30 OR month IN (1, 3, 5, 7, 8, 10, 12)))"),
    ),
)


def days(n=700):
    rng = np.random.default_rng(0)
    day = np.datetime64("2010-01-01") + rng.integers(0, 3 * 365, n)
    dates = pl.Series(day).cast(pl.Date)
    return pl.DataFrame(
        {
            "id": np.arange(n),
            "year": dates.dt.year().cast(pl.Int64),
            "month": dates.dt.month().cast(pl.Int64),
            "day": dates.dt.day().cast(pl.Int64),
            "x": rng.random(n),
        }
    ).with_columns(day=pl.when((pl.col("month") == 2) & (pl.col("day") > 28)).then(28).otherwise("day"))


def test_keys_are_all_given_out_where_as_many_rows_are_asked_for():
    """Three years without a leap day: 1095 days, each once, across blocks of any size."""
    model = fit(days(), schema=KEYED, engine="independent", privacy=NO_PRIVACY)
    rows = model.sample(1095, seed=1)
    assert broken(rows, KEYED) == {}
    assert rows.select("year", "month", "day").n_unique() == 1095
    with pytest.raises(ConstraintError, match="has room for 1,095 rows, 1,096 are asked for"):
        model.sample(1096)


def test_keys_do_not_repeat_across_blocks(monkeypatch):
    monkeypatch.setattr("tabsynth.pipeline.sampling.BLOCK_ROWS", 100)
    schema = replace(KEYED, constraints=(*KEYED.constraints, Unique(columns=("id", "x"))))
    model = fit(days(), schema=schema, engine="independent", privacy=NO_PRIVACY)
    rows = model.sample(1000, seed=2)
    assert broken(rows, schema) == {}


def test_keys_without_a_list_are_drawn_anew():
    schema = table(column("x", Kind.NUMBER, bounds=(0.0, 1.0), decimals=7), rules=(Unique(columns=("x",)),))
    values = [0.0] * 30 + list(np.linspace(0, 1, 300))
    model = fit(pl.DataFrame({"x": values}), schema=schema, engine="independent", privacy=NO_PRIVACY)
    assert model.sample(2000, seed=1)["x"].n_unique() == 2000


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "keys",
    [
        [("a", "j", "i"), ("i", "j", "k"), ("k", "i", "a")],
        [("a", "j", "i"), ("j", "k", "a")],
    ],
)
@pytest.mark.parametrize("is_listed", [True, False])
def test_several_keys_that_share_columns_hold_together(keys, seed, is_listed, monkeypatch):
    """Rows that a later key changes keep the earlier ones; whether keys are listed or drawn, and across blocks."""
    monkeypatch.setattr("tabsynth.pipeline.sampling.BLOCK_ROWS", 16)
    if not is_listed:
        monkeypatch.setattr("tabsynth.constraints.keys._MOST_LISTED", 1)
    schema = table(
        whole("i", 0, 6),
        whole("j", 0, 6),
        whole("k", 0, 6, nullable=True),
        levels("a", "p", "q"),
        rules=tuple(Unique(columns=key) for key in keys),
    )
    rng = np.random.default_rng(1)
    frame = pl.DataFrame(
        {
            **{name: rng.integers(0, 7, 40) for name in "ij"},
            "k": [None if x == 7 else x for x in rng.integers(0, 8, 40).tolist()],
            "a": rng.choice(["p", "q"], 40),
        }
    )
    rows = fit(frame, schema=schema, engine="independent", privacy=NO_PRIVACY).sample(40, seed=seed)
    assert broken(rows, schema) == {}


def test_keys_that_the_model_cannot_vary_are_an_error():
    schema = table(column("x", Kind.NUMBER, bounds=(0.0, 1e9), decimals=2), rules=(Unique(columns=("x",)),))
    model = fit(pl.DataFrame({"x": [1.0] * 50}), schema=schema, engine="independent", privacy=NO_PRIVACY)
    with pytest.raises(ConstraintError, match="tries gave too few keys that are new"):
        model.sample(50, seed=1)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("decreasing", [False, True])
def test_columns_in_order_within_groups_keep_their_cells(strict, decreasing, monkeypatch):
    monkeypatch.setattr("tabsynth.pipeline.sampling.BLOCK_ROWS", 128)
    rule = Monotone(column="n", within=("g",), along="t", strict=strict, decreasing=decreasing)
    schema = table(
        levels("g", "p", "q"), whole("t", 0, 10**6), whole("n", 0, 10**6, nullable=True), rules=(rule,)
    )
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "g": rng.choice(["p", "q"], 400),
            "t": rng.integers(0, 10**6, 400),
            "n": pl.Series(
                [None if x < 40 else int(x) * 1000 for x in rng.integers(0, 400, 400)], dtype=pl.Int64
            ),
        }
    )
    rows, outcomes = fit(frame, schema=schema, engine="independent", privacy=NO_PRIVACY).sample_reported(
        900, seed=1
    )
    assert broken(rows, schema) == {}
    assert rows["n"].null_count() > 20
    assert outcomes[0].n_violations == 0
    assert outcomes[0].n_swapped > 0
    assert (outcomes[0].n_redrawn > 0) == strict  # equal numbers that had to move apart
    if not strict:
        plain = fit(frame, schema=replace(schema, constraints=()), engine="independent", privacy=NO_PRIVACY)
        assert sorted(plain.sample(900, seed=1)["n"].drop_nulls()) == sorted(rows["n"].drop_nulls())


def test_an_order_that_the_bounds_do_not_allow_is_an_error():
    schema = table(whole("n", 0, 3), rules=(Monotone(column="n", strict=True),))
    model = fit(
        pl.DataFrame({"n": [0, 1, 2, 3] * 9}), schema=schema, engine="independent", privacy=NO_PRIVACY
    )
    with pytest.raises(ConstraintError, match=r"some break rules .*: n never falls \(acceptance"):
        model.sample(10, seed=1)
