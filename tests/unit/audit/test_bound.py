"""The best attacker under (ε, δ), and under one Gaussian mechanism."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from tabsynth.audit.bound import best_tpr, bound_of, gaussian_bound, gaussian_mu, gaussian_tpr
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


@pytest.mark.parametrize(("epsilon", "auc"), [(1, 0.575), (3, 0.694), (10, 0.921)])
def test_one_gaussian_mechanism_allows_less(epsilon: float, auc: float):
    bound = bound_of(epsilon, 1e-5)
    assert bound.gaussian is not None
    assert round(bound.gaussian.auc, 3) == auc
    assert bound.gaussian.tpr_at_1 < bound.tpr_at_1
    assert bound.gaussian.tpr_at_01 < bound.tpr_at_01


@pytest.mark.parametrize(("epsilon", "delta"), [(0.1, 1e-6), (1, 1e-5), (3, 1e-3), (10, 1e-5), (0, 0.1)])
def test_its_mu_gives_just_that_delta(epsilon: float, delta: float):
    # δ(ε) = ∫ max(0, p(x) − e^ε q(x)) dx for p = N(μ, 1), q = N(0, 1): the hockey stick, by quadrature
    mu = gaussian_mu(epsilon, delta)
    edge = epsilon / mu + mu / 2
    excess, _ = quad(
        lambda x: norm.pdf(x, mu) - np.exp(epsilon) * norm.pdf(x), edge, edge + 40, epsabs=1e-16, limit=500
    )
    assert excess == pytest.approx(delta, rel=1e-6)


@pytest.mark.parametrize("mu", [0.05, 0.27, 1.0, 3.0])
def test_its_area_is_that_under_its_curve(mu: float):
    # the chance that a draw of N(μ, 1) is above one of N(0, 1): Φ(μ/√2)
    area, _ = quad(lambda x: gaussian_tpr(x, mu=mu), 0, 1, limit=500)
    assert gaussian_bound(mu).auc == pytest.approx(norm.cdf(mu / np.sqrt(2)), abs=1e-12)
    assert gaussian_bound(mu).auc == pytest.approx(area, abs=1e-6)


def test_its_curve_lies_under_the_bound_everywhere_and_touches_it():
    bound = bound_of(1, 1e-5)
    assert bound.gaussian is not None
    rates = np.concatenate([10.0 ** np.arange(-12, -3, 0.05), np.linspace(0.001, 1, 2_000)])
    gaps = [
        best_tpr(rate, epsilon=1, delta=1e-5) - gaussian_tpr(rate, mu=bound.gaussian.mu) for rate in rates
    ]
    assert min(gaps) >= -1e-9
    assert min(gaps) < 1e-6  # a smaller μ would not be tight


def test_no_gaussian_noise_has_a_delta_of_zero():
    assert bound_of(1, 0).gaussian is None
