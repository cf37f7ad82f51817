"""Density ratios on top of the sequence: evaluation against walking, margins by brute force, and what thinning makes of drawn rows."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tabsynth.errors import ConditionError, ModelFileError
from tabsynth.model_folder import read_folder, write_folder
from tabsynth.models.trees.margins import LEAST_KEPT, bound_of, cells_of, fit_margins, wanted_in
from tabsynth.models.trees.ratios import Forest, Ratio, codes_of
from tabsynth.models.trees.thinning import draw_kept
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.privacy import NO_PRIVACY
from tabsynth.privacy.density_ratio import RatioTree
from tests.unit.privacy.test_density_ratio import walked


def tree_of(nodes):
    """Of (column, threshold, left, right, value) in preorder."""
    column, threshold, left, right, value = zip(*nodes, strict=True)
    integers = [np.array(part, dtype=np.int32) for part in (column, threshold, left, right)]
    return RatioTree(*integers, np.array(value, dtype=np.float32))


def random_tree(rng, n_leaves, sizes):
    nodes = []

    def grow(leaves):
        at = len(nodes)
        nodes.append(None)
        if leaves == 1:
            nodes[at] = (-1, 0, -1, -1, rng.normal())
            return at
        n_left, column = int(rng.integers(1, leaves)), int(rng.integers(len(sizes)))
        left, right = grow(n_left), grow(leaves - n_left)
        nodes[at] = (column, int(rng.integers(-1, sizes[column] - 1)), left, right, 0.0)
        return at

    grow(n_leaves)
    return tree_of(nodes)


def test_bits_find_the_leaf_that_walking_finds():
    rng = np.random.default_rng(0)
    sizes = [3, 9, 40, 2, 17]  # numbers of codes, from -1 on
    trees = [random_tree(rng, n_leaves, sizes) for n_leaves in (1, 2, 3, 7, 16, 16, 16)]
    rows = np.stack([rng.integers(-1, size - 1, 20_000) for size in sizes], axis=1).astype(np.int32)
    found = Forest.of(trees, sizes).logs(list(rows.T))
    expected = np.sum([tree.value[walked(tree, rows[:2000])] for tree in trees], axis=0)
    assert np.allclose(found[:2000], expected, atol=1e-5)
    again = Forest.of(trees, sizes).logs(list(rows[-100:].T))  # whatever block a row stands in
    assert np.array_equal(found[-100:], again)


def test_the_bound_is_that_of_the_most_frequent_rows_and_keeps_a_quarter():
    rng = np.random.default_rng(1)
    for spread in (0.3, 2.0, 4.0):
        logs = spread * rng.normal(size=4000) - 3
        bound = bound_of(logs)
        kept = np.minimum(1, np.exp(logs - bound)).mean()
        assert np.abs(logs - bound).min() < 1e-9
        assert kept >= LEAST_KEPT
        # the next larger bound would keep fewer, or it is the 99.5 % quantile
        above = np.sort(logs[logs > bound + 1e-9])[:1]
        if (logs > bound + 1e-9).sum() > 20:
            assert np.minimum(1, np.exp(logs - above)).mean() < LEAST_KEPT
    assert bound_of(np.zeros(50)) == 0.0


def shifts(n, seed=0):
    """Two shifts in three wards, and an age that some rows lack."""
    rng = np.random.default_rng(seed)
    ward, night = rng.choice(3, n, p=[0.2, 0.3, 0.5]), rng.random(n) < 0.5
    age = rng.integers(20, 60, n) + 20 * (ward == 0)
    gaps = rng.random(n) < 0.2
    return pl.DataFrame(
        {
            "ward": np.array(["icu", "er", "or"])[ward],
            "night": night,
            "age": pl.Series([None if gap else int(a) for gap, a in zip(gaps, age, strict=True)]),
        }
    )


@pytest.fixture(scope="module")
def plain():
    return fit(shifts(4000), engine="sequential_trees", settings={"rounds": 0}, privacy=NO_PRIVACY, seed=1)


@pytest.fixture(scope="module")
def refined(plain):
    """Twice as many rows of the first ward at night, half as many without an age, a third as many of the last pieces of age."""
    model = plain.model
    codes = codes_of(model.latents, model.bins)
    ward, night, has_age, age = range(4)
    assert [latent.variable.name for latent in model.latents] == ["ward", "night", "age", "age"]
    trees = (
        tree_of(
            [
                (ward, 0, 1, 4, 0),
                (night, 0, 2, 3, 0),
                (-1, 0, -1, -1, 0),
                (-1, 0, -1, -1, np.log(2)),
                (-1, 0, -1, -1, 0),
            ]
        ),
        tree_of([(age, len(codes[age]) // 2, 1, 2, 0), (-1, 0, -1, -1, 0), (-1, 0, -1, -1, -np.log(3))]),
    )
    margins = [np.zeros(len(own), dtype=np.float32) for own in codes]
    margins[age][-1] = -np.log(2)  # of rows without one
    ratio = Ratio(codes, trees, tuple(margins), float(np.log(2)))
    return replace(plain, model=replace(model, ratio=ratio))


def weights_of(pipeline, rows):
    """What the ratio above is, by hand, of rows: 2 at night in the first ward, 1/2 without an age, 1/3 above an age."""
    first = pipeline.schema.columns[0].categories[0]
    age = pipeline.model.latents[3].marginal
    least = int(age.lower[len(age.mass) // 2 + 1])
    at_night = ((rows["ward"] == first) & rows["night"]).to_numpy()
    return np.where(at_night, 2, 1) * np.where(
        rows["age"].is_null(), 1 / 2, np.where(rows["age"].fill_null(0) >= least, 1 / 3, 1)
    )


@pytest.fixture(scope="module")
def free(plain):
    """Rows as the sequence draws them, and what each weighs."""
    rows = plain.sample(200_000, seed=9)
    return rows, weights_of(plain, rows)


def agree(rows, free, weight):
    """Shares of what the ratio changes and of what goes with it, against weighted free rows; both have 4,000 rows or more."""
    wards = free["ward"].unique().sort().to_list()
    for name, chosen in {
        "night": lambda each: each["night"],
        "no age": lambda each: each["age"].is_null(),
        "old": lambda each: each["age"].fill_null(0) >= 50,
        **{ward: lambda each, ward=ward: each["ward"] == ward for ward in wards},
        **{
            f"{ward} at night": lambda each, ward=ward: (each["ward"] == ward) & each["night"]
            for ward in wards
        },
    }.items():
        expected = np.average(chosen(free).to_numpy(), weights=weight)
        # a share of 4,000 rows has a standard error below .008; nine shares in a few tests, fixed seeds
        assert chosen(rows).mean() == pytest.approx(expected, abs=0.035), name


def test_rows_are_drawn_in_proportion_to_the_ratio(refined, plain, free):
    rows = refined.sample(20_000, seed=1)
    assert rows.height == 20_000
    agree(rows, *free)
    unrefined = plain.sample(20_000, seed=1)
    agree(unrefined, free[0], np.ones(200_000))
    with pytest.raises(AssertionError):  # the ratio does change these shares
        agree(unrefined, *free)


@pytest.mark.parametrize("where", [{"night": True}, {"age": None}, {"age": {">=": 50}}])
def test_rows_under_conditions_follow_the_ratio_too(refined, free, where):
    rows = refined.sample(4000, seed=2, where=where)
    held, weight = free
    meets = (
        held["night"]
        if "night" in where
        else held["age"].is_null()
        if where["age"] is None
        else held["age"] >= 50
    )
    meets = meets.fill_null(False).to_numpy()
    agree(rows, held.filter(meets), weight[meets])


def test_completed_rows_follow_the_ratio_too(refined, plain, free):
    """Cells after those that are given, between them, and before them."""
    held, weight = free
    for given in ("ward", "night", "age"):
        chosen = held.head(6000).with_columns(pl.col("age").fill_null(33)).select(given)
        rows = refined.complete(chosen, seed=3)
        assert rows[given].equals(chosen[given])
        meets = {
            "ward": lambda each: each["ward"] == "or",
            "night": lambda each: each["night"],
            "age": lambda each: each["age"] == 33,
        }[given]
        is_met = meets(held).fill_null(False).to_numpy()
        mine, same = rows.filter(meets(rows).fill_null(False)), held.filter(is_met)
        assert mine.height > 1000
        for name in {"ward", "night", "age"} - {given}:
            value = {"ward": "er", "night": True, "age": None}[name]
            share = [each[name].is_null() if value is None else each[name] == value for each in (mine, same)]
            expected = np.average(share[1].to_numpy(), weights=weight[is_met])
            # 1,000 rows or more: four standard errors are below .065
            assert share[0].mean() == pytest.approx(expected, abs=0.065), (given, name)


def test_a_ratio_that_keeps_nothing_ends_all_the_same(refined):
    never = replace(refined.model.ratio, bound=1e6)
    drawn = draw_kept(replace(refined.model, ratio=never), 300, np.random.default_rng(0))
    assert drawn.n_rows == 300
    assert draw_kept(refined.model, 0, np.random.default_rng(0)).n_rows == 0


def test_margins_keep_columns_as_they_are(plain):
    """Weights that favour some rows, fitted to the columns: weighted shares of all cells against those of the source."""
    model = plain.model
    drawn = draw_kept(model, 60_000, np.random.default_rng(4))
    cells = cells_of(model.latents, model.bins)
    wanted = wanted_in(model.latents, cells, model.gates)
    source = shifts(4000)
    assert wanted[2] == pytest.approx([1 - source["age"].is_null().mean(), source["age"].is_null().mean(), 0])
    assert wanted[3][-1] == pytest.approx(source["age"].is_null().mean())
    logs = (
        1.0 * (drawn.pieces[0] == 0)
        + 0.05 * drawn.pieces[3]
        + 0.8 * ((drawn.pieces[0] == 1) & (drawn.pieces[1] == 1))
    )
    margins, bound = fit_margins(logs, drawn.pieces, cells, wanted)
    fitted = logs + sum(margin[drawn.pieces[axis]] for axis, margin in enumerate(margins))
    weight = np.exp(np.minimum(fitted - bound, 0))
    assert weight.mean() >= LEAST_KEPT
    for axis, shares in enumerate(wanted):
        found = (
            np.bincount(cells[axis][drawn.pieces[axis]], weights=weight, minlength=len(shares)) / weight.sum()
        )
        bent = (
            np.bincount(cells[axis][drawn.pieces[axis]], weights=np.exp(logs), minlength=len(shares))
            / np.exp(logs).sum()
        )
        # what 60,000 rows have by chance is left, at most .005 of them in a cell
        assert np.abs(found - shares).max() < 0.005
        assert np.abs(bent - shares).max() > 0.01 or axis == 1
    # what is not of one column stays: how much likelier the second level is at night in the second ward
    both = (drawn.pieces[0] == 1) & (drawn.pieces[1] == 1)
    odds = np.log(weight[both].mean() * weight[(drawn.pieces[0] == 2) & (drawn.pieces[1] == 0)].mean())
    odds -= np.log(
        weight[(drawn.pieces[0] == 1) & (drawn.pieces[1] == 0)].mean()
        * weight[(drawn.pieces[0] == 2) & (drawn.pieces[1] == 1)].mean()
    )
    assert odds == pytest.approx(0.8, abs=0.1)
