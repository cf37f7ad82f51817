"""Coarse cells and what they say of latent axes, by hand and against integrals of the bivariate normal."""

import numpy as np
import pytest
from scipy import stats

from tabsynth.encode import Variable
from tabsynth.models.coarse_axes import CoarseColumn, axes_of
from tabsynth.models.latent import Part
from tabsynth.models.noisy_marginals import OneWay
from tabsynth.models.public_cells import PublicCells

HOURS = Variable(name="hours", is_continuous=True, n_levels=3, is_lattice=True, null_code=1, lower=0, upper=5)
GRADE = Variable(name="grade", is_continuous=False, n_levels=4, is_ordered=True)
TOWN = Variable(name="town", is_continuous=False, n_levels=5)


def coarse(variable: Variable, counts: list[float], **options) -> CoarseColumn:
    return CoarseColumn.of(OneWay(PublicCells.of(variable), np.array(counts, dtype=float)), **options)


def test_numbers_fall_into_runs_of_about_equal_mass_and_levels_stay_alone():
    column = coarse(HOURS, [10, 10, 20, 10, 5, 5, 7, 8], n_runs=3)
    # 60 numbers in three runs of 20; then the two levels
    assert column.cell_of.tolist() == [0, 0, 1, 2, 2, 2, 3, 4]
    assert (column.n_numbers, column.n_cells) == (3, 5)


def test_a_heavy_number_stays_alone():
    assert coarse(HOURS, [2, 3, 90, 2, 3, 0, 0, 0], n_runs=3).cell_of.tolist()[:6] == [0, 0, 1, 2, 2, 2]
    # 95 % at the first: the two cuts that are left halve what comes after
    assert coarse(HOURS, [95, 0, 1, 2, 1, 1, 0, 0], n_runs=3).cell_of.tolist()[:6] == [0, 1, 1, 1, 2, 2]


def test_ordered_levels_fall_into_runs_and_others_do_not():
    assert coarse(GRADE, [10, 10, 10, 30], n_runs=2).cell_of.tolist() == [0, 0, 0, 1]
    assert coarse(TOWN, [10, 10, 10, 30, 1], n_runs=2).cell_of.tolist() == [0, 1, 2, 3, 4]


def test_the_rarest_levels_share_a_cell():
    column = coarse(TOWN, [5, 40, 10, 1, 30], most_levels=3)
    assert column.cell_of.tolist() == [2, 0, 2, 2, 1]
    assert column.n_cells == 3


def test_without_rows_there_is_one_run():
    assert coarse(HOURS, [0] * 8).cell_of.tolist() == [0, 0, 0, 0, 0, 0, 1, 2]


def test_both_axes_of_a_column_are_read_off_the_same_cells():
    level, value = axes_of([coarse(HOURS, [10, 0, 20, 10, 10, 10, 15, 25], n_runs=3)])
    assert (level.latent.part, value.latent.part) == (Part.LEVEL, Part.VALUE)
    assert value.fold.tolist() == [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0]]
    assert level.fold.tolist() == [[1, 1, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]]
    assert level.mass == pytest.approx([0.6, 0.15, 0.25])
    assert value.mass == pytest.approx([1 / 6, 1 / 2, 1 / 3])
    assert value.is_partial
    assert not level.is_partial
    assert (value.n_rows, level.n_rows) == (60, 100)


def test_reordered_levels_take_their_cells_along():
    (axis,) = axes_of([coarse(TOWN, [5, 40, 10, 1, 44], most_levels=3)])
    turned = axis.reordered(np.array([4, 3, 2, 1, 0]))
    assert turned.mass == pytest.approx(axis.mass)
    # Level 4 is now the lowest 44 % of the axis, level 1 all between 55 % and 95 %.
    low, high = stats.norm.ppf(0.44), stats.norm.ppf([0.55, 0.95])
    assert turned.scores[0] == pytest.approx(-stats.norm.pdf(low) / 0.44)
    assert turned.scores[1] == pytest.approx((stats.norm.pdf(high[0]) - stats.norm.pdf(high[1])) / 0.4)


@pytest.mark.parametrize("rho", [-0.8, 0.3, 0.6])
def test_cells_have_the_probabilities_of_a_bivariate_normal(rho):
    first, second = axes_of(
        [coarse(GRADE, [20, 30, 10, 40], n_runs=4), coarse(TOWN, [10, 20, 30, 25, 15], most_levels=4)]
    )
    terms = rho ** np.arange(1, 201)
    mehler = np.outer(first.mass, second.mass) + (first.hermite(200) * terms) @ second.hermite(200).T
    joint = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]])
    cuts = [
        np.r_[-8, stats.norm.ppf([0.2, 0.5, 0.6]), 8],
        np.r_[-8, stats.norm.ppf([0.1, 0.3, 0.6, 0.85]), 8],
    ]
    below = np.array([[joint.cdf([x, y]) for y in cuts[1]] for x in cuts[0]])
    exact = np.diff(np.diff(below, axis=0), axis=1)
    # levels 0 and 4 of the second, the rarest, share its last cell; the others are by falling count
    by_cell = np.stack([exact[:, 2], exact[:, 3], exact[:, 1], exact[:, 0] + exact[:, 4]], axis=1)
    assert mehler == pytest.approx(by_cell, abs=1e-4)
