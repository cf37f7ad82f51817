"""Whole persons, drawn: as many rows as are wanted, in order, under the rules, with names that stay."""

import datetime as dt
import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tabsynth
from tabsynth.constraints.outcome import Tally
from tabsynth.constraints.rules import constraints_of
from tabsynth.errors import ConditionError, UsageError
from tabsynth.model_folder import read_folder
from tabsynth.pipeline import FittedPipeline
from tabsynth.pipeline.persons import _Place, _rising
from tabsynth.privacy import NO_PRIVACY
from tabsynth.schema.rules import Check, Combinations, Dependency, Hierarchy, Inequality
from tabsynth.schema.types import Column, Generator, Kind
from tests.unit.constraints.tables import levels, whole
from tests.unit.pipeline.tables import DAY, NEXT, PERSON, STATE, VISITS, schema_of, visits

SOURCE = visits()


def fitted(frame, schema, **more):
    return tabsynth.fit(
        frame,
        schema=schema,
        engine="sequential_trees",
        settings={"rounds": 0, **more},
        privacy=NO_PRIVACY,
    )


@pytest.fixture(scope="module")
def model():
    return fitted(SOURCE, VISITS, rounds=1)


def sizes(rows, name="pid"):
    """How many rows each person has, in order."""
    return rows.group_by(name, maintain_order=True).len()["len"].to_list()


def require_whole_persons(rows, name="pid"):
    """Every person's rows stand together, so no name comes back, and none is nobody's."""
    assert rows[name].null_count() == 0
    assert int(rows[name].rle_id().n_unique()) == rows[name].n_unique()


def steps(rows, name, person="pid"):
    """The cell of each row, `now`, beside that of the person's next one, `then`."""
    pairs = rows.select(
        now=name, then=pl.col(name).shift(-1), stays=pl.col(person) == pl.col(person).shift(-1)
    )
    return pairs.filter("stays")


def varies_within(rows, *names, person="pid"):
    """Columns of which a person has two cells."""
    counts = rows.group_by(person).agg(pl.col(name).n_unique() for name in names)
    return [name for name in names if counts[name].max() > 1]


def broken(rows, schema):
    return {str(one.rule): int(n) for one in constraints_of(schema) if (n := one.violations(rows).sum())}


@pytest.mark.parametrize("n_rows", [0, 1, 2, 7, SOURCE.height, 8193])
def test_exactly_as_many_rows_of_whole_persons_in_order(model, n_rows):
    rows = model.sample(n_rows, seed=4)
    assert rows.height == n_rows
    assert rows.schema == model.sample(1, seed=0).schema
    assert rows.columns == list(VISITS.column_names)
    require_whole_persons(rows)
    days = steps(rows, "day")
    assert (days["now"] < days["then"]).all()  # the source's rise, all of them
    assert days.height == n_rows - rows["pid"].n_unique()
    if n_rows:
        assert varies_within(rows, "site") == []
        assert max(sizes(rows)) <= 5


def test_persons_have_as_many_rows_as_in_the_source(model):
    rows = model.sample(6000, seed=1)
    real = np.bincount(sizes(SOURCE.sort("pid")), minlength=6)[1:] / 400
    made = np.bincount(sizes(rows), minlength=6)[1:] / rows["pid"].n_unique()
    # shares are met to within a person of some 2,000; which of them still fit in 6,000 rows moves them by hardly more:
    # the persons that are left out, some 30, are in random order (one in a million at .01)
    assert made == pytest.approx(real, abs=0.01)


def test_a_state_goes_on_only_as_it_may(model):
    """Every transition of `NEXT` occurs, in shares like the source's, and no other does: 13,000 rows that go on."""
    rows = model.sample(20_000, seed=2)
    assert set(rows.filter(pl.col("pid").is_first_distinct())["state"]) == {"new"}
    allowed = {(now, then) for now, after in NEXT.items() for then in after}
    assert set(steps(rows, "state").select("now", "then").rows()) == allowed
    for now, after in NEXT.items():
        made = steps(rows, "state").filter(pl.col("now") == now)["then"].value_counts(normalize=True)
        for then, share in made.rows():
            # standard errors of .03 for the 300 and more of the source's rows, of less for those drawn
            assert share == pytest.approx(1 / len(after), abs=0.12), (now, then)


def test_the_fault_planted_rows_by_themselves_go_on_as_they_like():
    alone = fitted(SOURCE, replace(VISITS, unit=replace(VISITS.unit, order_by=None)))
    rows = alone.sample(4000, seed=2).sort("pid", "day")
    assert ("shut", "new") in set(steps(rows, "state").select("now", "then").rows())
    assert varies_within(rows, "site") == ["site"]


def test_a_person_that_has_no_room_is_cut():
    """All of the source's persons have three rows."""
    three = fitted(
        SOURCE.sort("pid", "day")
        .filter(pl.len().over("pid") >= 3)
        .group_by("pid", maintain_order=True)
        .head(3),
        VISITS,
    )
    for n_rows, expected in ((7, [3, 3, 1]), (8, [3, 3, 2]), (9, [3, 3, 3]), (2, [2]), (1, [1])):
        assert sizes(three.sample(n_rows, seed=9)) == expected


def test_the_same_seed_gives_the_same_rows_however_they_are_taken(model, tmp_path):
    rows = model.sample(2000, seed=11)
    assert rows.equals(model.sample(2000, seed=11))
    assert not rows.equals(model.sample(2000, seed=12))
    assert rows.equals(pl.concat(model.sample_batches(2000, seed=11)))
    model.save(tmp_path / "model")
    loaded = FittedPipeline.load(tmp_path / "model")
    assert loaded.history == model.history
    assert loaded.sample(2000, seed=11).equals(rows)


def test_more_persons_than_a_block_holds():
    """Persons of one row or two: 70,000 and more of 100,000 rows, so that a second block begins with a new person."""
    short = SOURCE.sort("pid", "day").group_by("pid", maintain_order=True).head(2)
    found = fitted(
        short.filter(
            pl.int_range(pl.len()).over("pid") < pl.col("pid").str.slice(-1).cast(pl.Int64) % 3 % 2 + 1
        ),
        VISITS,
    )
    batches = list(found.sample_batches(100_000, seed=0))
    assert [frame.height for frame in batches] == [sum(sizes(frame)) for frame in batches]
    assert len(batches) == 2
    rows = pl.concat(batches)
    assert rows.height == 100_000
    require_whole_persons(rows)
    assert rows["pid"].n_unique() > 65_536


def test_what_is_asked_of_the_sampling_is_told(model):
    shares = []
    tally = Tally()
    model.sample(500, seed=0, tally=tally)
    assert tally.n_rows == 500
    list(model.sample_batches(500, seed=0, progress=lambda stage, share: shares.append((stage, share))))
    assert {stage for stage, _ in shares} == {"sampling"}
    assert shares[-1][1] == 1.0
    assert [share for _, share in shares] == sorted(share for _, share in shares)


def test_a_frame_of_pandas_comes_back_as_one():
    rows = fitted(visits(60).to_pandas(), VISITS).sample(30, seed=1)
    assert isinstance(rows, pd.DataFrame)
    assert rows.groupby("pid", sort=False)["day"].is_monotonic_increasing.all()


def test_the_model_holds_the_order_column_s_steps(model):
    """Days between visits are one to eight, as in the source: a number of days is told by the day before."""
    days = steps(model.sample(5000, seed=5), "day")
    gaps = (days["then"] - days["now"]).dt.total_days()
    assert gaps.min() == 1
    assert (gaps > 8).mean() < 0.01
    # a mean of 4.5 with a standard deviation of 2.3: a standard error of .08 for the source's 850 rows that go on
    assert gaps.filter(gaps <= 8).mean() == pytest.approx(4.5, abs=0.4)


# rules

STAY = schema_of(
    PERSON,
    whole("adm", 0, 20_100),
    whole("treated", 0, 20_100),
    whole("dis", 0, 20_100),
    STATE,
    order_by="adm",
    constraints=(Inequality(columns=("adm", "treated", "dis")),),
)


def stays(n_persons=250, seed=3):
    """Stays of up to eight days, with a treatment in between and up to a month to the next."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(n_persons):
        day, state = int(rng.integers(20_000)), "new"
        for _ in range(rng.integers(1, 5)):
            nights = int(rng.integers(9))
            rows.append((f"P{person}", day, day + int(rng.integers(nights + 1)), day + nights, state))
            day, state = day + nights + int(rng.integers(1, 20)), str(rng.choice(NEXT[state]))
    return pl.DataFrame(rows, schema=list(STAY.column_names), orient="row")


def test_rules_hold_on_all_rows_though_some_persons_find_no_way_on():
    """A stay that ends on its first day leaves one day for the treatment, so that a next row is often not found."""
    found = fitted(stays(), STAY)
    for seed in range(3):
        rows, outcomes = found.sample_reported(3000, seed=seed)
        assert rows.height == 3000
        assert broken(rows, STAY) == {}
        require_whole_persons(rows)
        days = steps(rows, "adm")
        assert (days["now"] < days["then"]).all()
    assert [one.n_violations for one in outcomes] == [0] * len(outcomes)
    assert outcomes[0].n_rows == 3000


@pytest.mark.parametrize(
    "names", [("adm", "treated", "dis"), ("treated", "dis", "adm"), ("dis", "treated", "adm")]
)
def test_stays_are_as_long_as_they_were(names):
    """The day that orders is told by the one before, and all the same tells those of its row, wherever it stands in the table."""
    schema = replace(STAY, columns=(PERSON, *(STAY[name] for name in names), STATE))
    rows = fitted(stays().select(schema.column_names), schema).sample(3000, seed=1)
    nights = rows["treated"] - rows["adm"]
    assert (stays()["treated"] - stays()["adm"]).max() == 8
    assert (nights > 8).mean() < 0.05  # were they told by days of other rows, 99 % of them
    assert nights.filter(rows["pid"].is_first_distinct()).max() <= 8


def test_an_order_near_the_top_of_its_bounds():
    """Persons climb from 90 or so to 100, and nothing is above it: in the last row there is nowhere to go."""
    rng = np.random.default_rng(0)
    rows = []
    for person in range(200):
        places = sorted(rng.choice(np.arange(90, 101), size=rng.integers(1, 8), replace=False).tolist())
        rows += [(f"P{person}", place, str(rng.choice(["x", "y"]))) for place in places]
    schema = schema_of(PERSON, whole("step", 90, 100), levels("c", "x", "y"), order_by="step")
    found = fitted(pl.DataFrame(rows, schema=["pid", "step", "c"], orient="row"), schema)
    assert found.history.is_strict
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* end early: no row was found")
        made = found.sample(2000, seed=6)
    assert made.height == 2000
    require_whole_persons(made)
    pairs = steps(made, "step")
    assert (pairs["now"] < pairs["then"]).all()
    assert made["step"].is_between(90, 100).all()


def test_an_order_that_may_stay_never_falls():
    frame = SOURCE.with_columns(day=DAY + pl.duration(days=(pl.col("day") - DAY).dt.total_days() // 4 * 4))
    found = fitted(frame, VISITS)
    assert not found.history.is_strict
    days = steps(found.sample(3000, seed=7), "day")
    assert (days["now"] <= days["then"]).all()
    assert (days["now"] == days["then"]).any()


def test_text_dates_are_in_order_as_days_and_not_as_text():
    text = replace(VISITS["day"], dtype="string", format="%d.%m.%Y")
    schema = replace(VISITS, columns=(PERSON, text, *VISITS.columns[2:]))
    found = fitted(SOURCE.with_columns(pl.col("day").dt.strftime("%d.%m.%Y")), schema)
    rows = found.sample(2000, seed=8)
    assert rows["day"].dtype == pl.String
    days = steps(rows.with_columns(pl.col("day").str.strptime(pl.Date, "%d.%m.%Y")), "day")
    assert (days["now"] < days["then"]).all()
    texts = steps(rows, "day")
    assert (texts["now"] > texts["then"]).any()


def test_an_order_that_is_missing_comes_last():
    """A sixth of all rows has no day, and some persons have several such."""
    nullable = replace(VISITS["day"], nullable=True)
    schema = replace(VISITS, columns=(PERSON, nullable, *VISITS.columns[2:]))
    frame = SOURCE.with_columns(day=pl.when(pl.col("score") > 8).then(pl.col("day")))
    rows = fitted(frame, schema).sample(6000, seed=3)
    days = steps(rows, "day")
    # 1,080 of 6,000, whose standard error is 60 by the source's share
    assert rows["day"].null_count() == pytest.approx(6000 * frame["day"].is_null().mean(), abs=300)
    both = days.drop_nulls()
    assert (both["now"] <= both["then"]).all()
    assert (days["now"].is_null() & days["then"].is_not_null()).sum() == 0


MAPPED = replace(
    VISITS,
    columns=(
        PERSON,
        VISITS["day"],
        levels("ward", "w0", "w1", "w2", "w3", "w4"),
        VISITS["site"],
        STATE,
        VISITS["score"],
    ),
)
WARDS = {"w0": "a", "w1": "a", "w2": "b", "w3": "c", "w4": "c"}


@pytest.mark.parametrize(
    "rule",
    [
        Dependency(columns=("ward",), determines=("site",)),
        Hierarchy(columns=("ward", "site")),
        Combinations(columns=("ward", "site")),
    ],
    ids=lambda rule: rule.kind,
)
def test_mappings_that_the_rows_say_are_kept(rule, tmp_path):
    ward = np.random.default_rng(0).choice(list(WARDS), SOURCE.height)
    frame = SOURCE.with_columns(ward=pl.Series(ward), site=pl.Series([WARDS[one] for one in ward]))
    found = fitted(frame.select(MAPPED.column_names), replace(MAPPED, constraints=(rule,)))
    (learnt,) = found.schema.constraints  # and none of the history's own
    assert set(learnt.rows) == set(WARDS.items())
    found.save(tmp_path / "model")
    for one in (found, FittedPipeline.load(tmp_path / "model")):
        rows = one.sample(2000, seed=1)
        assert set(rows.select("ward", "site").rows()) == set(WARDS.items())
        require_whole_persons(rows)
        days = steps(rows, "day")
        assert (days["now"] < days["then"]).all()


def test_what_stays_does_beside_a_mapping_of_what_does_not():
    """Wards change, their site does not: the two are learnt as one column, of which half is given."""
    second = pl.Series(np.random.default_rng(0).integers(1, 3, SOURCE.height)).cast(pl.String)
    schema = replace(
        VISITS,
        columns=(*VISITS.columns, levels("ward", "a1", "a2", "b1", "b2", "c1", "c2")),
        constraints=(Dependency(columns=("ward",), determines=("site",)),),
    )
    found = fitted(SOURCE.with_columns(ward=SOURCE["site"] + second), schema)
    assert found.history.constant == ("site",)
    rows = found.sample(2000, seed=1)
    assert (rows["ward"].str.head(1) == rows["site"]).all()
    assert varies_within(rows, "site", "ward") == ["ward"]


# names

CASES = schema_of(
    Column(name="enc", kind=Kind.IDENTIFIER, dtype="string", format="E-#####"),
    PERSON,
    Column(name="nhs", kind=Kind.IDENTIFIER, dtype="string", format="N####"),
    Column(name="doctor", kind=Kind.IDENTIFIER, dtype="int64"),
    levels("sex", "F", "M"),
    Column(
        name="first",
        kind=Kind.TEXT,
        dtype="string",
        generator=Generator(make="first_name", sex="sex", female=("F",), male=("M",)),
    ),
    Column(name="uid", kind=Kind.IDENTIFIER, dtype="string", generator=Generator(make="uuid")),
    Column(
        name="label", kind=Kind.TEXT, dtype="string", generator=Generator(make="template", text="{enc}/{pid}")
    ),
    STATE,
    order_by="enc",
)


def cases(n_persons=200, seed=5):
    """Cases counted as they come, of persons who take turns; a doctor is seen once and again by other persons, too."""
    rng = np.random.default_rng(seed)
    left = {person: int(rng.integers(1, 6)) for person in range(n_persons)}
    sex = rng.choice(["F", "M"], n_persons)
    state = dict.fromkeys(left, "new")
    rows = []
    while left:
        person = int(rng.choice(list(left)))
        number = len(rows) + 1
        rows.append(
            (f"c{number}", f"p{person}", f"n{person // 2}", int(rng.integers(20)), str(sex[person]),
             f"name {person}", f"u{number}", f"c{number}/p{person}", state[person])
        )  # fmt: skip
        state[person] = str(rng.choice(NEXT[state[person]]))
        left[person] -= 1
        if not left[person]:
            del left[person]
    return pl.DataFrame(rows, schema=list(CASES.column_names), orient="row")


@pytest.fixture(scope="module")
def named():
    return fitted(cases(), CASES)


def test_an_identifier_that_orders_is_made_anew_and_rises(named):
    assert named.history.is_strict
    assert named.history.constant == ("nhs", "sex", "first")
    rows = named.sample(900, seed=2)
    require_whole_persons(rows)
    assert rows["enc"].n_unique() == 900
    assert rows["enc"].str.contains(r"^E-\d{5}$").all()
    pairs = steps(rows, "enc")
    assert (pairs["now"] < pairs["then"]).all()  # of one width, so as texts


NUMBERED = schema_of(
    *VISITS.columns, Column(name="visit", kind=Kind.IDENTIFIER, dtype="int64"), order_by="visit"
)


@pytest.mark.parametrize("key", [(), ("pid", "visit")])
def test_numbers_that_each_person_counts_rise_within_persons(key):
    """Five numbers in all, so that numbers drawn by themselves would stand twice with one person."""
    place = pl.int_range(pl.len()).over("pid")
    frame = SOURCE.sort("pid", "day").with_columns(visit=place)
    rows = fitted(frame, replace(NUMBERED, primary_key=key)).sample(2000, seed=1)
    pairs = steps(rows, "visit")
    assert (pairs["now"] < pairs["then"]).all()
    assert rows["visit"].n_unique() < 20
    assert not rows.select("pid", "visit").is_duplicated().any()


def test_numbers_that_stay_for_some_rows_never_fall():
    """Two rows of each case; of a case's number as few are made."""
    case = pl.int_range(pl.len()).over("pid") // 2 + 10 * pl.col("pid").str.slice(1).cast(pl.Int64)
    found = fitted(SOURCE.sort("pid", "day").with_columns(visit=case), NUMBERED)
    assert not found.history.is_strict
    pairs = steps(found.sample(2000, seed=1), "visit")
    assert (pairs["now"] <= pairs["then"]).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=6), min_size=1, max_size=6))
def test_numbers_are_raised_by_as_little_as_makes_them_rise(histories):
    histories = [sorted(one) for one in histories]
    persons = np.repeat(np.arange(len(histories)), [len(one) for one in histories])
    expected = []
    for one in histories:
        last = 0
        for number in one:
            last = max(number, last + 1)
            expected.append(last)
    assert _rising(np.concatenate(histories), persons).tolist() == expected


def test_a_template_reads_what_the_row_says_in_the_end(named):
    rows = named.sample(900, seed=2)
    assert (rows["label"] == rows["enc"] + "/" + rows["pid"]).all()


def test_names_that_stay_do_and_others_do_not(named):
    rows = named.sample(2000, seed=3)
    assert varies_within(rows, "nhs", "sex", "first") == []
    assert varies_within(rows, "doctor", "uid") == ["doctor", "uid"]
    assert rows["uid"].n_unique() == 2000
    assert not set(rows["first"]) & set(cases()["first"])


def test_identifiers_that_stay_are_shared_by_as_many_persons_as_in_the_source(named):
    """Two of the source's persons to a number: a hundred of two hundred. Of n persons drawn about half as many numbers, whose pool is such that n draws give them."""
    rows = named.sample(6000, seed=3)
    assert cases()["nhs"].n_unique() / cases()["pid"].n_unique() == 0.5
    # about 2,000 draws of a pool of 1,255 (1 - exp(-x) = x / 2 at x = 1.594): a standard error of .008 for the share
    assert rows["nhs"].n_unique() / rows["pid"].n_unique() == pytest.approx(0.5, abs=0.05)


def test_other_seeds_make_other_names(named):
    one, other = (named.sample(300, seed=seed) for seed in (1, 2))
    assert not one["uid"].is_in(other["uid"].implode()).any()
    assert not one["first"].equals(other["first"])


def test_names_made_of_the_person_stay_whether_or_not_the_source_s_did():
    by_person = replace(
        CASES["first"], generator=Generator(make="name", person="pid", sex="sex", female=("F",), male=("M",))
    )
    columns = [by_person if column.name == "first" else column for column in CASES.columns]
    frame = cases().with_columns(first=pl.Series([f"name {k}" for k in range(cases().height)]))
    found = fitted(frame, replace(CASES, columns=tuple(columns)))
    assert "first" not in found.history.constant
    assert varies_within(found.sample(600, seed=1), "first") == []


def test_rows_of_nobody_have_no_name_and_stand_alone():
    """A fifth of the source's rows names nobody: persons of one row, a third of whom, drawn, name nobody."""
    schema = replace(VISITS, columns=(replace(PERSON, nullable=True), *VISITS.columns[1:]))
    is_nobody = np.random.default_rng(0).random(SOURCE.height) < 0.2
    frame = SOURCE.with_columns(pid=pl.when(pl.Series(~is_nobody)).then(pl.col("pid")))
    rows = fitted(frame, schema).sample(5000, seed=1)
    require_whole_persons(rows.drop_nulls("pid"))
    # 1,000 of 5,000 rows, whose standard error is 33 by the source's share and 28 by chance
    assert rows["pid"].null_count() == pytest.approx(1000, abs=250)
    days = steps(rows.drop_nulls("pid"), "day")
    assert (days["now"] < days["then"]).all()


# one person alone


def test_a_lone_person_of_many_rows_is_nowhere_in_the_model(tmp_path):
    rows = visits(300, seed=1).sort("pid", "day").group_by("pid", maintain_order=True).head(2)
    lone = pl.DataFrame(
        {
            "pid": ["lone"] * 137,
            "day": [DAY + dt.timedelta(day) for day in range(137)],
            "site": ["a"] * 137,
            "state": ["new", *["open"] * 136],
            "score": [7] * 137,
        }
    )
    found = fitted(pl.concat([rows, lone]), replace(VISITS, unit=replace(VISITS.unit, max_rows=200)))
    assert found.n_rows == rows.height + 137
    numbers = np.array(found.history.to_data()["lengths"]["groups"])
    assert numbers[:, :2].max() <= 4
    assert numbers[:, 2].min() >= 11
    found.save(tmp_path / "model")
    document, arrays = read_folder(tmp_path / "model")
    assert not {136, 137} & set(numbers.ravel().tolist())
    assert "137" not in json.dumps(document["history"])
    counted = [
        k
        for k, latent in enumerate(found.model.latents)
        if latent.variable.name in ("rows before", "rows after")
    ]
    assert len(counted) == 2
    for axis in counted:
        for end in ("lower", "upper"):
            assert set(arrays[f"marginal.{axis}.{end}"].tolist()) <= {0, 1}
    assert max(sizes(found.sample(3000, seed=1))) <= 4


# rows by themselves


def test_rows_that_are_asked_for_are_rows_of_the_schema_s_columns(model):
    held = model.sample(300, seed=1, where={"state": "held", "score": {">=": 25}})
    assert held.columns == list(VISITS.column_names)
    assert held.height == 300
    assert set(held["state"]) == {"held"}
    assert held["score"].min() >= 25
    even = model.sample(900, seed=1, rebalance={"site": "even"})
    assert even.columns == list(VISITS.column_names)
    assert even["site"].value_counts()["count"].to_list() == [300] * 3
    more = model.sample(900, seed=1, oversample={"state": {"held": 2}})
    assert more.columns == list(VISITS.column_names)
    assert (more["state"] == "held").mean() > 1.5 * (SOURCE["state"] == "held").mean()


def test_rows_are_completed_and_filled_as_rows(model):
    part = SOURCE.select("state", "day").head(200)
    whole_rows = model.complete(part, seed=3)
    assert whole_rows.columns == list(VISITS.column_names)
    assert whole_rows.select("state", "day").equals(part)
    assert sum(whole_rows.null_count().row(0)) == 0
    gaps = SOURCE.head(200).with_columns(
        score=pl.when(pl.int_range(200) % 2 == 0).then(pl.col("score")),
        site=pl.when(pl.int_range(200) % 3 == 0).then(pl.col("site")),
    )
    filled = model.impute(gaps, seed=3)
    assert filled.columns == list(VISITS.column_names)
    assert sum(filled.null_count().row(0)) == 0
    for name in VISITS.column_names:
        there = gaps[name].is_not_null()
        assert filled[name].filter(there).equals(gaps[name].filter(there))
    near = model.near(SOURCE.head(20), 50, keep=1.0, seed=1)
    assert near.columns == list(VISITS.column_names)
    kept = ("day", "site", "state", "score")  # all of a seed that is learnt
    assert set(near.select(kept).rows()) <= set(SOURCE.head(20).select(kept).rows())


# rows without a way on


def place_of(persons, cells):
    return _Place(pl.DataFrame({"cell": cells}), np.array(persons))


def test_rows_of_a_place_are_found_and_replaced_by_person():
    place = place_of([4, 0, 7], ["d", "a", "h"])
    assert place.aligned(np.array([7, 4]))["cell"].to_list() == ["h", "d"]
    place.put(place_of([7, 2], ["H", "c"]))
    assert sorted(zip(place.persons.tolist(), place.rows["cell"].to_list(), strict=True)) == [
        (0, "a"),
        (2, "c"),
        (4, "d"),
        (7, "H"),
    ]
    few = place.of(place.persons > 2)
    assert sorted(few.persons.tolist()) == [4, 7]
    assert few.aligned(np.array([4, 7]))["cell"].to_list() == ["d", "H"]


CLIMB = schema_of(
    PERSON, whole("step", 1, 12), levels("side", "x", "y"), whole("was", 0, 12), order_by="step"
)


def climbs(n_persons=250, seed=0):
    """Each goes up by one to four at a time, from 1 to 12 at most; `was` is where the row before stood, and 0 in a first row."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(n_persons):
        at, was, side = int(rng.integers(1, 7)), 0, str(rng.choice(["x", "y"]))
        for _ in range(rng.integers(1, 5)):
            rows.append((f"P{person:05}", at, side, was))
            was, at = at, at + int(rng.integers(1, 5))
            if at > 12:
                break
    return pl.DataFrame(rows, schema=list(CLIMB.column_names), orient="row")


def test_rows_that_are_drawn_again_belong_to_their_persons():
    """Where a way leads nowhere rows before it are drawn again: what stays stays, and each row goes on from the one before it."""
    schema = replace(CLIMB, constraints=(Inequality(columns=("was", "step"), strict=True),))
    found = fitted(climbs(), schema)
    rows = found.sample(4000, seed=3)
    assert rows.height == 4000
    require_whole_persons(rows)
    assert varies_within(rows, "side") == []
    pairs = steps(rows, "step")
    assert (pairs["now"] < pairs["then"]).all()
    assert rows["step"].is_between(1, 12).all()
    first = rows.filter(pl.col("pid").is_first_distinct())
    assert set(first["was"]) == {0}
    made = np.bincount(sizes(rows), minlength=5)[1:] / rows["pid"].n_unique()
    real = np.bincount(sizes(climbs().sort("pid")), minlength=5)[1:] / 250
    assert made == pytest.approx(real, abs=0.01)  # nobody was cut, so lengths are met


def test_a_person_whom_no_row_can_follow_is_cut_short_and_that_is_told():
    """Of second rows none is at 1, which the rule asks for: all end with the first."""
    only = Check(columns=("step",), function=lambda rows: rows["step"] == 1)
    schema = replace(CLIMB, constraints=(only,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = fitted(climbs().filter(pl.len().over("pid") > 1), schema)
    tally = Tally()
    with pytest.warns(UserWarning, match=r"\d+ persons' histories end early: no row was found to follow"):
        rows = found.sample(60, seed=1, tally=tally)
    assert rows.height == 60
    assert set(sizes(rows)) == {1}
    assert set(rows["step"]) == {1}
    assert 55 <= tally.n_cut <= 60  # all but those for whose second row there was no room
    assert tally.cut_short.startswith(f"{tally.n_cut} persons' histories")
    assert Tally(n_cut=1).cut_short.startswith("1 person's history ends early")
    assert Tally().cut_short == ""


# what names persons


@pytest.mark.parametrize("make", ["uuid", "email"])
def test_a_generator_names_each_person_once(make):
    person = Column(name="pid", kind=Kind.IDENTIFIER, dtype="string", generator=Generator(make=make))
    found = fitted(SOURCE, replace(VISITS, columns=(person, *VISITS.columns[1:])))
    rows = found.sample(3000, seed=1)
    require_whole_persons(rows)
    assert np.mean(sizes(rows)) == pytest.approx(found.history.lengths.mean, abs=0.1)
    assert varies_within(rows, "site") == []
    assert (steps(rows, "day")["now"] < steps(rows, "day")["then"]).all()
    assert rows.equals(found.sample(3000, seed=1))
    assert found.sample(0, seed=1).height == 0


def test_names_that_do_not_suffice_are_an_error_before_any_row_is_given():
    person = Column(
        name="pid",
        kind=Kind.IDENTIFIER,
        dtype="string",
        generator=Generator(make="pattern", pattern="P[0-9]{2}"),
    )
    found = fitted(SOURCE, replace(VISITS, columns=(person, *VISITS.columns[1:])))
    assert found.sample(200, seed=1)["pid"].n_unique() <= 100
    batches = found.sample_batches(3000, seed=1)
    with pytest.raises(
        UsageError, match=r"'pid' names persons: pattern gives 100 different values, 964 persons need"
    ):
        next(batches)


@pytest.mark.parametrize("make", ["name", "first_name", "city"])
def test_a_generator_that_repeats_cannot_name_persons(make):
    person = Column(name="pid", kind=Kind.IDENTIFIER, dtype="string", generator=Generator(make=make))
    with pytest.raises(UsageError, match="'pid', whose generator gives several persons one name"):
        fitted(SOURCE, replace(VISITS, columns=(person, *VISITS.columns[1:])))


def test_shares_of_columns_that_the_table_lacks_are_refused(model):
    for name in ("rows before", "state before"):
        with pytest.raises(ConditionError, match=f"no column '{name}'"):
            model.sample(10, seed=1, rebalance={name: {">=1": 0.5}})
        with pytest.raises(ConditionError, match=f"no column '{name}'"):
            model.sample(10, seed=1, oversample={name: {">=1": 2}})


def test_too_few_second_rows_are_told():
    """Ten of two rows are fewer than a group, so that all have one; of eleven there are histories."""
    first = SOURCE.filter(pl.col("pid").is_first_distinct())
    later = SOURCE.filter(pl.len().over("pid") > 1).sort("pid", "day")
    ten = later["pid"].unique(maintain_order=True)[:10]
    frame = pl.concat(
        [
            first.filter(~pl.col("pid").is_in(ten.implode())),
            later.filter(pl.col("pid").is_in(ten.implode())).group_by("pid").head(2),
        ]
    )
    with pytest.warns(UserWarning, match=r"Fewer persons \(pid\) have a second row than make a group"):
        found = fitted(frame.select(SOURCE.columns), VISITS)
    assert set(sizes(found.sample(300, seed=1))) == {1}
