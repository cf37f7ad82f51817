"""`FittedPipeline.log_prob` and `.marginal`: what they say in a user's table and words."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tabsynth.errors import DataError, StructureError, UsageError
from tabsynth.models.explicit import Axis
from tabsynth.models.marginal_frame import cell_labels
from tabsynth.models.public_cells import PublicCells
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.privacy import NO_PRIVACY
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.table import Table

SCHEMA = TableSchema(
    name="visits",
    columns=(
        Column(name="id", kind=Kind.IDENTIFIER, dtype="int64", unique=True),
        Column(name="note", kind=Kind.TEXT, dtype="string", format="sentence", nullable=True),
        Column(
            name="ward", kind=Kind.CATEGORICAL, dtype="string", categories=("icu", "er", "or"), nullable=True
        ),
        Column(name="age", kind=Kind.INTEGER, dtype="int64", bounds=(0, 3), special_values=(-1,)),
        Column(name="cost", kind=Kind.NUMBER, dtype="float64", decimals=1, bounds=(0.0, 99.9)),
        Column(name="size", kind=Kind.NUMBER, dtype="float64", bounds=(0.0, 4.0)),
    ),
)


def visits(n: int = 500) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    ward = rng.choice(4, n, p=[0.5, 0.2, 0.2, 0.1])
    return pl.DataFrame(
        {
            "id": np.arange(n),
            "note": [None if k % 4 == 0 else "a note" for k in range(n)],
            "ward": pl.Series([["icu", "er", "or", None][k] for k in ward], dtype=pl.String),
            "age": np.where(ward == 0, rng.integers(2, 4, n), rng.integers(-1, 3, n)),
            "cost": np.round(rng.uniform(0, 99.9, n) * (ward < 2), 1),
            "size": rng.uniform(0, 4, n),
        }
    )


@pytest.fixture(scope="module")
def fitted() -> FittedPipeline:
    return fit(visits(), schema=SCHEMA, engine="bayesian_network", privacy=NO_PRIVACY)


def test_log_prob_is_of_any_table_of_the_schema(fitted):
    rows = visits(40)
    found = fitted.log_prob(rows)
    assert found.shape == (40,)
    assert np.isfinite(found).all()
    assert np.array_equal(fitted.log_prob(rows.to_pandas()), found)
    assert np.array_equal(fitted.log_prob(Table.conform(rows, SCHEMA)), found)
    shuffled = rows.select(reversed(rows.columns))
    assert np.array_equal(fitted.log_prob(shuffled), found)
    assert fitted.log_prob(rows[:0]).shape == (0,)


def test_texts_and_identifiers_say_nothing_but_whether_they_are_there(fitted):
    rows = visits(40)
    other = rows.with_columns(id=pl.col("id") + 9000, note=pl.col("note").str.to_uppercase())
    assert np.array_equal(fitted.log_prob(other), fitted.log_prob(rows))
    missing = rows.with_columns(note=pl.lit(None, dtype=pl.String))
    was_there = rows["note"].is_not_null().to_numpy()
    assert (fitted.log_prob(missing)[was_there] != fitted.log_prob(rows)[was_there]).all()


def test_log_prob_is_minus_infinity_outside_the_domain(fitted):
    rows = visits(6)
    strange = rows.with_columns(
        ward=pl.Series(["icu", "nowhere", "er", None, "or", "er"]),
        age=pl.Series([1, 1, 99, 1, -2, 1]),
        cost=pl.Series([1.0, 1.0, 1.0, 1.0, 1.0, 100.5]),
    )
    assert np.isneginf(fitted.log_prob(strange)).tolist() == [False, True, True, False, True, True]


def test_probabilities_of_all_cells_sum_to_one():
    """A lattice alone: every row there can be, once."""
    schema = TableSchema(name="t", columns=tuple(SCHEMA[name] for name in ("ward", "age", "cost")))
    pipeline = fit(
        visits().select(schema.column_names), schema=schema, engine="bayesian_network", privacy=NO_PRIVACY
    )
    wards = pl.DataFrame({"ward": ["icu", "er", "or", None]})
    ages = pl.DataFrame({"age": [-1, 0, 1, 2, 3]})
    costs = pl.DataFrame({"cost": np.arange(1000) / 10})
    everything = wards.join(ages, how="cross").join(costs, how="cross")
    assert np.exp(pipeline.log_prob(everything)).sum() == pytest.approx(1.0, abs=1e-9)


def test_log_prob_refuses_other_data(fitted):
    with pytest.raises(StructureError, match="ward"):
        fitted.log_prob(visits(5).drop("ward"))
    with pytest.raises(DataError, match="age"):
        fitted.log_prob(visits(5).with_columns(age=pl.lit("old")))
    with pytest.raises(UsageError):
        fitted.log_prob(7)


@pytest.mark.parametrize("engine", ["gaussian_copula", "independent"])
def test_engines_that_cannot_say_so_name_those_that_can(engine):
    pipeline = fit(visits(), schema=SCHEMA, engine=engine, privacy=NO_PRIVACY)
    with pytest.raises(
        UsageError,
        match=f"engine '{engine}' cannot give probabilities of rows; engines that can: bayesian_network",
    ):
        pipeline.log_prob(visits(5))
    with pytest.raises(
        UsageError, match=f"engine '{engine}' cannot give marginals; engines that can: bayesian_network"
    ):
        pipeline.marginal("age")


def test_a_marginal_has_a_row_for_each_joint_cell_the_last_column_fastest(fitted):
    found = fitted.marginal("age", "ward")
    assert found.columns == ["age", "ward", "probability"]
    assert found.schema == pl.Schema({"age": pl.Int64, "ward": pl.String, "probability": pl.Float64})
    assert found["ward"][:4].to_list() == ["icu", "er", "or", None]
    assert sorted(set(found["age"])) == [-1, 0, 1, 2, 3]
    assert found["probability"].sum() == pytest.approx(1.0)
    alone = fitted.marginal("ward")
    summed = found.group_by("ward", maintain_order=True).agg(pl.col("probability").sum())
    np.testing.assert_allclose(alone["probability"], summed["probability"])
    share = visits()["ward"].value_counts(normalize=True).rename({"proportion": "share"})
    joined = alone.join(share, on="ward", nulls_equal=True)
    np.testing.assert_allclose(joined["probability"], joined["share"], atol=1e-3)


def test_a_marginal_is_a_table_of_the_kind_that_was_fitted():
    frame = visits().drop("id", "note").to_pandas()
    frame["ward"] = frame["ward"].astype("category")
    schema = TableSchema(name="t", columns=SCHEMA.columns[2:])
    found = fit(frame, schema=schema, engine="bayesian_network", privacy=NO_PRIVACY).marginal("ward", "cost")
    assert isinstance(found, pd.DataFrame)
    assert isinstance(found["ward"].dtype, pd.CategoricalDtype)
    assert found["probability"].sum() == pytest.approx(1.0)
    lazy = fit(frame_of(frame).lazy(), schema=schema, engine="bayesian_network", privacy=NO_PRIVACY)
    assert isinstance(lazy.marginal("ward"), pl.LazyFrame)
    arrow = fit(frame_of(frame).to_arrow(), schema=schema, engine="bayesian_network", privacy=NO_PRIVACY)
    assert type(arrow.marginal("age", coarse=True)).__name__ == "Table"


def frame_of(frame: pd.DataFrame) -> pl.DataFrame:
    return pl.from_pandas(frame.astype({"ward": object}))


def test_coarse_cells_are_the_fine_ones_joined(fitted):
    fine, coarse = (fitted.marginal("cost", coarse=coarse) for coarse in (False, True))
    assert coarse.height < fine.height
    assert coarse["cost"].dtype == pl.String
    assert coarse["probability"].sum() == pytest.approx(1.0)
    assert coarse["cost"][0] == "0.0"
    assert all(text.startswith("[") for text in coarse["cost"][1:])


def test_texts_have_a_marginal_of_whether_they_are_there(fitted):
    found = fitted.marginal("note")
    assert found["note"].to_list() == ["present", None]
    np.testing.assert_allclose(found["probability"], [0.75, 0.25], atol=1e-3)


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ((), "a marginal is of 1 to 3 columns"),
        (("ward", "age", "cost", "size"), "a marginal is of 1 to 3 columns"),
        (("ward", "ward"), "column 'ward' is named twice"),
        (("wart",), "no column 'wart' .did you mean 'ward'"),
        (("id",), "column 'id' is not modelled: a column of kind identifier is made anew"),
        (("wart", "id"), "no column 'wart'.*; column 'id' is not"),
    ],
)
def test_columns_that_have_no_marginal_are_refused(fitted, columns, fault):
    with pytest.raises(UsageError, match=fault):
        fitted.marginal(*columns)


def test_a_column_named_probability_keeps_its_name():
    frame = pl.DataFrame({"probability": ["a", "b"] * 20, "b": ["c", "d"] * 20})
    pipeline = fit(frame, engine="bayesian_network", privacy=NO_PRIVACY)
    assert pipeline.marginal("probability", "b").columns == ["probability", "b", "probability_"]


def labels(column: Column, lower, upper, group) -> list:
    from tabsynth.encode.table import encoder_of

    variable = encoder_of(column).variable
    dtype = np.int64 if variable.is_lattice or not variable.is_continuous else np.float64
    cells = PublicCells(variable, np.array(lower, dtype=dtype), np.array(upper, dtype=dtype))
    return cell_labels(Axis(cells, np.array(group)), column).to_list()


def test_labels_of_cells():
    age = Column(
        name="x", kind=Kind.INTEGER, dtype="int64", bounds=(0, 9), special_values=(-1, -2), nullable=True
    )
    assert labels(age, [0, 3], [0, 9], range(5)) == ["0", "[3, 9]", None, "-1", "-2"]
    assert labels(age, [0, 3, 4], [2, 3, 9], [0, 0, 1, 2, 3, 3]) == ["[0, 3]", "[4, 9]", None, "-1, -2"]
    assert labels(age, [0, 3, 4], [2, 3, 9], [0, 1, 0, 2, 2, 2]) == ["[0, 2], [4, 9]", "3", "null, -1, -2"]
    assert labels(age, [4, 5], [4, 5], range(5)) == [4, 5, None, -1, -2]
    day = Column(name="x", kind=Kind.DATE, dtype="date", bounds=(dt.date(2020, 1, 1), dt.date(2020, 12, 31)))
    assert labels(day, [18262, 18300], [18299, 18627], [0, 1]) == [
        "[2020-01-01, 2020-02-07]",
        "[2020-02-08, 2020-12-31]",
    ]
    assert labels(day, [18262, 18263], [18262, 18263], [0, 1]) == [dt.date(2020, 1, 1), dt.date(2020, 1, 2)]
    amount = Column(name="x", kind=Kind.NUMBER, dtype="float64", decimals=2, bounds=(0.0, 10.0))
    assert labels(amount, [0, 1], [0, 1000], [0, 1]) == ["0.00", "[0.01, 10.00]"]
    many = Column(name="x", kind=Kind.CATEGORICAL, dtype="string", categories=tuple("abcdefg"), nullable=True)
    assert labels(many, [], [], [0, 1, 1, 1, 1, 1, 0, 2]) == ["a, g", "b, c, d and 2 more", None]
    assert labels(many, [], [], range(8)) == [*"abcdefg", None]


def test_ends_off_a_lattice_are_rounded_as_far_as_they_stay_apart():
    size = Column(name="x", kind=Kind.NUMBER, dtype="float64", bounds=(0.0, 2.0))
    assert labels(size, [0.0, 2 / 3], [2 / 3, 2.0], [0, 1]) == ["[0, 0.6667]", "[0.6667, 2]"]
    close = 1.0000001
    assert labels(size, [0.0, 1.0, close], [1.0, close, 2.0], [0, 1, 2]) == [
        "[0, 1]",
        "[1, 1.0000001]",
        "[1.0000001, 2]",
    ]
    assert labels(size, [0.0, 1.0, 1.0], [1.0, 1.0, 2.0], [0, 1, 2]) == ["[0, 1]", "1", "[1, 2]"]


def test_a_marginal_takes_names_one_by_one(fitted):
    with pytest.raises(UsageError, match=r"^name columns one by one, as texts, found list$"):
        fitted.marginal(["a", "b"])
