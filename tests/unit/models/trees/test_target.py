"""A target's chances on top of the sequence: by hand, what they make of drawn rows, and stored ones."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tabsynth.errors import ModelFileError, UsageError
from tabsynth.model_folder import write_folder
from tabsynth.models.trees.target import (
    MOST_CLASSES,
    MOST_PLACES,
    MOST_SAID,
    NO_CLASS,
    TargetRatio,
    classes_of,
    places_of_values,
)
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.privacy import NO_PRIVACY
from tests.unit.hostile import parts_of, put
from tests.unit.models.trees.test_refining import random_tree
from tests.unit.privacy.test_density_ratio import walked


@pytest.mark.parametrize("n_classes", [2, 3])
def test_logs_are_what_both_sums_of_trees_make_of_a_rows_class(n_classes):
    """The target on axis 1; axes 0 and 2 of four and six pieces, their codes in another order."""
    rng = np.random.default_rng(n_classes)
    codes = {0: np.array([2, 0, 1, 3, -1], np.int32), 2: np.array([5, 4, 0, 1, 2, 3, -1], np.int32)}
    classes = np.arange(n_classes, dtype=np.int32)
    n_scores = 1 if n_classes == 2 else n_classes

    def trees():
        found = [random_tree(rng, 5, [5, 1, 7]) for _ in range(4 * n_scores)]
        return tuple(
            replace(tree, column=np.where(tree.column == 1, 2, tree.column).astype(np.int32))
            for tree in found
        )

    ratio = TargetRatio(1, classes, codes, trees(), trees())
    pieces = {
        axis: rng.integers(0, size, 300).astype(np.int32) for axis, size in ((0, 4), (1, n_classes), (2, 6))
    }
    pieces[0][:40] = -1
    rows = np.stack([codes[0][pieces[0]], np.zeros(300, np.int32), codes[2][pieces[2]]], axis=1)

    def log_chance(trees):
        every = np.zeros((n_classes, 300))
        for number, tree in enumerate(trees):
            every[number % n_scores + (n_classes == 2)] += tree.value[walked(tree, rows)]
        return (every - np.log(np.exp(every).sum(axis=0)))[pieces[1], np.arange(300)]

    expected = log_chance(ratio.source) - log_chance(ratio.drawn)
    assert np.abs(expected).max() > 0.5
    assert np.allclose(ratio.logs(pieces), np.clip(expected, -MOST_SAID, MOST_SAID), atol=1e-5)
    unknown = replace(ratio, classes=np.where(classes == 0, NO_CLASS, classes).astype(np.int32))
    some = np.where(pieces[1] == 0, 0.0, np.clip(expected, -MOST_SAID, MOST_SAID))
    assert np.allclose(unknown.logs(pieces), some, atol=1e-5)


def test_classes_are_frequent_levels_and_the_rest_together_none_of_few_rows():
    n_rows = np.random.default_rng(0).integers(50, 900, 30)
    order = np.argsort(-n_rows, kind="stable")
    found = classes_of(n_rows, 30)
    assert found[order].tolist() == [*range(MOST_CLASSES - 1), *[MOST_CLASSES - 1] * 15]
    assert classes_of(np.array([20, 80]), 30).tolist() == [NO_CLASS, 0]
    assert classes_of(np.array([200, 800, 29, 0]), 30).tolist() == [1, 0, NO_CLASS, NO_CLASS]
    assert classes_of(np.array([200, 800, 20, 10]), 30).tolist() == [1, 0, 2, 2]
    sixteen = np.arange(16) * 10 + 100
    assert classes_of(sixteen, 30).tolist() == list(range(15, -1, -1))
    assert classes_of(np.append(sixteen, 1), 30).tolist() == [15, *range(14, -1, -1), 15]
    assert classes_of(np.append(sixteen, 0), 30)[:16].tolist() == list(range(15, -1, -1))


def test_places_of_numbers_are_stretches_of_as_many_rows():
    mass = np.random.default_rng(1).dirichlet(np.ones(300))
    found = places_of_values(mass)
    assert found[-1] == -1
    assert (np.diff(found[:-1]) >= 0).all()
    assert np.bincount(found[:-1], weights=mass).max() < 3 / MOST_PLACES
    assert places_of_values(np.array([0.5, 0.3, 0.2])).tolist() == [0, 1, 2, -1]


def test_a_target_of_numbers_is_refused():
    rng = np.random.default_rng(3)
    frame = pl.DataFrame({"amount": rng.normal(size=3000), "x": rng.integers(0, 5, 3000)})
    with pytest.raises(
        UsageError, match=r"the target .amount. is a column of numbers.+declare it categorical"
    ):
        fit(frame, engine="sequential_trees", settings={"target": "amount"}, privacy=NO_PRIVACY)


def majority(n, seed=0):
    """Whether most of five flags are up, with a chance of .9."""
    rng = np.random.default_rng(seed)
    flags = rng.random((n, 5)) < 0.5
    risk = (flags.sum(axis=1) > 2) == (rng.random(n) < 0.9)
    frame = {f"f{k}": flags[:, k] for k in range(5)}
    return pl.DataFrame(
        frame | {"risk": np.where(risk, "high", "low"), "noise": rng.choice(list("abcde"), n)}
    )


def most_are_up(rows):
    return sum(rows[f"f{k}"].cast(pl.Int64) for k in range(5)) > 2


def follows(rows):
    """The share of rows whose risk is what the number of flags says."""
    return float((most_are_up(rows) == (rows["risk"] == "high")).mean())


SETTINGS = {
    "rounds": 0,
    "min_leaf": 600,
    "penalty": 1e6,
}  # no split is borne out, so the sequence knows frequencies alone


@pytest.fixture(scope="module")
def plain():
    return fit(majority(6000), engine="sequential_trees", settings=SETTINGS, privacy=NO_PRIVACY, seed=1)


@pytest.fixture(scope="module")
def aimed():
    settings = {**SETTINGS, "min_leaf": 30, "target": "risk"}
    return fit(majority(6000), engine="sequential_trees", settings=settings, privacy=NO_PRIVACY, seed=1)


def test_what_the_sequence_misses_of_a_target_is_learned_and_columns_stay_as_they_are(plain, aimed):
    assert follows(plain.sample(20_000, seed=2)) == pytest.approx(0.5, abs=0.02)
    rows = aimed.sample(20_000, seed=2)
    # .9 in the source; a share of 20,000 rows has a standard error below .003, and trees draw chances towards the mean
    assert 0.82 < follows(rows) < 0.91
    source = majority(6000)
    for name in source.columns:
        for value in source[name].unique():
            share, own = ((frame[name] == value).mean() for frame in (source, rows))
            assert own == pytest.approx(share, abs=0.015), (name, value)


def test_rows_under_conditions_have_the_targets_chances_too(aimed):
    free = aimed.sample(40_000, seed=3)
    for where in ({"risk": "high"}, {"f0": True, "f1": False}):
        rows = aimed.sample(3000, seed=4, where=where)
        for name, value in where.items():
            assert (rows[name] == value).all()
        same = free.filter(*(pl.col(name) == value for name, value in where.items()))
        # 3,000 rows: four standard errors of a share are below .03
        assert follows(rows) == pytest.approx(follows(same), abs=0.03), where
    given = majority(2000, seed=9).select("f0", "f1", "f2", "f3", "f4")
    # rows that are completed have four passes of eight proposals, which come near
    assert follows(aimed.complete(given, seed=5)) == pytest.approx(follows(free), abs=0.05)


def test_a_target_of_which_nothing_is_said_changes_nothing():
    shuffled = {**SETTINGS, "min_leaf": 30, "target": "noise"}
    found = fit(majority(6000), engine="sequential_trees", settings=shuffled, privacy=NO_PRIVACY, seed=1)
    assert found.model.ratio is None
    few = fit(
        majority(150), engine="sequential_trees", settings={"target": "risk"}, privacy=NO_PRIVACY, seed=1
    )
    assert few.model.ratio is None  # nothing to judge trees by
    assert few.sample(10, seed=0).height == 10


@pytest.mark.parametrize("limits", [{}, {"min_leaf": 1, "min_group": 1}])
def test_rare_classes_are_neither_told_of_nor_lost(limits):
    """Two or six of 12 rows each, whatever a leaf may hold."""
    frame = majority(12_000)
    rare = np.repeat([f"rare{k}" for k in range(6)], 12)
    labels = np.r_[rare[:24], frame["risk"].to_numpy()[24:]]
    for n_rare in (24, 72):
        labels[:n_rare] = rare[:n_rare]
        named = frame.with_columns(risk=pl.Series(labels))
        settings = {"rounds": 0, "target": "risk", **limits}
        found = fit(named, engine="sequential_trees", settings=settings, privacy=NO_PRIVACY, seed=3)
        target = found.model.ratio.target
        # 24 rows together are too few for a class, 72 are one
        assert (target.classes == NO_CLASS).sum() == (2 if n_rare == 24 else 0)
        assert target.n_classes == (2 if n_rare == 24 else 3)
        drawn = found.sample(60_000, seed=1)
        share = drawn["risk"].str.starts_with("rare").mean()
        # 120 or 360 rows expected: four standard errors are 40 and 22 %
        assert share == pytest.approx(n_rare / 12_000, rel=0.4)


def test_what_chance_made_of_many_levels_is_not_learned():
    """Three columns of 150 levels and classes that have nothing to do with them."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        frame = pl.DataFrame(
            {f"c{k}": [f"l{level}" for level in rng.integers(0, 150, 3000)] for k in range(3)}
            | {"y": rng.choice(["p", "q"], 3000)}
        )
        found = fit(frame, engine="sequential_trees", settings={"target": "y"}, privacy=NO_PRIVACY, seed=seed)
        assert found.model.ratio is None or found.model.ratio.target is None


def test_a_target_must_be_a_column_that_is_modelled():
    with pytest.raises(
        UsageError, match=r"sequential_trees: the target .rusk. is not a column.*did you mean .risk."
    ):
        fit(majority(50), engine="sequential_trees", settings={"target": "rusk"}, privacy=NO_PRIVACY)


def test_the_ledger_tells_that_a_target_was_learned(plain, aimed):
    def read(pipeline):
        return [charge for charge in pipeline.ledger.charges if "target" in charge.statistic]

    assert read(plain) == []
    (charge,) = read(aimed)
    assert charge.columns[-1] == "risk"
    assert sorted(charge.columns) == sorted(majority(1).columns)


def test_one_seed_gives_one_target_and_a_folder_samples_as_before(aimed, tmp_path):
    settings = {**SETTINGS, "min_leaf": 30, "target": "risk"}
    again = fit(majority(6000), engine="sequential_trees", settings=settings, privacy=NO_PRIVACY, seed=1)
    assert list(again.model.arrays()) == list(aimed.model.arrays())
    for name, array in again.model.arrays().items():
        assert np.array_equal(array, aimed.model.arrays()[name]), name
    aimed.save(tmp_path / "model")
    assert FittedPipeline.load(tmp_path / "model").sample(700, seed=4).equals(aimed.sample(700, seed=4))


@pytest.fixture(scope="module")
def stored(aimed, tmp_path_factory):
    return parts_of(aimed, tmp_path_factory.mktemp("model") / "sound")


def key_of(arrays, part):
    return next(name for name in arrays if name.startswith(f"ratio.target.{part}"))


@pytest.mark.parametrize(
    ("part", "change", "fault"),
    [
        ("axis", put(0, 7), "no axis of levels"),
        ("axis", put(0, -1), "no axis of levels"),
        ("classes", put(0, 16), "codes that are not within -1 and 15"),
        ("classes", put(0, -2), "codes that are not within -1 and 15"),
        ("classes", np.zeros_like, "a single class"),
        ("classes", lambda a: a[:-1], "expected int32 of shape"),
        ("codes.", put(0, -2), "codes that are not within -1"),
        ("codes.", lambda a: a.astype(np.int64), "expected int32 of shape"),
        ("codes.", put(0, 63), "codes that are not within -1 and 62"),
        ("source.column", put(0, 99), "asks for axes that there are not"),
        ("source.start", put(0, 1), "not the beginnings of its trees"),
        ("drawn.value", put(-1, np.nan), "that are not finite"),
        ("drawn.left", put(1, 3), "not a tree in preorder"),
    ],
)
def test_a_hostile_target_is_refused(stored, tmp_path, part, change, fault):
    document, arrays = stored
    name = key_of(arrays, part)
    hostile = {**arrays, name: change(arrays[name])}
    write_folder(tmp_path / "hostile", document, hostile)
    with pytest.raises(ModelFileError, match=f"not a model this release can read: array .*({fault})"):
        FittedPipeline.load(tmp_path / "hostile")


def test_a_target_with_other_numbers_of_trees_is_refused(stored, tmp_path):
    document, arrays = stored
    n_trees = len(arrays["ratio.target.source.start"]) - 1
    n_classes = next(n for n in (3, 5, 7, 11, 13) if n_trees % n)
    more = put(1, n_classes - 1)(arrays["ratio.target.classes"])
    write_folder(tmp_path / "hostile", document, {**arrays, "ratio.target.classes": more})
    with pytest.raises(ModelFileError, match="not as many trees for every class"):
        FittedPipeline.load(tmp_path / "hostile")


def test_codes_that_say_nothing_are_no_crash(stored, tmp_path):
    document, arrays = stored
    nowhere = {
        name: np.full_like(array, -1)
        for name, array in arrays.items()
        if name.startswith("ratio.target.codes")
    }
    write_folder(tmp_path / "model", document, {**arrays, **nowhere})
    assert FittedPipeline.load(tmp_path / "model").sample(50, seed=0).height == 50


def test_a_target_is_whole_or_not_there(stored, tmp_path):
    document, arrays = stored
    codes = key_of(arrays, "codes.")
    half = {name: array for name, array in arrays.items() if name != codes}
    stray = {**arrays, "ratio.target.codes.99": arrays[codes]}
    axis = {name: array for name, array in arrays.items() if name != "ratio.target.axis"}
    other = {**arrays, "ratio.target.axis": arrays["ratio.target.axis"] - 1}
    for number, changed in enumerate((half, stray, axis, other)):
        write_folder(tmp_path / str(number), document, changed)
        with pytest.raises(ModelFileError, match=r"missing|unknown"):
            FittedPipeline.load(tmp_path / str(number))
