"""Privacy on the command line: the default, its plan, its ledger, and what it keeps to itself."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import tabsynth as ts
from tabsynth.errors import StructureError
from tabsynth.pipeline import FittedPipeline
from tabsynth.privacy import Budget
from tabsynth.privacy.ledger_file import open_ledger_file, read_ledger_file
from tests.end_to_end.commands import CANARY_NUMBER, CANARY_TEXT, masked, stays, tabsynth, tabsynth_here

_N_ROWS = 1237
_ENGINE = ("--engine", "independent")
_FIT = ("fit", "stays.csv", "--schema", "schema.yaml", *_ENGINE)
_GUARANTEE = "Differentially private: ε = 1, δ = 1e-06, unit: row."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table, its draft, the same with two columns confirmed, and a model of the draft."""
    folder = tmp_path_factory.mktemp("private")
    stays(_N_ROWS).write_csv(folder / "stays.csv")
    schema = masked(ts.draft_schema(folder / "stays.csv"))
    ts.write_schema(schema, folder / "schema.yaml", private_note=True)
    stated = ts.confirm(schema, by="A", source="B", columns=["age", "died 🪦"])
    ts.write_schema(stated, folder / "stated.yaml", private_note=True)
    done = tabsynth("fit", "stays.csv", "--schema", "schema.yaml", "--out", "model", cwd=folder)
    assert done.code == 0, done.err
    (folder / "fit.txt").write_text(done.out + done.err, encoding="utf-8")
    return folder


def test_a_fit_is_private_and_says_what_it_took(folder: Path) -> None:
    said = (folder / "fit.txt").read_text(encoding="utf-8")
    assert _GUARANTEE in said
    assert "The domains of 9 of 9 columns are drafts" in said
    assert "This takes 20% of the budget." in said
    assert "Fitted bayesian_network to about " in said
    assert f"{_N_ROWS:,}" not in said or FittedPipeline.load(folder / "model").n_rows == _N_ROWS


def test_nothing_that_it_writes_holds_a_canary(folder: Path) -> None:
    """The commands' own words are looked at wherever they are run."""
    out = folder / "rows.csv"
    done = tabsynth_here("sample", "model", "--out", out, "--seed", "1", "--overwrite", cwd=folder)
    assert done.code == 0
    seen = CANARY_TEXT[:10]  # as much of it as the codes of a ward hold
    assert seen.upper() in (folder / "stays.csv").read_text(encoding="utf-8")
    for path in (*(folder / "model").iterdir(), out):
        text = path.read_bytes().decode("latin-1").casefold()
        assert seen not in text, path
        assert str(CANARY_NUMBER) not in text, path


def test_json_of_a_fit(folder: Path, tmp_path: Path) -> None:
    args = ("fit", "stays.csv", "--schema", "stated.yaml", *_ENGINE, "--epsilon", "2", "--delta", "1e-5")
    found = tabsynth_here(*args, "--out", tmp_path / "m", "--json", cwd=folder).json
    assert found["privacy"] == {"epsilon": 2.0, "delta": 1e-5}
    assert found["guarantee"] == "Differentially private: ε = 2, δ = 1e-05, unit: row."
    assert found["rows"] == FittedPipeline.load(tmp_path / "m").n_rows
    assert found["ledger"] is None
    assert len(found["bought_domains"]["columns"]) == 7
    assert 0.1 < found["bought_domains"]["share"] < 0.2
    plain = tabsynth_here(*_FIT, "--no-privacy", "--out", tmp_path / "n", "--json", cwd=folder).json
    assert (plain["privacy"], plain["rows"], plain["bought_domains"]) == ("none", _N_ROWS, None)


def test_a_plan_is_shown_before_any_data_is_read(folder: Path, tmp_path: Path) -> None:
    schema = folder / "stated.yaml"
    shown = tabsynth_here("budget", "plan", "--schema", schema, "--rows", "20000", cwd=tmp_path)
    assert shown.code == 0, shown.err
    for said in (
        _GUARANTEE,
        "Engine: bayesian_network",
        "number of rows",
        "levels of drafted columns",
        "pair marginals",
        "error at 200 rows",
        "The domains of 7 of 9 columns are drafts",
        "schema confirm",
        "at most the 1e-06 asked",
        "privacy loss distributions",
        "no data read",
    ):
        assert said in " ".join(shown.out.split()), said
    found = tabsynth_here(
        "budget", "plan", "--schema", schema, *_ENGINE, "--epsilon", "0.5", "--json", cwd=tmp_path
    ).json
    report = ts.budget_plan(ts.read_schema(schema), engine="independent", privacy=Budget(epsilon=0.5))
    assert found["parts"] == json.loads(json.dumps(report.to_dict()))["parts"]
    assert (found["epsilon"], found["delta"], found["guessed_rows"]) == (0.5, 1e-6, None)
    assert found["composed_delta"] <= 1e-6
    assert sum(part["share"] for part in found["parts"]) == pytest.approx(1)
    persons = (folder / "stated.yaml").read_text(encoding="utf-8")
    unit = persons.replace("    columns:\n", "    unit: {column: stay id, max_rows: 3}\n    columns:\n", 1)
    (tmp_path / "persons.yaml").write_text(unit, encoding="utf-8")
    wide = tabsynth_here("budget", "plan", "--schema", "persons.yaml", "--json", cwd=tmp_path).json
    assert (wide["sensitivity"], found["sensitivity"]) == (3, 1)
    assert wide["guarantee"].endswith("unit: person (column stay id, at most 3 rows).")


def test_a_ledger_is_continued_and_its_cap_holds(folder: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    started = tabsynth_here("ledger", "create", ledger, "--source", "stays", "--epsilon", "1.3", cwd=folder)
    assert (started.code, "Started a ledger of 'stays'" in started.out) == (0, True)
    for number in (1, 2):
        args = (
            *_FIT,
            "--ledger",
            ledger,
            "--source",
            "stays",
            "--epsilon",
            "0.7",
            "--out",
            tmp_path / f"m{number}",
        )
        done = tabsynth_here(*args, "--json", cwd=folder)
        assert done.code == 0, done.err
        assert done.json["ledger"]["source"] == "stays"
    assert 0.7 < done.json["ledger"]["epsilon"] < 1.3
    before = ledger.read_bytes()
    denied = tabsynth(
        "fit", "absent.csv", *_FIT[2:], "--ledger", ledger, "--out", tmp_path / "m3", cwd=folder
    )
    assert denied.code == 3  # denied by policy, before the table is so much as looked for
    assert "the ledger's cap of ε = 1.3" in denied.err
    assert "nothing was released" in denied.err
    assert not (tmp_path / "m3").exists()
    assert ledger.read_bytes() == before
    shown = tabsynth_here("ledger", "show", ledger, cwd=folder)
    for said in ("Fit 1", "Fit 2", "one-way marginals", "Gaussian σ ", "of 1.3 spent"):
        assert said in shown.out
    found = tabsynth_here("ledger", "show", ledger, "--json", cwd=folder).json
    assert {charge["fit"] for charge in found["charges"]} == {1, 2}
    assert found["epsilon"] == pytest.approx(done.json["ledger"]["epsilon"])
    assert 0 < found["left"] < 1
    model = tabsynth_here("ledger", "show", tmp_path / "m2", cwd=folder)
    for said in ("They compose to ε = ", "after ", "of earlier fits", "a copy that cannot be continued"):
        assert said in model.out


def test_a_ledger_in_use_of_another_source_or_copied_is_refused(folder: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    assert (
        tabsynth_here("ledger", "create", ledger, "--source", "stays", "--epsilon", "3", cwd=folder).code == 0
    )
    args = (*_FIT, "--ledger", ledger, "--out", tmp_path / "m")
    with open_ledger_file(ledger, source="stays"):
        locked = tabsynth(*args, cwd=folder)
    assert (locked.code, locked.out) == (2, "")
    assert "another fit has the ledger open" in locked.err
    other = tabsynth_here(*args, "--source", "visits", cwd=folder)
    assert (other.code, "ledger of another source, 'stays'" in other.err) == (2, True)
    (tmp_path / "copy").write_bytes(ledger.read_bytes())
    copied = tabsynth_here(*_FIT, "--ledger", tmp_path / "copy", "--out", tmp_path / "m", cwd=folder)
    assert (copied.code, "is a copy of a ledger" in copied.err) == (2, True)
    assert not (tmp_path / "m").exists()
    ledger.unlink()
    moved = tabsynth_here("ledger", "moved", tmp_path / "copy", "--source", "stays", cwd=folder)
    assert moved.code == 0
    assert tabsynth_here(*_FIT, "--ledger", tmp_path / "copy", "--out", tmp_path / "m", cwd=folder).code == 0
    assert read_ledger_file(tmp_path / "copy").charges


def test_the_ledger_of_any_model_can_be_shown(folder: Path, tmp_path: Path) -> None:
    shown = tabsynth_here("ledger", "show", "model", cwd=folder)
    for said in ("number of rows", "levels of drafted columns", "pair marginals", _GUARANTEE, "at δ = 1e-06"):
        assert said in shown.out
    found = tabsynth_here("ledger", "show", "model", "--json", cwd=folder).json
    assert (found["kind"], found["delta"], found["former_charges"], found["series"]) == (
        "model",
        1e-6,
        0,
        None,
    )
    assert 0.9 < found["epsilon"] <= 1.0
    assert len(found["charges"]) == len(FittedPipeline.load(folder / "model").charges)
    assert tabsynth_here(*_FIT, "--no-privacy", "--out", tmp_path / "n", cwd=folder).code == 0
    exact = tabsynth_here("ledger", "show", tmp_path / "n", cwd=folder)
    assert "Some releases were exact: ε = ∞." in exact.out
    assert tabsynth_here("ledger", "show", tmp_path / "n", "--json", cwd=folder).json["epsilon"] is None


def test_a_run_is_private_and_keeps_its_figures_apart(folder: Path, tmp_path: Path) -> None:
    tables = {"stays": {"source": str(folder / "stays.csv"), "engine": "independent", "rows": 300}}
    run = {"version": 1, "seed": 1, "schema": str(folder / "stated.yaml"), "tables": tables}
    (tmp_path / "run.json").write_text(json.dumps(run))
    done = tabsynth_here("run", "run.json", "--out", "out", cwd=tmp_path)
    assert done.code == 0, done.err
    assert _GUARANTEE in done.out
    assert (
        "  The domains of 7 of 9 columns are drafts, read off the data and not confirmed: they are"
        in done.out
    )
    assert "  This takes " in done.out
    assert (
        "Private output: the figures were computed from the real tables, and no guarantee covers them."
        in done.out
    )
    assert "learnt from about " in done.out
    assert "privacy: {epsilon: 1.0, delta: 1.0e-06}" in (tmp_path / "out/private/run.yaml").read_text(
        encoding="utf-8"
    )
    results = json.loads((tmp_path / "out/private/stays/results.json").read_text(encoding="utf-8"))
    assert (results["private_output"], results["guarantee"]) == (True, _GUARANTEE)
    for part in ("model/model.json", "synthetic.csv"):
        assert (
            CANARY_TEXT
            not in (tmp_path / "out/publishable/stays" / part).read_text(encoding="utf-8").casefold()
        )
    again = tabsynth_here("run", "out/private/run.yaml", "--out", "again", "--json", cwd=tmp_path)
    assert again.code == 0, again.err
    assert again.json["tables"]["stays"]["private_output"] is True


def test_budgets_that_guarantee_little_are_pointed_out(folder: Path) -> None:
    plan = ("budget", "plan", "--schema", "schema.yaml", *_ENGINE)
    usual = tabsynth_here(*plan, "--epsilon", "10", "--delta", "1e-4", cwd=folder)
    assert (usual.code, usual.err) == (0, "")
    weak = tabsynth_here(*plan, "--epsilon", "10.5", "--delta", "0.001", cwd=folder)
    assert weak.code == 0
    assert "ε = 10.5 is a weak guarantee" in weak.err
    assert "δ = 0.001 is a weak guarantee" in weak.err


def test_columns_that_noise_makes_constant_are_named(folder: Path, tmp_path: Path) -> None:
    """σ is above 10,000 rows at this ε: a level of 1,237 is found with a probability far below 1e-6."""
    args = (*_FIT, "--out", tmp_path / "m", "--epsilon", "0.001")
    done = tabsynth_here(*args, cwd=folder)
    assert done.code == 0, done.err
    bought = FittedPipeline.load(tmp_path / "m").schema
    line = next(line for line in done.out.splitlines() if line.startswith("No more than one level"))
    names = [c.name for c in bought.columns if c.categories is not None and len(c.categories) == 1]
    assert names
    assert f" of {', '.join(names)}: " in line


def test_columns_whose_range_noise_hides_are_named_by_fit_and_by_run(folder: Path, tmp_path: Path) -> None:
    """σ is above 10,000 rows at this ε: of a column a range is found in one of 1,000 fits at most, of all in far fewer."""
    done = tabsynth_here(*_FIT, "--out", tmp_path / "m", "--epsilon", "0.001", cwd=folder)
    assert done.code == 0, done.err
    model = FittedPipeline.load(tmp_path / "m")
    said = f"No range was found of {', '.join(model.placeholders)}: noise hides it."
    assert model.placeholders
    assert said in done.out
    tables = {"stays": {"source": str(folder / "stays.csv"), "engine": "independent", "rows": 300}}
    run = {
        "version": 1,
        "schema": str(folder / "schema.yaml"),
        "privacy": {"epsilon": 0.001},
        "tables": tables,
    }
    (tmp_path / "run.json").write_text(json.dumps(run))
    ran = tabsynth_here("run", "run.json", "--out", "out", cwd=tmp_path)
    assert ran.code == 0, ran.err
    planned = done.out[done.out.index("The domains of") : done.out.index("No more than")].splitlines()
    of_run = FittedPipeline.load(tmp_path / "out/publishable/stays/model").notes
    assert (len(planned), len(of_run)) == (5, 2)
    for note in (*planned, *of_run):
        assert f"  {note}\n" in ran.out
    results = json.loads((tmp_path / "out/private/stays/results.json").read_text(encoding="utf-8"))
    page = (tmp_path / "out/private/stays/report.html").read_text(encoding="utf-8")
    for note in of_run:
        assert note in results["notes"]
        assert note in page


def test_an_evaluation_says_what_noise_hid_of_its_model(folder: Path, tmp_path: Path) -> None:
    assert tabsynth_here(*_FIT, "--out", tmp_path / "m", "--epsilon", "0.001", cwd=folder).code == 0
    fitted = tabsynth_here(*_FIT, "--out", tmp_path / "j", "--epsilon", "0.001", "--json", cwd=folder).json
    assert fitted["notes"] == list(FittedPipeline.load(tmp_path / "j").notes)
    split = ("split", "stays.csv", "--schema", "schema.yaml", "--out", tmp_path / "parts")
    assert tabsynth_here(*split, cwd=folder).code == 0
    parts = ("--train", tmp_path / "parts/train.parquet", "--holdout", tmp_path / "parts/holdout.parquet")
    figures = ("--schema", "schema.yaml", "--model", tmp_path / "m", "--out", tmp_path / "ev")
    done = tabsynth_here("evaluate", "--synthetic", folder / "stays.csv", *parts, *figures, cwd=folder)
    assert done.code == 0, done.err
    page = (tmp_path / "ev/report.html").read_text(encoding="utf-8")
    for note in FittedPipeline.load(tmp_path / "m").notes:
        assert note in page


def test_units_are_not_mixed_in_one_ledger(folder: Path, tmp_path: Path) -> None:
    """And names of columns are whole where the ledger is shown in eighty columns."""
    text = (folder / "stated.yaml").read_text(encoding="utf-8")
    unit = text.replace("    columns:", "    unit: {column: stay id, max_rows: 3}\n    columns:", 1)
    (tmp_path / "persons.yaml").write_text(unit, encoding="utf-8")
    ledger = tmp_path / "ledger"
    assert tabsynth_here("ledger", "create", ledger, "--source", "s", "--epsilon", "2", cwd=folder).code == 0
    fit = ("fit", "stays.csv", *_ENGINE, "--ledger", ledger, "--epsilon", "0.5")
    persons = tabsynth_here(*fit, "--schema", tmp_path / "persons.yaml", "--out", tmp_path / "m1", cwd=folder)
    assert persons.code == 0
    shown = tabsynth_here("ledger", "show", ledger, cwd=folder).out
    assert "admitted" in shown
    rows = tabsynth_here(*fit, "--schema", "stated.yaml", "--out", tmp_path / "m2", cwd=folder)
    assert rows.code == 2
    assert "protect units of up to 3 rows, this one of up to 1" in rows.err
    assert not (tmp_path / "m2").exists()
    assert "Fit 2" not in tabsynth_here("ledger", "show", ledger, cwd=folder).out


def test_confirming_says_what_a_statement_costs(folder: Path, tmp_path: Path) -> None:
    schema = tmp_path / "schema.yaml"
    schema.write_bytes((folder / "schema.yaml").read_bytes())
    confirm = ("schema", "confirm", schema, "--by", "A", "--source", "B", "--column")
    bounded = tabsynth_here(*confirm, "age", cwd=folder)
    assert "as they stand, without noise" in bounded.out
    assert "least and greatest value of the data: age. " in bounded.out
    again = tabsynth_here(*confirm, "age", cwd=folder)
    assert "least and greatest" not in again.out


def test_text_in_place_of_numbers_is_refused_before_anything_is_charged(tmp_path: Path) -> None:
    pl.DataFrame({"price": [f"{at},5" for at in range(100)]}).write_parquet(tmp_path / "t.parquet")
    price = "{kind: number, bounds: [0, 100], decimals: 1}"
    (tmp_path / "s.yaml").write_text(f"version: 1\ntables: {{t: {{columns: {{price: {price}}}}}}}\n")
    started = ("ledger", "create", "l", "--source", "t", "--epsilon", "1")
    assert tabsynth_here(*started, cwd=tmp_path).code == 0
    for options in ((), ("--ledger", "l")):
        fit = ("fit", "t.parquet", "--schema", "s.yaml", *_ENGINE, "--out", "m", *options, "--json")
        done = tabsynth_here(*fit, cwd=tmp_path)
        assert (done.code, done.json["error"]["type"]) == (2, "StructureError")
        assert "column 'price': is text, expected float64" in done.err
        assert not (tmp_path / "m").exists()
    with pytest.raises(StructureError, match="is text, expected float64"):
        ts.fit(
            tmp_path / "t.parquet", schema=tmp_path / "s.yaml", ledger=tmp_path / "l", engine="independent"
        )
    assert read_ledger_file(tmp_path / "l").charges == ()
