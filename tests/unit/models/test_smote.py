"""SMOTE: rows lie between rows of their class, borders are those of the reference library, hostile models are refused."""

import sys

import numpy as np
import polars as pl
import pytest

from tabsynth.encode import encode_table
from tabsynth.errors import ConditionError, DataError, ModelFileError, UsageError
from tabsynth.models.condition import Condition
from tabsynth.models.registry import make_engine
from tabsynth.models.smote import Smote
from tabsynth.models.smote_samples import Axes, in_danger
from tabsynth.models.smote_stored import restore_smote
from tabsynth.pipeline import fit
from tabsynth.privacy import NO_PRIVACY, Ledger
from tabsynth.privacy.queries import Queries
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.table import Table

NUMBERS = ("x", "y")


def schema(**kinds) -> TableSchema:
    columns = [
        Column(name=name, kind=Kind.NUMBER, dtype="float64")
        if kind == "number"
        else Column(name=name, kind=Kind.CATEGORICAL, dtype="string", categories=tuple(kind))
        for name, kind in kinds.items()
    ]
    return TableSchema(name="t", columns=tuple(columns))


def plane(n=60, seed=0, *, nominal=False) -> Table:
    """Two clouds of numbers that overlap, the second a quarter of the rows; with `nominal`, a level beside."""
    rng = np.random.default_rng(seed)
    rare = np.arange(n) % 4 == 0
    columns = {
        "x": rng.normal(rare * 2.0, 1.0),
        "y": rng.normal(0.0, 3.0, n),
        "class": np.where(rare, "b", "a"),
    }
    kinds = {"x": "number", "y": "number", "class": "abc"}
    if nominal:
        columns["level"] = rng.choice(["p", "q", "r"], n)
        kinds["level"] = "pqr"
    return Table.conform(pl.DataFrame(columns), schema(**kinds))


@pytest.fixture
def imblearn():
    return pytest.importorskip("imblearn", reason="needs the extra smote")


def model_of(table: Table, **settings):
    encoded = encode_table(table)
    return Smote(**settings).fit(encoded, queries=Queries(Ledger()), streams=Streams(0))


def distance_to_segments(points, ends) -> np.ndarray:
    """The distance of each point from the nearest segment between any two of `ends`."""
    best = np.full(len(points), np.inf)
    for i in range(len(ends)):
        for j in range(i):
            start, along = ends[i], ends[j] - ends[i]
            t = np.clip((points - start) @ along / (along @ along), 0, 1)
            best = np.minimum(best, np.linalg.norm(points - start - t[:, None] * along, axis=1))
    return best


@pytest.mark.usefixtures("imblearn")
def test_rows_lie_on_segments_between_rows_of_their_class():
    table = plane()
    rows = fit(table, engine=Smote(target="class"), privacy=NO_PRIVACY).sample(300, seed=1)
    for name in ("a", "b"):
        real = table.frame.filter(pl.col("class") == name).select(NUMBERS).to_numpy()
        made = rows.filter(pl.col("class") == name).select(NUMBERS).to_numpy()
        assert distance_to_segments(made, real).max() < 1e-9
        assert not (made[:, None] == real[None]).all(axis=2).any()
    # 300 draws of which a quarter is of class b: four standard deviations are 30
    assert abs((rows["class"] == "b").sum() - 75) < 30


@pytest.mark.usefixtures("imblearn")
def test_neighbours_are_near():
    """With one neighbour a row lies between a row and the nearest of its class, in standardised numbers."""
    table = Table.conform(plane(40).frame.select(NUMBERS), schema(x="number", y="number"))
    numbers = table.frame.to_numpy()
    scaled = (numbers - numbers.mean(axis=0)) / numbers.std(axis=0)
    gaps = np.linalg.norm(scaled[:, None] - scaled[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    pairs = [(i, int(gaps[i].argmin())) for i in range(40)]
    rows = fit(table, engine=Smote(neighbours=1), privacy=NO_PRIVACY).sample(100, seed=2)
    made = rows.select(NUMBERS).to_numpy()
    nearest = np.min([distance_to_segments(made, numbers[list(pair)]) for pair in pairs], axis=0)
    assert nearest.max() < 1e-9


@pytest.mark.usefixtures("imblearn")
def test_the_border_is_that_of_the_reference_library():
    from imblearn.over_sampling import BorderlineSMOTE

    table = plane(120, seed=3)
    axes = Axes.of(encode_table(table), without="class")
    label = (table.frame["class"] == "b").to_numpy().astype(int)
    group = np.flatnonzero(label == 1)
    reference = BorderlineSMOTE(m_neighbors=10, random_state=0)
    reference.fit_resample(axes.numbers, label)
    mine = group[in_danger(axes, group, neighbours=10)]
    assert mine.tolist() == sorted(reference.in_danger_indices[1].tolist())
    assert 0 < len(mine) < len(group)


@pytest.mark.usefixtures("imblearn")
def test_borderline_rows_are_made_between_rows_at_the_border():
    table = plane(120, seed=3)
    model = model_of(table, target="class", variant="borderline")
    assert 1 < model.is_base.sum() < 120
    rows = fit(
        table, engine="smote", settings={"target": "class", "variant": "borderline"}, privacy=NO_PRIVACY
    ).sample(200, seed=1, where={"class": "b"})
    border = (
        table.frame.filter(pl.Series(model.is_base) & (pl.col("class") == "b")).select(NUMBERS).to_numpy()
    )
    assert distance_to_segments(rows.select(NUMBERS).to_numpy(), border).max() < 1e-9


@pytest.mark.usefixtures("imblearn")
def test_levels_are_those_of_most_neighbours_and_tables_of_levels_alone_work():
    mixed = fit(plane(nominal=True), engine=Smote(target="class"), privacy=NO_PRIVACY).sample(200, seed=1)
    assert set(mixed["level"]) <= {"p", "q", "r"}
    rng = np.random.default_rng(1)
    group = rng.choice(["a", "b"], 80)
    levels = {
        f"l{k}": np.where(rng.random(80) < 0.9, np.where(group == "a", "p", "q"), "r") for k in range(3)
    }
    table = Table.conform(
        pl.DataFrame({**levels, "class": group}), schema(l0="pqr", l1="pqr", l2="pqr", **{"class": "ab"})
    )
    rows = fit(table, engine=Smote(target="class"), privacy=NO_PRIVACY).sample(100, seed=1)
    # nine in ten rows of a class hold its level, so five neighbours all but always vote for it
    assert (rows.filter(pl.col("class") == "a")["l0"] == "p").mean() > 0.9
    with pytest.raises(UsageError, match="needs a target where no column holds numbers"):
        fit(table, engine="smote", privacy=NO_PRIVACY)


@pytest.mark.usefixtures("imblearn")
def test_conditions_that_too_few_rows_meet():
    frame = plane().frame.with_columns(
        pl.when(pl.int_range(60) == 7).then(pl.lit("c")).otherwise(pl.col("class")).alias("class")
    )
    fitted = fit(
        Table.conform(frame, schema(x="number", y="number", **{"class": "abc"})),
        engine=Smote(target="class"),
        privacy=NO_PRIVACY,
    )
    assert not (fitted.sample(500, seed=1)["class"] == "c").any()
    with pytest.raises(ConditionError, match="1 of the rows"):
        fitted.sample(5, where={"class": "c"})


@pytest.mark.usefixtures("imblearn")
def test_rows_under_conditions_are_worth_no_more_than_those_they_lie_between():
    """Of 60 rows 15 are of the class."""
    model, tally = model_of(plane(), target="class"), {}
    for n in (10, 500):
        held = Condition(column="class", codes=(1,))
        tally[n] = model.conditional_block(0, n_rows=n, streams=Streams(1), conditions=(held,)).effective
    assert tally == {10: 10.0, 500: 15.0}


@pytest.mark.usefixtures("imblearn")
def test_no_more_rows_are_kept_than_asked():
    model = model_of(plane(200), target="class", max_rows=30)
    assert np.bincount(model.classes, minlength=3).tolist() == [30, 30, 0]
    assert model.shares.tolist() == [0.75, 0.25, 0]


@pytest.mark.usefixtures("imblearn")
@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"neighbours": 0}, UsageError, "1 or more neighbours"),
        ({"max_rows": 1}, UsageError, "max_rows of 2"),
        ({"variant": "borderline"}, UsageError, "needs a target"),
        ({"variant": "sharp"}, UsageError, "expected one of"),
        ({"target": "z"}, UsageError, "not a column that is modelled"),
        ({"target": "x"}, UsageError, "holds numbers"),
    ],
)
def test_settings_that_cannot_be_meant(settings, error, said):
    with pytest.raises(error, match=said):
        fit(plane(), engine=make_engine("smote", settings), privacy=NO_PRIVACY)


@pytest.mark.usefixtures("imblearn")
def test_one_row_is_too_few():
    with pytest.raises(DataError, match="1 row: SMOTE"):
        fit(Table.conform(plane().frame.head(1), plane().schema), engine="smote", privacy=NO_PRIVACY)


def test_without_the_extra_it_says_which(monkeypatch):
    monkeypatch.setitem(sys.modules, "imblearn", None)
    with pytest.raises(UsageError, match=r"tabsynth\[smote\]"):
        fit(plane(), engine="smote", privacy=NO_PRIVACY)


@pytest.mark.usefixtures("imblearn")
@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("shares", np.array([0.5, 0.6, 0.0]), "shares"),
        ("shares", np.array([0.5, 0.5]), "shares"),
        ("is_base", np.ones(60), "is_base"),
        ("codes.2", np.full(60, 3, dtype=np.uint8), "codes.2"),
        ("codes.2", np.zeros(59, dtype=np.uint8), "codes.2"),
        ("values.0", np.full(60, np.nan), "values.0"),
        ("values.0", np.zeros(60, dtype=np.int64), "values.0"),
        ("target", "x", "no column of classes"),
        ("target", 3, "no column of classes"),
        ("neighbours", 0, "whole number of 1 or more"),
        ("spare", np.zeros(1), "0 missing, 1 unknown"),
    ],
)
def test_hostile_models_are_refused(part, value, said):
    model = model_of(plane(), target="class")
    arrays, parameters = dict(model.arrays()), dict(model.parameters())
    restored = restore_smote(model.variables, arrays, parameters)
    assert restored.rows.n_rows == 60
    (parameters if part in parameters else arrays)[part] = value
    with pytest.raises(ModelFileError, match=said):
        restore_smote(model.variables, arrays, parameters)


@pytest.mark.usefixtures("imblearn")
def test_the_default_policy_refuses_it_for_outside_and_says_why():
    from tabsynth.decision import Answer
    from tabsynth.release import evaluate
    from tabsynth.release.evidence import evidence_of
    from tabsynth.release.files import default_policy

    fitted = fit(plane(), engine="smote", privacy=NO_PRIVACY)
    for audience, answer in (
        ("outsiders", Answer.DENY),
        ("partners", Answer.DENY),
        ("internal", Answer.SIGN_OFF),
    ):
        decision = evaluate(default_policy(), evidence_of(fitted, model="m", where="m"), audience=audience)
        reason = next(one for one in decision.reasons if one.rule == "retained_rows")
        assert reason.answer == answer
        assert "Ganev et al. 2025" in reason.found
