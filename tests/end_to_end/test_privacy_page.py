"""The page on differential privacy: every test it names exists, and its figures are those of closed forms."""

from __future__ import annotations

import ast
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/explanation/differential-privacy.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::([\w:]+)`", PAGE)
DELTA = 1e-5


def functions_of(path: str) -> set[str]:
    """Every test of a file: `name`, or `Class::name`."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for group in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        found |= {f"{group.name}::{node.name}" for node in group.body if isinstance(node, ast.FunctionDef)}
    return found


def test_every_test_that_is_named_exists():
    missing = [f"{path}::{name}" for path, name in NAMED if name not in functions_of(path)]
    assert missing == []
    assert len(NAMED) > 40


def test_every_claim_and_fault_names_one():
    for title, n_least in (("| Claim | Breaks |", 20), ("| Fault | Planted by |", 10)):
        table = PAGE.split(title)[1].split("\n\n")[0].strip().splitlines()[1:]
        assert len(table) >= n_least
        assert all(re.search(r"`tests/[\w/]+\.py::[\w:]+`", line) for line in table)


def test_every_planted_fault_is_listed():
    path = "tests/privacy/test_planted_faults.py"
    planted = {name for name in functions_of(path) if name.startswith("test_")}
    assert planted == {name for where, name in NAMED if where == path}


def gaussian_mu(epsilon: float) -> float:
    """μ of the Gaussian mechanism whose δ at ε is `DELTA` (Balle and Wang 2018)."""

    def excess(mu: float) -> float:
        second = math.exp(epsilon + norm.logcdf(-mu / 2 - epsilon / mu))
        return float(norm.cdf(mu / 2 - epsilon / mu)) - second - DELTA

    return float(brentq(excess, 1e-3, 30))


def any_power(epsilon: float, level: np.ndarray) -> np.ndarray:
    """The most powerful test that (ε, δ) allows (Kairouz, Oh and Viswanath 2015)."""
    upper = np.minimum(DELTA + math.exp(epsilon) * level, 1 - math.exp(-epsilon) * (1 - DELTA - level))
    return np.minimum(1, upper)


def test_the_attackers_figures_are_the_closed_forms():
    rows = re.findall(r"^\| (\d+) \|" + r" ([\d.]+) \|" * 5 + "$", PAGE, flags=re.MULTILINE)
    assert [int(row[0]) for row in rows] == [1, 3, 10]
    levels = np.linspace(0, 1, 1_000_001)
    for row in rows:
        epsilon, stated = float(row[0]), [float(cell) for cell in row[1:]]
        mu = gaussian_mu(epsilon)
        powers = any_power(epsilon, levels)
        expected = (
            (powers[1:] + powers[:-1]).mean() / 2,
            any_power(epsilon, np.array(0.01)),
            norm.cdf(mu / math.sqrt(2)),
            norm.cdf(norm.ppf(0.01) + mu),
            mu,
        )
        assert stated == pytest.approx([float(figure) for figure in expected], abs=0.0006)


def test_pure_privacy_by_hand():
    """With δ next to 0 the area is e^ε / (1 + e^ε)."""
    levels = np.linspace(0, 1, 1_000_001)
    area = any_power(1.0, levels).mean()
    assert area == pytest.approx(math.e / (1 + math.e), abs=1e-4)


def test_the_audits_figures_are_those_of_the_large_run():
    found = json.loads((ROOT / "benchmarks/results/audit_noise.json").read_text(encoding="utf-8"))
    rows = re.findall(
        r"^\| (\w+) \| ([\d.]+) \| (\d) \| (\S+) \| ([\d,]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| (\w+) \|$",
        PAGE,
        flags=re.MULTILINE,
    )
    assert len(rows) == len(found)
    shares = {"1": 1.0, "1/2": 0.5, "1/3": 1 / 3}
    for (engine, epsilon, k, share, runs, mu, seen, bound, verdict), one in zip(rows, found, strict=True):
        assert (engine, float(epsilon), int(k)) == (one["engine"], one["epsilon"], one["rows_of_unit"])
        assert shares[share] == pytest.approx(one["noise"], abs=1e-3)
        assert int(runs.replace(",", "")) == one["runs_of_each_table"]
        worst = max(one["pairs"], key=lambda pair: pair["mu_lower"])
        figures = [one["accounted_mu"], worst["mu"], worst["mu_lower"]]
        assert [float(mu), float(seen), float(bound)] == pytest.approx(figures, abs=0.0006)
        assert verdict == one["outcome"]
