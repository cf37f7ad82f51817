"""Plans stay within their budget by the accountant's word, waste next to nothing, and refuse what is no part."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tabsynth.errors import PrivacyError, UsageError
from tabsynth.privacy import Budget
from tabsynth.privacy.accountant import analytic_gaussian, delta_of, threshold_delta
from tabsynth.privacy.mechanisms import DiscreteGaussian, SampledGaussian, ThresholdedDiscreteGaussian
from tabsynth.privacy.mechanisms import precision as precision_of
from tabsynth.privacy.plan import BudgetPlan, Part, PlannedPart, checked_plan, make_plan

PARTS = (
    Part(statistic="one-ways", share=3, count=15),
    Part(statistic="scores", share=1, count=105),
    Part(statistic="pairs", share=16, count=50),
    Part(statistic="categories", share=1, count=2, is_thresholded=True),
)


def mechanisms(plan):
    return [planned.mechanism for planned in plan.parts]


def scaled(plan, factor):
    parts = [replace(p, mechanism=replace(p.mechanism, scale=p.mechanism.scale * factor)) for p in plan.parts]
    return replace(plan, parts=tuple(parts))


def precision(mechanism):
    return mechanism.count * mechanism.sensitivity**2 / mechanism.scale**2


@pytest.mark.parametrize(("parts", "sensitivity"), [(PARTS, 1), (PARTS, 7), (PARTS[3:], 1)])
@pytest.mark.parametrize(
    ("epsilon", "delta"), [(0.01, 1e-6), (1.0, 1e-6), (1.0, 1e-5), (3.0, 1e-9), (30.0, 1e-6)]
)
def test_a_plan_fits_its_budget_and_half_a_percent_more_does_not(parts, sensitivity, epsilon, delta):
    plan = make_plan(parts, Budget(epsilon=epsilon, delta=delta), sensitivity=sensitivity)
    assert (plan.budget, plan.sensitivity) == (Budget(epsilon=epsilon, delta=delta), sensitivity)
    assert delta_of(mechanisms(plan), epsilon) <= delta
    assert delta_of(mechanisms(scaled(plan, 1.005**-0.5)), epsilon) > delta


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 3.0])
def test_discrete_noise_loses_next_to_nothing_to_continuous_noise(epsilon):
    plan = make_plan(PARTS[:3], Budget(epsilon=epsilon, delta=1e-6))
    best = math.exp(analytic_gaussian(epsilon, 1e-6)[0])
    assert 0.998 * best < sum(map(precision, mechanisms(plan))) < best


def test_shares_are_shares_of_precision():
    plan = make_plan(PARTS, Budget(epsilon=1.0), sensitivity=3)
    total = sum(map(precision, mechanisms(plan)))
    for part in PARTS:
        planned = plan[part.statistic]
        assert planned.part == part
        assert precision(planned.mechanism) / total == pytest.approx(part.share / 21)
        assert (planned.mechanism.count, planned.mechanism.sensitivity) == (part.count, 3)


@pytest.mark.parametrize("sensitivity", [1, 4, 60])
def test_thresholds_take_a_hundredth_of_delta_and_are_as_low_as_that_allows(sensitivity):
    plan = make_plan(PARTS, Budget(epsilon=1.0, delta=1e-6), sensitivity=sensitivity)
    mechanism = plan["categories"].mechanism
    assert isinstance(mechanism, ThresholdedDiscreteGaussian)
    assert 2 * threshold_delta(mechanism) <= 1e-8
    assert 2 * threshold_delta(replace(mechanism, threshold=mechanism.threshold - 1)) > 1e-8
    others = [planned.mechanism for planned in plan.parts if not planned.part.is_thresholded]
    assert all(type(mechanism) is DiscreteGaussian for mechanism in others)


@pytest.mark.parametrize("sensitivity", [1, 2, 10])
def test_more_rows_per_unit_take_more_noise_in_proportion(sensitivity):
    single = make_plan(PARTS, Budget(epsilon=1.0))["pairs"].mechanism.scale
    many = make_plan(PARTS, Budget(epsilon=1.0), sensitivity=sensitivity)["pairs"].mechanism.scale
    assert many / sensitivity == pytest.approx(single, rel=2e-3)


def test_a_plan_is_the_same_every_time():
    assert make_plan(PARTS, Budget(epsilon=0.7)) == make_plan(PARTS, Budget(epsilon=0.7))


def test_a_budget_that_falls_between_two_losses_of_a_lattice():
    """At ε = 100 and one release, δ jumps from next to nothing where the loss at 0 passes ε."""
    plan = make_plan(PARTS[:1], Budget(epsilon=100.0, delta=1e-9))
    assert delta_of(mechanisms(plan), 100.0) <= 1e-9
    lone = make_plan((Part(statistic="x", share=1),), Budget(epsilon=100.0, delta=1e-9))
    assert delta_of(mechanisms(lone), 100.0) <= 1e-9
    assert lone["x"].mechanism.scale == pytest.approx(200**-0.5, rel=0.02)


@pytest.mark.parametrize(
    "fault",
    [
        lambda plan: scaled(plan, 0.5),
        lambda plan: replace(plan, parts=(*plan.parts, plan.parts[2])),
        lambda plan: replace(
            plan, parts=tuple(replace(p, mechanism=replace(p.mechanism, sensitivity=2)) for p in plan.parts)
        ),
        lambda plan: replace(
            plan,
            parts=(*plan.parts[:3], replace(plan.parts[3], mechanism=replace(plan.parts[3].mechanism, threshold=40))),
        ),
        lambda plan: replace(plan, budget=Budget(epsilon=0.99, delta=1e-6)),
        lambda plan: replace(plan, budget=Budget(epsilon=1.0, delta=9e-7)),
    ],
    ids=["half the noise", "counted twice", "rows per unit", "threshold too low", "epsilon", "delta"],
)  # fmt: skip
def test_a_plan_that_takes_more_than_its_budget_is_refused(fault):
    plan = make_plan(PARTS, Budget(epsilon=1.0, delta=1e-6))
    assert checked_plan(plan) == plan
    with pytest.raises(PrivacyError, match=r"the plan takes more than ε = .*nothing was read"):
        checked_plan(fault(plan))


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ((), "at least one part"),
        ((Part(statistic="a", share=0),), "a: its share must be positive and finite, found 0"),
        ((Part(statistic="a", share=-1.0),), "a: its share"),
        ((Part(statistic="a", share=math.nan),), "a: its share"),
        ((Part(statistic="a", share=math.inf),), "a: its share"),
        (
            (Part(statistic="a", share=1, count=0),),
            "a: its count must be a whole number of 1 or more, found 0",
        ),
        ((Part(statistic="a", share=1, count=1.5),), "a: its count"),
        ((Part(statistic="a", share=1), Part(statistic="a", share=1)), "a: a statistic of 2 parts"),
        ((Part(statistic="a", share=0), Part(statistic="b", share=1, count=-1)), "a: .*; b: "),
    ],
)
def test_parts_that_are_none_are_refused_all_at_once(parts, fault):
    with pytest.raises(UsageError, match=fault):
        make_plan(parts, Budget(epsilon=1.0))


@pytest.mark.parametrize("sensitivity", [0, -1, 1.0, True])
def test_rows_per_unit_are_a_whole_number(sensitivity):
    with pytest.raises(UsageError, match="rows that one unit may have"):
        make_plan(PARTS, Budget(epsilon=1.0), sensitivity=sensitivity)


def test_a_budget_too_small_for_any_noise_is_refused():
    with pytest.raises(UsageError, match="too small"):
        make_plan(PARTS, Budget(epsilon=1e-300, delta=1e-18))


def test_a_statistic_that_is_not_planned():
    plan = BudgetPlan(
        budget=Budget(epsilon=1.0),
        sensitivity=1,
        parts=(PlannedPart(part=PARTS[0], mechanism=DiscreteGaussian(scale=9.0)),),
    )
    with pytest.raises(KeyError, match="others"):
        plan["others"]


@pytest.mark.parametrize("value", ["1", None, True, 1j])
def test_a_budget_is_of_numbers(value):
    with pytest.raises(UsageError, match=f"^epsilon must be a number, found {type(value).__name__}$"):
        Budget(epsilon=value)
    with pytest.raises(UsageError, match=f"^delta must be a number, found {type(value).__name__}$"):
        Budget(epsilon=1, delta=value)


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf")])
def test_a_budget_is_positive_and_finite(value):
    with pytest.raises(UsageError, match="epsilon must be positive and finite"):
        Budget(epsilon=value)


def test_a_budget_takes_numbers_of_numpy():
    assert Budget(epsilon=np.float32(0.5), delta=np.float64(1e-6)).epsilon == 0.5


TRAINING = Part(statistic="gradients", share=5, count=150, sampling_rate=0.08)


@pytest.mark.parametrize("epsilon", [0.01, 1.0, 3.0, 10.0])
def test_a_training_takes_its_share_of_the_budget(epsilon):
    budget = Budget(epsilon=epsilon, delta=1e-5)
    plan = make_plan((*PARTS, TRAINING), budget)
    mechanism = plan["gradients"].mechanism
    assert isinstance(mechanism, SampledGaussian)
    assert (mechanism.count, mechanism.sampling_rate) == (150, 0.08)
    assert delta_of(mechanisms(plan), epsilon) <= 1e-5
    assert delta_of(mechanisms(scaled(plan, 0.99)), epsilon) > 1e-5
    found = [precision_of(each) for each in mechanisms(plan)]
    shares = [3, 1, 16, 1, 5]
    assert np.allclose(np.array(found) / sum(found), np.array(shares) / sum(shares), rtol=1e-9)


def test_trainings_protect_single_rows_and_have_rates_and_no_thresholds():
    with pytest.raises(PrivacyError, match="gradients: samples are of rows, and here a unit has up to 3"):
        make_plan((TRAINING,), Budget(epsilon=1.0), sensitivity=3)
    for rate in (0.0, 1.5):
        with pytest.raises(UsageError, match="its sampling rate must be in"):
            make_plan((replace(TRAINING, sampling_rate=rate),), Budget(epsilon=1.0))
    with pytest.raises(UsageError, match="sums over samples have no threshold"):
        make_plan((replace(TRAINING, is_thresholded=True),), Budget(epsilon=1.0))
