"""The examples run as their readers run them, and print what they promise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PROMISED = {
    "pandas_round_trip.py": ["synthetic", "Differentially private: ε = 1, δ = 1e-06, unit: row."],
    "conditional_sampling.py": ["synthetic rows with both: 10000", "Differentially private: ", "refused: "],
    "rules.py": [
        "amount = duration * payments: 0 violations, by computed, not learnt",
        "granted < first_payment: 0 violations, by repair",
    ],
    "evaluate_and_report.py": [
        "independent       report-independent.html",
        "bayesian_network  report-bayesian_network.html",
    ],
}


def test_every_example_is_run():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(PROMISED)


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_example_runs(name: str, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        cwd=tmp_path,
        env={**os.environ, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    for text in PROMISED[name]:
        assert text in done.stdout
    assert done.stderr == ""
    for page in tmp_path.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert text.startswith("<!doctype html>")
        assert text.rstrip().endswith("</html>")
