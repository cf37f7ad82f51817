"""Public grids: they cover their types, ascend, and tell rows from noise as often as they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabsynth.privacy import grids

WHOLE = st.integers(-(2**63), 2**63 - 2)


@pytest.mark.parametrize(
    "edges",
    [
        grids.whole_edges(),
        grids.duration_edges(),
        grids.calendar_edges(1),
        grids.calendar_edges(grids.DAY),
        grids.real_edges(),
    ],
)
def test_edges_ascend_and_nobody_can_change_them(edges):
    assert (edges[1:] > edges[:-1]).all()
    assert len(edges) < 1000
    with pytest.raises(ValueError, match="read-only"):
        edges[0] = 0


@pytest.mark.parametrize("edges", [grids.whole_edges(), grids.duration_edges(), grids.real_edges()])
def test_zero_has_a_cell_of_its_own(edges):
    [cell] = grids.cells_of(np.zeros(1, edges.dtype), edges, is_whole_line=True)
    beside = (
        np.array([np.nextafter(0, -1), np.nextafter(0, 1)]) if edges.dtype == float else np.array([-1, 1])
    )
    assert edges[cell] == 0
    assert cell not in grids.cells_of(beside, edges, is_whole_line=True)


def test_calendars_begin_on_new_years_day():
    days = grids.calendar_edges(1).astype("datetime64[D]").astype(str)
    assert (days[0], days[-1]) == ("0001-01-01", "10000-01-01")
    assert all(day.endswith("-01-01") for day in days)
    assert {f"{year}-01-01" for year in range(1800, 2201)} <= set(days)


@given(WHOLE, WHOLE, st.booleans(), st.sampled_from([1, 60, 86_400 * 10**6]))
def test_even_cells_cover_their_range(one, other, times, least):
    low, high = min(one, other), max(one, other)
    edges = grids.whole_subgrid(low, high, least=least, times=times)
    assert edges[0] <= low
    assert high < edges[-1] or edges[-1] == 2**63 - 1
    assert (edges[1:] > edges[:-1]).all()
    if not times:
        assert len(edges) <= 516


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_even_cells_cover_a_range_of_the_line(one, other):
    low, high = min(one, other), max(one, other)
    edges = grids.real_subgrid(low, high)
    rounding = 1e-12 * max(-low, high)
    assert edges[0] <= low + rounding
    assert edges[-1] >= high - rounding
    assert (edges[1:] > edges[:-1]).all()
    assert len(edges) <= 518


def test_cells_on_edges_between_and_beyond():
    edges = np.array([0, 10, 20])
    places = np.array([-1, 0, 9, 10, 19, 20, 99])
    assert grids.cells_of(places, edges, is_whole_line=True).tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert grids.cells_of(places, edges, is_whole_line=False).tolist() == [2, 0, 0, 1, 1, 2, 2]


def test_blocks_make_no_difference():
    values = np.arange(600_000) % 1000
    assert (grids.by_blocks(lambda block: block // 7, values) == values // 7).all()


def test_noise_alone_is_seldom_found():
    """1,000 empty histograms of 200 cells, where each test fails alone with probability 1e-3 / n_tests.

    At most 1 in 1,000 is expected; more than 9 come up with probability below 1e-6.
    """
    noise = np.random.default_rng(5).normal(size=(1000, 200)) * 7
    assert sum(bool(grids.occupied(row, 7.0)) for row in noise) <= 9


@pytest.mark.parametrize(
    "rows", [[(50, 80)], [(50, 30), (51, 30), (52, 30), (53, 30)], [(10, 500), (190, 500)]]
)
def test_rows_are_found_where_they_are(rows):
    """Each run that is found holds rows, and none is longer than need be."""
    counts = np.zeros(200)
    for cell, n in rows:
        counts[cell] = n
    found = grids.occupied(counts, 10.0)
    assert found
    for first, last in found:
        assert counts[first : last + 1].sum() > 0
        assert last - first < 4
    assert not grids.occupied(counts, 1000.0)


def test_ends_keep_a_tail_that_is_likely():
    empty, tail = np.zeros(100), np.zeros(100)
    empty[40:], tail[40:] = 900, 900
    tail[:40] = 4  # 160 in 40 cells, beside a deviation of 10 in each: 2.5 standard deviations
    assert grids.lower_end(empty, 10.0) == 40
    assert grids.lower_end(tail, 10.0) == 0
    assert grids.lower_end(np.zeros(100), 10.0) == 0


def test_spare_cells():
    assert grids.n_spare(np.zeros(0), 10.0) == 0
    assert grids.n_spare(np.array([5.0, 5, 5, 5]), 10.0) == 0
    assert grids.n_spare(np.array([25.0, 0, 0, 0]), 10.0) == 1
    assert grids.n_spare(np.array([0.0, 0, 40, 0, 900]), 10.0) == 3
