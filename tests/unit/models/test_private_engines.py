"""Independent columns and the Gaussian copula with privacy: what they ask, and that any rows will do."""

import numpy as np
import polars as pl
import pytest

from tabsynth.encode import encode_table, settle
from tabsynth.encode.table import variables_of
from tabsynth.errors import UsageError
from tabsynth.models.gaussian_copula import GaussianCopula
from tabsynth.models.independent import Independent
from tabsynth.models.latent import Part as LatentPart
from tabsynth.privacy import Budget, Ledger
from tabsynth.privacy.mechanisms import DiscreteGaussian, ThresholdedDiscreteGaussian
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import BudgetPlan, PlannedPart, make_plan
from tabsynth.privacy.queries import Queries
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.table import Table

BUDGET = Budget(epsilon=1)
SILENT = 1e-3  # a scale whose noise is 0 but with probability below 1e-200000
SCHEMA = TableSchema(
    name="stays",
    columns=(
        Column(name="ward", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b", "c", "d")),
        Column(name="age", kind=Kind.INTEGER, dtype="int64", bounds=(0, 110)),
        Column(name="cost", kind=Kind.NUMBER, dtype="float64", bounds=(0.0, 1e4), nullable=True),
        Column(name="lab", kind=Kind.INTEGER, dtype="string", bounds=(0, 20), special_values=("N", "> 20")),
        Column(name="grade", kind=Kind.ORDINAL, dtype="int64", categories=(1, 2, 3)),
    ),
)
ENGINES = pytest.mark.parametrize("recipe", [Independent(), GaussianCopula()], ids=lambda recipe: recipe.name)


def stays(n: int) -> Table:
    rng = np.random.default_rng(5)
    age = rng.integers(18, 96, n)
    frame = pl.DataFrame(
        {
            "ward": rng.choice(list("abcd"), n, p=[0.4, 0.3, 0.2, 0.1]),
            "age": age,
            "cost": pl.Series([None if r < 0.2 else float(a) * 10 for r, a in zip(rng.random(n), age, strict=True)], dtype=pl.Float64),
            "lab": [str(rng.choice(["N", "> 20", "0", "7"])) for _ in range(n)],
            "grade": 1 + (age > 40).astype(np.int64) + (age > 70),
        },
        schema_overrides={"ward": pl.String, "lab": pl.String},
    )  # fmt: skip
    return Table.conform(frame, SCHEMA)


def fitted(recipe, table: Table, budget: Budget = BUDGET):
    encoded = settle(encode_table(table))
    queries = NoisyQueries(Ledger(), make_plan(recipe.parts(encoded.variables), budget))
    return recipe.fit(encoded, queries=queries, streams=Streams(0)), queries


def silently(recipe, table: Table):
    """A fit whose noise is 0."""
    encoded = settle(encode_table(table))
    planned = tuple(
        PlannedPart(
            part=part,
            mechanism=ThresholdedDiscreteGaussian(scale=SILENT, count=part.count, threshold=2)
            if part.is_thresholded
            else DiscreteGaussian(scale=SILENT, count=part.count),
        )
        for part in recipe.parts(encoded.variables)
    )
    queries = NoisyQueries(Ledger(), BudgetPlan(budget=BUDGET, sensitivity=1, parts=planned))
    return recipe.fit(encoded, queries=queries, streams=Streams(0))


def test_they_say_before_what_they_ask():
    variables = variables_of(SCHEMA)
    assert [(part.statistic, part.count) for part in Independent().parts(variables)] == [
        ("frequent values", 1),  # of cost, the only one too wide for a cell per value
        ("one-way marginals", 5),
    ]
    parts = GaussianCopula().parts(variables)
    assert [(part.statistic, part.count) for part in parts] == [
        ("frequent values", 1),
        ("one-way marginals", 5),
        ("pairs of coarse marginals", 10),
    ]
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert sum(part.share for part in Independent().parts(variables)) == pytest.approx(1)
    assert [part.count for part in GaussianCopula().parts(variables[:1])] == [1]
    assert GaussianCopula().parts(()) == Independent().parts(()) == ()


@pytest.mark.parametrize("engine", [Independent, GaussianCopula])
def test_parametric_marginals_are_refused_before_anything_is_read(engine):
    with pytest.raises(UsageError, match="parametric marginals cannot be fitted with differential privacy"):
        engine(marginals="parametric").parts(variables_of(SCHEMA))


@ENGINES
def test_they_ask_for_what_they_said_and_nothing_else(recipe):
    _, queries = fitted(recipe, stays(300))
    assert queries.is_private
    for planned in queries.plan.parts:
        assert queries.left(planned.part.statistic) == 0
    charged = [(charge.statistic, charge.mechanism) for charge in queries.ledger.charges]
    assert charged == [(planned.part.statistic, planned.mechanism) for planned in queries.plan.parts]
    for charge in queries.ledger.charges:
        of_all = charge.statistic != "frequent values"
        assert set(charge.columns) == (set(SCHEMA.column_names) if of_all else {"cost"})


def test_there_is_nothing_exact_to_ask_for():
    exact = {
        "row_count",
        "distinct_share",
        "level_counts",
        "value_counts",
        "score_sums_by_level",
        "score_moments",
    }
    assert exact <= set(dir(Queries))
    assert not exact & set(dir(NoisyQueries))


@ENGINES
@pytest.mark.parametrize("n_rows", [0, 1, 2])
@pytest.mark.parametrize("columns", [SCHEMA.columns, SCHEMA.columns[2:3]], ids=["five", "one"])
def test_a_table_of_hardly_a_row_is_like_any_other(recipe, n_rows, columns):
    schema = TableSchema(name="stays", columns=columns)
    table = Table.conform(stays(n_rows).frame.select(schema.column_names), schema)
    model, _ = fitted(recipe, table)
    rows = model.sample_block(0, n_rows=400, streams=Streams(1))
    for variable in variables_of(schema):
        column = rows.columns[variable.name]
        assert (column.codes < variable.n_levels).all()
        if column.values is not None:
            numbers = column.values[column.codes == 0]
            assert ((numbers >= variable.lower) & (numbers <= variable.upper)).all()


@ENGINES
def test_without_a_column_there_is_a_model_of_none(recipe):
    table = Table.conform(pl.DataFrame(), TableSchema(name="empty", columns=()))
    queries = NoisyQueries(Ledger(), BudgetPlan(budget=BUDGET, sensitivity=1, parts=()))
    model = recipe.fit(encode_table(table), queries=queries, streams=Streams(0))
    assert model.variables == ()
    assert queries.ledger.charges == ()


@ENGINES
def test_a_model_is_stored_and_restored_like_one_without_privacy(recipe):
    model, _ = fitted(recipe, stays(300))
    again = type(recipe).restore(model.variables, model.arrays(), model.parameters())
    first, second = (each.sample_block(0, n_rows=300, streams=Streams(2)) for each in (model, again))
    for name, column in first.columns.items():
        assert (column.codes == second.columns[name].codes).all()
        assert column.values is None or (column.values == second.columns[name].values).all()


@ENGINES
def test_noise_does_not_follow_the_seed(recipe):
    # Some 250 cells are released with a noise of scale 8 or more: the chance that all are alike is nil.
    first, second = (fitted(recipe, stays(300))[0].arrays() for _ in range(2))
    assert any((first[name] != second[name]).any() for name in first)


@ENGINES
def test_without_noise_the_shares_are_those_of_the_rows(recipe):
    table = stays(4000)
    model = silently(recipe, table)
    wards = next(latent for latent in model.latents if latent.variable.name == "ward")
    shares = dict(zip(wards.marginal.lower.tolist(), wards.marginal.mass.tolist(), strict=True))
    for code, ward in enumerate("abcd"):
        assert shares[code] == pytest.approx((table.frame["ward"] == ward).mean(), abs=1e-3)
    level, value = (latent for latent in model.latents if latent.variable.name == "lab")
    assert (level.part, value.part) == (LatentPart.LEVEL, LatentPart.VALUE)
    by_code = dict(zip(level.marginal.lower.tolist(), level.marginal.mass.tolist(), strict=True))
    assert by_code[0] == pytest.approx(table.frame["lab"].is_in(["0", "7"]).mean(), abs=1e-3)
    assert value.marginal.lower.tolist() == list(range(21))
    assert value.marginal.mass[[0, 7]].sum() == pytest.approx(1, abs=1e-3)
