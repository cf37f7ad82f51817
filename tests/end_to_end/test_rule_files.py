"""The rule files of `examples/rules`: each loads, tells right rows from wrong ones, and holds on what a model makes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import tabsynth
from tabsynth.schema.types import Origin
from tests.end_to_end.commands import tabsynth_here
from tests.end_to_end.rule_tables import EXAMPLES, N_ROWS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "rules"
DATA = Path(os.environ.get("TABSYNTH_DATA", ROOT.parent / "shared" / "data"))
SMALL = {
    "berka": ("loan.csv.gz", 682),
    "support2": ("support2.csv.gz", 9_105),
    "flchain": ("flchain.csv.gz", 7_874),
}
"""Real tables that the repository does not hold, of which a fit takes a second, with their numbers of rows."""
BIRTH_NUMBER = re.compile(r"[1-9]\d(3[1-9]|4[0-2])(0[1-9]|1[1-9]|2[0-8])")

every_example = pytest.mark.parametrize("name", sorted(EXAMPLES))


def schema_of(name: str) -> tabsynth.TableSchema:
    """The one table of a file that has rules."""
    (found,) = (table for table in tabsynth.read_schema(FOLDER / f"{name}.yaml").tables if table.constraints)
    return found


def rows_of(name: str, *rows: dict[str, object]) -> pl.DataFrame:
    made = EXAMPLES[name].make(np.random.default_rng(0))
    return pl.DataFrame(list(rows), schema=made.schema)


def violations(frame: pl.DataFrame, schema: tabsynth.TableSchema) -> list[int]:
    return [one.n_violations for one in tabsynth.check_constraints(frame, schema)]


def test_every_file_is_an_example_and_is_explained():
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(EXAMPLES)
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"{name}.yaml" in readme for name in EXAMPLES)
    assert "examples/rules" in (ROOT / "docs/how-to/constraints.md").read_text(encoding="utf-8")


@every_example
def test_a_file_declares_the_columns_of_its_rules_and_states_no_draft(name: str):
    schema = schema_of(name)
    assert list(schema.column_names) == EXAMPLES[name].make(np.random.default_rng(0)).columns
    assert not any(rule.draft for rule in schema.constraints)
    for column in schema.columns:  # what a file says of a domain has a public source
        if column.bounds is not None or column.categories is not None:
            assert column.domain.origin is Origin.PUBLIC
            assert column.domain.source


@every_example
def test_right_rows_keep_every_rule(name: str):
    example, schema = EXAMPLES[name], schema_of(name)
    rows = rows_of(name, *map(dict, example.right))
    assert rows.select(example.holds).to_series().all()
    assert violations(rows, schema) == [0] * len(schema.constraints)
    made = example.make(np.random.default_rng(1))
    assert violations(made, schema) == [0] * len(schema.constraints)


@every_example
def test_every_wrong_row_breaks_the_rule_that_it_should(name: str):
    example, schema = EXAMPLES[name], schema_of(name)
    for changes, at in example.wrong:
        rows = rows_of(name, {**example.right[0], **changes}, *map(dict, example.right))
        assert rows.select(example.holds).to_series().to_list() == [False, True, True]
        wanted = [int(k == at) for k in range(len(schema.constraints))]
        assert violations(rows, schema) == wanted, changes
    rules = {at for _, at in example.wrong}
    keys = {k for k, rule in enumerate(schema.constraints) if isinstance(rule, tabsynth.rules.Unique)}
    assert rules | keys == set(range(len(schema.constraints)))


def test_an_hour_that_comes_twice_breaks_the_key():
    hour = dict(EXAMPLES["beijing_pm25"].right[0])
    assert violations(rows_of("beijing_pm25", hour, hour), schema_of("beijing_pm25"))[1] > 0


@every_example
def test_what_a_model_makes_breaks_no_rule(name: str):
    """Of the engine that knows least of how columns go together: nearly every rule has rows to repair."""
    example, schema = EXAMPLES[name], schema_of(name)
    table = example.make(np.random.default_rng(2))
    fitted = tabsynth.fit(table, schema=schema, engine="independent", privacy=tabsynth.NO_PRIVACY)
    rows, outcomes = fitted.sample_reported(1_500, seed=3)
    assert rows.height == 1_500
    assert [one.n_violations for one in outcomes] == [0] * len(schema.constraints)
    assert rows.select(example.holds).to_series().all()
    if name == "beijing_pm25":
        assert rows.n_unique() == rows.height


@pytest.mark.parametrize("name", ["support2", "acs_income_2018", "berka"])
def test_mappings_are_stated_so_that_a_private_fit_takes_them(name: str):
    example = EXAMPLES[name]
    table = example.make(np.random.default_rng(4))
    # Of 600 rows noise hides the bounds of a drafted column in one fit of ten, of 4,800 it would have to be 8 times as large.
    table = pl.concat([table] * 8)
    fitted = tabsynth.fit(table, schema=schema_of(name), engine="independent")
    assert fitted.guarantee.startswith("Differentially private: ε = 1")
    rows = fitted.sample(500, seed=5)
    if name == "acs_income_2018":  # states that the made-up table has not are made, as noise has it
        known = pl.DataFrame(
            schema_of(name).constraints[0].rows, schema=["State", "Division", "Region"], orient="row"
        )
        assert known.height == 51
        assert rows.join(known, on=known.columns, how="anti").height == 0
    else:
        assert rows.select(example.holds).to_series().all()


def test_birth_numbers_are_none_that_is_issued_and_go_with_the_client():
    schema = tabsynth.read_schema(FOLDER / "berka.yaml")["client"]
    rng = np.random.default_rng(6)
    clients = pl.DataFrame(
        {
            "client_id": np.arange(1, N_ROWS + 1),
            "birth_number": 10_000 * rng.integers(11, 88, N_ROWS)
            + 100 * (rng.integers(1, 13, N_ROWS) + 50 * rng.integers(0, 2, N_ROWS))
            + rng.integers(1, 29, N_ROWS),
            "district_id": rng.integers(1, 78, N_ROWS),
        }
    )
    fitted = tabsynth.fit(clients, schema=schema, engine="independent", privacy=tabsynth.NO_PRIVACY)
    rows = fitted.sample(400, seed=7)
    assert all(BIRTH_NUMBER.fullmatch(str(one)) for one in rows["birth_number"])
    assert not rows["birth_number"].is_in(clients["birth_number"].implode()).any()
    longer = fitted.sample(500, seed=7).join(rows, on="client_id", suffix="_before")
    assert longer.height > 0
    assert (longer["birth_number"] == longer["birth_number_before"]).all()


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_real_table_keeps_its_rules_and_so_does_its_model(name: str, tmp_path: Path):
    """By the commands of the README."""
    file, n_rows = SMALL[name]
    path = DATA / name / file
    if not path.is_file():
        pytest.skip(f"{name} is not here")
    schema = ("--schema", str(FOLDER / f"{name}.yaml"), "--table", schema_of(name).name)
    checked = tabsynth_here("constraints", "check", str(path), *schema, cwd=tmp_path)
    assert checked.code == 0, checked.err
    assert f"{n_rows:,} rows, all rules hold" in checked.out
    fitted = tabsynth_here("fit", str(path), *schema, "--no-privacy", "--out", "model", cwd=tmp_path)
    assert fitted.code == 0, fitted.err
    made = tabsynth_here(
        "sample", "model", "--rows", "5000", "--seed", "1", "--out", "rows.csv", cwd=tmp_path
    )
    assert made.code == 0, made.err
    again = tabsynth_here("constraints", "check", "rows.csv", *schema, cwd=tmp_path)
    assert again.code == 0, again.out
    rows = pl.read_csv(tmp_path / "rows.csv", infer_schema_length=None)
    assert rows.height == 5_000
    assert rows.select(EXAMPLES[name].holds).to_series().all()
