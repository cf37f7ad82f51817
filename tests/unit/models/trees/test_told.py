"""What an engine is told of the columns that rows will be given: their order, the step, and rows to tell from the source's."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from tabsynth.encode import EncodedColumn, EncodedTable, Variable
from tabsynth.models.base import ContextualSynthesizer, Told
from tabsynth.models.gaussian_copula import GaussianCopula
from tabsynth.models.latent import Latent, Part
from tabsynth.models.marginal import Marginal
from tabsynth.models.sequential_trees import SequentialTrees
from tabsynth.models.trees.differences import with_before, with_step
from tabsynth.models.trees.proposals import asked_of
from tabsynth.models.trees.refining import Source
from tabsynth.privacy import Ledger
from tabsynth.privacy.queries import Queries
from tabsynth.randomness import Streams


def numbers(name, values, *, codes=None, dtype=np.int64):
    values = np.asarray(values, dtype=dtype)
    codes = np.zeros(len(values), dtype=np.uint8) if codes is None else np.asarray(codes, dtype=np.uint8)
    variable = Variable(
        name=name,
        is_continuous=True,
        n_levels=2 if codes.any() else 1,
        is_ordered=True,
        is_lattice=dtype == np.int64,
        null_code=1 if codes.any() else None,
    )
    return EncodedColumn(variable, codes, values)


def encoded(*columns):
    return EncodedTable(len(columns[0].codes), {one.variable.name: one for one in columns})


def latents_of(table):
    """An axis for each column, of a piece of any number."""
    found = []
    for column in table.columns.values():
        ends = [np.array([0], dtype=column.values.dtype)] * 2
        marginal = Marginal(*ends, np.ones(1), column.variable.is_lattice)
        found.append(Latent(column.variable, Part.VALUE, marginal))
    return tuple(found)


# the step


def stepped(step, pairs, table, order=None, *, context=("before",), min_group=3):
    """The order of columns and the pairs, where `pairs` gives what tells what for an order of columns."""
    latents, names = latents_of(table), list(table.columns)

    def find(axes):
        return pairs([names[axis] for axis in axes]) if callable(pairs) else pairs

    axes = range(len(latents)) if order is None else order
    found, told = with_step(step, find, table, latents, axes, context, min_group=min_group)
    return [names[axis] for axis in found], told


TABLE = encoded(*(numbers(name, [1, 2, 3]) for name in ("before", "came", "went", "paid")))
AS_THEY_COME = ["before", "came", "went", "paid"]


def test_a_step_stands_beside_other_pairs_in_the_order_in_which_they_are_drawn():
    step = ("before", "went")
    assert stepped(step, [], TABLE) == (AS_THEY_COME, [step])
    assert stepped(step, [("came", "paid")], TABLE)[1] == [step, ("came", "paid")]
    assert stepped(step, [("before", "came"), ("went", "paid")], TABLE)[1] == [
        ("before", "came"),
        step,
        ("went", "paid"),
    ]
    assert stepped(step, [("came", "paid")], TABLE, order=(0, 1, 3, 2))[1] == [("came", "paid"), step]
    assert stepped(step, [step], TABLE)[1] == [step]


def test_what_would_tell_the_second_of_a_step_is_drawn_after_it_and_told_by_it():
    def nearest(names):
        """Every column but the first is told by the one before it."""
        return list(pairwise(names))

    order, pairs = stepped(("before", "paid"), nearest, TABLE)
    assert order == ["before", "paid", "came", "went"]
    assert pairs == [("before", "paid"), ("paid", "came"), ("came", "went")]


BETWEEN = encoded(
    numbers("before", [0, 5, 9, 9]),
    numbers("gone", [1, 5, 9, 9]),
    numbers("came", [1, 7, 9, 12]),
)


@pytest.mark.parametrize(
    ("gone", "codes", "is_kept"),
    [
        ([1, 5, 9, 9], None, True),
        ([1, 5, 9, 13], None, False),  # above the second, once
        ([0, 4, 9, 9], None, False),  # below the first, once
        ([1, 5, 9, 0], [0, 0, 0, 1], False),  # missing, once
    ],
)
def test_a_column_of_the_context_tells_the_second_still_where_it_lies_between(gone, codes, is_kept):
    step, found = ("before", "came"), [("gone", "came")]
    table = EncodedTable(4, {**BETWEEN.columns, "gone": numbers("gone", gone, codes=codes)})
    pairs = stepped(step, found, table, context=("before", "gone"))[1]
    assert pairs == (found if is_kept else [step])


def test_a_step_needs_as_many_rows_as_a_group():
    few = encoded(
        numbers("before", [0, 1, 2, 3], codes=[1, 0, 0, 0]),
        numbers("came", [1, 2, 3, 9], codes=[0, 0, 0, 1]),
    )
    assert stepped(("before", "came"), [], few, min_group=2)[1] == [("before", "came")]
    assert stepped(("before", "came"), [], few, min_group=3)[1] == []


@pytest.mark.parametrize(
    ("column", "is_told"),
    [
        (numbers("before", [0, 2**61 - 1024, 5]), True),
        (numbers("before", [0, 2**61, 5]), False),
        (numbers("before", [0, -(2**61), 5]), False),
        (numbers("before", [0, -(2**63), 5]), False),
        (numbers("before", [0, 2**63 - 1, 5]), False),
        (numbers("before", [0.0, 1e300, 5.0], dtype=np.float64), False),
        (
            EncodedColumn(Variable(name="before", is_continuous=False, n_levels=2), np.zeros(3, np.uint8)),
            False,
        ),
    ],
)
def test_numbers_too_far_out_to_be_subtracted_are_no_step(column, is_told):
    others = encoded(numbers("before", [0] * 3), *(TABLE.columns[name] for name in ("came", "went", "paid")))
    pairs = [("came", "paid")]
    for name in ("before", "went"):
        table = EncodedTable(3, {**others.columns, name: column})
        found = with_step(
            ("before", "went"), lambda _: pairs, table, latents_of(others), range(4), ("before",), min_group=3
        )[1]
        assert found == ([("before", "went"), *pairs] if is_told else pairs)


# numbers that stay near those before


def near(now, *, pairs=(), min_group=4, codes=None):
    """Whether `now` is told by 0, 10, … 90 before it."""
    table = encoded(
        numbers("before", range(0, 100, 10)), numbers("now", now, codes=codes), numbers("other", range(10))
    )
    rng = np.random.default_rng(0)
    return with_before(
        [("before", "now")], pairs, table, latents_of(table), range(3), rng, min_group=min_group
    )


@pytest.mark.parametrize(
    ("now", "is_told"),
    [
        ([value + 1 for value in range(0, 100, 10)], True),
        # of ten numbers ten apart, two in other rows are 33 apart on average: a quarter of that is 8 and something
        ([value + 5 for value in range(0, 100, 10)], True),
        ([value + 20 for value in range(0, 100, 10)], False),
        ([50] * 10, False),
        (list(range(90, -1, -10)), False),
    ],
)
def test_a_number_near_the_one_before_is_told_by_it(now, is_told):
    assert near(now) == ([("before", "now")] if is_told else [])


def test_a_number_that_is_told_already_or_in_few_rows_is_not():
    close = [value + 1 for value in range(0, 100, 10)]
    assert near(close, pairs=[("other", "now")]) == [("other", "now")]
    assert near(close, pairs=[("before", "other")]) == [("before", "now"), ("before", "other")]
    few = [0] * 3 + [1] * 7
    assert near(close, codes=few) == []
    assert near(close, codes=few, min_group=3) == [("before", "now")]


def test_steps_of_what_stays_near_are_as_long_as_they_were():
    """A weight changes by two to either side, of twelve and more between persons."""
    rng = np.random.default_rng(0)
    before = rng.normal(0, 12_000, 1500).astype(np.int64)
    now = before + rng.normal(0, 2000, 1500).astype(np.int64)
    data = encoded(numbers("before", before), numbers("now", now))

    def spread(told):
        model = trained(data, told)
        rows = model.sample_block(0, n_rows=3000, streams=Streams(1)).columns
        return np.std(rows["now"].values - rows["before"].values)

    assert spread(Told(("before",))) > 2600  # what bins and leaves tell
    assert 1800 < spread(Told(("before",), before=(("before", "now"),))) < 2400


# the order of columns, and what tilts them


def visits(n=1500, seed=0):
    """A day, one later by up to four days, and another between them; the first row of a quarter has none before it."""
    rng = np.random.default_rng(seed)
    before = rng.integers(0, 3000, n)
    came = before + rng.integers(0, 5, n)
    went = came + rng.integers(0, 3, n)
    is_first = rng.random(n) < 0.25
    ward = (rng.random(n) < 0.3).astype(np.uint8)
    return encoded(
        EncodedColumn(Variable(name="ward", is_continuous=False, n_levels=2), ward),
        numbers("went", went),
        numbers("came", came),
        numbers("before", np.where(is_first, 0, before), codes=is_first),
    )


def trained(data, told, **settings):
    recipe = SequentialTrees(rounds=0, **settings)
    return recipe.fit(data, queries=Queries(Ledger()), streams=Streams(0), told=told)


def drawn_in(model):
    return list(dict.fromkeys(model.latents[axis].variable.name for axis in model.order))


STEP = Told(("before",), step=("before", "came"))


def test_the_context_comes_first_and_the_step_s_second_before_what_it_tells():
    """Without the step `went` would tell `came`, and without that order rows that have none before would lose how long they were."""
    data = visits()
    model = trained(data, STEP)
    assert [name for name in drawn_in(model) if "−" not in name] == ["before", "ward", "came", "went"]
    assert model.parameters()["differences"] == [["before", "came"], ["came", "went"]]
    asked = trained(data, STEP, first="ward; before")
    assert [name for name in drawn_in(asked) if "−" not in name][:3] == ["before", "ward", "came"]
    rows = model.sample_block(0, n_rows=4000, streams=Streams(1))
    before, came, went = (rows.columns[name] for name in ("before", "came", "went"))
    nights, steps = went.values - came.values, (came.values - before.values)[before.codes == 0]
    # 1,500 rows, none of them outside: fewer than one of fifty more has one in a million
    assert ((nights < 0) | (nights > 2)).mean() < 0.02
    assert ((steps < 0) | (steps > 4)).mean() < 0.02


def test_columns_that_all_rows_are_given_are_not_tilted():
    def tilted(told):
        model = trained(visits(), told, differences=False)
        return {model.latents[axis].variable.name for axis in model.tilts}

    assert tilted(Told()) & {"came", "went"}
    assert tilted(Told(("came", "went"))) == {"before"}
    assert "went" in tilted(Told(("came",), ("went",)))  # some rows have to draw it


def test_a_column_is_not_told_of_twice():
    found = trained(visits(), Told(("before",), ("ward",), ("before", "came")), first="before; came")
    assert [name for name in drawn_in(found) if "−" not in name] == ["before", "ward", "came", "went"]


def test_columns_that_are_kept_are_told_by_one_another_alone():
    """A loan's end is its start and a year or two, in first rows and later ones; where both are given, what lies between is too."""
    rng = np.random.default_rng(0)
    start = rng.integers(0, 3000, 1500)
    end = start + rng.choice([365, 730], 1500)
    near = start + rng.integers(0, 3, 1500)  # of the row before, and missing in a third
    is_first = rng.random(1500) < 0.33
    data = encoded(
        numbers("near before", np.where(is_first, 0, near), codes=is_first),
        numbers("start", start),
        numbers("end", end),
    )
    model = trained(data, Told(("near before",), ("start", "end")))
    assert model.parameters()["differences"] == [["start", "end"]]
    rows = model.sample_block(0, n_rows=2000, streams=Streams(1)).columns
    assert set((rows["end"].values - rows["start"].values).tolist()) == {365, 730}
    given = {name: data.columns[name] for name in data.columns}
    found = model.conditional_block(0, n_rows=1500, streams=Streams(2), given=given).rows.columns
    assert np.array_equal(found["end"].values, end)
    asked = asked_of(model.latents, (), given, 1500, model.differences)
    (one,) = model.differences
    low, high = one.low[asked.given[one.axis]], one.high[asked.given[one.axis]]
    assert ((low <= end - start) & (end - start <= high)).all()


def test_what_lies_between_given_numbers_is_given_where_both_are_there():
    data = visits()
    model = trained(data, STEP)
    given = {name: data.columns[name] for name in ("before", "came")}
    asked = asked_of(model.latents, (), given, data.n_rows, model.differences)
    one = next(one for one in model.differences if one.level is not None)
    is_there = data.columns["before"].codes == 0
    assert np.array_equal(asked.given[one.axis] >= 0, is_there)
    steps = (data.columns["came"].values - data.columns["before"].values)[is_there]
    pieces = asked.given[one.axis][is_there]
    assert ((one.low[pieces] <= steps) & (steps <= one.high[pieces])).all()
    codes = model.latents[one.level].marginal.lower[asked.given[one.level]]
    assert np.array_equal(codes == 0, is_there)
    assert asked_of(
        model.latents, (), {"came": given["came"]}, data.n_rows, model.differences
    ).axes.isdisjoint({one.axis, one.level})


def test_which_engines_can_be_told():
    assert isinstance(SequentialTrees(), ContextualSynthesizer)
    assert not isinstance(GaussianCopula(), ContextualSynthesizer)


def test_an_engine_that_is_told_nothing_learns_what_it_always_did():
    data = visits(400)
    plain = SequentialTrees(rounds=0).fit(data, queries=Queries(Ledger()), streams=Streams(0))
    told = trained(data, Told())
    assert plain.parameters() == told.parameters()
    assert plain.arrays().keys() == told.arrays().keys()
    assert all(np.array_equal(array, told.arrays()[name]) for name, array in plain.arrays().items())


# rows to tell from those of the source


def test_rows_begin_with_the_source_s_cells_as_evenly_as_can_be():
    pieces = [np.arange(5, dtype=np.int32), np.arange(5, dtype=np.int32) * 2, np.zeros(5, dtype=np.int32)]
    table = encoded(numbers("a", range(5)), numbers("b", range(5)), numbers("c", range(5)))
    source = Source.of(pieces, latents_of(table), ("b", "a"), n_rows=50)
    assert (source.given, source.n_rows) == ([0, 1], 50)
    drawn = source.begun(12, np.random.default_rng(0))
    assert drawn.n_rows == 12
    assert sorted(drawn.pieces) == sorted(drawn.shares) == [0, 1]
    assert np.array_equal(drawn.pieces[1], 2 * drawn.pieces[0])  # cells of one row stay together
    assert sorted(Counter(drawn.pieces[0].tolist()).values()) == [2, 2, 2, 3, 3]
    for block in (drawn.pieces[0][:5], drawn.pieces[0][5:10]):
        assert sorted(block.tolist()) == [0, 1, 2, 3, 4]
    assert all(((shares >= 0) & (shares < 1)).all() for shares in drawn.shares.values())


def test_rows_begin_with_nothing_where_nothing_is_given():
    table = encoded(numbers("a", range(5)))
    source = Source.of([np.arange(5)], latents_of(table), (), n_rows=5)
    drawn = source.begun(7, np.random.default_rng(0))
    assert (drawn.n_rows, drawn.pieces, drawn.shares) == (7, {}, {})
    assert not source.has_enough
    assert not Source([], [], 0).has_enough
    assert Source([np.zeros(100_000)], [], 100_000).has_enough


def test_a_refined_model_draws_rows_given_the_context_still():
    data = visits()
    recipe = SequentialTrees(rounds=1)
    model = recipe.fit(data, queries=Queries(Ledger()), streams=Streams(0), told=STEP)
    before = data.columns["before"]
    found = model.conditional_block(0, n_rows=data.n_rows, streams=Streams(1), given={"before": before}).rows
    assert np.array_equal(found.columns["before"].values, before.values)
    assert np.array_equal(found.columns["before"].codes, before.codes)
    steps = (found.columns["came"].values - before.values)[before.codes == 0]
    assert ((steps < 0) | (steps > 4)).mean() < 0.02
