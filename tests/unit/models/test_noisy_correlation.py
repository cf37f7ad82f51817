"""Correlations from tables of pairs: exact tables give them back, noise shrinks them, gaps are allowed for."""

import numpy as np
import pytest
from scipy import stats

from tabsynth.encode import Variable, encode_table, settle
from tabsynth.models.coarse_axes import CoarseColumn, axes_of
from tabsynth.models.noisy_correlation import (
    PairTables,
    measured_pairs,
    noisy_latent_correlation,
    ordered_axes,
)
from tabsynth.models.noisy_marginals import OneWay, cells_and_codes, one_ways
from tabsynth.models.public_cells import PublicCells
from tabsynth.privacy import Ledger
from tabsynth.privacy.queries import Queries
from tests.unit.models.test_private_engines import stays

TOTAL = 100_000.0
GRADE = Variable(name="grade", is_continuous=False, n_levels=4, is_ordered=True)
TOWN = Variable(name="town", is_continuous=False, n_levels=3)
FLAG = Variable(name="flag", is_continuous=False, n_levels=2)
COST = Variable(name="cost", is_continuous=True, n_levels=2, is_lattice=True, null_code=1, lower=0, upper=2)


def column(variable: Variable, shares: list[float]) -> CoarseColumn:
    return CoarseColumn.of(OneWay(PublicCells.of(variable), TOTAL * np.array(shares)), n_runs=4)


def normal_cells(rho: float, first: list[float], second: list[float]) -> np.ndarray:
    """Probabilities of the cells of a bivariate normal, by its distribution function."""
    joint = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]])
    cuts = [np.r_[-9, stats.norm.ppf(np.cumsum(shares)[:-1]), 9] for shares in (first, second)]
    below = np.array([[joint.cdf([x, y]) for y in cuts[1]] for x in cuts[0]])
    return np.diff(np.diff(below, axis=0), axis=1)


@pytest.mark.parametrize("rho", [-0.9, -0.3, 0.0, 0.5, 0.8])
def test_the_correlation_of_an_exact_table_is_found(rho):
    grade, flag = [0.2, 0.3, 0.1, 0.4], [0.85, 0.15]
    axes = axes_of([column(GRADE, grade), column(FLAG, flag)])
    tables = PairTables({(0, 1): TOTAL * normal_cells(rho, grade, flag)}, 0.0, TOTAL)
    assert noisy_latent_correlation(axes, tables)[0, 1] == pytest.approx(rho, abs=0.004)


def test_the_more_noise_the_less_is_believed():
    grade, flag = [0.2, 0.3, 0.1, 0.4], [0.85, 0.15]
    axes = axes_of([column(GRADE, grade), column(FLAG, flag)])
    exact = TOTAL * normal_cells(0.5, grade, flag)
    found = [
        noisy_latent_correlation(axes, PairTables({(0, 1): exact}, deviation**2, TOTAL))[0, 1]
        for deviation in (0.0, 1e3, 1e4, 1e5)
    ]
    assert found[0] == pytest.approx(0.5, abs=0.01)
    assert found[0] > found[1] > found[2] > found[3] > 0
    assert found[3] < 0.01


def test_a_constant_goes_along_with_nothing():
    axes = axes_of([column(GRADE, [0, 1, 0, 0]), column(FLAG, [0.5, 0.5])])
    table = np.zeros((axes[0].source.n_cells, 2))
    table[0] = TOTAL / 2
    assert noisy_latent_correlation(axes, PairTables({(0, 1): table}, 4.0, TOTAL)).tolist() == [
        [1, 0],
        [0, 1],
    ]


def test_one_column_has_nothing_to_go_along_with():
    axes = axes_of([column(COST, [0.3, 0.2, 0.2, 0.3])])
    tables = PairTables({}, 0.0, TOTAL)
    assert noisy_latent_correlation(axes, tables).tolist() == [[1, 0], [0, 1]]
    assert ordered_axes(axes, tables, n_rounds=3) == axes


def test_a_table_is_read_both_ways_and_in_the_cells_of_each_axis():
    axes = axes_of([column(FLAG, [0.5, 0.5]), column(COST, [0.25, 0.25, 0.25, 0.25])])
    flag, level, value = axes
    tables = PairTables({(0, 1): np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]])}, 0.0, 36.0)
    assert tables.between(flag, value).tolist() == [[1, 2, 3], [5, 6, 7]]
    assert tables.between(flag, level).tolist() == [[6, 4], [18, 8]]
    assert tables.between(level, flag).tolist() == [[6, 18], [4, 8]]


def test_numbers_correlate_over_the_rows_that_have_one():
    # A quarter of the costs is missing, without regard to the grade.
    grade, numbers = [0.2, 0.3, 0.1, 0.4], [0.2, 0.3, 0.5]
    there = 0.75 * normal_cells(0.6, grade, numbers)
    table = np.column_stack([there, 0.25 * np.array(grade)])
    axes = axes_of([column(GRADE, grade), column(COST, [0.15, 0.225, 0.375, 0.25])])
    found = noisy_latent_correlation(axes, PairTables({(0, 1): TOTAL * table}, 0.0, TOTAL))
    assert found[0, 1] == pytest.approx(0, abs=1e-4)
    assert found[0, 2] == pytest.approx(0.6, abs=0.005)
    assert found[1, 2] == 0


def test_two_columns_with_gaps_correlate_over_the_rows_that_have_both():
    numbers = [0.2, 0.3, 0.5]
    both = 0.5 * normal_cells(-0.5, numbers, numbers)
    first = np.outer(
        numbers, [0.2]
    )  # only the first has a number in 20 % of the rows, only the second in 10 %
    table = np.block([[both, first], [0.1 * np.array([numbers]), np.array([[0.2]])]])
    axes = axes_of(
        [
            column(COST, [*(0.7 * np.array(numbers)), 0.3]),
            column(COST, [*(0.6 * np.array(numbers)), 0.4]),
        ]
    )
    found = noisy_latent_correlation(axes, PairTables({(0, 1): TOTAL * table}, 0.0, TOTAL))
    assert found[1, 3] == pytest.approx(-0.5, abs=0.005)
    # The gaps themselves: tetrachoric correlation of a table with both in half the rows, neither in a fifth.
    assert normal_cells(found[0, 2], [0.7, 0.3], [0.6, 0.4])[0, 0] == pytest.approx(0.5, abs=0.002)


def test_levels_are_ordered_by_what_goes_along_with_them():
    grade = [0.25, 0.25, 0.25, 0.25]
    by_rank = normal_cells(0.7, [0.3, 0.4, 0.3], grade)
    codes = [2, 0, 1]  # the town that is lowest, in the middle, and highest
    table = np.empty_like(by_rank)
    table[codes] = by_rank
    axes = axes_of([column(TOWN, [0.4, 0.3, 0.3]), column(GRADE, grade)])
    town = ordered_axes(axes, PairTables({(0, 1): TOTAL * table}, 100.0, TOTAL), n_rounds=1)[0]
    assert town.latent.marginal.lower.tolist() in (codes, codes[::-1])


def test_pairs_are_asked_for_once_and_counted_in_coarse_cells():
    table = stays(500)
    queries = Queries(Ledger())
    cells, codes = cells_and_codes(settle(encode_table(table)), queries=queries)
    asked = len(queries.ledger.charges)
    columns = [CoarseColumn.of(one_way) for one_way in one_ways(cells, codes, queries=queries)]
    tables = measured_pairs(columns, codes, queries=queries, statistic="pairs")
    assert [charge.statistic for charge in queries.ledger.charges[asked:]] == ["one-way marginals", "pairs"]
    assert sorted(tables.counts) == [(i, j) for i in range(5) for j in range(i + 1, 5)]
    assert tables.total == pytest.approx(500)
    wards, grades = table.frame["ward"].to_list(), table.frame["grade"].to_list()
    pairs = list(zip(wards, grades, strict=True))
    for code, ward in enumerate("abcd"):
        for rank, grade in enumerate((1, 2, 3)):
            found = tables.counts[0, 4][columns[0].cell_of[code], columns[4].cell_of[rank]]
            assert found == pairs.count((ward, grade))
