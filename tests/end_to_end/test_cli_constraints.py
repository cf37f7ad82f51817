"""`tabsynth constraints …`, and rules in the commands that write rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tabsynth.constraints.rules import constraints_of
from tabsynth.evaluate import Results
from tabsynth.schema import read_schema
from tests.end_to_end.commands import tabsynth_here
from tests.unit.constraints.tables import stays

RULES = """
    constraints:
      - {rule: inequality, columns: [came, left], name: out after in}
      - {rule: conditional, if: alive, then: cause IS NULL, else: cause IS NOT NULL}
      - {rule: formula, column: cost, sql: price * number}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table, its draft, the draft with rules, and a model."""
    place = tmp_path_factory.mktemp("rules")
    frame = stays(600).select("came", "left", "alive", "cause", "price", "number", "cost", "town", "region")
    frame.write_csv(place / "t.csv")
    assert tabsynth_here("schema", "draft", "t.csv", "--out", "s.yaml", cwd=place).code == 0
    (place / "r.yaml").write_text((place / "s.yaml").read_text("utf-8") + RULES.removeprefix("\n"), "utf-8")
    done = tabsynth_here(
        *("fit", "t.csv", "--schema", "r.yaml", "--no-privacy", "--engine", "independent", "--out", "m"),
        cwd=place,
    )
    assert done.code == 0, done.err
    return place


def test_rules_that_hold_are_said_to(folder: Path) -> None:
    done = tabsynth_here("constraints", "check", "t.csv", "--schema", "r.yaml", cwd=folder)
    assert done.code == 0
    assert "0 violations  out after in" in done.out
    assert "This output is private" in done.out
    assert "600 rows, all rules hold" in done.out


def test_violations_are_counted_and_not_shown(folder: Path) -> None:
    worse = pl.read_csv(folder / "t.csv", try_parse_dates=True)
    worse = worse.with_columns(cost=pl.when(pl.int_range(pl.len()) < 7).then(399).otherwise("cost"))
    worse.write_csv(folder / "worse.csv")
    done = tabsynth_here("constraints", "check", "worse.csv", "--schema", "r.yaml", "--json", cwd=folder)
    assert done.code == 2
    assert done.json["private_output"] is True
    assert [rule["violations"] for rule in done.json["rules"]] == [0, 0, 7]
    said = tabsynth_here("constraints", "check", "worse.csv", "--schema", "r.yaml", cwd=folder)
    assert "1 rule of 3 broken" in said.out
    assert "399" not in said.out


def test_a_schema_without_rules_is_no_question(folder: Path) -> None:
    done = tabsynth_here("constraints", "check", "t.csv", "--schema", "s.yaml", cwd=folder)
    assert done.code == 2
    assert "has no rules" in done.err


def test_rules_that_contradict_each_other_are_told_before_the_data(folder: Path) -> None:
    text = (folder / "r.yaml").read_text("utf-8")
    rules = '      - {rule: range, column: left, upper: "2020-02-01"}\n      - {rule: range, column: came, lower: "2020-02-02"}\n'
    (folder / "no.yaml").write_text(text + rules, "utf-8")
    done = tabsynth_here("constraints", "check", "nowhere.csv", "--schema", "no.yaml", cwd=folder)
    assert done.code == 2
    assert "no row can meet these rules" in done.err
    assert "out after in" in done.err
    assert "cause" not in done.err
    fitted = tabsynth_here(
        *("fit", "t.csv", "--schema", "no.yaml", "--no-privacy", "--out", "none"), cwd=folder
    )
    assert fitted.code == 2
    assert not (folder / "none").exists()


def test_suggestions_are_drafts_in_a_copy_of_the_schema(folder: Path) -> None:
    done = tabsynth_here(
        "constraints", "suggest", "t.csv", "--schema", "s.yaml", "--out", "d.yaml", cwd=folder
    )
    assert done.code == 0, done.err
    assert "This output is private" in done.out
    table = read_schema(folder / "d.yaml").only_table
    kinds = {rule.kind for rule in table.constraints}
    assert {"inequality", "dependency", "formula", "conditional"} <= kinds
    assert all(rule.draft and rule.note for rule in table.constraints)
    assert not any(
        one.violations(stays(600)).any() for one in constraints_of(table) if one.rule.kind == "formula"
    )
    refused = tabsynth_here(
        "fit", "t.csv", "--schema", "d.yaml", "--engine", "independent", "--out", "x", cwd=folder
    )
    assert refused.code == 2
    assert "mined from private data and not stated by anybody" in refused.err
    again = tabsynth_here(
        "constraints", "suggest", "t.csv", "--schema", "s.yaml", "--out", "d.yaml", cwd=folder
    )
    assert "exists already" in again.err


def test_samples_say_how_rules_were_met(folder: Path) -> None:
    done = tabsynth_here("sample", "m", "--rows", "900", "--seed", "1", "--out", "rows.csv", cwd=folder)
    assert done.code == 0, done.err
    assert "0 violations  cost = price * number · computed, not learnt" in done.out
    assert "0 violations  out after in · repair: " in done.out
    checked = tabsynth_here("constraints", "check", "rows.csv", "--schema", "r.yaml", cwd=folder)
    assert checked.code == 0
    held = tabsynth_here(
        *("sample", "m", "--rows", "50", "--where", "cause=x", "--out", "held.csv", "--json"), cwd=folder
    )
    assert held.code == 0, held.err
    assert [rule["violations"] for rule in held.json["rules"]] == [0, 0, 0]
    assert held.json["rules"][2]["met_by"] == "computed, not learnt"
    assert set(pl.read_csv(folder / "held.csv")["alive"]) == {False}


def test_rows_that_cannot_be_made_leave_no_file(folder: Path) -> None:
    done = tabsynth_here(
        *("sample", "m", "--rows", "5", "--where", "cause=x", "--where", "alive=true", "--out", "bad.csv"),
        cwd=folder,
    )
    assert done.code == 2
    assert "the condition cannot be met" in done.err
    assert not (folder / "bad.csv").exists()


def test_reports_of_a_run_and_of_other_rows_hold_the_rules(folder: Path) -> None:
    (folder / "run.yaml").write_text(
        "version: 1\nschema: r.yaml\nprivacy: none\nseed: 1\n"
        "tables:\n  t: {source: t.csv, engine: independent}\n",
        "utf-8",
    )
    done = tabsynth_here("run", "run.yaml", "--out", "out", cwd=folder)
    assert done.code == 0, done.err
    assert "0 violations  cost = price * number · computed, not learnt" in done.out
    page = (folder / "out/private/t/report.html").read_text("utf-8")
    assert "Declared rules" in page
    assert "out after in" in page
    assert "computed, not learnt" in page
    assert "what became of its columns" in page
    found = Results.read_json(folder / "out/private/t/results.json")
    moved = {one.rule: one.change for one in found.rules}
    assert moved["cost = price * number"] is None  # nothing was done to rows
    assert moved["out after in"].n_rows == 600
    assert 0 < moved["out after in"].trend < 0.5
    again = tabsynth_here("run", "run.yaml", "--out", "again", "--json", cwd=folder)
    told = again.json["tables"]["t"]["rules"]
    assert [one["pair_change"] for one in told] == [one.change and one.change.trend for one in found.rules]


def test_an_evaluation_says_how_its_model_met_the_rules_and_what_it_cannot_know(folder: Path) -> None:
    rows = ("--synthetic", "t.csv", "--train", "t.csv", "--holdout", "t.csv", "--schema", "r.yaml")
    plain = tabsynth_here("evaluate", *rows, "--out", "plain", "--json", cwd=folder)
    assert [rule["met_by"] for rule in plain.json["rules"]] == [None, None, None]
    done = tabsynth_here("evaluate", *rows, "--model", "m", "--out", "known", "--json", cwd=folder)
    assert [rule["met_by"] for rule in done.json["rules"]][::2] == ["repair", "computed, not learnt"]
    assert [rule["rows_swapped"] for rule in done.json["rules"]] == [None, None, None]
    page = (folder / "known/report.html").read_text("utf-8")
    assert '<td>repair</td><td class="num">–</td>' in page


def test_a_schema_check_says_that_it_looks_at_no_rule(folder: Path) -> None:
    done = tabsynth_here("schema", "check", "t.csv", "--schema", "r.yaml", cwd=folder)
    assert done.code == 0
    assert "3 declared" in done.out
    assert "tabsynth constraints check t.csv --schema r.yaml" in done.out
    without = tabsynth_here("schema", "check", "t.csv", "--schema", "s.yaml", cwd=folder)
    assert "constraints check" not in without.out
