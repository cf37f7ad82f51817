"""Plans of private fits, and what a fit asks for: as much as was planned, whatever the rows are."""

import datetime as dt
import itertools
import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tabsynth.encode.table import variables_of
from tabsynth.errors import PrivacyError, SchemaError, UsageError
from tabsynth.models.independent import Independent
from tabsynth.models.registry import ENGINES, make_engine
from tabsynth.pipeline import fit
from tabsynth.plan_report import budget_plan
from tabsynth.privacy import NO_PRIVACY, Budget
from tabsynth.privacy.accountant import delta_of
from tabsynth.privacy.domains import domain_parts
from tabsynth.privacy.lines import BOUNDS, FORMS, LEVELS
from tabsynth.private_fit import IDENTIFIERS, ROWS, plan_fit, require_guarantee
from tabsynth.schema.types import Column, Domain, Generator, Kind, Origin, PrivacyUnit, Schema, TableSchema

PRIVATE = [name for name, engine in ENGINES.items() if "dp" in engine.guarantees]
PUBLIC = Domain(origin=Origin.PUBLIC, by="A", source="B")
BUDGET = Budget(epsilon=1.0)

STATED = TableSchema(
    name="visits",
    unit=PrivacyUnit(column="person", max_rows=4),
    columns=(
        Column(name="person", kind=Kind.IDENTIFIER, dtype="int64", domain=PUBLIC),
        Column(name="key", kind=Kind.IDENTIFIER, dtype="string", unique=True, domain=PUBLIC),
        Column(name="ward", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b"), domain=PUBLIC),
        Column(name="age", kind=Kind.INTEGER, dtype="int64", bounds=(0, 110), domain=PUBLIC),
        Column(name="note", kind=Kind.TEXT, dtype="string", format="sentence", nullable=True, domain=PUBLIC),
    ),
)
DRAFT = replace(STATED, columns=tuple(replace(column, domain=Domain()) for column in STATED.columns))


class Bare(Independent):
    """An engine that cannot be private."""

    guarantees = frozenset({"none"})


class Silent(Independent):
    """One that can, but not as it is set up."""

    guarantees = frozenset({"none", "dp"})

    def parts(self, variables):  # noqa: ARG002
        return ()


@pytest.mark.parametrize("name", PRIVATE)
def test_an_engine_asks_for_no_more_than_it_planned_before_domains_were_bought(name):
    """Whatever the domains turn out to be: the plan cannot wait for them."""
    recipe = make_engine(name)
    moment = dt.datetime(2020, 1, 1)  # noqa: DTZ001
    drafted = (
        Column(name="a", kind=Kind.CATEGORICAL, dtype="string"),
        Column(name="b", kind=Kind.INTEGER, dtype="string"),
        Column(name="c", kind=Kind.NUMBER, dtype="float64"),
        Column(name="d", kind=Kind.DATETIME, dtype="datetime[us]"),
    )
    bought = (
        Column(name="a", kind=Kind.CATEGORICAL, dtype="string", categories=tuple("uvwxyz"), nullable=True),
        Column(name="b", kind=Kind.INTEGER, dtype="string", bounds=(0, 9), special_values=("N",)),
        Column(name="c", kind=Kind.NUMBER, dtype="float64", bounds=(0, 1), decimals=2, nullable=True),
        Column(name="d", kind=Kind.DATETIME, dtype="datetime[us]", bounds=(moment, moment), resolution="day"),
    )
    for n in range(1, 5):
        before, after = (
            recipe.parts(variables_of(TableSchema(name="t", columns=columns[:n])))
            for columns in (drafted, bought)
        )
        planned = {part.statistic: part for part in before}
        assert planned
        for part in after:
            assert part.count <= planned[part.statistic].count
            assert part.is_thresholded == planned[part.statistic].is_thresholded


@pytest.mark.parametrize("name", PRIVATE)
def test_fewer_columns_than_planned_ask_for_no_more(name):
    """A draft of text that is never missing is a column less than the plan was made for."""
    recipe = make_engine(name)
    columns = tuple(Column(name=f"x{i}", kind=Kind.INTEGER, dtype="int64", bounds=(0, 9)) for i in range(12))
    counts = [
        {
            part.statistic: part.count
            for part in recipe.parts(variables_of(TableSchema(name="t", columns=columns[:n])))
        }
        for n in range(1, 13)
    ]
    for fewer, more in itertools.pairwise(counts):
        assert all(count <= more[statistic] for statistic, count in fewer.items())


def test_a_plan_holds_what_the_fit_and_the_engine_ask_for():
    recipe = make_engine("bayesian_network")
    plan = plan_fit(STATED, recipe, BUDGET)
    assert plan.sensitivity == 4
    assert {planned.mechanism.sensitivity for planned in plan.parts} == {4}
    engine = [part.statistic for part in recipe.parts(variables_of(STATED))]
    assert [planned.part.statistic for planned in plan.parts] == [ROWS, IDENTIFIERS, *engine]
    assert plan[IDENTIFIERS].part.count == 2  # person may repeat: rows that have one, and how many differ
    shares = {planned.part.statistic: planned.part.share for planned in plan.parts}
    whole = math.fsum(shares[statistic] for statistic in engine)
    assert shares[ROWS] == shares[IDENTIFIERS] == pytest.approx(0.005 * whole)


def test_a_plan_for_drafts_buys_their_domains_and_counts_every_column_that_may_turn_up():
    recipe = make_engine("bayesian_network")
    plan = plan_fit(DRAFT, recipe, BUDGET)
    names = {planned.part.statistic for planned in plan.parts}
    assert {LEVELS, BOUNDS, FORMS} < names
    bought = math.fsum(plan[name].part.share for name in (LEVELS, BOUNDS, FORMS))
    assert bought == pytest.approx(50 * plan[ROWS].part.share)  # 0.25 beside 0.005
    assert plan[IDENTIFIERS].part.count == 4  # nobody knows of key that it is unique
    assert plan["one-way marginals"].part.count == 5  # nor that person and key are never missing
    unit = replace(DRAFT, unit=PrivacyUnit())
    assert plan_fit(unit, recipe, BUDGET).sensitivity == 1


def test_bounds_that_are_not_stated_are_bought_alone():
    """Of 1,500 purchases some 70 had other bounds than asked for here, by noise: three in a row with probability 1e-4."""
    open_ended = STATED.with_column(replace(STATED["age"], bounds=None))
    assert {part.statistic: part.count for part in domain_parts(open_ended)} == {BOUNDS: 2}
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "person": np.arange(4000),
            "key": [f"k{i}" for i in range(4000)],
            "ward": rng.choice(["a", "b"], 4000),
            "age": rng.integers(18, 96, 4000),
            "note": [None] * 4000,
        },
        schema_overrides={"note": pl.String},
    )
    bounds = []
    for _ in range(3):
        fitted = fit(frame, schema=open_ended, engine="independent")
        age = fitted.schema["age"]
        assert (age.domain.origin, age.domain.by, age.domain.source) == (Origin.CHARGED, "A", "B")
        assert fitted.schema["ward"] == open_ended["ward"]
        bounds.append(age.bounds)
    assert any(0 <= low <= 30 and 80 <= high <= 150 for low, high in bounds)
    assert "No bounds are stated for age: they are measured." in budget_plan(open_ended).purchase


def test_special_values_are_no_numbers_of_which_bounds_are_bought():
    column = Column(name="x", kind=Kind.INTEGER, dtype="int64", special_values=(-99_999,), domain=PUBLIC)
    cells = np.where(np.arange(20_000) % 4 == 0, -99_999, np.arange(20_000) % 50)
    schema = TableSchema(name="t", columns=(column,))
    fitted = fit(pl.DataFrame({"x": cells}), schema=schema, engine="bayesian_network")
    assert fitted.schema["x"].bounds[0] >= 0
    assert fitted.schema["x"].special_values == (-99_999,)


def test_what_cannot_be_private_is_refused():
    with pytest.raises(
        PrivacyError, match="'independent' cannot give differential privacy, so nothing was read"
    ):
        fit("no-such-file.csv", engine=Bare())
    require_guarantee(NO_PRIVACY, Bare())
    with pytest.raises(PrivacyError, match="with these settings"):
        plan_fit(STATED, Silent(), BUDGET)
    with pytest.raises(UsageError, match="too small"):
        plan_fit(STATED, make_engine("bayesian_network"), Budget(epsilon=1e-18, delta=1e-18))


class TestReport:
    """`budget_plan`: a plan in figures that can be checked by hand."""

    def test_shares_add_up_and_noise_is_that_of_the_plan(self):
        report = budget_plan(DRAFT, rows=20_000)
        assert math.fsum(row.share for row in report.rows) == pytest.approx(1)
        for row, planned in zip(report.rows, report.plan.parts, strict=True):
            assert (row.statistic, row.n_releases) == (planned.part.statistic, planned.part.count)
            assert row.deviation == planned.mechanism.scale
            assert row.relative_error == pytest.approx(row.deviation / 200)  # 1 % of 20,000
            assert (row.threshold is not None) == planned.part.is_thresholded
        assert report.delta == delta_of([planned.mechanism for planned in report.plan.parts], 1.0)
        assert 0.98e-6 < report.delta <= 1e-6
        assert report.guarantee.endswith("unit: person (column person, at most 4 rows).")

    def test_what_is_bought_is_named(self):
        drafted = budget_plan(DRAFT)
        assert drafted.draft_columns == ("person", "key", "ward", "age", "note")
        assert "The domains of 5 of 5 columns are drafts" in drafted.purchase
        assert f"This takes {drafted.purchase_share:.0%} of the budget." in drafted.purchase
        assert "schema confirm" in drafted.purchase
        assert drafted.rows[0].relative_error is None
        stated = budget_plan(Schema(tables=(STATED,)), engine="bayesian_network", settings={"ridge": 0.05})
        assert (stated.draft_columns, stated.purchase, stated.purchase_share) == ((), "", 0)
        assert stated.to_dict()["parts"][0]["statistic"] == ROWS

    def test_it_is_what_a_fit_follows(self):
        report = budget_plan(STATED)
        frame = pl.DataFrame(
            schema={c.name: pl.Int64 if c.dtype == "int64" else pl.String for c in STATED.columns}
        )
        planned = {part.part.statistic: part.mechanism for part in report.plan.parts}
        fitted = fit(frame, schema=STATED)
        used: dict[str, int] = {}
        for charge in fitted.charges:
            assert replace(charge.mechanism, count=1) == replace(planned[charge.statistic], count=1)
            used[charge.statistic] = used.get(charge.statistic, 0) + charge.mechanism.count
        assert all(count <= planned[statistic].count for statistic, count in used.items())
        assert fitted.ledger.epsilon(1e-6) <= 1.0

    @pytest.mark.parametrize("rows", [-1, 2.5, "many"])
    def test_a_guess_is_a_number(self, rows):
        with pytest.raises(UsageError, match="guessed number of rows"):
            budget_plan(STATED, rows=rows)

    def test_settings_belong_to_a_name(self):
        with pytest.raises(UsageError, match="settings"):
            budget_plan(STATED, engine=make_engine("bayesian_network"), settings={"ridge": 1})


def test_a_wrong_generator_is_refused_before_anything_is_charged():
    """No model with it could be saved, and by then the budget would be spent."""
    wrong = DRAFT.with_column(
        replace(DRAFT["key"], unique=True, generator=Generator(make="email", person="person"))
    )
    with pytest.raises(SchemaError, match="nothing was read") as caught:
        plan_fit(wrong, make_engine("independent"), BUDGET)
    assert [fault.where for fault in caught.value.faults] == ["tables.visits.columns.key.generator.person"]
