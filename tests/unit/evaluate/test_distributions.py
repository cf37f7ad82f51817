"""Bins and levels of the charts: what is counted, what is shown, and how it is named."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabsynth.evaluate.distributions import MAX_BINS, MAX_LEVELS, choose_bins, distributions
from tabsynth.schema.types import Column, Kind
from tests.unit.metrics.tables import category, eval_data, integer, number, schema_of


def one(column, synthetic, train, holdout):
    cells = ({column.name: side} for side in (synthetic, train, holdout))
    (found,) = distributions(eval_data(schema_of(column), *cells))
    return found


def test_nominal_levels_come_by_size_then_missing_and_outside():
    column = category("c", "abcd", nullable=True)
    found = one(column, ["a", "z"], ["c", "c", "b", None], ["b", "b"])
    assert found.labels == ("c", "b", "a", "(missing)", "(outside the domain)")
    assert found.train == (0.5, 0.25, 0, 0.25, 0)
    assert found.holdout == (0, 1, 0, 0, 0)
    assert found.synthetic == (0, 0, 0.5, 0, 0.5)
    assert (found.edges, found.kind) == ((), "categorical")


def test_ordered_levels_keep_their_order_and_show_empty_ones():
    column = Column(name="c", kind=Kind.ORDINAL, dtype="string", categories=("low", "mid", "high"))
    found = one(column, ["high"], ["high", "low"], ["low"])
    assert found.labels == ("low", "mid", "high")
    assert found.train == (0.5, 0, 0.5)
    boolean = Column(name="c", kind=Kind.BOOLEAN, dtype="bool", nullable=True)
    assert one(boolean, [True], [True, None], [False]).labels == ("False", "True", "(missing)")


@pytest.mark.parametrize("kind", [Kind.CATEGORICAL, Kind.ORDINAL])
def test_long_lists_pool_the_rarest_but_not_what_synthetic_inflates(kind):
    levels = tuple(f"l{k:03}" for k in range(100))
    column = Column(name="c", kind=kind, dtype="string", categories=levels, nullable=True)
    train = [name for k, name in enumerate(levels) for _ in range(120 - k)]
    synthetic = ["l099"] * 50 + ["l000"] * 50 + [None]
    found = one(column, synthetic, train, train)
    assert len(found.labels) == MAX_LEVELS + 1
    assert "l099" in found.labels
    assert found.labels[-2:] == ("(missing)", "other levels (71)")
    if kind is Kind.ORDINAL:
        assert list(found.labels[:-2]) == sorted(found.labels[:-2])
    else:
        assert found.labels[:2] == ("l000", "l001")
    for side in (found.train, found.holdout, found.synthetic):
        assert sum(side) == pytest.approx(1)
    assert found.synthetic[found.labels.index("l099")] == pytest.approx(50 / 101)


def test_text_shows_whether_it_is_there():
    column = Column(name="t", kind=Kind.TEXT, dtype="string", nullable=True)
    found = one(column, ["SECRET"], ["SECRET", None], [None])
    assert found.labels == ("(present)", "(missing)")
    assert (found.train, found.holdout) == ((0.5, 0.5), (0, 1))


def test_few_integers_have_a_bin_each_with_edges_between_them():
    found = one(integer("k"), [2, 3], [1, 1, 4], [1])
    assert found.edges == (0.5, 1.5, 2.5, 3.5, 4.5)
    assert found.train == pytest.approx((2 / 3, 0, 0, 1 / 3))
    assert found.synthetic == (0, 0.5, 0.5, 0)
    assert (found.scale, found.labels) == ("linear", ())


def test_many_integers_have_even_bins_on_whole_numbers():
    values = list(range(17, 91))
    found = one(integer("age"), values, values, values)
    assert found.edges == tuple(range(16, 93, 2))
    assert found.train[0] == pytest.approx(1 / 74)  # 17 alone
    assert found.train[1] == pytest.approx(2 / 74)


def test_decimals_give_edges_in_natural_units_and_special_values_follow():
    column = number("x", decimals=1, special_values=(-9.0,), nullable=True)
    found = one(column, [0.1, -9.0], [0.1, 0.3, None, -9.0], [0.2])
    assert found.edges == pytest.approx((0.05, 0.15, 0.25, 0.35))
    assert found.labels == ("(missing)", "-9.0")
    assert found.train == (0.25, 0, 0.25, 0.25, 0.25)
    assert found.synthetic == (0.5, 0, 0, 0, 0.5)
    outside = one(integer("k"), [1, None], [1], [1])
    assert outside.labels == ("(outside the domain)",)
    assert outside.synthetic == (0.5, 0.5)


def test_tails_choose_a_scale_that_shows_them():
    rng = np.random.default_rng(0)
    lognormal = [rng.lognormal(0, 3, 4000)] * 3
    scale, edges = choose_bins(lognormal, is_lattice=False)
    assert scale == "log"
    np.testing.assert_allclose(np.diff(np.log(edges)), np.diff(np.log(edges))[0], rtol=1e-6)
    inflated = np.where(rng.random(4000) < 0.9, 0, rng.lognormal(7, 1, 4000)).astype(np.int64)
    scale, edges = choose_bins([inflated] * 3, is_lattice=True)
    assert scale == "symlog"
    smallest = inflated[inflated > 0].min()
    assert edges[:2].tolist() == [0, smallest]  # zero has a bin of its own
    assert np.histogram(inflated, edges)[0][0] == (inflated == 0).sum()
    assert (edges == np.round(edges)).all()
    signed = [np.concatenate([rng.standard_cauchy(4000), [0.0]])] * 3
    assert choose_bins(signed, is_lattice=False)[0] == "symlog"
    assert choose_bins([rng.normal(size=4000)] * 3, is_lattice=False)[0] == "linear"


numbers = st.one_of(
    st.lists(st.integers(-(2**62), 2**62), max_size=30).map(lambda x: np.array(x, dtype=np.int64)),
    st.lists(st.integers(-60, 60), max_size=60).map(lambda x: np.array(x, dtype=np.int64)),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30).map(
        lambda x: np.array(x, dtype=np.float64)
    ),
    st.lists(st.floats(1e9, 1e9 + 1e-6), max_size=30).map(lambda x: np.array(x, dtype=np.float64)),
    st.lists(st.sampled_from([0.0, 1e-300, 1.0, 1e300, 1.797e308]), max_size=60).map(np.array),
)


@settings(max_examples=200)
@given(numbers, st.booleans())
def test_bins_cover_every_number_and_rise(found, is_time):
    is_lattice = found.dtype.kind == "i"
    steps_per_day = 86_400.0 if is_time and is_lattice else None
    scale, edges = choose_bins([found, found[:3]], is_lattice=is_lattice, steps_per_day=steps_per_day)
    if len(found) == 0:
        assert len(edges) == 0
        return
    assert np.isfinite(edges).all()
    assert (np.diff(edges) > 0).all()
    assert 1 <= len(edges) - 1 <= MAX_BINS
    assert edges[0] <= found.min()
    assert edges[-1] >= found.max()
    assert scale == "linear" or steps_per_day is None


def test_dates_have_edges_that_read_as_dates():
    days = [dt.date(2020, 1, 1) + dt.timedelta(days=7 * k) for k in range(200)]
    found = one(Column(name="d", kind=Kind.DATE, dtype="date"), days, days, days)
    assert len(found.edge_labels) == len(found.edges)
    assert found.edge_labels[0] <= "2020-01-01" < found.edge_labels[1]
    assert found.edge_labels[-1] > "2023-10-25"
    first = dt.date.fromisoformat(found.edge_labels[0])
    assert found.edges[0] == (first - dt.date(1970, 1, 1)).days
    text = Column(name="d", kind=Kind.DATE, dtype="string", format="%d.%m.%Y")
    written = [day.strftime("%d.%m.%Y") for day in days]
    assert one(text, written, written, written).edge_labels == found.edge_labels


def test_bounds_do_not_cut_the_edges_of_a_chart():
    column = Column(
        name="d",
        kind=Kind.DATE,
        dtype="date",
        bounds=(dt.date(2020, 1, 1), dt.date(2020, 1, 2)),
        nullable=True,
    )
    days = [dt.date(2019, 12, 30), dt.date(2020, 1, 2), None]
    found = one(column, days, days, days)
    assert found.edge_labels == ("2019-12-30", "2019-12-31", "2020-01-01", "2020-01-02", "2020-01-03")
    assert found.train == pytest.approx((1 / 3, 0, 0, 1 / 3, 1 / 3))


@pytest.mark.parametrize("resolution", ["hour", "second", None])
def test_datetimes_have_round_edges_with_or_without_a_clock(resolution):
    column = Column(name="d", kind=Kind.DATETIME, dtype="datetime[us]", resolution=resolution, timezone="UTC")
    start = dt.datetime(2021, 3, 1, tzinfo=dt.UTC)
    hours = [start + dt.timedelta(hours=k) for k in range(100)]
    found = one(column, hours, hours, hours)
    assert found.edge_labels[:2] == ("2021-03-01 00:00:00", "2021-03-01 03:00:00")
    days = [start + dt.timedelta(days=k) for k in range(60)]
    found = one(column, days, days, days)
    assert all(len(label) == 10 for label in found.edge_labels)
    assert len(found.edges) <= MAX_BINS + 1


def test_durations_have_edges_that_read_as_durations():
    column = Column(name="d", kind=Kind.DURATION, dtype="duration[ms]", resolution="minute")
    spans = [dt.timedelta(minutes=k) for k in range(100)]
    found = one(column, spans, spans, spans)
    assert found.edge_labels[:3] == ("0ms", "5m", "10m")


def test_a_column_of_nulls_and_a_table_of_no_rows():
    column = number("x", nullable=True)
    found = one(column, [1.0], [None], [])
    assert (found.labels, found.train, found.holdout) == (("(missing)",), (0.0, 1.0), (0.0, 0.0))
    empty = one(column, [None], [None], [])
    assert (empty.edges, empty.train, empty.holdout) == ((), (1.0,), (0.0,))
    constant = one(column, [2.5], [2.5], [2.5])
    assert constant.train == (1.0,)
    assert constant.edges[0] == 2.5 < constant.edges[1]
