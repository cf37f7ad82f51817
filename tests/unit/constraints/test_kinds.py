"""Exchange by kinds: which rules share it, what it mends, and what it leaves alone."""

from collections import Counter

import numpy as np
import polars as pl
import pytest

from tabsynth.constraints.kinds import _kinds, _literals, exchanged, groups_of
from tabsynth.constraints.rules import constraint_of
from tabsynth.schema.rules import Conditional, Exactly, Exclusive, Expression, NullsTogether, Range
from tests.unit.constraints.tables import flag, levels, table, whole

SCHEMA = table(
    levels("second", "no", "yes"),
    whole("age", 0, 99),
    whole("licence", 0, 80, nullable=True),
    levels("sex", "", "f", "m"),
    whole("other", 0, 99, nullable=True),
    flag("one"),
    flag("two"),
)
DRIVER = Conditional(
    condition="second = 'no'",
    then="age = 0 AND licence IS NULL AND sex = ''",
    otherwise="age > 0 AND licence IS NOT NULL AND sex <> ''",
)


def rows(n=4000, seed=0):
    """Each column as often of the kind that goes with "no", but by itself."""
    rng = np.random.default_rng(seed)
    is_no = [rng.permutation(np.arange(n) < 0.7 * n) for _ in range(4)]
    age, licence = rng.integers(1, 100, n), rng.integers(0, 81, n)
    return pl.DataFrame(
        {
            "second": np.where(is_no[0], "no", "yes"),
            "age": np.where(is_no[1], 0, age),
            "licence": pl.Series(licence).zip_with(pl.Series(~is_no[2]), pl.Series([None], dtype=pl.Int64)),
            "sex": np.where(is_no[3], "", rng.choice(["f", "m"], n)),
            "other": pl.Series(rng.integers(0, 100, n)).zip_with(
                pl.Series(rng.random(n) < 0.7), pl.Series([None], dtype=pl.Int64)
            ),
            "one": rng.permutation(np.arange(n) < 0.4 * n),
            "two": rng.permutation(np.arange(n) < 0.6 * n),
        }
    )


def mended(frame, *rules, stays=(), seed=0):
    """The rows after the exchange of each group, and which rows break a rule."""
    constraints = [constraint_of(rule, SCHEMA) for rule in rules]
    sources = [[name for name in one.columns if name not in stays] for one in constraints]
    for group in groups_of(constraints, sources, frame.columns):
        broken = np.any([constraints[at].violations(frame) for at in group.rules], axis=0)
        orders = exchanged(frame, group, constraints, broken, np.random.default_rng(seed)) or {}
        frame = frame.with_columns(frame[name].gather(order) for name, order in orders.items())
    return frame, np.any([one.violations(frame) for one in constraints], axis=0)


def cells(frame):
    return {name: Counter(frame[name].to_list()) for name in frame.columns}


@pytest.mark.parametrize(
    "rules",
    [
        (DRIVER,),
        (Exactly(columns=("one", "two")),),
        (NullsTogether(columns=("licence", "other")), DRIVER),
        (Expression(sql="age >= 18 OR second = 'no'"), Range(column="age", lower=0, upper=99)),
    ],
)
def test_columns_that_have_as_many_of_each_kind_as_is_needed_are_mended_and_keep_their_cells(rules):
    """By construction 70 % of every column go with "no"; of the last rule's ages below 18 there are more than of "no"."""
    before = rows()
    after, broken = mended(before, *rules)
    assert cells(after) == cells(before)
    n_short = int(before["other"].is_null().sum()) - int(before["licence"].is_null().sum())
    assert int(broken.sum()) <= (abs(n_short) if len(rules) == 2 else 0)


def test_rows_that_broke_nothing_mostly_stay():
    before = rows()
    fine = ~constraint_of(Exactly(columns=("one", "two")), SCHEMA).violations(before)
    after, _ = mended(before, Exactly(columns=("one", "two")))
    assert after.filter(fine).equals(before.filter(fine))


def test_what_cannot_be_mended_is_left_as_broken_as_it_was():
    """No row has "no", so every row with age 0 breaks the rule whatever it exchanges."""
    before = rows().with_columns(second=pl.lit("yes"))
    rule = Conditional(condition="second = 'yes'", then="age > 0")
    after, broken = mended(before, rule)
    assert int(broken.sum()) == int((before["age"] == 0).sum())
    assert cells(after) == cells(before)


def test_columns_that_stay_do():
    after, broken = mended(rows(), DRIVER, stays=("age",))
    assert after["age"].equals(rows()["age"])
    assert not broken.any()


@pytest.mark.parametrize(
    "rule",
    [
        Expression(sql="age <= other"),  # not of kinds
        Expression(sql="age + other < 150"),
        Expression(sql="LENGTH(sex) = 1 AND age > other"),
    ],
)
def test_rules_that_do_not_depend_on_kinds_are_left_to_others(rule):
    before = rows()
    assert mended(before, rule)[0].equals(before)


def test_too_many_kinds_are_left_to_others():
    before = rows()
    texts = " OR ".join(f"age = {age}" for age in range(1, 60))
    rule = Expression(sql=f"({texts}) OR licence > 40 OR other > 3 OR sex = 'f' OR second = 'no' OR one")
    assert mended(before, rule)[0].equals(before)


def test_rules_that_share_a_column_are_mended_together():
    rules = [
        DRIVER,
        Exactly(columns=("one", "two")),
        Exclusive(columns=("licence", "other")),
        Expression(sql="x > 3"),
    ]
    schema = table(*SCHEMA.columns, whole("x", 0, 9))
    constraints = [constraint_of(rule, schema) for rule in rules]
    found = groups_of(constraints, [one.columns for one in constraints], SCHEMA.column_names)
    assert sorted(group.rules for group in found) == [(0, 2), (1,)]
    [joined] = [group for group in found if len(group.rules) == 2]
    assert set(joined.columns) == {"second", "age", "licence", "sex", "other"}


def test_the_same_generator_gives_the_same_exchange():
    one, other, third = (mended(rows(), DRIVER, seed=seed)[0] for seed in (1, 1, 2))
    assert one.equals(other)
    assert not one.equals(third)


def test_lengths_of_time_have_kinds():
    cells = pl.Series([60, 1, None, 60], dtype=pl.Int64).cast(pl.Duration("us"))
    assert _kinds(cells, _literals(())).tolist() == [2, 1, 0, 2]
