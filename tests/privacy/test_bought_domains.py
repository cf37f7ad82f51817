"""A bought domain is a function of released numbers: frozen answers give the same domain on neighbouring tables."""

from dataclasses import replace

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tabsynth.privacy.domains import buy_domains, unbounded, with_placeholders
from tabsynth.schema.types import Domain, Origin
from tabsynth.table import Table
from tests.privacy.drafts import as_series, cells, drafted_tables, quiet
from tests.privacy.transcripts import Transcript, assert_neighbours

PUBLIC = Domain(origin=Origin.PUBLIC, by="us", source="a codebook")


@st.composite
def neighbours(draw, k):
    """A table and others without, or with, up to k rows more anywhere."""
    schema, frame = draw(drafted_tables(repeats=3))
    n = frame.height
    others = []
    for _ in range(4):
        gone = draw(st.sets(st.integers(0, max(0, n - 1)), max_size=k))
        others.append(frame.filter(~pl.Series(range(n), dtype=pl.Int64).is_in(list(gone))))
    more = pl.DataFrame(
        [
            as_series(column, draw(st.lists(cells(column), min_size=k, max_size=k)))
            for column in schema.columns
        ]
    )
    others += [pl.concat([frame, more]), pl.concat([more, frame])]
    return schema, frame, others


@pytest.mark.parametrize("k", [1, 3])
def test_domains_depend_on_released_numbers_alone(k):
    @given(neighbours(k), st.sampled_from([0.05, 1.5]))
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(pair, scale):
        schema, frame, others = pair
        first = Transcript(queries=quiet(schema, scale=scale))
        bought = buy_domains(Table(schema, frame), first)
        for other in others:
            second = first.replay()
            assert buy_domains(Table(schema, other), second) == bought
            assert_neighbours(first, second, sensitivity=k)

    check()


def _stated(column):
    """The column as a codebook states it, without bounds; of times, without values that its type cannot hold."""
    specials = () if "[" in column.dtype else column.special_values
    return replace(column, domain=PUBLIC, bounds=None, special_values=specials)


def test_missing_bounds_depend_on_released_numbers_alone():
    """Of columns that are stated to be public but for their bounds."""

    @given(neighbours(2), st.sampled_from([0.05, 1.5]))
    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(pair, scale):
        drafted, frame, others = pair
        schema = replace(drafted, columns=tuple(_stated(column) for column in drafted.columns))
        first = Transcript(queries=quiet(schema, scale=scale))
        bought = buy_domains(Table(schema, frame), first)
        assert unbounded(with_placeholders(bought)) == ()
        for other in others:
            second = first.replay()
            assert buy_domains(Table(schema, other), second) == bought
            assert_neighbours(first, second, sensitivity=2)

    check()


def test_the_order_of_rows_leaves_no_trace():
    @given(drafted_tables(repeats=3), st.integers(0, 100))
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(drafted, seed):
        schema, frame = drafted
        first = Transcript(queries=quiet(schema, scale=0.05))
        bought = buy_domains(Table(schema, frame), first)
        second = first.replay()
        shuffled = frame.sample(fraction=1, shuffle=True, seed=seed)
        assert buy_domains(Table(schema, shuffled), second) == bought
        assert first.exact == second.exact

    check()
