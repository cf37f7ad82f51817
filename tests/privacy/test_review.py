"""What would make a claim untrue without a sign: rows that no bound holds for, halves that a seed decides.

Noise stands still in `exact`: what is left is what the noise would have been added to.
"""

import datetime as dt
import uuid
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tabsynth.config.run import run
from tabsynth.config.types import RunConfig, TableRun
from tabsynth.errors import PrivacyError, SchemaError
from tabsynth.pipeline import fit, split_by_coin
from tabsynth.privacy import Budget, Ledger, noise
from tabsynth.schema.types import Column, Domain, Kind, Origin, PrivacyUnit, Schema, TableSchema

PUBLIC = Domain(origin=Origin.PUBLIC, by="A", source="B")
LEVEL = Column(name="level", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b"), domain=PUBLIC)


def visits(dtype, *, max_rows=2):
    person = Column(name="person", kind=Kind.IDENTIFIER, dtype=dtype, nullable=True, domain=PUBLIC)
    return TableSchema(
        name="visits", columns=(person, LEVEL), unit=PrivacyUnit(column="person", max_rows=max_rows)
    )


@pytest.fixture
def exact(monkeypatch):
    monkeypatch.setattr(noise, "_released", lambda counts, _scale: counts.copy())


def n_learnt(data, schema):
    return fit(data, schema=schema, engine="independent").n_rows


@pytest.mark.usefixtures("exact")
def test_a_person_whose_name_cannot_be_read_has_no_more_rows_than_any_other():
    others = pl.DataFrame({"person": [str(i) for i in range(50)], "level": ["a"] * 50})
    one = pl.DataFrame({"person": ["P-77"] * 40, "level": ["b"] * 40})
    frames = (data.to_pandas().astype(object) for data in (others, pl.concat([others, one])))
    without, with_one = (n_learnt(data, visits("int64")) for data in frames)
    assert without == 50
    assert with_one - without <= 2


@pytest.mark.usefixtures("exact")
def test_persons_named_by_objects_that_are_no_text_are_not_a_person_a_row():
    names = [uuid.UUID(int=i // 10) for i in range(100)]
    data = pd.DataFrame({"person": names, "level": ["a"] * 100})
    assert n_learnt(data, visits("string")) <= 10 * 2


@pytest.mark.parametrize("max_rows", [None, 0])
def test_a_person_without_a_bound_is_refused(max_rows):
    with pytest.raises(SchemaError, match="max_rows"):
        n_learnt(pl.DataFrame({"person": ["1"], "level": ["a"]}), visits("string", max_rows=max_rows))


def test_dates_held_as_text_without_a_format_are_refused():
    # polars then takes the format of the first cell for all: one row would decide how the others are read
    column = Column(
        name="on",
        kind=Kind.DATE,
        dtype="string",
        bounds=(dt.date(2020, 1, 1), dt.date(2020, 12, 31)),
        domain=PUBLIC,
    )
    schema = TableSchema(name="t", columns=(column,))
    with pytest.raises(SchemaError, match="format"):
        n_learnt(pl.DataFrame({"on": ["2020-05-06"]}), schema)
    assert fit(
        pl.DataFrame({"on": ["2020-05-06"]}),
        schema=replace(schema, columns=(replace(column, format="%Y-%m-%d"),)),
        engine="independent",
    )


def test_what_an_earlier_fit_bought_is_not_free_in_the_next():
    drafted = TableSchema(name="t", columns=(replace(LEVEL, categories=None, domain=Domain()),))
    data = pl.DataFrame({"level": ["a"] * 3000 + ["b"] * 2000})
    ledger = Ledger(Budget(epsilon=3.0))
    bought = fit(data, schema=drafted, engine="independent", ledger=ledger).schema
    with pytest.raises(PrivacyError, match="level were bought by an earlier fit"):
        fit(data, schema=bought, engine="independent")
    again = fit(data, schema=bought, engine="independent", ledger=ledger)
    assert len(again.ledger.former) == 3


def test_coins_fall_for_units_one_by_one_at_the_stated_share():
    persons = np.repeat(np.arange(2000), 3)
    frame = pl.DataFrame({"person": persons})
    train, holdout = split_by_coin(frame, persons, holdout=0.3)
    held = set(holdout["person"])
    assert held.isdisjoint(train["person"])
    assert train.height + holdout.height == 6000
    # Binomial(2000, 0.3) has a standard deviation of 20.5: beyond 6 of them once in 10^9
    assert abs(len(held) - 600) < 123
    assert set(split_by_coin(frame, persons, holdout=0.3)[1]["person"]) != held
    nothing = split_by_coin(frame.clear(), persons[:0], holdout=0.3)
    assert [part.height for part in nothing] == [0, 0]


@pytest.mark.parametrize("is_stated", [True, False])
def test_the_seed_of_a_private_run_does_not_decide_who_is_learnt_from(tmp_path, monkeypatch, is_stated):
    source = tmp_path / "t.csv"
    pl.DataFrame({"level": ["a", "b"] * 200, "n": range(400)}).write_csv(source)
    number = Column(name="n", kind=Kind.INTEGER, dtype="int64", bounds=(0, 399), domain=PUBLIC)
    schema = Schema(tables=(TableSchema(name="t", columns=(LEVEL, number)),)) if is_stated else None
    seen = []

    def stop(train, *_, **__):
        seen.append(tuple(train.frame["n"]))
        raise KeyboardInterrupt

    monkeypatch.setattr("tabsynth.config.run.fit", stop)
    config = RunConfig(tables=(TableRun(name="t", source=source),), schema=schema, seed=1)
    for attempt in "xy":
        with pytest.raises(KeyboardInterrupt):
            run(config, tmp_path / attempt)
    assert len(seen) == 2
    assert seen[0] != seen[1]  # equal halves of 400: once in 2^400
