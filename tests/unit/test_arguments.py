from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import tabsynth as ts
from tabsynth.errors import ConditionError, UsageError
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
