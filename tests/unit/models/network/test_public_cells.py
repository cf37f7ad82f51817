"""Cells cut from declared bounds alone."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.encode import EncodedColumn, Variable
from tabsynth.models.public_cells import MOST_SINGLE, N_WIDE, PublicCells

INT64 = np.iinfo(np.int64)


def whole(lower, upper, **options):
    return Variable(
        name="x", is_continuous=True, is_lattice=True, lower=lower, upper=upper, **{"n_levels": 1, **options}
    )


def real(lower, upper, **options):
    return Variable(name="x", is_continuous=True, lower=lower, upper=upper, **{"n_levels": 1, **options})


def integers():
    near, far = st.integers(-1000, 1000), st.integers(INT64.min, INT64.max)
    return near | far | st.integers(0, 18).map(lambda k: 10**k) | st.integers(0, 18).map(lambda k: -(10**k))


def ordered(numbers):
    return st.tuples(numbers, numbers).map(sorted)


@given(ordered(integers()))
@settings(max_examples=120, deadline=None)
def test_whole_numbers_are_cut_into_cells_that_leave_none_out(bounds):
    lower, upper = bounds
    cells = PublicCells.of(whole(lower, upper))
    low, high = cells.lower.tolist(), cells.upper.tolist()
    assert (low[0], high[-1]) == (lower, upper)
    assert all(a <= b for a, b in zip(low, high, strict=True))
    assert all(a + 1 == b for a, b in zip(high[:-1], low[1:], strict=True)), "no gap and no overlap"
    assert cells.lower.dtype == cells.upper.dtype == np.int64
    if upper - lower < MOST_SINGLE:
        assert low == high == list(range(lower, upper + 1))
        return
    assert len(low) <= 2 * N_WIDE
    if lower <= 0 <= upper:
        assert (0, 0) in zip(low, high, strict=True), "zero is alone"


@given(ordered(integers()), st.integers(0, 10**6))
@settings(max_examples=80, deadline=None)
def test_every_whole_number_falls_in_its_cell(bounds, seed):
    lower, upper = bounds
    cells = PublicCells.of(whole(lower, upper, n_levels=3, null_code=1))
    rng = np.random.default_rng(seed)
    values = np.r_[
        rng.integers(lower, upper, 50, endpoint=True),
        rng.choice(cells.lower, 20),
        rng.choice(cells.upper, 20),
        [lower, upper, lower, upper],
    ]
    codes = np.r_[np.zeros(92), 1, 2].astype(np.uint8)
    values = np.where(codes == 0, values, 0)
    found = cells.cells_of(EncodedColumn(cells.variable, codes, values))
    for value, code, cell in zip(values.tolist(), codes.tolist(), found.tolist(), strict=True):
        if code:
            assert cell == cells.n_numbers + code - 1
        else:
            assert cells.lower[cell] <= value <= cells.upper[cell]
    assert cells.n_cells == cells.n_numbers + 2
    assert found.dtype.kind == "u"


def reals():
    return st.floats(-1e15, 1e15, allow_subnormal=False) | st.sampled_from(
        [0.0, 1.0, -1.0, 1e-9, 1e300, -1e300]
    )


@given(ordered(reals()))
@settings(max_examples=120, deadline=None)
def test_the_line_is_cut_into_stretches_that_touch(bounds):
    lower, upper = bounds
    cells = PublicCells.of(real(lower, upper))
    low, high = cells.lower, cells.upper
    assert (low[0], high[-1]) == (lower, upper)
    assert (low <= high).all()
    assert (high[:-1] == low[1:]).all()
    assert len(low) <= 2 * N_WIDE
    atoms = low[low == high]
    if lower < upper and max(abs(lower), abs(upper)) > 1e-300:
        assert atoms.tolist() == ([0.0] if lower <= 0 <= upper else [])
    assert np.isfinite(low).all()


@given(ordered(reals()), st.integers(0, 10**6))
@settings(max_examples=80, deadline=None)
def test_every_number_of_the_line_falls_in_its_stretch_and_zero_in_its_atom(bounds, seed):
    lower, upper = bounds
    cells = PublicCells.of(real(lower, upper))
    at = np.random.default_rng(seed).random(60)
    values = np.clip(
        np.r_[lower * (1 - at) + upper * at, cells.lower, cells.upper, np.clip(0.0, lower, upper)],
        lower,
        upper,
    )
    found = cells.cells_of(EncodedColumn(cells.variable, np.zeros(len(values), np.uint8), values)).astype(int)
    assert ((cells.lower[found] <= values) & (values <= cells.upper[found])).all()
    if lower < 0 < upper:
        assert (cells.lower[found[values == 0]] == cells.upper[found[values == 0]]).all()


@pytest.mark.parametrize("variable", [whole(0, 5000), whole(-300, 10**12), real(0.0, 1e6), real(-3.0, 2.0)])
def test_values_drawn_in_a_cell_lie_in_it(variable):
    cells = PublicCells.of(variable)
    rng = np.random.default_rng(0)
    at = rng.integers(0, cells.n_numbers, 2000)
    values = cells.values_in(at, rng.random(2000))
    codes = np.zeros(2000, np.uint8)
    found = cells.cells_of(EncodedColumn(variable, codes, values)).astype(int)
    same = found == at
    touching = np.isin(values, cells.lower) | np.isin(values, cells.upper)
    assert (same | (touching & (not variable.is_lattice))).all()


def test_amounts_get_fine_cells_where_they_are_small_and_measurements_even_ones():
    amounts = PublicCells.of(whole(0, 100_000))
    widths = amounts.upper - amounts.lower + 1
    assert widths[:4].max() == 1
    assert (amounts.upper < 100).sum() > 10
    assert widths.max() <= math.ceil(100_000 / 32) + 1
    years = PublicCells.of(whole(1000, 3000))
    assert years.n_numbers == 64
    assert set((years.upper - years.lower + 1).tolist()) <= {31, 32}


def test_cells_lie_the_same_on_both_sides_of_zero():
    above, below = PublicCells.of(whole(1, 10**6)), PublicCells.of(whole(-(10**6), -1))
    assert (above.lower == -below.upper[::-1]).all()
    lines = PublicCells.of(real(2.0, 9e5)), PublicCells.of(real(-9e5, -2.0))
    np.testing.assert_allclose(lines[0].lower, -lines[1].upper[::-1])


def test_levels_follow_the_numbers_and_a_discrete_column_has_levels_alone():
    both = PublicCells.of(whole(0, 3, n_levels=4, null_code=1))
    assert (both.n_numbers, both.n_levels, both.n_cells) == (4, 3, 7)
    colour = PublicCells.of(Variable(name="c", is_continuous=False, n_levels=5, null_code=4))
    assert (colour.n_numbers, colour.n_levels, colour.n_cells) == (0, 5, 5)
    codes = np.array([0, 4, 2], dtype=np.uint8)
    assert colour.cells_of(EncodedColumn(colour.variable, codes)).tolist() == [0, 4, 2]


def test_numbers_beyond_the_bounds_join_the_end_cells():
    cells = PublicCells.of(whole(10, 20))
    values = np.array([-5, 99])
    assert cells.cells_of(EncodedColumn(cells.variable, np.zeros(2, np.uint8), values)).tolist() == [0, 10]


@pytest.mark.parametrize("bounds", [(None, 5), (0, None), (None, None)])
def test_a_column_of_numbers_without_bounds_cannot_be_cut(bounds):
    with pytest.raises(ValueError, match="'x' has no bounds"):
        PublicCells.of(whole(*bounds))


@given(st.lists(st.sampled_from([0.0, 1.0, 2.5, 40.0]), min_size=6, max_size=6))
def test_marginals_hold_the_shares_of_counts(counts):
    counts = np.array(counts)
    levels, line = PublicCells.of(whole(0, 3, n_levels=3, null_code=1)).marginals(counts)
    total = counts.sum()
    if total:
        assert levels.mass.tolist() == pytest.approx([counts[:4].sum() / total, *(counts[4:] / total)])
    assert line.mass.sum() == pytest.approx(1.0)
    if counts[:4].sum():
        assert line.mass.tolist() == pytest.approx((counts[:4] / counts[:4].sum()).tolist())
    colour = PublicCells.of(Variable(name="c", is_continuous=False, n_levels=6))
    levels, line = colour.marginals(counts)
    assert line is None
    assert levels.mass.sum() == pytest.approx(1.0)


def test_bounds_further_apart_than_any_float_have_cells():
    """Half of them on either side of zero, which has one of its own."""
    cells = PublicCells.of(real(-1.5e308, 1.5e308))
    assert np.isfinite(cells.lower).all()
    assert (cells.lower < 0).sum() == (cells.upper > 0).sum() == 32
    assert (cells.lower[0], cells.upper[-1]) == (-1.5e308, 1.5e308)
