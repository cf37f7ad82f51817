"""What commands propose to type next."""

from pathlib import Path

import pytest

from tabsynth.cli.next_steps import after_sample, after_schema
from tabsynth.models.registry import make_engine


def test_a_table_that_is_cut_is_not_cut_again(tmp_path):
    train, schema = tmp_path / "train.parquet", Path("schema.yaml")
    train.touch()
    cut = ["tabsynth", "split", train, "--schema", schema, "--out", "parts"]
    assert after_schema(train, schema) == cut  # it may be anybody's train.parquet
    (tmp_path / "holdout.parquet").touch()
    assert after_schema(train, schema) == ["tabsynth", "fit", train, "--schema", schema, "--out", "model"]
    assert after_schema(tmp_path / "loans.parquet", schema)[1] == "split"


@pytest.mark.parametrize("engine", ["sequential_trees", "bayesian_network", "smote"])
def test_rows_are_measured_by_the_target_that_was_named(engine):
    named = after_sample(Path("rows.csv"), make_engine(engine, {"target": "death"}))
    assert named[named.index("--target") + 1] == "death"
    assert "--target" not in after_sample(Path("rows.csv"), make_engine("independent", {}))
    assert "--target" not in after_sample(Path("rows.csv"), make_engine("sequential_trees", {}))
