"""`tabsynth audit-engine noise`: exit codes, the two kinds of JSON, engines from outside, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tabsynth.audit.noise_results import NoiseResults
from tabsynth.models.registry import default_settings
from tests.end_to_end.commands import tabsynth_here

BROKEN = Path(__file__).parents[1] / "privacy/broken_engines.py"


def test_a_registered_engine_and_its_file(tmp_path: Path):
    """ε = 10, 60 fits: fails in at most 5 %, so a second try may be needed, both failing once in 400: no verdict is asserted."""
    done = tabsynth_here(
        "audit-engine", "noise", "--engine", "independent", "--epsilon", "10", "--runs", "60", "--json", "a.json",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.code in (0, 3, 4)
    assert done.out.split(":")[0] in ("PASS", "FAIL", "INCONCLUSIVE")
    assert "no user's data was read" in " ".join(done.out.split())
    found = NoiseResults.from_dict(json.loads((tmp_path / "a.json").read_text(encoding="utf-8")))
    assert {"pass": 0, "fail": 3, "inconclusive": 4}[found.outcome.value] == done.code
    assert (found.runs, found.epsilon, found.delta) == (60, 10, 1e-6)
    assert (found.engine, found.settings) == ("independent", default_settings("independent"))
    assert max(len(line) for line in done.out.splitlines()) <= 80


def test_a_command_that_breaks_its_promise_is_denied(tmp_path: Path):
    line = f'{sys.executable} -c "import shutil, sys; shutil.copy(*sys.argv[1:3])" {{train}} {{synthetic}}'
    done = tabsynth_here(
        "audit-engine", "noise", "--command", line, "--runs", "50", "--json", "-", cwd=tmp_path
    )
    assert done.code == 3
    assert (done.json["ok"], done.json["exit_code"], done.json["outcome"]) == (False, 3, "fail")
    assert done.json["accounted_mu"] is None
    assert all(pair["half_mu"] is None for pair in done.json["pairs"])


def test_a_function_in_a_file(tmp_path: Path):
    done = tabsynth_here(
        "audit-engine", "noise", "--function", f"{BROKEN}:exact_counts", "--mu", "0.2", "--runs", "50", "-q",
        cwd=tmp_path,
    )  # fmt: skip
    assert (done.code, done.out) == (3, "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--runs", "9"), "at least 50"),
        (("--budget", "1h"), "not one of 2m, 20m, 4h"),
        (("--command", "x {train} {synthetic}", "--engine", "independent"), "give one of them"),
        (("--command", "x {train} {synthetic}", "--function", "a:b"), "give one of them"),
        (("--command", "x {train} {synthetic}", "--rows-only"), "nothing but rows is seen"),
        (("--command-format", "csv"), "belong to a --command"),
        (("--mu", "1"), "belongs to an engine of your own"),
        (("--function", "json:nothing"), "no function"),
        (("--command", "x"), "{train} is missing"),
    ],
)
def test_what_is_refused(tmp_path: Path, options: tuple[str, ...], words: str):
    done = tabsynth_here("audit-engine", "noise", *options, cwd=tmp_path)
    assert done.code == 2
    assert words in " ".join(done.err.split())
