"""From a CSV file to a report, command by command, as an analyst would type them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import polars as pl
import pytest
import yaml

from tabsynth.evaluate import Results
from tabsynth.schema import read_schema, write_schema
from tests.end_to_end.commands import CANARY_NUMBER, CANARY_TEXT, Done, masked, stays, tabsynth, tabsynth_here

_SOURCE = "stays 2025.csv"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source alone, in semicolons and with a null mark of its own."""
    made = tmp_path_factory.mktemp("chain")
    stays().write_csv(made / _SOURCE, separator=";", null_value="n/a")
    return made


@pytest.fixture(scope="module")
def chain(folder: Path) -> dict[str, Done]:
    """Every command of the way, each on what the one before it wrote."""
    commands = {
        "draft": ["schema", "draft", _SOURCE, "--null-mark", "n/a", "--out", "schema.yaml"],
        "confirm": [
            "schema",
            "confirm",
            "schema.yaml",
            "--by",
            "A. Steward",
            "--source",
            "form 4",
            "--column",
            "age",
        ],
        "check": ["schema", "check", _SOURCE, "--schema", "schema.yaml"],
        "split": [
            "split",
            _SOURCE,
            "--schema",
            "schema.yaml",
            "--holdout",
            "0.5",
            "--seed",
            "1",
            "--out",
            "parts",
        ],
        "fit": ["fit", "parts/train.parquet", "--schema", "schema.yaml", "--no-privacy", "--out", "model"],
        "sample": ["sample", "model", "--rows", "200", "--seed", "5", "--out", "synthetic.csv"],
        "evaluate": [
            *("evaluate", "--synthetic", "synthetic.csv", "--schema", "schema.yaml", "--model", "model"),
            *("--train", "parts/train.parquet", "--holdout", "parts/holdout.parquet"),
            *("--target", "age", "--title", "Stays", "--out", "report"),
        ],
    }
    done = {}
    for name, command in commands.items():
        done[name] = tabsynth(*command, cwd=folder)
        if name == "draft":
            drafted = read_schema(folder / "schema.yaml")
            write_schema(masked(drafted), folder / "schema.yaml", private_note=True)
    return done


def test_every_command_succeeds_and_names_what_it_wrote(chain: dict[str, Done], folder: Path) -> None:
    written = {
        "draft": ["schema.yaml"],
        "confirm": ["schema.yaml"],
        "check": [],
        "split": ["parts/train.parquet", "parts/holdout.parquet"],
        "fit": ["model"],
        "sample": ["synthetic.csv"],
        "evaluate": ["report/report.html", "report/results.json"],
    }
    for name, done in chain.items():
        assert done.code == 0, done.err
        for file in written[name]:
            assert file in done.out
            assert (folder / file).exists()


def test_the_next_command_that_is_suggested_can_be_typed(chain: dict[str, Done]) -> None:
    for name in ("draft", "check", "split", "fit", "sample"):
        lines = chain[name].out.splitlines()
        suggested = [shlex.split(line) for line in lines[lines.index("Next:") + 1 :]]
        assert suggested, name
        assert all(command[0] == "tabsynth" for command in suggested)


def test_the_draft_is_private_and_keeps_the_dialect(chain: dict[str, Done], folder: Path) -> None:
    text = (folder / "schema.yaml").read_text(encoding="utf-8")
    assert text.startswith("# PRIVATE")
    table = yaml.safe_load(text)["tables"]["stays 2025"]
    assert table["csv"] == {"delimiter": ";", "null_marks": ["n/a"]}
    assert table["columns"]["pressure"]["nullable"] is True
    assert table["columns"]["age"]["domain"]["by"] == "A. Steward"
    assert "private" in chain["draft"].out
    assert "9 columns" in chain["draft"].out


def test_the_split_parts_the_rows(chain: dict[str, Done], folder: Path) -> None:  # noqa: ARG001
    parts = [pl.read_parquet(folder / "parts" / name) for name in ("train.parquet", "holdout.parquet")]
    assert [part.height for part in parts] == [200, 200]
    keys = pl.concat([part["stay id"] for part in parts])
    assert keys.sort().to_list() == [f"S{i:05d}" for i in range(400)]


def test_the_rows_look_like_the_source(chain: dict[str, Done], folder: Path) -> None:  # noqa: ARG001
    source = pl.read_csv(folder / _SOURCE, separator=";", null_values="n/a", try_parse_dates=True)
    made = pl.read_csv(folder / "synthetic.csv", separator=";", null_values="n/a", try_parse_dates=True)
    assert made.height == 200
    assert made.schema == source.schema
    assert set(made["ward"]) <= set(source["ward"])
    assert made["stay id"].n_unique() == 200
    text = (folder / "synthetic.csv").read_text(encoding="utf-8").splitlines()
    assert text[0] == "stay id;admitted;age;ward;pressure;charge;a=b;note;died 🪦"
    charges = [line.split(";")[5] for line in text[1:]]
    assert all(len(charge.partition(".")[2]) in (1, 2) for charge in charges)  # as few as in the source


def test_a_fit_says_that_it_is_not_anonymous(chain: dict[str, Done]) -> None:
    for name in ("fit", "sample", "evaluate"):
        assert "not anonymous by construction" in " ".join(chain[name].out.split()).lower()


def test_the_report_and_the_figures_are_there(chain: dict[str, Done], folder: Path) -> None:
    results = Results.read_json(folder / "report" / "results.json")
    assert (results.title, results.n_train, results.n_holdout, results.n_synthetic) == (
        "Stays",
        200,
        200,
        200,
    )
    assert results.target == "age"
    assert results.guarantee.startswith("Not anonymous by construction")
    page = (folder / "report" / "report.html").read_text(encoding="utf-8")
    assert "<title>" in page
    assert "counts of levels" in page  # the model's ledger
    assert "Stays" in chain["evaluate"].out
    assert "Floor" in chain["evaluate"].out


def test_the_same_seed_gives_the_same_rows(chain: dict[str, Done], folder: Path) -> None:  # noqa: ARG001
    again = tabsynth_here("sample", "model", "--rows", "200", "--seed", "5", "--out", "again.csv", cwd=folder)
    assert again.code == 0
    assert (folder / "again.csv").read_bytes() == (folder / "synthetic.csv").read_bytes()


def test_conditions_hold_in_every_row(chain: dict[str, Done], folder: Path) -> None:  # noqa: ARG001
    where = {"ward": "eye, ear", "a=b": "2", "pressure": "", "admitted": "2025-03-01"}
    held = [part for name, value in where.items() for part in ("--where", f"{name}={value}")]
    done = tabsynth_here(
        "sample", "model", "--rows", "50", *held, "--out", "where.parquet", "--json", cwd=folder
    )
    assert done.code == 0, done.err
    rows = pl.read_parquet(folder / "where.parquet")
    assert rows.height == 50
    assert rows["ward"].unique().to_list() == ["eye, ear"]
    assert rows["a=b"].unique().to_list() == [2]
    assert rows["pressure"].null_count() == 50
    assert rows["admitted"].dt.to_string().unique().to_list() == ["2025-03-01"]


def test_by_default_as_many_rows_as_were_fitted(chain: dict[str, Done], folder: Path) -> None:  # noqa: ARG001
    done = tabsynth_here("sample", "model", "--out", "default.arrow", "--json", cwd=folder)
    assert done.json["rows"] == 200
    assert pl.read_ipc(folder / "default.arrow").height == 200


def test_a_run_file_does_it_all(chain: dict[str, Done], folder: Path) -> None:  # noqa: ARG001
    run = {
        "version": 1,
        "schema": "schema.yaml",
        "privacy": "none",
        "seed": 3,
        "output": {"formats": ["parquet"]},
        "tables": {"stays 2025": {"source": _SOURCE, "engine": "independent", "rows": 300, "target": "age"}},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(run), encoding="utf-8")
    done = tabsynth_here("run", "run.yaml", "--out", "out", "--json", cwd=folder)
    assert done.code == 0, done.err
    assert done.json["tables"]["stays 2025"]["rows"] == 300
    assert all((folder / file).exists() for file in done.json["files"])
    table = folder / "out/private" / "stays 2025"
    assert sorted(path.name for path in table.iterdir()) == [
        "model",
        "report.html",
        "results.json",
        "synthetic.parquet",
    ]
    assert pl.read_parquet(table / "synthetic.parquet").height == 300
    results = Results.read_json(table / "results.json")
    assert results.n_synthetic == results.n_train == 200
    assert any("first 200 of 300" in note for note in results.notes)
    repeat = yaml.safe_load((folder / "out/private/run.yaml").read_text(encoding="utf-8"))
    assert repeat["seed"] == 3
    assert repeat["tables"]["stays 2025"]["settings"]["min_group"] == 11


def test_where_the_canaries_may_be(chain: dict[str, Done], folder: Path) -> None:  # noqa: ARG001
    """No command printed one (`tabsynth` above looks). Without privacy, files may hold them so:

    - the split parts: real rows;
    - the draft schema, and the model and the run's schema that copy it: every category, and bounds;
    - synthetic rows: a category that one row holds, numbers up to the largest; free text is made anew;
    - the figures and the report, which are private: the largest number, as the edge of a chart.
    Free text is nowhere, and a category that one row holds is neither in the figures nor in the report.
    """
    rows = {".csv", ".parquet", ".arrow"}
    for path in folder.rglob("*"):
        if not path.is_file() or path.suffix in rows or path.name in ("schema.yaml", "model.json"):
            continue
        text = path.read_bytes().decode("utf-8", errors="replace").casefold()
        assert CANARY_TEXT not in text, path
        assert str(CANARY_NUMBER) not in text or path.name in ("results.json", "report.html"), path
    for name in ("synthetic.csv", "again.csv"):
        assert f"called {CANARY_TEXT}" not in (folder / name).read_text(encoding="utf-8")
    model = json.loads((folder / "model" / "model.json").read_text(encoding="utf-8"))
    rest = json.dumps({**model, "schema": None}).casefold()
    assert CANARY_TEXT not in rest
    assert str(CANARY_NUMBER) not in rest
