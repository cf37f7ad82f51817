"""Domains bought through noise: what is found, on which grid, and what is not.

Unless a test says otherwise the noise has scale 0.1, so that it is 0 but with probability 1e-21.
"""

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tabsynth.encode import decode_table, encode_table
from tabsynth.encode.discrete import DiscreteEncoder
from tabsynth.privacy import Budget, Ledger
from tabsynth.privacy.domains import (
    BOUNDS,
    FORMS,
    LEVELS,
    buy_domains,
    describe_constants,
    describe_placeholders,
    describe_purchase,
    domain_parts,
    with_placeholders,
)
from tabsynth.privacy.lines import Counts, _coarsest
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import Part, make_plan
from tabsynth.schema.draft import draft_table
from tabsynth.schema.generators import WAYS
from tabsynth.schema.types import Column, Domain, Generator, Kind, Origin, Schema, TableSchema
from tabsynth.schema.validate import check_schema
from tabsynth.table import Table
from tests.privacy.drafts import drafted_columns, drafted_tables, quiet

PUBLIC = Domain(origin=Origin.PUBLIC, by="us", source="a codebook")
N = 400


def bought(series, kind, *, scale=0.1, threshold=9, **says):
    """The domain of one column that a draft says nothing right of."""
    dtype = says.pop("dtype")
    column = Column(name=series.name, kind=kind, dtype=dtype, **says)
    schema = TableSchema(name="t", columns=(column,))
    table = Table.conform(series.to_frame(), schema)
    found = buy_domains(table, quiet(schema, scale=scale, threshold=threshold))
    check_schema(Schema(tables=(found,)))
    [column] = found.columns
    assert column.domain == Domain(origin=Origin.CHARGED)
    return column


def numbers(values, kind=Kind.NUMBER, dtype="float64", **says):
    return bought(pl.Series("x", values), kind, dtype=dtype, **says)


def test_what_a_person_wrote_of_a_column_stays_and_what_a_draft_noticed_does_not():
    amounts = pl.Series("x", [f"{v:,}.00" for v in range(1000, 1010)] * 40)
    noticed = draft_table(amounts.to_frame(), name="t")["x"].description
    assert noticed is not None
    assert bought(amounts, Kind.CATEGORICAL, dtype="string", description=noticed).description is None
    assert numbers([1.0] * N, description="what was billed").description == "what was billed"


class TestParts:
    def test_a_public_schema_buys_nothing(self):
        column = Column(name="x", kind=Kind.INTEGER, dtype="int64", bounds=(0, 9), domain=PUBLIC)
        schema = TableSchema(
            name="t", columns=(column, replace(column, name="y", domain=Domain(Origin.CHARGED)))
        )
        assert domain_parts(schema) == ()
        assert describe_purchase(schema, make_plan([Part(statistic="s", share=1)], Budget(epsilon=1))) == ""

    @pytest.mark.parametrize(
        ("kind", "dtype", "counts"),
        [
            (Kind.CATEGORICAL, "int8", {LEVELS: 1}),
            (Kind.ORDINAL, "string", {LEVELS: 1}),
            (Kind.CATEGORICAL, "bool", {FORMS: 1}),
            (Kind.BOOLEAN, "bool", {FORMS: 1}),
            (Kind.BOOLEAN, "string", {LEVELS: 1}),
            (Kind.INTEGER, "int64", {BOUNDS: 2}),
            (Kind.INTEGER, "string", {LEVELS: 1, BOUNDS: 2}),
            (Kind.NUMBER, "int64", {BOUNDS: 2}),
            (Kind.NUMBER, "float32", {BOUNDS: 2, FORMS: 1}),
            (Kind.NUMBER, "string", {LEVELS: 1, BOUNDS: 2, FORMS: 1}),
            (Kind.DATE, "string", {BOUNDS: 2}),
            (Kind.DATETIME, "datetime[us]", {BOUNDS: 2, FORMS: 1}),
            (Kind.DURATION, "duration[ms]", {BOUNDS: 2, FORMS: 1}),
            (Kind.TEXT, "string", {FORMS: 1}),
            (Kind.IDENTIFIER, "int64", {FORMS: 2}),
        ],
    )
    def test_releases_of_a_column(self, kind, dtype, counts):
        schema = TableSchema(name="t", columns=(Column(name="x", kind=kind, dtype=dtype),))
        parts = domain_parts(schema)
        assert {part.statistic: part.count for part in parts} == counts
        assert {part.statistic for part in parts if part.is_thresholded} == {LEVELS} & counts.keys()

    def test_a_quarter_of_what_an_engine_takes_for_a_table_of_drafts(self):
        draft = Column(name="x", kind=Kind.NUMBER, dtype="string")
        sure = replace(draft, name="y", bounds=(0.0, 1.0), domain=PUBLIC)
        whole = domain_parts(TableSchema(name="t", columns=(draft,)))
        half = domain_parts(TableSchema(name="t", columns=(draft, sure)))
        assert sum(part.share for part in whole) == pytest.approx(0.25)
        assert sum(part.share for part in half) == pytest.approx(0.125)

    @given(drafted_columns())
    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_what_a_draft_says_of_the_domain_does_not_matter(self, column):
        said = TableSchema(name="t", columns=(column,))
        bare = Column(name="x", kind=column.kind, dtype=column.dtype)
        assert domain_parts(said) == domain_parts(TableSchema(name="t", columns=(bare,)))

    def test_people_are_told_what_it_takes(self):
        drafts = (
            Column(name="job", kind=Kind.CATEGORICAL, dtype="string"),
            Column(name="pay", kind=Kind.INTEGER, dtype="int64"),
        )
        schema = TableSchema(
            name="t", columns=(*drafts, Column(name="sex", kind=Kind.BOOLEAN, dtype="bool", domain=PUBLIC))
        )
        plan = make_plan(
            (*domain_parts(schema), Part(statistic="engine", share=1, count=5)), Budget(epsilon=1)
        )
        told = describe_purchase(schema, plan)
        assert "2 of 3 columns" in told
        assert "14%" in told  # 1/6 beside 1
        assert f"Levels of job: those that fewer than about {plan[LEVELS].mechanism.threshold}" in told
        assert "Bounds of pay:" in told
        assert "schema confirm" in told


class TestLevels:
    @pytest.mark.parametrize(
        ("values", "dtype", "levels"),
        [
            (["b", "a", "ü"], "string", ("a", "b", "ü")),
            (["10", "9", "-1"], "string", ("-1", "9", "10")),
            ([3, -5], "int8", (-5, 3)),
            ([0.5, -0.25], "float32", (-0.25, 0.5)),
            ([dt.date(2020, 5, 1), dt.date(1999, 1, 1)], "date", (dt.date(1999, 1, 1), dt.date(2020, 5, 1))),
            ([dt.timedelta(1), dt.timedelta(0)], "duration[us]", (dt.timedelta(0), dt.timedelta(1))),
        ],
    )
    def test_frequent_levels_in_order(self, values, dtype, levels):
        series = pl.Series("x", values * 50)
        column = bought(series, Kind.CATEGORICAL, dtype=dtype, categories=tuple(values[:1]), nullable=True)
        assert column.categories == levels
        assert not column.nullable

    def test_rare_levels_stay_unknown(self):
        series = pl.Series("x", ["often"] * 50 + ["seldom"] * 2)
        assert bought(series, Kind.CATEGORICAL, dtype="string").categories == ("often",)

    def test_null_is_bought_and_no_level(self):
        series = pl.Series("x", ["a"] * 50 + [None] * 50)
        column = bought(series, Kind.CATEGORICAL, dtype="string")
        assert column.categories == ("a",)
        assert column.nullable

    def test_brackets_in_their_order(self):
        levels = ["[5-10)", "[0-5)", "[10-15)", "[100-200)"]
        found = bought(pl.Series("x", levels * 50), Kind.ORDINAL, dtype="string", categories=tuple(levels))
        assert found.categories == ("[0-5)", "[5-10)", "[10-15)", "[100-200)")

    def test_ordinals_without_an_evident_order_ascend(self):
        series = pl.Series("x", ["z", "q", "c"] * 50)
        assert bought(series, Kind.ORDINAL, dtype="string", categories=("z", "q", "c")).categories == (
            "c",
            "q",
            "z",
        )

    def test_a_boolean_has_the_two_most_frequent(self):
        series = pl.Series("x", ["yes"] * 90 + ["no"] * 60 + ["?"] * 20)
        assert bought(series, Kind.BOOLEAN, dtype="string").categories == ("no", "yes")

    @pytest.mark.parametrize(("kind", "levels"), [(Kind.BOOLEAN, None), (Kind.CATEGORICAL, (False, True))])
    def test_stored_booleans_are_known(self, kind, levels):
        column = bought(pl.Series("x", [True] * 50 + [None] * 50), kind, dtype="bool", categories=(True,))
        assert column.categories == levels
        assert column.nullable

    @pytest.mark.parametrize(
        ("dtype", "placeholder"),
        [
            ("string", "other"),
            ("int64", 0),
            ("uint8", 0),
            ("float64", 0.0),
            ("date", dt.date(2000, 1, 1)),
            ("datetime[us]", dt.datetime(2000, 1, 1)),  # noqa: DTZ001
            ("duration[ns]", dt.timedelta(0)),
        ],
    )
    @pytest.mark.parametrize("n", [0, 1])
    def test_a_placeholder_where_noise_hides_all(self, dtype, placeholder, n):
        series = pl.Series("x", [None] * n)
        column = bought(series, Kind.CATEGORICAL, dtype=dtype, scale=10.0, threshold=90)
        assert column.categories == (placeholder,)

    def test_what_no_calendar_or_number_line_holds_is_no_level(self):
        far = pl.Series("x", [2**31 - 1, 5] * 50, dtype=pl.Int32).cast(pl.Date)
        assert bought(far, Kind.CATEGORICAL, dtype="date").categories == (dt.date(1970, 1, 6),)
        infinite = pl.Series("x", [np.inf, 1.5, np.nan] * 50)
        found = bought(infinite, Kind.CATEGORICAL, dtype="float64")
        assert found.categories == (1.5,)
        assert found.nullable  # NaN is null

    def test_nanoseconds_that_no_schema_can_write_are_no_level(self):
        """The first of these lies below what nanoseconds hold once it is rounded down to microseconds."""
        least = -(2**63)
        for dtype, level in (
            (pl.Datetime("ns"), dt.datetime(1970, 1, 1, 0, 0, 0, 5)),  # noqa: DTZ001
            (pl.Duration("ns"), dt.timedelta(microseconds=5)),
        ):
            cells = pl.Series("x", [least + 1, 1_001, 5_000] * 50, dtype=pl.Int64).cast(dtype)
            name = "datetime[ns]" if isinstance(dtype, pl.Datetime) else "duration[ns]"
            column = bought(cells, Kind.CATEGORICAL, dtype=name)
            assert column.categories == (level,)
            encoded = DiscreteEncoder(column).encode(cells)
            assert encoded.tolist() == [1, 1, 0] * 50


class TestBounds:
    @pytest.mark.parametrize(
        ("low", "high", "found"),
        [
            (17, 90, (17, 90)),
            (0, 1, (0, 1)),
            (1, 12, (1, 12)),
            (0, 59, (0, 59)),
            (2011, 2013, (2010, 2014)),
            (-40, 28, (-40, 28)),
            (0, 99_999, (0, 99_999)),
            (123_456, 987_654, (123_400, 987_999)),
            (-(10**15), 10**15, (-(10**15), 1_001_999_999_999_999)),
        ],
    )
    def test_integers_lie_within_round_bounds(self, low, high, found):
        values = np.linspace(low, high, N).round().astype(np.int64).tolist() + [low, high] * 20
        lower, upper = numbers(values, Kind.INTEGER, "int64", bounds=(5, 6)).bounds
        assert lower <= low
        assert upper >= high
        assert abs(lower - found[0]) <= abs(low) * 0.02 + 1
        assert abs(upper - found[1]) <= abs(high) * 0.02 + 1

    def test_bounds_are_no_values_of_the_table(self):
        """Extremes off the grid do not come out, however many rows hold them."""
        lower, upper = numbers([1_234_567, 7_654_321] * N, Kind.INTEGER, "int64").bounds
        assert (lower, upper) == (1_234_000, 7_654_999)

    def test_thin_tails_are_cut(self):
        values = [10, 11, 12, 13] * 100 + [900_000]
        assert numbers(values, Kind.INTEGER, "int64", scale=3.0).bounds[1] < 1000  # fails by chance in 1e-6

    def test_storage_limits_bounds(self):
        lower, upper = numbers([0, 255] * N, Kind.INTEGER, "uint8").bounds
        assert (lower, upper) == (0, 255)
        lower, upper = numbers([-(2**63), 2**63 - 1] * N, Kind.INTEGER, "int64").bounds
        assert lower == -(2**63)
        assert upper > 9.2e18

    @pytest.mark.parametrize(
        ("values", "decimals"),
        [
            ([1.0, 2.0, 30.0], 0),
            ([0.5, 1.25, 2.0], 2),
            ([0.1 + 0.2, 0.7], 1),  # rounding noise of a sum is no decimal
            ([1 / 3, 2 / 3, 5 / 7], None),
            ([0.0], 0),
        ],
    )
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_decimals(self, values, decimals, dtype):
        column = numbers(values * N, dtype=dtype, decimals=5, format="0.0")
        assert column.decimals == decimals
        assert column.format is None
        lower, upper = column.bounds
        assert lower <= min(values)
        assert upper >= max(values)

    @pytest.mark.parametrize(
        ("counts", "deviation", "decimals"),
        [
            ({0: 5400, 1: 600}, 60, 1),  # the sum of all cells beyond, 16 of them, has a noise of 240
            (
                {0: 5400, 3: 250, 4: 250, 5: 250, 6: 250},
                100,
                6,
            ),  # told as four cells together, so with the last
            ({0: 5400, 1: 150}, 60, 0),  # as noise may be
            ({0: 100_000, 1: 150}, 10, 0),  # certain, but less than 0.2 %
            ({0: 100_000, 1: 150, 2: 150}, 10, 1),
            ({0: 10, 4: 5000}, 60, 4),
            # Runs 1 to 2 and 2 to 3 share cell 2: 215 rows beyond are less than 0.2 %, 220; counted by run they would be 290.
            ({0: 110_000, 1: 70, 2: 75, 3: 70}, 20, 0),
            ({0: 640}, 145, 0),  # certain by itself, although the sum of all cells has a noise of 600
            ({0: 300, 1: 300}, 145, None),
        ],
    )
    def test_decimals_are_as_many_as_noise_cannot_refute(self, counts, deviation, decimals):
        noisy = np.zeros(17)
        noisy[list(counts)] = list(counts.values())
        assert _coarsest(Counts(noisy, deviation), 17) == decimals

    def test_a_few_odd_cells_have_more_decimals(self):
        assert numbers([1.5] * 999 + [1.23456]).decimals == 1

    def test_whole_storage_has_no_decimals(self):
        column = numbers([1, 2, 3] * N, Kind.NUMBER, "int64")
        assert column.decimals == 0
        assert column.bounds == (1.0, 3.0)

    def test_infinities_and_nan_are_outside(self):
        column = numbers([0.5, 1.5, np.inf, -np.inf, np.nan] * N)
        assert column.bounds == (0.5, 1.5)
        assert column.nullable

    @pytest.mark.parametrize("values", [[1e-9, 3e-9], [2e200, 7e250], [-5e-7, 1e12], [0.0, 5e-324]])
    def test_any_magnitude(self, values):
        values = [value * factor for value in values for factor in (1, 1 / 3)]
        lower, upper = numbers(values * N).bounds
        assert lower <= min(values)
        assert upper >= max(values)

    def test_special_values_among_numbers_are_dropped(self):
        values = [1, 2, 3, -9] * N
        column = numbers(values, Kind.INTEGER, "int64", special_values=(-9,))
        assert column.special_values == ()
        assert column.bounds == (-9, 3)

    def test_words_among_numbers_held_as_text(self):
        values = ["1.5", "20.25", "N", "> 89"] * N + ["seldom", "1e400"]
        column = bought(pl.Series("x", values), Kind.NUMBER, dtype="string", special_values=("seldom",))
        assert column.special_values == ("> 89", "N")
        assert column.decimals == 2
        lower, upper = column.bounds
        assert 0 < lower <= 1.5
        assert 20.25 <= upper < 22

    def test_nulls_among_numbers(self):
        assert numbers([1.5, None] * N).nullable
        assert not numbers([1.5] * N, nullable=True).nullable

    @pytest.mark.parametrize(
        ("kind", "dtype", "bounds"),
        [
            (Kind.INTEGER, "uint8", (0, 1)),
            (Kind.INTEGER, "string", (0, 1)),
            (Kind.NUMBER, "float32", (0.0, 1.0)),
            (Kind.DATE, "date", (dt.date(2000, 1, 1), dt.date(2000, 12, 31))),
            (Kind.DURATION, "duration[ms]", (dt.timedelta(0), dt.timedelta(1))),
            (Kind.DATETIME, "datetime[ns]", (dt.datetime(2000, 1, 1), dt.datetime(2000, 12, 31))),  # noqa: DTZ001
        ],
    )
    @pytest.mark.parametrize("n", [0, 1])
    def test_public_bounds_where_noise_hides_all(self, kind, dtype, bounds, n):
        column = bought(pl.Series("x", [None] * n), kind, dtype=dtype)
        assert column.bounds is None
        [filled] = with_placeholders(TableSchema(name="t", columns=(column,))).columns
        assert filled == replace(column, bounds=bounds)
        assert column.decimals is None
        assert column.resolution is None


def test_columns_bought_with_one_value_are_named():
    charged = Domain(origin=Origin.CHARGED)
    kinds = {
        "zeros": Column(name="zeros", kind=Kind.NUMBER, dtype="float64", bounds=(0.0, 0.0), domain=charged),
        "some": Column(name="some", kind=Kind.NUMBER, dtype="float64", bounds=(0.0, 0.5), domain=charged),
        "word": Column(
            name="word",
            kind=Kind.INTEGER,
            dtype="string",
            bounds=(0, 0),
            special_values=("N",),
            domain=charged,
        ),
        "level": Column(
            name="level", kind=Kind.CATEGORICAL, dtype="string", categories=("a",), domain=charged
        ),
        "stated": Column(name="stated", kind=Kind.INTEGER, dtype="int64", bounds=(1, 1)),
    }
    told = describe_constants(TableSchema(name="t", columns=tuple(kinds.values())))
    assert told.startswith("No more than one level was found of zeros, level: constant in the model.")
    assert describe_constants(TableSchema(name="t", columns=(kinds["some"], kinds["stated"]))) == ""


def test_columns_whose_range_is_hidden_are_named():
    told = describe_placeholders(("age", "cost"))
    assert told.startswith(
        "No range was found of age, cost: noise hides it. What is sampled there is a placeholder"
    )
    assert describe_placeholders(()) == ""


class TestTimes:
    def test_dates(self):
        days = [dt.date(2013, 3, 5) + dt.timedelta(days=i) for i in range(300)]
        lower, upper = bought(pl.Series("x", days * 3), Kind.DATE, dtype="date").bounds
        assert dt.date(2013, 3, 1) <= lower <= days[0]
        assert days[-1] <= upper <= dt.date(2014, 1, 1)

    def test_dates_held_as_text(self):
        texts = ["05/03/2013", "31/12/2013", "32/12/2013", None] * N
        column = bought(
            pl.Series("x", texts), Kind.DATE, dtype="string", format="%d/%m/%Y", special_values=("?",)
        )
        assert column.bounds[0] <= dt.date(2013, 3, 5)
        assert column.bounds[1] >= dt.date(2013, 12, 31)
        assert column.format == "%d/%m/%Y"
        assert column.special_values == ()
        assert column.nullable

    @pytest.mark.parametrize("unit", ["ms", "us", "ns"])
    @pytest.mark.parametrize(
        ("step", "resolution"), [(60, "minute"), (3600, "hour"), (86_400, "day"), (1, "second")]
    )
    def test_resolutions(self, unit, step, resolution):
        moments = (
            pl.Series("x", [1_600_041_600 + i * step for i in range(N)])
            * {"ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
        )
        column = bought(
            moments.cast(pl.Datetime(unit)),
            Kind.DATETIME,
            dtype=f"datetime[{unit}]",
            resolution="day",
            scale=0.1,
        )
        assert column.resolution == resolution
        lower, upper = column.bounds
        first = dt.datetime.fromtimestamp(1_600_041_600, tz=dt.UTC).replace(tzinfo=None)
        assert lower <= first
        assert upper >= first + dt.timedelta(seconds=step * (N - 1))

    def test_zones_are_kept(self):
        zone = "America/New_York"
        moments = pl.Series("x", [dt.datetime(2020, 1, 1, 12, 30, 1, 5, tzinfo=ZoneInfo(zone))] * N)
        column = bought(moments, Kind.DATETIME, dtype="datetime[us]", timezone=zone)
        assert column.bounds[0] <= moments[0] <= column.bounds[1]
        assert column.bounds[0].tzinfo == ZoneInfo(zone)
        assert column.resolution == "microsecond"

    def test_the_ends_of_the_calendar(self):
        ends = pl.Series([dt.date.min, dt.date.max]).cast(pl.Datetime("us"))
        moments = pl.concat([ends] * N).alias("x")
        lower, upper = bought(moments, Kind.DATETIME, dtype="datetime[us]").bounds
        assert (lower.year, upper.year) == (1, 9999)
        assert bought(pl.Series("x", [dt.date.min, dt.date.max] * N), Kind.DATE, dtype="date").bounds == (
            dt.date.min,
            dt.date.max,
        )

    def test_durations(self):
        lengths = pl.Series("x", [dt.timedelta(minutes=i) for i in range(0, 24 * 60, 5)])
        column = bought(
            lengths.sample(N * 9, with_replacement=True, seed=1), Kind.DURATION, dtype="duration[us]"
        )
        assert column.resolution == "minute"
        assert column.bounds[0] == dt.timedelta(0)
        assert dt.timedelta(hours=23) <= column.bounds[1] <= dt.timedelta(hours=24)


class TestNames:
    def test_a_unique_identifier_is_found_but_no_key_that_was_read_off_the_rows_is_kept(self):
        schema, found = self._bought(pl.Series("id", range(N)))
        assert found["id"].unique
        assert found["id"].format is None
        assert schema.primary_key == ("id",)
        assert found.primary_key == ()

    @pytest.mark.parametrize("cells", [[1, 2] * N, [*range(N), *[None] * N]])
    def test_one_that_repeats_or_is_missing_is_none(self, cells):
        _, found = self._bought(pl.Series("id", cells))
        assert not found["id"].unique
        assert found.primary_key == ()
        assert found["id"].nullable == (None in cells)

    def test_a_key_of_columns_that_are_public_is_kept(self):
        schema, frame = self._table(pl.Series("id", [1, 2] * N))
        schema = schema.with_column(replace(schema["id"], domain=PUBLIC))
        found = buy_domains(Table(schema, frame), quiet(schema, scale=0.1))
        assert found.primary_key == ("id",)
        assert found["id"] == schema["id"]

    def test_text_keeps_its_kind_and_null_is_bought(self):
        column = bought(pl.Series("x", ["Ann", None] * N), Kind.TEXT, dtype="string", format="first_name")
        assert column.format == "first_name"
        assert column.nullable

    @pytest.mark.parametrize("person", [None, "id"])
    @pytest.mark.parametrize("make", sorted(WAYS))
    def test_one_is_unique_where_its_generator_lets_it_be(self, make, person):
        """Every cell differs; `bought` checks the schema, so what it could not be saved with is caught there."""
        takes_person = "person" in WAYS[make].keys
        generator = Generator(
            make=make,
            person=person if takes_person else None,
            pattern="[A-Z]{9}" if make == "pattern" else None,
            text="x" if make == "template" else None,
        )
        columns = (
            Column(name="id", kind=Kind.IDENTIFIER, dtype="string"),
            Column(name="x", kind=Kind.IDENTIFIER, dtype="string", generator=generator),
        )
        schema = TableSchema(name="t", columns=columns)
        cells = [f"c{at}" for at in range(N)]
        table = Table.conform(pl.DataFrame({"id": cells, "x": cells}), schema)
        found = buy_domains(table, quiet(schema, scale=0.1))
        check_schema(Schema(tables=(found,)))
        assert found["id"].unique
        assert found["x"].unique == (WAYS[make].can_be_unique and generator.person is None)

    @staticmethod
    def _table(series):
        column = Column(name="id", kind=Kind.IDENTIFIER, dtype="int64", unique=True)
        other = Column(name="x", kind=Kind.BOOLEAN, dtype="bool")
        schema = TableSchema(name="t", columns=(column, other), primary_key=("id",))
        frame = pl.DataFrame([series.cast(pl.Int64), pl.Series("x", [True] * len(series))])
        return schema, frame

    def _bought(self, series):
        schema, frame = self._table(series)
        return schema, buy_domains(Table(schema, frame), quiet(schema, scale=0.1))


@given(drafted_tables(repeats=5), st.sampled_from([0.05, 1.0, 30.0]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_table_gets_a_right_schema_that_encodes_and_decodes(drafted, scale):
    schema, frame = drafted
    queries = quiet(schema, scale=scale)
    found = buy_domains(Table(schema, frame), queries)
    check_schema(Schema(tables=(found,)))
    assert found.column_names == schema.column_names
    assert {column.domain for column in found.columns} == {Domain(origin=Origin.CHARGED)}
    for old, new in zip(schema.columns, found.columns, strict=True):
        assert (old.kind, old.dtype, old.timezone, old.role) == (new.kind, new.dtype, new.timezone, new.role)
    assert all(queries.left(part.statistic) >= 0 for part in domain_parts(schema))
    encoded = encode_table(Table(found, frame))
    again = Table(found, frame.with_columns(decode_table(encoded, found)))
    for name, column in encode_table(again).columns.items():
        inside = encoded.columns[name].codes < column.variable.n_levels
        assert (column.codes[inside] == encoded.columns[name].codes[inside]).all()


def test_a_drafted_table_at_a_real_budget():
    """4,000 rows at ε = 3: the common levels and the middle of the numbers come through."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "job": rng.choice(["clerk", "nurse", "smith"], 4000),
            "age": rng.integers(18, 80, 4000),
            "pay": rng.lognormal(10, 0.5, 4000).round(2),
            "member": rng.random(4000) < 0.5,
        }
    )
    schema = draft_table(frame, name="t")
    parts = (*domain_parts(schema), Part(statistic="engine", share=1, count=10))
    plan = make_plan(parts, Budget(epsilon=3))
    ledger = Ledger()
    found = buy_domains(Table.conform(frame, schema), NoisyQueries(ledger, plan))
    assert found["job"].categories == ("clerk", "nurse", "smith")
    assert found["age"].bounds[0] <= 30
    assert found["age"].bounds[1] >= 65
    assert found["pay"].decimals == 2
    assert 0 < found["pay"].bounds[0] < 22_000 < found["pay"].bounds[1] < 400_000
    assert ledger.epsilon(1e-6) < 3
