"""Stored histories that are none are refused with `ModelFileError`, nothing else."""

from copy import deepcopy

import pytest

import tabsynth
from tabsynth.errors import ModelFileError
from tabsynth.model_folder import write_folder
from tabsynth.pipeline import FittedPipeline
from tabsynth.privacy import NO_PRIVACY
from tabsynth.schema.types import TableSchema
from tests.unit.hostile import parts_of
from tests.unit.pipeline.tables import VISITS, visits


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The document and arrays of a sound model."""
    found = tabsynth.fit(
        visits(120),
        schema=VISITS,
        engine="sequential_trees",
        settings={"rounds": 0},
        privacy=NO_PRIVACY,
    )
    return parts_of(found, tmp_path_factory.mktemp("model") / "sound")


def refused(tmp_path, document, arrays, match="."):
    write_folder(tmp_path / "hostile", document, arrays, overwrite=True)
    with pytest.raises(ModelFileError, match=f"(not a model|cannot be read|missing).*({match})"):
        FittedPipeline.load(tmp_path / "hostile")


def test_the_sound_model_is_read(sound, tmp_path):
    document, arrays = sound
    assert document["history"]["constant"] == ["site"]
    write_folder(tmp_path / "model", document, arrays)
    assert FittedPipeline.load(tmp_path / "model").sample(50, seed=1).height == 50


@pytest.mark.parametrize(
    "history", [None, {}, [], 7, "x", True, {"constant": ["site"]}, {"constant": ["site"], "is_strict": True}]
)
def test_what_is_no_history_is_refused(sound, tmp_path, history):
    document, arrays = sound
    refused(tmp_path, {**document, "history": history}, arrays, "history")


@pytest.mark.parametrize(
    "change",
    [
        *[{"constant": value} for value in (None, "site", {}, ["pid"], ["site", "site"], ["nobody"], [1], [[]])],
        *[{"constant": value} for value in (["day"], ["score", "site"], ["site", "state"])],
        *[{"is_strict": value} for value in (None, 0, 1, "yes", [])],
        *[{"lagged": value} for value in (None, "day", ["site"], ["nobody"], ["score", "day"], ["day", "day"], [1])],
        *[{"lengths": value} for value in (None, {}, "abc", [], [[1, 1, 11]], {"groups": [[1, 1, 11]]})],
        *[
            {"lengths": {"groups": groups, "farthest": 1}}
            for groups in (
                None,
                [],
                [[]],
                [[1, 1]],
                [[1, 1, True]],
                [[1.0, 1, 11]],
                [[0, 1, 11]],
                [[-1, 1, 11]],
                [[2, 1, 11]],
                [["1", "1", "11"]],
                [[1, 2**70, 11]],
                [[2**70, 2**70, 11]],
                [[1, 1, 2**70], [2, 2, 11]],
                [[1, 1, 11], [2**62, 2**62, 11]],
                [[1, 2**62, 11]],
            )
        ],
        *[{"lengths": {"groups": [[1, 1, 11]], "farthest": far}} for far in (None, -1, True, 1.0, 2**40)],
        {"more": 1},
    ],
    ids=str,
)  # fmt: skip
def test_a_history_of_another_form_is_refused(sound, tmp_path, change):
    document, arrays = sound
    refused(tmp_path, {**document, "history": {**document["history"], **change}}, arrays)


@pytest.mark.parametrize(
    "unit",
    [
        {},
        {"column": "pid", "max_rows": 9},
        {"column": "pid", "max_rows": 9, "order_by": "state"},
        {"column": "pid", "max_rows": 9, "order_by": "pid"},
        {"column": "pid", "max_rows": 9, "order_by": "nobody"},
        {"column": "pid", "max_rows": 4, "order_by": "day"},  # of whom the history has five
        {"order_by": "day"},
    ],
    ids=str,
)
def test_a_unit_of_another_order_is_refused(sound, tmp_path, unit):
    document, arrays = sound
    changed = deepcopy(document)
    changed["schema"]["tables"]["visits"]["unit"] = unit
    refused(tmp_path, changed, arrays)


def test_a_history_of_an_engine_that_draws_none_is_refused(sound, tmp_path, tmp_path_factory):
    """Every row of such a model would be the first of its person."""
    document, arrays = sound
    other = tabsynth.fit(
        visits(120),
        schema=TableSchema(name="visits", columns=VISITS.columns),
        engine="independent",
        privacy=NO_PRIVACY,
    )
    own, arrays = parts_of(other, tmp_path_factory.mktemp("other") / "model")
    boast = {**own, "history": document["history"], "schema": document["schema"]}
    refused(tmp_path, boast, arrays)


def test_arrays_of_rows_by_themselves_are_refused(sound, tmp_path, tmp_path_factory):
    document, _ = sound
    other = tabsynth.fit(
        visits(120),
        schema=TableSchema(name="visits", columns=VISITS.columns),
        engine="sequential_trees",
        settings={"rounds": 0},
        privacy=NO_PRIVACY,
    )
    own, arrays = parts_of(other, tmp_path_factory.mktemp("other") / "model")
    refused(tmp_path, document, arrays, "arrays|parameters")
    refused(tmp_path, {**document, "parameters": own["parameters"]}, arrays, "arrays|parameters|order")
