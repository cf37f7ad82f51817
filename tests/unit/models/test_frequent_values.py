"""Values that many rows share keep cells of their own, and only those above the threshold do."""

import numpy as np
import pytest

from tabsynth.encode import EncodedColumn, Variable
from tabsynth.models.frequent_values import FREQUENT, cells_with_frequent, frequent_parts
from tabsynth.models.public_cells import PublicCells
from tabsynth.privacy import Budget, Ledger
from tabsynth.privacy.plan import make_plan
from tabsynth.privacy.queries import NoisyQueries


def variable(name="amount", lower=0, upper=99_999, *, is_lattice=True, is_bounded=True) -> Variable:
    return Variable(
        name=name,
        is_continuous=True,
        n_levels=1,
        is_lattice=is_lattice,
        lower=lower,
        upper=upper,
        is_bounded=is_bounded,
    )


def queries(variables, epsilon=50.0) -> NoisyQueries:
    plan = make_plan(frequent_parts(variables, share=1.0), Budget(epsilon=epsilon, delta=1e-6))
    return NoisyQueries(Ledger(), plan)


def test_only_columns_that_may_be_wide_are_asked():
    narrow = variable(upper=127)
    line = variable(is_lattice=False, upper=1e6)
    unknown = variable(
        lower=None, upper=None, is_bounded=False, is_lattice=False
    )  # may be bought as a lattice
    word = Variable(name="word", is_continuous=False, n_levels=3)
    point = variable(lower=1.5, upper=1.5, is_lattice=False)
    assert frequent_parts([narrow, point, word], share=0.1) == ()
    (part,) = frequent_parts([narrow, line, point, word, variable(), unknown], share=0.1)
    assert (part.statistic, part.count, part.is_thresholded) == (FREQUENT, 3, True)


def test_a_spike_gets_a_cell_and_a_rare_value_none():
    # ε = 50 on one release: noise below 1, threshold below 10; 500 rows pass, 1 row does not.
    values = np.r_[np.full(500, 15_024), [77_777], np.arange(0, 90_000, 500)].astype(np.int64)
    column = EncodedColumn(variable(), np.zeros(len(values), np.uint8), values)
    cells = cells_with_frequent(column, queries([variable()]))
    single = cells.lower[cells.lower == cells.upper]
    assert 15_024 in single
    assert 77_777 not in single
    plain = PublicCells.of(variable())
    assert cells.n_cells == plain.n_cells + 2  # the spike, and the stretch after it
    np.testing.assert_array_equal(cells.lower[1:], cells.upper[:-1] + 1)
    assert (cells.lower[0], cells.upper[-1]) == (0, 99_999)


def test_values_at_and_beyond_the_bounds():
    plain = PublicCells.of(variable(lower=10, upper=1_000))
    cells = plain.with_single(np.array([-5, 10, 1_000, 2_000]))
    np.testing.assert_array_equal(cells.lower[1:], cells.upper[:-1] + 1)
    assert (cells.lower[0], cells.upper[0]) == (10, 10)
    assert (cells.lower[-1], cells.upper[-1]) == (1_000, 1_000)


@pytest.mark.parametrize("upper", [2**63 - 1, 2**40])
def test_the_ends_of_the_type(upper):
    cells = PublicCells.of(variable(lower=-(2**63), upper=upper)).with_single(np.array([upper, -(2**63), 5]))
    assert (cells.lower <= cells.upper).all()
    assert 5 in cells.lower[cells.lower == cells.upper]
    assert cells.upper[-1] == upper


def test_a_spike_on_the_line_gets_a_cell_and_a_rare_value_none():
    # As above: 500 rows at one float pass, a row at another does not, whatever lies between them.
    line = variable(lower=0.0, upper=40.0, is_lattice=False)
    spike, neighbour = 1.5030805687203793, np.nextafter(1.5030805687203793, 2)
    values = np.r_[np.full(500, spike), [neighbour], np.linspace(0.1, 39.9, 300)]
    column = EncodedColumn(line, np.zeros(len(values), np.uint8), values)
    cells = cells_with_frequent(column, queries([line]))
    single = cells.lower[cells.lower == cells.upper]
    np.testing.assert_array_equal(single, [0.0, spike])
    codes = cells.cells_of(column)
    at = int(np.flatnonzero(cells.lower == spike)[0])
    np.testing.assert_array_equal(np.flatnonzero(codes == at), np.arange(500))
    drawn = cells.values_in(np.full(9, at), np.linspace(0, 0.99, 9))
    np.testing.assert_array_equal(drawn, np.full(9, spike))


@pytest.mark.parametrize(
    ("lower", "upper"), [(0.0, 40.0), (-1.0, 1.0), (-1e300, 1e300), (5.0, 5.5), (-9.0, 0.0)]
)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_single_values_on_the_line_leave_every_other_value_where_it_was(lower, upper, share):
    plain = PublicCells.of(variable(lower=lower, upper=upper, is_lattice=False))
    value = lower * (1 - share) + upper * share
    edge = plain.upper[3]  # a value may be released that is an edge already, or zero's own cell
    beyond = [np.nextafter(lower, -np.inf), np.nextafter(upper, np.inf)]
    wanted = np.unique([value, edge, 0.0, *beyond]) + 0.0
    cells = plain.with_single(wanted)
    single = cells.lower[cells.lower == cells.upper]
    expected = {float(each) for each in wanted if lower <= each <= upper} | {  # zero's own cell among them
        float(each) + 0.0 for each in plain.lower[plain.lower == plain.upper]
    }
    assert sorted(single) == sorted(expected)
    assert (cells.lower[0], cells.upper[-1]) == (lower, upper)
    np.testing.assert_array_equal(cells.lower[1:], cells.upper[:-1])  # they tile the line
    tried = np.unique(
        np.r_[plain.lower, plain.upper, np.linspace(0, 1, 99) * (upper / 2 - lower / 2) * 2 + lower]
    )
    old, new = (each.stretches.pieces_of(np.clip(tried, lower, upper)).astype(int) for each in (plain, cells))
    within = ~np.isin(tried, single)
    assert (cells.lower[new[within]] >= plain.lower[old[within]]).all()
    assert (cells.upper[new[within]] <= plain.upper[old[within]]).all()
    np.testing.assert_array_equal(cells.lower[new[~within]], tried[~within])


def test_an_edge_that_misses_an_atom_by_some_bits_gives_way_to_it():
    """Even ratios from .01 to 100 lie at powers of ten but for rounding: no sliver of cells beside them."""
    plain = PublicCells.of(variable(lower=0.0, upper=100.0, is_lattice=False))
    atoms = np.array([0.01, 0.1, 1.0, 10.0])
    assert any(0 < abs(edge / atom - 1) < 1e-12 for edge in plain.lower for atom in atoms)
    cells = plain.with_single(atoms)
    assert np.isin(atoms, cells.lower[cells.lower == cells.upper]).all()
    stretch = cells.upper > cells.lower
    assert (cells.upper[stretch] / np.maximum(cells.lower[stretch], 1e-300) > 1 + 1e-10).all()
    at_ends = plain.with_single(np.array([100.0 - 1e-12]))  # an end stays whatever is near it
    assert (at_ends.lower[0], at_ends.upper[-1]) == (0.0, 100.0)


@pytest.mark.parametrize("bounds", [(0.0, 5e-324), (-1e-323, 1e-323), (0.0, 1.2e-321), (5e-324, 1e-322)])
def test_bounds_beside_zero_are_one_cell(bounds):
    lower, upper = bounds
    cells = PublicCells.of(variable(lower=lower, upper=upper, is_lattice=False))
    assert (cells.lower.tolist(), cells.upper.tolist()) == ([lower], [upper])
    assert len(cells.with_single(np.array([lower, upper])).lower) == 3
