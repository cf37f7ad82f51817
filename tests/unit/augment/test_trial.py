"""A trial finds a difference where there is one, and none where there is none."""

import io
import json

import pytest

import tabsynth
from tabsynth.augment import TrialResults, read_ratio, trial
from tabsynth.augment.results import FIGURES, Outcome
from tabsynth.errors import DataError, UsageError
from tabsynth.metrics.plain_learners import Linear
from tabsynth.models.registry import make_engine
from tabsynth.report.augment import lead_of, render_augment, render_augment_html, verdict_of
from tests.unit.augment.tables import BY_PERSON, SCHEMA, claims


def tried(n=600, *, schema=SCHEMA, **named) -> TrialResults:
    quick = {"logistic regression": Linear()}
    named = {
        "to": read_ratio("1:3"), "target": "fraud", "splits": 2, "recipe": make_engine("independent"),
        "learners": quick, **named,
    }  # fmt: skip
    return trial(claims(n, schema=schema), **named)


@pytest.fixture(scope="module")
def results() -> TrialResults:
    return tried(learners=None)


def test_every_arm_is_asked_about_the_same_rows(results):
    assert results.arms[:3] == ("nothing", "class weights", "random oversampling")
    assert results.arms[-1] == "independent"
    assert results.learners == ("LightGBM", "logistic regression", "random forest")
    # of 600 rows 50 are of the class: 15 and 165 of the others are test; 385 others ask for 129, 35 are there
    assert (results.n_train, results.n_test, results.n_positive, results.n_added) == (420, 180, 15, 94)
    for arm in results.arms:
        for learner in results.learners:
            for figure in FIGURES:
                assert len(results.find(arm, learner, figure).values) == 2
    with pytest.raises(KeyError):
        results.find("magic", "LightGBM", "pr_auc")


def test_learners_find_the_class_and_weights_move_probabilities(results):
    """Two numbers tell the class with a true AUC of Φ(1.5/√2) = .856; 15 positives give a standard error of .05."""
    assert 0.65 < results.find("nothing", "logistic regression", "roc_auc").mean < 0.99
    assert results.gain("class weights", "nothing", "logistic regression", "brier").mean < 0


def test_an_engine_that_knows_nothing_of_the_class_does_not_help():
    """Independent columns given the class are those of the whole table: the rows of the class look like any."""
    found = tried(1200, splits=3)
    assert found.gain("independent", "nothing", "logistic regression").lower < 0
    assert verdict_of(found) in ("harmed", "no difference seen")


def test_results_go_to_json_and_back(results, tmp_path):
    results.write_json(tmp_path / "r.json")
    assert TrialResults.read_json(tmp_path / "r.json") == results
    assert json.loads((tmp_path / "r.json").read_text("utf-8"))["format"] == "tabsynth-augment/1"


def test_one_seed_gives_one_trial(results):
    again = tried()
    mine = [one for one in results.outcomes if one.learner == "logistic regression"]
    assert list(again.outcomes) == mine


def test_persons_are_not_split_and_large_tables_are_cut():
    found = tried(schema=BY_PERSON, max_rows=500)
    assert any("500 rows drawn at random from 600" in note for note in found.notes)
    assert any("All rows of one person" in note for note in found.notes)
    assert found.n_rows == 500


def test_a_slice_is_scored_on_its_own_rows():
    found = tried(1200, where={"region": "south"}, to=read_ratio("3:1"))
    south = (claims(1200).frame["region"] == "south").sum()
    assert found.n_test < 0.45 * south
    assert found.slice_label == "the slice by 'region'"


@pytest.mark.parametrize(
    ("named", "error", "said"),
    [
        ({"splits": 1}, UsageError, "2 splits or more"),
        ({"test_share": 1.0}, UsageError, "test share"),
        ({"precision": 0.0}, UsageError, "the precision"),
        ({"seed": -1}, UsageError, "the seed"),
        ({"target": "age"}, UsageError, "kind integer"),
        ({"to": read_ratio("1:20")}, UsageError, "nothing to try"),
        ({"n": 120}, DataError, "10 rows are of the class"),
    ],
)
def test_trials_that_cannot_be_meant(named, error, said):
    with pytest.raises(error, match=said):
        tried(**named)


def made_up(engine: tuple[float, float], weights: tuple[float, float] = (0.4, 0.4)) -> TrialResults:
    """One learner's PR-AUC in two splits: nothing .40 and .40."""
    arms = {
        "nothing": (0.4, 0.4),
        "class weights": weights,
        "random oversampling": (0.3, 0.3),
        "trees": engine,
    }
    return TrialResults(
        title="t", target="y", slice_label="s", to="1:2", engine="trees", arms=tuple(arms), learners=("LightGBM",),
        precision=0.5, n_rows=10, n_train=7, n_test=3, n_positive=2, n_added=3, seed=0,
        outcomes=tuple(
            Outcome(arm=arm, learner="LightGBM", figure=figure, values=values)
            for arm, values in arms.items()
            for figure in FIGURES
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("engine", "weights", "verdict", "said"),
    [
        ((0.50, 0.51), (0.45, 0.46), "beyond simple remedies", "helped: PR-AUC rose for 1 of 1"),
        ((0.50, 0.51), (0.55, 0.55), "no more than simple remedies", "for none beyond class weights"),
        ((0.30, 0.50), (0.4, 0.4), "no difference seen", "did not help as far as 2 splits"),
        ((0.30, 0.31), (0.4, 0.4), "harmed", "did not help: PR-AUC fell for 1 of 1"),
    ],
)
def test_the_sentence_goes_by_the_intervals(engine, weights, verdict, said):
    """t(.975, 1) = 12.7, so equal differences are certain; .50 and .51 are .105 ± .087 above .40."""
    found = made_up(engine, weights)
    assert verdict_of(found) == verdict
    assert said in lead_of(found)


def test_the_page_and_the_terminal_show_every_arm(results):
    from rich.console import Console

    page = render_augment_html(results)
    for arm in results.arms:
        assert arm in page
    assert page.count("<svg") == len(FIGURES)
    buffer = io.StringIO()
    render_augment(results, Console(file=buffer, width=140))
    shown = buffer.getvalue()
    assert "PR-AUC" in shown
    assert "Private output" in shown


def test_from_python():
    found = tabsynth.augment_trial(
        claims(240).frame, target="fraud", to="1:3", engine="independent", schema=SCHEMA, splits=2
    )
    assert isinstance(found, tabsynth.TrialResults)
