"""What every registered engine that can be private must do, whatever it is.

Statistical tests say how often they fail by chance. `tests/privacy/test_planted_faults.py` proves that the
checks can fail.
"""

import datetime as dt
import random
from dataclasses import fields, replace

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tabsynth as ts
from tabsynth.encode import EncodedTable, encode_table
from tabsynth.models.registry import ENGINES, TRAINED_ENGINES, make_engine
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.privacy import NO_PRIVACY, Budget
from tabsynth.privacy.ledger import copy_to_data
from tabsynth.privacy.ledger_file import create_ledger_file
from tabsynth.private_fit import IDENTIFIERS, ROWS, plan_fit
from tabsynth.schema.types import Column, Domain, Kind, Origin, PrivacyUnit, TableSchema
from tabsynth.table import Table
from tests.privacy import tape as tapes
from tests.privacy.tape import Run, Tape, TapedLedger, run, run_engine

PRIVATE = [
    name for name, engine in ENGINES.items() if "dp" in engine.guarantees and name not in TRAINED_ENGINES
]  # what trained engines must do is in tests/privacy/test_dp_ctgan.py
pytestmark = pytest.mark.parametrize("name", PRIVATE)
PUBLIC = Domain(origin=Origin.PUBLIC, by="A", source="B")
_QUICK = {"iterations": 3, "coarse_cells": 4}


def quick(name):
    """The engine, set up to lose no time after it has asked its last question."""
    known = {field.name for field in fields(ENGINES[name])}
    return make_engine(name, {key: value for key, value in _QUICK.items() if key in known})


def schema_of(k, *, tables="small"):
    """`k` rows for each person; with k = 1 the unit is the row."""
    columns = (
        Column(name="person", kind=Kind.IDENTIFIER, dtype="int64", domain=PUBLIC, nullable=True),
        Column(name="a", kind=Kind.CATEGORICAL, dtype="string", categories=("p", "q", "r"), domain=PUBLIC),
        Column(name="b", kind=Kind.INTEGER, dtype="int64", bounds=(0, 5), nullable=True, domain=PUBLIC),
        Column(name="c", kind=Kind.NUMBER, dtype="float64", bounds=(0.0, 1.0), domain=PUBLIC),
        Column(name="d", kind=Kind.BOOLEAN, dtype="bool", domain=PUBLIC),
    )
    unit = PrivacyUnit() if k == 1 else PrivacyUnit(column="person", max_rows=k)
    return TableSchema(name=tables, columns=columns, unit=unit)


def as_table(persons, schema):
    """A table of persons, each a list of rows (a, b, c, d)."""
    rows = [(i, *row) for i, person in enumerate(persons) for row in person]
    types = {"person": pl.Int64, "a": pl.String, "b": pl.Int64, "c": pl.Float64, "d": pl.Boolean}
    return Table.conform(pl.DataFrame(rows, schema=types, orient="row"), schema)


rows = st.tuples(
    st.sampled_from("pqr"),
    st.none() | st.integers(0, 5),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    st.booleans(),
)


@st.composite
def neighbours(draw, k):
    """Persons of at most k rows, one more, and who is left out in turn. In some tables d and b follow a."""
    n = draw(st.sampled_from([0, 1, 2, 6, 14, 20]))
    persons = draw(st.lists(st.lists(rows, min_size=1, max_size=k), min_size=n, max_size=n))
    bond = draw(st.sampled_from(["none", "some", "strong"]))
    if bond != "none":
        persons = [[(a, "pqr".index(a), c, a == "p") for a, _, c, _ in person] for person in persons]
    if bond == "strong":
        persons = persons * 12
    n = len(persons)
    gone = range(n) if n <= 20 else draw(st.sets(st.integers(0, n - 1), min_size=20, max_size=20))
    return persons, draw(st.lists(rows, min_size=1, max_size=k)), sorted(gone)


def some_rows(n, *, k=1, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.choice(list("ppq"), n)
    frame = pl.DataFrame(
        {
            "person": np.arange(n) // k,
            "a": a,
            "b": pl.Series([None if x == 5 else int(x) for x in rng.integers(0, 6, n)], dtype=pl.Int64),
            "c": rng.random(n) ** 2,
            "d": a == "p",
        }
    )
    return Table.conform(frame, schema_of(k))


@pytest.fixture(scope="module")
def runs():
    """Two fits of each engine with a seed, kept for all tests of the module."""
    found: dict[str, list[Run]] = {}

    def of(name):
        if name not in found:
            recipe = make_engine(name)
            plan = plan_fit(schema_of(2), recipe, Budget(epsilon=1.0))
            found[name] = [run(some_rows(600, k=2), recipe, plan, seed=7) for _ in range(2)]
        return found[name]

    return of


def test_a_fit_asks_for_what_was_planned(name, runs):
    one = runs(name)[0]
    tapes.check_as_planned(one.ledger.charges, one.plan)
    asked = {charge.statistic for charge in one.ledger.charges}
    assert asked - {ROWS, IDENTIFIERS} == {
        part.statistic for part in make_engine(name).parts(one.fitted.model.variables)
    }


def test_every_release_is_charged_before_it_is_drawn(name, runs):
    tapes.check_charged_first(runs(name)[0].tape)


def test_noise_is_that_of_the_charge(name, runs):
    for one in runs(name):
        tapes.check_noise(one.tape)


@pytest.mark.parametrize(
    ("epsilon", "k", "origin"), [(1.0, 3, "public"), (0.5, 1, "draft"), (8.0, 2, "draft")]
)
def test_the_ledger_is_what_a_hand_computes(name, epsilon, k, origin):
    schema, budget = schema_of(k), Budget(epsilon=epsilon)
    if origin == "draft":
        schema = replace(schema, columns=tuple(replace(column, domain=Domain()) for column in schema.columns))
    one = run(Table(schema, some_rows(60, k=k).frame), quick(name), plan_fit(schema, quick(name), budget))
    tapes.check_composition(one.ledger, budget)


@pytest.mark.parametrize("k", [1, 3])
def test_neighbours_differ_by_the_sensitivity_and_end_alike(name, k):
    """In all phases of a fit: later questions depend on the answers to earlier ones, which stay as they are.

    One neighbour of each table is fitted as a whole, the others as far as the engine reads.
    """
    schema, recipe = schema_of(k), quick(name)
    plan = plan_fit(schema, recipe, Budget(epsilon=30.0))
    assert plan.sensitivity == k
    pairs, seen = 0, set()

    @given(neighbours(k), st.none() | st.integers(0, 2**32 - 1))
    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(family, seed):
        nonlocal pairs
        persons, extra, gone = family
        fitted = [
            run(as_table(table, schema), recipe, plan, tape=tape)
            for one in [Tape(answer=tapes.silence if seed is None else tapes.script(seed))]
            for table, tape in ((persons, one), ([*persons, extra], Tape(source=one)))
        ]
        tapes.check_neighbours(*fitted)
        tapes.check_same_end(*fitted)

        everybody = encode_table(as_table([*persons, extra], schema))
        person_of = np.array([i for i, person in enumerate([*persons, extra]) for _ in person])
        here = person_of < len(persons)
        answer = tapes.silence if seed is None else tapes.script(seed)
        first = run_engine(rows_of(everybody, here), recipe, plan, tape=Tape(answer=answer))
        for other in [*(here & (person_of != i) for i in gone), np.ones_like(here)]:
            played = Tape(source=first.tape, stops=True)
            tapes.check_neighbours(first, run_engine(rows_of(everybody, other), recipe, plan, tape=played))
            pairs += 1
        seen.update(charge.statistic for charge in fitted[0].ledger.charges)

    check()
    assert pairs > 100  # some 300 as a rule, 2000 with all engines
    assert seen == {planned.part.statistic for planned in plan.parts}  # every phase


def rows_of(data, where):
    """Some rows of an encoded table."""
    columns = {
        name: replace(
            column, codes=column.codes[where], values=None if column.values is None else column.values[where]
        )
        for name, column in data.columns.items()
    }
    return EncodedTable(int(where.sum()), columns)


@pytest.mark.parametrize("k", [1, 2])
def test_a_model_is_a_function_of_released_numbers(name, k):
    """The same answers given to a fit of quite another table make the same model, bit for bit."""
    recipe, schema = make_engine(name), schema_of(k)
    plan = plan_fit(schema, recipe, Budget(epsilon=3.0))
    one = run(some_rows(500, k=k), recipe, plan, tape=Tape())
    for other in (
        some_rows(30, k=k, seed=1),
        some_rows(0),
        as_table([[("r", None, 1.0, False)]] * 900, schema),
    ):
        two = run(Table(schema, other.frame), recipe, plan, tape=Tape(source=one.tape))
        assert len(one.tape.draws) == len(two.tape.draws)
        tapes.check_same_end(one, two)


def test_no_seed_reaches_the_noise(name, runs):
    """The fits had the same seed; more follow with numpy's and Python's own set alike."""
    tapes.check_fresh_noise(runs(name))
    recipe = quick(name)
    plan = plan_fit(schema_of(1), recipe, Budget(epsilon=1.0))
    seeded = []
    for _ in range(2):
        np.random.seed(3)  # noqa: NPY002  # the seed of old must have no effect
        random.seed(3)
        seeded.append(run(some_rows(200), recipe, plan, seed=3))
    tapes.check_fresh_noise(seeded)
    assert any((one != other).any() for one, other in zip(*(each.tape.told for each in seeded), strict=False))


def test_sampling_from_a_saved_model_is_reproducible(name, tmp_path):
    pipeline = fit(some_rows(300).frame, schema=schema_of(1), engine=quick(name), seed=5)
    pipeline.save(tmp_path / "model")
    first, second = (FittedPipeline.load(tmp_path / "model").sample(400, seed=9) for _ in range(2))
    assert first.equals(second)
    assert first.equals(pipeline.sample(400, seed=9))
    assert not first.equals(pipeline.sample(400, seed=10))


SKEWED = TableSchema(
    name="t",
    columns=tuple(
        Column(name=f"x{i}", kind=Kind.CATEGORICAL, dtype="string", categories=tuple("abcd"), domain=PUBLIC)
        for i in range(30)
    ),
)


def one_way_error(synthetic, real):
    """Mean total variation distance of the columns' shares."""

    def shares(frame, name):
        return np.array([(frame[name] == level).mean() for level in "abcd"])

    return np.mean([np.abs(shares(synthetic, name) - shares(real, name)).sum() / 2 for name in real.columns])


def pair_error(synthetic, real, names):
    """Mean total variation distance of the joint shares of pairs."""

    def shares(frame, one, two):
        cells = frame[one].to_numpy().astype(str).astype(object) + frame[two].to_numpy().astype(str)
        return {cell: n / len(cells) for cell, n in zip(*np.unique(cells, return_counts=True), strict=True)}

    errors = []
    for i, one in enumerate(names):
        for two in names[:i]:
            here, there = shares(synthetic, one, two), shares(real, one, two)
            errors.append(sum(abs(here.get(c, 0) - there.get(c, 0)) for c in here.keys() | there.keys()) / 2)
    return np.mean(errors)


def test_utility_goes_with_the_budget(name):
    """95 % of each of 30 columns is one level: a uniform table is .70 off.

    At ε = 1e-6 the level with the most noise wins: below .15 would take 20 of 30 columns to be guessed right,
    each with probability 1/4, which happens once in 10^6.
    """
    rng = np.random.default_rng(0)
    usual = rng.choice(list("abcd"), 30)
    frame = pl.DataFrame(
        {f"x{i}": np.where(rng.random(2000) < 0.95, usual[i], rng.choice(list("abcd"), 2000)) for i in range(30)}
    )  # fmt: skip
    errors = [
        one_way_error(fit(frame, schema=SKEWED, engine=quick(name), privacy=privacy).sample(4000, seed=1), frame)
        for privacy in (Budget(epsilon=1e-6), Budget(epsilon=50.0), NO_PRIVACY)
    ]  # fmt: skip
    assert errors[0] > 0.15
    assert errors[1] < 0.02
    assert abs(errors[1] - errors[2]) < 0.01


def test_a_large_budget_comes_near_to_no_privacy(name):
    """Pairs of columns too: noise of a row or two at ε = 50, among 2000."""
    table, names = some_rows(2000), ("a", "b", "d")
    schema = schema_of(1)
    exact, private = (
        pair_error(
            fit(table.frame, schema=schema, engine=name, privacy=privacy).sample(8000, seed=1),
            table.frame,
            names,
        )
        for privacy in (NO_PRIVACY, Budget(epsilon=50.0))
    )
    assert private < exact + 0.03


CLINIC = TableSchema(
    name="clinic",
    columns=(
        Column(name="word", kind=Kind.CATEGORICAL, dtype="string", categories=("x", "y"), domain=PUBLIC),
        Column(name="grade", kind=Kind.ORDINAL, dtype="int64", categories=(1, 2, 3), domain=PUBLIC),
        Column(name="whole", kind=Kind.INTEGER, dtype="int64", bounds=(0, 9), domain=PUBLIC),
        Column(
            name="real",
            kind=Kind.NUMBER,
            dtype="float64",
            bounds=(0.0, 1.0),
            decimals=2,
            nullable=True,
            domain=PUBLIC,
        ),
        Column(
            name="day",
            kind=Kind.DATE,
            dtype="date",
            bounds=(dt.date(2020, 1, 1), dt.date(2020, 2, 1)),
            domain=PUBLIC,
        ),
        Column(name="note", kind=Kind.TEXT, dtype="string", format="sentence", nullable=True, domain=PUBLIC),
    ),
)
TYPES = {
    "word": pl.String,
    "grade": pl.Int64,
    "whole": pl.Int64,
    "real": pl.Float64,
    "day": pl.Date,
    "note": pl.String,
}
CONTENTS = {
    "no rows": [],
    "one row": [("x", 1, 5, 0.5, dt.date(2020, 1, 2), "n")],
    "all null": [(None,) * 6] * 50,
    "constant": [("y", 3, 9, 1.0, dt.date(2020, 2, 1), None)] * 50,
    "garbage": [
        ("\x00", 2**62, -(2**63), float("inf"), dt.date(1, 1, 1), "=1+1"),
        ("", -7, 2**63 - 1, float("nan"), dt.date(9999, 12, 31), "\u202e"),
        ("🪦", 0, -1, -1e308, None, ""),
        (None, None, None, 5e-324, dt.date(1999, 1, 1), "a\nb"),
    ]
    * 15,
}


@pytest.mark.parametrize("origin", ["public", "draft"])
def test_no_content_stops_a_fit_or_makes_it_talk(name, origin):
    """No error, warning, log record or printed word; and progress is told in the same words for every table."""
    schema = CLINIC
    if origin == "draft":
        schema = replace(schema, columns=tuple(replace(column, domain=Domain()) for column in schema.columns))
    said = {}
    for content, cells in CONTENTS.items():
        frame = pl.DataFrame(cells, schema=TYPES, orient="row")
        stages = said.setdefault(content, [])

        def work(frame=frame, stages=stages):
            pipeline = fit(
                frame,
                schema=schema,
                engine=quick(name),
                progress=lambda stage, share: stages.append((stage, share)),
            )
            assert ts.check(pipeline.sample(40, seed=1), pipeline.schema) == ()

        tapes.check_quiet(work)
    assert all(stages == said["no rows"] for stages in said.values())


WORD, NUMBER = "zyxwvut-canary", 918273645


def canaries(n=2500):
    """Two rows whose every cell is theirs alone, in stated columns (outside their domains) and in drafts.

    Of one row alone a level would be passed over, whatever the threshold.
    """
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "job": [*rng.choice(["clerk", "nurse"], n), WORD, WORD],
            "code": [*rng.integers(0, 5, n), NUMBER, NUMBER],
            "pay": [*rng.integers(0, 5000, n).astype(float), float(NUMBER), float(NUMBER)],
            "ward": [*rng.choice(["east", "west"], n), WORD, WORD],
            "age": [*rng.integers(18, 80, n), NUMBER, NUMBER],
        }
    )


def test_a_canary_shows_nowhere(name, tmp_path, capfd):
    """By the threshold a level of two rows comes through with probability below 1e-8 a fit."""
    frame = canaries()
    stated = {
        "ward": Column(
            name="ward", kind=Kind.CATEGORICAL, dtype="string", categories=("east", "west"), domain=PUBLIC
        ),
        "age": Column(name="age", kind=Kind.INTEGER, dtype="int64", bounds=(0, 110), domain=PUBLIC),
    }
    draft = ts.draft_schema(frame).only_table
    schema = replace(draft, columns=tuple(stated.get(column.name, column) for column in draft.columns))
    assert WORD in repr(schema)
    assert str(NUMBER) in repr(schema)  # or nothing would be shown
    create_ledger_file(tmp_path / "ledger", source="staff", cap=Budget(epsilon=2.0))
    said: list[str] = []

    def work():
        pipeline = fit(
            frame,
            schema=schema,
            engine=quick(name),
            ledger=tmp_path / "ledger",
            progress=lambda stage, share: said.append(f"{stage} {share}"),
        )
        pipeline.save(tmp_path / "model")
        pipeline.sample(4000, seed=1).write_csv(tmp_path / "rows.csv")
        for table in (pipeline.schema, pipeline.ledger, pipeline.layout, copy_to_data(pipeline.ledger)):
            said.append(repr(table))
        assert set(pipeline.schema["job"].categories) == {"clerk", "nurse"}  # so that it is no empty victory
        for array_name, array in pipeline.model.arrays().items():
            assert not np.any(np.abs(array.astype(np.float64)) == NUMBER), array_name

    assert tapes.conduct(work) == tapes.QUIET
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 4
    said += [path.read_bytes().decode("latin-1") for path in files] + list(capfd.readouterr())
    for text in said:
        assert WORD not in text
        assert str(NUMBER) not in text.replace(",", "").replace("_", "")


def test_the_whole_pipeline_charges_first_too(name):
    """`fit` itself, under a ledger with a cap, which composes to what the budget allows."""
    tape, budget = Tape(), Budget(epsilon=1.0)
    ledger = TapedLedger(tape, cap=budget)
    with tapes.listening(tape):
        pipeline = fit(
            some_rows(100).frame, schema=schema_of(1), engine=quick(name), privacy=budget, ledger=ledger
        )
    tapes.check_charged_first(tape)
    assert tuple(draw.charge for draw in tape.draws) == pipeline.charges
    tapes.check_composition(ledger, budget)
