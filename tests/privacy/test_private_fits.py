"""Whole private fits: nothing of a single row shows, and nothing that a cell holds stops them.

Every test of this project runs with warnings as errors, so a warning that data provoke fails here too.
"""

import datetime as dt
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest

import tabsynth as ts
from tabsynth.errors import BudgetError, PrivacyError
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.privacy import Budget, Ledger
from tabsynth.privacy.domains import LEVELS
from tabsynth.privacy.ledger_file import create_ledger_file, open_ledger_file, read_ledger_file
from tabsynth.privacy.mechanisms import Exact
from tabsynth.report import write_report
from tabsynth.schema.types import Column, Domain, Kind, Origin, PrivacyUnit, TableSchema
from tests.end_to_end.commands import masked

WORD, NUMBER = "zyxwvut-canary", 918273645
DAY = dt.date(7777, 7, 7)
DAYS = ("7777-", "/7777", "(7777")
"""How that year may be written within a date, in text and in Python; no identifier or number is."""
PUBLIC = Domain(origin=Origin.PUBLIC, by="A", source="B")
QUICK = ts.engines.BayesianNetwork(coarse_cells=4, iterations=20)

STATED = TableSchema(
    name="stays",
    columns=(
        Column(name="id", kind=Kind.IDENTIFIER, dtype="string", unique=True, format="S####", domain=PUBLIC),
        Column(name="ward", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b", "c"), domain=PUBLIC),
        Column(name="age", kind=Kind.INTEGER, dtype="int64", bounds=(0, 110), domain=PUBLIC),
        Column(
            name="cost", kind=Kind.NUMBER, dtype="float64", bounds=(0.0, 1e4), decimals=2, nullable=True, domain=PUBLIC
        ),
        Column(name="seen", kind=Kind.DATE, dtype="date", bounds=(dt.date(2020, 1, 1), dt.date(2021, 1, 1)), domain=PUBLIC),
    ),
)  # fmt: skip


def stays(n: int = 2000, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 96, n)
    return pl.DataFrame(
        {
            "id": [f"S{i}" for i in range(n)],
            "ward": np.where(rng.random(n) < age / 120, "a", rng.choice(["b", "c"], n)),
            "age": age,
            "cost": pl.Series([None if r < 0.1 else round(c, 2) for r, c in zip(rng.random(n), rng.gamma(2, 300, n), strict=True)]),
            "seen": pl.Series(np.datetime64("2020-01-01") + rng.integers(0, 366, n)),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def stated() -> FittedPipeline:
    return fit(stays(), schema=STATED)


@pytest.fixture(scope="module")
def drafted() -> FittedPipeline:
    return fit(stays(), engine=QUICK)


@pytest.mark.parametrize("which", ["stated", "drafted"])
def test_a_private_model_is_saved_loaded_and_sampled(which, request, tmp_path):
    pipeline = request.getfixturevalue(which)
    pipeline.save(tmp_path / "model")
    loaded = FittedPipeline.load(tmp_path / "model")
    assert loaded.guarantee == pipeline.guarantee == "Differentially private: ε = 1, δ = 1e-06, unit: row."
    assert (loaded.privacy, loaded.n_rows) == (Budget(epsilon=1.0, delta=1e-6), pipeline.n_rows)
    assert loaded.ledger == pipeline.ledger
    rows = loaded.sample(500, seed=1)
    assert rows.equals(pipeline.sample(500, seed=1))
    assert not rows.equals(pipeline.sample(500, seed=2))
    assert rows.columns == list(STATED.column_names)
    assert set(rows["ward"]) <= {"a", "b", "c"}
    held = loaded.sample(50, seed=1, where={"ward": "b"})
    assert held["ward"].to_list() == ["b"] * 50
    assert loaded.sample(seed=1).height == pipeline.n_rows
    # noise of 67 rows at most: 8 standard deviations are exceeded once in 10^15 fits
    assert 1400 < pipeline.n_rows < 2600


def test_what_is_public_stays_and_what_is_a_draft_is_bought(stated, drafted):
    assert stated.schema == STATED
    assert {column.domain.origin for column in drafted.schema.columns} == {Origin.CHARGED}
    assert not any(isinstance(charge.mechanism, Exact) for charge in (*stated.charges, *drafted.charges))
    for pipeline in (stated, drafted):
        assert pipeline.ledger.cap == Budget(epsilon=1.0)
        assert 0.9 < pipeline.ledger.epsilon(1e-6) <= 1.0


def test_two_fits_with_one_seed_differ_and_a_seed_fixes_the_rows_of_each():
    first, second = (fit(stays(300), schema=STATED, engine=QUICK, seed=7) for _ in range(2))
    arrays = [model.model.arrays() for model in (first, second)]
    # hundreds of noisy counts: all alike once in more than 10^100 fits
    assert any(not np.array_equal(arrays[0][name], arrays[1].get(name)) for name in arrays[0])
    assert not first.sample(100, seed=1).equals(second.sample(100, seed=1))
    assert first.sample(100, seed=1).equals(first.sample(100, seed=1))


def test_which_rows_of_a_person_are_read_is_no_matter_of_the_seed():
    """Next to no noise: counts differ between fits of one seed by the rows that were left out alone."""
    schema = TableSchema(
        name="t",
        unit=PrivacyUnit(column="person", max_rows=1),
        columns=(
            Column(name="person", kind=Kind.IDENTIFIER, dtype="int64", unique=True, domain=PUBLIC),
            Column(name="x", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b"), domain=PUBLIC),
        ),
    )
    frame = pl.DataFrame({"person": np.arange(4000) // 2, "x": ["a", "b"] * 2000})
    budget = Budget(epsilon=100.0)
    fits = [fit(frame, schema=schema, engine="independent", privacy=budget, seed=3) for _ in range(4)]
    shares = {round(1e4 * (model.sample(200_000, seed=1)["x"] == "a").mean()) for model in fits}
    # a binomial of 2000 draws and noise below 1: four alike have a probability below 10^-4
    assert len(shares) > 1
    assert all(1900 < model.n_rows < 2100 for model in fits)


GARBAGE = pl.DataFrame(
    {
        "nothing": pl.Series([None] * 40, dtype=pl.String),
        "null": pl.Series([None] * 40, dtype=pl.Null),
        "constant": ["only"] * 40,
        "zero": [0] * 40,
        "infinite": [float("inf"), float("-inf"), float("nan"), 1e308] * 10,
        "tiny": [5e-324, -5e-324] * 20,
        "huge": [2**63 - 1, -(2**63)] * 20,
        "empty": [""] * 40,
        "odd": ["\x00", "\u202e", "🪦", "a\nb", '"', ","] * 6 + ["=1+1"] * 4,
        "ids": [f"id-{i}" for i in range(40)],
        "far": pl.Series([dt.date(1, 1, 1), dt.date(9999, 12, 31)] * 20),
        "times": pl.Series([-(2**63), 2**63 - 1] * 20, dtype=pl.Int64).cast(pl.Duration("us")),
        "moments": pl.Series([-(2**62), 2**62] * 20, dtype=pl.Int64).cast(pl.Datetime("ns")),
        "mixed": ["1", "2.5", "x", "-1e400"] * 10,
    }
)


@pytest.mark.parametrize("engine", ["independent", "bayesian_network"])
@pytest.mark.parametrize("n_rows", [0, 1, 40])
def test_garbage_is_fitted(n_rows, engine):
    schema = ts.draft_schema(GARBAGE)
    fitted = fit(GARBAGE.head(n_rows), schema=schema, engine=engine)
    assert fitted.n_rows >= 1
    rows = fitted.sample(30, seed=1)
    assert (rows.height, rows.columns) == (30, GARBAGE.columns)


@pytest.mark.parametrize("n_rows", [0, 1, 2])
def test_hardly_any_rows_are_as_good_as_any(n_rows, tmp_path):
    for schema in (STATED, None):
        fitted = fit(stays().head(n_rows), schema=schema, engine=QUICK)
        assert fitted.n_rows >= 1
        fitted.save(tmp_path / f"{n_rows}{schema is None}")
        assert FittedPipeline.load(tmp_path / f"{n_rows}{schema is None}").sample(20, seed=1).height == 20
        assert "without rows" not in (tmp_path / f"{n_rows}{schema is None}" / "model.json").read_text()


CELLS = [
    ("ward", ["unheard of"] * 2000),
    ("ward", [None] * 2000),
    ("age", [-1] * 2000),
    ("age", [2**62] * 2000),
    ("cost", [1e300] * 2000),
    ("cost", [float("nan"), float("inf")] * 1000),
    ("seen", [dt.date(1900, 1, 1)] * 2000),
]


@pytest.mark.parametrize(("column", "cells"), CELLS)
def test_cells_outside_a_public_domain_become_cells_of_it(column, cells):
    wrong = stays().with_columns(pl.Series(column, cells, dtype=stays()[column].dtype))
    rows = fit(wrong, schema=STATED, engine=QUICK).sample(300, seed=1)
    assert ts.check(rows, STATED) == ()


def test_text_that_is_no_number_becomes_one(tmp_path):
    stays(200).with_columns(age=pl.lit(WORD)).write_csv(tmp_path / "t.csv")
    rows = fit(tmp_path / "t.csv", schema=STATED, engine=QUICK).sample(300, seed=1)
    assert ts.check(rows, STATED) == ()
    objects = stays(200).to_pandas()
    objects["age"] = pd.Series([1, "x", None, 2.5] * 50, dtype=object)
    assert ts.check(fit(objects, schema=STATED, engine=QUICK).sample(300, seed=1), STATED) == ()


def test_a_row_that_nobody_else_has_shows_nowhere(tmp_path, capfd):
    """The row's text, number and day are unique; so is the type they make of each column.

    The year alone is no canary: four digits stand in made-up identifiers by chance. The day is sought as it is
    written, and in the arrays as the day and the year that it is.
    """
    n = 3000
    rng = np.random.default_rng(0)
    canary = pl.DataFrame(
        {
            "id": [*(f"P{i:06}" for i in range(n - 1)), WORD],
            "job": [*rng.choice(["clerk", "nurse"], n - 1), WORD],
            "code": [*rng.integers(0, 4, n - 1), NUMBER],
            "pay": [*np.round(rng.gamma(2, 900, n - 1), 2), float(NUMBER)],
            "points": [*rng.integers(0, 900, n - 1).astype(str), WORD],
            "note": [*(f"seen on day {i}, and again" for i in range(n - 1)), f"call {WORD} at once"],
            "seen": [*(dt.date(2020, 1, 1) + dt.timedelta(days=int(d)) for d in rng.integers(0, 300, n - 1)), DAY],
        }
    )  # fmt: skip
    said: list[str] = []
    draft = masked(ts.draft_schema(canary))
    assert draft.only_table["job"].categories is not None
    assert WORD in draft.only_table["job"].categories  # or the rest would show nothing
    pipeline = fit(canary, schema=draft, progress=lambda stage, share: said.append(f"{stage} {share}"))
    assert set(pipeline.schema["job"].categories or ()) == {"clerk", "nurse"}
    pipeline.save(tmp_path / "model")
    rows = pipeline.sample(4000, seed=1)
    rows.write_csv(tmp_path / "rows.csv")
    with pytest.raises(ts.errors.ConditionError) as refusal:
        pipeline.sample(1, where={"job": WORD})
    said += [
        str(refusal.value).replace(WORD, ""),
        repr(pipeline.schema),
        repr(pipeline.ledger),
        repr(pipeline.layout),
    ]
    said += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    said += list(capfd.readouterr())
    assert all(any(form in written for form in DAYS) for written in (str(DAY), repr(DAY), f"{DAY:%d/%m/%Y}"))
    for text in said:
        assert WORD not in text
        assert str(NUMBER) not in text.replace(",", "")
        assert not [form for form in DAYS if form in text]
    for name, array in pipeline.model.arrays().items():
        for number in (NUMBER, (DAY - dt.date(1970, 1, 1)).days, DAY.year):
            assert not np.any(np.abs(array.astype(np.float64)) == number), (name, number)


def test_the_layout_says_nothing_of_cells():
    whole = stays(300).to_pandas()
    gap = whole.astype({"age": float})
    gap.loc[5, "age"] = np.nan
    found = [fit(frame, schema=STATED, engine=QUICK).layout for frame in (whole, gap)]
    assert found[0] == found[1]


def test_every_release_is_charged_as_it_was_planned(drafted):
    plan = {
        part.part.statistic: part.mechanism
        for part in ts.budget_plan(ts.draft_schema(stays()), engine=QUICK).plan.parts
    }
    for charge in drafted.charges:
        assert replace(charge.mechanism, count=1) == replace(plan[charge.statistic], count=1)
    assert {charge.columns for charge in drafted.charges if charge.statistic == LEVELS} == {("ward",)}


class TestLedger:
    """One ledger for all fits of a source."""

    @pytest.fixture
    def path(self, tmp_path):
        create_ledger_file(tmp_path / "ledger", source="stays", cap=Budget(epsilon=1.25))
        return tmp_path / "ledger"

    @pytest.mark.parametrize("first", ["row", "person"])
    def test_fits_of_other_units_are_refused(self, path, first):
        person = replace(STATED, unit=PrivacyUnit(column=STATED.columns[0].name, max_rows=3))
        order = [STATED, person] if first == "row" else [person, STATED]
        budget = Budget(epsilon=0.3)
        fit(stays(200), schema=order[0], engine=QUICK, privacy=budget, ledger=path)
        before = read_ledger_file(path)
        with pytest.raises(PrivacyError, match="cannot be added up"):
            fit(stays(200), schema=order[1], engine=QUICK, privacy=budget, ledger=path)
        assert read_ledger_file(path) == before

    def test_a_later_fit_continues_it_and_cannot_exceed_it(self, path, tmp_path):
        half = Budget(epsilon=0.7)
        first = fit(stays(200), schema=STATED, engine=QUICK, privacy=half, ledger=path)
        second = fit(stays(200), schema=STATED, engine=QUICK, privacy=half, ledger=path)
        record = read_ledger_file(path)
        assert [charge for fit_number, charge in record.charges if fit_number == 1] == list(first.charges)
        assert [charge for fit_number, charge in record.charges if fit_number == 2] == list(second.charges)
        assert second.ledger.former == first.charges
        assert (second.ledger.source, second.ledger.cap) == ("stays", Budget(epsilon=1.25))
        assert record.holds(first.ledger)
        assert record.holds(second.ledger)
        # composition is cheaper than addition, dearer than either
        assert 0.7 < second.ledger.epsilon(1e-6) < 1.4
        with pytest.raises(BudgetError, match=r"cap of ε = 1.25.*nothing was released"):
            fit(tmp_path / "no-such-file.csv", schema=STATED, ledger=path)
        assert read_ledger_file(path) == record

    def test_a_model_carries_a_copy_that_cannot_be_continued(self, path, tmp_path):
        pipeline = fit(stays(200), schema=STATED, engine=QUICK, privacy=Budget(epsilon=0.5), ledger=path)
        pipeline.save(tmp_path / "model")
        document = json.loads((tmp_path / "model" / "model.json").read_text())
        assert document["ledger"]["kind"] == "copy of a tabsynth ledger, not to be continued"
        (tmp_path / "copy").write_text(json.dumps(document["ledger"]))
        with pytest.raises(PrivacyError, match="copy of a ledger that a model carries"):
            fit(stays(200), schema=STATED, ledger=tmp_path / "copy")

    def test_an_open_ledger_serves_several_fits(self, path):
        with open_ledger_file(path, source="stays") as ledger:
            fits = [
                fit(stays(100), schema=STATED, engine=QUICK, privacy=Budget(epsilon=0.3), ledger=ledger)
                for _ in range(2)
            ]
            with pytest.raises(PrivacyError, match="another fit has the ledger open"):
                fit(stays(100), schema=STATED, ledger=path)
        assert fits[1].ledger.former == fits[0].charges
        assert fits[1].charges != ()
        assert tuple(charge for _, charge in read_ledger_file(path).charges) == (
            *fits[0].charges,
            *fits[1].charges,
        )

    def test_a_fit_that_fails_stays_charged_and_takes_no_more_than_it_asked_for(self, path, monkeypatch):
        def broken(self, data, **_):  # noqa: ARG001
            raise RuntimeError("out of luck")

        monkeypatch.setattr(type(QUICK), "fit", broken)
        with open_ledger_file(path, source="stays") as ledger:
            with pytest.raises(RuntimeError):
                fit(stays(100), schema=STATED, engine=QUICK, ledger=ledger)
            assert [charge.statistic for charge in ledger.charges] == ["number of rows"]
            monkeypatch.undo()
            fit(stays(100), schema=STATED, engine=QUICK, ledger=ledger)  # what was set aside is free again

    def test_a_ledger_in_memory_will_do(self):
        ledger = Ledger(Budget(epsilon=1.0))
        fit(stays(100), schema=STATED, engine=QUICK, ledger=ledger)
        with pytest.raises(BudgetError):
            fit(stays(100), schema=STATED, engine=QUICK, ledger=ledger)


def test_a_report_names_the_guarantee_and_the_ledger(stated, tmp_path):
    train, holdout = ts.split(stays(), schema=STATED, seed=1)
    results = ts.evaluate(
        stated.sample(1000, seed=1), train, holdout, schema=STATED, guarantee=stated.guarantee
    )
    page = write_report(results, tmp_path / "report.html", ledger=stated.ledger).read_text()
    assert stated.guarantee in page
    assert "not covered by any guarantee" in page
    assert "Together they compose to ε = " in page
    assert results.private_output
