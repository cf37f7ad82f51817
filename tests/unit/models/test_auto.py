"""`auto`: the rule is the one that the page shows, and what is fitted is of the engine that it chose."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import tabsynth
from tabsynth.errors import ModelFileError, UsageError
from tabsynth.models.auto import Auto
from tabsynth.models.registry import ENGINE_NAMES, ENGINES, make_engine
from tests.end_to_end.commands import tabsynth_here

PAGE = Path(__file__).parents[3] / "docs/reference/auto.md"


@pytest.mark.parametrize(
    ("purpose", "n_columns", "is_private", "n_rows", "engine"),
    [
        ("answers", 500, False, 10, "bayesian_network"),
        ("rows", 150, True, None, "bayesian_network"),
        ("rows", 151, True, None, "gaussian_copula"),
        ("rows", 251, False, 10_000, "gaussian_copula"),
        ("rows", 150, False, 2_999, "bayesian_network"),
        ("rows", 150, False, 3_000, "sequential_trees"),
        ("rows", 151, False, 2_999, "sequential_trees"),
        ("rows", 1, False, None, "sequential_trees"),
    ],
)
def test_the_rule_line_by_line(purpose, n_columns, is_private, n_rows, engine):
    found = Auto(purpose=purpose).choose(n_columns=n_columns, is_private=is_private, n_rows=n_rows)
    assert found.recipe.name == engine
    assert found.why.startswith(f"auto: {engine}, ")
    assert "\n" not in found.why


def test_the_rows_of_a_private_table_do_not_count():
    choices = {Auto().choose(n_columns=20, is_private=True, n_rows=n).recipe for n in (1, 10**7, None)}
    assert len(choices) == 1


def test_the_page_shows_the_rule():
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S+) \| `(\w+)` \| (.+?) \| (.+?) \| \[`(\w+)`\]", text, flags=re.MULTILINE)
    assert len(rows) == 6
    for budget, purpose, columns, n_rows, engine in rows:
        n_columns = {"any": 3, "up to 150": 150, "more": 151, "more than 250": 251, "up to 250": 250}[columns]
        n = {"any": 500, "not asked for": None, "fewer than 3,000": 2_999, "any other": 3_000}[n_rows]
        found = Auto(purpose=purpose).choose(n_columns=n_columns, is_private=budget == "ε", n_rows=n)
        assert found.recipe.name == engine
    first = next(line for line in text.splitlines() if line.startswith("| ") and "](engines/" in line)
    assert first.startswith(
        "| none, and the schema's unit has an `order_by` | any | any | any | [`sequential_trees`]"
    )
    for purpose in ("rows", "answers"):
        for n_columns, n in ((3, 500), (3, None), (500, 10_000)):
            asked = {"n_columns": n_columns, "n_rows": n, "has_histories": True}
            assert Auto(purpose=purpose).choose(is_private=False, **asked).recipe.name == "sequential_trees"


def test_what_is_fitted_is_of_the_engine_that_was_chosen(tmp_path):
    frame = pl.DataFrame({"x": np.arange(3_000) % 17, "c": ["a", "b", "b"] * 1_000})
    small = tabsynth.fit(frame.head(60), engine="auto", privacy=tabsynth.NO_PRIVACY)
    assert small.engine.name == "bayesian_network"
    fitted = tabsynth.fit(frame, engine="auto", privacy=tabsynth.NO_PRIVACY)
    assert fitted.engine == make_engine("sequential_trees")
    fitted.save(tmp_path / "model")
    assert tabsynth.FittedPipeline.load(tmp_path / "model").engine.name == "sequential_trees"
    schema = tabsynth.confirm(tabsynth.draft_schema(frame), by="a test", source="this file")
    private = tabsynth.fit(frame, schema=schema, engine="auto")
    plain = tabsynth.budget_plan(schema, engine="auto")
    assert (private.engine.name, plain.engine) == ("bayesian_network", "bayesian_network")
    assert tabsynth.fit(frame, engine="auto").engine.name == "bayesian_network"


def test_it_stands_in_where_a_recipe_is_used_by_itself():
    from tabsynth.encode import encode_table
    from tabsynth.privacy import Ledger
    from tabsynth.privacy.queries import Queries
    from tabsynth.randomness import Streams
    from tabsynth.source import as_table

    table = as_table(pl.DataFrame({"x": np.arange(300) % 17, "y": np.arange(300) % 3}), None)[0]
    encoded = encode_table(table)
    model = Auto().fit(encoded, queries=Queries(Ledger()), streams=Streams(0))
    assert model.sample_block(0, n_rows=5, streams=Streams(1)).n_rows == 5
    assert Auto().parts(encoded.variables) == make_engine("bayesian_network").parts(encoded.variables)


def test_no_model_is_of_auto():
    assert "auto" in ENGINE_NAMES
    assert "auto" not in ENGINES
    with pytest.raises(ModelFileError, match="that auto chose"):
        Auto.restore((), {}, {})
    with pytest.raises(UsageError, match="expected one of"):
        make_engine("auto", {"purpose": "fun"})


def test_the_command_line_says_what_was_chosen(tmp_path):
    frame = pl.DataFrame({"x": np.arange(3_000) % 17, "c": ["a", "b", "b"] * 1_000})
    frame.write_parquet(tmp_path / "t.parquet")
    tabsynth_here("schema", "draft", "t.parquet", "--out", "s.yaml", cwd=tmp_path)
    done = tabsynth_here(
        "fit",
        "t.parquet",
        "--schema",
        "s.yaml",
        "--engine",
        "auto",
        "--no-privacy",
        "--out",
        "m",
        cwd=tmp_path,
    )
    assert "auto: sequential_trees, the most faithful without a budget (2 columns)" in done.out
    assert "Fitted sequential_trees to 3,000 rows" in done.out
    fit = ("fit", "t.parquet", "--schema", "s.yaml", "--no-privacy", "--json", "--engine")
    chosen, named = (tabsynth_here(*fit, name, "--out", name, cwd=tmp_path) for name in ("auto", "smote"))
    assert chosen.json["why"].startswith("auto: sequential_trees, ")
    assert named.json["why"] is None
    assert "auto" in tabsynth_here("engines", cwd=tmp_path).out


def test_a_run_says_what_was_chosen_and_why(tmp_path):
    pl.DataFrame({"x": np.arange(3_000) % 17, "c": ["a", "b", "b"] * 1_000}).write_parquet(
        tmp_path / "t.parquet"
    )
    (tmp_path / "run.yaml").write_text(
        "version: 1\nprivacy: none\nevaluation: false\ntables: {t: {source: t.parquet, engine: auto}}\n"
    )
    done = tabsynth_here("run", "run.yaml", "--out", "made", cwd=tmp_path)
    assert "t: 3,000 rows by sequential_trees" in done.out
    assert "auto: sequential_trees, the most faithful without a budget (2 columns)" in done.out
    found = tabsynth_here("run", "run.yaml", "--out", "again", "--json", cwd=tmp_path).json["tables"]["t"]
    assert (found["engine"], found["why"][:5]) == ("sequential_trees", "auto:")


def test_whoever_fits_an_engine_that_keeps_rows_is_told(tmp_path):
    pl.DataFrame({"x": np.arange(300) % 17, "c": ["a", "b", "b"] * 100}).write_parquet(tmp_path / "t.parquet")
    tabsynth_here("schema", "draft", "t.parquet", "--out", "s.yaml", cwd=tmp_path)
    fit = "fit t.parquet --schema s.yaml --no-privacy --out {0} --engine {0}"
    keeps = tabsynth_here(*fit.format("smote").split(), cwd=tmp_path)
    assert (keeps.code, "Warning: smote keeps real rows" in keeps.err) == (0, True)
    assert "private: it holds real rows" in keeps.out
    plain = tabsynth_here(*fit.format("independent").split(), cwd=tmp_path)
    assert "real rows" not in plain.out + plain.err
