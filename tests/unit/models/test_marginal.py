"""Marginals against hand-made counts, brute force and SciPy."""

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.polynomial import hermite_e
from scipy import integrate, stats

from tabsynth.models.empirical import _group_ends, _pareto_quantiles, empirical_marginal
from tabsynth.models.marginal import Marginal, level_marginal


def of_values(values, **options):
    distinct, counts = np.unique(values, return_counts=True)
    is_lattice = distinct.dtype.kind == "i"
    return empirical_marginal(distinct, counts.astype(float), is_lattice=is_lattice, **options)


def test_levels_cover_the_axis_in_proportion_to_their_counts():
    marginal = level_marginal(np.array([1.0, 2.0, 1.0]), np.array([2, 0, 1]))
    assert marginal.lower.tolist() == [2, 0, 1]
    assert marginal.cuts == pytest.approx([-np.inf, stats.norm.ppf(0.25), 0.0, np.inf])


def test_levels_without_any_data_are_equally_likely():
    assert level_marginal(np.zeros(4)).mass.tolist() == [0.25] * 4


def test_frequent_values_are_atoms_and_rare_ones_are_pooled():
    values = np.r_[np.zeros(50, int), np.arange(100, 130)]
    marginal = of_values(values, min_group=10)
    assert marginal.lower[0] == marginal.upper[0] == 0
    assert marginal.mass[0] == pytest.approx(50 / 80)
    assert marginal.mass[1:].sum() == pytest.approx(30 / 80)
    is_stretch = marginal.upper > marginal.lower
    assert is_stretch[1:].any()


@given(
    values=st.lists(st.integers(-50, 400), min_size=1, max_size=300),
    min_group=st.integers(1, 20),
)
@settings(max_examples=150, deadline=None)
def test_lattice_pieces_never_overlap_and_hold_all_mass(values, min_group):
    values = np.array(values)
    marginal = of_values(values, min_group=min_group, bounds=(values.min(), values.max()))
    assert marginal.mass.sum() == pytest.approx(1)
    assert (marginal.mass >= 0).all()
    assert (marginal.lower <= marginal.upper).all()
    assert (marginal.lower[1:] > marginal.upper[:-1]).all()
    assert marginal.lower[0] >= values.min()
    assert marginal.upper[-1] <= values.max()


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300),
    repeats=st.integers(0, 40),
    min_group=st.integers(1, 20),
)
@settings(max_examples=150, deadline=None)
def test_line_pieces_never_overlap_and_hold_all_mass(values, repeats, min_group):
    values = np.r_[values, np.full(repeats, values[0])]
    marginal = of_values(values, min_group=min_group, bounds=(-1e6, 1e6))
    assert marginal.mass.sum() == pytest.approx(1)
    assert (marginal.lower <= marginal.upper).all()
    assert (marginal.lower[1:] >= marginal.upper[:-1]).all()


@given(counts=st.lists(st.integers(1, 30), min_size=1, max_size=400), min_group=st.integers(1, 25))
@settings(max_examples=200, deadline=None)
def test_every_pooled_group_holds_enough_rows(counts, min_group):
    ends = _group_ends(np.array(counts, dtype=float), min_group)
    assert ends[-1] == len(counts) - 1
    sizes = [sum(counts[start : end + 1]) for start, end in zip(np.r_[0, ends[:-1] + 1], ends, strict=True)]
    assert min(sizes) >= min(min_group, sum(counts))


@given(values=st.lists(st.integers(0, 300), min_size=30, max_size=400), min_group=st.integers(2, 12))
@settings(max_examples=100, deadline=None)
def test_values_that_too_few_rows_share_do_not_keep_their_counts(values, min_group):
    distinct, counts = np.unique(values, return_counts=True)
    marginal = of_values(np.array(values), min_group=min_group)
    frequent = {int(v): int(c) for v, c in zip(distinct, counts, strict=True) if c >= min_group}
    # fewer rare rows than a group are counted at their nearest atoms: see the test of that
    assume(not 0 < len(values) - sum(frequent.values()) < min_group)
    for value, count in frequent.items():
        piece = int(np.flatnonzero((marginal.lower == value) & (marginal.upper == value))[0])
        assert marginal.mass[piece] * len(values) == pytest.approx(count)
    pooled = 1 - sum(frequent.values()) / len(values)
    rest = [k for k in range(len(marginal.mass)) if int(marginal.lower[k]) not in frequent]
    assert marginal.mass[rest].sum() == pytest.approx(pooled)


@given(
    common=st.lists(st.sampled_from([0, 50, 1000]), max_size=80),
    rare=st.lists(st.integers(-(10**9), 10**9), max_size=60, unique=True),
    is_lattice=st.booleans(),
)
@example(common=[0] * 8 + [50] * 4, rare=[], is_lattice=False)
@settings(max_examples=300, deadline=None)
def test_no_end_of_a_piece_is_a_value_that_few_rows_share(common, rare, is_lattice):
    # far apart, so that no middle of a gap and no rounded tail can fall on one of them by chance
    rare = [2 * (value * 10**6 + 1) + 1 for value in rare]
    values = np.array(common + rare, dtype=np.int64 if is_lattice else np.float64)
    if not is_lattice:
        values = values + np.where(np.abs(values) > 1000, 0.3217, 0.0)
    limit = 4 * 10**15
    distinct, counts = np.unique(values, return_counts=True)
    marginal = of_values(values, bounds=(-limit, limit))
    few = distinct[counts < 11]
    assert not np.isin(few, np.r_[marginal.lower, marginal.upper]).any()
    assert marginal.mass.sum() == pytest.approx(1)


def test_a_few_rare_rows_are_counted_at_their_nearest_atoms():
    values = np.array([0] * 500 + [100] * 500 + [30, 90, 12345])
    marginal = of_values(values)
    assert marginal.lower.tolist() == marginal.upper.tolist() == [0, 100]
    assert marginal.mass.tolist() == pytest.approx([501 / 1003, 502 / 1003])


def test_fewer_rows_than_a_group_say_nothing_but_the_bounds():
    marginal = of_values(np.array([3, 4, 5]), bounds=(0, 9))
    assert (marginal.lower.tolist(), marginal.upper.tolist()) == ([0], [9])
    with pytest.raises(ValueError, match="no bounds"):
        of_values(np.array([3, 4, 5]))
    with pytest.raises(ValueError, match="no bounds"):
        of_values(np.array([3, 4, 5]), bounds=(-128, 127), are_declared=False)


def test_one_group_of_rare_values_beside_an_atom_leans_away_from_it():
    values = np.r_[np.zeros(1000), np.linspace(500, 900, 15)]
    marginal = of_values(values)
    drawn = marginal.values_at(np.random.default_rng(0).standard_normal(200_000))
    assert drawn.min() >= 0
    # means agree; five standard errors of 3,000 draws about 700 are below 50
    assert drawn[drawn > 0].mean() == pytest.approx(700, abs=80)


@pytest.mark.parametrize("is_lattice", [True, False])
def test_latent_intervals_at_the_ends_are_intervals(is_lattice):
    rng = np.random.default_rng(3)
    for _ in range(60):
        values = rng.poisson(30, 300) if is_lattice else np.round(rng.normal(size=300), 3)
        marginal = of_values(values, bounds=(values.min(), values.max()))
        for value in (marginal.lower[0], marginal.upper[-1]):
            low, high = marginal.latent_interval(value)
            assert not np.isnan([low, high]).any()
            assert low < high if is_lattice else low <= high
            assert low < high or np.isfinite(low)


def test_values_at_inverts_pieces_of():
    rng = np.random.default_rng(1)
    values = rng.integers(0, 5000, 20_000)
    marginal = of_values(values)
    pieces = marginal.pieces_of(values)
    middle = (marginal.cumulative[pieces] + marginal.cumulative[pieces + 1]) / 2
    back = marginal.values_at(stats.norm.ppf(middle))
    assert (marginal.pieces_of(back) == pieces).all()


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(2).lognormal(8, 2, 20_000),
        np.random.default_rng(2).lognormal(8, 2, 20_000).astype(int),
        np.r_[np.zeros(15_000), np.random.default_rng(2).gamma(2, 500, 5_000)],
        np.random.default_rng(2).integers(0, 40, 20_000),
    ],
)
def test_draws_follow_the_source_tails_included(values):
    marginal = of_values(values, bounds=(values.min(), values.max()))
    drawn = marginal.values_at(np.random.default_rng(3).standard_normal(200_000))
    # 1.95 sqrt(1/200000) is exceeded with probability 0.001; pieces add at most 1/1024
    assert stats.ks_2samp(values, drawn).statistic < 0.0044 + 0.001
    for q in (0.01, 0.99, 0.999):
        assert np.quantile(drawn, q) == pytest.approx(np.quantile(values, q), rel=0.12, abs=1)


def test_atoms_on_the_line_are_told_from_the_stretches_that_touch_them():
    values = np.r_[np.full(30, 0.5), np.linspace(0, 1, 50)]
    marginal = of_values(values, min_group=10)
    piece = int(marginal.pieces_of(np.array([0.5]))[0])
    assert marginal.lower[piece] == marginal.upper[piece] == 0.5


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.5])
def test_tails_are_generalised_pareto(shape):
    sample = np.sort(stats.genpareto.rvs(shape, scale=2.0, size=50_000, random_state=1))
    at = np.array([0.25, 0.5, 0.9, 0.97])
    quantiles = _pareto_quantiles(sample, np.ones(50_000), at)
    # the shape's standard error is below 0.02 for shapes up to 0.5
    assert quantiles == pytest.approx(stats.genpareto.ppf(at, shape, scale=2.0), rel=0.08)


@pytest.mark.parametrize("excesses", [[0.0], [3.0, 3.0], [0.0, 0.0]])
def test_degenerate_tails_are_finite(excesses):
    quantiles = _pareto_quantiles(np.array(excesses), np.ones(len(excesses)), np.array([0.0, 0.9]))
    assert np.isfinite(quantiles).all()
    assert quantiles[0] == 0


def test_nothing_observed_gives_one_point():
    marginal = empirical_marginal(np.empty(0, np.int64), np.empty(0), is_lattice=True)
    assert marginal.values_at(np.array([-1.0, 2.0])).tolist() == [0, 0]


@pytest.mark.parametrize("value", [0, 7, 39])
def test_latent_interval_holds_the_probability_of_a_lattice_value(value):
    values = np.random.default_rng(4).integers(0, 40, 400)
    marginal = of_values(values, min_group=11)
    low, high = marginal.latent_interval(value)
    grid = stats.norm.ppf((np.arange(400_000) + 0.5) / 400_000)
    share = (marginal.values_at(grid) == value).mean()
    assert stats.norm.cdf(high) - stats.norm.cdf(low) == pytest.approx(share, abs=1e-5)


def test_latent_interval_of_a_value_on_a_line_is_a_point():
    marginal = of_values(np.random.default_rng(5).normal(size=500))
    low, high = marginal.latent_interval(0.1)
    assert low == high
    assert marginal.values_at(np.array([low]))[0] == pytest.approx(0.1)


def test_latent_interval_of_an_impossible_value_is_none():
    marginal = of_values(np.array([1] * 20 + [5] * 20))
    assert marginal.latent_interval(3) is None
    assert marginal.latent_interval(99) is None


def test_scores_are_means_of_the_normal_variable_within_each_piece():
    marginal = level_marginal(np.array([3.0, 5.0, 2.0]))
    for piece, score in enumerate(marginal.scores):
        low, high = marginal.cuts[piece], marginal.cuts[piece + 1]
        assert score == pytest.approx(stats.truncnorm.mean(low, high), abs=1e-9)


def test_scores_of_pieces_without_mass_are_finite():
    assert np.isfinite(level_marginal(np.array([0.0, 5.0, 0.0])).scores).all()


def test_hermite_coefficients_against_numerical_integration():
    marginal = level_marginal(np.array([3.0, 5.0, 2.0]))
    coefficients = marginal.hermite_coefficients(6)
    for k in range(1, 7):
        polynomial = hermite_e.HermiteE.basis(k)
        total = 0.0
        for piece, score in enumerate(marginal.scores):
            low, high = np.clip(marginal.cuts[[piece, piece + 1]], -12, 12)
            total += score * integrate.quad(lambda z: polynomial(z) * stats.norm.pdf(z), low, high)[0]  # noqa: B023
        assert coefficients[k - 1] == pytest.approx(
            total / np.sqrt(float(np.prod(range(1, k + 1)))), abs=1e-8
        )


def test_integers_beyond_the_float_range_stay_within_their_bounds():
    values = np.arange(2**60, 2**60 + 100)
    marginal = of_values(values, bounds=(2**60, 2**60 + 99))
    drawn = marginal.values_at(np.random.default_rng(0).standard_normal(1000))
    assert drawn.dtype == np.int64
    assert drawn.min() >= 2**60
    assert drawn.max() <= 2**60 + 99


def test_integers_at_both_ends_of_their_type():
    ends = np.array([-(2**63), -(2**63) + 5, -7, 0, 3, 2**63 - 9, 2**63 - 1])
    marginal = of_values(ends, min_group=2)
    drawn = marginal.values_at(np.random.default_rng(0).standard_normal(10_000))
    assert int(drawn.max()) - int(drawn.min()) > 2**62
    assert (marginal.lower <= marginal.upper).all()
    assert marginal.mass.sum() == pytest.approx(1)
    assert marginal.latent_interval(0) is not None


def test_at_most_so_many_pieces():
    values = np.random.default_rng(1).integers(0, 10**7, 300_000)
    assert len(of_values(values).mass) < 1200


def test_a_marginal_is_a_value():
    marginal = Marginal(np.array([0]), np.array([0]), np.ones(1), is_lattice=True)
    with pytest.raises(AttributeError):
        marginal.mass = np.zeros(1)
