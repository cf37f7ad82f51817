"""The engine on whole tables: conditions, rare values, high cardinality, and hostile models."""

import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tabsynth.constraints.outcome import Tally
from tabsynth.errors import ConditionError, ModelFileError, PrivacyError, UsageError
from tabsynth.model_folder import read_folder, write_folder
from tabsynth.models.sequential_trees import MOST_GROWING_ROWS, SequentialTrees
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.privacy import NO_PRIVACY, Budget
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind, TableSchema
from tests.unit.hostile import parts_of, put

SCHEMA = TableSchema(
    name="visits",
    columns=(
        Column(name="ward", kind=Kind.CATEGORICAL, dtype="string", categories=("icu", "er", "or", "none")),
        Column(name="ill", kind=Kind.BOOLEAN, dtype="bool"),
        Column(name="age", kind=Kind.INTEGER, dtype="int64", bounds=(0, 120), nullable=True),
        Column(name="cost", kind=Kind.NUMBER, dtype="float64", bounds=(0.0, 1e9)),
    ),
)


def visits(n=3000):
    rng = np.random.default_rng(5)
    ward = rng.choice(3, n, p=[0.2, 0.3, 0.5])
    age = np.where(ward == 0, rng.integers(60, 90, n), rng.integers(20, 70, n))
    cost = rng.lognormal(5 + 2 * (ward == 0) + age / 50, 0.3)
    gaps = rng.random(n) < np.where(ward == 2, 0.4, 0)
    return pl.DataFrame(
        {
            "ward": np.array(["icu", "er", "or"])[ward],
            "ill": rng.random(n) < np.where(ward == 0, 0.8, 0.1),
            "age": pl.Series([None if gap else int(a) for gap, a in zip(gaps, age, strict=True)]),
            "cost": cost,
        }
    )


@pytest.fixture(scope="module")
def model():
    return fit(visits(), schema=SCHEMA, engine="sequential_trees", privacy=NO_PRIVACY)


def test_what_depends_on_a_column_follows_it(model):
    rows = model.sample(20_000, seed=1)
    # shares of 600 to 1,500 source rows and as many draws: standard errors below .02; fixed seeds
    for ward, ill in (("icu", 0.8), ("er", 0.1)):
        assert rows.filter(pl.col("ward") == ward)["ill"].mean() == pytest.approx(ill, abs=0.06)
    assert rows.filter(pl.col("ward") == "icu")["age"].null_count() == 0
    assert rows.filter(pl.col("ward") == "or")["age"].is_null().mean() == pytest.approx(0.4, abs=0.06)
    assert rows.filter(pl.col("ward") == "icu")["age"].min() > 50


def test_conditions_on_the_first_axes_are_exact(model):
    assert model.model.order[:2] == (1, 0)
    rows = model.sample(4000, seed=2, where={"ill": True})
    free = model.sample(30_000, seed=3).filter(pl.col("ill"))
    for ward in ("icu", "er", "or"):
        # two shares of 4,000 and of about 7,000 rows: five standard errors are .05
        assert (rows["ward"] == ward).mean() == pytest.approx((free["ward"] == ward).mean(), abs=0.05)


@pytest.mark.parametrize("rounds", [0, 1])
def test_conditions_on_columns_that_are_first_cost_no_row(rounds):
    where = {"cost": {"<": 300}, "ill": True, "age": {">=": 60}}

    def worth(**settings):
        tally, settings = Tally(), settings | {"rounds": rounds}
        fitted = fit(visits(), engine="sequential_trees", settings=settings, privacy=NO_PRIVACY)
        rows = fitted.sample(2000, seed=1, where=where, tally=tally)
        assert ((rows["cost"] < 300) & rows["ill"] & (rows["age"] >= 60)).all()
        return tally.conditions.n_effective

    assert worth(first="cost; ill; age") > 1900
    assert worth() < 800


@pytest.mark.parametrize(
    ("first", "said"), [("aeg", "the first column 'aeg' is not"), ("age; ward; age", "names one twice")]
)
def test_impossible_first_columns_are_refused(first, said):
    with pytest.raises(UsageError, match=said):
        fit(visits(), engine="sequential_trees", settings={"first": first}, privacy=NO_PRIVACY)


@pytest.mark.parametrize("where", [{"age": 65}, {"age": None}, {"ward": "icu", "age": 70}])
def test_conditions_elsewhere_change_what_comes_before(model, where):
    """Compared with rows that were drawn freely and kept where they meet the condition."""
    held = model.sample(4000, seed=2, where=where)
    free = model.sample(400_000, seed=3)
    for column, value in where.items():
        free = free.filter(pl.col(column).is_null() if value is None else pl.col(column) == value)
    assert free.height > 500
    # four standard errors of a share among 500 rows or more are below .09
    assert held["ill"].mean() == pytest.approx(free["ill"].mean(), abs=0.09)
    for ward in ("icu", "er", "or"):
        assert (held["ward"] == ward).mean() == pytest.approx((free["ward"] == ward).mean(), abs=0.09)


def test_conditions_that_no_leaf_reaches_are_refused_after_a_bounded_search_and_completed_all_the_same(model):
    with pytest.raises(
        ConditionError,
        match=r"on 'ward', 'age' together .* none of 262,144 rows drawn towards them meets them all",
    ):
        model.sample(50, seed=1, where={"ward": "icu", "age": 21, "ill": False})
    given = pl.DataFrame({"ward": ["icu"] * 50, "age": [21] * 50})
    rows = model.complete(given, seed=1)
    assert rows.select("ward", "age").equals(given)
    assert model.sample(0, where={"age": 21}).height == 0


@pytest.mark.parametrize("where", [{"ward": "none"}, {"cost": 9e8}])
def test_conditions_of_probability_zero_are_refused(model, where):
    with pytest.raises(ConditionError, match="probability zero under the model"):
        model.sample(10, where=where)


def test_a_rare_level_keeps_its_frequency_however_large_the_leaves():
    n = 4000
    rare = np.zeros(n, dtype=int)
    rare[:9] = 1
    frame = pl.DataFrame(
        {"x": np.arange(n) % 7, "y": np.arange(n) % 11, "z": np.where(rare == 1, "rare", "common")}
    )
    for settings in ({}, {"min_leaf": 1500}):
        fitted = fit(frame, engine="sequential_trees", settings=settings, privacy=NO_PRIVACY)
        # 90 expected in 40,000 draws; a Poisson count leaves 50 to 135 with probability below 1e-5
        assert 50 <= (fitted.sample(40_000, seed=0)["z"] == "rare").sum() <= 135


def test_the_artefact_holds_no_rare_number_and_no_run_of_fewer_rows_than_a_group():
    """A canary of one row, in a column that others predict well, is neither stored nor drawn."""
    frame = visits().with_columns(pl.col("cost").round(6))
    canary = 123_456_789.123
    frame[7, "cost"] = canary
    fitted = fit(frame, schema=SCHEMA, engine="sequential_trees", privacy=NO_PRIVACY)
    alone = frame["cost"].to_numpy()
    for name, array in fitted.model.arrays().items():
        assert not np.isin(array, alone).any() if array.dtype.kind == "f" else True, name
        is_float = name.startswith(("marginal.", "tilt.")) or name.endswith(".weight")
        assert array.dtype.kind == "i" or is_float, name
    drawn = fitted.sample(50_000, seed=1)["cost"].to_numpy()
    assert not np.isin(drawn, alone).any()
    assert not (np.abs(drawn - canary) < 1000).any()
    cost = 4  # the axis of the costs: their pieces are stretches
    leaves, tree = fitted.model.leaves[cost], fitted.model.trees[cost]
    assert tree.n_nodes > 5
    assert (leaves.count >= 11).all()
    pool = (leaves.own + leaves.passed)[tree.axis == -1]
    assert (pool >= 30).all()


GAINS = TableSchema(name="gains", columns=(
    Column(name="gain", kind=Kind.INTEGER, dtype="int64", bounds=(0, 9000)),
    Column(name="group", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b", "c")),
))  # fmt: skip


def gains(odd):
    """Forty rows each at 3,103 and 3,105, and one row at `odd`."""
    rng = np.random.default_rng(1)
    gain = np.r_[np.repeat([3103, 3105], 40), np.zeros(800, dtype=int), rng.integers(5000, 9000, 119), odd]
    return pl.DataFrame({"gain": gain, "group": rng.choice(["a", "b", "c"], len(gain))})


@pytest.mark.parametrize("odd", [3104, 5001])
def test_a_value_between_two_frequent_ones_is_not_told_by_the_one_row_that_has_it(odd):
    """What one row has is neither counted nor drawn, whether it is there or not."""
    fitted = fit(gains(odd), schema=GAINS, engine="sequential_trees", privacy=NO_PRIVACY, seed=0)
    mass, leaves = fitted.model.latents[0].marginal, fitted.model.leaves[0]
    inside = (mass.lower[leaves.first] > 3103) & (mass.upper[leaves.last] < 3105)
    assert not inside.any()
    assert not (fitted.sample(20_000, seed=1)["gain"] == 3104).any()


def test_a_model_of_values_very_close_together_can_be_loaded_again(tmp_path):
    """A row in a billionth of a stretch that reaches to 10¹³: its share of the stretch, 10⁻²¹, would be lost in sums."""
    rng = np.random.default_rng(0)
    cost = np.r_[np.repeat([0.0, 1e-9], 100), np.full(11, 5e-10) + 1e-11 * np.arange(11), np.repeat([1.0, 2.0, 3.0], 120), rng.lognormal(3, 1, 118) * 1e12]  # fmt: skip
    frame = pl.DataFrame({"cost": cost, "group": rng.choice(["a", "b"], len(cost))})
    schema = TableSchema(name="t", columns=(
        Column(name="cost", kind=Kind.NUMBER, dtype="float64", bounds=(0.0, 1e16)),
        Column(name="group", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b")),
    ))  # fmt: skip
    fitted = fit(frame, schema=schema, engine="sequential_trees", privacy=NO_PRIVACY, seed=0)
    fitted.save(tmp_path / "model")
    assert FittedPipeline.load(tmp_path / "model").sample(500, seed=2).equals(fitted.sample(500, seed=2))


SPECIALTIES = tuple(f"s{k:02}" for k in range(80))


def doctors(n=6000):
    """Eighty specialties, of which s70 to s74, 1 % each, are women's alone; who is dead was never sent home, as four columns say a little of."""
    rng = np.random.default_rng(8)
    sex, dead = rng.choice(["f", "m"], n), rng.random(n) < 0.15
    chance = np.where(np.isin(np.arange(80), np.arange(70, 75)), 0.01, 0.95 / 75)
    specialty = rng.choice(80, n, p=chance)
    sex = np.where(np.isin(specialty, np.arange(70, 75)), "f", sex)
    signs = {f"sign{k}": rng.random(n) < np.where(dead, 0.5, 0.35) for k in range(4)}
    stay = np.where(
        dead, rng.choice(["ward", "icu"], n), rng.choice(["ward", "icu", "home"], n, p=[0.2, 0.2, 0.6])
    )
    return pl.DataFrame(
        {"sex": sex, "dead": dead, "specialty": np.array(SPECIALTIES)[specialty], "stay": stay, **signs}
    )


DOCTORS = TableSchema(name="doctors", columns=(
    Column(name="sex", kind=Kind.CATEGORICAL, dtype="string", categories=("f", "m")),
    Column(name="dead", kind=Kind.BOOLEAN, dtype="bool"),
    Column(name="specialty", kind=Kind.CATEGORICAL, dtype="string", categories=SPECIALTIES),
    Column(name="stay", kind=Kind.CATEGORICAL, dtype="string", categories=("ward", "icu", "home")),
    *(Column(name=f"sign{k}", kind=Kind.BOOLEAN, dtype="bool") for k in range(4)),
))  # fmt: skip


@pytest.mark.parametrize("rounds", [0, 1])
def test_what_never_goes_together_is_not_drawn_together(rounds):
    """Thirty rows of each by chance, and none: of 60,000 draws some 1,500 for each specialty and 5,400 otherwise would be impossible."""
    frame = doctors()
    fitted = fit(
        frame,
        schema=DOCTORS,
        engine="sequential_trees",
        settings={"rounds": rounds},
        privacy=NO_PRIVACY,
        seed=0,
    )
    rows = fitted.sample(60_000, seed=1)
    womens = pl.col("specialty").is_in(["s70", "s71", "s72", "s73", "s74"])
    assert (
        rows.filter(womens & (pl.col("sex") == "m")).height <= 6
    )  # e⁻¹² of what chance would give, of any five of six axes
    assert rows.filter(pl.col("dead") & (pl.col("stay") == "home")).height <= 6
    for column, value in (("sex", "f"), ("dead", True), ("stay", "home"), ("specialty", "s71")):
        share = (frame[column] == value).mean()
        assert (rows[column] == value).mean() == pytest.approx(share, rel=0.04, abs=0.002)


def test_conditions_that_exclude_one_another_are_named_alone():
    """Men are never pregnant; wards and ages, asked for as well, are met by both."""
    rng = np.random.default_rng(4)
    n = 3000
    sex = rng.choice(["f", "m"], n)
    pregnant = (sex == "f") & (rng.random(n) < 0.3)
    frame = pl.DataFrame({"sex": sex, "pregnant": pregnant, "ward": rng.choice(["a", "b"], n), "age": rng.integers(18, 50, n)})  # fmt: skip
    schema = TableSchema(name="t", columns=(
        Column(name="sex", kind=Kind.CATEGORICAL, dtype="string", categories=("f", "m")),
        Column(name="pregnant", kind=Kind.BOOLEAN, dtype="bool"),
        Column(name="ward", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b")),
        Column(name="age", kind=Kind.INTEGER, dtype="int64", bounds=(18, 49)),
    ))  # fmt: skip
    fitted = fit(frame, schema=schema, engine="sequential_trees", privacy=NO_PRIVACY, seed=0)
    asked = {"sex": "m", "pregnant": True, "ward": "a", "age": {">=": 20, "<=": 40}}
    with pytest.raises(ConditionError, match="probability zero under the model, or close to it") as error:
        fitted.sample(100, where=asked, seed=1)
    named = {name for name in asked if repr(name) in str(error.value)}
    assert named == {"sex", "pregnant"}
    assert fitted.sample(100, where=asked | {"sex": "f"}, seed=1).height == 100


def test_sixty_rows_are_enough_for_what_always_goes_together():
    """Admissions of a small demo: who died was discharged as dead, and has a time of death; 23 of 60 did."""
    rng = np.random.default_rng(2)
    dead = np.arange(60) < 23
    home = np.where(dead, "dead", rng.choice(["snf", "home", "care"], 60))
    frame = pl.DataFrame({"died": dead, "discharge": home, "hour": pl.Series([int(h) if d else None for d, h in zip(dead, rng.integers(0, 24, 60), strict=True)])})  # fmt: skip
    schema = TableSchema(name="admissions", columns=(
        Column(name="died", kind=Kind.BOOLEAN, dtype="bool"),
        Column(name="discharge", kind=Kind.CATEGORICAL, dtype="string", categories=("dead", "snf", "home", "care")),
        Column(name="hour", kind=Kind.INTEGER, dtype="int64", bounds=(0, 23), nullable=True),
    ))  # fmt: skip
    fitted = fit(frame, schema=schema, engine="sequential_trees", privacy=NO_PRIVACY, seed=0)
    rows = fitted.sample(6000, seed=1)
    alive = rows.filter(~pl.col("died"))
    assert (alive["discharge"] == "dead").sum() <= 2  # excluded: 14 of 60 rows by chance
    assert alive["hour"].is_not_null().sum() <= 2
    assert (
        rows.filter(pl.col("died"))["discharge"] == "dead"
    ).mean() > 0.8  # of the others 4 to 6 of 60 by chance: rare only
    assert rows["died"].mean() == pytest.approx(23 / 60, abs=0.03)


def test_categories_and_bounds_beyond_what_rows_have_are_no_hindrance(tmp_path):
    """Levels that are declared and held by nobody, the last among them, beside pairs that never go together."""
    wide = [replace(column, categories=(*column.categories, "never", "neither")) if column.categories else column for column in DOCTORS.columns]  # fmt: skip
    age = Column(name="age", kind=Kind.INTEGER, dtype="int64", bounds=(-100, 400))
    schema = TableSchema(name="doctors", columns=(*wide, age))
    frame = doctors()
    frame = frame.with_columns(age=np.where(frame["dead"], 70, 40) + np.arange(frame.height) % 20)
    fitted = fit(frame, schema=schema, engine="sequential_trees", privacy=NO_PRIVACY, seed=0)
    rows = fitted.sample(20_000, seed=1)
    assert not rows["stay"].is_in(["never", "neither"]).any()
    assert rows.filter(pl.col("dead") & (pl.col("stay") == "home")).height <= 3
    assert rows.filter(pl.col("dead") & (pl.col("age") < 60)).height <= 3
    fitted.save(tmp_path / "model")
    assert FittedPipeline.load(tmp_path / "model").sample(2000, seed=3).equals(fitted.sample(2000, seed=3))


@pytest.mark.parametrize("seed", [0, 1, 18, 23, 38, 45])
def test_no_lone_value_of_a_tail_is_counted_by_itself(seed):
    """Counts of a Poisson variable: the tail ends in single values, and whoever has one of these stands in a run of eleven, or nowhere."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, 1500)
    visits = rng.poisson(2 + group)
    schema = TableSchema(name="t", columns=(
        Column(name="visits", kind=Kind.INTEGER, dtype="int64", bounds=(0, int(visits.max()))),
        Column(name="group", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b", "c")),
    ))  # fmt: skip
    frame = pl.DataFrame({"visits": visits, "group": np.array(["a", "b", "c"])[group]})
    fitted = fit(
        frame, schema=schema, engine="sequential_trees", settings={"rounds": 0}, privacy=NO_PRIVACY, seed=0
    )
    axis = next(k for k, latent in enumerate(fitted.model.latents) if latent.variable.name == "visits")
    leaves, marginal = fitted.model.leaves[axis], fitted.model.latents[axis].marginal
    lone = (leaves.first == leaves.last) & (marginal.lower[leaves.first] == marginal.upper[leaves.first])
    rare = [value for value in np.unique(visits) if (visits == value).sum() < 11]
    held = marginal.lower[leaves.first[lone & (leaves.count < 11)]]
    assert not np.isin(held, rare).any()


def test_what_one_row_has_may_be_drawn():
    """One dead person who was sent home, of five hundred by chance: rare, and not impossible; 10 of 60,000 are expected, none 5e-5 of the time."""
    frame = doctors().with_row_index().with_columns(
        stay=pl.when(pl.col("index") == doctors()["dead"].arg_max()).then(pl.lit("home")).otherwise("stay")
    ).drop("index")  # fmt: skip
    fitted = fit(
        frame, schema=DOCTORS, engine="sequential_trees", settings={"rounds": 0}, privacy=NO_PRIVACY, seed=0
    )
    rows = fitted.sample(60_000, seed=1)
    assert rows.filter(pl.col("dead") & (pl.col("stay") == "home")).height > 0


def test_twenty_thousand_levels_that_follow_another_column():
    rng = np.random.default_rng(0)
    n = 40_000
    code = rng.integers(0, 20_000, n)
    frame = pl.DataFrame({"code": [f"c{k:05}" for k in code], "region": [f"r{k % 10}" for k in code]})
    fitted = fit(frame, schema=TableSchema(name="t", columns=tuple(
        Column(name=name, kind=Kind.CATEGORICAL, dtype="string", categories=tuple(frame[name].unique().sort()))
        for name in frame.columns
    )), engine="sequential_trees", privacy=NO_PRIVACY)  # fmt: skip
    rows = fitted.sample(20_000, seed=1)
    follows = rows["code"].str.slice(1).cast(pl.Int64) % 10 == rows["region"].str.slice(1).cast(pl.Int64)
    assert follows.mean() > 0.95


def test_privacy_is_refused_and_nothing_is_promised():
    with pytest.raises(PrivacyError, match="cannot give differential privacy, so nothing was read"):
        fit(visits(), schema=SCHEMA, engine="sequential_trees", privacy=Budget(epsilon=1))
    assert SequentialTrees().parts(()) == ()


def test_the_penalty_is_raised_where_rows_are_few_for_their_columns():
    trees = SequentialTrees(penalty=2.0)
    assert [trees.penalty_for(n, 10) for n in (40_000, 4000, 2000, 1000, 999, 0)] == [2, 2, 4, 8, 8, 8]
    assert SequentialTrees(penalty=0.0).penalty_for(10, 10) == 0


@pytest.mark.parametrize("wrong", [{"min_leaf": 0}, {"growing_share": 0.0}, {"growing_share": 1.1}, {"penalty": -1.0}, {"penalty": float("nan")}])  # fmt: skip
def test_settings_that_say_nothing_are_refused(wrong):
    with pytest.raises(UsageError, match="sequential_trees needs a min_leaf of 1 or more"):
        SequentialTrees(**wrong)
    with pytest.raises(UsageError, match="min_group must be 1 or more"):
        SequentialTrees(min_group=0)
    for rounds in (-1, 17):
        with pytest.raises(UsageError, match=f"takes 0 to 16 rounds, found {rounds}"):
            SequentialTrees(rounds=rounds)


def test_splits_of_a_large_table_are_found_on_a_bounded_number_of_rows():
    n = 1_000_000
    for share, expected in ((0.5, MOST_GROWING_ROWS), (0.05, 50_000)):
        chosen = SequentialTrees._some_rows("grow", n, share, MOST_GROWING_ROWS, Streams(0))
        assert chosen.sum() == pytest.approx(expected, rel=0.02)
    assert SequentialTrees._some_rows("grow", 50, 1.0, MOST_GROWING_ROWS, Streams(0)).all()


@pytest.fixture(scope="module")
def sound(model, tmp_path_factory):
    return parts_of(model, tmp_path_factory.mktemp("model") / "sound")


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        ("tree.4.axis", put(0, 4), "asks for axes that are not drawn before"),
        ("tree.4.axis", put(0, 99), "asks for axes that are not drawn before"),
        ("tree.4.axis", lambda a: a.astype(np.int64), "expected int32 of shape"),
        ("tree.4.threshold", lambda a: a[:-1], "expected int32 of shape"),
        ("tree.4.left", put(0, 0), "not a tree"),
        ("tree.4.left", put(0, 2), "not a tree"),
        ("tree.4.right", put(0, 1 << 20), "not a tree"),
        ("tree.4.left", put(-1, 3), "leaves with children"),
        ("leaves.4.start", put(0, 1), "not the beginnings of its entries"),
        ("leaves.4.start", put(1, 1 << 40), "not the beginnings of its entries"),
        ("leaves.4.first", put(0, -1), "values below 0"),
        ("leaves.4.last", put(0, 1 << 30), "runs of pieces that there are not"),
        ("leaves.4.first", put(0, 1 << 30), "runs of pieces that there are not"),
        ("leaves.4.count", put(0, 0), "values below 1"),
        ("leaves.4.count", put(0, 1 << 60), "too many rows"),
        ("leaves.4.passed", put(0, 5), "draws that find no entry"),
        ("leaves.4.passed", put(1, -5), "values below 0"),
        ("leaves.4.weight", put(0, -1.0), "weights that are not within"),
        ("leaves.4.weight", put(0, 1e9), "weights that are not within"),
        ("leaves.4.weight", put(0, np.nan), "not finite everywhere"),
        ("leaves.4.weight", lambda a: a[:-1], "expected float64 of shape"),
        ("leaves.4.weight", lambda a: a.astype(np.float32), "expected float64 of shape"),
        ("leaves.4.weight", lambda a: a * 0, "entries of probability zero"),
        ("bins.4", put(0, 1 << 20), "bins without pieces"),
        ("bins.4", put(0, -1), "values below 0"),
        ("bins.4", lambda a: a[:-1], "expected int32 of shape"),
    ],
)  # fmt: skip
def test_a_hostile_tree_is_refused(sound, tmp_path, name, change, fault):
    document, arrays = sound
    write_folder(tmp_path / "hostile", document, {**arrays, name: change(arrays[name])})
    with pytest.raises(ModelFileError, match=f"not a model this release can read: array .*({fault})"):
        FittedPipeline.load(tmp_path / "hostile")


def test_a_leaf_from_which_nothing_can_be_drawn_is_refused(sound, tmp_path):
    document, arrays = sound
    start, passed = arrays["leaves.4.start"].copy(), arrays["leaves.4.passed"]
    leaf = int(np.flatnonzero((arrays["tree.4.axis"] == -1) & (passed == 0))[-1])
    start[leaf] = start[leaf + 1]  # its entries are those of the node before it
    write_folder(tmp_path / "hostile", document, {**arrays, "leaves.4.start": start})
    with pytest.raises(ModelFileError, match="draws that find no entry"):
        FittedPipeline.load(tmp_path / "hostile")


def test_entries_of_probability_zero_are_refused(sound, tmp_path):
    document, arrays = sound
    never = {f"leaves.0.{end}": put(0, 3)(arrays[f"leaves.0.{end}"]) for end in ("first", "last")}
    write_folder(tmp_path / "hostile", document, {**arrays, **never})
    with pytest.raises(ModelFileError, match="entries of probability zero"):
        FittedPipeline.load(tmp_path / "hostile")


@pytest.mark.parametrize(
    "order", [None, [0, 1, 2, 3], [0, 0, 1, 2, 3], [1, 0, 3, 2, 4], ["a"], [True, 0, 2, 3, 4], {}]
)
def test_a_hostile_order_is_refused(sound, tmp_path, order):
    document, arrays = sound
    changed = {**document, "parameters": {**document["parameters"], "order": order}}
    write_folder(tmp_path / "hostile", changed, arrays)
    with pytest.raises(ModelFileError, match=r"'order': (not every axis once|a number before its level)"):
        FittedPipeline.load(tmp_path / "hostile")


def test_names_are_those_of_this_model_alone(sound, tmp_path):
    document, arrays = sound
    ranks = next(name for name in arrays if ".ranks." in name)
    stray = {**arrays, re.sub(r"tree\.\d+", "tree.1", ranks): arrays[ranks]}
    missing = {name: array for name, array in arrays.items() if name != "leaves.4.count"}
    for number, changed in enumerate((stray, missing)):
        write_folder(tmp_path / str(number), document, changed)
        with pytest.raises(
            ModelFileError, match=r"ranks or tilts of axes that it does not ask for|1 missing"
        ):
            FittedPipeline.load(tmp_path / str(number))


N_SIGNS = 8


def signs(n):
    """Eight signs, each of which raises the odds of being ill by as much, and a cost that rises with their number."""
    rng = np.random.default_rng(11)
    found = rng.random((n, N_SIGNS)) < 0.5
    ill = rng.random(n) < 1 / (1 + np.exp(-0.6 * (found.sum(axis=1) - N_SIGNS / 2)))
    cost = rng.gamma(4, 10 + 5 * found.sum(axis=1))
    columns = {f"sign{k}": found[:, k] for k in range(N_SIGNS)}
    return pl.DataFrame({**columns, "ill": ill, "cost": cost.round(2)})


@pytest.fixture(scope="module")
def tilted():
    return fit(signs(6000), engine="sequential_trees", privacy=NO_PRIVACY)


def number_of_signs(rows):
    return rows.select(pl.sum_horizontal(pl.col("^sign.*$").cast(pl.Int64)).alias("n"))["n"]


def test_what_many_columns_say_a_little_of_adds_up(tilted):
    """Six thousand rows are 23 for each combination of signs: a tree alone cannot tell them apart."""
    assert {8, 9} <= set(tilted.model.tilts)
    assert tilted.model.trees[8].n_nodes < 128
    rows = tilted.sample(60_000, seed=1)
    n = number_of_signs(rows)
    for k in (1, 2, 4, 6, 7):
        chosen = rows.filter(n == k)
        # log odds from 6,000 rows have standard errors of about .06 a sign: .1 at the ends in probability
        assert chosen["ill"].mean() == pytest.approx(1 / (1 + np.exp(-0.6 * (k - 4))), abs=0.1)
        assert chosen["cost"].mean() == pytest.approx(4 * (10 + 5 * k), rel=0.2)


@pytest.mark.parametrize("where", [{"ill": True}, {"cost": {">=": 150}}])
def test_conditions_weigh_log_odds_too(tilted, where):
    held = tilted.sample(4000, seed=2, where=where)
    free = tilted.sample(200_000, seed=3)
    free = free.filter(pl.col("ill")) if "ill" in where else free.filter(pl.col("cost") >= 150)
    assert free.height > 10_000
    # means of 4,000 and 10,000 numbers of signs with a standard deviation of 1.4: five standard errors are .13
    assert number_of_signs(held).mean() == pytest.approx(number_of_signs(free).mean(), abs=0.13)


def test_given_cells_weigh_log_odds_too(tilted):
    rows = tilted.complete(pl.DataFrame({"ill": [True] * 4000}), seed=4)
    free = tilted.sample(100_000, seed=3).filter(pl.col("ill"))
    # as above; four passes of eight proposals leave a bias below a tenth
    assert number_of_signs(rows).mean() == pytest.approx(number_of_signs(free).mean(), abs=0.2)


@pytest.mark.parametrize("cost", [60.0, 300.0])
def test_cells_given_first_choose_among_a_pool_by_their_log_odds(tilted, cost):
    """By leaves alone 300 would come with 4.35 signs instead of 5.0, and 60 with 3.7 instead of 3.3."""
    rows = tilted.complete(pl.DataFrame({"cost": [cost] * 4000}), seed=4)
    free = tilted.sample(200_000, seed=3).filter(pl.col("cost").is_between(0.95 * cost, 1.05 * cost))
    assert free.height > 1500
    # means of 4,000 and 1,500 with a standard deviation of 1.4: four standard errors are .17, and a bias below a tenth
    assert number_of_signs(rows).mean() == pytest.approx(number_of_signs(free).mean(), abs=0.26)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (put((0, 0), np.nan), "log odds that are not within"),
        (put((0, 0), -np.inf), "log odds that are not within"),
        (lambda a: a.astype(np.float64), "expected float32 of shape"),
        (lambda a: a[:-1], "expected float32 of shape"),
    ],
)
def test_hostile_log_odds_are_refused(tilted, tmp_path, change, fault):
    tilted.save(tmp_path / "sound")
    assert FittedPipeline.load(tmp_path / "sound").sample(50, seed=1).equals(tilted.sample(50, seed=1))
    document, arrays = read_folder(tmp_path / "sound")
    document.pop("format_version")
    name = next(name for name in arrays if name.startswith("tilt.9."))
    write_folder(tmp_path / "hostile", document, {**arrays, name: change(arrays[name])})
    with pytest.raises(ModelFileError, match=fault):
        FittedPipeline.load(tmp_path / "hostile")


def test_log_odds_of_more_bins_than_fitting_makes_are_refused(tilted, tmp_path):
    tilted.save(tmp_path / "sound")
    document, arrays = read_folder(tmp_path / "sound")
    document.pop("format_version")
    bins = np.arange(len(arrays["bins.9"]), dtype=np.int32)
    assert len(bins) > 64
    wide = {
        name: np.zeros((len(array), len(bins)), dtype=np.float32)
        for name, array in arrays.items()
        if name.startswith("tilt.9.")
    }
    write_folder(tmp_path / "hostile", document, {**arrays, "bins.9": bins, **wide})
    with pytest.raises(
        ModelFileError, match=r"array 'tilt\.9\.\d+': expected float32 of shape \(\d+, \d\d\)"
    ):
        FittedPipeline.load(tmp_path / "hostile")
