"""Parametric marginals: the right family, on record, atoms kept, no silent way out."""

import sys

import numpy as np
import pytest
from scipy import stats

from tabsynth.encode import Variable
from tabsynth.errors import UsageError
from tabsynth.models.parametric import FAMILIES, parametric_marginal


def fit(values, **variable):
    variable = {**variable, "is_bounded": "lower" in variable}
    distinct, counts = np.unique(values, return_counts=True)
    is_lattice = distinct.dtype.kind == "i"
    declared = Variable(name="v", is_continuous=True, n_levels=1, is_lattice=is_lattice, **variable)
    return parametric_marginal(distinct, counts.astype(float), variable=declared)


def draw(marginal, n=100_000):
    return marginal.values_at(np.random.default_rng(9).standard_normal(n))


@pytest.fixture(scope="module")
def copulas():
    return pytest.importorskip("copulas", reason="needs the extra parametric")


RNG = np.random.default_rng(0)


@pytest.mark.usefixtures("copulas")
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("GaussianUnivariate", RNG.normal(50, 7, 5000)),
        ("GammaUnivariate", RNG.gamma(2, 3, 5000)),
        ("StudentTUnivariate", RNG.standard_t(3, 5000)),
    ],
)
def test_the_family_that_made_the_data_wins_by_aic(name, values):
    marginal, family = fit(values)
    assert family.failed == {"TruncatedGaussian": "no bounds declared"}
    assert family.name == name or family.aic[family.name] > family.aic[name] - 12, family.aic
    assert set(family.aic) | set(family.failed) == set(FAMILIES)
    assert family.aic[family.name] == min(family.aic.values())
    # 5,000 rows: 0.028 is Kolmogorov's bound at 0.001 for the source, the rest is the draws'
    assert stats.ks_2samp(draw(marginal), values).statistic < 0.03


@pytest.mark.usefixtures("copulas")
def test_point_masses_stay_beside_the_family():
    values = np.r_[np.zeros(6000, int), np.round(RNG.gamma(2, 300, 4000)).astype(int) + 1]
    marginal, _ = fit(values, lower=0, upper=10_000)
    assert (draw(marginal) == 0).mean() == pytest.approx(0.6, abs=0.01)
    assert (marginal.lower[1:] > marginal.upper[:-1]).all()
    assert draw(marginal).min() >= 0


@pytest.mark.usefixtures("copulas")
def test_draws_stay_within_the_bounds():
    marginal, _ = fit(RNG.normal(size=3000), lower=-0.5, upper=0.5)
    drawn = draw(marginal)
    assert drawn.min() >= -0.5
    assert drawn.max() <= 0.5


def test_columns_of_atoms_need_no_family():
    marginal, family = fit(np.array([1] * 20 + [2] * 20))
    assert family.name == "no family: atoms only"
    assert marginal.lower.tolist() == [1, 2]
    assert fit(np.empty(0, int))[0].mass.tolist() == [1.0]


@pytest.mark.usefixtures("copulas")
@pytest.mark.parametrize("n", [12, 40])
def test_no_extreme_and_no_rare_value_is_written_down(n):
    values = np.r_[RNG.normal(50, 10, n), [1234.567, 1234.567]]
    marginal, _ = fit(values, lower=-1e4, upper=1e4)
    assert not np.isin(values, np.r_[marginal.lower, marginal.upper]).any()


def test_fewer_numbers_than_a_group_say_nothing_but_the_bounds():
    marginal, family = fit(np.array([5.0, 6.0]), lower=0.0, upper=9.0)
    assert family.name == "no family: fewer numbers than a group"
    assert (marginal.lower.tolist(), marginal.upper.tolist()) == ([0.0], [9.0])


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "copulas", None)
    with pytest.raises(UsageError, match=r"tabsynth\[parametric\]"):
        fit(np.arange(100.0))
