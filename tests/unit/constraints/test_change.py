"""What rules did to fidelity, against distances counted by hand and by brute force."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import numpy as np
import polars as pl
import pytest

import tabsynth
from tabsynth.constraints.change import changes
from tabsynth.constraints.outcome import Tally
from tabsynth.schema.rules import Formula, Inequality, Monotone, Unique
from tests.unit.constraints.tables import column, flag, levels, table, whole

SCHEMA = table(levels("town", "u", "v", nullable=True), whole("age", 0, 99), flag("ill"))


def rows(towns: str, ages: list[int], ill: str) -> pl.DataFrame:
    return pl.DataFrame(
        {"town": [None if t == "-" else t for t in towns], "age": ages, "ill": [x == "1" for x in ill]}
    )


def test_by_hand():
    made = rows("uuvv-", [10, 20, 30, 40, 50], "10101")
    final = rows("uvvv-", [10, 40, 30, 20, 50], "10101")
    (found,) = changes(made, final, SCHEMA, [("town",)])
    assert found.shape == pytest.approx(1 / 5)  # one of five rows goes from u to v
    # only the second row counts: (u, not ill) becomes (v, not ill), and (u, 20) becomes (v, 40); the fourth keeps its town
    assert found.trend == pytest.approx((1 / 5 + 1 / 5) / 2)
    assert found.n_rows == 5


def test_exchanged_numbers_keep_their_shape_and_lose_their_company():
    made = rows("uuvv-", [10, 20, 30, 40, 50], "10101")
    final = rows("uuvv-", [10, 40, 30, 20, 50], "10101")
    (found,) = changes(made, final, SCHEMA, [("age",)])
    assert found.shape == 0
    assert found.trend == pytest.approx(
        (2 / 5 + 0) / 2
    )  # with town two cells; with ill none, both were not ill
    (whole_table,) = changes(made, final, SCHEMA, [("age", "town", "ill")])
    assert whole_table.trend is None
    (other,) = changes(made, final, SCHEMA, [("town",)])  # its partner moved, and is no change of this rule
    assert (other.shape, other.trend) == (0, 0)


def test_the_distance_of_numbers_is_that_of_their_running_shares():
    made = rows("uuuu-", [10, 20, 30, 40, 50], "00000")
    final = rows("uuuu-", [50, 50, 30, 40, 50], "00000")
    (found,) = changes(made, final, SCHEMA, [("age",)])
    assert found.shape == pytest.approx(2 / 5)  # at 20: two of five before, none after


@pytest.mark.parametrize("seed", range(20))
def test_brute_force(seed: int):
    rng = np.random.default_rng(seed)
    n = 200

    def some() -> pl.DataFrame:
        return rows("".join(rng.choice(list("uv-"), n)), rng.integers(0, 6, n).tolist(), "".join(rng.choice(["0", "1"], n)))  # fmt: skip

    made, final = some(), some()
    keep = rng.random(n) < 0.7
    final = pl.DataFrame([pl.select(pl.when(keep).then(made[c]).otherwise(final[c]).alias(c)).to_series() for c in made.columns])  # fmt: skip
    (found,) = changes(made, final, SCHEMA, [("town",)])

    same = made["town"].eq_missing(final["town"])  # rows of which only other columns moved are not the rule's
    final = pl.DataFrame([pl.select(pl.when(same).then(made[c]).otherwise(final[c]).alias(c)).to_series() for c in made.columns])  # fmt: skip

    def apart(names: list[str]) -> float:
        one, other = (Counter(frame.select(names).rows()) for frame in (made, final))
        return sum(abs(one[cell] - other[cell]) for cell in one | other) / 2 / n

    edges = np.unique(np.quantile(made["age"], np.arange(1, 10) / 10))
    assert (
        len(set(np.searchsorted(edges, range(6), side="right"))) == 6
    )  # or ages share intervals, and the count below is of another partition
    assert found.shape == pytest.approx(apart(["town"]))
    assert found.trend == pytest.approx((apart(["town", "age"]) + apart(["town", "ill"])) / 2)


STAY = table(
    column("came", tabsynth.Kind.DATE, bounds=(dt.date(2020, 1, 1), dt.date(2020, 12, 31))),
    column("left", tabsynth.Kind.DATE, bounds=(dt.date(2020, 1, 1), dt.date(2020, 12, 31))),
    levels("ward", "eye", "ear"),
)


def stays(n: int = 500) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    came = rng.integers(0, 300, n)
    start = np.datetime64("2020-01-01")
    made = pl.DataFrame({"came": start + came, "left": start + came + rng.integers(0, 30, n)})
    return made.cast(pl.Date).with_columns(ward=pl.Series(np.where(came < 150, "eye", "ear")))


def fitted(*rules: object) -> tabsynth.FittedPipeline:
    schema = STAY.with_constraints(*rules)
    return tabsynth.fit(stays(), schema=schema, engine="independent", privacy=tabsynth.NO_PRIVACY)


def test_a_sample_says_what_its_rules_changed():
    model = fitted(Inequality(columns=("came", "left")))
    rows_, (one,) = model.sample_reported(3_000, seed=1)
    free = fitted().sample(3_000, seed=1)  # the same draws, as no rule touched them
    assert one.n_swapped + one.n_redrawn > 300
    schema = model.schema
    assert one.change == changes(free, rows_, schema, [("came", "left")])[0]
    assert one.change.n_rows == 3_000
    assert one.change.trend > 0.005


def test_keys_and_orders_of_all_rows_are_looked_at_too():
    _, (key, order) = fitted(Unique(columns=("came", "ward")), Monotone(column="left", along="came")).sample_reported(500, seed=1)  # fmt: skip
    assert key.n_broken > 0
    assert key.change is not None
    assert order.n_broken > 100
    assert order.change.shape == 0  # rows exchange cells
    assert order.change.n_rows == 500


def test_nothing_is_said_where_nothing_was_touched_or_asked():
    _, (one,) = fitted(Inequality(columns=("came", "left"))).sample_reported(0, seed=1)
    assert one.change is None
    tally = Tally(compares=False)
    fitted(Inequality(columns=("came", "left"))).sample(500, seed=1, tally=tally)
    assert tally.outcomes[0].n_broken > 0
    assert tally.outcomes[0].change is None


def test_what_a_tolerance_allows_the_source_is_gone_from_computed_cells():
    rng = np.random.default_rng(0)
    price = rng.integers(1, 50, 400)
    source = pl.DataFrame({"price": price, "paid": 2 * price + rng.integers(-3, 4, 400)})
    rule = Formula(column="paid", sql="2 * price", tolerance=3)
    schema = table(whole("price", 1, 49), whole("paid", -1, 101), rules=(rule,))
    assert [one.n_violations for one in tabsynth.check_constraints(source, schema)] == [0]
    made = tabsynth.fit(source, schema=schema, engine="independent", privacy=tabsynth.NO_PRIVACY).sample(
        300, seed=1
    )
    assert (source["paid"] - 2 * source["price"]).std() > 1
    assert (made["paid"] - 2 * made["price"]).std() == 0
