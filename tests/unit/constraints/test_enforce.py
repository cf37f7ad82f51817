"""Repair: what is exchanged and drawn anew, and the error where neither helps."""

from collections import Counter

import numpy as np
import polars as pl
import pytest

from tabsynth.constraints.cells import number
from tabsynth.constraints.enforce import Block, repair
from tabsynth.constraints.rules import constraint_of
from tabsynth.errors import ConstraintError
from tabsynth.schema.rules import Conditional, Expression, Inequality
from tests.unit.constraints.tables import levels, table, whole

SCHEMA = table(whole("a", 0, 99), whole("b", 0, 99), levels("c", "x", "y"), whole("d", 0, 9))


def drawn(n, seed):
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "a": rng.integers(0, 100, n),
            "b": rng.integers(0, 100, n),
            "c": rng.choice(["x", "y"], n),
            "d": rng.integers(0, 2, n),
        }
    )


def block(*rules, redraw=None, held=None, **more):
    constraints = [constraint_of(rule, SCHEMA) for rule in rules]
    return Block(
        whole=lambda rows, _positions: rows,
        part=lambda rows, _positions: rows,
        redraw=redraw or (lambda positions, attempt: drawn(len(positions), 1000 + attempt)),
        constraints=constraints,
        sources=[one.columns for one in constraints],
        numbers={name: number(SCHEMA[name]) for name in "abd"},
        held=held,
        **more,
    )


def no_more(_n, _attempt):
    raise AssertionError("drawn anew")


def cells(frame):
    return {name: Counter(frame[name].to_list()) for name in frame.columns}


ORDER = Inequality(columns=("a", "b"))
BOTH = Conditional(condition="c = 'x'", then="d = 0", otherwise="d = 1")


def test_rows_that_break_nothing_stay_as_they_are():
    rows = drawn(200, 0).filter(pl.col("a") <= pl.col("b"))
    found = repair(rows, block(ORDER, redraw=no_more), np.random.default_rng(0))
    assert found.frame.equals(rows)
    assert found.broken.tolist() == found.swapped.tolist() == [0]


def test_exchange_keeps_every_column_as_it_was():
    """A quarter of the pairs is the wrong way round, and everywhere there is room to put them right."""
    rows = drawn(3000, 0).with_columns(pl.col("a") // 2)
    found = repair(rows, block(ORDER, redraw=no_more), np.random.default_rng(0))
    assert (found.frame["a"] <= found.frame["b"]).all()
    assert cells(found.frame) == cells(rows)
    n_broken = int((rows["a"] > rows["b"]).sum())
    assert found.broken.tolist() == found.swapped.tolist() == [n_broken]
    kept = rows["a"] <= rows["b"]
    untouched = (found.frame == rows).select(pl.all_horizontal(pl.all())).to_series()
    assert (untouched & kept).sum() > 0.1 * kept.sum()  # not the whole block is paired anew


def test_intervals_stay_as_long_as_they_were():
    """Two numbers that go along, the second of them known but for an error of two: 14 % of the rows are the wrong way round."""
    rng = np.random.default_rng(5)
    a, length = rng.lognormal(3, 1, 4000), rng.lognormal(1, 1, 4000)
    b = a + length + rng.laplace(0, 2, 4000)
    rows = drawn(4000, 0).with_columns(a=np.round(a * 100).astype(int), b=np.round(b * 100).astype(int))
    again = block(ORDER, redraw=lambda at, seed: rows.sample(len(at), with_replacement=True, seed=seed))
    repaired = repair(rows, again, np.random.default_rng(0))
    assert repaired.redrawn.sum() < 30
    found = repaired.frame
    made = (found["b"] - found["a"]).to_numpy() / 100
    # paired anew in sorted order, as many rows at a time as it takes, they were 2.5, 1.5 and .9 of what they are
    quartiles = [np.quantile(made, q) / np.quantile(length, q) for q in (0.25, 0.5, 0.75)]
    assert all(0.85 < ratio < 1.15 for ratio in quartiles), quartiles
    truth = rows.with_columns(b=a + length)
    ranks = [np.corrcoef(one["a"].rank(), one["b"].rank())[0, 1] for one in (truth, found)]
    assert abs(ranks[1] - ranks[0]) < 0.01, ranks  # sorted, .999 for .960


def test_rows_that_only_few_can_reach_over_are_put_right_by_them():
    """Rows with the longest gaps lie elsewhere, so that no pairing in order of some of them helps the last two rows."""
    n = 2000
    far = pl.DataFrame({"a": [60] * n, "b": [99] * n, "c": ["x"] * n, "d": [0] * n})
    links = pl.DataFrame({"a": [20, 29, 20, 29], "b": [30, 40, 30, 40], "c": ["x"] * 4, "d": [0] * 4})
    bad = pl.DataFrame({"a": [40, 40], "b": [20, 20], "c": ["y"] * 2, "d": [1] * 2})
    rows = pl.concat([far, links, bad])
    found = repair(rows, block(ORDER, redraw=no_more), np.random.default_rng(0))
    assert (found.frame["a"] <= found.frame["b"]).all()
    assert cells(found.frame) == cells(rows)
    assert (found.broken.tolist(), found.redrawn.tolist()) == ([2], [0])
    assert found.frame.head(n).equals(far)


def test_rows_that_lack_what_others_have_too_much_of_exchange_with_one_another():
    rows = pl.DataFrame({"a": [0] * 4, "b": [1] * 4, "c": ["x", "x", "y", "y"], "d": [1, 0, 1, 0]})
    found = repair(rows, block(BOTH, redraw=no_more), np.random.default_rng(0))
    assert found.frame.select("c", "d").rows() in (
        [("x", 0), ("x", 0), ("y", 1), ("y", 1)],
        [("y", 1), ("x", 0), ("y", 1), ("x", 0)],
    )


def test_what_exchange_cannot_mend_is_drawn_anew():
    """Every row has d = 1, so rows of x have to go; the others stay."""
    rows = drawn(500, 0).with_columns(d=pl.lit(1, dtype=pl.Int64))
    found = repair(rows, block(BOTH), np.random.default_rng(0))
    assert not constraint_of(BOTH, SCHEMA).violations(found.frame).any()
    was_fine = rows["c"] == "y"
    assert found.frame.filter(was_fine).equals(rows.filter(was_fine))
    assert found.redrawn.tolist() == [int((~was_fine).sum())]
    assert found.swapped.tolist() == [0]


def test_several_rules_hold_together():
    rules = (ORDER, BOTH, Expression(sql="a + d < 90"))
    found = repair(drawn(2000, 3), block(*rules), np.random.default_rng(0))
    for rule in rules:
        assert not constraint_of(rule, SCHEMA).violations(found.frame).any()


def test_a_rule_that_is_never_met_is_named():
    never = Expression(sql="a > 99", name="too much")
    with pytest.raises(
        ConstraintError,
        match=r"The model never meets 'too much': acceptance 0 % in the domains of its columns",
    ):
        repair(drawn(50, 0), block(ORDER, never), np.random.default_rng(0))


def test_rules_that_are_never_met_together_are_named_without_the_others():
    one, other = Expression(sql="a > 50"), Expression(sql="a < 50")
    with pytest.raises(ConstraintError, match=r"never all together: a > 50; a < 50$"):
        repair(drawn(50, 0), block(ORDER, one, other), np.random.default_rng(0))


def test_a_rule_that_is_hardly_ever_met_is_named_with_its_rate():
    """One row in 10,000 is met; 40 blocks of 32,768 rows at most are drawn for 30,000 rows."""
    rare = Expression(sql="a = 0 AND b = 0")

    def few(positions, attempt):
        return drawn(min(len(positions), 2000), attempt)

    with pytest.raises(ConstraintError, match=r"fails most is 'a = 0 AND b = 0': acceptance 0\.0\d+ %"):
        repair(drawn(400, 0), block(ORDER, rare, redraw=few), np.random.default_rng(0))


def test_conditions_that_are_never_met_are_the_reason():
    held = lambda rows, _positions: (rows["a"] < 1000).to_numpy()  # noqa: E731
    with pytest.raises(ConstraintError, match=r"0 did\. None of them meets the conditions$"):
        repair(drawn(50, 0), block(ORDER, held=held), np.random.default_rng(0))


def test_the_same_generator_gives_the_same_repair():
    first, second = (repair(drawn(900, 5), block(ORDER, BOTH), np.random.default_rng(1)) for _ in range(2))
    assert first.frame.equals(second.frame)
    assert not repair(drawn(900, 5), block(ORDER, BOTH), np.random.default_rng(2)).frame.equals(first.frame)


def test_of_rows_drawn_anew_the_nearest_takes_the_place():
    """Twenty rows of x have d = 1 as all rows do, so they are drawn anew, each with the choice among about a dozen.

    By chance a and b would be off by 33 on average; of a dozen the nearest is off by about 12 in each, give or take 3 over 20 rows.
    """
    rows = drawn(3000, 0).with_columns(
        c=pl.when(pl.int_range(pl.len()) < 20).then(pl.lit("x")).otherwise(pl.lit("y")),
        d=pl.lit(1, dtype=pl.Int64),
    )
    found = repair(rows, block(BOTH), np.random.default_rng(0))
    assert found.redrawn.tolist() == [20]
    assert not constraint_of(BOTH, SCHEMA).violations(found.frame).any()
    assert found.frame[20:].equals(rows[20:])
    for name in "ab":
        assert (found.frame[name] - rows[name])[:20].abs().mean() < 22


def stuck_at(stuck, tried):
    """Redraws that put every row of x right but those at some positions; `tried` gathers the attempts."""

    def redraw(positions, attempt):
        tried.append(attempt)
        rows = drawn(len(positions), 1000 + attempt).with_columns(c=pl.lit("x"))
        return rows.with_columns(d=pl.Series(np.isin(positions, stuck).astype(np.int64)))

    return redraw


ALL_WRONG = drawn(500, 0).with_columns(d=pl.lit(1, dtype=pl.Int64))  # every row of x breaks `BOTH`
WRONG = np.flatnonzero(ALL_WRONG["c"] == "x")


def test_rows_that_no_try_mends_are_left_and_all_others_are_mended():
    tried = []
    again = block(BOTH, redraw=stuck_at(WRONG[[0, 7, -1]], tried), may_leave=True, most_tries=3)
    found = repair(ALL_WRONG, again, np.random.default_rng(0))
    assert found.left.tolist() == WRONG[[0, 7, -1]].tolist()
    assert np.flatnonzero(constraint_of(BOTH, SCHEMA).violations(found.frame)).tolist() == found.left.tolist()
    assert set(tried) == {0, 1, 2}
    was_fine = ALL_WRONG["c"] == "y"
    assert found.frame.filter(was_fine).equals(ALL_WRONG.filter(was_fine))
    assert found.frame.height == 500


def test_without_leave_the_same_rows_are_an_error():
    again = block(BOTH, redraw=stuck_at(WRONG[[0, 7, -1]], []))
    with pytest.raises(ConstraintError, match="c = 'x'"):
        repair(ALL_WRONG, again, np.random.default_rng(0))


def test_leave_leaves_nothing_that_can_be_mended():
    again = block(BOTH, redraw=stuck_at([], []), may_leave=True, most_tries=1)
    found = repair(ALL_WRONG, again, np.random.default_rng(0))
    assert found.left.tolist() == []
    assert not constraint_of(BOTH, SCHEMA).violations(found.frame).any()
    fine = ALL_WRONG.filter(pl.col("c") == "y")
    untouched = repair(fine, block(BOTH, redraw=no_more, may_leave=True), np.random.default_rng(0))
    assert untouched.frame.equals(fine)
    assert untouched.left.tolist() == []


def test_all_rows_may_be_left():
    never = Expression(sql="a > 99")
    again = block(never, may_leave=True, most_tries=2)
    found = repair(drawn(50, 0), again, np.random.default_rng(0))
    assert found.left.tolist() == list(range(50))
    assert found.frame.height == 50
    with pytest.raises(ConstraintError, match="never meets"):
        repair(drawn(50, 0), block(never, most_tries=2), np.random.default_rng(0))
