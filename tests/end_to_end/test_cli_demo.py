"""`tabsynth demo`: the first thing that anybody types."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import polars as pl
import pytest

from tabsynth.evaluate import Results
from tests.end_to_end.commands import tabsynth, tabsynth_here

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("linearmodels") is None, reason="linearmodels (extra demo) is not installed"
    ),
]

_GUARANTEE = "Differentially private: ε = 1, δ = 1e-06, unit: row."
_FILES = {
    "report.html": "the report",
    "synthetic.csv": "the synthetic table",
    "synthetic.parquet": "the synthetic table",
    "model": "the model",
    "results.json": "every figure",
    "source.csv": "the real table",
    "schema.yaml": "its schema",
    "run.yaml": "run file",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


def test_the_demo_makes_a_table_and_its_report(folder: Path) -> None:
    started = time.monotonic()
    done = tabsynth("demo", cwd=folder)
    assert done.code == 0, done.err
    assert time.monotonic() - started < 60
    assert "Its domains are public" in done.err
    assert _GUARANTEE in done.out
    assert "Floor" in done.out
    last = done.out[done.out.index("Learnt from") :]
    for name, what in _FILES.items():
        assert (folder / "tabsynth-demo" / name).exists()
        (line,) = (line for line in last.splitlines() if line.strip().startswith(f"tabsynth-demo/{name} "))
        assert what in line
    rows = pl.read_parquet(folder / "tabsynth-demo" / "synthetic.parquet")
    # twice a noisy number of train rows, with noise of about 60 rows: 6 of them once in 10^9 runs
    assert 9_600 < rows.height < 11_200
    assert rows.width == 17
    assert rows.equals(pl.read_csv(folder / "tabsynth-demo" / "synthetic.csv"))
    results = Results.read_json(folder / "tabsynth-demo" / "results.json")
    assert results.target == "priority_condition"
    assert (results.n_train, results.n_holdout) == (5195, 5196)
    assert (results.guarantee, results.private_output) == (_GUARANTEE, True)


def test_what_the_demo_suggests_works(folder: Path) -> None:
    done = tabsynth_here(
        "sample",
        "tabsynth-demo/model",
        "--where",
        "health=poor",
        "--rows",
        "1000",
        "--out",
        "poor.csv",
        cwd=folder,
    )
    assert done.code == 0, done.err
    assert set(pl.read_csv(folder / "poor.csv")["health"]) == {"poor"}


def test_without_privacy_the_run_file_of_the_demo_gives_the_same_rows(folder: Path) -> None:
    exact = tabsynth_here("demo", "--no-privacy", "--out", "exact", "--json", cwd=folder)
    assert exact.code == 0, exact.err
    assert exact.json["rows"] == 10_391
    assert exact.json["private_output"] is True
    assert "not anonymous by construction" in exact.err
    text = (folder / "exact" / "run.yaml").read_text(encoding="utf-8")
    plain = folder / "exact" / "plain.yaml"  # the same, less what takes time
    plain.write_text(text.replace("formats: [parquet, csv]", "formats: [csv]"), encoding="utf-8")
    done = tabsynth_here("run", plain, "--out", "again", cwd=folder)
    assert done.code == 0, done.err
    made = (folder / "again" / "private" / "meps" / "synthetic.csv").read_bytes()
    assert made == (folder / "exact" / "synthetic.csv").read_bytes()


def test_the_demo_does_not_overwrite(folder: Path) -> None:
    done = tabsynth_here("demo", "--json", cwd=folder)
    assert done.code == 2
    assert done.json["error"]["type"] == "OutputExistsError"
