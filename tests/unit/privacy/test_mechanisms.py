"""Mechanisms hold only what can be accounted, in memory and in files."""

import json
import math

import pytest

from tabsynth.privacy.mechanisms import (
    EXACT,
    LARGEST_SCALE,
    DiscreteGaussian,
    Exponential,
    SampledGaussian,
    ThresholdedDiscreteGaussian,
    describe,
    mechanism_from_data,
    mechanism_to_data,
    precision,
)

ALL = {
    "exact": EXACT,
    "discrete Gaussian noise, scale 12.5": DiscreteGaussian(scale=12.5),
    "discrete Gaussian noise, scale 1235, sensitivity 4, 7 times": DiscreteGaussian(
        scale=1234.56, sensitivity=4, count=7
    ),
    "discrete Gaussian noise, scale 3, counts from 20, sensitivity 2": ThresholdedDiscreteGaussian(
        scale=3, threshold=20, sensitivity=2
    ),
    "noisy maximum, ε = 0.1, 3 times": Exponential(epsilon=0.1, count=3),
    "Gaussian noise, multiplier 1.5, on sums over 0.08 of the rows, 1,200 steps": SampledGaussian(
        scale=1.5, sampling_rate=0.08, count=1200
    ),
    "Gaussian noise, multiplier 1.5, on sums over 1 of the rows, 1 step": SampledGaussian(
        scale=1.5, sampling_rate=1
    ),
}


@pytest.mark.parametrize("words", ALL)
def test_mechanisms_in_words(words):
    assert describe(ALL[words]) == words


@pytest.mark.parametrize("mechanism", ALL.values())
def test_mechanisms_survive_json(mechanism):
    assert mechanism_from_data(json.loads(json.dumps(mechanism_to_data(mechanism)))) == mechanism


@pytest.mark.parametrize("scale", [0, -1.0, math.nan, math.inf, True, "3", None, LARGEST_SCALE * 2])
@pytest.mark.parametrize("kind", [DiscreteGaussian, ThresholdedDiscreteGaussian])
def test_scales_are_positive_and_bounded(kind, scale):
    more = {} if kind is DiscreteGaussian else {"threshold": 3}
    with pytest.raises(ValueError, match="scale must be"):
        kind(scale=scale, **more)


@pytest.mark.parametrize("number", [0, -1, 1.0, True, "3", None])
def test_counts_sensitivities_and_thresholds_are_whole_numbers(number):
    for name in ("sensitivity", "count"):
        with pytest.raises(ValueError, match=f"{name} must be a whole number"):
            DiscreteGaussian(scale=1.0, **{name: number})
    for name in ("sensitivity", "count", "threshold"):
        with pytest.raises(ValueError, match=f"{name} must be a whole number"):
            ThresholdedDiscreteGaussian(**{"scale": 1.0, "threshold": 3, name: number})
    with pytest.raises(ValueError, match="count must be a whole number"):
        Exponential(epsilon=1.0, count=number)


@pytest.mark.parametrize("epsilon", [0, -1.0, math.nan, math.inf, True, "1"])
def test_a_selection_has_a_positive_epsilon(epsilon):
    with pytest.raises(ValueError, match="epsilon must be"):
        Exponential(epsilon=epsilon)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (None, "a mapping, found NoneType"),
        ("exact", "a mapping, found str"),
        ([], "a mapping"),
        ({}, "a mechanism's name is one of exact, discrete_gaussian"),
        ({"name": "laplace"}, "name is one of"),
        ({"name": ["exact"]}, "name is one of"),
        ({"name": "exact", "scale": 1.0}, "exact: its parameters are none"),
        ({"name": "discrete_gaussian", "scale": 1.0}, "its parameters are count, scale, sensitivity"),
        ({"name": "discrete_gaussian", "scale": 1.0, "sensitivity": 1, "count": 1, "x": 1}, "its parameters"),
        ({"name": "discrete_gaussian", "scale": 0.0, "sensitivity": 1, "count": 1}, "scale must be"),
        ({"name": "exponential", "epsilon": 1.0, "count": True}, "count must be"),
    ],
)
def test_other_data_are_refused(data, fault):
    with pytest.raises(ValueError, match=fault):
        mechanism_from_data(data)


@pytest.mark.parametrize("rate", [0, -0.1, 1.1, math.nan, True, "0.1", None])
def test_sampling_rates_are_shares(rate):
    with pytest.raises(ValueError, match="sampling_rate must be"):
        SampledGaussian(scale=1.0, sampling_rate=rate)


def test_precision_of_sampled_sums_is_that_of_their_limit_and_no_more_than_of_whole_ones():
    """q² (e^(1/σ²) - 1) a step by hand; with σ = 0.2 that would be 5 · 10^8 at q = 0.1, where 25 is what every row gives."""
    assert precision(SampledGaussian(scale=1.0, sampling_rate=0.1, count=3)) == pytest.approx(
        0.03 * (math.e - 1)
    )
    assert precision(SampledGaussian(scale=0.2, sampling_rate=0.1)) == pytest.approx(25)
    assert precision(SampledGaussian(scale=0.01, sampling_rate=0.1)) == pytest.approx(1e4)
    assert precision(DiscreteGaussian(scale=4.0, sensitivity=2, count=3)) == 0.75
    assert SampledGaussian(scale=1.0, sampling_rate=0.1).sensitivity == 1


def test_noise_too_small_to_square_has_no_end_of_precision():
    assert precision(SampledGaussian(scale=1e-200, sampling_rate=0.1)) == math.inf
    assert precision(DiscreteGaussian(scale=1e-200)) == math.inf
