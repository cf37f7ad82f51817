"""Fitting to a synthetic table: refused unless a share of fresh real rows is stated, and counted."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import tabsynth
from tabsynth.config.files import read_run
from tabsynth.config.run import run
from tabsynth.config.steps import write_rows
from tabsynth.errors import UsageError
from tabsynth.io import Provenance, read_provenance, write_frame
from tabsynth.io.provenance import is_half_of_split
from tabsynth.pipeline import FittedPipeline, fit
from tests.end_to_end.commands import tabsynth_here

FRAME = pl.DataFrame({"x": np.arange(60) % 7, "c": ["a", "b", "b"] * 20})


def fitted(data, **named):
    return tabsynth.fit(data, engine="independent", privacy=tabsynth.NO_PRIVACY, **named)


@pytest.fixture
def synthetic(tmp_path):
    path = tmp_path / "synthetic.parquet"
    write_rows(fitted(FRAME), path, seed=1)
    return path


def test_synthetic_rows_are_marked_and_refused(synthetic):
    assert read_provenance(synthetic) == Provenance(
        engine="independent", generation=1, real_share=0.0, no_privacy=True
    )
    with (
        pytest.warns(UserWarning, match="marked as synthetic"),
        pytest.raises(UsageError, match="a copy of a copy"),
    ):
        fitted(synthetic)


def test_generations_are_counted_through_models_and_files(synthetic, tmp_path):
    with pytest.warns(UserWarning, match="generation 1, by independent, 0% real rows"):
        second = fitted(synthetic, real_share=0.0)
    assert second.generation == 2
    second.save(tmp_path / "model")
    again = FittedPipeline.load(tmp_path / "model")
    assert again.generation == 2
    write_rows(again, tmp_path / "third.csv", seed=1)
    assert read_provenance(tmp_path / "third.csv").generation == 2


def test_a_mixture_says_its_share_itself(tmp_path):
    write_frame(
        FRAME, tmp_path / "mixed.parquet", provenance=Provenance(engine="e", generation=2, real_share=0.4)
    )
    with pytest.warns(UserWarning, match="40% real rows"):
        assert fitted(tmp_path / "mixed.parquet").generation == 3


def test_given_cells_are_told_and_not_refused(tmp_path):
    mark = Provenance(engine="e", generation=1, real_share=None, given_cells=True)
    write_frame(FRAME, tmp_path / "whole.parquet", provenance=mark)
    with pytest.warns(UserWarning, match="by e, with given cells, real or not"):
        assert fitted(tmp_path / "whole.parquet").generation == 2


def test_tables_without_a_mark_are_fitted_without_a_word(tmp_path):
    FRAME.write_parquet(tmp_path / "real.parquet")
    assert fitted(tmp_path / "real.parquet").generation == 1
    with pytest.raises(UsageError, match="fresh real rows lies in"):
        fitted(FRAME, real_share=1.5)


def test_on_the_command_line(synthetic):
    folder = synthetic.parent
    tabsynth_here("schema", "draft", synthetic, "--out", "s.yaml", cwd=folder)
    fit = ("fit", synthetic, "--schema", "s.yaml", "--engine", "independent", "--no-privacy", "--out", "m")
    refused = tabsynth_here(*fit, cwd=folder)
    assert (refused.code, "--real-share" in refused.err) == (2, True)
    assert not (folder / "m").exists()
    done = tabsynth_here(*fit, "--real-share", "0", "--json", cwd=folder)
    assert (done.code, done.json["generation"]) == (0, 2)
    assert "Warning: the table is marked as synthetic" in done.err


def test_the_halves_of_a_synthetic_table_are_synthetic_too(synthetic):
    folder = synthetic.parent
    tabsynth_here("schema", "draft", synthetic, "--out", "s.yaml", cwd=folder)
    done = tabsynth_here("split", synthetic, "--schema", "s.yaml", "--out", "parts", cwd=folder)
    assert done.code == 0
    assert "Warning: synthetic.parquet is marked as synthetic (generation 1, by independent)" in done.err
    assert "real rows; private" not in done.out + done.err
    for name in ("train.parquet", "holdout.parquet"):
        assert read_provenance(folder / "parts" / name) == read_provenance(synthetic)
    fit = ("fit", "parts/train.parquet", "--schema", "s.yaml", "--engine", "independent", "--no-privacy")
    assert tabsynth_here(*fit, "--out", "m", cwd=folder).code == 2


@pytest.mark.parametrize("command", ["evaluate", "audit", "collapse"])
def test_who_takes_synthetic_rows_for_real_ones_is_told(synthetic, command):
    folder = synthetic.parent
    tabsynth_here("schema", "draft", synthetic, "--out", "s.yaml", cwd=folder)
    FRAME.write_parquet(folder / "holdout.parquet")
    what = {
        "evaluate": ("--synthetic", "holdout.parquet", "--out", "report"),
        "audit": ("--synthetic", "holdout.parquet"),
        "collapse": ("--engine", "independent", "--no-privacy", "--generations", "1", "--out", "lines"),
    }[command]
    real = ("--train", synthetic, "--holdout", "holdout.parquet", "--schema", "s.yaml")
    done = tabsynth_here(command, *what, *real, cwd=folder)
    assert "Warning: synthetic.parquet is marked as synthetic" in done.err
    assert "holdout.parquet is marked" not in done.err


def test_a_mark_of_other_contents_is_spoken_of(tmp_path):
    path = tmp_path / "s.csv"
    write_rows(fitted(FRAME), path, seed=1)
    with path.open("a") as file:
        file.write("3,a\n")
    with pytest.warns(UserWarning, match=r"s\.csv was changed since"):
        assert fitted(path).generation == 1
    tabsynth_here("schema", "draft", path, "--out", "s.yaml", cwd=tmp_path)
    fit = ("fit", path, "--schema", "s.yaml", "--engine", "independent", "--no-privacy", "--out", "m")
    done = tabsynth_here(*fit, cwd=tmp_path)
    assert (done.code, "Warning: s.csv.provenance.json says" in done.err) == (0, True)
    (tmp_path / "s.csv.provenance.json").write_text("{}")
    assert "Warning" not in tabsynth_here(*fit, "--overwrite", cwd=tmp_path).err


def test_the_share_of_fresh_rows_is_kept_in_the_model(synthetic, tmp_path):
    assert fitted(FRAME).real_share is None
    with pytest.warns(UserWarning, match="0% real rows"):
        model = fitted(synthetic, real_share=0.25)
    model.save(tmp_path / "m")
    assert FittedPipeline.load(tmp_path / "m").real_share == 0.25
    write_frame(FRAME, tmp_path / "mixed.parquet", provenance=Provenance(engine="e", real_share=0.4))
    with pytest.warns(UserWarning, match="40% real rows"):
        assert fitted(tmp_path / "mixed.parquet").real_share == 0.4


def test_a_private_model_keeps_no_share_that_was_counted(tmp_path):
    """The share in a mark is a quotient of exact counts of rows, which are private; what is stated is public."""
    path = tmp_path / "mixed.parquet"
    write_frame(FRAME, path, provenance=Provenance(engine="e", real_share=41 / 60))
    for stated, kept in ((None, None), (0.7, 0.7)):
        with pytest.warns(UserWarning, match="68% real rows"):
            model = fit(path, engine="independent", real_share=stated)
        assert (model.real_share, model.generation) == (kept, 2)


def test_halves_of_a_mixture_are_both_real_rows_of_a_split_and_marked(tmp_path):
    mark = Provenance(engine="e", generation=1, real_share=0.85)
    write_frame(FRAME, tmp_path / "mixed.parquet", provenance=mark)
    done = tabsynth_here("split", "mixed.parquet", "--out", "parts", "--json", cwd=tmp_path)
    assert (done.code, done.json["is_synthetic"]) == (0, True)
    for half in (tmp_path / "parts").glob("*.parquet"):
        assert read_provenance(half) == mark
        assert is_half_of_split(half)
    FRAME.write_parquet(tmp_path / "real.parquet")
    plain = tabsynth_here("split", "real.parquet", "--out", "plain", "--json", cwd=tmp_path)
    assert plain.json["is_synthetic"] is False
    assert read_provenance(tmp_path / "plain" / "train.parquet") is None


def test_in_python_too_whoever_takes_synthetic_rows_for_real_ones_is_told(synthetic, recwarn):
    schema = tabsynth.draft_schema(FRAME)
    holdout = pl.concat([FRAME] * 2)
    tabsynth.evaluate(synthetic, FRAME, holdout, schema=schema)
    tabsynth.split(FRAME)
    assert not [one for one in recwarn if "synthetic" in str(one.message)]
    with pytest.warns(UserWarning, match="is read here as if its rows were real"):
        tabsynth.evaluate(FRAME, synthetic, holdout, schema=schema)
    with pytest.warns(UserWarning, match="is read here as if its rows were real"):
        tabsynth.split(synthetic)


def test_a_run_says_what_its_source_is(synthetic, tmp_path):
    text = f"version: 1\nprivacy: none\nevaluation: false\ntables: {{t: {{source: {synthetic}, engine: smote, real_share: 0}}}}\n"
    (tmp_path / "run.yaml").write_text(text)
    done = tabsynth_here("run", "run.yaml", "--out", "made", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "Warning: the table is marked as synthetic" in done.err
    assert "Warning: smote keeps real rows" in done.err


def test_an_engine_of_a_strange_name_is_not_repeated(tmp_path):
    for strange in ("e" * 200, "a\nb", "\x1b[31m"):
        write_frame(FRAME, tmp_path / "s.parquet", overwrite=True, provenance=Provenance(engine=strange))
        assert read_provenance(tmp_path / "s.parquet") == Provenance(engine="another engine")


def test_in_a_run_file(synthetic, tmp_path):
    source = tmp_path / "run.yaml"
    text = f"version: 1\nprivacy: none\nevaluation: false\ntables: {{t: {{source: {synthetic}, engine: independent}}}}\n"
    source.write_text(text)
    with pytest.raises(UsageError, match="state their share"):
        run(read_run(source), tmp_path / "refused")
    source.write_text(text.replace("engine: independent", "engine: independent, real_share: 0"))
    done = run(read_run(source), tmp_path / "done")
    assert done.tables[0].pipeline.generation == 2
    again = read_run(tmp_path / "done" / "private" / "run.yaml")
    assert again.tables[0].real_share == 0
    with pytest.raises(UsageError, match="fresh real rows of table 't' lies in"):
        replace(again, tables=(replace(again.tables[0], real_share=1.5),))


def test_augmenting_a_mixture_multiplies_shares(tmp_path):
    frame = pl.DataFrame({"x": np.arange(80) % 7, "c": ["a", "b", "b", "b"] * 20})
    path = tmp_path / "mixed.parquet"
    write_frame(frame, path, provenance=Provenance(engine="e", generation=1, real_share=0.5))
    with pytest.warns(UserWarning, match="50% real rows"):
        found = tabsynth.augment(path, target="c", to="1:2", engine="independent")
    # 20 rows of a for 60 others: 10 more make it 1:2, so 80 of 90 rows were in the mixture, half of them real
    assert found.provenance == Provenance(
        engine="independent", generation=2, real_share=pytest.approx(80 / 90 / 2), augmented=True
    )


@pytest.mark.parametrize(("keep_real", "is_given"), [(1.0, True), (0.0, False)])
def test_augmenting_given_cells_keeps_their_mark_as_long_as_they_are_kept(tmp_path, keep_real, is_given):
    frame = pl.DataFrame({"x": np.arange(80) % 7, "c": ["a", "b", "b", "b"] * 20})
    path = tmp_path / "whole.parquet"
    mark = Provenance(engine="e", generation=1, real_share=None, given_cells=True)
    write_frame(frame, path, provenance=mark)
    with pytest.warns(UserWarning, match="given cells"):
        found = tabsynth.augment(path, target="c", to="1:2", engine="independent", keep_real=keep_real)
    assert (found.provenance.given_cells, found.provenance.real_share is None) == (is_given, is_given)
