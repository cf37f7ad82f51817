"""The public names, and the steps on tables of any kind."""

from __future__ import annotations

import ast
import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import tabsynth
from tabsynth.errors import DataError, SchemaError, StructureError, UsageError
from tabsynth.schema.types import CsvDialect, Origin
from tabsynth.source import as_table
from tabsynth.table import Table


def _frame(n_rows: int = 200) -> pl.DataFrame:
    rng = np.random.default_rng(2)
    age = rng.integers(18, 90, n_rows)
    return pl.DataFrame(
        {
            "age": age,
            "smoker": rng.random(n_rows) < 0.3,
            "ward": np.where(rng.random(n_rows) < age / 100, "heart", "eyes"),
            "cost": rng.lognormal(5, 1, n_rows).round(2),
        }
    )


_AS = {
    "polars": lambda frame: frame,
    "lazy": lambda frame: frame.lazy(),
    "pandas": lambda frame: frame.to_pandas(),
    "arrow": lambda frame: frame.to_arrow(),
}


def test_all_is_complete_and_every_name_is_there() -> None:
    text = Path(tabsynth.__file__).read_text(encoding="utf-8")
    (guarded,) = (node for node in ast.parse(text).body if isinstance(node, ast.If))
    typed = {
        alias.asname or alias.name
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(tabsynth.__all__) == typed
    assert sorted(tabsynth.__all__) == list(dict.fromkeys(sorted(tabsynth.__all__)))
    assert set(tabsynth.__all__) <= set(dir(tabsynth))
    wanted = (
        "draft_schema read_schema write_schema confirm check split fit FittedPipeline evaluate Results audit AuditResults "
        "shadow_audit ShadowResults collapse CollapseResults augment Augmented augment_trial TrialResults "
        "NO_PRIVACY DEFAULT_BUDGET Budget budget_plan PlanReport Ledger LedgerFile Charge create_ledger_file "
        "open_ledger_file read_ledger_file Schema TableSchema Column Kind Role PrivacyUnit engines errors "
        "rules RuleOutcome ConditionOutcome Tally check_constraints suggest_constraints Generator pseudonymise "
        "Bundle open_bundle"
    )
    assert set(wanted.split()) == set(tabsynth.__all__)
    for name in tabsynth.__all__:
        assert getattr(tabsynth, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'ctgan'"):
        tabsynth.ctgan  # noqa: B018
    assert tabsynth.__version__


def test_functions_stay_in_view_whatever_was_imported_before() -> None:
    code = (
        "import tabsynth, tabsynth.check, tabsynth.evaluate, tabsynth.pipeline\n"
        "from tabsynth.evaluate import Results\n"
        "from tabsynth.check import check_table\n"
        "tabsynth.fit, tabsynth.errors.UsageError, tabsynth.engines.GaussianCopula\n"
        "assert [type(f).__name__ for f in (tabsynth.check, tabsynth.evaluate, tabsynth.split)] == ['function'] * 3\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("kind", _AS)
def test_every_step_takes_and_gives_the_same_kind(kind: str) -> None:
    data = _AS[kind](_frame())
    train, holdout = tabsynth.split(data, holdout=0.25, seed=1)
    assert type(train) is type(holdout) is type(data)
    fitted = tabsynth.fit(train, privacy=tabsynth.NO_PRIVACY)
    synthetic = fitted.sample(50, seed=1)
    assert type(synthetic) is type(data)
    results = tabsynth.evaluate(synthetic, train, holdout, target="ward")
    assert (results.n_train, results.n_holdout, results.n_synthetic) == (150, 50, 50)
    assert isinstance(results, tabsynth.Results)
    assert tabsynth.check(synthetic, tabsynth.draft_schema(data)) == ()


def test_split_parts_the_rows_whatever_holds_them(tmp_path: Path) -> None:
    frame = _frame()
    frame.write_csv(tmp_path / "people.csv")
    sides = [tabsynth.split(data, seed=4) for data in (frame, frame.to_pandas(), tmp_path / "people.csv")]
    first = [part["cost"].to_list() for part in sides[0]]
    assert sorted(first[0] + first[1]) == sorted(frame["cost"])
    for side in sides[1:]:
        assert [list(part["cost"]) for part in side] == first
    table, _ = as_table(frame, None)
    train, holdout = tabsynth.split(table, seed=4)
    assert isinstance(train, Table)
    assert isinstance(holdout, Table)
    assert train.frame["cost"].to_list() == first[0]


def test_split_keeps_a_person_on_one_side() -> None:
    frame = _frame().with_columns(person=pl.Series(np.arange(200) // 4))
    schema = tabsynth.draft_schema(frame).only_table
    schema = tabsynth.TableSchema(
        name="t", columns=schema.columns, unit=type(schema.unit)(column="person", max_rows=4)
    )
    train, holdout = tabsynth.split(frame, schema=schema, seed=1)
    assert set(train["person"]).isdisjoint(holdout["person"])
    assert holdout.height == 100
    without_schema = tabsynth.split(frame, unit="person", seed=1)
    assert [part["cost"].to_list() for part in without_schema] == [
        part["cost"].to_list() for part in (train, holdout)
    ]
    with pytest.raises(UsageError, match="the schema states the unit"):
        tabsynth.split(frame, schema=schema, unit="person")


def test_a_draft_of_a_file_keeps_its_name_dialect_and_formats(tmp_path: Path) -> None:
    text = "day;moment;x\n" + "".join(f"{d:02}.03.2025;2025-03-{d:02}T08:30;{d}\n" for d in range(1, 29))
    (tmp_path / "my visits.v2.csv").write_text(text)
    schema = tabsynth.draft_schema(tmp_path / "my visits.v2.csv").only_table
    assert schema.name == "my visits"
    assert schema.csv == CsvDialect(delimiter=";")
    assert schema["moment"].format == "%Y-%m-%dT%H:%M"
    assert (schema["day"].kind, schema["day"].format) == (tabsynth.Kind.DATE, "%d.%m.%Y")
    fitted = tabsynth.fit(tmp_path / "my visits.v2.csv", schema=schema, privacy=tabsynth.NO_PRIVACY)
    made = fitted.sample(5, seed=1)
    assert made["moment"].dtype == pl.Datetime("us")


def test_fit_reads_a_file_by_its_schema(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a;b\n" + "".join(f"{i};{'n/a' if i % 3 else i}\n" for i in range(60)))
    columns = tuple(
        tabsynth.Column(name=name, kind=tabsynth.Kind.INTEGER, dtype="int64", nullable=name == "b")
        for name in "ab"
    )
    csv = CsvDialect(delimiter=";", null_marks=("n/a",))
    schema = tabsynth.TableSchema(name="x", columns=columns, csv=csv)
    fitted = tabsynth.fit(tmp_path / "x.csv", schema=schema, privacy=tabsynth.NO_PRIVACY)
    assert fitted.n_rows == 60
    made = fitted.sample(300, seed=1)
    assert made.schema == {"a": pl.Int64, "b": pl.Int64}
    # 300 draws with p = 2/3 lie beyond 150 … 250 with probability under 1e-8 (Hoeffding)
    assert 150 < made["b"].null_count() < 250


def test_several_tables_are_drafted_together(tmp_path: Path) -> None:
    people = pl.DataFrame({"person_id": [f"P{i}" for i in range(30)], "age": list(range(20, 50))})
    visits = pl.DataFrame(
        {"person_id": [f"P{i % 30}" for i in range(90)], "cost": [i * 1.5 for i in range(90)]}
    )
    visits.write_csv(tmp_path / "visits.csv", separator="|")
    schema = tabsynth.draft_schema({"people": people, "visits": tmp_path / "visits.csv"})
    assert [table.name for table in schema.tables] == ["people", "visits"]
    assert schema["visits"].csv.delimiter == "|"
    assert [(key.child, key.parent) for key in schema.foreign_keys] == [("visits", "people")]
    for step in (
        lambda: tabsynth.split(people, schema=schema),
        lambda: tabsynth.confirm(schema, by="A", source="B"),
    ):
        with pytest.raises(UsageError, match=r"2 tables \('people', 'visits'\)"):
            step()
    with pytest.raises(UsageError, match="2 tables"):
        tabsynth.fit(people, schema=schema, privacy=tabsynth.NO_PRIVACY)


def test_confirm_takes_a_schema_or_a_table_and_dates_the_statement() -> None:
    schema = tabsynth.draft_schema(_frame())
    whole = tabsynth.confirm(
        schema, by="A. Steward", source="form 4", columns=["age"], on=dt.date(2026, 1, 2)
    )
    assert isinstance(whole, tabsynth.Schema)
    domain = whole.only_table["age"].domain
    assert (domain.origin, domain.by, domain.source, domain.on) == (
        Origin.PUBLIC,
        "A. Steward",
        "form 4",
        dt.date(2026, 1, 2),
    )
    assert whole.only_table["ward"].domain.origin is Origin.DRAFT
    before = dt.date.today()  # noqa: DTZ011
    table = tabsynth.confirm(schema.only_table, by="A", source="B")
    assert isinstance(table, tabsynth.TableSchema)
    assert all(before <= column.domain.on <= before + dt.timedelta(1) for column in table.columns)
    with pytest.raises(SchemaError, match="cannot be confirmed"):
        tabsynth.confirm(schema, by=" ", source="B", columns=["agee"])


def test_check_finds_faults_of_structure_and_of_cells() -> None:
    frame = _frame()
    schema = tabsynth.draft_schema(frame)
    assert tabsynth.check(frame, schema) == ()
    (missing,) = tabsynth.check(frame.drop("ward"), schema)
    assert missing.where == "column 'ward'"
    odd = frame.with_columns(ward=pl.lit("mars"), age=pl.col("age") + 1000)
    found = {fault.where: fault.what for fault in tabsynth.check(odd, schema)}
    assert found == {
        "column 'age'": "200 cells are beyond the declared bounds",
        "column 'ward'": "200 cells are not a declared category",
    }


@pytest.mark.parametrize("wrong", [3, [1, 2], {"a": [1]}, None])
def test_what_is_no_table_is_refused(wrong: Any) -> None:
    with pytest.raises(UsageError, match="expected a path"):
        tabsynth.split(wrong)


def test_errors_say_what_is_wrong() -> None:
    frame = _frame()
    schema = tabsynth.draft_schema(frame)
    with pytest.raises(StructureError, match="lacks columns"):
        tabsynth.evaluate(frame.drop("ward"), frame, frame, schema=schema)
    with pytest.raises(UsageError, match="target 'x' is not a column"):
        tabsynth.evaluate(frame, frame, frame, schema=schema, target="x")
    with pytest.raises(DataError, match="no rows"):
        tabsynth.fit(frame.clear(), schema=schema, privacy=tabsynth.NO_PRIVACY)


def test_engines_are_recipes() -> None:
    recipe = tabsynth.engines.Independent(min_group=5)
    fitted = tabsynth.fit(_frame(), engine=recipe, privacy=tabsynth.NO_PRIVACY)
    assert fitted.engine == recipe == tabsynth.engines.make_engine("independent", {"min_group": "5"})
    assert {engine.__name__ for engine in tabsynth.engines.ENGINES.values()} <= set(tabsynth.engines.__all__)


def test_kinds_that_are_tested_are_all_kinds() -> None:
    assert {type(make(_frame())) for make in _AS.values()} == {
        pl.DataFrame,
        pl.LazyFrame,
        pd.DataFrame,
        pa.Table,
    }


def test_rules_are_checked_and_suggested_for_frames_of_any_kind() -> None:
    from tests.unit.constraints.tables import STAYS, stays

    outcomes = tabsynth.check_constraints(stays(200).to_pandas(), STAYS)
    assert [one.n_violations for one in outcomes] == [0] * len(STAYS.constraints)
    found = tabsynth.suggest_constraints(stays(600), STAYS)
    assert (
        tabsynth.rules.Inequality(columns=("came", "left"), draft=True, note="support 600 rows, 0 exceptions")
        in found
    )
    assert all(rule.draft for rule in found)
