"""Completing rows: kinds of tables, rules, errors; and the shares that cannot be."""

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tabsynth.constraints.outcome import Tally
from tabsynth.constraints.plan import plan_rules
from tabsynth.constraints.rules import constraints_of
from tabsynth.errors import ConditionError, ConstraintError, DataError, StructureError, UsageError
from tabsynth.pipeline import fit
from tabsynth.pipeline.shares import shares_of
from tabsynth.privacy import NO_PRIVACY, Budget
from tabsynth.schema.rules import Dependency, Formula, Inequality, Unique
from tabsynth.schema.types import Column, Domain, Generator, Kind
from tests.unit.constraints.tables import STAYS, column, levels, stays, table, whole

ENGINES = ("independent", "gaussian_copula", "bayesian_network", "sequential_trees")


@pytest.fixture(scope="module", params=[*ENGINES, "private"])
def model(request):
    if request.param == "private":
        return fit(stays(), schema=STAYS, engine="gaussian_copula", privacy=Budget(epsilon=20.0))
    return fit(stays(), schema=STAYS, engine=request.param, privacy=NO_PRIVACY)


def broken(rows, schema=STAYS):
    return {str(one.rule): int(n) for one in constraints_of(schema) if (n := one.violations(rows).sum())}


@pytest.mark.parametrize("given_columns", [["town"], ["region", "alive"], ["came", "left"], ["price", "pulse"], ["land", "cash", "one"]])  # fmt: skip
def test_rules_hold_on_completed_rows(model, given_columns):
    rows = model.sample(300, seed=7).select(given_columns)
    made = model.complete(rows, seed=1, nulls=[name for name in given_columns if rows[name].null_count()])
    assert made.select(given_columns).equals(rows)
    assert broken(made) == {}


def test_a_computed_cell_that_is_given_is_waited_for(model):
    rows = model.sample(40, seed=7).select("cost")
    tally = Tally()
    made = model.complete(rows, seed=1, tally=tally)
    assert made.select("cost").equals(rows)
    assert broken(made) == {}
    assert tally.conditions.acceptance < 1


def test_given_cells_that_break_a_rule_are_refused(model):
    rows = pl.DataFrame({"town": ["u", "u", "w"], "region": ["A", "B", "A"]})
    with pytest.raises(
        ConstraintError,
        match=r"given cells break rules by themselves: .*\(2 rows\)|2 rows have given cells that rules do not allow",
    ):
        model.complete(rows)


def test_partly_given_combinations_keep_to_those_that_are_allowed(model):
    made = model.complete(pl.DataFrame({"region": ["A"] * 40 + ["B"] * 40}), seed=1)
    assert broken(made) == {}
    assert made["town"].n_unique() > 1


PLAIN = table(
    levels("group", "p", "q", "r", nullable=True),
    whole("n", 0, 50),
    column("x", Kind.NUMBER, bounds=(0.0, 1.0)),
    column("id", Kind.IDENTIFIER, dtype="int64", unique=True),
)


def plain(n=300):
    rng = np.random.default_rng(0)
    group = rng.integers(0, 3, n)
    return pl.DataFrame(
        {
            "group": pl.Series(["p", "q", None])[group],
            "n": 10 * group + rng.integers(0, 9, n),
            "x": rng.random(n),
            "id": np.arange(n),
        }
    )


@pytest.fixture(scope="module")
def small():
    return fit(plain(), schema=PLAIN, engine="gaussian_copula", privacy=NO_PRIVACY)


def test_rows_come_back_as_the_kind_of_table_they_were_in_their_order(small, tmp_path):
    rows = pl.DataFrame({"n": [3, None, 25, 11], "group": ["p", "q", None, None]})
    made = small.complete(rows, seed=1)
    assert isinstance(made, pl.DataFrame)
    assert made["n"][[0, 2, 3]].to_list() == [3, 25, 11]
    frame = rows.to_pandas()
    frame.index = [5, 3, 9, 1]
    given = small.complete(frame, seed=1)
    assert isinstance(given, pd.DataFrame)
    assert given.index.tolist() == [5, 3, 9, 1]
    assert given["n"].tolist() == made["n"].to_list()
    assert isinstance(small.complete(rows.to_arrow(), seed=1), pa.Table)
    assert isinstance(small.complete(rows.lazy(), seed=1), pl.LazyFrame)
    rows.write_csv(tmp_path / "rows.csv")
    assert small.complete(tmp_path / "rows.csv", seed=1).equals(made)
    assert small.complete(rows[:0]).height == 0
    filled = small.impute(frame, seed=1)
    assert filled.columns.tolist() == ["n", "group"]
    assert filled.index.tolist() == [5, 3, 9, 1]
    assert not filled.isna().any().any()


def test_null_is_a_value_where_it_is_said_to_be(small):
    rows = pl.DataFrame({"group": pl.Series([None] * 200, dtype=pl.String)})
    assert small.complete(rows, seed=1, nulls=["group"])["group"].null_count() == 200
    drawn = small.complete(rows, seed=1)["group"]
    assert 0 < drawn.null_count() < 200  # a third of the source's rows are null
    assert small.impute(rows, seed=1)["group"].null_count() == 0
    made = small.complete(rows, seed=1, nulls=["group"])
    assert made["n"].mean() > 18  # null goes with 20 to 28, others with 0 to 18


LEARNT = replace(PLAIN, columns=tuple(replace(one, domain=Domain()) for one in PLAIN.columns))


@pytest.mark.parametrize("engine", ENGINES)
def test_cells_outside_a_domain_that_was_learnt_stay_and_the_rest_is_drawn(engine):
    """n is 0 to 8 with p and 20 to 28 with null, so a number far above goes with null, one below with p; a strange level tells nothing."""
    model = fit(plain(900), schema=LEARNT, engine=engine, privacy=NO_PRIVACY)
    rows = pl.DataFrame(
        {"n": [999] * 100 + [-7] * 100 + [None] * 100, "group": [None] * 200 + ["canary"] * 100},
        schema={"n": pl.Int64, "group": pl.String},
    )
    tally = Tally()
    made = model.complete(rows, seed=1, tally=tally)
    assert made["n"][:200].to_list() == [999] * 100 + [-7] * 100
    assert made["group"][200:].to_list() == ["canary"] * 100
    assert made["n"][200:].is_between(0, 50).all()
    assert tally.conditions.n_outside == 300
    assert "300 rows with given cells outside what the model learnt" in str(tally.conditions)
    if engine != "independent":
        assert made["group"][:100].null_count() > 60  # all or nearly all of 100
        assert (made["group"][100:200] == "p").sum() > 60
    assert model.impute(rows.select("n"), seed=1)["n"].null_count() == 0


def test_cells_that_a_model_learnt_without_null_are_not_null():
    model = fit(plain(), schema=LEARNT, engine="independent", privacy=NO_PRIVACY)
    with pytest.raises(DataError, match="column 'n': 1 given cells are outside its domain"):
        model.complete(pl.DataFrame({"n": [3, None]}), nulls=["n"])


def test_rows_do_not_depend_on_cores_or_batches(small, monkeypatch):
    monkeypatch.setattr("tabsynth.pipeline.sampling.BLOCK_ROWS", 64)
    rows = pl.DataFrame({"n": [k % 50 if k % 3 else None for k in range(400)]})
    first = small.complete(rows, seed=2)
    monkeypatch.setattr("tabsynth.pipeline.sampling._BATCH_BLOCKS", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert small.complete(rows, seed=2).equals(first)


def test_rows_near_others_have_labels_of_their_own(small):
    """A seed's label would be a cell of it that is always kept."""
    seeds = pd.DataFrame({"n": [3, 25], "group": ["p", None]}, index=["anna", "berta"])
    assert small.near(seeds, 5, seed=1).index.tolist() == [0, 1, 2, 3, 4]


def test_identifiers_that_are_given_are_passed_on(small):
    rows = pl.DataFrame({"id": [900, 800, 700], "n": [1, 2, 3]})
    assert small.complete(rows, seed=1)["id"].to_list() == [900, 800, 700]
    with pytest.raises(DataError, match="1 identifiers are missing, which must not repeat the given ones"):
        small.complete(pl.DataFrame({"id": [900, None], "n": [1, 2]}))


@pytest.mark.parametrize(
    ("rows", "error", "words"),
    [
        (pl.DataFrame({"m": [1]}), StructureError, "column 'm': not in the schema"),
        (pl.DataFrame({"n": [99, 3]}), DataError, "column 'n': 1 given cells are outside its domain"),
        (pl.DataFrame({"group": ["canary", "p"]}), DataError, "column 'group': 1 given cells are outside"),
        (pl.DataFrame({"n": ["canary"]}), DataError, "column 'n'"),
        (pl.DataFrame(), UsageError, "no column of the schema"),
    ],
)
def test_rows_that_do_not_fit_are_refused_without_a_cell(small, rows, error, words):
    with pytest.raises((error, StructureError), match=words) as caught:
        small.complete(rows)
    assert "canary" not in str(caught.value)


def test_arguments_are_what_they_must_be(small):
    rows = pl.DataFrame({"n": [1]})
    for bad in (["group"], "n"):
        with pytest.raises(UsageError, match="nulls must be a list of columns of the rows"):
            small.complete(rows, nulls=bad)
    with pytest.raises(UsageError, match="columns must be a list of columns of the rows"):
        small.impute(rows, columns=["x"])
    with pytest.raises(UsageError, match="columns must be a list of columns of the rows, found 'group'"):
        small.impute(rows, columns="group")
    tally = Tally()
    small.complete(rows, seed=1, tally=tally)
    assert str(tally.conditions).startswith("Asked for by n: 1 row, ")
    with pytest.raises(UsageError, match="keep must be a number from 0 to 1"):
        small.near(rows, 5, keep=1.5)
    with pytest.raises(UsageError, match="seeds need a row and a column that is modelled"):
        small.near(pl.DataFrame({"id": [1]}), 5)
    with pytest.raises(UsageError, match="the seed must be a whole number"):
        small.complete(rows, seed=-1)


def test_values_that_the_model_never_makes_are_kept_and_counted():
    frame = pl.DataFrame({"n": [0] * 200 + [40] * 200, "g": ["p"] * 200 + ["q"] * 200})
    schema = table(whole("n", 0, 50), levels("g", "p", "q", "r"))
    for engine in ENGINES[1:]:
        model = fit(frame, schema=schema, engine=engine, privacy=NO_PRIVACY)
        tally = Tally()
        made = model.complete(pl.DataFrame({"n": [3] * 30 + [37] * 30}), seed=1, tally=tally)
        assert made["n"].to_list() == [3] * 30 + [37] * 30
        if engine != "bayesian_network":  # whose cells cover every number
            assert tally.conditions.n_moved == 60
            assert (made["g"][:30] == "p").mean() > 0.8
            assert (made["g"][30:] == "q").mean() > 0.8
        never = model.complete(pl.DataFrame({"g": ["r"] * 5}), seed=1)
        assert never["g"].to_list() == ["r"] * 5


def test_keys_under_conditions_have_only_those_that_meet_them():
    schema = table(whole("year", 0, 4), whole("day", 0, 49), rules=(Unique(columns=("year", "day")),))
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"year": rng.integers(0, 5, 200), "day": rng.integers(0, 50, 200)})
    model = fit(frame, schema=schema, engine="independent", privacy=NO_PRIVACY)
    rows = model.sample(50, seed=1, where={"year": 3})
    assert set(rows["year"]) == {3}
    assert sorted(rows["day"]) == list(range(50))
    with pytest.raises(ConstraintError, match="has room for 50 rows, 51 are asked for"):
        model.sample(51, where={"year": 3})
    made = model.complete(pl.DataFrame({"year": [1] * 30 + [2] * 30}), seed=1)
    assert made.n_unique() == 60
    assert made["year"].to_list() == [1] * 30 + [2] * 30
    with pytest.raises(ConstraintError, match="year, day"):
        model.complete(pl.DataFrame({"year": [1, 1], "day": [2, 2]}))


SHARES = [
    ({"group": {"p": 1.5}}, UsageError, "'group' expects a share from 0 to 1 for each"),
    ({"group": {"p": "x"}}, UsageError, "'group' expects a share from 0 to 1"),
    ({"group": {"p": True}}, UsageError, "'group' expects a share from 0 to 1"),
    ({"group": {"p": 0.6, "q": 0.6}}, UsageError, "the shares of 'group' are more than 1 in all"),
    ({"group": 0.5}, UsageError, "'group' expects a mapping of its values to a share from 0 to 1, found float"),
    ({"group": {}}, UsageError, "'group' expects a mapping"),
    ({"n": "even"}, UsageError, "'n' has no categories that could be even"),
    ({"n": {"<10": 0.2, "<20": 0.2}}, UsageError, "the groups of 'n' overlap"),
    ({"n": {"<10": 0.2, ">=10": 0.2}}, ConditionError, "the shares of 'n' are less than 1 in all, and no other"),
    ({"group": {"r": 0.5}}, ConditionError, "a group of 'group' has probability zero under the model"),
    ({"group": {"s": 0.5}}, ConditionError, "outside the declared domain"),
    ({"id": {3: 0.5}}, ConditionError, "'id' is not modelled"),
    ({"group": {"p": 1.0}, "n": {">=20": 1.0}}, ConditionError, "cannot be met together: the model makes no such rows"),
]  # fmt: skip


@pytest.fixture(scope="module")
def strict():
    """Group p goes with 0 to 8, q with 10 to 18, null with 20 to 28, and nothing else."""
    return fit(plain(), schema=PLAIN, engine="sequential_trees", privacy=NO_PRIVACY)


@pytest.mark.parametrize(("shares", "error", "words"), SHARES)
def test_shares_that_cannot_be_are_refused(strict, shares, error, words):
    with pytest.raises(error, match=words):
        strict.sample(10, seed=1, rebalance=shares)


def test_factors_and_shares_of_one_column_are_refused(strict):
    with pytest.raises(UsageError, match="'group': rebalance or oversample a column, not both"):
        strict.sample(10, rebalance={"group": {"p": 0.5}}, oversample={"group": {"q": 2}})
    with pytest.raises(
        ConditionError, match="a group of 'group' has no cell that the conditions on it leave"
    ):
        strict.sample(10, where={"group": "q"}, rebalance={"group": {"p": 0.5}})
    with pytest.raises(UsageError, match="the factors of 'group' leave no cells whose share could give way"):
        strict.sample(10, where={"group": "q"}, oversample={"group": {"q": 0.5}})
    many = {"n": dict.fromkeys(range(50), 0.02)}
    with pytest.raises((UsageError, ConditionError)):
        strict.sample(
            10, rebalance=many, oversample={"x": {f">={k / 100} <{k / 100 + 0.005}": 2 for k in range(100)}}
        )


FACTORS = [
    ({"group": {"p": 0}}, UsageError, 'above 0: to have none of a group, ask for --where "group!=…"'),
    ({"group": {"p": 4}}, UsageError, r"'group' ask for more than all rows \(1.* times as many\): the largest factor possible is about 3.[0-6]"),
    ({"group": {"p": 2, "q": 2}}, UsageError, r"\(1.[1-5]\d* times as many\): all of them times 0.[6-9]\d* would be about the most"),
    ({"group": {"r": 2}}, ConditionError, "probability zero under the model: no factor makes it more frequent"),
    ({"n": {"<=28": 0.5}}, ConditionError, "the shares of 'n' cannot be met: the model makes no rows outside"),
]  # fmt: skip


@pytest.mark.parametrize(("factors", "error", "words"), FACTORS)
def test_factors_that_cannot_be_are_refused(strict, factors, error, words):
    with pytest.raises(error, match=words):
        strict.sample(10, seed=1, oversample=factors)


def test_factors_multiply_shares(strict):
    """Groups p, q and null have a third each, more or less: by 2 and 0.5 they have 2/3, 1/6 and what is left."""
    tally = Tally()
    rows = strict.sample(3000, seed=1, oversample={"group": {"p": 2, "q": 0.5}}, tally=tally)
    counts = {name: (rows["group"] == name).sum() / 3000 for name in "pq"}
    assert [one.rows for one in tally.conditions.shares] == pytest.approx(list(counts.values()))
    assert [one.rows / one.model for one in tally.conditions.shares] == pytest.approx([2, 0.5], abs=0.01)
    two = strict.sample(3000, seed=1, oversample={"group": {None: 2}, "x": {"<0.5": 1.5}}, tally=tally)
    assert two["group"].null_count() / 3000 == pytest.approx(2 * tally.conditions.shares[0].model, abs=1e-3)
    assert (two["x"] < 0.5).mean() == pytest.approx(1.5 * tally.conditions.shares[1].model, abs=1e-3)
    assert [one.group for one in tally.conditions.shares] == ["group=", "x<0.5"]
    strict.sample(10, where={"group": "q"}, tally=tally)
    assert tally.conditions.shares == ()


def test_one_category_alone_cannot_be_even(strict):
    for where in ({"group": "p"}, {"n": {"<": 9}}):  # of which the model makes p alone
        with pytest.raises(
            ConditionError, match="the shares of 'group' cannot be met: under the conditions fewer"
        ):
            strict.sample(10, seed=1, where=where, rebalance={"group": "even"})
    rows = strict.sample(10, seed=1, where={"group": ["p", "q"]}, rebalance={"group": "even"})
    assert rows["group"].value_counts()["count"].to_list() == [5, 5]


def test_two_shares_at_once_change_nothing_else_by_hand():
    """A table of 2 × 2 with counts 60, 20, 10, 10: the fitted cells keep its odds ratio of 3 (Deming and Stephan)."""
    frame = pl.DataFrame(
        {"a": ["x"] * 80 + ["y"] * 20, "b": ["s"] * 60 + ["t"] * 20 + ["s"] * 10 + ["t"] * 10}
    )
    schema = table(levels("a", "x", "y"), levels("b", "s", "t"))
    model = fit(frame, schema=schema, engine="bayesian_network", privacy=NO_PRIVACY)
    free = model.sample(100_000, seed=0)
    rows = model.sample(100_000, seed=1, rebalance={"a": {"y": 0.5}, "b": {"s": 0.3}})

    def odds(made):
        counts = {(a, b): n for a, b, n in made.group_by("a", "b").len().iter_rows()}
        return counts["x", "s"] * counts["y", "t"] / (counts["x", "t"] * counts["y", "s"])

    assert (rows["a"] == "y").mean() == pytest.approx(0.5, abs=1e-4)
    assert (rows["b"] == "s").mean() == pytest.approx(0.3, abs=1e-4)
    # of a pilot of 32,768 rows: the logarithm of the odds has a standard error of .03
    assert np.log(odds(rows)) == pytest.approx(np.log(odds(free)), abs=0.15)


def test_dependence_and_formulas_hold_in_shares_too():
    rules = (
        Dependency(columns=("town",), determines=("region",), rows=(("u", "A"), ("v", "A"), ("w", "B"))),
        Formula(column="total", sql="price * 2"),
        Inequality(columns=("low", "price")),
    )
    schema = table(
        levels("town", "u", "v", "w"), levels("region", "A", "B"), whole("price", 0, 50), whole("total", 0, 100),
        whole("low", 0, 50), rules=rules,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    town, price = rng.integers(0, 3, 400), rng.integers(0, 51, 400)
    frame = pl.DataFrame(
        {"town": np.array(["u", "v", "w"])[town], "region": np.array(["A", "A", "B"])[town], "price": price,
         "total": 2 * price, "low": rng.integers(0, price + 1)}
    )  # fmt: skip
    for privacy in (NO_PRIVACY, Budget(epsilon=10.0)):
        model = fit(frame, schema=schema, engine="bayesian_network", privacy=privacy)
        rows = model.sample(1000, seed=1, rebalance={"region": {"B": 0.5}, "price": {"<10": 0.4}})
        assert broken(rows, schema) == {}
        assert (rows["region"] == "B").sum() == 500
        assert (rows["price"] < 10).sum() == pytest.approx(400, abs=3)


def test_given_cells_of_generators_are_passed_on_and_others_made():
    made_anew = Column(
        name="mail", kind=Kind.TEXT, dtype="string", nullable=True, generator=Generator(make="uuid")
    )
    schema = table(levels("g", "p", "q"), made_anew)
    frame = pl.DataFrame(
        {"g": ["p", "q"] * 50, "mail": [None if k % 5 == 0 else f"m{k}" for k in range(100)]}
    )
    model = fit(frame, schema=schema, engine="independent", privacy=NO_PRIVACY)
    rows = model.complete(pl.DataFrame({"mail": ["mine", None, "ours"] * 20}), seed=1)
    assert rows["mail"].to_list()[::3] == ["mine"] * 20
    assert rows["mail"].to_list()[2::3] == ["ours"] * 20
    others = rows["mail"].gather_every(3, 1).drop_nulls()
    assert others.str.len_chars().unique().to_list() == [36]
    shares = model.sample(40, seed=1, rebalance={"g": "even"})
    assert (shares["g"] == "p").sum() == 20
    assert shares["mail"].drop_nulls().n_unique() == shares["mail"].drop_nulls().len()


def _shares(asked, schema, pilot):
    return shares_of(
        asked,
        {},
        where=(),
        schema=schema,
        plan=plan_rules(schema, is_private=False),
        n_rows=10,
        pilot=pilot,
        rng=np.random.default_rng(0),
    )


def test_too_many_groups_and_cells_are_refused_before_each_has_rows_drawn_for_it():
    """10,000 groups draw nothing; 70 × 70 cells that the first 32,768 rows show, nothing more."""
    asked = []

    def pilot(_held, n, stream):
        asked.append(stream)
        at = np.arange(n)
        return pl.DataFrame({"i": at % 70, "j": at // 70 % 70})

    with pytest.raises(UsageError, match=r"there are 10,000 groups, more than 4,096: ask for fewer"):
        _shares({"i": dict.fromkeys(range(10_000), 1e-5)}, table(whole("i", 0, 20_000)), pilot)
    crowd = levels("c", *map(str, range(5000)))
    with pytest.raises(UsageError, match=r"there are 5,000 groups, more than 4,096: ask for fewer"):
        _shares({"c": "even"}, table(crowd), pilot)
    assert asked == []
    many = dict.fromkeys(range(70), 1 / 70)
    with pytest.raises(UsageError, match=r"cross into 4,900 cells, more than 4,096: ask for fewer"):
        _shares({"i": many, "j": many}, table(whole("i", 0, 69), whole("j", 0, 69)), pilot)
    assert asked == [()]


def test_every_rare_group_has_rows_from_a_stream_of_its_own():
    """Of two columns with three groups each, of which the first rows show one."""
    asked = []

    def pilot(_held, n, stream):
        asked.append(stream)
        free = np.arange(n) % 3 if stream else np.zeros(n, dtype=np.int64)
        i, j = (np.full(n, stream[1]) if stream[:1] == (at,) else free for at in (0, 1))
        return pl.DataFrame({"i": i, "j": j})

    even = dict.fromkeys(range(3), 1 / 3)
    _shares({"i": even, "j": even}, table(whole("i", 0, 2), whole("j", 0, 2)), pilot)
    assert asked == [(), (0, 1), (0, 2), (1, 1), (1, 2)]
