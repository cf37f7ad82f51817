"""How much more often cells are equal than by chance, by hand."""

import numpy as np
import pytest

from tabsynth.privacy import Ledger
from tabsynth.privacy.queries import Queries
from tabsynth.privacy.told_by_repeat import FEWEST, more_often


def codes(*runs):
    """(code, how many rows) one after another."""
    return np.concatenate([np.full(n, code, dtype=np.uint8) for code, n in runs])


EVERYWHERE = np.ones(FEWEST, dtype=np.bool_)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        # equal in 3/4 of the rows, of which chance has 1/2 · 3/4 + 1/2 · 1/4
        (((0, 100), (1, 100)), ((0, 100), (1, 50), (0, 50)), 0.25),
        (((0, 100), (1, 100)), ((0, 100), (1, 100)), 0.5),
        (((0, 100), (1, 100)), ((1, 100), (0, 100)), -0.5),
        (((0, 100), (1, 100)), ((0, 50), (1, 100), (0, 50)), 0.0),
        (((0, 200),), ((0, 200),), 0.0),  # one level repeats by chance alone
        (((9, 200),), ((2, 200),), 0.0),
        (((7, 40), (1, 160)), ((7, 20), (1, 180)), 0.9 - (0.2 * 0.1 + 0.8 * 0.9)),
    ],
)
def test_equal_cells_less_those_by_chance(one, other, expected):
    assert more_often(codes(*one), codes(*other), EVERYWHERE) == pytest.approx(expected)
    assert more_often(codes(*other), codes(*one), EVERYWHERE) == pytest.approx(expected)


def test_rows_in_which_a_cell_is_missing_do_not_count():
    """The 200 rows of .25 above, and 300 that are equal and not there."""
    one, other = codes((0, 100), (1, 100), (3, 300)), codes((0, 100), (1, 50), (0, 50), (3, 300))
    assert more_often(one, other, one < 3) == pytest.approx(0.25)


def test_fewer_rows_than_two_hundred_say_nothing():
    assert FEWEST == 200
    same = codes((0, 100), (1, 100))
    for n_there, expected in ((200, 0.5), (199, 0.0), (0, 0.0)):
        assert more_often(same, same, np.arange(200) < n_there) == pytest.approx(expected)


def test_it_is_charged_before_it_is_read():
    ledger = Ledger()
    found = Queries(ledger).told_by_repeat(columns=["was", "is"])
    assert [(one.statistic, one.columns) for one in ledger.charges] == [("equal cells", ("was", "is"))]
    assert found is more_often
