"""What every registered engine must do, whatever it is."""

import datetime as dt
import functools
import inspect
import json
from dataclasses import fields

import numpy as np
import polars as pl
import pytest

from tabsynth.check import check_table
from tabsynth.encode import encode_table
from tabsynth.errors import ConditionError, DataError
from tabsynth.models import registry
from tabsynth.models.base import BLOCK_ROWS
from tabsynth.models.explicit import ExplicitModel
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.privacy import NO_PRIVACY, Ledger
from tabsynth.privacy.mechanisms import EXACT
from tabsynth.privacy.queries import Queries
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.table import Table
from tests.contract.quick import named, quick

pytestmark = pytest.mark.parametrize(
    "name", [named(name) for name, engine in registry.ENGINES.items() if "none" in engine.guarantees]
)

SCHEMA = TableSchema(
    name="patients",
    primary_key=("id",),
    columns=(
        Column(name="id", kind=Kind.IDENTIFIER, dtype="int64", unique=True),
        Column(name="sex", kind=Kind.CATEGORICAL, dtype="string", categories=("female", "male")),
        Column(name="age", kind=Kind.INTEGER, dtype="uint8", bounds=(0, 110)),
        Column(name="cost", kind=Kind.NUMBER, dtype="float64", decimals=2, bounds=(0.0, 1e6), nullable=True),
        Column(name="score", kind=Kind.NUMBER, dtype="float32"),
        Column(name="lab", kind=Kind.INTEGER, dtype="string", special_values=("N", "> 89"), bounds=(0, 100)),
        Column(name="stage", kind=Kind.ORDINAL, dtype="int64", categories=(1, 2, 3, 4), nullable=True),
        Column(name="smoker", kind=Kind.BOOLEAN, dtype="bool"),
        Column(
            name="admitted",
            kind=Kind.DATE,
            dtype="date",
            bounds=(dt.date(2019, 1, 1), dt.date(2021, 12, 31)),
        ),
        Column(name="seen at", kind=Kind.DATETIME, dtype="datetime[us]", resolution="minute", timezone="UTC"),
        Column(name="stay", kind=Kind.DURATION, dtype="duration[us]", resolution="hour", nullable=True),
        Column(name="note 🙂", kind=Kind.TEXT, dtype="string", format="sentence", nullable=True),
        Column(name="nothing", kind=Kind.NUMBER, dtype="float64", nullable=True),
        Column(name="constant", kind=Kind.CATEGORICAL, dtype="string", categories=("only",)),
    ),
)


def patients(n: int) -> Table:
    rng = np.random.default_rng(7)
    age = rng.integers(0, 100, n)
    day = np.datetime64("2019-06-01") + rng.integers(0, 600, n)
    frame = pl.DataFrame(
        {
            "id": np.arange(n) + 5000,
            "sex": np.where(rng.random(n) < 0.5, "female", "male"),
            "age": age.astype(np.uint8),
            "cost": pl.Series(np.where(rng.random(n) < 0.2, np.nan, np.round(rng.lognormal(4 + age / 40, 1, n).clip(0, 1e6), 2))).fill_nan(None),
            "score": rng.normal(size=n).astype(np.float32),
            "lab": [["N", "> 89", str(k)][c] for k, c in zip(rng.integers(0, 90, n), rng.choice(3, n, p=[0.2, 0.1, 0.7]), strict=True)],
            "stage": pl.Series(rng.choice([1, 2, 3, 4, None], n).tolist(), dtype=pl.Int64),
            "smoker": rng.random(n) < 0.3,
            "admitted": pl.Series(day),
            "seen at": pl.Series(day.astype("datetime64[us]") + rng.integers(0, 1440, n) * np.timedelta64(60, "s")).dt.replace_time_zone("UTC"),
            "stay": pl.Series(rng.integers(1, 500, n) * 3_600_000_000, dtype=pl.Int64).cast(pl.Duration("us")),
            "note 🙂": [None if r < 0.5 else f"canary-{i}-text" for i, r in enumerate(rng.random(n))],
            "nothing": pl.Series([None] * n, dtype=pl.Float64),
            "constant": ["only"] * n,
        },
        strict=False,
    )  # fmt: skip
    return Table.conform(frame, SCHEMA)


@functools.cache
def fitted(name: str, n: int = 400, **settings) -> FittedPipeline:
    """One fit for all tests that do not care; `fitted.__wrapped__` fits anew."""
    return fit(patients(n), engine=quick(name, **settings), privacy=NO_PRIVACY)


def test_it_says_what_it_is(name):
    engine = registry.engine_class(name)
    assert engine.name == name
    assert engine.guarantees <= {"none", "dp"}
    assert isinstance(engine.retains_rows, bool)
    assert engine.summary
    assert "privacy" in inspect.getdoc(inspect.getmodule(engine))
    assert engine.__dataclass_params__.frozen
    assert all(field.kw_only for field in fields(engine))
    assert all(f"`{field.name}`" in inspect.getdoc(engine) for field in fields(engine))


@pytest.mark.parametrize("n_rows", [0, 1, 2, 300])
def test_rows_follow_the_schema(name, n_rows):
    rows = fitted(name).sample(n_rows, seed=1)
    assert rows.height == n_rows
    assert rows.columns == list(SCHEMA.column_names)
    assert check_table(Table.conform(rows, SCHEMA)) == ()
    assert rows.schema == patients(3).frame.schema


@pytest.mark.parametrize("n_train", [1, 2, 3])
def test_tiny_tables_can_be_learnt(name, n_train):
    if registry.engine_class(name).retains_rows:
        pytest.skip("an engine that keeps rows has no group: its own tests say what it takes")
    with pytest.raises(DataError, match=f"{n_train} rows?, fewer than min_group"):
        fitted(name, n_train)
    rows = fitted(name, n_train, min_group=1).sample(50, seed=1)
    assert check_table(Table.conform(rows, SCHEMA)) == ()


def test_the_ledger_is_the_same_at_every_fit(name):
    assert fitted(name).charges == fitted.__wrapped__(name).charges


def test_no_rows_is_an_error(name):
    with pytest.raises(DataError, match="no rows"):
        fitted(name, 0)


def test_missing_values_are_as_frequent_as_in_the_source(name):
    if name == "smote":
        pytest.skip("SMOTE-NC gives a row the commonest level among its neighbours: rare levels become rarer")
    source, rows = patients(2000), fitted(name, 2000).sample(20_000, seed=2)
    for column in SCHEMA.column_names:
        share = source.frame[column].null_count() / 2000
        # two standard errors of 2000 and 20,000 draws are below 0.03; seeds are fixed
        assert rows[column].null_count() / 20_000 == pytest.approx(share, abs=0.03), column


def test_special_values_are_as_frequent_as_in_the_source(name):
    if name == "smote":
        pytest.skip("SMOTE-NC gives a row the commonest level among its neighbours: rare levels become rarer")
    source, rows = patients(2000), fitted(name, 2000).sample(20_000, seed=2)
    for level in ("N", "> 89"):
        share = (source.frame["lab"] == level).mean()
        assert (rows["lab"] == level).mean() == pytest.approx(share, abs=0.03)


def test_one_seed_gives_one_table_and_another_seed_another(name):
    pipeline = fitted(name)
    first = pipeline.sample(100, seed=3)
    assert first.equals(pipeline.sample(100, seed=3))
    assert not first.equals(pipeline.sample(100, seed=4))
    assert not pipeline.sample(100).equals(pipeline.sample(100))
    assert first.equals(fitted.__wrapped__(name).sample(100, seed=3)), "a second fit with the same seed"


def test_rows_do_not_depend_on_batches_or_threads(name, monkeypatch):
    pipeline = fitted(name)
    n_rows = 3 * BLOCK_ROWS + 17
    whole = pipeline.sample(n_rows, seed=5)
    monkeypatch.setattr("tabsynth.pipeline.sampling._BATCH_BLOCKS", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    batches = list(pipeline.sample_batches(n_rows, seed=5))
    assert len(batches) == 4
    assert pl.concat(batches).equals(whole)


def test_saved_and_loaded_it_samples_the_same_rows(name, tmp_path):
    pipeline = fitted(name)
    pipeline.save(tmp_path / "model")
    again = FittedPipeline.load(tmp_path / "model")
    assert again.sample(200, seed=6).equals(pipeline.sample(200, seed=6))
    assert (again.n_rows, again.charges, again.schema) == (pipeline.n_rows, pipeline.charges, pipeline.schema)
    assert again.engine == pipeline.engine


def test_the_artefact_holds_no_text_no_identifier_and_no_row(name, tmp_path):
    pipeline = fitted(name)
    pipeline.save(tmp_path / "model")
    content = b"".join(path.read_bytes() for path in (tmp_path / "model").iterdir())
    assert b"canary-" not in content
    if registry.engine_class(name).retains_rows:
        return
    source = patients(400).frame
    for column in ("score", "cost"):
        alone = source[column].drop_nulls().to_numpy()
        for array in pipeline.model.arrays().values():
            if array.dtype.kind == "f":
                assert not np.isin(array, alone).any(), f"values of {column} that one row holds"


def test_no_synthetic_row_is_a_real_row(name):
    if registry.engine_class(name).retains_rows:
        pytest.skip("this engine says that it keeps rows")
    modelled = ["sex", "age", "cost", "score", "lab", "admitted"]
    real = patients(400).frame.select(modelled)
    made = fitted(name).sample(20_000, seed=1).select(modelled)
    assert made.join(real, on=modelled, how="inner", nulls_equal=True).height == 0


def test_the_ledger_says_what_was_read_before_it_was_read(name):
    pipeline = fitted(name)
    assert Ledger().epsilon(1e-6) == 0
    assert pipeline.charges
    assert all(charge.mechanism == EXACT for charge in pipeline.charges)
    touched = {column for charge in pipeline.charges for column in charge.columns}
    assert {c.name for c in SCHEMA.columns if c.kind.is_modelled} <= touched
    assert "Not anonymous" in pipeline.guarantee


@pytest.mark.parametrize(
    "where",
    [
        {"sex": "female"},
        {"age": 40},
        {"cost": None},
        {"cost": 99.5},
        {"lab": "> 89"},
        {"score": 0.25},
        {"stage": None, "sex": "male"},
        {"smoker": True, "admitted": dt.date(2020, 2, 29), "lab": "12"},
        {"sex": "female", "smoker": False, "stage": 4, "age": 10},
    ],
)
def test_conditions_hold_on_every_row(name, where):
    rows = fitted(name).sample(500, seed=1, where=where)
    assert rows.height == 500
    for column, value in where.items():
        cells = rows[column]
        assert cells.is_null().all() if value is None else (cells == value).all(), column
    assert check_table(Table.conform(rows, SCHEMA)) == ()


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ({"sex": "canary"}, "outside the declared domain"),
        ({"sex": None}, "outside the declared domain"),
        ({"id": 5}, "not modelled"),
        ({"height": 5}, "no column 'height'"),
        ({"age": "canary"}, "cannot hold"),
        ({"age": 255}, "out of bounds"),
        ({"cost": 1.234}, "finer than the column's decimals"),
    ],
)
def test_conditions_that_cannot_be_met_are_errors_without_the_value(name, where, fault):
    with pytest.raises(ConditionError, match=fault) as caught:
        fitted(name).sample(5, where=where)
    assert "canary" not in str(caught.value)


def test_arrays_and_parameters_are_plain(name):
    model = fitted(name).model
    assert json.loads(json.dumps(dict(model.parameters()))) == model.parameters()
    assert all(isinstance(array, np.ndarray) for array in model.arrays().values())


def test_its_models_are_explicit_where_the_registry_says_so(name):
    assert isinstance(fitted(name).model, ExplicitModel) == (name in registry.EXPLICIT_ENGINES)


def test_a_table_of_identifiers_alone_can_be_made(name):
    schema = TableSchema(name="keys", columns=(SCHEMA["id"],))
    table = Table.conform(pl.DataFrame({"id": [9, 8, 7]}), schema)
    assert fit(table, engine=quick(name), privacy=NO_PRIVACY).sample(5, seed=0)["id"].n_unique() == 5


def test_blocks_are_whole_and_stand_alone(name):
    table = patients(300)
    model = quick(name).fit(encode_table(table), queries=Queries(Ledger()), streams=Streams(0))
    later = model.sample_block(3, n_rows=BLOCK_ROWS, streams=Streams(1))
    assert later.n_rows == BLOCK_ROWS
    assert model.sample_block(3, n_rows=5, streams=Streams(1)).n_rows == 5
    again = model.sample_block(3, n_rows=BLOCK_ROWS, streams=Streams(1))
    for column, encoded in later.columns.items():
        assert (encoded.codes == again.columns[column].codes).all()
