"""The network's second round of pairs rests on what the first released: nothing else of the table decides."""

import numpy as np
import polars as pl
import pytest

from tabsynth.models import bayesian_network
from tabsynth.models.network import measuring, rounds
from tabsynth.models.registry import make_engine
from tabsynth.privacy import Budget
from tabsynth.private_fit import plan_fit
from tabsynth.schema.types import Column, Domain, Kind, Origin, TableSchema
from tabsynth.table import Table
from tests.privacy import tape as tapes
from tests.privacy.tape import Tape, run

N_LEVELS, N_COLUMNS, N_ROWS = 12, 6, 3000
BUDGET = Budget(epsilon=5.0)
ENGINE = make_engine("bayesian_network", {"iterations": 3, "most_cells": 50_000})
LEVELS = tuple(f"l{k:02d}" for k in range(N_LEVELS))
PUBLIC = Domain(origin=Origin.PUBLIC, by="A", source="B")
SCHEMA = TableSchema(
    name="t",
    columns=tuple(
        Column(name=f"x{v}", kind=Kind.CATEGORICAL, dtype="string", categories=LEVELS, domain=PUBLIC)
        for v in range(N_COLUMNS)
    ),
)


def frame(*, left_out=0):
    """Every column goes with every other: more pairs than a tree of 50,000 cells can hold (12^6 are 3 million)."""
    rng = np.random.default_rng(0)
    common = rng.integers(0, N_LEVELS, N_ROWS)
    cells = [
        np.where(rng.random(N_ROWS) < 0.6, common, rng.integers(0, N_LEVELS, N_ROWS))
        for _ in range(N_COLUMNS)
    ]
    levels = np.array(LEVELS)
    return pl.DataFrame({f"x{v}": levels[column] for v, column in enumerate(cells)})[left_out:]


def fitted(rows, tape, public=None):
    plan = plan_fit(SCHEMA, ENGINE, BUDGET)
    return run(Table.conform(rows, SCHEMA), ENGINE, plan, tape=tape, public=public)


def replayed(public=None):
    """A fit, and one of the table without its first row that is told the same."""
    one = fitted(frame(), Tape(answer=tapes.script(1)), public)
    return one, fitted(frame(left_out=1), Tape(source=one.tape), public)


def statistics(fit):
    return [draw.charge.statistic for draw in fit.tape.draws]


@pytest.mark.parametrize("public", [None, frame(left_out=2000), frame(left_out=2900).drop("x2")])
def test_both_rounds_are_charged_as_planned_and_neighbours_change_by_one(public):
    """With public rows beside them too, which decide what is asked, but not by the private rows."""
    one, other = replayed(public)
    assert statistics(one).count(rounds.PAIRS) == 2, "there were two rounds"
    assert statistics(one).count(rounds.SCORES) == 1, "and the scores were released once"
    tapes.check_charged_first(one.tape)
    tapes.check_as_planned(one.ledger.charges, one.plan)
    tapes.check_composition(one.ledger, BUDGET)
    tapes.check_neighbours(one, other)
    tapes.check_same_end(one, other)


def test_public_rows_that_are_weighted_by_private_ones_are_caught(monkeypatch):
    """A drift that is estimated from exact counts: what is released then depends on a row that nothing was charged for."""
    public, sound, seen = frame(left_out=2000), measuring.drift_of, []

    def remembering(names, cells, fine, queries, **more):
        seen.append(len(fine[0]))
        return sound_columns(names, cells, fine, queries, **more)

    sound_columns = bayesian_network.count_columns
    monkeypatch.setattr(bayesian_network, "count_columns", remembering)
    tapes.check_same_end(*replayed(public))
    monkeypatch.setattr(measuring, "drift_of", lambda each, **more: sound(each, **more) + seen[-1] % 2)
    with pytest.raises(AssertionError):
        tapes.check_same_end(*replayed(public))


def test_a_second_round_that_looks_at_the_table_is_caught(monkeypatch):
    """What the first model leaves unexplained, moved by the exact number of rows."""
    sound, seen = rounds.unexplained, []

    def remembering(table, queries):
        seen.append(table.pair(0, 1))
        return score_pairs(table, queries)

    def peeking(scores, model, pairs, total):
        exact = len(seen[-1].codes[0])
        return {
            pair: value + 1e6 * ((exact + k) % 2)
            for k, (pair, value) in enumerate(sound(scores, model, pairs, total).items())
        }

    def check():
        tapes.check_same_end(*replayed())

    score_pairs = rounds.score_pairs
    check()
    monkeypatch.setattr(rounds, "score_pairs", remembering)
    monkeypatch.setattr(rounds, "unexplained", peeking)
    with pytest.raises(AssertionError):
        check()
