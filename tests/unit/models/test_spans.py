"""Stretches of numbers against enumeration."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from tabsynth.models.marginal import Marginal
from tabsynth.models.spans import (
    LATTICE,
    LINE,
    complement,
    covered,
    is_inside,
    latent_intervals,
    latent_sets,
    meet,
    nearest_pieces,
    snapped,
    union,
    values_within,
    weights,
)

EVERYTHING = range(-3, 31)


@st.composite
def lattices(draw):
    """A marginal of whole numbers with gaps, and spans."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    edges = np.sort(rng.choice(np.arange(30), 2 * draw(st.integers(1, 6)), replace=False))
    lower, upper = edges[::2], edges[1::2] - 1
    upper = np.maximum(lower, upper)
    mass = rng.dirichlet(np.ones(len(lower)))
    mass[rng.random(len(mass)) < 0.2] = 0
    mass = mass / mass.sum() if mass.sum() else np.full(len(mass), 1 / len(mass))
    ends = draw(st.lists(st.integers(-3, 30), min_size=2, max_size=8))
    spans = [(min(pair), max(pair)) for pair in zip(ends[::2], ends[1::2], strict=False)]
    return Marginal(lower, upper, mass, is_lattice=True), union(spans, is_lattice=True)


def members(spans):
    return {x for x in EVERYTHING if any(low <= x <= high for low, high in spans)}


@given(lattices())
@settings(max_examples=150, deadline=None)
def test_shares_and_latent_sets_of_a_lattice_by_enumeration(case):
    marginal, spans = case
    wanted = members(spans)
    share = [
        len(wanted & set(range(low, high + 1))) / (high - low + 1)
        for low, high in zip(marginal.lower.tolist(), marginal.upper.tolist(), strict=True)
    ]
    assert covered(marginal, spans) == pytest.approx(share)
    assert weights(marginal, spans) == pytest.approx(share)
    low, high = latent_sets(marginal, spans)
    assert (ndtr(high) - ndtr(low)).sum() == pytest.approx((marginal.mass * share).sum(), abs=1e-9)
    assert (low[1:] > high[:-1]).all()
    for a, b in zip(low, high, strict=True):
        inner = np.linspace(np.clip(a, -8, 8), np.clip(b, -8, 8), 9)[1:-1]
        assert set(marginal.values_at(inner).tolist()) <= wanted
    pieces = np.flatnonzero(np.array(share) > 0)
    at = np.repeat(pieces, 50)
    values = values_within(marginal, at, np.tile((np.arange(50) + 0.5) / 50, len(pieces)), spans)
    assert set(values.tolist()) <= wanted
    for piece in pieces:
        reachable = wanted & set(range(marginal.lower[piece], marginal.upper[piece] + 1))
        assert set(values[at == piece].tolist()) == reachable


@given(st.lists(st.integers(-3, 30), max_size=6), lattices())
def test_sets_of_numbers_by_enumeration(points, case):
    _, spans = case
    some = union([(x, x) for x in points], is_lattice=True)
    rest = complement(points, is_lattice=True)
    assert members(some) == set(points)
    assert members(rest) == set(EVERYTHING) - set(points)
    assert members(meet(spans, rest)) == members(spans) - set(points)
    everything = np.array(EVERYTHING)
    assert set(everything[is_inside(everything, spans)].tolist()) == members(spans)
    if spans:
        moved = snapped(everything, spans)
        nearest = [min(abs(x - y) for y in members(spans)) for x in EVERYTHING] if members(spans) else []
        assert np.abs(moved - everything).tolist() == nearest


def test_complements_at_the_ends_of_the_types():
    assert complement([], is_lattice=True) == LATTICE
    assert complement([], is_lattice=False) == LINE
    assert complement([-(2**63), 2**63 - 1], is_lattice=True) == ((-(2**63) + 1, 2**63 - 2),)
    low, high = complement([1.0], is_lattice=False)
    assert low[1] < 1.0 < high[0]
    assert (low[1], high[0]) == (np.nextafter(1.0, -np.inf), np.nextafter(1.0, np.inf))
    assert not is_inside(np.array([1.0]), ())[0]


LINES = Marginal(
    np.array([0.0, 1.0, 1.0, 4.0]),
    np.array([1.0, 1.0, 3.0, 6.0]),
    np.array([0.2, 0.3, 0.4, 0.1]),
    is_lattice=False,
)


def test_atoms_and_stretches_of_a_line_by_hand():
    assert covered(LINES, ((0.5, 2.0),)) == pytest.approx([0.5, 1.0, 0.5, 0.0])
    assert covered(LINES, ((1.0, 1.0),)) == pytest.approx([0.0, 1.0, 0.0, 0.0])
    low, high = latent_sets(LINES, ((0.5, 2.0), (5.0, 9.0)))
    assert ndtr(low) == pytest.approx([0.1, 0.95])
    assert ndtr(high) == pytest.approx([0.7, 1.0])


def test_single_values_of_a_line_count_by_their_density():
    # densities 0.2 / 1, 0.4 / 2 and 0.1 / 2 per unit
    found = weights(LINES, ((0.5, 0.5), (2.0, 2.0), (5.0, 5.0))) * LINES.mass
    assert found / found.sum() == pytest.approx(np.array([0.2, 0.0, 0.2, 0.05]) / 0.45)
    low, high = latent_sets(LINES, ((0.5, 0.5), (2.0, 2.0), (5.0, 5.0)))
    assert len(low) == 3
    size = ndtr(high) - ndtr(low)
    assert size / size.sum() == pytest.approx(np.array([0.2, 0.2, 0.05]) / 0.45, rel=1e-3)
    low, high = latent_sets(LINES, ((2.0, 2.0),))
    assert ndtr(low) == pytest.approx([0.7])
    assert (low == high).all()
    at = values_within(LINES, np.array([2, 2]), np.array([0.1, 0.9]), ((1.5, 1.5), (2.5, 2.5)))
    assert at.tolist() == [1.5, 2.5]
    assert len(latent_sets(LINES, ((3.2, 3.7),))[0]) == 0
    assert len(latent_sets(LINES, ((3.5, 3.5),))[0]) == 0


def test_values_that_no_piece_holds_get_the_nearest():
    marginal = Marginal(
        np.array([0, 5, 10]), np.array([2, 5, 12]), np.array([0.5, 0.0, 0.5]), is_lattice=True
    )
    values = np.array([-4, 1, 4, 5, 7, 8, 11, 40])
    pieces, is_in = nearest_pieces(marginal, values)
    assert is_in.tolist() == [False, True, False, False, False, False, True, False]
    assert pieces.tolist() == [0, 0, 0, 0, 2, 2, 2, 2]


@pytest.mark.parametrize("is_lattice", [True, False])
def test_latent_intervals_of_many_values_are_those_of_each(is_lattice):
    if is_lattice:
        marginal = Marginal(
            np.array([0, 5, 6]), np.array([4, 5, 20]), np.array([0.3, 0.2, 0.5]), is_lattice=True
        )
        values = np.arange(21)
    else:
        marginal, values = LINES, np.array([0.0, 0.25, 1.0, 2.0, 3.0, 4.0, 6.0])
    pieces, is_in = nearest_pieces(marginal, values)
    assert is_in.all()
    low, high = latent_intervals(marginal, pieces, values)
    for value, a, b in zip(values.tolist(), low, high, strict=True):
        assert marginal.latent_interval(value) == pytest.approx((a, b))
