"""Fitting, splitting, saving: what the contract of engines does not cover."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tabsynth.errors import DataError, ModelFileError, PrivacyError, StructureError, UsageError
from tabsynth.model_folder import read_folder, write_folder
from tabsynth.models.gaussian_copula import GaussianCopula
from tabsynth.pipeline import FittedPipeline, bound_rows, fit, split, split_rows
from tabsynth.privacy import NO_PRIVACY, Budget
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind, PrivacyUnit, TableSchema
from tabsynth.table import Table


def frame(n=60):
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {"person": np.arange(n) // 3, "x": rng.normal(size=n), "y": rng.choice(["a", "b"], n)}
    )


SCHEMA = TableSchema(
    name="t",
    unit=PrivacyUnit(column="person", max_rows=3),
    columns=(
        Column(name="person", kind=Kind.IDENTIFIER, dtype="int64"),
        Column(name="x", kind=Kind.NUMBER, dtype="float64"),
        Column(name="y", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b")),
    ),
)


@pytest.fixture
def pipeline():
    return fit(frame(), schema=SCHEMA, engine="gaussian_copula", privacy=NO_PRIVACY)


def test_a_fit_is_private_unless_told_otherwise():
    fitted = fit(frame(), schema=SCHEMA)
    assert fitted.privacy == Budget(epsilon=1.0, delta=1e-6)
    assert fitted.guarantee == (
        "Differentially private: ε = 1, δ = 1e-06, unit: person (column person, at most 3 rows)."
    )


@pytest.mark.parametrize("privacy", [1.0, "none", {"epsilon": 1}])
def test_privacy_of_another_kind_is_refused(privacy):
    with pytest.raises(UsageError, match=r"a tabsynth\.Budget or tabsynth\.NO_PRIVACY, found"):
        fit("no-such-file.csv", privacy=privacy)


def test_a_ledger_has_no_place_for_a_fit_without_privacy():
    with pytest.raises(PrivacyError, match="no place under a ledger's cap"):
        fit("no-such-file.csv", privacy=NO_PRIVACY, ledger="no-ledger")


def test_cells_that_contradict_the_schema_are_refused():
    with pytest.raises(DataError, match=r"'y'.*1 cell"):
        fit(frame().with_columns(pl.lit("canary").alias("y")).head(1), schema=SCHEMA, privacy=NO_PRIVACY)


def test_missing_columns_are_refused_together():
    with pytest.raises(StructureError) as caught:
        fit(frame().select("person"), schema=SCHEMA, privacy=NO_PRIVACY)
    assert len(caught.value.faults) == 2


def test_a_recipe_is_as_good_as_a_name():
    recipe = fit(frame(), schema=SCHEMA, engine=GaussianCopula(min_group=5), privacy=NO_PRIVACY)
    named = fit(
        frame(), schema=SCHEMA, engine="gaussian_copula", settings={"min_group": "5"}, privacy=NO_PRIVACY
    )
    assert recipe.engine == named.engine
    assert recipe.sample(20, seed=1).equals(named.sample(20, seed=1))


def test_settings_belong_to_a_name():
    with pytest.raises(UsageError, match="settings"):
        fit(frame(), schema=SCHEMA, engine=GaussianCopula(), settings={"min_group": 5}, privacy=NO_PRIVACY)


def test_rows_default_to_as_many_as_the_source_has(pipeline):
    assert pipeline.sample().height == 60


@pytest.mark.parametrize("n_rows", [-1, -100])
def test_negative_rows_are_refused(pipeline, n_rows):
    with pytest.raises(UsageError, match="0 or more"):
        pipeline.sample(n_rows)


@pytest.mark.parametrize(
    ("convert", "kind"),
    [
        (lambda f: f, pl.DataFrame),
        (lambda f: f.to_pandas(), pd.DataFrame),
        (lambda f: f.to_arrow(), pa.Table),
    ],
)
def test_the_same_kind_of_table_comes_out_as_went_in(convert, kind):
    rows = fit(convert(frame()), schema=SCHEMA, privacy=NO_PRIVACY).sample(5, seed=1)
    assert isinstance(rows, kind)
    assert len(rows) == 5


def test_persons_keep_about_as_many_rows_as_in_the_source(pipeline):
    rows = pipeline.sample(6000, seed=1)
    # 20 persons of 60 rows: a third of the identifiers are distinct; chance moves it by less than 0.01
    assert rows["person"].n_unique() / 6000 == pytest.approx(1 / 3, abs=0.03)


def test_rows_beyond_the_declared_bound_of_a_person_are_left_out_at_random():
    schema = replace(SCHEMA, unit=PrivacyUnit(column="person", max_rows=2))
    one = bound_rows(Table.conform(frame(), schema), Streams(1))
    assert one.n_rows == 40
    assert one.frame["person"].value_counts()["count"].max() == 2
    assert fit(frame(), schema=schema, privacy=NO_PRIVACY).n_rows == 40
    another = bound_rows(Table.conform(frame(), schema), Streams(2))
    assert not one.frame.equals(another.frame)
    assert bound_rows(Table.conform(frame(), SCHEMA), Streams(1)).n_rows == 60


def test_split_keeps_persons_together_and_loses_no_row():
    table = Table.conform(frame(), SCHEMA)
    train, holdout = split(table, holdout=0.4, seed=3)
    assert train.n_rows + holdout.n_rows == 60
    assert not set(train.frame["person"]) & set(holdout.frame["person"])
    assert holdout.frame["person"].n_unique() == 8
    again = split(table, holdout=0.4, seed=3)
    assert again[0].frame.equals(train.frame)
    assert not split(table, holdout=0.4, seed=4)[0].frame.equals(train.frame)


def test_rows_without_a_person_are_split_one_by_one():
    cells = frame().with_columns(person=pl.when(pl.col("person") < 4).then(pl.col("person")))
    train, holdout = split(Table.conform(cells, SCHEMA), holdout=0.5, seed=1)
    # 48 rows that name nobody: all on one side has the probability of 2 ** -48 and less
    assert 0 < train.frame["person"].null_count() < 48
    assert not set(train.frame["person"].drop_nulls()) & set(holdout.frame["person"].drop_nulls())
    assert train.n_rows + holdout.n_rows == 60


@pytest.mark.parametrize("holdout", [0.001, 0.999])
@pytest.mark.parametrize("n_persons", [2, 3])
def test_neither_side_of_a_split_is_empty(holdout, n_persons):
    train, held = split(Table.conform(frame(3 * n_persons), SCHEMA), holdout=holdout, seed=1)
    n_held = 1 if holdout < 0.5 else n_persons - 1
    assert (train.n_rows, held.n_rows) == (3 * (n_persons - n_held), 3 * n_held)


@pytest.mark.parametrize("n_rows", [0, 1, 3])
def test_fewer_than_two_units_cannot_be_split(n_rows):
    with pytest.raises(UsageError, match=f"at least 2 privacy units.*found {min(n_rows, 1)}$"):
        split(Table.conform(frame(n_rows), SCHEMA))


def test_rows_are_split_as_a_table_whose_unit_is_the_row():
    by_row = TableSchema(name="t", columns=SCHEMA.columns)
    parts = split(Table.conform(frame(), by_row), holdout=0.3, seed=9)
    rows = split_rows(frame(), holdout=0.3, seed=9)
    assert [part.height for part in rows] == [42, 18]
    assert all(part.frame.equals(found) for part, found in zip(parts, rows, strict=True))
    with pytest.raises(UsageError, match="found 1"):
        split_rows(frame(1))


def test_rows_are_split_by_a_column_of_persons_as_a_table_whose_unit_it_is():
    parts = split(Table.conform(frame(), SCHEMA), holdout=0.3, seed=9)
    rows = split_rows(frame(), unit=SCHEMA.unit.column, holdout=0.3, seed=9)
    assert all(part.frame.equals(found) for part, found in zip(parts, rows, strict=True))
    with pytest.raises(UsageError, match="no column 'nobody' to split by"):
        split_rows(frame(), unit="nobody")
    with pytest.raises(UsageError, match="no column 3 to split by"):
        split_rows(frame(), unit=3)


@pytest.mark.parametrize("holdout", [0, 1, -0.5, 2])
def test_a_split_without_two_sides_is_refused(holdout):
    with pytest.raises(UsageError, match="between 0 and 1"):
        split(Table.conform(frame(), SCHEMA), holdout=holdout)


@pytest.mark.parametrize(
    "change", [{"engine": "nonsense"}, {"settings": {"no": 1}}, {"schema": {}}, {"distinct_shares": {"z": 1}}, {"n_rows": "x"}]
)  # fmt: skip
def test_a_model_of_nonsense_is_refused(pipeline, tmp_path, change):
    pipeline.save(tmp_path / "model")
    document, arrays = read_folder(tmp_path / "model")
    document.pop("format_version")
    write_folder(tmp_path / "other", {**document, **change}, arrays)
    with pytest.raises(ModelFileError, match="not a model"):
        FittedPipeline.load(tmp_path / "other")


def test_a_model_without_an_array_is_refused(pipeline, tmp_path):
    pipeline.save(tmp_path / "model")
    document, arrays = read_folder(tmp_path / "model")
    arrays.pop("covariance")
    document.pop("format_version")
    write_folder(tmp_path / "other", document, arrays)
    with pytest.raises(ModelFileError, match="not a model"):
        FittedPipeline.load(tmp_path / "other")


def test_a_saved_model_is_json_and_safetensors_alone(pipeline, tmp_path):
    pipeline.save(tmp_path / "model")
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert names == {"model.json", "arrays.safetensors", "manifest.json"}
    document = json.loads((tmp_path / "model" / "model.json").read_text())
    assert document["privacy"] == "none"
    assert document["ledger"]
