"""What is said of a training before it: in the budget's plan, and in a ledger."""

from dataclasses import replace

import pytest

from tabsynth.models.dp_ctgan import CRITIC, DpCtgan
from tabsynth.plan_report import budget_plan
from tabsynth.privacy import Budget
from tabsynth.privacy.domains import purchase_share
from tabsynth.privacy.ledger import Charge, charge_from_data, charge_to_data, rows_per_unit
from tabsynth.privacy.mechanisms import SampledGaussian
from tabsynth.schema import write_schema
from tabsynth.schema.types import Column, Domain, Kind, Origin, Schema, TableSchema
from tests.end_to_end.commands import tabsynth_here

PUBLIC = Domain(origin=Origin.PUBLIC, by="A", source="B")
SCHEMA = TableSchema(
    name="t",
    columns=(
        Column(name="a", kind=Kind.BOOLEAN, dtype="bool", domain=PUBLIC),
        Column(name="b", kind=Kind.INTEGER, dtype="int64", bounds=(0, 9), domain=PUBLIC),
    ),
)
RECIPE = DpCtgan(critic_share=0.3, steps=40)
TRAINING = SampledGaussian(scale=2.0, sampling_rate=0.1, count=5)


def test_the_plan_says_what_the_critic_takes_and_no_error_of_a_cell():
    report = budget_plan(SCHEMA, engine=RECIPE, privacy=Budget(epsilon=3.0), rows=1000)
    rows = {row.statistic: row for row in report.rows}
    assert rows[CRITIC].share == pytest.approx(
        0.3, abs=0.01
    )  # the number of rows takes half a percent beside
    assert rows[CRITIC].n_releases == 40
    assert rows[CRITIC].relative_error is None
    assert rows["pair marginals"].relative_error is not None
    assert sum(row.share for row in report.rows) == pytest.approx(1)
    drafted = replace(SCHEMA, columns=tuple(replace(column, domain=Domain()) for column in SCHEMA.columns))
    plan = budget_plan(drafted, engine=RECIPE, privacy=Budget(epsilon=3.0)).plan
    assert purchase_share(plan) == pytest.approx(0.25 / 1.255, abs=0.01)


def test_a_ledger_keeps_a_training():
    charge = Charge(statistic=CRITIC, columns=("a", "b"), mechanism=TRAINING)
    assert charge_from_data(charge_to_data(charge)) == charge
    assert rows_per_unit([charge]) == 1


def test_the_command_explains_the_noise_of_gradients(tmp_path):
    write_schema(Schema(tables=(SCHEMA,)), tmp_path / "t.yaml", private_note=False)
    done = tabsynth_here(
        "budget", "plan", "--schema", "t.yaml", "--engine", "dp_ctgan", "--rows", "900", cwd=tmp_path
    )
    said = " ".join((done.out + done.err).split())
    assert "gradients of the critic" in said
    assert "over the most that one row adds to a sum, of samples of 0.08 of the rows" in said
