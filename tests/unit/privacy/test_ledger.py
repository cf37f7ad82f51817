"""The ledger in memory: what it composes to, what it refuses, and its plain data."""

import json
import math
from concurrent.futures import ThreadPoolExecutor

import pytest

from tabsynth.errors import BudgetError
from tabsynth.privacy import Budget, Charge, Ledger
from tabsynth.privacy.accountant import delta_of, epsilon_of
from tabsynth.privacy.ledger import (
    LedgerCopy,
    charges_from_data,
    charges_to_data,
    copy_from_data,
    copy_to_data,
)
from tabsynth.privacy.mechanisms import (
    EXACT,
    DiscreteGaussian,
    Exponential,
    ThresholdedDiscreteGaussian,
)
from tabsynth.privacy.plan import Part, make_plan

NOISE = DiscreteGaussian(scale=20.0)  # three of them take μ² = 3/400, about ε = .37 at δ = 1e-6


def test_charges_are_kept_in_order_and_compose():
    ledger = Ledger()
    assert (ledger.charges, ledger.former, ledger.cap, ledger.epsilon(0.0)) == ((), (), None, 0)
    ledger.charge("one-ways", ["a", "b"], NOISE)
    ledger.charge("pairs", ("a",), DiscreteGaussian(scale=50.0, count=3))
    ledger.charge("levels", (), ThresholdedDiscreteGaussian(scale=20.0, threshold=150))
    assert ledger.charges == (
        Charge(statistic="one-ways", columns=("a", "b"), mechanism=NOISE),
        Charge(statistic="pairs", columns=("a",), mechanism=DiscreteGaussian(scale=50.0, count=3)),
        Charge(
            statistic="levels", columns=(), mechanism=ThresholdedDiscreteGaussian(scale=20.0, threshold=150)
        ),
    )
    assert ledger.epsilon(1e-6) == epsilon_of([charge.mechanism for charge in ledger.charges], 1e-6)
    assert 0.3 < ledger.epsilon(1e-6) < 1
    ledger.charge("rows", ())
    assert ledger.charges[-1].mechanism == EXACT
    assert ledger.epsilon(0.5) == math.inf
    assert ledger.left() == math.inf


def test_a_charge_over_the_cap_is_refused_with_nothing_recorded():
    ledger = Ledger(Budget(epsilon=0.37, delta=1e-6))
    for _ in range(3):
        ledger.charge("s", (), NOISE)
    before = ledger.charges
    with pytest.raises(
        BudgetError,
        match=r"cap of ε = 0\.37, δ = 1e-06 does not allow it: about ε = 0\.\d+ is left; nothing was released",
    ):
        ledger.charge("s", (), NOISE)
    assert ledger.charges == before
    assert ledger.epsilon(1e-6) <= 0.37
    assert 0 < ledger.left() < 0.37
    ledger.charge("smaller", (), DiscreteGaussian(scale=1e5))  # what is left can still be spent


@pytest.mark.parametrize(
    "mechanism", [EXACT, Exponential(epsilon=2.0), ThresholdedDiscreteGaussian(scale=1e4, threshold=5)]
)
def test_what_can_never_fit_is_refused(mechanism):
    ledger = Ledger(Budget(epsilon=1.0, delta=1e-6))
    with pytest.raises(BudgetError, match="does not allow it"):
        ledger.charge("s", (), mechanism)
    with pytest.raises(BudgetError, match="does not allow it"):
        ledger.reserve([mechanism])
    assert ledger.charges == ()
    assert ledger.left() == 1.0


def test_former_fits_count_against_the_cap():
    former = [Charge(statistic="s", columns=(), mechanism=NOISE)] * 3
    ledger = Ledger(Budget(epsilon=0.37, delta=1e-6), former=former)
    assert (ledger.former, ledger.charges) == (tuple(former), ())
    assert ledger.epsilon(1e-6) == epsilon_of([NOISE] * 3, 1e-6)
    with pytest.raises(BudgetError):
        ledger.charge("s", (), NOISE)


def test_a_plan_is_reserved_as_a_whole_and_charged_in_pieces():
    parts = (
        Part(statistic="a", share=1, count=5),
        Part(statistic="b", share=2, count=2, is_thresholded=True),
    )
    plan = make_plan(parts, Budget(epsilon=1.0, delta=1e-6))
    ledger = Ledger(Budget(epsilon=1.0, delta=1e-6))
    ledger.reserve(planned.mechanism for planned in plan.parts)
    assert ledger.charges == ()
    with pytest.raises(BudgetError, match=r"about ε = 0(\.0\d+)? is left"):
        ledger.charge("unplanned", (), DiscreteGaussian(scale=50.0))
    with pytest.raises(BudgetError):
        ledger.reserve([DiscreteGaussian(scale=50.0)])
    noise = plan["a"].mechanism
    ledger.charge("a", (), DiscreteGaussian(scale=noise.scale, count=2))
    ledger.charge("b", (), plan["b"].mechanism)
    ledger.charge("a", (), DiscreteGaussian(scale=noise.scale, count=3))
    with pytest.raises(BudgetError):
        ledger.charge("a", (), DiscreteGaussian(scale=noise.scale))
    assert delta_of([charge.mechanism for charge in ledger.charges], 1.0) <= 1e-6
    assert ledger.epsilon(1e-6) == pytest.approx(1.0, rel=2e-3)


def test_a_plan_that_does_not_fit_is_refused_before_anything_is_charged():
    ledger = Ledger(Budget(epsilon=0.5, delta=1e-6))
    plan = make_plan((Part(statistic="a", share=1),), Budget(epsilon=0.6, delta=1e-6))
    with pytest.raises(BudgetError, match=r"about ε = 0\.5 is left"):
        ledger.reserve([plan["a"].mechanism])
    ledger.reserve(
        [make_plan((Part(statistic="a", share=1),), Budget(epsilon=0.5, delta=1e-6))["a"].mechanism]
    )


def test_room_that_a_fit_did_not_use_is_given_back():
    ledger = Ledger(Budget(epsilon=0.37, delta=1e-6))
    ledger.reserve([DiscreteGaussian(scale=20.0, count=3)])
    ledger.charge("s", (), NOISE)
    with pytest.raises(BudgetError):
        ledger.reserve([NOISE])
    ledger.free()
    ledger.reserve([DiscreteGaussian(scale=20.0, count=2)])
    with pytest.raises(BudgetError):
        ledger.reserve([NOISE])


def test_threads_do_not_overspend():
    ledger = Ledger(Budget(epsilon=0.37, delta=1e-6))

    def charge(_):
        try:
            ledger.charge("s", (), NOISE)
        except BudgetError:
            return False
        return True

    with ThreadPoolExecutor(5) as pool:
        assert sum(pool.map(charge, range(5))) == 3
    assert len(ledger.charges) == 3


def test_charges_survive_json():
    charges = (
        Charge(statistic="s", columns=("a", "ü\n"), mechanism=NOISE),
        Charge(statistic="t", columns=()),
        Charge(statistic="u", columns=("b",), mechanism=Exponential(epsilon=0.5, count=2)),
    )
    assert charges_from_data(json.loads(json.dumps(charges_to_data(charges)))) == charges


SOUND = {"statistic": "s", "columns": ["a"], "mechanism": {"name": "exact"}}


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({}, "charges are a list"),
        (None, "charges are a list"),
        ([1], "a charge holds"),
        ([{}], "a charge holds"),
        ([{**SOUND, "more": 1}], "a charge holds"),
        ([{**SOUND, "statistic": 1}], "statistic is a text"),
        ([{**SOUND, "columns": "ab"}], "list of names"),
        ([{**SOUND, "columns": [1]}], "list of names"),
        ([{**SOUND, "mechanism": "exact"}], "a mechanism is a mapping"),
        ([SOUND, {**SOUND, "mechanism": {"name": "none"}}], "a mechanism's name"),
    ],
)
def test_other_data_are_refused(data, fault):
    with pytest.raises(ValueError, match=fault):
        charges_from_data(data)


def test_a_copy_says_what_the_ledger_said():
    former = (Charge(statistic="s", columns=(), mechanism=NOISE),)
    ledger = Ledger(Budget(epsilon=2.0, delta=1e-6), former=former)
    ledger.charge("t", ("a",), NOISE)
    copy = ledger.copy()
    assert copy == LedgerCopy(former=former, charges=ledger.charges, cap=ledger.cap)
    ledger.charge("u", ("a",), NOISE)
    assert len(copy.charges) == 1
    assert copy.epsilon(1e-6) == epsilon_of([NOISE] * 2, 1e-6)
    assert copy_from_data(json.loads(json.dumps(copy_to_data(copy)))) == copy
    assert copy_from_data(copy_to_data(Ledger().copy())) == Ledger().copy()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"kind": "tabsynth ledger 1"}, "a copy of a ledger holds"),
        ({"more": 1}, "a copy of a ledger holds"),
        ({"series": 1}, "are texts or nothing"),
        ({"head": ["x"]}, "are texts or nothing"),
        ({"former": {}}, "charges are a list"),
        ({"charges": [{}]}, "a charge holds"),
        ({"cap": 1.0}, "a cap holds epsilon and delta"),
        ({"cap": {"epsilon": 1.0}}, "a cap holds epsilon and delta"),
        ({"cap": {"epsilon": "1", "delta": 1e-6}}, "are numbers"),
        ({"cap": {"epsilon": True, "delta": 1e-6}}, "are numbers"),
        ({"cap": {"epsilon": -1.0, "delta": 1e-6}}, "epsilon must be positive"),
        ({"cap": {"epsilon": 1.0, "delta": 2.0}}, "delta must lie"),
    ],
)
def test_another_copy_is_refused(change, fault):
    with pytest.raises(ValueError, match=fault):
        copy_from_data({**copy_to_data(Ledger(Budget(epsilon=1.0)).copy()), **change})


def test_a_copy_is_a_mapping():
    with pytest.raises(ValueError, match="a copy of a ledger holds"):
        copy_from_data([])
