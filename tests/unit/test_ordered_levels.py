"""Levels that a frame's own type lists: drafted in their order, and given back in it with the type they came in."""

import json
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import tabsynth
from tabsynth.io import declared_levels
from tabsynth.pipeline import FittedPipeline
from tabsynth.pipeline import fit as fit_table
from tabsynth.schema.levels import Levels
from tabsynth.schema.types import Kind

STAGES = ("lo", "mid", "hi", "never seen")
RNG = np.random.default_rng(3)
STAGE = RNG.choice(STAGES[:3], 300)
PANDAS = pd.DataFrame(
    {
        "stage": pd.Categorical(STAGE, categories=STAGES, ordered=True),
        "ward": pd.Categorical(RNG.choice(["z", "a"], 300), categories=["z", "q", "a"]),
        "grade": pd.Categorical(RNG.integers(1, 4, 300), categories=[3, 2, 1, 9], ordered=True),
        "code": pd.Categorical(RNG.integers(1, 4, 300), categories=[3, 9, 2, 1]),
        "cost": RNG.normal(size=300),
    }
)
POLARS = pl.DataFrame({"stage": pl.Series(STAGE, dtype=pl.Enum(STAGES)), "cost": RNG.normal(size=300)})
ARROW = pa.table(
    {
        "stage": pa.DictionaryArray.from_arrays(
            pa.array([STAGES.index(one) for one in STAGE], pa.int32()), pa.array(STAGES), ordered=True
        ),
        "cost": RNG.normal(size=300),
    }
)


def made(frame, **named):
    schema = named.pop("schema", None)
    return fit_table(frame, schema=schema, engine="independent", **named).sample(50, seed=1)


def test_a_draft_takes_levels_and_their_order_from_the_type():
    table = tabsynth.draft_schema(PANDAS).only_table
    assert [(c.name, c.kind, c.categories) for c in table.columns[:4]] == [
        ("stage", Kind.ORDINAL, STAGES),
        ("ward", Kind.CATEGORICAL, ("z", "q", "a")),
        ("grade", Kind.ORDINAL, (3, 2, 1, 9)),
        ("code", Kind.CATEGORICAL, (3, 9, 2, 1)),
    ]
    for frame in (POLARS, POLARS.lazy(), ARROW):
        column = tabsynth.draft_schema(frame).only_table["stage"]
        assert (column.kind, column.categories) == (Kind.ORDINAL, STAGES)
    several = tabsynth.draft_schema({"one": POLARS, "two": PANDAS})
    assert several["one"]["stage"].categories == several["two"]["stage"].categories == STAGES


def test_categories_that_are_no_levels_are_read_by_their_values():
    frame = pd.DataFrame(
        {
            "email": [f"p{i}@example.org" for i in range(60)],
            "when": pd.date_range("2020-01-01", periods=60),
            "size": ["small", "large", "medium"] * 20,
            "yes": [True, False] * 30,
            "none": pd.Categorical([None] * 60, categories=["b", "a"]),
        }
    )
    chosen = {"email": "category", "when": "category", "yes": "category"}
    size = pd.CategoricalDtype(["small", "very large", "large", "medium"])
    table = tabsynth.draft_schema(frame.astype({**chosen, "size": size})).only_table
    assert [c.kind for c in table.columns] == [
        Kind.TEXT,
        Kind.DATETIME,
        Kind.ORDINAL,
        Kind.BOOLEAN,
        Kind.CATEGORICAL,
    ]
    assert table["size"].categories == ("small", "medium", "large", "very large")
    assert (table["none"].categories, table["none"].nullable) == (("b", "a"), True)


@pytest.mark.parametrize(
    "frame", [PANDAS, POLARS, POLARS.lazy(), ARROW], ids=["pandas", "polars", "lazy", "arrow"]
)
@pytest.mark.parametrize("is_private", [False, True], ids=["exact", "private"])
def test_rows_come_back_in_the_callers_type(frame, is_private):
    schema = tabsynth.draft_schema(frame)
    if is_private:
        schema = tabsynth.confirm(
            schema, by="A", source="B", columns=[c for c in schema.only_table.column_names if c != "cost"]
        )
    privacy = tabsynth.Budget(epsilon=20) if is_private else tabsynth.NO_PRIVACY
    rows = made(frame, schema=schema, privacy=privacy)
    if isinstance(frame, pd.DataFrame):
        assert rows.dtypes.equals(frame.dtypes)
        assert list(rows["ward"].cat.categories) == ["z", "q", "a"]
        assert rows["stage"].max() in STAGES[:3]
    elif isinstance(frame, pa.Table):
        assert rows.schema == frame.schema
        assert rows["stage"].chunk(0).dictionary.to_pylist() == list(STAGES)
    else:
        assert rows.lazy().collect_schema() == frame.lazy().collect_schema()


def test_a_split_and_a_stored_model_keep_the_type_too(tmp_path):
    for half in tabsynth.split(PANDAS, seed=1):
        assert half.dtypes.equals(PANDAS.dtypes)
    fit_table(PANDAS, engine="independent", privacy=tabsynth.NO_PRIVACY).save(tmp_path / "m")
    again = FittedPipeline.load(tmp_path / "m")
    assert again.sample(10, seed=1).dtypes.equals(PANDAS.dtypes)
    assert again.complete(PANDAS[["stage"]].head(5), seed=1).dtypes.equals(PANDAS.dtypes)
    more = tabsynth.augment(PANDAS, to="1:1", where={"stage": "lo"}, engine="independent", seed=1).rows
    assert more[PANDAS.columns].dtypes.equals(PANDAS.dtypes)


def test_an_order_that_nobody_stated_is_not_made_up():
    """A private fit of a draft buys levels, and no order of theirs; a schema without an order has none either."""
    rows = made(PANDAS, privacy=tabsynth.Budget(epsilon=100))
    assert list(rows["stage"].cat.categories) == ["hi", "lo", "mid"]
    assert not rows["stage"].cat.ordered
    assert not rows["grade"].cat.ordered
    table = tabsynth.draft_schema(PANDAS.astype({"stage": str})).only_table
    assert table["stage"].kind is Kind.CATEGORICAL
    rows = made(PANDAS, schema=table, privacy=tabsynth.NO_PRIVACY)
    assert not rows["stage"].cat.ordered


def test_levels_are_read_off_types_alone():
    assert declared_levels(POLARS) == {"stage": Levels(listed=STAGES, is_ordered=True)}
    assert declared_levels(PANDAS)["ward"] == Levels(listed=("z", "q", "a"), is_ordered=False)
    assert declared_levels("a file.csv") == {}
    encoded = pa.table({"c": pa.array(["b", "a"]).dictionary_encode()})
    assert declared_levels(encoded) == {}
    mixed = pd.DataFrame({"x": pd.Categorical([1, "a"]), 7: pd.Categorical(["a", "b"])})
    assert declared_levels(mixed) == {}
    chunked = pa.table({"s": pa.chunked_array([ARROW["stage"].chunk(0), ARROW["stage"].chunk(0)])})
    assert declared_levels(chunked)["s"].listed == STAGES
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = fit_table(PANDAS, engine="independent", privacy=tabsynth.NO_PRIVACY)
    assert "never seen" not in json.dumps(model.layout.to_dict())
