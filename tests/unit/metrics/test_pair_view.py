"""Cells and coefficients of pairs, against brute force, numpy and scipy."""

import numpy as np
import pytest
import scipy.stats

from tabsynth.metrics.pair_view import MAX_CELLS, Binning, PairView, binnings_of, cramers_v, total_variation
from tests.unit.metrics.tables import discrete_column, encoded, number_column


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def view_of(**columns) -> PairView:
    table = encoded(**columns)
    return PairView.of(table, binnings_of(table))


def test_deciles_of_train_and_a_cell_for_each_level():
    train = number_column(np.arange(100), codes=[0] * 98 + [1, 2], n_levels=3)
    binning = Binning.of(train)
    # deciles of 0 … 97: 9.7, 19.4, …; levels 1, 2 and 3 (outside) follow the ten bins
    assert binning.inner_edges.tolist() == pytest.approx([9.7 * k for k in range(1, 10)])
    assert binning.n_cells == 13
    other = number_column([-5, 9, 10, 1000, 0, 0, 0], codes=[0, 0, 0, 0, 1, 2, 3], n_levels=3)
    assert binning.cells(other).tolist() == [0, 0, 1, 9, 10, 11, 12]


def test_repeated_deciles_fall_together():
    binning = Binning.of(number_column([0] * 95 + [1, 2, 3, 4, 5]))
    assert binning.inner_edges.tolist() == [0.0]
    assert binning.cells(number_column([-1, 0, 5])).tolist() == [0, 1, 1]


def test_a_long_list_of_levels_is_pooled_by_size():
    codes = np.repeat(np.arange(300), 2)
    codes[codes == 299] = 7  # level 299 is not in train
    binning = Binning.of(discrete_column(codes, 300))
    cells = binning.cells(discrete_column(np.arange(301), 300))
    assert binning.n_cells == MAX_CELLS
    assert cells[7] == 0  # the largest level
    assert len(set(cells[: MAX_CELLS - 1].tolist())) == MAX_CELLS - 1
    assert set(cells[MAX_CELLS:].tolist()) == {MAX_CELLS - 1}


def test_joint_counts_every_row(rng):
    a, b = rng.integers(0, 4, 200), rng.integers(0, 3, 200)
    joint = view_of(a=discrete_column(a, 4), b=discrete_column(b, 3)).joint("a", "b")
    expected = [[int(((a == i) & (b == j)).sum()) for j in range(4)] for i in range(5)]
    assert joint.tolist() == expected


@pytest.mark.parametrize("scale", [1.0, 1e12])
def test_correlations_are_those_of_numpy_and_scipy(rng, scale):
    x = rng.integers(0, 20, 300)
    y = scale * (x + rng.normal(size=300) * 10) + 5
    view = view_of(x=number_column(x), y=number_column(y))
    assert view.pearson("x", "y") == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-5)
    assert view.spearman("x", "y") == pytest.approx(scipy.stats.spearmanr(x, y).statistic, abs=1e-5)


def test_pearson_reads_the_rows_in_which_both_are_numbers(rng):
    x, y = rng.normal(size=300), rng.normal(size=300)
    y += x
    no_x, no_y = rng.random(300) < 0.2, rng.random(300) < 0.3
    view = view_of(x=number_column(x, no_x), y=number_column(y, no_y))
    both = ~no_x & ~no_y
    assert view.pearson("x", "y") == pytest.approx(np.corrcoef(x[both], y[both])[0, 1], abs=1e-5)
    ranks = [np.full(300, np.nan) for _ in range(2)]
    for rank, column, missing in zip(ranks, (x, y), (no_x, no_y), strict=True):
        rank[~missing] = scipy.stats.rankdata(column[~missing])
    expected = np.corrcoef(ranks[0][both], ranks[1][both])[0, 1]
    assert view.spearman("x", "y") == pytest.approx(expected, abs=1e-5)


def test_correlation_is_undefined_where_a_side_does_not_vary():
    view = view_of(
        x=number_column([1, 2, 3, 4]),
        constant=number_column([5, 5, 5, 5]),
        never_both=number_column([1, 0, 0, 0], codes=[0, 1, 1, 1]),
        nothing=number_column([0, 0, 0, 0], codes=[1, 1, 1, 1]),
        one_both=number_column([1.0, 2.0, 0, 0], codes=[0, 0, 1, 1]),
        other_half=number_column([0, 1.0, 2.0, 3.0], codes=[1, 0, 0, 0]),
        same_there=number_column([9.0, 1.0, 1.0, 1.0]),
    )
    for name in ("constant", "never_both", "nothing"):
        assert view.pearson("x", name) is None
    assert view.pearson("one_both", "other_half") is None
    assert view.pearson("other_half", "same_there") is None


def test_correlation_ratio_by_its_definition(rng):
    level, missing = rng.integers(0, 3, 400), rng.random(400) < 0.2
    x = rng.normal(size=400) + level
    view = view_of(x=number_column(x, missing), d=discrete_column(level, 3))
    seen, by_level = x[~missing], level[~missing]
    means = np.array([seen[by_level == k].mean() for k in range(3)])
    between = ((means[by_level] - seen.mean()) ** 2).sum()
    expected = np.sqrt(between / ((seen - seen.mean()) ** 2).sum())
    assert view.correlation_ratio("x", "d", view.joint("x", "d")) == pytest.approx(expected, abs=1e-5)


def test_correlation_ratio_needs_two_levels_and_a_number_that_varies():
    view = view_of(
        x=number_column([1, 2, 3]),
        constant=number_column([1, 1, 1]),
        d=discrete_column([0, 1, 1], 2),
        one=discrete_column([1, 1, 1], 2),
    )
    assert view.correlation_ratio("x", "one", view.joint("x", "one")) is None
    assert view.correlation_ratio("constant", "d", view.joint("constant", "d")) is None


def test_cramers_v_is_scipys(rng):
    table = rng.integers(1, 30, (4, 3))
    assert cramers_v(table) == pytest.approx(scipy.stats.contingency.association(table, method="cramer"))
    padded = np.pad(table, 1)  # levels that never occur count for nothing
    assert cramers_v(padded) == pytest.approx(cramers_v(table))
    assert cramers_v(np.array([[3, 4], [0, 0]])) is None
    assert cramers_v(np.zeros((2, 2), dtype=np.int64)) is None


def test_total_variation_by_hand():
    assert total_variation(np.array([[2, 2], [0, 0]]), np.array([[1, 0], [0, 1]])) == pytest.approx(0.5)
