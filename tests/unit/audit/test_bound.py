"""The best attacker under (ε, δ)."""

from __future__ import annotations

import numpy as np
import pytest

from tabsynth.audit.bound import best_tpr, bound_of
from tabsynth.errors import UsageError


@pytest.mark.parametrize(("epsilon", "auc", "tpr"), [(1, 0.731, 0.027), (3, 0.953, 0.201)])
def test_figures_of_the_closed_form(epsilon: float, auc: float, tpr: float):
    bound = bound_of(epsilon, 1e-5)
    assert (round(bound.auc, 3), round(bound.tpr_at_1, 3)) == (auc, tpr)


def test_ten_is_no_protection():
    bound = bound_of(10, 1e-5)
    assert bound.auc > 0.999
    assert bound.tpr_at_1 == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("epsilon", "delta"), [(0, 0), (0, 0.1), (1, 1e-5), (3, 0.05)])
def test_the_area_is_that_under_the_curve(epsilon: float, delta: float):
    grid = np.linspace(0, 1, 200_001)
    curve = [best_tpr(x, epsilon=epsilon, delta=delta) for x in grid]
    assert bound_of(epsilon, delta).auc == pytest.approx(np.trapezoid(curve, grid), abs=1e-8)


@pytest.mark.parametrize(
    ("epsilon", "delta"), [(-1, 0), (float("inf"), 0), (float("nan"), 0), (1, 1), (1, -0.1)]
)
def test_impossible_guarantees_are_refused(epsilon: float, delta: float):
    with pytest.raises(UsageError, match="must be finite"):
        bound_of(epsilon, delta)


def test_an_enormous_epsilon_is_no_overflow():
    assert bound_of(1e6, 0).auc == pytest.approx(1)
