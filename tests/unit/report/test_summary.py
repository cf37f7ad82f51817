from __future__ import annotations

from dataclasses import replace
from io import StringIO

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from tabsynth.evaluate import Results, evaluate
from tabsynth.metrics.base import Detail, Direction, MetricInfo, MetricResult, Status
from tabsynth.metrics.proximity import ExactCopies, NearestRows
from tabsynth.metrics.typical import TypicalRows
from tabsynth.report.html import render_html
from tabsynth.report.score import Score
from tabsynth.report.sections import card
from tabsynth.report.summary import summarise
from tabsynth.report.terminal import render_terminal
from tabsynth.report.verdict import Level
from tabsynth.report.views import score_row
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.table import Table

from .sample_results import INFOS, make_results


def test_the_first_sentence_answers_all_four_questions() -> None:
    lead = summarise(make_results()).lead
    assert lead == (
        "The synthetic table is only roughly like the real table, "
        "nearly as useful for predicting income (TSTR AUC 0.902, real rows 0.924), "
        "and easily told from real by a classifier (AUC 0.941, chance 0.5); "
        "it carries no privacy guarantee and is not anonymous by construction."
    )


def test_rows_that_were_asked_for_are_said_to_differ_on_purpose() -> None:
    plain = make_results()
    asked = replace(plain, steered=("died", *"abcdef"))
    said = (
        "These rows were asked for under conditions or in shares of died, a, b, c, d and 2 more: there, and in what goes along, "
        "they differ from the real table on purpose, and the figures below count that as error."
    )
    assert summarise(asked).lead == f"{said} {summarise(plain).lead}"
    out = StringIO()
    render_terminal(asked, Console(file=out, width=4000))
    assert said in out.getvalue()
    assert said in render_html(asked)
    assert Results.from_dict(asked.to_dict()).steered == asked.steered


def test_the_first_sentence_sets_columns_against_pairs() -> None:
    results = make_results()
    table = [result for result in results.metrics if result.metric != "shape_error" or result.columns]
    good = replace(
        results,
        metrics=(MetricResult(metric="shape_error", value=0.005, floor=0.006), *table),
    )
    assert "faithful in its single columns but off in how columns go together" in summarise(good).lead


def test_what_was_not_measured_is_said() -> None:
    bare = replace(make_results(), metrics=(), guarantee="", target=None)
    report = summarise(bare)
    assert report.lead == (
        "The synthetic table is of unknown fidelity, of unmeasured use for training, "
        "and not tested against a classifier; no privacy guarantee is stated."
    )
    assert report.columns == report.pairs == report.groups == ()
    assert not report.guarantee.is_stated


def test_only_columns_or_only_pairs() -> None:
    results = make_results()
    columns = replace(results, metrics=tuple(result for result in results.metrics if len(result.columns) < 2))
    pairs = replace(
        results,
        metrics=tuple(
            result for result in results.metrics if len(result.columns) == 2 or result.metric == "trend_error"
        ),
    )
    assert "The synthetic table is off in its single columns," in summarise(columns).lead
    assert "The synthetic table is off in how columns go together," in summarise(pairs).lead


def test_a_stated_guarantee_ends_the_sentence() -> None:
    report = summarise(make_results(guarantee="Differentially private: ε = 1, δ = 1e-06."))
    assert report.lead.endswith("; its guarantee: Differentially private: ε = 1, δ = 1e-06.")
    assert report.guarantee.is_given
    assert not report.guarantee.is_none


def with_figures(*figures: MetricResult, infos: tuple[MetricInfo, ...] = INFOS) -> Results:
    """The standard results with these table-level figures in the place of their own."""
    results = make_results()
    names = {figure.metric for figure in figures}
    kept = (result for result in results.metrics if result.columns or result.metric not in names)
    return replace(results, metrics=(*figures, *kept), infos=infos)


def test_an_alarm_goes_before_everything_else() -> None:
    copied = MetricResult(metric="exact_copy_share", value=1.0, floor=0.0005, interval=(0.999, 1.0))
    near = MetricResult(metric="nearest_row_share", value=0.545, floor=0.5, interval=(0.53, 0.56))
    report = summarise(with_figures(near, copied))
    assert report.lead.startswith(
        "Strong alarm: exact copies 100% (real rows 0.050%) and nearest-row share 54.5% (real rows 50.0%). "
        "The synthetic rows repeat or hug the rows they were made from"
    )
    assert report.lead.endswith(report.finding)
    assert report.finding.startswith("The synthetic table is ")
    assert summarise(make_results()).alarm == ""


@pytest.mark.parametrize(
    ("interval", "alarms"),
    [
        (None, True),
        ((0.52, 0.57), True),  # half a width of .025: .045 is beyond √2 times that
        ((0.50, 0.59), False),  # .045 is within √2 times .045
    ],
)
def test_few_rows_do_not_alarm_by_chance(interval: tuple[float, float] | None, alarms: bool) -> None:
    near = MetricResult(metric="nearest_row_share", value=0.545, floor=0.5, interval=interval)
    assert bool(summarise(with_figures(near)).alarm) == alarms


def test_clumps_ring_no_alarm_and_copies_with_noise_do() -> None:
    """Degenerate rows all lie nearest to one real row; a copy with noise lies nearest to the row it was made from."""
    rng = np.random.default_rng(11)
    columns = tuple(
        Column(name=name, kind=Kind.NUMBER, dtype="float64", bounds=(-60.0, 60.0)) for name in "abcd"
    )
    schema = TableSchema(name="t", columns=columns)

    def table(cells: np.ndarray) -> Table:
        return Table(schema, pl.DataFrame(cells, schema=list("abcd"), orient="row"))

    train, holdout = (table(rng.normal(size=(600, 4))) for _ in range(2))
    metrics = (ExactCopies(), NearestRows(), TypicalRows())
    clumps = []
    for _ in range(8):  # the coin falls on train at least once but in one of 256
        clumped = table(rng.choice([-1.0, 1.0], 4) * 50 + rng.uniform(0, 1, (600, 4)))
        results = evaluate(clumped, train, holdout, schema=schema, metrics=metrics)
        clumps.append(results.value("nearest_row_share"))
        report = summarise(results)
        assert report.alarm == ""
        assert "alarm" not in {
            s.verdict.words.removeprefix("strong ") for g in report.groups for s in g.scores
        }
    assert max(clumps) == 1.0
    copied = table(train.frame.to_numpy() + rng.normal(scale=0.02, size=(600, 4)))
    results = evaluate(copied, train, holdout, schema=schema, metrics=metrics)
    assert results.value("exact_copies") == 0.0
    assert summarise(results).alarm.startswith("Strong alarm: nearest row in train ")


def test_the_first_sentence_names_the_measure_of_use() -> None:
    named = tuple(replace(info, title="Utility (R²)") if info.name == "tstr_auc" else info for info in INFOS)
    figure = MetricResult(metric="tstr_auc", value=0.294, floor=0.321, interval=(0.28, 0.31))
    assert (
        "for predicting income (R² 0.294, real rows 0.321), and"
        in summarise(with_figures(figure, infos=named)).lead
    )


@pytest.mark.parametrize(
    ("value", "floor", "interval", "caution"),
    [
        (0.90, 0.80, (0.88, 0.92), "better than real rows is suspect"),
        (0.90, 0.80, (0.79, 0.95), ""),  # the interval holds the floor
        (0.83, 0.80, (0.82, 0.84), ""),  # by less than a twentieth
        (0.59, 0.58, (0.57, 0.61), "real rows hardly predict it either"),
        (0.55, 0.70, (0.53, 0.57), ""),  # real rows do predict it
    ],
)
def test_a_figure_of_use_that_means_little_says_so(
    value: float, floor: float, interval: tuple[float, float], caution: str
) -> None:
    infos = tuple(replace(info, chance=0.5) if info.name == "tstr_auc" else info for info in INFOS)
    figure = MetricResult(metric="tstr_auc", value=value, floor=floor, interval=interval)
    lead = summarise(with_figures(figure, infos=infos)).lead
    if caution:
        assert f"; {caution}" in lead
    else:
        assert f"real rows {floor:.3f}), and" in lead


def test_subjects_are_sorted_worst_first_and_those_without_a_value_come_last() -> None:
    report = summarise(make_results())
    assert [len(report.columns), len(report.pairs)] == [16, 120]
    for subjects in (report.columns, report.pairs):
        found = [subject.score.excess for subject in subjects]
        known = [excess for excess in found if excess is not None]
        assert found[: len(known)] == sorted(known, reverse=True)
    assert report.pairs[-1].columns == ("balance", "opened_on")
    assert report.pairs[-1].score.verdict.level is Level.NONE


def test_the_figure_that_most_columns_have_leads() -> None:
    report = summarise(make_results())
    assert {subject.score.info.name for subject in report.columns} == {"shape_error"}
    assert {subject.score.info.name for subject in report.pairs} == {"trend_error"}


def test_where_a_column_is_off_is_said_only_when_it_is() -> None:
    columns = summarise(make_results()).columns
    assert {column.score.verdict.level is Level.MET for column in columns if column.where} == {False}
    assert sum(bool(column.where) for column in columns) > 5


def test_failures_are_gathered_with_their_reason() -> None:
    report = summarise(make_results())
    (failed,) = report.failed
    assert (failed.title, failed.subjects) == ("Trend error", ("balance × opened_on",))
    assert failed.reason == "too few rows in which both columns have a number"
    (absent,) = report.not_applicable
    assert len(absent.subjects) == 8
    whole = replace(
        make_results(), metrics=(MetricResult(metric="c2st_auc", status=Status.FAILED, reason="one class"),)
    )
    (gap,) = summarise(whole).failed
    assert (gap.subjects, gap.reason) == ((), "one class")


def test_groups_keep_their_order_and_unknown_ones_follow() -> None:
    results = make_results()
    extra = replace(INFOS[0], name="speed", title="Speed", group="pace")
    more = replace(
        results,
        infos=(extra, *results.infos),
        metrics=(
            MetricResult(metric="speed", value=1.0, floor=1.0),
            MetricResult(metric="undescribed", value=1.0, floor=1.0),
            *results.metrics,
        ),
    )
    report = summarise(more)
    names = [group.name for group in report.groups]
    assert names == ["fidelity", "detection", "utility", "proximity", "other", "pace"]
    assert report.groups[-2].headline.info.title == "undescribed"
    assert [group.name for group in report.groups if group.smoke_test] == ["proximity"]


CONSTANT = MetricResult(
    metric="tstr_auc",
    floor=0.98,
    status=Status.FAILED,
    reason="the target does not vary in the synthetic table",
)
AUGMENTED = MetricInfo(
    name="augmented", title="Augmentation", group="utility", direction=Direction.HIGHER, secondary=True
)


def test_a_target_that_does_not_vary_leads_and_no_figure_with_real_rows_stands_in_for_it() -> None:
    praising = MetricResult(metric="augmented", value=0.979, floor=0.98)
    results = with_figures(CONSTANT, praising, infos=(*INFOS, AUGMENTED))
    report = summarise(results)
    said = (
        ", of no use for predicting income (the target does not vary in the synthetic table; "
        "real rows: TSTR AUC 0.980), and"
    )
    assert said in report.lead
    assert "as useful" not in report.lead
    utility = next(group for group in report.groups if group.name == "utility")
    assert utility.headline.result is CONSTANT
    assert utility.headline.verdict.level is Level.FAR
    shown = next(view for view in map(card, report.groups) if view.title == "Utility")
    assert (shown.score.value, shown.score.level, shown.score.words) == ("–", "far", "of no use")
    assert shown.gist == "The target does not vary in the synthetic table."
    out = StringIO()
    render_terminal(results, Console(file=out, width=4000))
    assert said in out.getvalue()
    assert "of no use" in out.getvalue().partition("Worst columns")[0].partition("figure")[2]
    assert said in render_html(results)


def test_a_failed_figure_that_real_rows_lack_too_is_no_verdict() -> None:
    broken = replace(CONSTANT, floor=None, reason="ValueError while it was computed")
    praising = MetricResult(metric="augmented", value=0.979, floor=0.98)
    report = summarise(with_figures(broken, praising, infos=(*INFOS, AUGMENTED)))
    assert "of unmeasured use for training" in report.lead
    utility = next(group for group in report.groups if group.name == "utility")
    assert (utility.headline.verdict.level, utility.headline.verdict.words) == (Level.NONE, "failed")


def test_a_card_is_led_by_the_first_figure_that_applies() -> None:
    results = make_results()
    table = [result for result in results.metrics if result.metric != "shape_error" or result.columns]
    failed = MetricResult(metric="shape_error", status=Status.FAILED, reason="no rows")
    assert summarise(replace(results, metrics=(failed, *table))).groups[0].headline.result is failed
    absent = replace(failed, status=Status.NOT_APPLICABLE)
    fidelity = summarise(replace(results, metrics=(absent, *table))).groups[0]
    assert fidelity.headline.info.name == "trend_error"
    assert "shape_error" in [score.info.name for score in fidelity.others]
    assert "shape_error" not in [score.info.name for score in fidelity.telling]


def test_the_pairs_lead_the_other_figures_of_a_card_and_the_worst_follow() -> None:
    fidelity = summarise(make_results()).groups[0]
    assert [score.info.name for score in fidelity.telling] == [
        "trend_error",
        "triple_tvd",
        "pair_tvd",
        "null_rate_difference",
    ]


def test_curves_are_taken_from_the_figures_where_the_results_have_none() -> None:
    results = make_results()
    carried = MetricResult(metric="c2st_auc", value=0.9, roc=results.roc_curves[:1])
    assert summarise(results).roc_curves == results.roc_curves
    assert summarise(replace(results, roc_curves=(), metrics=(carried,))).roc_curves == results.roc_curves[:1]


def test_disclosure_has_a_section_and_no_card_and_rings_no_alarm() -> None:
    results = make_results()
    info = replace(INFOS[0], name="cap", title="Correct attribution", group="disclosure", smoke_test=True)
    row = MetricResult(metric="cap", value=0.9, floor=0.1)
    more = replace(results, infos=(*results.infos, info), metrics=(*results.metrics, row))
    report = summarise(more)
    assert [group.name for group in report.groups if not group.has_card] == ["disclosure"]
    assert report.groups[-1].headline.verdict.words == "much more than of unseen rows"
    assert report.lead == summarise(results).lead
    page, before = render_html(more), render_html(results)
    assert 'id="group-disclosure"' in page
    assert page.count('<article class="card') == before.count('<article class="card') > 0
    file = StringIO()
    render_terminal(more, Console(file=file, width=80))
    assert "Correct attribution" not in file.getvalue()


def _with_secondary(*names: str) -> Results:
    infos = tuple(replace(info, secondary=True) if info.name in names else info for info in INFOS)
    return replace(make_results(), infos=infos)


def test_secondary_figures_fold_worst_first_and_leave_cards_and_terminal() -> None:
    plain = next(group for group in summarise(make_results()).groups if group.name == "fidelity")
    assert plain.folded == ()
    names = ("trend_error", "triple_tvd")
    report = summarise(_with_secondary(*names))
    fidelity = next(group for group in report.groups if group.name == "fidelity")
    assert {score.info.name for score in fidelity.folded} == set(names)
    assert not {score.info.name for score in (*fidelity.leading, *fidelity.telling)} & set(names)
    ranks = [score.verdict.level.rank for score in fidelity.folded]
    assert ranks == sorted(ranks, reverse=True)
    buffer = StringIO()
    render_terminal(_with_secondary(*names), Console(file=buffer, width=100))
    assert "2 more figures are in the report." in buffer.getvalue()
    headlines = buffer.getvalue().partition("Worst columns")[0]
    assert "Triple total variation" not in headlines
    page = render_html(_with_secondary(*names))
    assert "2 more figures of fidelity (" in page
    assert page.count("A sample of the triples.") == 1


def test_a_secondary_figure_leads_a_card_only_where_there_is_no_other() -> None:
    first = summarise(_with_secondary("exact_copy_share")).groups
    assert next(g for g in first if g.name == "proximity").headline.info.name == "nearest_row_share"
    alone = summarise(_with_secondary("exact_copy_share", "nearest_row_share")).groups
    group = next(g for g in alone if g.name == "proximity")
    assert group.headline.info.name == "exact_copy_share"
    assert [score.info.name for score in group.leading] == ["exact_copy_share"]


def test_parts_of_a_figure_that_ought_to_be_high_are_sorted_by_what_they_lack() -> None:
    details = (
        Detail(label="good", value=0.95, floor=0.9),
        Detail(label="bad", value=0.6, floor=0.9),
        Detail(label="low in both", value=0.5, floor=0.55),
    )
    row = MetricResult(metric="tstr_auc", value=0.6, floor=0.9, details=details)
    info = next(info for info in INFOS if info.name == "tstr_auc")
    parts = score_row(Score.of(row, info)).details
    assert [(part.name, part.floor) for part in parts] == [
        ("bad", "0.900"),
        ("low in both", "0.550"),
        ("good", "0.900"),
    ]


def test_what_a_learner_makes_of_groups_is_no_reason_for_a_column_to_be_off() -> None:
    results = make_results()
    column = next(row.columns for row in results.metrics if row.metric == "shape_error" and row.columns)
    poor = MetricResult(metric="tstr_auc", columns=column, value=0.5, floor=0.9)
    subject = next(
        subject
        for subject in summarise(replace(results, metrics=(*results.metrics, poor))).columns
        if subject.columns == column
    )
    assert not any("TSTR" in reason for reason in subject.reasons)
