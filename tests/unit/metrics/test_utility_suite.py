"""Learners, schemes, importances and groups on tables whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from tabsynth.metrics.base import Status
from tabsynth.metrics.plain_learners import Boosted, Forest, Linear, n_classes_of
from tabsynth.metrics.utility import Utility
from tabsynth.metrics.utility_suite import INFOS, UtilitySuite, group_columns, rank_agreement
from tabsynth.randomness import Streams
from tests.unit.metrics.tables import category, eval_data, integer, number, rows_of, schema_of

QUICK = UtilitySuite(n_rounds=20, n_trees=20)
SCHEMA = schema_of(
    number("x"),
    number("y"),
    category("noise"),
    category("group", "gh"),
    category("two", "pq"),
    category("three"),
    integer("amount"),
)
LEARNERS = ("boosting", "linear", "forest")


def make(rng, n, strength=1.0, broken=""):
    """Targets follow x, and y a little; in the group `broken` they follow nothing."""
    x, y, group = rng.normal(size=n), rng.normal(size=n), rng.choice(list("gh"), n)
    hidden = strength * (x + 0.3 * y) + 0.3 * rng.normal(size=n)
    hidden = np.where(group == broken, rng.permutation(hidden), hidden)
    return {
        "x": x.tolist(),
        "y": y.tolist(),
        "noise": rng.choice(list("abc"), n).tolist(),
        "group": group.tolist(),
        "two": np.where(hidden > 0, "p", "q").tolist(),
        "three": np.array(list("abc"))[np.digitize(hidden, [-0.5, 0.5])].tolist(),
        "amount": np.rint(1000 * hidden).astype(int).tolist(),
    }


@pytest.fixture(scope="module")
def tables():
    rng = np.random.default_rng(0)
    return make(rng, 1_000), make(rng, 1_000), make(rng, 1_000)


def compute(tables, target, suite=QUICK, **named):
    # the other targets say what this one is: they are left out
    kept = [column for column in SCHEMA.columns if column.name not in {"two", "three", "amount"} - {target}]
    cells = [{column.name: side[column.name] for column in kept} for side in tables]
    data = replace(eval_data(schema_of(*kept), *cells, target), **named)
    return rows_of(suite.compute(data, streams=Streams(0)))


@pytest.mark.parametrize(("target", "measure"), [("two", "AUC"), ("three", "AUC"), ("amount", "R²")])
def test_every_learner_and_scheme_scores_a_good_table_like_real_rows(tables, target, measure):
    found = compute(tables, target)
    for learner in LEARNERS:
        for scheme in ("tstr", "trts", "augmented"):
            if (scheme, learner) == ("tstr", "boosting"):
                continue
            row = found[(f"{scheme}_{learner}",)]
            assert row.status is Status.OK
            assert row.value > (0.75 if measure == "R²" else 0.9)
            assert row.value == pytest.approx(row.floor, abs=0.05)
            assert row.interval[0] <= row.value <= row.interval[1]
            assert row.reason == f"{measure}; 1,000 rows of each table, 1,000 rows asked"


def test_a_table_without_the_link_fails_tstr_and_trts_and_hardly_hurts_beside_real_rows(tables):
    synthetic, train, holdout = tables
    shuffled = synthetic | {"two": np.random.default_rng(1).permutation(synthetic["two"]).tolist()}
    found = compute((shuffled, train, holdout), "two")
    for learner in LEARNERS:
        # 1,000 rows of no use: an AUC of .5 ± .02 on synthetic labels, six deviations below .62
        assert found[(f"trts_{learner}",)].value < 0.62
        assert found[(f"trts_{learner}",)].floor > 0.9
        assert found[(f"augmented_{learner}",)].value > 0.85
    assert found[("tstr_linear",)].value < 0.85


def test_a_table_that_overdraws_the_pattern_scores_above_the_floor_on_itself():
    rng = np.random.default_rng(2)
    tables = make(rng, 800, strength=5.0), make(rng, 800), make(rng, 800)
    row = compute(tables, "two")[("trts_linear",)]
    assert row.value > row.floor


def test_importances_agree_where_the_same_columns_matter(tables):
    synthetic, train, holdout = tables
    row = compute(tables, "two")[("importance_agreement",)]
    assert row.value > 0.5
    assert row.floor > 0.5
    assert row.details[0].floor is not None
    swapped = synthetic | {"x": synthetic["noise"], "y": synthetic["y"]}
    swapped["x"] = np.random.default_rng(3).normal(size=1_000).tolist()
    lost = compute((swapped, train, holdout), "two")[("importance_agreement",)]
    assert lost.details[0].label == "x"
    assert lost.details[0].value < lost.details[0].floor


def test_rank_agreement_is_spearmans_with_ties():
    rng = np.random.default_rng(4)
    first, second = rng.integers(0, 5, 30), rng.integers(0, 5, 30)
    assert rank_agreement(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    assert rank_agreement([1, 2, 3], [30, 20, 10]) == pytest.approx(-1.0)
    assert rank_agreement([1, 1, 1], [1, 2, 3]) is None


def test_the_group_that_was_lost_is_the_worst(tables):
    _, train, holdout = tables
    synthetic = make(np.random.default_rng(5), 1_000, broken="h")
    found = compute((synthetic, train, holdout), "two", quasi_identifiers=("group",), sensitive=("noise",))
    row = found[("group_utility",)]
    assert row.value < row.floor - 0.05
    assert "by group" in row.reason
    assert row.details[0].label == f"group, group 2 ({holdout['group'].count('h'):,} rows)"
    assert found[("group_utility", "noise")].columns == ("noise",)
    assert ("group_utility", "x") not in found


def test_a_number_is_grouped_by_quarters_of_train(tables):
    parts = compute(tables, "amount", quasi_identifiers=("y",))[("group_utility", "y")].details
    assert len(parts) == 4


def test_without_names_the_columns_with_most_levels_are_groups(tables):
    data = eval_data(SCHEMA, *tables, "two")
    assert group_columns(data, data.encoded_holdout) == ["noise", "three", "group"]


def test_no_group_is_large_enough(tables):
    few = [{name: cells[:60] for name, cells in side.items()} for side in tables]
    row = compute(few, "two", quasi_identifiers=("group",))[("group_utility",)]
    assert row.reason == "no column has a group of 100 holdout rows in which the target varies"


def test_a_target_that_does_not_vary_fails_beside_its_floor(tables):
    synthetic, train, holdout = tables
    found = compute((synthetic | {"two": ["p"] * 1_000}, train, holdout), "two")
    for name in ("tstr_linear", "trts_forest", "importance_agreement", "group_utility"):
        assert found[(name,)].status is Status.FAILED
        assert found[(name,)].reason == "the target does not vary in the synthetic table"
    assert found[("tstr_linear",)].floor > 0.9
    assert found[("augmented_linear",)].status is Status.OK


def test_every_figure_says_why_there_is_no_target(tables):
    found = rows_of(QUICK.compute(eval_data(SCHEMA, *tables), streams=Streams(0)))
    assert {key[0] for key in found} == {info.name for info in INFOS}
    assert {row.reason for row in found.values()} == {"no target was named"}


def test_too_few_columns_cannot_be_ranked():
    rng = np.random.default_rng(6)
    x = rng.normal(size=200)
    cells = {"x": x.tolist(), "two": np.where(x > 0, "p", "q").tolist()}
    data = eval_data(schema_of(number("x"), category("two", "pq")), cells, cells, cells, "two")
    row = rows_of(QUICK.compute(data, streams=Streams(0)))[("importance_agreement",)]
    assert row.reason == "needs 3 columns beside the target, found 1"


def test_importances_of_trees_that_learn_nothing_are_a_reason():
    # 12 rows: no leaf may be split, so nothing is gained
    cells = {name: ["a", "b", "c"] * 4 for name in ("a", "b", "c")} | {"two": ["p", "q"] * 6}
    schema = schema_of(category("a"), category("b"), category("c"), category("two", "pq"))
    found = rows_of(QUICK.compute(eval_data(schema, cells, cells, cells, "two"), streams=Streams(0)))
    assert found[("importance_agreement",)].reason == "no column gains anything in train or in synthetic"


@pytest.mark.parametrize("learner", [Boosted(0, 30), Linear(), Forest(0, 30)])
@pytest.mark.parametrize("target", ["two", "three", "amount"])
def test_learners_predict_what_another_library_scores(tables, learner, target):
    synthetic = tables[0]
    if target == "three":  # a class that is never learnt has a column all the same
        synthetic = synthetic | {"three": ["a" if cell == "c" else cell for cell in synthetic["three"]]}
    task, _ = Utility().task(eval_data(SCHEMA, synthetic, *tables[1:], target), Streams(0))
    (predicted,) = learner.teach(task, task.synthetic, [task.holdout]).predictions
    labels = task.labels(task.holdout)
    if target == "three":
        assert predicted.shape == (1_000, 3)
        assert predicted.sum(axis=1) == pytest.approx(np.ones(1_000))
        assert n_classes_of(task) == 3
    elif target == "two":
        assert roc_auc_score(labels, predicted) > 0.95
    else:
        assert np.corrcoef(labels, predicted)[0, 1] > 0.95
