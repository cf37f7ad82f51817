from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import tabsynth as ts
from tabsynth.errors import ConditionError, SchemaError, UsageError
from tabsynth.pipeline import FittedPipeline


@pytest.fixture(scope="module")
def fitted() -> FittedPipeline:
    frame = pl.DataFrame({"s": ["aa", "b"] * 20, "id": [f"K{i:03d}" for i in range(40)]})
    return ts.fit(frame, engine="independent", privacy=ts.NO_PRIVACY)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"n_rows": 2.5}, "the number of rows must be a whole number of 0 or more, found 2.5"),
        ({"n_rows": "x"}, "the number of rows must be a whole number of 0 or more, found str"),
        ({"n_rows": True}, "the number of rows must be a whole number of 0 or more, found True"),
        ({"n_rows": np.True_}, "the number of rows must be a whole number of 0 or more, found"),
        ({"n_rows": -1}, "the number of rows must be a whole number of 0 or more, found -1"),
        ({"seed": 1.5}, "the seed must be a whole number of 0 or more, found 1.5"),
        ({"seed": -1}, "the seed must be a whole number of 0 or more, found -1"),
        ({"where": "s=aa"}, "where must be a mapping of columns to values"),
        ({"where": {1: "aa"}}, "found keys that are not names"),
        ({"n_rows": 2.5, "seed": -1, "where": "s"}, "found 2.5; the seed must be"),
    ],
)
def test_what_is_no_number_or_mapping_is_one_clear_error(
    fitted: FittedPipeline, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as error:
        fitted.sample(**arguments)
    assert said in str(error.value)
    assert "aa" not in str(error.value)


def test_whole_numbers_of_any_library_are_taken(fitted: FittedPipeline) -> None:
    frame = fitted.sample(np.int64(3), seed=np.uint8(0))  # type: ignore[arg-type]
    assert frame.equals(fitted.sample(3, seed=0))
    assert fitted.sample(0, where={}).height == 0


@pytest.mark.parametrize("seed", [1.5, -1, "7", True])
def test_seeds_of_fits_and_evaluations(fitted: FittedPipeline, seed: Any) -> None:
    frame = fitted.sample(20, seed=1)
    with pytest.raises(UsageError, match="the seed must be a whole number"):
        ts.fit(frame, privacy=ts.NO_PRIVACY, seed=seed)
    with pytest.raises(UsageError, match="the seed must be a whole number"):
        ts.split(frame, seed=seed)
    with pytest.raises(UsageError, match="the seed must be a whole number"):
        ts.evaluate(frame, frame, frame, seed=seed)


def test_a_column_that_is_not_there_is_not_one_that_is_not_modelled(fitted: FittedPipeline) -> None:
    with pytest.raises(ConditionError) as error:
        fitted.sample(1, where={"z": 1, "id": "K001"})
    assert "no column 'z' (one of: s, id)" in str(error.value)
    assert "'id' is not modelled: a column of kind identifier is made anew" in str(error.value)


_ROWS = pl.DataFrame(
    {
        "age": [20 + at % 50 for at in range(240)],
        "sex": ["female", "male", "male"] * 80,
        "mail": [f"m{at}@clinic.test" for at in range(240)],
    }
)
_QUICK: dict[str, Any] = {"engine": "independent", "privacy": ts.NO_PRIVACY}
TAKES_A_SCHEMA: dict[str, Callable[[Any], object]] = {
    "fit": lambda schema: ts.fit(_ROWS, schema=schema, **_QUICK).schema,
    "fit privately": lambda schema: ts.fit(_ROWS, schema=schema, engine="independent").schema.column_names,
    "split": lambda schema: ts.split(_ROWS, schema=schema, seed=1)[0].rows(),
    "check": lambda schema: ts.check(_ROWS, schema),
    "check_constraints": lambda schema: ts.check_constraints(_ROWS, schema),
    "suggest_constraints": lambda schema: ts.suggest_constraints(_ROWS, schema),
    "confirm": lambda schema: ts.confirm(schema, by="A. Steward", source="form 4").only_table.columns,
    "budget_plan": lambda schema: ts.budget_plan(schema, engine="independent").to_dict(),
    "pseudonymise": lambda schema: ts.pseudonymise(_ROWS, schema=schema, key=b"k" * 32, privacy=ts.NO_PRIVACY)[1],
    "evaluate": lambda schema: ts.evaluate(_ROWS, _ROWS, _ROWS, schema=schema).summary(),
    "audit": lambda schema: ts.audit(_ROWS, _ROWS[:200], _ROWS[:200], schema=schema).outcome,
    "collapse": lambda schema: ts.collapse(_ROWS, _ROWS, schema=schema, generations=1, **_QUICK).generations[0].n_rows,
    "augment": lambda schema: ts.augment(
        _ROWS, schema=schema, target="sex", to="1:1", engine="independent"
    ).n_synthetic,
}  # fmt: skip


@pytest.fixture(scope="module")
def schema_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schema") / "schema.yaml"
    ts.write_schema(ts.draft_schema(_ROWS), path, private_note=True)
    return path


@pytest.mark.filterwarnings("ignore:No (more than one level|range) was found:UserWarning")  # so few rows
@pytest.mark.parametrize("name", [name for name in TAKES_A_SCHEMA if name != "audit"])
def test_the_path_of_a_schema_file_is_a_schema(schema_file: Path, name: str) -> None:
    call, schema = TAKES_A_SCHEMA[name], ts.read_schema(schema_file)
    assert call(schema_file) == call(str(schema_file)) == call(schema)


@pytest.mark.parametrize("name", TAKES_A_SCHEMA)
def test_what_is_no_schema_is_one_clear_error(name: str) -> None:
    with pytest.raises(UsageError, match=r"a schema is a tabsynth\.Schema or TableSchema, .*, found int"):
        TAKES_A_SCHEMA[name](5)
    with pytest.raises(SchemaError, match=r"absent\.yaml cannot be read"):
        TAKES_A_SCHEMA[name]("absent.yaml")


@pytest.mark.parametrize(
    ("engine", "found"),
    [(5, "int"), (None, "NoneType"), (ts.engines.BayesianNetwork, "the class BayesianNetwork")],
)
def test_what_is_no_engine_is_one_clear_error(schema_file: Path, engine: Any, found: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: ts.fit(_ROWS, engine=engine),
        lambda: ts.budget_plan(schema_file, engine=engine),
        lambda: ts.augment(_ROWS, target="sex", to="1:1", engine=engine),
        lambda: ts.collapse(_ROWS, _ROWS, engine=engine),
    ]
    for call in (
        calls[:3] if callable(engine) else calls
    ):  # a function may stand in for the engine that is watched
        with pytest.raises(UsageError, match=f"an engine is a name .*, found {found}"):
            call()


def test_settings_are_a_mapping() -> None:
    for call in (
        lambda: ts.fit(_ROWS, settings="min_group=3"),  # type: ignore[arg-type]
        lambda: ts.augment(_ROWS, target="sex", to="1:1", settings=["min_group"]),  # type: ignore[arg-type]
    ):
        with pytest.raises(UsageError, match="settings must be a mapping of names to values"):
            call()
