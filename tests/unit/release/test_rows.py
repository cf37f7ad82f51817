"""Whether rows are the model's: what their file says of itself, and what a policy makes of it."""

from __future__ import annotations

import polars as pl
import pytest

import tabsynth
from tabsynth.config.steps import write_rows
from tabsynth.io import Provenance, write_frame
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.release import Answer, default_policy, evaluate, evidence_of
from tabsynth.release.rows import rows_evidence

MINE = Provenance(engine="independent", generation=1, real_share=0.0, no_privacy=True)


@pytest.fixture(scope="module")
def pipeline() -> FittedPipeline:
    frame = pl.DataFrame({"x": [1, 2, 3, 4] * 20, "c": ["a", "b"] * 40})
    return tabsynth.fit(frame, engine="independent", privacy=tabsynth.NO_PRIVACY)


def answer(pipeline: FittedPipeline, path, audience: str = "internal", **options) -> tuple[Answer, str]:
    found = rows_evidence(path, pipeline, **options)
    decision = evaluate(
        default_policy(), evidence_of(pipeline, model="m", where="m", file=found), audience=audience
    )
    return next((each.answer, each.found) for each in decision.reasons if each.rule == "rows_are_the_models")


@pytest.mark.parametrize("name", ["s.csv", "s.csv.gz", "s.parquet", "s.arrow"])
def test_what_the_model_wrote_is_allowed(pipeline, tmp_path, name):
    write_rows(pipeline, tmp_path / name, rows=20, seed=1)
    assert answer(pipeline, tmp_path / name)[0] is Answer.ALLOW


@pytest.mark.parametrize("audience", ["outsiders", "partners", "internal"])
@pytest.mark.parametrize("name", ["s.csv", "s.parquet"])
@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (Provenance(engine="independent", real_share=0.25), "25% of its rows are real"),
        (Provenance(engine="independent", real_share=None, given_cells=True), "holds given cells"),
        (Provenance(engine="independent", augmented=True), "no guarantee covers its size"),
        (Provenance(engine="smote"), "made by smote, the model is of independent"),
        (Provenance(engine="independent", generation=2), "of generation 2"),
    ],
)
def test_a_mark_of_other_rows_denies_whatever_is_drawn_again(pipeline, tmp_path, audience, name, mark, said):
    rows = pipeline.sample(20, seed=1)
    write_frame(rows, tmp_path / name, provenance=mark)
    for drawn_again in (False, True):
        found = answer(pipeline, tmp_path / name, audience, drawn_again=drawn_again)
        assert found[0] is Answer.DENY
        assert said in found[1]


def test_rows_that_were_made_without_privacy_are_none_of_a_private_model(pipeline, tmp_path):
    private = fit(pipeline.sample(80, seed=1), engine="independent", privacy=tabsynth.Budget(epsilon=1.0))
    write_rows(pipeline, tmp_path / "s.parquet", rows=20, seed=1)
    found = answer(private, tmp_path / "s.parquet")
    assert found[0] is Answer.DENY
    assert "it was made without a privacy guarantee, the model gives one" in found[1]


def test_columns_that_the_model_does_not_make_deny(pipeline, tmp_path):
    rows = pipeline.sample(20, seed=1).with_columns(origin=pl.lit("synthetic"))
    write_frame(rows, tmp_path / "s.csv", provenance=MINE)
    found = answer(pipeline, tmp_path / "s.csv")
    assert found == (Answer.DENY, "it has a column that the model does not make: 'origin'")
    write_frame(rows.with_columns(more=1), tmp_path / "t.csv", provenance=MINE)
    assert "2 columns that the model does not make" in answer(pipeline, tmp_path / "t.csv")[1]


def test_a_file_without_a_mark_is_allowed_only_where_it_is_drawn_again(pipeline, tmp_path):
    path = tmp_path / "s.csv"
    pipeline.sample(20, seed=1).write_csv(path)
    assert answer(pipeline, path)[0] is Answer.SIGN_OFF
    assert answer(pipeline, path, "outsiders")[0] is Answer.DENY
    assert answer(pipeline, path, "outsiders", drawn_again=True)[0] is Answer.ALLOW
