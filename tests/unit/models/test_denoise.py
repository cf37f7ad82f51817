"""Counts made of noisy ones: projections by hand and by their optimality, smoothing by what it must keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.models.denoise import common_total, denoised, on_simplex

finite = st.floats(-1e6, 1e6)


def test_the_nearest_counts_of_a_known_sum():
    # all less 1/2: (5/2, 1/2, -3/2), of which the last is held at 0
    assert on_simplex(np.array([3.0, 1, -1]), 3.0) == pytest.approx([2.5, 0.5, 0])
    assert on_simplex(np.array([1.0, 1]), 6.0) == pytest.approx([3, 3])


def test_the_nearest_counts_move_by_their_weights():
    # 4 too many, taken 3 : 1
    assert on_simplex(np.array([4.0, 2]), 2.0, weights=np.array([3.0, 1])) == pytest.approx([1, 1])


@given(
    cells=st.lists(st.tuples(finite, st.floats(0.01, 100)), min_size=1, max_size=30),
    total=st.floats(0.1, 1e6),
)
def test_nearest_counts_are_optimal(cells, total):
    counts, weights = np.array(cells).T
    nearest = on_simplex(counts, total, weights=weights)
    assert (nearest >= 0).all()
    assert nearest.sum() == pytest.approx(total, rel=1e-6, abs=1e-6)
    # Karush, Kuhn and Tucker: one multiplier moves all that is left, and the rest would need a smaller one
    moved = (counts - nearest) / weights
    multiplier = moved[nearest > 0].max()
    slack = 1e-6 * (1 + np.abs(counts).max() / weights.min())
    assert moved[nearest > 0] == pytest.approx(multiplier, abs=slack)
    assert (counts[nearest == 0] / weights[nearest == 0] <= multiplier + slack).all()


def test_nobody_is_nowhere():
    assert on_simplex(np.array([3.0, 1]), 0.0).tolist() == [0, 0]
    assert denoised(np.array([3.0, 1]), 4.0, total=0.0, is_ordered=False, n_numbers=0).tolist() == [0, 0]
    assert denoised(np.empty(0), 4.0, total=5.0, is_ordered=False, n_numbers=0).size == 0


def test_a_common_total_weighs_sums_by_their_noise():
    # two cells of variance 1 sum to 10 ± √2, one of variance 4 holds 20 ± 2: (10/2 + 20/4) / (1/2 + 1/4)
    assert common_total([np.array([4.0, 6]), np.array([20.0])], [1.0, 4.0]) == pytest.approx(40 / 3)
    assert common_total([np.array([4.0, 6]), np.array([20.0])], [0.0, 4.0]) == 10
    assert common_total([np.array([-4.0])], [1.0]) == 0
    assert common_total([], []) == 0


def test_exact_counts_stay_as_they_are():
    counts = np.array([5.0, 0, 3, 0, 0, 9, 1, 2, 2])
    assert denoised(counts, 0.0, total=22.0, is_ordered=True, n_numbers=9) == pytest.approx(counts)


@settings(max_examples=200, deadline=None)
@given(
    counts=st.lists(finite, min_size=1, max_size=60),
    deviation=st.floats(1e-3, 1e9),
    total=st.floats(0.5, 1e7),
    n_numbers=st.integers(0, 60),
    is_ordered=st.booleans(),
)
def test_whatever_the_noise_counts_are_counts(counts, deviation, total, n_numbers, is_ordered):
    n_numbers = min(n_numbers, len(counts))
    made = denoised(np.array(counts), deviation**2, total=total, is_ordered=is_ordered, n_numbers=n_numbers)
    assert (made >= 0).all()
    assert made.sum() == pytest.approx(total, rel=1e-6)


def test_a_line_read_backwards_gives_the_same_counts():
    noisy = np.random.default_rng(0).normal(40, 30, 50)
    made = denoised(noisy, 400.0, total=1900.0, is_ordered=True, n_numbers=50)
    back = denoised(noisy[::-1], 400.0, total=1900.0, is_ordered=True, n_numbers=50)
    assert back[::-1] == pytest.approx(made)


def total_variation(true: np.ndarray, deviation: float, make, n_draws: int = 40) -> float:
    rng = np.random.default_rng(1)
    draws = [make(true + rng.normal(0, deviation, len(true))) for _ in range(n_draws)]
    return float(np.mean([np.abs(made - true).sum() / 2 / true.sum() for made in draws]))


BELL = 8000 * np.exp(-(np.linspace(-3, 3, 74) ** 2) / 2) / 30
SPIKED = np.where(np.arange(99) == 40, 11_000.0, np.where(np.arange(99) % 10 == 0, 900.0, 40.0))
SPARSE = np.where(np.arange(64) == 0, 22_000.0, np.where(np.arange(64) % 16 == 3, 400.0, 0.0))


@pytest.mark.parametrize(
    ("true", "share"), [(BELL, 0.65), (SPIKED, 1.05), (SPARSE, 1.08)], ids=["bell", "spikes", "sparse"]
)
def test_a_smooth_line_gains_a_third_over_the_nearest_counts_and_a_jagged_one_loses_next_to_nothing(
    true, share
):
    # Forty draws from a fixed seed; the ratio of the means is known to ± 0.02.
    plain = total_variation(true, 40, lambda noisy: on_simplex(noisy, true.sum()))
    smooth = total_variation(
        true,
        40,
        lambda noisy: denoised(noisy, 1600, total=true.sum(), is_ordered=True, n_numbers=len(true)),
    )
    assert smooth < share * plain


def test_a_lone_spike_stays_where_it_is():
    rng = np.random.default_rng(2)
    made = denoised(SPIKED + rng.normal(0, 15, 99), 225.0, total=SPIKED.sum(), is_ordered=True, n_numbers=99)
    assert made[40] == pytest.approx(11_000, abs=60)  # four deviations: one failure in 16,000
    assert made[[39, 41]].max() < 150


def test_levels_that_are_noise_alone_shrink_and_common_ones_do_not():
    true = np.r_[20_000.0, 3000.0, np.zeros(40)]
    noisy = true + np.random.default_rng(3).normal(0, 30, 42)
    made = denoised(noisy, 900.0, total=23_000.0, is_ordered=False, n_numbers=0)
    assert made[:2] == pytest.approx(true[:2], abs=400)
    # Noise held at 0 would leave 40 · 30 / √(2π) = 479 rows there.
    assert made[2:].sum() < 400


def test_levels_without_an_order_are_not_smoothed_along_their_codes():
    counts = np.tile([1000.0, 0.0], 8)
    made = denoised(counts, 100.0, total=8000.0, is_ordered=False, n_numbers=0)
    assert made[::2] == pytest.approx(1000, rel=0.02)
