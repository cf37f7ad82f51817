"""Density ratios on top of the sequence: evaluation against walking, margins by brute force, and what thinning makes of drawn rows."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tabsynth.errors import ConditionError, ModelFileError
from tabsynth.model_folder import write_folder
from tabsynth.models.sequential_trees import SequentialTrees
from tabsynth.models.trees.drawing import draw_rows
from tabsynth.models.trees.forest import Forest
from tabsynth.models.trees.margins import LEAST_KEPT, bound_of, cells_of, fit_margins, wanted_in
from tabsynth.models.trees.ratios import Ratio, codes_of
from tabsynth.models.trees.refining import Source, most_trees_for, refine
from tabsynth.models.trees.thinning import draw_kept
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.privacy import NO_PRIVACY
from tabsynth.privacy.boosted import BoostedTree
from tabsynth.randomness import Streams
from tests.unit.hostile import parts_of, put
from tests.unit.privacy.test_density_ratio import walked


def tree_of(nodes):
    """Of (column, threshold, left, right, value) in preorder."""
    column, threshold, left, right, value = zip(*nodes, strict=True)
    integers = [np.array(part, dtype=np.int32) for part in (column, threshold, left, right)]
    return BoostedTree(*integers, np.array(value, dtype=np.float32))


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
    sizes = [3, 9, 40, 2, 17, 1500, 300, 8]  # numbers of codes, from -1 on
    trees = [random_tree(rng, n_leaves, sizes) for n_leaves in (1, 2, 3, 7, 16, 32, 31, 32, 32)]
    rows = np.stack([rng.integers(-1, size - 1, 40_000) for size in sizes], axis=1).astype(np.int32)
    forest = Forest.of(trees, sizes)
    # 2 · 3 · 8 · 9 = 432 codes share a table, 17 · 40 = 680 do, and 300 and 1500 stand alone
    assert forest.groups == (((3, 2), (0, 3), (7, 8), (1, 9)), ((4, 17), (2, 40)), ((6, 300),), ((5, 1500),))
    found = forest.logs(list(rows.T))
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
    ward, night, _has_age, age = range(4)
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


def test_completed_rows_follow_the_ratio_too(refined, free):
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


def tangled(n=4000):
    """Six numbers made of two others, so that all pairs depend on each other and more than pairs say."""
    rng = np.random.default_rng(6)
    u, v = rng.normal(size=n), rng.exponential(size=n)
    made = [u + v, u - v, u * v, np.abs(u) + v, u**2, v + 0.5 * u]
    return pl.DataFrame({f"x{k}": (one + 0.02 * rng.normal(size=n)).round(3) for k, one in enumerate(made)})


@pytest.fixture(scope="module")
def learned():
    return fit(tangled(), engine="sequential_trees", settings={"rounds": 1}, privacy=NO_PRIVACY, seed=2)


def residue(rows):
    """How far x0 + x1 is from twice the square root of x4, apart from sign; about .03 in the source at the median."""
    return float(((rows["x0"] + rows["x1"]).abs() - 2 * rows["x4"].clip(0).sqrt()).abs().median())


def test_what_the_sequence_misses_is_learned_and_columns_stay_as_they_are(learned):
    model = learned.model
    without = replace(learned, model=replace(model, ratio=None))
    assert residue(tangled()) < 0.05
    better, before = (residue(each.sample(40_000, seed=1)) for each in (learned, without))
    # a median of 40,000 rows has a standard error of about .7 %
    assert better < 0.96 * before
    for name in ("x0", "x2", "x4"):
        source = np.sort(tangled()[name].to_numpy())
        own = np.searchsorted(source, learned.sample(20_000, seed=1)[name].to_numpy()) / len(source)
        # Kolmogorov's distance of 20,000 rows from the distribution of 4,000: above .026 with probability .01
        assert np.abs(np.sort(own) - (np.arange(20_000) + 0.5) / 20_000).max() < 0.03


def flattered_in(model):
    """What the density ratio is told of how trees flatter themselves on rows that this model was fitted to."""
    told = []

    def listen(_real, _drawn, **settings):
        told.append(settings["flattered"])
        return []

    pieces = draw_rows(model, 300, np.random.default_rng(0)).pieces
    rows = [pieces[axis] for axis in range(len(model.latents))]
    assert refine(model, Source(rows, [], 300), listen, SequentialTrees(), Streams(0)) is None
    return told


def test_trees_are_believed_more_where_the_sequence_knows_the_rows(learned):
    rng = np.random.default_rng(8)
    unrelated = pl.DataFrame({f"x{k}": rng.normal(size=2000).round(3) for k in range(3)})
    alone = fit(
        unrelated, engine="sequential_trees", settings={"rounds": 0}, privacy=NO_PRIVACY, seed=2
    ).model
    assert all(tree.n_nodes == 1 for tree in alone.trees)
    assert not alone.tilts
    assert flattered_in(alone) == [1.0]
    model = replace(learned.model, ratio=None)
    # the first axis knows nothing of others, all others do: five columns, and the difference of two
    assert len(model.differences) == 1
    assert flattered_in(model) == [pytest.approx(1 - 0.2 * 6 / 7)]


def test_a_round_grows_fewer_trees_where_rows_are_few_for_their_columns_or_very_many():
    """4,553 rows of 47 columns (97 each): 4 · 4553 / 47 = 387; a million rows: 150; else a thousand, and never fewer than a hundred."""
    sizes = [(4553, 47), (24_403, 15), (10**6, 15), (10**7, 15), (300, 60), (200, 1)]
    assert [most_trees_for(*size) for size in sizes] == [387, 1000, 150, 100, 100, 800]


def test_one_seed_gives_one_ratio_and_no_rounds_none(learned):
    again = fit(tangled(), engine="sequential_trees", settings={"rounds": 1}, privacy=NO_PRIVACY, seed=2)
    assert list(again.model.arrays()) == list(learned.model.arrays())
    for name, array in again.model.arrays().items():
        assert np.array_equal(array, learned.model.arrays()[name]), name
    assert again.sample(500, seed=3).equals(learned.sample(500, seed=3))
    none = fit(tangled(), engine="sequential_trees", settings={"rounds": 0}, privacy=NO_PRIVACY, seed=2)
    assert none.model.ratio is None
    assert not any(name.startswith("ratio.") for name in none.model.arrays())
    for name, array in none.model.arrays().items():  # what was fitted before is the same
        assert np.array_equal(array, learned.model.arrays()[name]), name


def test_the_ratio_holds_no_number_of_the_source(learned):
    numbers = tangled().to_numpy()
    for name, array in learned.model.ratio.arrays().items():
        if array.dtype.kind == "f" and "value" in name:
            assert not np.isin(array[array != 0], numbers).any(), name


@pytest.fixture(scope="module")
def stored(learned, tmp_path_factory):
    return parts_of(learned, tmp_path_factory.mktemp("model") / "sound")


def test_a_stored_ratio_samples_as_before(learned, tmp_path):
    learned.save(tmp_path / "model")
    assert FittedPipeline.load(tmp_path / "model").sample(800, seed=4).equals(learned.sample(800, seed=4))


def twisted(array):
    """The first node's right child, one node too far on the left."""
    changed = array.copy()
    changed[0] -= 1
    return changed


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        ("column", put(0, 7), "asks for axes that there are not"),
        ("column", put(0, -2), "asks for axes that there are not"),
        ("column", lambda a: a.astype(np.int64), "expected int32 of shape"),
        ("threshold", put(0, -2), "values below -1"),
        ("threshold", lambda a: a[:-1], "expected int32 of shape"),
        ("left", put(0, 2), "not a tree in preorder"),
        ("left", put(-1, 3), "leaves with children"),
        ("right", put(0, 1 << 30), "not a tree in preorder"),
        ("right", twisted, "not a tree in preorder"),
        ("value", put(0, np.nan), "sums of logarithms that are not finite"),
        ("value", put(0, np.inf), "sums of logarithms that are not finite"),
        ("start", put(0, 1), "not the beginnings of its trees"),
        ("start", put(1, 0), "not the beginnings of its trees"),
        ("start", lambda a: a[[0, 2, *range(3, len(a))]], "a tree of more than 32 leaves|not a tree in preorder"),
        ("start", lambda a: a[:0], "not the beginnings of its trees"),
        ("bound", put(0, np.nan), "not a finite log ratio"),
        ("bound", lambda a: np.r_[a, a], "expected float64 of shape"),
        ("margin.0", put(0, 6.0), "log ratios that are not within"),
        ("margin.0", put(0, np.nan), "log ratios that are not within"),
        ("margin.0", lambda a: a[:-1], "expected float32 of shape"),
    ],
)  # fmt: skip
def test_a_hostile_ratio_is_refused(stored, tmp_path, name, change, fault):
    document, arrays = stored
    name = f"ratio.{name}"
    write_folder(tmp_path / "hostile", document, {**arrays, name: change(arrays[name])})
    with pytest.raises(ModelFileError, match=f"not a model this release can read: array .*({fault})"):
        FittedPipeline.load(tmp_path / "hostile")


def test_more_trees_than_any_fit_makes_are_refused(stored, tmp_path):
    """Each takes memory when rows are drawn: a file of 16,001 trees of one leaf is small, what it would need is not."""
    document, arrays = stored
    fits = {"column": -1, "threshold": 0, "left": -1, "right": -1, "value": 0.0}
    for n_trees, is_refused in ((16_000, False), (16_001, True)):
        many = {
            f"ratio.{part}": np.full(n_trees, value, arrays[f"ratio.{part}"].dtype)
            for part, value in fits.items()
        }
        many["ratio.start"] = np.arange(n_trees + 1)
        write_folder(tmp_path / str(n_trees), document, {**arrays, **many})
        if is_refused:
            with pytest.raises(ModelFileError, match="more than 16,000 trees"):
                FittedPipeline.load(tmp_path / str(n_trees))
        else:
            FittedPipeline.load(tmp_path / str(n_trees))


def test_a_ratio_is_whole_or_not_there(stored, tmp_path):
    document, arrays = stored
    half = {name: array for name, array in arrays.items() if name != "ratio.bound"}
    stray = {**arrays, "ratio.margin.99": arrays["ratio.margin.0"]}
    for number, changed in enumerate((half, stray)):
        write_folder(tmp_path / str(number), document, changed)
        with pytest.raises(ModelFileError, match=r"arrays: .*(missing|unknown)"):
            FittedPipeline.load(tmp_path / str(number))
    without = {name: array for name, array in arrays.items() if not name.startswith("ratio.")}
    write_folder(tmp_path / "without", document, without)
    assert FittedPipeline.load(tmp_path / "without").model.ratio is None


def test_conditions_that_nothing_meets_are_refused_with_a_ratio_too(refined):
    with pytest.raises(ConditionError, match="probability zero under the model"):
        refined.sample(10, where={"age": 77, "ward": "or", "night": True})
