"""Levels that are those of the row before: found, said and drawn, by hand and on a table whose truth is known."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import tabsynth
from tabsynth.encode import EncodedColumn, EncodedTable, Variable
from tabsynth.errors import ModelFileError
from tabsynth.model_folder import write_folder
from tabsynth.models.base import Told
from tabsynth.models.condition import Condition
from tabsynth.models.latent import Latent, Part
from tabsynth.models.marginal import Marginal
from tabsynth.models.sequential_trees import SequentialTrees
from tabsynth.models.trees.drawing import Drawn, draw_rows
from tabsynth.models.trees.proposals import give
from tabsynth.models.trees.repeats import (
    Repeat,
    pairs_repeated,
    repeat_columns,
    repeat_variables,
    repeats_on,
    with_repeats,
)
from tabsynth.pipeline import FittedPipeline
from tabsynth.privacy import NO_PRIVACY, Ledger
from tabsynth.privacy.queries import Queries
from tabsynth.randomness import Streams
from tests.unit.constraints.tables import levels, whole
from tests.unit.hostile import parts_of
from tests.unit.pipeline.tables import PERSON, schema_of

OTHER, SAME, NONE = 0, 1, 2


def column(name, codes, n_levels=3, *, nullable=False):
    variable = Variable(
        name=name,
        is_continuous=False,
        n_levels=n_levels + nullable,
        null_code=n_levels if nullable else None,
    )
    return EncodedColumn(variable, np.asarray(codes, dtype=np.uint8))


def numbers(name, values):
    variable = Variable(name=name, is_continuous=True, n_levels=1, is_lattice=True)
    return EncodedColumn(variable, np.zeros(len(values), dtype=np.uint8), np.asarray(values, dtype=np.int64))


def encoded(*columns):
    return EncodedTable(len(columns[0].codes), {one.variable.name: one for one in columns})


def latent(name, codes, mass, *, nullable=False, n_levels=None):
    codes = np.array(codes, dtype=np.int64)
    n_levels = len(codes) if n_levels is None else n_levels
    variable = Variable(
        name=name, is_continuous=False, n_levels=n_levels, null_code=n_levels - 1 if nullable else None
    )
    return Latent(variable, Part.LEVEL, Marginal(codes, codes, np.array(mass), is_lattice=True))


# which columns repeat which


def repeated(context, *columns):
    return pairs_repeated(encoded(*columns), context, Queries(Ledger()))


HALF = np.tile([0, 1, 2], 200)
"""Of 600 rows; turned by one, none of them is equal."""
NOW = np.where(np.arange(600) % 2 == 0, HALF, (HALF + 1) % 3)  # half of the rows repeat


def test_the_base_is_the_one_that_is_repeated_most_often():
    was, before = column("was", HALF), column("before", (NOW + (np.arange(600) % 12 == 0)) % 3)
    now = column("now", NOW)
    assert repeated(["was"], was, now) == [("was", "now")]
    assert repeated(["was", "before"], was, before, now) == [("before", "now")]  # in eleven of twelve rows
    assert repeated([], was, before, now) == []
    assert repeated(["was", "now"], was, now) == []  # which is given, too


def test_a_hundredth_of_the_rows_is_the_least():
    """Of 600 rows with three even levels 200 are equal by chance, whatever the other column's shares: 206 are a hundredth more."""
    was = np.sort(np.tile([0, 1, 2], 200))
    for n_equal, expected in ((205, []), (207, [("was", "now")])):
        now = (was + 1) % 3
        now[:n_equal] = was[:n_equal]
        assert (was == now).sum() == n_equal
        assert repeated(["was"], column("was", was), column("now", now)) == expected


def test_columns_of_two_levels_of_others_and_of_numbers_repeat_nothing():
    two = np.tile([0, 1], 300)
    assert repeated(["was"], column("was", two, 2), column("now", two, 2)) == []
    assert repeated(["was"], column("was", HALF, 4), column("now", HALF, 3)) == []
    assert repeated(["was"], numbers("was", HALF), numbers("now", HALF)) == []
    nullable = column("was", HALF, nullable=True)
    assert repeated(["was"], nullable, column("now", HALF)) == [("was", "now")]  # three levels, each


def test_rows_without_either_cell_do_not_count():
    """Of 600 rows 199 have both."""
    was = np.where(np.arange(600) < 199, HALF, 3)
    assert repeated(["was"], column("was", was, nullable=True), column("now", HALF, nullable=True)) == []
    was[199] = HALF[199]
    assert repeated(["was"], column("was", was, nullable=True), column("now", HALF, nullable=True)) == [
        ("was", "now")
    ]


# what each row says


def test_rows_say_whether_they_repeat():
    table = encoded(
        column("was", [0, 0, 3, 3, 1, 4, 2], nullable=True),  # 3 is null, and 4 of no level
        column("now", [0, 1, 3, 1, 3, 4, 2], nullable=True),
        column("now = was", [0] * 7, 1),
    )
    found = repeat_columns([("was", "now")], table)
    (said,) = found.columns.values()
    assert said.variable == Variable(name="now = was'", is_continuous=False, n_levels=3, null_code=NONE)
    assert said.codes.tolist() == [SAME, OTHER, NONE, NONE, OTHER, NONE, SAME]
    assert repeat_variables([("was", "now")], table.variables) == (said.variable,)
    assert repeat_columns([], table).columns == {}


# axes


REPEAT = Repeat(base=0, axis=1, of=2, level=np.array([2, -1, 0], dtype=np.int32), pieces=(0, 1, 2))


def test_axes_by_hand():
    """The base's second piece, and no base, leave nothing to repeat."""
    pieces = {
        0: np.array([0, 0, 1, 1, 2, 2, -1, 2]),
        1: np.array([0, 1, 1, 0, 2, 1, 1, 0]),
        2: np.array([2, 2, 0, 1, 0, 0, 0, 0]),
    }
    assert REPEAT.wanted(pieces).tolist() == [2, 2, -1, -1, 0, 0, -1, 0]
    assert REPEAT.said(pieces).tolist() == [0, 1, 2, 2, 0, 1, 2, 0]
    assert REPEAT.is_same(pieces).tolist() == [False, True, True, False, False, True, True, False]
    assert REPEAT.is_missed(pieces).tolist() == [True, False, False, False, False, False, False, True]
    assert REPEAT.is_known(pieces)
    assert not REPEAT.is_known({0: pieces[0]})
    assert not REPEAT.is_known({1: pieces[1]})


def test_axes_of_levels_in_other_orders():
    """Levels 2, 0, null, 1 on the base and 1, 2, 0 on the other, which never is 2: its mass is zero."""
    latents = (
        latent("was", [2, 0, 3, 1], [0.4, 0.3, 0.2, 0.1], nullable=True),
        latent("now", [1, 2, 0], [0.5, 0.0, 0.5]),
        latent("now = was", [1, 2, 0], [0.3, 0.3, 0.4], nullable=True, n_levels=3),
    )
    (found,) = repeats_on([("was", "now")], ["now = was"], latents)
    assert (found.base, found.axis, found.of) == (0, 2, 1)
    assert found.level.tolist() == [-1, 2, -1, 0]
    assert found.pieces == (2, 0, 1)


def test_whether_there_is_a_repeat_is_drawn_just_before_it():
    one, other = replace(REPEAT, axis=5), replace(REPEAT, axis=6, of=0)
    assert with_repeats((3, 2, 4, 0), [one, other]) == (3, 5, 2, 4, 6, 0)
    assert with_repeats((1, 0), []) == (1, 0)


# drawn


N_LEVELS = 40


def codes(n=6000, seed=0):
    """A code of forty that is as before in three of five rows, else one drawn anew; a tenth had none before."""
    rng = np.random.default_rng(seed)
    was = rng.choice(N_LEVELS, n, p=np.arange(1, N_LEVELS + 1) / 820)
    now = np.where(rng.random(n) < 0.6, was, rng.choice(N_LEVELS, n, p=np.arange(N_LEVELS, 0, -1) / 820))
    was = np.where(rng.random(n) < 0.1, N_LEVELS, was)
    return encoded(column("was", was, N_LEVELS, nullable=True), column("now", now, N_LEVELS))


def fitted(data, context=("was",), **settings):
    recipe = SequentialTrees(rounds=0, **settings)
    return recipe.fit(data, queries=Queries(Ledger()), streams=Streams(0), told=Told(tuple(context)))


@pytest.fixture(scope="module")
def model():
    return fitted(codes())


def same(rows):
    """The share of rows that repeat, of those that had a code."""
    was, now = (rows.columns[name].codes for name in ("was", "now"))
    return (was == now)[was < N_LEVELS].mean()


def test_what_repeats_is_an_axis_and_no_column(model):
    assert model.parameters()["repeats"] == [["was", "now"]]
    assert [variable.name for variable in model.variables] == ["was", "now"]
    assert [latent.variable.name for latent in model.latents] == ["was", "now", "now = was"]
    assert model.order == (0, 2, 1)
    assert list(model.sample_block(0, n_rows=5, streams=Streams(0)).columns) == ["was", "now"]


def test_rows_that_repeat_have_the_level_and_others_do_not(model):
    drawn = draw_rows(model, 20_000, np.random.default_rng(0))
    (one,) = model.repeats
    was, now = model.latents[one.base].marginal.lower, model.latents[one.of].marginal.lower
    base, said, of = was[drawn.pieces[one.base]], drawn.pieces[one.axis], now[drawn.pieces[one.of]]
    assert np.array_equal(base == N_LEVELS, said == one.pieces[NONE])
    assert (base == of)[said == one.pieces[SAME]].all()
    # others are drawn up to nine times: where half of a leaf has the level, one in 500 has it still
    assert (base == of)[said == one.pieces[OTHER]].mean() < 0.001
    # the source's share is known to .007, that of the rows drawn to .004
    assert (said == one.pieces[SAME]).mean() == pytest.approx(0.9 * 0.62, abs=0.03)


def test_as_many_rows_repeat_as_in_the_source_given_the_row_before_or_not(model):
    """Standard errors of .007 on either side."""
    expected = same(codes())
    assert expected == pytest.approx(0.61, abs=0.02)  # six of ten, and by chance of the rest
    assert same(model.sample_block(0, n_rows=6000, streams=Streams(1))) == pytest.approx(expected, abs=0.04)
    given = {"was": codes(seed=5).columns["was"]}
    found = model.conditional_block(0, n_rows=6000, streams=Streams(1), given=given)
    assert found.rows.columns["was"].codes.tolist() == given["was"].codes.tolist()
    assert same(found.rows) == pytest.approx(expected, abs=0.04)
    assert found.effective == 6000


def test_a_given_level_says_whether_it_is_repeated(model):
    """Rows of the first code, which is seldom before: what is before them is it in as many rows as in the source."""
    real = codes()
    now = EncodedColumn(real.columns["now"].variable, np.full(4000, N_LEVELS - 1, dtype=np.uint8))
    found = model.conditional_block(0, n_rows=4000, streams=Streams(2), given={"now": now})
    assert (found.rows.columns["now"].codes == N_LEVELS - 1).all()
    rows = real.columns["now"].codes == N_LEVELS - 1
    share = (real.columns["was"].codes[rows] == N_LEVELS - 1).mean()
    assert share > 0.8
    # some 170 rows of the source: a standard error of .03, and draws that are not independent
    assert (found.rows.columns["was"].codes == N_LEVELS - 1).mean() == pytest.approx(share, abs=0.12)


@pytest.mark.parametrize("code", [5, 20, 30])
def test_rows_under_a_condition_repeat_as_often_as_in_the_source(model, code):
    """Of 130 to 170 rows of the source: standard errors of .04; without repeats a quarter of the first code's are found."""
    real = codes()
    rows = real.columns["now"].codes == code
    share = (real.columns["was"].codes[rows] == code).mean()
    condition = Condition(column="now", codes=(code,))
    found = model.conditional_block(0, n_rows=4000, streams=Streams(2), conditions=(condition,)).rows
    assert (found.columns["now"].codes == code).all()
    assert (found.columns["was"].codes == code).mean() == pytest.approx(share, abs=0.12)


def test_how_probable_a_given_level_is_where_rows_repeat_and_where_they_do_not(model):
    """Sure or impossible of those that repeat; impossible of others where it would be a repeat."""
    (one,) = model.repeats
    was, now = (
        {int(code): piece for piece, code in enumerate(model.latents[axis].marginal.lower)}
        for axis in (one.base, one.of)
    )
    said = (SAME, SAME, OTHER, OTHER, NONE)
    before, level = (3, 3, 3, 3, N_LEVELS), (3, 4, 3, 4, 4)
    drawn = Drawn(
        5,
        {
            one.base: np.array([was[code] for code in before], dtype=np.int32),
            one.axis: np.array([one.pieces[what] for what in said], dtype=np.int32),
        },
        {one.base: np.zeros(5), one.axis: np.zeros(5)},
    )
    pieces = np.array([now[code] for code in level], dtype=np.int32)
    weight = give(model, one.of, pieces, drawn)
    assert weight[:3].tolist() == [1, 0, 0]
    assert ((weight[3:] > 0) & (weight[3:] < 1)).all()
    assert np.array_equal(drawn.pieces[one.of], pieces)


def test_the_fault_planted_without_the_axis_codes_come_back_less_often(model):
    bare = fitted(codes(), context=())
    assert bare.parameters()["repeats"] == []
    expected = same(codes())
    bad = same(bare.sample_block(0, n_rows=6000, streams=Streams(1)))
    good = same(model.sample_block(0, n_rows=6000, streams=Streams(1)))
    assert abs(bad - expected) > 2 * abs(good - expected)


def test_a_level_that_no_row_has_is_not_repeated():
    """The last code was before and is never now: nothing else than another code can follow."""
    real = codes()
    now = np.where(real.columns["now"].codes == N_LEVELS - 1, 0, real.columns["now"].codes)
    found = fitted(encoded(real.columns["was"], column("now", now, N_LEVELS)))
    last = EncodedColumn(real.columns["was"].variable, np.full(2000, N_LEVELS - 1, dtype=np.uint8))
    rows = found.conditional_block(0, n_rows=2000, streams=Streams(3), given={"was": last}).rows
    assert (rows.columns["now"].codes < N_LEVELS - 1).all()


# as a history, stored

DIAGNOSES = schema_of(
    PERSON,
    whole("day", 0, 5000),
    levels("code", *(f"c{k}" for k in range(N_LEVELS)), nullable=True),
    levels("ward", "a", "b", "c", "d"),
    order_by="day",
)


def diagnoses(n_persons=500, seed=1):
    """Four rows a person; codes and wards stay in two of three rows, and a code may be missing."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(n_persons):
        day, code, ward = int(rng.integers(4000)), int(rng.integers(N_LEVELS)), int(rng.integers(4))
        for _ in range(4):
            cell = None if rng.random() < 0.1 else f"c{code}"
            rows.append((f"p{person}", day, cell, "abcd"[ward]))
            day += int(rng.integers(1, 30))
            code = code if rng.random() < 0.6 else int(rng.integers(N_LEVELS))
            ward = ward if rng.random() < 0.6 else int(rng.integers(4))
    return pl.DataFrame(rows, schema=list(DIAGNOSES.column_names), orient="row")


@pytest.fixture(scope="module")
def history():
    return tabsynth.fit(
        diagnoses(),
        schema=DIAGNOSES,
        engine="sequential_trees",
        settings={"rounds": 1},
        privacy=NO_PRIVACY,
    )


def stays_in(rows, name):
    """The share of rows with a cell that have the one of the person's row before, where there is one."""
    before = rows[name].shift(1)
    both = (rows["pid"] == rows["pid"].shift(1)) & before.is_not_null() & rows[name].is_not_null()
    return (rows[name] == before).filter(both).mean()


def test_codes_of_persons_stay_as_often_as_in_the_source(history):
    assert history.model.parameters()["repeats"] == [["code before", "code"], ["ward before", "ward"]]
    rows = history.sample(4000, seed=1)
    for name in ("code", "ward"):
        # 1,200 and 2,500 pairs of rows and more: standard errors of .014 and .01
        assert stays_in(rows, name) == pytest.approx(stays_in(diagnoses(), name), abs=0.06)
    assert rows["code"].is_null().mean() == pytest.approx(0.1, abs=0.04)


def test_a_stored_model_samples_as_before(history, tmp_path):
    history.save(tmp_path / "model")
    loaded = FittedPipeline.load(tmp_path / "model")
    assert loaded.model.parameters() == history.model.parameters()
    assert loaded.sample(700, seed=4).equals(history.sample(700, seed=4))
    where = {"code": "c3", "ward": ["a", "b"]}
    assert loaded.sample(300, seed=4, where=where).equals(history.sample(300, seed=4, where=where))


@pytest.fixture(scope="module")
def sound(history, tmp_path_factory):
    return parts_of(history, tmp_path_factory.mktemp("model") / "sound")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda _: 7, "not pairs of columns"),
        (lambda _: {"code": "code before"}, "not pairs of columns"),
        (lambda pairs: [[*pairs[0], "x"], pairs[1]], "not pairs of columns"),
        (lambda pairs: [[pairs[0][0], 3], pairs[1]], "not pairs of columns"),
        (lambda pairs: ["code", pairs[1]], "not pairs of columns"),
        (lambda pairs: [["nobody", "code"], pairs[1]], "not levels"),
        (lambda pairs: [["code before", "nobody"], pairs[1]], "not levels"),
        (lambda pairs: [["day before", "code"], pairs[1]], "not levels"),
        (lambda pairs: [["code before", "day"], pairs[1]], "not levels"),
        (lambda pairs: [["code", "code"], pairs[1]], "not levels"),
        (lambda pairs: [["day − day before", "code"], pairs[1]], "not levels"),
        (lambda pairs: [["ward before", "code"], pairs[1]], "other levels"),
        (lambda pairs: [pairs[0], ["code before", "ward"]], "other levels"),
        (lambda pairs: [pairs[0], pairs[0]], "two of one column"),
        (lambda pairs: [pair[::-1] for pair in pairs], "drawn too late"),
        (lambda pairs: pairs[:1], "."),
        (lambda _: [], "."),
        (lambda _: None, "not pairs of columns"),
    ],
)
def test_hostile_repeats_are_refused(sound, tmp_path, change, fault):
    document, arrays = sound
    parameters = document["parameters"]
    changed = {**document, "parameters": {**parameters, "repeats": change(parameters["repeats"])}}
    write_folder(tmp_path / "hostile", changed, arrays)
    with pytest.raises(ModelFileError, match=f"not a model this release can read.*({fault})"):
        FittedPipeline.load(tmp_path / "hostile")


def test_repeats_of_no_model_are_refused(sound, tmp_path):
    document, arrays = sound
    fewer = {name: value for name, value in document["parameters"].items() if name != "repeats"}
    write_folder(tmp_path / "hostile", {**document, "parameters": fewer}, arrays)
    with pytest.raises(ModelFileError, match="repeats"):
        FittedPipeline.load(tmp_path / "hostile")


@pytest.mark.parametrize("axis", [-1, 99, 2**40])
def test_axes_out_of_range_are_refused(sound, tmp_path, axis):
    document, arrays = sound
    order = [axis, *document["parameters"]["order"][1:]]
    changed = {**document, "parameters": {**document["parameters"], "order": order}}
    write_folder(tmp_path / "hostile", changed, arrays)
    with pytest.raises(ModelFileError, match="not every axis once"):
        FittedPipeline.load(tmp_path / "hostile")


def test_an_axis_that_is_drawn_after_what_it_says_is_refused(sound, history, tmp_path):
    """Those of the two repeats in each other's place."""
    document, arrays = sound
    order = list(document["parameters"]["order"])
    one, _ = history.model.repeats
    at, then = order.index(one.axis), order.index(one.of)
    order[at], order[then] = order[then], order[at]
    changed = {**document, "parameters": {**document["parameters"], "order": order}}
    write_folder(tmp_path / "hostile", changed, arrays)
    with pytest.raises(ModelFileError, match="drawn too late"):
        FittedPipeline.load(tmp_path / "hostile")
