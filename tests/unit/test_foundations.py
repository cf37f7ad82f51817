"""Streams, tables, errors and the registry of engines."""

import numpy as np
import polars as pl
import pytest

from tabsynth.errors import DataError, Fault, StructureError, UsageError
from tabsynth.models.registry import DEFAULT_ENGINE, ENGINES, default_settings, engine_class, make_engine
from tabsynth.randomness import Streams, fresh_seed
from tabsynth.schema.types import Column, Kind, Schema, TableSchema
from tabsynth.table import Table


def test_streams_are_named_and_independent():
    streams = Streams(7)
    first = streams.generator("a").random(4)
    assert (first == Streams(7).generator("a").random(4)).all()
    others = [
        streams.generator("b"),
        streams.generator("a", 0),
        streams.generator("a", 1),
        Streams(8).generator("a"),
    ]
    assert len({tuple(first), *(tuple(g.random(4)) for g in others)}) == 5


def test_fresh_seeds_differ():
    assert len({fresh_seed() for _ in range(20)}) == 20
    assert Streams.from_seed(None) != Streams.from_seed(None)
    assert Streams.from_seed(5) == Streams(5)


def test_block_streams_are_not_correlated():
    draws = np.array([Streams(1).generator("sample", block).standard_normal(10_000) for block in range(6)])
    off = np.corrcoef(draws)[~np.eye(6, dtype=bool)]
    assert np.abs(off).max() < 0.05  # five standard errors of a correlation of 10,000 draws


TABLE = TableSchema(
    name="t",
    columns=(
        Column(name="n", kind=Kind.INTEGER, dtype="int8"),
        Column(name="s", kind=Kind.CATEGORICAL, dtype="string", categories=("1",)),
    ),
)


def test_conform_orders_casts_and_leaves_the_rest_out():
    table = Table.conform(pl.DataFrame({"extra": [0], "s": ["1"], "n": [5.0]}), TABLE)
    assert table.frame.columns == ["n", "s"]
    assert table.frame.dtypes == [pl.Int8, pl.String]


@pytest.mark.parametrize(
    ("cells", "count"),
    [({"s": ["1"]}, 1), ({}, 2), ({"n": [300], "s": ["1"]}, 1), ({"n": [1.5], "s": ["1"]}, 1), ({"n": ["x"], "s": [[1]]}, 2)],
)  # fmt: skip
def test_conform_lists_every_fault_of_structure(cells, count):
    with pytest.raises(StructureError) as caught:
        Table.conform(pl.DataFrame(cells), TABLE)
    assert len(caught.value.faults) == count
    assert "300" not in str(caught.value)


def test_columns_of_nothing_take_any_type():
    assert Table.conform(pl.DataFrame({"n": [None], "s": [None]}), TABLE).frame.dtypes == [pl.Int8, pl.String]


def test_schemas_are_looked_up_by_name():
    schema = Schema(tables=(TABLE,))
    assert schema["t"]["n"].dtype == "int8"
    assert "n" in TABLE
    assert "z" not in TABLE
    for missing in (lambda: schema["z"], lambda: TABLE["z"]):
        with pytest.raises(KeyError):
            missing()
    with pytest.raises(ValueError, match="one table"):
        _ = Schema(tables=(TABLE, TABLE)).only_table


def test_faults_read_as_sentences():
    error = DataError(
        "the summary", [Fault("column 'a'", "3 cells are null", "mend them"), Fault("", "all empty")]
    )
    assert str(error) == "the summary\n  - column 'a': 3 cells are null (mend them)\n  - all empty"


def test_the_default_engine_is_there():
    assert DEFAULT_ENGINE in ENGINES
    assert default_settings(DEFAULT_ENGINE)["min_group"] == 11


@pytest.mark.parametrize("name", ["gausian_copula", "nothing like it"])
def test_unknown_engines_are_refused_with_the_known(name):
    with pytest.raises(UsageError, match="gaussian_copula"):
        engine_class(name)


def test_settings_come_as_texts_or_values():
    assert make_engine("gaussian_copula", {"min_group": "20", "marginals": "parametric"}).min_group == 20
    assert make_engine("independent").min_group == 11


def test_every_wrong_setting_is_listed():
    wrong = {"min_grup": 1, "marginals": "sharp", "ordering_rounds": 1.5, "min_group": True}
    with pytest.raises(UsageError) as caught:
        make_engine("gaussian_copula", wrong)
    for part in (
        "did you mean 'min_group'",
        "'empirical', 'parametric'",
        "'ordering_rounds'",
        "expected int",
    ):
        assert part in str(caught.value)
