"""Faults that have been found in privacy software, planted into ours one by one: each is caught by its check.

The checks are those that `tests/contract/test_private_engines.py` holds against every engine. Each test
first passes its check without the fault, so that it is the fault that is caught.
"""

import contextlib
import logging
import warnings
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tabsynth import private_fit
from tabsynth.errors import DataError
from tabsynth.models.network import rounds
from tabsynth.models.registry import make_engine
from tabsynth.privacy import Budget, accountant, noise
from tabsynth.privacy import plan as planning
from tabsynth.privacy.marginals import Measurement, columns_of, histograms, l1_distances, observed_values
from tabsynth.privacy.mechanisms import DiscreteGaussian, ThresholdedDiscreteGaussian
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import make_plan
from tabsynth.private_fit import plan_fit
from tabsynth.schema.types import Column, Domain, Kind, Origin, PrivacyUnit, TableSchema
from tabsynth.table import Table
from tests.privacy import tape as tapes
from tests.privacy.tape import Tape, run

PUBLIC = Domain(origin=Origin.PUBLIC, by="A", source="B")
BUDGET = Budget(epsilon=5.0)
ENGINE = make_engine("bayesian_network", {"iterations": 3, "coarse_cells": 4})


def schema_of(k=1):
    columns = (
        Column(name="person", kind=Kind.IDENTIFIER, dtype="int64", domain=PUBLIC),
        Column(name="a", kind=Kind.CATEGORICAL, dtype="string", categories=("p", "q", "r"), domain=PUBLIC),
        Column(name="b", kind=Kind.INTEGER, dtype="int64", bounds=(0, 40), domain=PUBLIC),
        Column(name="c", kind=Kind.CATEGORICAL, dtype="string", categories=("u", "v"), domain=PUBLIC),
    )
    unit = PrivacyUnit() if k == 1 else PrivacyUnit(column="person", max_rows=k)
    return TableSchema(name="t", columns=columns, unit=unit)


def frame(n=300, k=1, seed=0):
    rng = np.random.default_rng(seed)
    b = rng.integers(5, 30, n)
    return pl.DataFrame(
        {"person": np.arange(n) // k, "a": np.where(b > 15, "p", "q"), "b": b, "c": rng.choice(["u", "v"], n)}
    )


def fitted(rows=None, *, k=1, tape=None, schema=None, budget=BUDGET):
    schema = schema_of(k) if schema is None else schema
    rows = frame(k=k) if rows is None else rows
    return run(Table.conform(rows, schema), ENGINE, plan_fit(schema, ENGINE, budget), tape=tape)


@contextlib.contextmanager
def caught_by(check):
    """`check` passes on what is sound; the body plants a fault; then it fails."""
    check()
    yield
    with pytest.raises(AssertionError):
        check()


def replayed(rows, *, k=1, answer=tapes.silence):
    """A fit of a table, and one of other `rows` that is told the same."""
    one = fitted(k=k, tape=Tape(answer=answer))
    return one, fitted(rows, k=k, tape=Tape(source=one.tape))


@pytest.mark.parametrize("share", [1 / 2, 1 / 3, 2.0])
def test_half_the_noise(monkeypatch, share):
    """Too much of it is caught as well: the ledger would say what is not so."""
    whole = noise._released

    with caught_by(lambda: tapes.check_noise(fitted().tape)):
        monkeypatch.setattr(noise, "_released", lambda counts, scale: whole(counts, scale * share))


def test_half_the_noise_in_one_statistic(monkeypatch):
    def scores(self, statistic, pairs, references):
        scale = self._charge(DiscreteGaussian, statistic, columns_of(pairs), len(pairs)).scale
        found = noise.discrete_gaussian(l1_distances(pairs, references), scale=scale / 2)
        return Measurement(found.astype(np.float64), variance=scale**2)

    with caught_by(lambda: tapes.check_noise(many_scores())):
        monkeypatch.setattr(NoisyQueries, "dependence_scores", scores)


def many_scores():
    """A fit of 20 columns: 190 scores, enough to see half the noise in them alone."""
    columns = tuple(
        Column(name=f"x{i}", kind=Kind.CATEGORICAL, dtype="string", categories=("u", "v"), domain=PUBLIC)
        for i in range(20)
    )
    rows = pl.DataFrame(
        {column.name: np.random.default_rng(i).choice(["u", "v"], 50) for i, column in enumerate(columns)}
    )
    return fitted(rows, schema=TableSchema(name="t", columns=columns)).tape


def test_exact_counts(monkeypatch):
    with caught_by(lambda: tapes.check_noise(fitted().tape)):
        monkeypatch.setattr(noise, "_released", lambda counts, scale: counts)  # noqa: ARG005


def test_exact_counts_past_the_noise(monkeypatch):
    """One statistic that never sees the noise: charged, and exact. The next table ends elsewhere."""

    def total(self, statistic, n_rows):
        self._charge(DiscreteGaussian, statistic, (), 1)
        return Measurement(np.array(float(n_rows)), variance=0.0)

    with caught_by(lambda: tapes.check_same_end(*replayed(frame(301)))):
        monkeypatch.setattr(NoisyQueries, "total", total)


def test_the_domain_is_read_off_the_data(monkeypatch):
    """Bounds of the numbers that are there, passed off as bought."""

    def narrowed(table, queries):  # noqa: ARG001
        b = table.frame["b"]
        return table.schema.with_column(replace(table.schema["b"], bounds=(int(b.min()), int(b.max()))))

    rows = pl.concat([frame(), frame(1).with_columns(b=pl.lit(39, dtype=pl.Int64))])
    with caught_by(lambda: tapes.check_same_end(*replayed(rows))):
        monkeypatch.setattr(private_fit, "buy_domains", narrowed)


def test_categories_are_read_off_the_data(monkeypatch):
    def observed(table, queries):  # noqa: ARG001
        levels = tuple(observed_values(table.frame["a"])[0].to_list())
        return table.schema.with_column(replace(table.schema["a"], categories=levels))

    rows = pl.concat([frame(), frame(1).with_columns(a=pl.lit("r"))])
    with caught_by(lambda: tapes.check_same_end(*replayed(rows))):
        monkeypatch.setattr(private_fit, "buy_domains", observed)


def test_noise_from_the_seed(monkeypatch):
    def seeded(counts, scale):
        return counts + np.rint(np.random.default_rng(0).normal(0, scale, counts.shape)).astype(np.int64)

    with caught_by(lambda: tapes.check_fresh_noise([fitted(), fitted()])):
        monkeypatch.setattr(noise, "_released", seeded)


def test_noise_from_numpys_global_seed(monkeypatch):
    def check():
        runs = []
        for _ in range(2):
            np.random.seed(0)  # noqa: NPY002
            runs.append(fitted())
        tapes.check_fresh_noise(runs)

    def seeded(counts, scale):
        return counts + np.rint(np.random.normal(0, scale, counts.shape)).astype(np.int64)  # noqa: NPY002

    with caught_by(check):
        monkeypatch.setattr(noise, "_released", seeded)


def test_a_charge_after_the_release(monkeypatch):
    def marginals(self, statistic, wanted, repeats=None):
        times = [1] * len(wanted) if repeats is None else list(repeats)
        scale = self.plan[statistic].mechanism.scale
        values = noise.averages(histograms(wanted), scale=scale, repeats=times)
        self._charge(DiscreteGaussian, statistic, columns_of(wanted), sum(times))
        return [Measurement(found, variance=scale**2 / n) for found, n in zip(values, times, strict=True)]

    with caught_by(lambda: tapes.check_charged_first(fitted().tape)):
        monkeypatch.setattr(NoisyQueries, "marginals", marginals)


def test_repeats_that_are_charged_once(monkeypatch):
    def marginals(self, statistic, wanted, repeats=None):
        times = [1] * len(wanted) if repeats is None else list(repeats)
        scale = self._charge(DiscreteGaussian, statistic, columns_of(wanted), len(wanted)).scale
        values = noise.averages(histograms(wanted), scale=scale, repeats=times)
        return [Measurement(found, variance=scale**2 / n) for found, n in zip(values, times, strict=True)]

    with caught_by(lambda: tapes.check_charged_first(fitted().tape)):
        monkeypatch.setattr(NoisyQueries, "marginals", marginals)


STRANGE = frame().with_columns(a=pl.lit("none of these"), b=pl.lit(2**40, dtype=pl.Int64))


def settling(then):
    """`settle`, but for one thing it does where a cell is outside the domain."""
    settle = private_fit.settle

    def watched(encoded):
        if any((column.codes >= column.variable.n_levels).any() for column in encoded.columns.values()):
            then()
        return settle(encoded)

    return watched


def stop():
    raise DataError("a cell is outside its domain")


@pytest.mark.parametrize(
    "then",
    [
        stop,
        lambda: warnings.warn("odd cells", stacklevel=1),
        lambda: logging.getLogger("tabsynth").info("odd cells"),
        lambda: print("odd cells"),
    ],
    ids=["error", "warning", "log", "print"],
)
def test_an_error_that_depends_on_the_data(monkeypatch, then):
    def check():
        tapes.check_quiet(lambda: fitted(frame()))
        tapes.check_quiet(lambda: fitted(STRANGE))

    with caught_by(check):
        monkeypatch.setattr(private_fit, "settle", settling(then))


def test_a_row_count_in_the_progress(monkeypatch):
    engine = type(ENGINE)
    fit = engine.fit

    def telling(self, data, *, queries, streams, progress):
        progress(f"fitting {data.n_rows} rows", 0.0)
        return fit(self, data, queries=queries, streams=streams, progress=progress)

    with caught_by(lambda: tapes.check_same_end(*replayed(frame(301)))):
        monkeypatch.setattr(engine, "fit", telling)


def drafted():
    """A fit that buys the categories of two columns."""
    schema = schema_of()
    columns = tuple(replace(column, domain=Domain()) for column in schema.columns)
    one = fitted(schema=replace(schema, columns=columns), budget=Budget(epsilon=0.31))
    tapes.check_composition(one.ledger, Budget(epsilon=0.31))


@pytest.mark.parametrize("share", [0.0, 0.75])
def test_the_delta_of_thresholds_is_forgotten(monkeypatch, share):
    """Or some of it."""
    whole = accountant.threshold_delta
    with caught_by(drafted):
        private_fit._planned.cache_clear()
        monkeypatch.setattr(planning, "threshold_delta", lambda mechanism: share * whole(mechanism))
        monkeypatch.setattr(accountant, "threshold_delta", lambda mechanism: share * whole(mechanism))
    private_fit._planned.cache_clear()


@pytest.mark.parametrize("fault", ["every level", "any count"])
def test_a_threshold_that_is_not_applied(monkeypatch, fault):
    """Every level that occurs is released, as if its category were public; or every one that is looked at."""

    def check():
        schema = replace(schema_of(), columns=tuple(replace(c, domain=Domain()) for c in schema_of().columns))
        rare = pl.concat([frame(), frame(2).with_columns(a=pl.lit("canary"))])
        tape = Tape(answer=tapes.silence)
        assert "canary" not in repr(fitted(rare, schema=schema, tape=tape).fitted.schema)

    levels, charge = NoisyQueries.frequent_levels, NoisyQueries._charge

    def without_threshold(self, kind, *asked):
        mechanism = charge(self, kind, *asked)
        return replace(mechanism, threshold=1) if kind is ThresholdedDiscreteGaussian else mechanism

    def all_of_them(self, statistic, cells, columns):
        found = levels(self, statistic, cells, columns)
        values, counts = observed_values(cells)
        return replace(found, values=values, counts=counts.astype(np.float64))

    with caught_by(check):
        if fault == "every level":
            monkeypatch.setattr(NoisyQueries, "frequent_levels", all_of_them)
        else:
            monkeypatch.setattr(NoisyQueries, "_charge", without_threshold)


def spiky(n_spike):
    """A table with a number without a limit of decimals, `n_spike` of 300 rows at one value."""
    at = np.arange(300)
    column = Column(name="d", kind=Kind.NUMBER, dtype="float64", bounds=(0.0, 1.0), domain=PUBLIC)
    schema = replace(schema_of(), columns=(*schema_of().columns, column))
    return schema, frame().with_columns(d=pl.Series(np.where(at < n_spike, 0.3, (at + 0.5) / 300)))


def same_spikes():
    """Two tables that are told the same, of which one hardly has the spike."""
    (schema, rows), (_, others) = spiky(280), spiky(3)
    one = fitted(rows, schema=schema, tape=Tape(answer=tapes.silence))
    assert one.tape.levels[0].values.to_list() == [0.3]
    tapes.check_same_end(one, fitted(others, schema=schema, tape=Tape(source=one.tape)))


@pytest.mark.parametrize("fault", ["threshold", "counts"])
def test_exact_counts_beside_a_threshold(monkeypatch, fault):
    """The threshold is held against what is exact, or what is exact is released where noisy counts reach it."""
    levels = NoisyQueries.frequent_levels

    def exactly(self, statistic, cells, columns):
        found = levels(self, statistic, cells, columns)
        values, counts = observed_values(cells)
        exact = dict(zip(values.to_list(), counts.tolist(), strict=True))
        own = np.array([exact[value] for value in found.values.to_list()], dtype=np.float64)
        if fault == "counts":
            return replace(found, counts=own)
        is_frequent = own >= self.plan[statistic].mechanism.threshold
        return replace(
            found, values=found.values.filter(pl.Series(is_frequent)), counts=found.counts[is_frequent]
        )

    with caught_by(same_spikes):
        monkeypatch.setattr(NoisyQueries, "frequent_levels", exactly)


@pytest.mark.parametrize("least", [11, 12])
def test_values_passed_over_by_another_bar(monkeypatch, least):
    """Thresholds are set for values of more rows than a unit's (more than 1 here); others would show more often than is charged."""
    levels = NoisyQueries.frequent_levels

    def choosy(self, statistic, cells, columns):
        values, counts = observed_values(cells)
        kept = values.filter(pl.Series(counts > least))
        return levels(self, statistic, cells.filter(cells.is_in(kept.implode())), columns)

    def check():
        schema, rows = spiky(12)
        one = fitted(rows, schema=schema, tape=Tape(answer=tapes.silence))
        tapes.check_neighbours(one, fitted(rows[1:], schema=schema, tape=Tape(source=one.tape)))

    with caught_by(check):
        monkeypatch.setattr(NoisyQueries, "frequent_levels", choosy)


@pytest.mark.parametrize("k", [2, 3])
def test_levels_counted_as_if_a_person_had_one_row(k):
    """Neighbours: without k rows of a level that both tables look at."""

    def asked(cells, sensitivity, source=None):
        tape = Tape(answer=tapes.silence, source=source)
        ledger = tapes.TapedLedger(tape)
        plan = make_plan(
            (planning.Part(statistic="levels", share=1, is_thresholded=True),),
            BUDGET,
            sensitivity=sensitivity,
        )
        with tapes.listening(tape):
            NoisyQueries(ledger, plan).frequent_levels("levels", cells, ("a",))
        return tapes.Run(None, tape, ledger, plan)

    def check(sensitivity):
        cells = pl.Series("a", ["p"] * 200 + ["q"] * 100)
        one = asked(cells, sensitivity)
        tapes.check_neighbours(one, asked(cells[k:], sensitivity, source=one.tape))

    check(k)
    with pytest.raises(AssertionError):
        check(1)


@pytest.mark.parametrize("k", [2, 3])
def test_sensitivity_one_where_a_person_has_several_rows(monkeypatch, k):
    """Neighbours: without one person's k rows, which lie in one cell."""
    rows = frame(k=k).filter(pl.col("person") > 0)
    with caught_by(lambda: tapes.check_neighbours(*replayed(rows, k=k))):
        monkeypatch.setattr(private_fit, "_planned", lambda parts, budget, _: make_plan(parts, budget))


def test_scores_against_references_that_move(monkeypatch):
    """References made of exact one-ways, so that they move with the row: a score changes by more than 1."""

    def own(self, statistic, pairs, references):  # noqa: ARG001
        moving = []
        for [counts] in (histograms([pair]) for pair in pairs):
            product = np.outer(counts.sum(1), counts.sum(0)) / max(1, counts.sum())
            moving.append(np.rint(product).astype(np.int64))
        return scores(self, statistic, pairs, moving)

    scores = NoisyQueries.dependence_scores
    rows = frame().filter(pl.col("person") > 0)

    def check():
        for seed in range(5):
            one, two = replayed(rows, answer=tapes.script(seed))
            tapes.check_neighbours(one, two)

    with caught_by(check):
        monkeypatch.setattr(NoisyQueries, "dependence_scores", own)


def test_a_choice_made_by_exact_scores(monkeypatch):
    """Pairs picked by what the table holds rather than by what was released: the questions differ."""
    choose = rounds.choose

    def peeking(scores, coarse, **how):
        return choose({pair: score + seen[-1] for pair, score in scores.items()}, coarse, **how)

    seen = [0.0]
    fit = type(ENGINE).fit

    def remembering(self, data, **how):
        seen.append(1e6 * float(np.mean(data.columns["b"].values > 15) - 0.5))
        return fit(self, data, **how)

    rows = frame().filter(pl.col("b") <= 15)

    def check():
        tapes.check_same_end(*replayed(rows, answer=tapes.script(1)))

    with caught_by(check):
        monkeypatch.setattr(type(ENGINE), "fit", remembering)
        monkeypatch.setattr(rounds, "choose", peeking)


def test_more_is_asked_than_was_planned(monkeypatch):
    """A ledger that is charged what the plan does not hold, its parts being forgotten."""

    def check():
        one = fitted()
        tapes.check_as_planned(one.ledger.charges, one.plan)

    def unbounded(self, statistic):
        return self.plan[statistic].part.count + 20

    with caught_by(check):
        monkeypatch.setattr(NoisyQueries, "left", unbounded)


def test_a_plan_that_exceeds_its_budget(monkeypatch):
    """Noise of three quarters, planned and charged as such: no longer what the budget allows."""

    def check():
        private_fit._planned.cache_clear()
        tapes.check_composition(fitted(frame(50)).ledger, BUDGET)

    find = planning._largest_precision
    with caught_by(check):
        monkeypatch.setattr(planning, "_largest_precision", lambda *how: find(*how) / 0.75**2)
        monkeypatch.setattr(planning, "checked_plan", lambda plan: plan)
    private_fit._planned.cache_clear()
