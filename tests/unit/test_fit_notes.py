"""What noise hid of a table is said in Python as on the command line, and kept with the model."""

import warnings

import polars as pl
import pytest

import tabsynth
from tabsynth.errors import ModelFileError
from tabsynth.model_folder import write_folder
from tabsynth.pipeline import FittedPipeline
from tabsynth.pipeline import fit as fit_table
from tabsynth.schema.types import Column, Domain, Kind, Origin, TableSchema
from tests.unit.hostile import parts_of

FRAME = pl.DataFrame(
    {"ward": ["a", "b", "c", "d"] * 25, "age": list(range(20, 70)) * 2, "cost": [0.5 * i for i in range(100)]}
)
PUBLIC = Domain(origin=Origin.PUBLIC, by="A", source="B")
BUDGET = tabsynth.Budget(epsilon=0.005)
"""σ is above 1,000 rows: of one column a range is found in one of 1,000 fits at most, of both in one of a million."""
LEVELS = "No more than one level was found of ward: constant in the model."
RANGES = "No range was found of "


@pytest.fixture(scope="module")
def fitted():
    return fit_table(FRAME, engine="independent", privacy=BUDGET)


def test_a_fit_warns_of_what_noise_hid_at_the_caller_s_line():
    with pytest.warns(UserWarning, match="was found of") as told:
        fitted = tabsynth.fit(FRAME, engine="independent", privacy=BUDGET)
    levels, ranges = (str(one.message) for one in told)
    assert levels.startswith(LEVELS)
    assert ranges.startswith(f"{RANGES}{', '.join(fitted.placeholders)}: noise hides it.")
    assert {one.filename for one in told} == {__file__}
    assert fitted.notes == (levels, ranges)
    assert set(fitted.placeholders) <= {"age", "cost"}
    for name in fitted.placeholders:
        assert fitted.sample(50)[name].is_between(0, 1).all()


def test_what_was_found_or_stated_is_no_note():
    """A range of 0 to 1 that was found is none that was hidden."""
    plain = pl.DataFrame({"x": [0, 1] * 3000, "y": ["a", "b"] * 3000})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = tabsynth.fit(plain, engine="independent", privacy=tabsynth.Budget(epsilon=5))
        assert found.notes == found.placeholders == ()
        exact = tabsynth.fit(FRAME, engine="independent", privacy=tabsynth.NO_PRIVACY)
        assert exact.notes == ()


def test_a_range_that_nobody_stated_of_a_public_column_is_looked_for_too():
    column = Column(name="age", kind=Kind.INTEGER, dtype="int64", domain=PUBLIC)
    schema = TableSchema(name="t", columns=(column,))
    fitted = fit_table(FRAME.select("age"), schema=schema, engine="independent", privacy=BUDGET)
    found = fitted.schema["age"].bounds != (0, 1)
    assert (fitted.placeholders, "No range was found of age" in "".join(fitted.notes)) == (
        ((), False) if found else (("age",), True)
    )


def test_notes_are_kept_with_the_model(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    again = FittedPipeline.load(tmp_path / "model")
    assert again.placeholders == fitted.placeholders != ()
    assert again.notes == fitted.notes


@pytest.mark.parametrize("names", [["ward"], ["cost", "age"], ["age", "age"], ["nowhere"], [1], [["age"]]])
def test_placeholders_of_no_column_whose_range_was_bought_are_refused(fitted, tmp_path, names):
    document, arrays = parts_of(fitted, tmp_path / "model")
    write_folder(tmp_path / "other", {**document, "placeholders": names}, arrays)
    with pytest.raises(ModelFileError, match="the placeholders are not columns whose range was bought"):
        FittedPipeline.load(tmp_path / "other")
