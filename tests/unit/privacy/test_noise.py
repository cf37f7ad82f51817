"""The noise is discrete Gaussian, of the scale asked for, and nobody's seed reaches it.

Statistical tests fail by chance with the probability their comments state.
"""

import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

import tabsynth
from tabsynth.privacy.noise import averages, discrete_gaussian
from tabsynth.randomness import Streams

NEVER = 1e-7  # how often each statistical test fails by chance


def draws(n, *, scale):
    return discrete_gaussian(np.zeros(n, np.int64), scale=scale)


def pmf(scale):
    """P(X = x) of the discrete Gaussian, proportional to exp(-x²/2σ²) on the whole numbers."""
    x = np.arange(-int(20 * scale) - 20, int(20 * scale) + 21)
    weights = np.exp(-(x**2) / (2 * scale**2))
    return x, weights / weights.sum()


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.7, 25.0])
def test_draws_follow_the_discrete_gaussian(scale):
    """Chi-square over cells of 20 expected draws or more, both tails pooled."""
    n = 12_000
    x, p = pmf(scale)
    found = np.bincount(np.clip(draws(n, scale=scale), x[0], x[-1]) - x[0], minlength=len(x))
    inside = p * n >= 20
    below, above = x < x[inside][0], x > x[inside][-1]
    observed = np.array([found[below].sum(), *found[inside], found[above].sum()])
    expected = n * np.array([p[below].sum(), *p[inside], p[above].sum()])
    kept = expected > 0.5
    statistic = ((observed - expected)[kept] ** 2 / expected[kept]).sum()
    assert statistic < chi2.isf(NEVER, kept.sum() - 1)


@pytest.mark.parametrize("scale", [1.0, 60.0, 1e6])
def test_variance_is_that_of_the_scale(scale):
    n = 4000
    x, p = pmf(min(scale, 1000.0))
    variance = (p * x**2).sum() * (scale / min(scale, 1000.0)) ** 2
    sum_of_squares = (draws(n, scale=scale).astype(float) ** 2).sum() / variance
    assert chi2.ppf(NEVER, n) < sum_of_squares < chi2.isf(NEVER, n)


def test_counts_are_the_centre_of_their_noise():
    counts = np.array([0, 5, 10**6, -3] * 500)
    mean = (discrete_gaussian(counts, scale=2.0) - counts).mean()
    assert abs(mean) < 5.4 * 2 / np.sqrt(len(counts))  # 1e-7


def test_every_cell_has_noise_of_its_own():
    noise = draws(30_000, scale=1000.0)  # several pieces, over threads
    pieces = noise[:24_576].reshape(3, 8192)
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert abs(np.corrcoef(pieces[one], pieces[other])[0, 1]) < 5.4 / np.sqrt(8192)  # 1e-7
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 5.4 / np.sqrt(30_000)


def test_two_calls_differ():
    assert (draws(200, scale=50.0) != draws(200, scale=50.0)).any()  # equal with probability below 1e-300


def test_no_seed_reaches_the_noise():
    def seeded():
        np.random.seed(0)  # noqa: NPY002  # the seed of old must have no effect
        random.seed(0)
        Streams(0).generator("noise").random(10)
        return draws(200, scale=50.0)

    assert (seeded() != seeded()).any()


@pytest.mark.parametrize("shape", [(0,), (0, 3), (), (1,), (2, 3, 4)])
def test_any_shape_is_kept(shape):
    noisy = discrete_gaussian(np.zeros(shape, np.int64), scale=1.0)
    assert noisy.shape == shape
    assert noisy.dtype == np.int64


def test_a_view_is_read_in_its_own_order_and_not_changed():
    counts = np.arange(12, dtype=np.int64).reshape(3, 4).T * 1000
    noisy = discrete_gaussian(counts, scale=1e-3)  # noise so small that it is 0
    assert noisy.tolist() == counts.tolist() == (np.arange(12).reshape(3, 4).T * 1000).tolist()


def test_sums_beyond_int64_saturate():
    """A wrapped count would lie at the other end."""
    noisy = discrete_gaussian(np.array([2**63 - 1, -(2**63)] * 20), scale=1e6)
    assert (noisy[::2] > 0).all()
    assert (noisy[1::2] < 0).all()


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), 2.0**54])
def test_a_scale_without_meaning_releases_nothing(scale):
    with pytest.raises(ValueError, match="scale of noise"):
        draws(3, scale=scale)


@pytest.mark.parametrize("dtype", [np.float64, np.uint64, np.int32])
def test_counts_of_another_type_release_nothing(dtype):
    with pytest.raises(TypeError, match="int64"):
        discrete_gaussian(np.zeros(3, dtype), scale=1.0)


def test_averages_have_the_variance_of_their_repeats():
    n, scale = 2000, 10.0
    once, often = averages([np.full(n, 7), np.full((2, n // 2), 7)], scale=scale, repeats=[1, 9])
    assert often.shape == (2, n // 2)
    assert np.allclose(often * 9, np.rint(often * 9))
    for found, repeats in ((once, 1), (often, 9)):
        sum_of_squares = ((found - 7) ** 2).sum() / (scale**2 / repeats)
        assert chi2.ppf(NEVER, n) < sum_of_squares < chi2.isf(NEVER, n)


def test_averages_of_nothing():
    assert averages([], scale=1.0, repeats=[]) == []


def test_opendp_states_the_privacy_that_is_accounted():
    """OpenDP's own map gives ρ = d²/2σ² of zero-concentrated privacy for L2 distance d."""
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_gaussian
    from opendp.metrics import l2_distance

    measurement = make_gaussian(vector_domain(atom_domain(T="i64")), l2_distance(T="f64"), 7.3)
    for distance in (1.0, 3.0):
        assert measurement.map(distance) == pytest.approx(distance**2 / (2 * 7.3**2), rel=1e-12)


def test_one_file_alone_knows_opendp_and_loads_it_late():
    package = Path(tabsynth.__file__).parent
    importing = re.compile(r"^\s*(import|from) opendp\b", re.MULTILINE)
    found = [
        path.name for path in package.rglob("*.py") if importing.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["noise.py"]
    code = "import sys, tabsynth.privacy.noisy; sys.exit('opendp' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
