"""What is stated of privacy: accountants, versions and limitations follow what was charged."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version

import pytest

from tabsynth.models import registry
from tabsynth.privacy.ledger import Charge
from tabsynth.privacy.mechanisms import SampledGaussian
from tabsynth.release.bundle.libraries import ABSENT, OF_ENGINES, installed
from tabsynth.release.bundle.statement import (
    LIMITATIONS_OF_TRAINING,
    Statement,
    statement_of,
    statement_words,
)
from tests.unit.release.bundle.made import pipeline

STEPS = Charge(
    statistic="gradients of the critic",
    columns=("age",),
    mechanism=SampledGaussian(scale=20.0, sampling_rate=0.01, count=50),
)


def trained() -> Statement:
    """As of a model that noisy gradients trained, beside the counts of `pipeline`."""
    made = pipeline(private=True)
    charges = (*made.ledger.charges, STEPS)
    return statement_of(replace(made, ledger=replace(made.ledger, charges=charges)))


def test_a_training_s_accountant_and_limitations_are_stated():
    stated = trained().to_dict()
    assert "Opacus' accountant" in stated["accountant"]
    assert "dp-accounting" in stated["accountant"]
    assert set(LIMITATIONS_OF_TRAINING) < set(stated["limitations"])
    assert {"torch", "opacus", "opendp", "dp-accounting"} < set(stated["versions"])
    (steps,) = [each for each in stated["mechanisms"] if each["statistic"] == STEPS.statistic]
    assert steps["releases"] == 50
    assert steps["each"] == {"name": "sampled_gaussian", "scale": 20.0, "sampling_rate": 0.01, "count": 1}
    words = statement_words([trained()])
    assert "Opacus' accountant of privacy random variables" in words
    for limit in LIMITATIONS_OF_TRAINING:
        assert limit in words


def test_where_nothing_was_trained_nothing_is_said_of_training():
    for private in (True, False):
        found = statement_of(pipeline(private=private))
        words = statement_words([found])
        for word in ("Opacus", "torch", "32-bit"):
            assert word not in words
            assert word not in str(found.to_dict())


def test_limitations_of_all_tables_stand_once_each():
    words = statement_words([trained(), statement_of(pipeline(private=True)), statement_of(pipeline())])
    for limit in (*LIMITATIONS_OF_TRAINING, "Nothing is guaranteed."):
        assert words.count(limit) == 1


def test_a_library_that_is_not_there_is_said_to_be_absent():
    assert installed("polars", "no-such-library") == {"polars": version("polars"), "no-such-library": ABSENT}


@pytest.mark.parametrize("engine", registry.ENGINES)
def test_libraries_of_engines_are_those_that_fitting_asks_for(engine):
    _, wanted = registry._OF_EXTRA.get(engine, ("", ()))
    assert set(wanted) <= set(OF_ENGINES.get(engine, ()))
