"""Rules in a private fit: free of charge, blind to what rows hold, and one row more is one row more.

Every row of these tables has a combination near it by its first column, so no entropy is drawn to settle it.
"""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tabsynth.constraints.plan import RulePlan, plan_rules
from tabsynth.errors import UsageError
from tabsynth.models.registry import ENGINES, TRAINED_ENGINES
from tabsynth.pipeline import fit
from tabsynth.privacy import Budget, Ledger
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.private_fit import fit_privately, plan_fit
from tabsynth.randomness import Streams
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.rules import Conditional, Formula, Hierarchy, Inequality, Range, Unique
from tabsynth.table import Table
from tests.contract.test_private_engines import quick
from tests.privacy import tape as tapes
from tests.privacy.tape import Tape, run
from tests.unit.constraints.tables import flag, levels, table, whole

PRIVATE = [
    name for name, engine in ENGINES.items() if "dp" in engine.guarantees and name not in TRAINED_ENGINES
]
RULES = (
    Hierarchy(columns=("town", "land"), rows=(("u", "A"), ("v", "A"), ("w", "B"))),
    Conditional(condition="ill", then="drug <> 'none'", otherwise="drug = 'none'"),
    Formula(column="cost", sql="price * number"),
    Inequality(columns=("number", "cost")),
    Range(column="price", lower=2),
    Unique(columns=("price", "number")),
)
SCHEMA = table(
    levels("town", "u", "v", "w"),
    levels("land", "A", "B"),
    flag("ill"),
    levels("drug", "none", "x", "y"),
    whole("price", 1, 9),
    whole("number", 1, 9),
    whole("cost", 1, 81),
    rules=RULES,
)

SCHEMA_TYPES = {column.name: polars_dtype(column) for column in SCHEMA.columns}


def any_rows(n, seed):
    """Rows that break every rule now and then."""
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "town": rng.choice(list("uvw"), n),
            "land": rng.choice(list("AB"), n),
            "ill": rng.random(n) < 0.5,
            "drug": rng.choice(["none", "x", "y"], n),
            "price": rng.integers(1, 10, n),
            "number": rng.integers(1, 10, n),
            "cost": rng.integers(1, 82, n),
        }
    )


def test_rows_take_their_learnt_form_one_by_one():
    plan = plan_rules(SCHEMA, is_private=True)
    rows = any_rows(12, 0)
    whole_table = plan.apply(Table(SCHEMA, rows)).frame
    singles = [plan.apply(Table(SCHEMA, rows[i])).frame for i in range(12)]
    assert whole_table.equals(pl.concat(singles))
    assert whole_table.null_count().sum_horizontal().item() == 0


@pytest.mark.parametrize("name", PRIVATE)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_neighbours_differ_by_one_row_under_rules(name, seed):
    plan = plan_fit(SCHEMA, quick(name), Budget(epsilon=10.0))
    rows = any_rows((0, 1, 40)[seed], seed)
    more = pl.concat([rows, any_rows(1, 99 + seed)])
    tape = Tape(answer=tapes.script(seed))
    one = run(Table(SCHEMA, rows), quick(name), plan, tape=tape)
    other = run(Table(SCHEMA, more), quick(name), plan, tape=Tape(source=tape))
    tapes.check_neighbours(one, other)
    tapes.check_same_end(one, other)


@pytest.mark.parametrize("left_out", [(), ("town",), ("drug", "cost"), ("price", "number")])
@pytest.mark.parametrize("seed", [0, 1])
def test_neighbours_differ_by_one_row_under_rules_beside_public_rows(seed, left_out):
    """Public rows that break the rules, lack columns that these speak of, hold nulls and what no domain has."""
    recipe = quick("bayesian_network")
    plan = plan_fit(SCHEMA, recipe, Budget(epsilon=10.0))
    odd = {"town": "?", "drug": None, "price": -(2**63), "number": 2**63 - 1, "cost": None}
    strange = any_rows(3, 7).with_columns(
        pl.lit(value, dtype=SCHEMA_TYPES[name]).alias(name) for name, value in odd.items()
    )
    public = pl.concat([any_rows(60, 50), strange]).drop(left_out)
    rows = any_rows((1, 40)[seed], seed)
    more = pl.concat([rows, any_rows(1, 99 + seed)])
    tape = Tape(answer=tapes.script(seed))
    one = run(Table(SCHEMA, rows), recipe, plan, tape=tape, public=public)
    other = run(Table(SCHEMA, more), recipe, plan, tape=Tape(source=tape), public=public)
    tapes.check_neighbours(one, other)
    tapes.check_same_end(one, other)


def test_public_rows_that_no_rule_can_take_are_refused_before_a_charge(monkeypatch):
    real, seen = RulePlan.apply, []

    def apply(self, given):
        if given.n_rows == 60:
            seen.append(given)
            raise UsageError("a rule failed")
        return real(self, given)

    monkeypatch.setattr(RulePlan, "apply", apply)
    recipe = quick("bayesian_network")
    ledger = Ledger()
    with pytest.raises(UsageError):
        fit_privately(
            Table(SCHEMA, any_rows(9, 1)),
            recipe,
            queries=NoisyQueries(ledger, plan_fit(SCHEMA, recipe, Budget(epsilon=1.0))),
            streams=Streams(0),
            public=any_rows(60, 2),
        )
    assert len(seen) == 1
    assert ledger.charges == ()


def test_the_counts_that_a_suggestion_notes_do_not_get_into_a_model(tmp_path):
    """Somebody takes `draft: true` away and leaves the note: it holds exact counts of the source's rows."""
    noted = tuple(replace(rule, note="support 918,273 rows, 4 exceptions") for rule in RULES)
    schema = replace(SCHEMA, constraints=noted)
    pipeline = fit(any_rows(50, 2), schema=schema, engine="independent", privacy=Budget(epsilon=1.0))
    assert pipeline.schema.constraints == RULES
    pipeline.save(tmp_path / "model")
    assert not [path for path in (tmp_path / "model").iterdir() if b"918,273" in path.read_bytes()]


def test_a_step_that_looks_at_other_rows_would_be_seen():
    """The planted fault: a formula's column written as how many rows there are, which one more changes for all."""
    free = replace(SCHEMA, constraints=())
    plan = plan_fit(free, quick("independent"), Budget(epsilon=10.0))

    def counted(frame):
        return Table(free, frame.with_columns(cost=pl.lit(frame.height, dtype=pl.Int64)))

    tape = Tape(answer=tapes.silence)
    one = run(counted(any_rows(40, 2)), quick("independent"), plan, tape=tape)
    other = run(counted(any_rows(41, 2)), quick("independent"), plan, tape=Tape(source=tape))
    with pytest.raises(AssertionError):
        tapes.check_neighbours(one, other)


def test_rules_cost_nothing_and_no_content_stops_a_fit():
    """The rules leave fewer columns to ask for; whatever rows hold, a fit says and asks the same."""
    budget = Budget(epsilon=1.0)
    said, asked = [], []
    for rows in (
        any_rows(0, 0),
        any_rows(1, 1),
        any_rows(50, 2),
        any_rows(50, 3).with_columns(land=pl.lit("zz")),
    ):
        stages: list[tuple[str, float]] = []
        fitted = []

        def work(rows=rows, stages=stages, fitted=fitted):
            progress = lambda stage, share: stages.append((stage, share))  # noqa: E731
            fitted.append(fit(rows, schema=SCHEMA, engine="independent", privacy=budget, progress=progress))

        tapes.check_quiet(work)
        said.append(stages)
        asked.append(fitted[0].charges)
    assert all(stages == said[0] for stages in said)
    assert all(charges == asked[0] for charges in asked)
    assert not any("combination" in charge.statistic for charge in asked[0])
