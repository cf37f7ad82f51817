"""Composition against sums over the integers, against dp-accounting's own mechanisms, and closed forms."""

import itertools
import math

import numpy as np
import pytest
from scipy import optimize, stats

from tabsynth.privacy import Budget
from tabsynth.privacy.accountant import (
    analytic_gaussian,
    delta_of,
    epsilon_left,
    epsilon_of,
    threshold_delta,
    zcdp_delta,
    zcdp_epsilon,
)
from tabsynth.privacy.mechanisms import (
    EXACT,
    DiscreteGaussian,
    Exponential,
    SampledGaussian,
    ThresholdedDiscreteGaussian,
)


def gaussian(scale, count=1, sensitivity=1):
    return DiscreteGaussian(scale=scale, count=count, sensitivity=sensitivity)


def pmf(scale, reach=12.7):
    """Values and probabilities of discrete Gaussian noise by its definition; 1e-34 lies further out."""
    values = np.arange(-math.ceil(reach * scale) - 3, math.ceil(reach * scale) + 4)
    weights = np.exp(-(values.astype(float) ** 2) / (2 * scale**2))
    return values, weights / weights.sum()


def hockey_stick(p, q, epsilon):
    return float(np.maximum(p - math.exp(epsilon) * q, 0).sum())


def shifted(scale, shift):
    """The noise's pair of distributions when one cell changes by `shift`: P and Q on the same integers."""
    values, _ = pmf(scale)
    values = np.arange(values[0] - shift, values[-1] + shift + 1)
    p = np.exp(-(values.astype(float) ** 2) / (2 * scale**2))
    q = np.exp(-((values - shift).astype(float) ** 2) / (2 * scale**2))
    total = pmf(scale)[1].max() ** -1
    return p / total, q / total


def product(pairs):
    p = q = np.ones(1)
    for left, right in pairs:
        p, q = np.outer(p, left).ravel(), np.outer(q, right).ravel()
    return p, q


def composed_exactly(scale, count, sensitivity, epsilon):
    """δ of `count` releases of one scale: the loss depends on the sum of their noise alone, an integer."""
    values, single = pmf(scale)
    total, lowest = np.ones(1), 0
    for _ in range(count):
        total, lowest = np.convolve(total, single), lowest + values[0]
    sums = lowest + np.arange(len(total))
    losses = (count * sensitivity**2 / 2 - sensitivity * sums) / scale**2
    worse = losses > epsilon
    return float(-(total[worse] * np.expm1(epsilon - losses[worse])).sum())


def partitions(total, largest=None):
    largest = total if largest is None else largest
    if total == 0:
        yield ()
    for first in range(min(total, largest), 0, -1):
        for rest in partitions(total - first, first):
            yield (first, *rest)


# One release


@pytest.mark.parametrize("sensitivity", [1, 2, 5])
@pytest.mark.parametrize("scale", [0.3, 0.7, 1.0, 4.2, 30.0])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0, 3.0])
def test_one_release_against_its_definition(scale, sensitivity, share):
    epsilon = share * sensitivity / scale
    exact = hockey_stick(*shifted(scale, sensitivity), epsilon)
    found = delta_of([gaussian(scale, sensitivity=sensitivity)], epsilon)
    assert exact - 1e-15 <= found <= exact * 1.002 + 1e-9


@pytest.mark.parametrize("scale", [20_000.0, 60_000.0])
def test_noise_too_wide_to_list_against_its_definition(scale):
    values = np.arange(-int(9 * scale), int(9 * scale) + 8).astype(float)
    p, q = np.exp(-(values**2) / (2 * scale**2)), np.exp(-((values - 7) ** 2) / (2 * scale**2))
    for epsilon in (0.0, 7 / scale, 28 / scale):
        exact = hockey_stick(p, q, epsilon) / p.sum()
        assert exact <= delta_of([gaussian(scale, sensitivity=7)], epsilon) <= exact * 1.003


@pytest.mark.parametrize("sensitivity", [2, 3, 4])
@pytest.mark.parametrize("scale", [0.4, 0.8, 1.5])
def test_a_change_in_one_cell_is_worse_than_any_spread_of_it(scale, sensitivity):
    """What the accountant's proof says, by brute force; scales so small that the lattice matters most."""
    epsilons = np.linspace(0, 3 * sensitivity / scale + 2, 12)
    worst = [hockey_stick(*shifted(scale, sensitivity), epsilon) for epsilon in epsilons]
    for spread in (spread for spread in partitions(sensitivity) if len(spread) <= 3):
        p, q = product([shifted(scale, change) for change in spread])
        for epsilon, limit in zip(epsilons, worst, strict=True):
            assert max(hockey_stick(p, q, epsilon), hockey_stick(q, p, epsilon)) <= limit + 1e-12


# Several


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 2.0, 5.0])
def test_two_releases_of_different_noise_against_every_pair_of_outcomes(epsilon):
    exact = hockey_stick(*product([shifted(1.7, 1), shifted(2.9, 2)]), epsilon)
    found = delta_of([gaussian(1.7), gaussian(2.9, sensitivity=2)], epsilon)
    assert exact - 1e-15 <= found <= exact * 1.002 + 1e-9


@pytest.mark.parametrize(
    ("scale", "count", "sensitivity", "epsilon"),
    [(1.0, 3, 1, 4.0), (5.0, 12, 1, 3.0), (20.0, 30, 1, 1.0), (40.0, 30, 3, 2.0), (3.0, 400, 1, 40.0), (1.0, 40, 1, 45.0)],
)  # fmt: skip
def test_many_releases_against_the_convolution_of_their_noise(scale, count, sensitivity, epsilon):
    exact = composed_exactly(scale, count, sensitivity, epsilon)
    found = delta_of([gaussian(scale, count, sensitivity)], epsilon)
    assert exact > 1e-9
    assert exact <= found <= exact * 1.01 + 1e-9
    assert (
        epsilon - 1e-6 * epsilon
        <= epsilon_of([gaussian(scale, count, sensitivity)], found)
        <= epsilon * 1.0001
    )


@pytest.mark.parametrize("epsilon", [0.01, 1.0, 10.0])
@pytest.mark.parametrize("count", [1, 150, 2000])
def test_large_noise_costs_what_the_analytic_gaussian_mechanism_does(epsilon, count):
    """Balle and Wang's closed form, within 0.2 % of ε; one lattice may cost a trifle less than the line does."""
    delta = 1e-6
    variance = count / math.exp(analytic_gaussian(epsilon, delta)[0])
    found = epsilon_of([gaussian(100 * math.sqrt(variance), count, 100)], delta)
    assert epsilon * (1 - 1e-5) <= found <= epsilon * 1.002


def test_the_analytic_gaussian_by_its_formula():
    mu = math.exp(analytic_gaussian(1.0, 1e-5)[0] / 2)
    assert stats.norm.cdf(mu / 2 - 1 / mu) - math.e * stats.norm.cdf(-mu / 2 - 1 / mu) == pytest.approx(1e-5)
    low, high = analytic_gaussian(1.0, 1e-5)[0], analytic_gaussian(1.0, 1.02e-5)[0]
    assert analytic_gaussian(1.0, 1e-5)[1] == pytest.approx(math.log(1.02) / (high - low), rel=0.02)


@pytest.mark.parametrize(
    "parts", [[(35.0, 15), (160.0, 105), (28.0, 50), (22.0, 2)], [(0.9, 2), (3.0, 5)], [(12.5, 100)]]
)
def test_against_dp_accounting_alone(parts):
    """Its own discrete Gaussian mechanism, its own discretisation, on a fine grid."""
    from dp_accounting.pld import privacy_loss_distribution

    total = None
    for scale, count in parts:
        single = privacy_loss_distribution.from_discrete_gaussian_mechanism(
            scale, value_discretization_interval=1e-4, use_connect_dots=True
        ).self_compose(count)
        total = single if total is None else total.compose(single)
    mechanisms = [gaussian(*part) for part in parts]
    epsilon = epsilon_of(mechanisms, 1e-5)
    assert delta_of(mechanisms, epsilon) == pytest.approx(total.get_delta_for_epsilon(epsilon), rel=0.01)


def test_nothing_depends_on_order_or_on_how_counts_are_split():
    parts = [gaussian(30.0, 5), gaussian(12.0, 3, 2), Exponential(epsilon=0.1, count=4), gaussian(30.0, 2)]
    split = [gaussian(30.0)] * 7 + [Exponential(epsilon=0.1)] * 4 + [gaussian(12.0, 1, 2)] * 3
    assert delta_of(parts, 1.0) == delta_of(parts[::-1], 1.0) == delta_of(split, 1.0)


def test_budgets_up_to_a_hundred_and_tiny_noise():
    for scale, count, epsilon in [(0.129, 1, 30.0), (0.5, 10, 60.0), (1.0, 110, 100.0), (0.07, 1, 150.0)]:
        exact = composed_exactly(max(scale, 1e-9), count, 1, epsilon)
        assert exact <= delta_of([gaussian(scale, count)], epsilon) <= exact * 1.02 + 1e-8
    assert delta_of([gaussian(1e-6)], 100.0) == 1
    assert delta_of([gaussian(1e-200)], 100.0) == 1
    assert epsilon_of([gaussian(1e-200)], 1e-6) == math.inf
    assert delta_of([gaussian(2.0**53, 2000)], 1e-3) < 1e-300


def test_a_delta_below_what_arithmetic_can_tell_is_left_to_concentrated_privacy():
    mechanisms = [gaussian(30.0, 100)]
    assert epsilon_of(mechanisms, 1e-20) == pytest.approx(zcdp_epsilon(100 / 1800, 1e-20))
    assert delta_of(mechanisms, 30.0) == pytest.approx(zcdp_delta(100 / 1800, 30.0))
    assert epsilon_of(mechanisms, 0.0) == math.inf


def test_exact_releases_and_none():
    assert delta_of([gaussian(10.0), EXACT], 100.0) == 1
    assert epsilon_of([gaussian(10.0), EXACT], 0.5) == math.inf
    assert delta_of([], 0.0) == 0
    assert epsilon_of([], 0.0) == 0
    assert delta_of([gaussian(10.0)], math.inf) == 0


@pytest.mark.parametrize("epsilon", [-0.1, math.nan])
def test_a_negative_epsilon_is_refused(epsilon):
    with pytest.raises(ValueError, match="epsilon must be 0 or more"):
        delta_of([], epsilon)


@pytest.mark.parametrize("delta", [-0.1, 1.1, math.nan])
def test_a_delta_outside_its_range_is_refused(delta):
    with pytest.raises(ValueError, match="between 0 and 1"):
        epsilon_of([], delta)


# Zero-concentrated privacy


@pytest.mark.parametrize("rho", [1e-6, 1e-3, 0.03, 0.5, 8.0])
@pytest.mark.parametrize("delta", [1e-12, 1e-6, 1e-3])
def test_conversion_against_a_numerical_minimum(rho, delta):
    """Proposition 12 and Corollary 13 of Canonne, Kamath and Steinke, minimised by scipy on a fine start."""

    def log_delta(order, epsilon):
        return (order - 1) * (order * rho - epsilon) - math.log(order - 1) + order * math.log1p(-1 / order)

    epsilon = zcdp_epsilon(rho, delta)
    if epsilon == 0:
        assert zcdp_delta(rho, 0.0) <= delta
        return
    assert zcdp_delta(rho, epsilon) == pytest.approx(delta, rel=1e-6)
    least = min(
        optimize.minimize_scalar(lambda x: log_delta(1 + math.exp(x), epsilon), bounds=(low, low + 4), method="bounded").fun
        for low in range(-8, 22, 2)
    )  # fmt: skip
    assert math.log(delta) == pytest.approx(least, rel=1e-6)
    assert epsilon < rho + 2 * math.sqrt(rho * math.log(1 / delta))  # the textbook's, which is looser


def test_conversion_at_the_ends():
    assert zcdp_delta(0.0, 0.0) == zcdp_epsilon(0.0, 1e-9) == zcdp_epsilon(1.0, 1.0) == 0
    assert zcdp_epsilon(1.0, 0.0) == math.inf
    assert zcdp_delta(math.inf, 1.0) == 1


def test_loss_distributions_are_tighter_than_concentrated_privacy():
    for epsilon, delta, ratio in [(1.0, 1e-5, 1.15), (1.0, 1e-6, 1.12), (0.3, 1e-6, 1.13)]:
        rho = precision_at(lambda x: zcdp_delta(x / 2, epsilon), delta) / 2  # noqa: B023
        found = precision_at(lambda x: delta_of([gaussian(math.sqrt(50 / x), 50)], epsilon), delta)  # noqa: B023
        assert found / (2 * rho) > ratio


def precision_at(delta_at, delta):
    """The precision in [1.5e-3, 1] at which δ is reached, by halving."""
    return math.exp(optimize.brentq(lambda x: math.log(delta_at(math.exp(x)) / delta), -6.5, 0, xtol=1e-4))


# Selections


@pytest.mark.parametrize("epsilon", [0.0, 0.4, 1.0])
def test_pure_mechanisms_against_repeated_randomised_response(epsilon):
    truth, count = 1 / (1 + math.exp(-0.3)), 8
    exact = sum(
        math.comb(count, k) * truth**k * (1 - truth) ** (count - k) * max(0.0, -math.expm1(epsilon - 0.3 * (2 * k - count)))
        for k in range(count + 1)
        if 0.3 * (2 * k - count) > epsilon
    )  # fmt: skip
    found = delta_of([Exponential(epsilon=0.3, count=count)], epsilon)
    assert exact <= found <= exact * 1.01 + 1e-9


def test_pure_mechanisms_alone_need_no_delta():
    chosen = [Exponential(epsilon=0.3, count=3), Exponential(epsilon=0.1)]
    assert delta_of(chosen, 1.0 + 1e-12) == 0
    assert epsilon_of(chosen, 0.0) == pytest.approx(1.0)
    assert epsilon_of(chosen, 1e-2) < 0.99
    assert epsilon_of([*chosen, gaussian(5.0)], 0.0) == math.inf


# Thresholds


def passing(scale, value):
    values, probabilities = pmf(scale)
    return float(probabilities[values >= value].sum())


@pytest.mark.parametrize("scale", [0.8, 3.0, 11.0])
@pytest.mark.parametrize("sensitivity", [1, 2, 3, 6])
@pytest.mark.parametrize("above", [3, 5])
def test_thresholds_against_every_spread_of_new_categories(scale, sensitivity, above):
    """Of k rows over categories of any size: those that are passed over without them and looked at with them may show."""
    threshold = 2 * sensitivity + math.ceil(above * scale)

    def shows(rows):
        """Of a category that gets so many rows, at worst."""
        looked_at = [
            others + rows for others in range(2 * sensitivity) if others <= sensitivity < others + rows
        ]
        return max(passing(scale, threshold - count) for count in looked_at)

    worst = max(
        1 - math.prod(1 - shows(rows) for rows in spread)
        for spread in itertools.chain.from_iterable(partitions(k) for k in range(1, sensitivity + 1))
    )
    found = threshold_delta(
        ThresholdedDiscreteGaussian(scale=scale, threshold=threshold, sensitivity=sensitivity)
    )
    assert worst * (1 - 1e-9) <= found <= worst * 1.001


@pytest.mark.parametrize(
    ("scale", "threshold", "rows"), [(20_000.0, 80_000, 3), (0.01, 2, 1), (0.01, 3, 1), (1e-3, 9, 4)]
)
def test_thresholds_of_extreme_noise(scale, threshold, rows):
    found = threshold_delta(ThresholdedDiscreteGaussian(scale=scale, threshold=threshold, sensitivity=rows))
    wanted = (
        3 * stats.norm.sf((threshold - 4.5) / scale) if scale > 1 else (1.0 if threshold == 2 * rows else 0.0)
    )
    assert found == pytest.approx(wanted, rel=1e-4)


def test_a_threshold_within_reach_of_one_unit_protects_nothing():
    assert threshold_delta(ThresholdedDiscreteGaussian(scale=5.0, threshold=8, sensitivity=4)) == 1
    assert delta_of([ThresholdedDiscreteGaussian(scale=5.0, threshold=2, sensitivity=4)], 10.0) == 1
    assert epsilon_of([ThresholdedDiscreteGaussian(scale=5.0, threshold=2, sensitivity=4)], 0.9) == math.inf


def test_the_delta_of_thresholds_is_added_to_that_of_the_noise():
    noise = gaussian(20.0, 3)
    thresholded = ThresholdedDiscreteGaussian(scale=20.0, threshold=95, count=3)
    single = passing(20.0, 93)
    assert delta_of([thresholded], 0.5) == pytest.approx(delta_of([noise], 0.5) + 3 * single, rel=1e-6)
    assert delta_of([thresholded], math.inf) == pytest.approx(3 * single, rel=1e-6)
    assert epsilon_of([thresholded], 3 * single * 0.99) == math.inf
    assert epsilon_of([thresholded], 1e-4) == pytest.approx(epsilon_of([noise], 1e-4 - 3 * single))


# What is left


def test_what_is_left_beside_what_was_spent():
    cap = Budget(epsilon=1.0, delta=1e-6)
    assert epsilon_left([], cap) == 1.0
    assert epsilon_left([gaussian(1e6)], cap) == pytest.approx(1.0, rel=0.02)
    assert epsilon_left([EXACT], cap) == 0
    spent = [gaussian(40.0, 40)]  # μ² = 1/40; all of ε = 1 is about .056
    left = epsilon_left(spent, cap)
    further = math.exp(analytic_gaussian(left, 1e-6)[0])
    assert delta_of([*spent, gaussian(100 / math.sqrt(further * 0.99), 1, 100)], 1.0) <= 1e-6
    assert delta_of([*spent, gaussian(100 / math.sqrt(further * 1.05), 1, 100)], 1.0) > 1e-6
    assert left > 1.0 - epsilon_of(spent, 1e-6)


def sampled_by_integral(scale, rate, epsilon):
    """δ of one sum over a Poisson sample: both directions, by the densities on a fine grid."""
    x = np.linspace(-15 * scale, 1 + 15 * scale, 2_000_001)
    without = stats.norm.pdf(x, 0, scale)
    with_row = (1 - rate) * without + rate * stats.norm.pdf(x, 1, scale)
    step = x[1] - x[0]
    return max(hockey_stick(*pair, epsilon) for pair in ((without, with_row), (with_row, without))) * step


@pytest.mark.parametrize(("scale", "rate"), [(1.0, 0.1), (0.7, 0.02), (2.0, 0.5), (1.5, 1.0)])
@pytest.mark.parametrize("epsilon", [0.0, 0.2, 1.0])
def test_one_sampled_sum_costs_what_its_densities_say(scale, rate, epsilon):
    exact = sampled_by_integral(scale, rate, epsilon)
    found = delta_of([SampledGaussian(scale=scale, sampling_rate=rate)], epsilon)
    assert exact * (1 - 1e-6) <= found <= exact * 1.01 + 1e-9


def test_sampled_sums_and_histograms_compose_as_dp_accountings_own_events():
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
    from dp_accounting.pld.pld_privacy_accountant import PLDAccountant

    accountant = PLDAccountant(value_discretization_interval=2e-4)
    step = PoissonSampledDpEvent(0.08, GaussianDpEvent(4.0))
    accountant.compose(SelfComposedDpEvent(step, 200)).compose(SelfComposedDpEvent(GaussianDpEvent(20.0), 30))
    both = [SampledGaussian(scale=4.0, sampling_rate=0.08, count=200), gaussian(20.0, count=30)]
    assert epsilon_of(both, 1e-5) == pytest.approx(accountant.get_epsilon(1e-5), rel=0.005)
    assert epsilon_of(both, 1e-5) > max(epsilon_of(both[:1], 1e-5), epsilon_of(both[1:], 1e-5))
    split = [SampledGaussian(scale=4.0, sampling_rate=0.08, count=n) for n in (150, 50)]
    assert epsilon_of([*split, both[1]], 1e-5) == epsilon_of(both, 1e-5)


def test_of_every_row_a_sampled_sum_is_a_gaussian_release():
    every = SampledGaussian(scale=5.0, sampling_rate=1.0, count=4)
    assert epsilon_of([every], 1e-6) == pytest.approx(epsilon_of([gaussian(5.0, count=4)], 1e-6), rel=0.01)
    assert epsilon_of([every], 1e-200) <= zcdp_epsilon(4 / 50, 1e-200) * (1 + 1e-9)  # where losses end
