"""Public rows as a prior: forecasts, drift and weights by hand, and by what they are worth on tables that are known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tabsynth.encode import EncodedColumn, EncodedTable, Variable
from tabsynth.models.network.public import (
    Forecast,
    PublicRows,
    blended,
    drift_of,
    drifting,
    public_rows,
)
from tabsynth.models.public_cells import PublicCells

LEVELS = Variable(name="k", is_continuous=False, n_levels=3)
NUMBERS = Variable(
    name="x",
    is_continuous=True,
    n_levels=1,
    is_ordered=True,
    is_lattice=True,
    lower=0,
    upper=4,
    is_bounded=True,
)
IDENTITY = np.arange(3)


def levels(codes, *, known=None):
    codes = np.array(codes, dtype=np.uint8)
    return codes, np.ones(len(codes), dtype=bool) if known is None else np.array(known)


def rows_of(*columns):
    return PublicRows(tuple(codes for codes, _ in columns), tuple(known for _, known in columns))


def test_columns_are_scaled_to_the_private_rows():
    """40 private rows to 4 public ones: each stands for 10; variance 10² z + 10 z, of none as of half a row."""
    found = rows_of(levels([0, 0, 0, 1])).column(0, 3, total=40)
    assert found.n_rows == 4
    np.testing.assert_allclose(found.counts, [30, 10, 0])
    np.testing.assert_allclose(found.variance, [100 * 3 + 30, 100 + 10, 100 * 0.5])


def test_what_is_unknown_tells_nothing():
    rows = rows_of(levels([0, 1, 1], known=[True, False, True]), levels([0, 0, 2]))
    np.testing.assert_allclose(rows.column(0, 3, total=2).counts, [1, 1, 0])
    pair = rows.pair((0, 1), [IDENTITY, IDENTITY], [np.array([1.0, 1, 0]), np.array([1.0, 0, 1])])
    assert pair.n_rows == 2
    lacking = PublicRows((None, rows.fine[1]), (None, rows.known[1]))
    assert lacking.column(0, 3, total=2) is None
    assert lacking.pair((0, 1), [IDENTITY, IDENTITY], [np.ones(3), np.ones(3)]) is None
    nobody = rows_of(levels([0], known=[False]))
    assert nobody.column(0, 3, total=9) is None


def test_pairs_are_brought_to_the_private_margins():
    """Odds ratios stay (Deming and Stephan 1940), but for the half row that is spread over all cells."""
    codes = np.repeat([0, 1, 2, 3], [400, 100, 200, 300])
    rows = rows_of(levels(codes // 2), levels(codes % 2))
    first, second = np.array([800.0, 200.0]), np.array([500.0, 500.0])
    found = rows.pair((0, 1), [np.arange(2)] * 2, [first, second])
    np.testing.assert_allclose(found.counts.sum(axis=1), first, rtol=1e-3)
    np.testing.assert_allclose(found.counts.sum(axis=0), second, rtol=1e-3)
    ratio = found.counts[0, 0] * found.counts[1, 1] / (found.counts[0, 1] * found.counts[1, 0])
    assert ratio == pytest.approx(400 * 300 / (100 * 200), rel=0.01)


def test_a_level_that_no_public_row_holds_says_nothing_of_its_pairs():
    """Its cells lean to independence, with a deviation far above their counts."""
    rows = rows_of(levels([0] * 500), levels([0, 1] * 250))
    found = rows.pair((0, 1), [np.arange(2)] * 2, [np.array([300.0, 700.0]), np.array([500.0, 500.0])])
    np.testing.assert_allclose(found.counts[1], [350, 350], rtol=0.01)
    assert (np.sqrt(found.variance[1]) > found.counts[1]).all()
    assert (np.sqrt(found.variance[0]) < found.counts[0] / 5).all()


def test_drift_is_what_noise_and_sampling_do_not_explain():
    """Cells that differ by a factor of deviation .3: the estimate is .09 within a fifth (1e-6), and nothing where they do not."""
    rng = np.random.default_rng(0)
    counts = np.full(20_000, 1_000.0)
    forecast = Forecast(counts, np.full(20_000, 400.0), 1)
    noise = rng.normal(0, math.sqrt(2_500.0 + 400), 20_000)
    assert drift_of([(counts + noise, 2_500.0, forecast)]) < 1e-4
    moved = counts * (1 + rng.normal(0, 0.3, 20_000))
    assert drift_of([(moved + noise, 2_500.0, forecast)]) == pytest.approx(0.09, rel=0.2)


def test_drift_that_noise_hides_is_the_usual_one():
    """Precisions: 1 / .05² = 400 of the usual one; of one cell of 20 rows expected, 20 found, variance 100 + 100: (400/200)² / 2 = 2."""
    assert drift_of([]) == pytest.approx(0.05)
    assert drift_of([], usual=0.2) == pytest.approx(0.2)
    assert drift_of([(np.ones(3), 1.0, Forecast(np.zeros(3), np.ones(3), 1))]) == pytest.approx(0.05)
    cell = (np.array([20.0]), 100.0, Forecast(np.array([20.0]), np.array([100.0]), 1))
    assert drift_of([cell]) == pytest.approx((-2 / 2 + 1 / 0.05) / (2 + 400))
    drifted = drifting(Forecast(np.array([0.0, 10.0]), np.array([2.0, 3.0]), 5), 0.5)
    np.testing.assert_allclose(drifted.variance, [2 + 0.5, 3 + 50])
    whole = blended(np.array([7.0]), 4.0, drifting(Forecast(np.array([1.0]), np.array([1.0]), 1), math.inf))
    assert (whole.counts[0], whole.variance[0]) == (7.0, 4.0)


def test_counts_and_forecasts_are_weighted_by_their_variances():
    """Variances 4 and 12: three parts of the count and one of the forecast, and a variance of 3."""
    found = blended(np.array([20.0]), 4.0, Forecast(np.array([16.0]), np.array([12.0]), 1))
    assert found.counts[0] == pytest.approx(19.0)
    assert found.variance[0] == pytest.approx(3.0)
    other = blended(
        np.array([20.0]), 4.0, Forecast(np.array([16.0]), np.array([12.0]), 1), counts=np.array([18.0])
    )
    assert other.counts[0] == pytest.approx(17.5)


def test_what_stands_out_is_believed_as_it_was_counted():
    """100 rows where none is expected, with deviations of 2 and 1: the forecast gets the variance 10,000 - 4."""
    found = blended(np.array([100.0]), 4.0, Forecast(np.array([0.0]), np.array([1.0]), 1))
    assert found.counts[0] == pytest.approx(100 * 9_996 / 10_000)


def test_rows_beyond_the_domain():
    cells = [PublicCells.of(LEVELS), PublicCells.of(NUMBERS)]
    table = EncodedTable(
        4,
        {
            "k": EncodedColumn(LEVELS, np.array([0, 2, 3, 1], dtype=np.uint8)),
            "x": EncodedColumn(NUMBERS, np.array([0, 0, 1, 0], dtype=np.uint8), np.array([-9, 3, 0, 9])),
        },
    )
    found = public_rows(cells, table)
    assert found.known[0].tolist() == [True, True, False, True]
    assert found.known[1].tolist() == [True, True, False, True]
    assert found.fine[1][[0, 1, 3]].tolist() == [0, 3, 4]
    lacking = public_rows(cells, replace(table, columns={"x": table.columns["x"]}))
    assert lacking.fine[0] is None
