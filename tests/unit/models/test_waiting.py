"""Rows under conditions from a model that cannot draw them directly."""

from dataclasses import dataclass

import numpy as np
import pytest

from tabsynth.encode import EncodedColumn, EncodedTable, Variable
from tabsynth.errors import ConditionError, UsageError
from tabsynth.models.condition import Condition
from tabsynth.models.waiting import MOST_TRIES, drawn_under
from tabsynth.randomness import Streams

LEVELS = Variable(name="a", is_continuous=False, n_levels=3)
NUMBERS = Variable(name="x", is_continuous=True, n_levels=1, is_lattice=True)


@dataclass(frozen=True)
class Plain:
    """Levels 0, 1, 2 with given probabilities, and whole numbers below 100."""

    shares: tuple[float, ...]
    variables = (LEVELS, NUMBERS)

    def sample_block(self, block, *, n_rows, streams):
        rng = streams.generator("plain", block)
        codes = rng.choice(3, n_rows, p=self.shares).astype(np.uint8)
        numbers = EncodedColumn(NUMBERS, np.zeros(n_rows, np.uint8), rng.integers(0, 100, n_rows))
        return EncodedTable(n_rows, {"a": EncodedColumn(LEVELS, codes), "x": numbers})

    def arrays(self):
        return {}

    def parameters(self):
        return {}


WHERE = (Condition.at("a", 1), Condition(column="x", codes=(0,), spans=((10, 19),)))


def test_rows_are_those_that_meet_the_conditions():
    found = drawn_under(Plain((0.8, 0.2, 0.0)), 3, n_rows=5000, streams=Streams(1), conditions=WHERE)
    assert found.effective == 5000
    assert set(found.rows.columns["a"].codes.tolist()) == {1}
    numbers = found.rows.columns["x"].values
    # of ten numbers each is met 500 times, with a standard deviation of 21: five of them
    assert np.abs(np.bincount(numbers, minlength=20)[10:] - 500).max() < 106
    again = drawn_under(Plain((0.8, 0.2, 0.0)), 3, n_rows=5000, streams=Streams(1), conditions=WHERE)
    assert (again.rows.columns["x"].values == numbers).all()
    assert (
        drawn_under(Plain((1.0, 0.0, 0.0)), 0, n_rows=0, streams=Streams(1), conditions=WHERE).rows.n_rows
        == 0
    )


def test_waiting_ends():
    with pytest.raises(
        ConditionError, match=r"on 'a', 'x' have probability zero .*: none of 1,310,720 rows meets"
    ):
        drawn_under(Plain((0.8, 0.0, 0.2)), 0, n_rows=5, streams=Streams(1), conditions=WHERE)
    rare = Plain((1 - 1e-4, 1e-4, 0.0))
    with pytest.raises(
        ConditionError, match=r"too few rows meet the conditions on 'a', 'x': 1?\d of 1,310,720 drawn"
    ):
        drawn_under(rare, 0, n_rows=1000, streams=Streams(1), conditions=WHERE)
    assert MOST_TRIES == 40


def test_cells_cannot_be_given_to_it():
    given = {"a": EncodedColumn(LEVELS, np.zeros(2, np.uint8))}
    with pytest.raises(UsageError, match="cannot complete rows"):
        drawn_under(Plain((1.0, 0.0, 0.0)), 0, n_rows=2, streams=Streams(1), given=given)
