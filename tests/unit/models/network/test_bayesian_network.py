"""The engine as a whole: odd tables, with and without privacy."""

import math

import numpy as np
import polars as pl
import pytest

import tabsynth
from tabsynth.check import check_table
from tabsynth.encode.table import variables_of
from tabsynth.errors import UsageError
from tabsynth.models.bayesian_network import BayesianNetwork
from tabsynth.models.frequent_values import FREQUENT
from tabsynth.models.network.measuring import PAIRS
from tabsynth.models.network.rounds import SCORES
from tabsynth.models.noisy_marginals import ONE_WAY
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.privacy import NO_PRIVACY, Budget
from tabsynth.privacy.mechanisms import ThresholdedDiscreteGaussian
from tabsynth.privacy.plan import make_plan
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.table import Table

COLUMNS = {
    "level": Column(
        name="level", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b", "c"), nullable=True
    ),
    "code": Column(name="code", kind=Kind.ORDINAL, dtype="int64", categories=(1, 2, 3, 4, 5)),
    "count": Column(
        name="count", kind=Kind.INTEGER, dtype="int64", bounds=(0, 40), special_values=(-1,), nullable=True
    ),
    "amount": Column(name="amount", kind=Kind.NUMBER, dtype="float64", decimals=2, bounds=(0.0, 9999.0)),
    "size": Column(name="size", kind=Kind.NUMBER, dtype="float64", bounds=(-5.0, 5.0)),
    "flag": Column(name="flag", kind=Kind.BOOLEAN, dtype="bool"),
}
BUDGETS = {
    "none": NO_PRIVACY,
    "much": Budget(epsilon=1000.0, delta=1e-6),
    "little": Budget(epsilon=0.05, delta=1e-6),
}


def table(n: int, seed: int = 0, columns: dict[str, Column] = COLUMNS) -> Table:
    """Columns that depend on each other: code on level, flag on code, amount on count."""
    rng = np.random.default_rng(seed)
    level = rng.choice(4, n, p=[0.4, 0.3, 0.2, 0.1])
    code = np.clip(level + rng.integers(0, 2, n), 0, 4) + 1
    count = rng.poisson(8, n)
    frame = pl.DataFrame(
        {
            "level": pl.Series([["a", "b", "c", None][k] for k in level], dtype=pl.String),
            "code": code,
            "count": pl.Series([None if r < 0.1 else -1 if r < 0.2 else int(c) for r, c in zip(rng.random(n), count, strict=True)], dtype=pl.Int64),
            "amount": np.round(rng.exponential(30, n) * (count > 7), 2),
            "size": np.clip(rng.normal(size=n), -5, 5),
            "flag": rng.random(n) < np.where(code > 2, 0.8, 0.2),
        }
    ).select(list(columns))  # fmt: skip
    schema = TableSchema(name="t", columns=tuple(columns.values()))
    return Table.conform(frame, tabsynth.confirm(schema, by="a test", source="its code"))


def fitted(data: Table, privacy: str = "none", **settings) -> FittedPipeline:
    settings = {"min_group": 1, **settings} if privacy == "none" else settings
    return fit(data, engine="bayesian_network", settings=settings, privacy=BUDGETS[privacy])


@pytest.mark.parametrize(
    ("privacy", "n_rows"),
    [("none", 1), ("none", 400), *((p, n) for p in ("much", "little") for n in (0, 1, 400))],
)
def test_tables_of_any_size(privacy, n_rows, tmp_path):
    pipeline = fitted(table(n_rows), privacy)
    rows = pipeline.sample(300, seed=1)
    assert check_table(Table.conform(rows, pipeline.schema)) == ()
    assert np.isfinite(pipeline.log_prob(rows)).all()
    pipeline.save(tmp_path / "model")
    again = FittedPipeline.load(tmp_path / "model")
    assert again.sample(300, seed=1).equals(rows)
    assert np.array_equal(again.log_prob(rows), pipeline.log_prob(rows))


@pytest.mark.parametrize("privacy", BUDGETS)
@pytest.mark.parametrize("name", COLUMNS)
def test_one_column_alone(privacy, name):
    pipeline = fitted(table(500, columns={name: COLUMNS[name]}), privacy)
    assert pipeline.sample(50, seed=0).columns == [name]
    assert pipeline.marginal(name)["probability"].sum() == pytest.approx(1.0)
    assert pipeline.model.edges() == ()


@pytest.mark.parametrize("privacy", BUDGETS)
def test_constant_columns(privacy):
    columns = {
        "only": Column(name="only", kind=Kind.CATEGORICAL, dtype="string", categories=("x",)),
        "zero": Column(name="zero", kind=Kind.INTEGER, dtype="int64", bounds=(0, 0)),
        "same": Column(name="same", kind=Kind.NUMBER, dtype="float64", bounds=(0.0, 8.0)),
        "never": Column(name="never", kind=Kind.NUMBER, dtype="float64", bounds=(0.0, 8.0), nullable=True),
    }
    n = 300
    frame = pl.DataFrame(
        {
            "only": ["x"] * n,
            "zero": [0] * n,
            "same": [2.5] * n,
            "never": pl.Series([None] * n, dtype=pl.Float64),
        }
    )
    schema = tabsynth.confirm(
        TableSchema(name="t", columns=tuple(columns.values())), by="a test", source="its code"
    )
    rows = fitted(Table.conform(frame, schema), privacy).sample(100, seed=0)
    assert set(rows["only"]) == {"x"}
    assert set(rows["zero"]) == {0}
    if privacy == "none":
        assert set(rows["same"]) == {2.5}
        assert rows["never"].null_count() == 100


def test_sixty_columns():
    """A chain: each column is the one before it, or with probability 0.4 anything."""
    rng = np.random.default_rng(0)
    cells = [rng.integers(0, 3, 600)]
    for _ in range(59):
        cells.append(np.where(rng.random(600) < 0.6, cells[-1], rng.integers(0, 3, 600)))
    frame = pl.DataFrame({f"c{k}": column for k, column in enumerate(cells)})
    schema = TableSchema(
        name="t",
        columns=tuple(
            Column(name=f"c{k}", kind=Kind.CATEGORICAL, dtype="int64", categories=(0, 1, 2))
            for k in range(60)
        ),
    )
    data = Table.conform(frame, tabsynth.confirm(schema, by="a test", source="its code"))
    pipeline = fitted(data, "much", most_cells=5000, iterations=10)
    assert pipeline.model.model.tree.n_cells <= 5000
    rows = pipeline.sample(500, seed=0)
    assert rows.width == 60
    assert np.isfinite(pipeline.log_prob(rows)).all()
    assert pipeline.marginal("c0", "c59", "c31")["probability"].sum() == pytest.approx(1.0)
    assert len(pipeline.model.edges()) >= 59


def test_without_privacy_marginals_of_pairs_are_those_of_the_table():
    data = table(3000)
    pipeline = fitted(data)
    found = pipeline.marginal("level", "code")
    counts = data.frame.group_by("level", "code").len()
    joined = found.join(counts, on=["level", "code"], how="left", nulls_equal=True)
    share = joined["len"].fill_null(0).to_numpy() / 3000
    assert abs(joined["probability"].to_numpy() - share).max() < 0.01


def test_samples_are_as_the_marginals_say():
    """20,000 rows; even positions make errors smaller than multinomial: six standard errors of that."""
    pipeline = fitted(table(3000), "much")
    rows = pipeline.sample(20_000, seed=2)
    found = pipeline.marginal("code", "flag")
    counts = rows.group_by("code", "flag").len()
    joined = found.join(counts, on=["code", "flag"], how="left")
    p, share = joined["probability"].to_numpy(), joined["len"].fill_null(0).to_numpy() / 20_000
    assert (np.abs(share - p) < 6 * np.sqrt(p * (1 - p) / 20_000) + 1e-3).all()


def test_more_budget_is_more_dependence():
    data = table(3000)
    much, little = (fitted(data, budget).model.edges() for budget in ("much", "little"))
    strength = {edge.columns: edge.information for edge in much}
    assert strength["level", "code"] > 0.4
    assert all(edge.information < 0.4 for edge in little)


def test_a_function_of_a_column_follows_it():
    rng = np.random.default_rng(0)
    code = rng.integers(0, 8, 5000)
    frame = pl.DataFrame({"code": code, "group": code // 2, "other": rng.integers(0, 3, 5000)})
    columns = tuple(
        Column(name=name, kind=Kind.CATEGORICAL, dtype="int64", categories=tuple(range(n)))
        for name, n in (("code", 8), ("group", 4), ("other", 3))
    )
    schema = tabsynth.confirm(TableSchema(name="t", columns=columns), by="a test", source="its code")
    pipeline = fitted(Table.conform(frame, schema), "much")
    strongest = pipeline.model.edges()[0]
    assert (strongest.columns, strongest.is_function) == (("code", "group"), True)
    assert strongest.share > 0.98
    rows = pipeline.sample(2000, seed=0)
    assert (rows["group"] == rows["code"] // 2).mean() > 0.98
    given = pipeline.sample(2000, seed=0, where={"group": 1})
    assert given["code"].is_in([2, 3]).mean() > 0.98


@pytest.mark.parametrize(("n_levels", "wanted"), [(16, 16), (20, 17)])
def test_sixteen_levels_may_stay_apart_where_what_has_an_order_is_joined_further(n_levels, wanted):
    """300 rows of each at ε = 1, where numbers and ordered levels get about 11 cells.

    A level is joined below four deviations, 66 rows: 14 deviations away.
    """
    rng = np.random.default_rng(0)
    n = 300 * n_levels
    frame = pl.DataFrame(
        {"level": np.arange(n) % n_levels, "number": rng.integers(0, 100, n), "rank": np.arange(n) % n_levels}
    )
    columns = (
        Column(name="level", kind=Kind.CATEGORICAL, dtype="int64", categories=tuple(range(n_levels))),
        Column(name="number", kind=Kind.INTEGER, dtype="int64", bounds=(0, 99)),
        Column(name="rank", kind=Kind.ORDINAL, dtype="int64", categories=tuple(range(n_levels))),
    )
    schema = tabsynth.confirm(TableSchema(name="t", columns=columns), by="a test", source="its code")
    data = Table.conform(frame, schema)
    model = fit(data, engine="bayesian_network", privacy=Budget(epsilon=1, delta=1e-5)).model
    level, number, rank = (column.n_coarse for column in model.columns)
    assert level == wanted
    assert number < 14
    assert rank < 14
    few = fit(
        data, engine="bayesian_network", settings={"coarse_cells": 4}, privacy=Budget(epsilon=1, delta=1e-5)
    )
    assert few.model.columns[0].n_coarse == 5, "four alone, the others together, as asked"


def test_a_value_of_150_rows_is_frequent_in_a_table_of_15_columns_at_1():
    """What the share of frequent values buys: three wide columns of fifteen, as in the benchmark's Adult."""
    columns = [
        Column(name=f"c{k}", kind=Kind.INTEGER, dtype="int64", bounds=(0, 99_999 if k < 3 else 9))
        for k in range(15)
    ]
    schema = tabsynth.confirm(TableSchema(name="t", columns=tuple(columns)), by="a test", source="its code")
    plan = make_plan(BayesianNetwork().parts(variables_of(schema)), Budget(epsilon=1, delta=1e-5))
    mechanism = plan[FREQUENT].mechanism
    assert isinstance(mechanism, ThresholdedDiscreteGaussian)
    assert mechanism.threshold < 150


@pytest.mark.parametrize("settings", [{"coarse_cells": 1}, {"most_cells": 3}, {"iterations": 0}, {"ridge": 0.0}, {"ridge": -1.0}, {"ridge": math.nan}, {"min_group": 0}])  # fmt: skip
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(UsageError):
        BayesianNetwork(**settings)


@pytest.mark.parametrize("privacy", BUDGETS)
def test_a_target_must_be_a_column_that_is_modelled(privacy):
    with pytest.raises(UsageError, match=r"target .flog. is not a column.*did you mean .flag."):
        fitted(table(50), privacy, target="flog")
    assert fitted(table(50), privacy, target="flag").sample(9, seed=0).height == 9


@pytest.mark.parametrize("privacy", ["none", "much"])
def test_a_target_keeps_what_depends_on_it_where_the_tree_holds_few_pairs(privacy):
    """Code depends on level more than flag on code; beside flag and level, 28 cells hold the one (20) or the other (10)."""
    data = table(4000, columns={name: COLUMNS[name] for name in ("level", "code", "flag")})

    def joined(**asked):
        edges = fitted(data, privacy, **asked, most_cells=28).model.edges()
        return {frozenset(edge.columns) for edge in edges}

    assert frozenset(("flag", "code")) not in joined()
    assert frozenset(("flag", "code")) in joined(target="flag")
    assert frozenset(("flag", "code")) in joined(workload="flag*code")


def test_parts_are_known_from_the_columns_alone():
    variables = variables_of(table(5).schema)
    recipe = BayesianNetwork()
    assert recipe.parts(()) == ()
    assert SCORES not in {part.statistic for part in recipe.parts(variables[:1])}
    counts = {part.statistic: part.count for part in recipe.parts(variables)}
    assert counts[ONE_WAY] == 6
    assert counts[SCORES] == 15
    assert counts[PAIRS] >= 15
    assert recipe.parts(variables) == BayesianNetwork().parts(variables_of(table(900, seed=5).schema))
