from __future__ import annotations

from tabsynth.evaluate import Associations, Distribution
from tabsynth.metrics.base import Detail, Direction, MetricInfo, MetricResult
from tabsynth.report import reasons
from tabsynth.report.score import Score


def column(
    train: tuple[float, ...], synthetic: tuple[float, ...], holdout: tuple[float, ...] | None = None
) -> Distribution:
    n_bins = len(train) - 1
    return Distribution(
        column="amount",
        kind="number",
        labels=("null",),
        edges=tuple(10.0 * i for i in range(n_bins + 1)),
        train=train,
        holdout=holdout or train,
        synthetic=synthetic,
    )


def test_names_the_run_of_bins_that_is_furthest_off() -> None:
    # +0.20 in bins 1 and 2 together, −0.08 in bin 3, −0.12 nulls
    found = reasons.of_distribution(column((0.2, 0.2, 0.2, 0.2, 0.2), (0.2, 0.3, 0.3, 0.12, 0.08)))
    assert found == "10 to 30 too common: 60.0% of the rows, 40.0% in train"


def test_names_a_run_that_is_too_rare() -> None:
    # −0.25 in bins 0 and 1 together, +0.05 in bin 3, +0.20 nulls
    found = reasons.of_distribution(column((0.3, 0.3, 0.2, 0.2), (0.2, 0.15, 0.25, 0.4)))
    assert found == "0 to 20 too rare: 35.0% of the rows, 60.0% in train"


def test_names_a_level_that_is_further_off_than_any_run() -> None:
    found = reasons.of_distribution(
        Distribution(
            column="amount",
            kind="number",
            labels=("-1", "null"),
            edges=(0.0, 1.0),
            train=(0.4, 0.2, 0.4),
            holdout=(0.4, 0.2, 0.4),
            synthetic=(0.45, 0.35, 0.2),
        )
    )
    assert found == "“null” too rare: 20.0% of the rows, 40.0% in train"


def test_is_silent_within_noise() -> None:
    assert reasons.of_distribution(column((0.5, 0.3, 0.2), (0.503, 0.297, 0.2))) == ""
    assert reasons.of_distribution(column((0.5, 0.3, 0.2), (0.55, 0.25, 0.2), (0.46, 0.34, 0.2))) == ""
    assert reasons.of_distribution(column((0.5, 0.3, 0.2), (0.0, 0.0, 0.0))) == ""
    assert reasons.of_distribution(Distribution(column="empty", kind="number")) == ""


def test_names_times_without_midnight() -> None:
    dates = Distribution(
        column="opened",
        kind="date",
        edges=(0.0, 1.0, 2.0),
        edge_labels=("2021-01-01T00:00:00", "2021-02-01T00:00:00", "2021-03-01T00:00:00"),
        train=(0.5, 0.5),
        holdout=(0.5, 0.5),
        synthetic=(0.9, 0.1),
    )
    assert reasons.of_distribution(dates).startswith("2021-01-01 to 2021-02-01 too common")


def test_a_bin_of_one_value_is_named_once() -> None:
    constant = Distribution(
        column="constant",
        kind="number",
        edges=(5.0, 5.000000000000001),
        train=(1.0,),
        holdout=(1.0,),
        synthetic=(1.0,),
    )
    assert reasons.level_or_bin_name(constant, 0) == "5"


def test_bins_between_whole_numbers_are_named_by_those_inside() -> None:
    counts = Distribution(
        column="visits",
        kind="integer",
        edges=(-0.5, 0.5, 1.5, 2.5),
        labels=("null",),
        train=(0.3, 0.3, 0.2, 0.2),
        holdout=(0.3, 0.3, 0.2, 0.2),
        synthetic=(0.25, 0.4, 0.3, 0.05),
    )
    assert reasons.level_or_bin_name(counts, 2) == "2"
    assert reasons.of_distribution(counts) == "1 to 2 too common: 70.0% of the rows, 50.0% in train"


def associations(train: float | None, synthetic: float | None) -> Associations:
    def matrix(value: float | None) -> tuple[tuple[float | None, ...], ...]:
        return ((1.0, value), (value, 1.0))

    return Associations(
        columns=("a", "b"), train=matrix(train), holdout=matrix(train), synthetic=matrix(synthetic)
    )


def test_how_an_association_changed() -> None:
    assert reasons.of_association(("a", "b"), associations(0.6, 0.1)) == [
        "association 0.10, 0.60 in train: mostly lost"
    ]
    assert "weaker than real" in reasons.of_association(("a", "b"), associations(0.6, 0.5))[0]
    assert "stronger than real" in reasons.of_association(("b", "a"), associations(0.2, 0.5))[0]
    assert "kept; the joint counts differ" in reasons.of_association(("a", "b"), associations(0.5, 0.51))[0]
    assert reasons.of_association(("a", "b"), associations(None, 0.5)) == []
    assert reasons.of_association(("a", "unknown"), associations(0.5, 0.5)) == []


def pair_scores(pearson: tuple[float, float], spearman: tuple[float, float]) -> list[Score]:
    """Of two numbers, coefficients of train and synthetic."""
    found = []
    for name, (train, synthetic) in (("pearson_difference", pearson), ("spearman_difference", spearman)):
        info = MetricInfo(name=name, title=name, group="fidelity", direction=Direction.LOWER)
        details = (Detail(label="train", value=train), Detail(label="synthetic", value=synthetic))
        result = MetricResult(metric=name, value=abs(synthetic - train), floor=0.03, details=details)
        found.append(Score.of(result, info))
    return found


def test_values_far_out_that_no_longer_go_together() -> None:
    def said(pearson: float, rank: float = 0.71) -> str:
        scores = pair_scores((0.83, pearson), (0.72, rank))
        return reasons.of_association(("a", "b"), associations(0.72, abs(rank)), scores)[0]

    start = "Pearson correlation 0.69, 0.83 in train, by rank as in train: values far out go together"
    assert said(0.69) == f"{start} less"
    assert said(0.9).endswith("far out go together more")
    assert said(-0.1).endswith("far out go together otherwise")
    assert said(0.82) == "association 0.71, 0.72 in train: kept; Pearson correlation 0.820, 0.830 in train"
    assert said(0.5, rank=0.6) == "association 0.60, 0.72 in train: weaker than real"
    assert "reversed" in said(-0.8, rank=-0.72)
    assert "reversed" in said(0.8, rank=-0.1)
    hardly = pair_scores((0.5, 0.4), (0.02, -0.01))
    assert (
        "reversed" not in reasons.of_association(("a", "b"), associations(0.02, 0.01), hardly)[0]
    )  # of no rank correlation at all


def score(value: float, *, details: tuple[Detail, ...] = (), reason: str = "") -> Score:
    info = MetricInfo(
        name="tail_error", title="Tails", group="fidelity", direction=Direction.LOWER, percent=True
    )
    result = MetricResult(metric="tail_error", value=value, floor=0.01, details=details, reason=reason)
    return Score.of(result, info)


def test_other_figures_speak_only_when_they_are_off() -> None:
    assert reasons.of_scores([score(0.01)], leading="shape_error") == []
    parts = (
        Detail(label="quantile 0.01", value=0.02, floor=0.01),
        Detail(label="quantile 0.999", value=0.38, floor=0.02),
        Detail(label="train", value=9.0),
    )
    assert reasons.of_scores([score(0.2, details=parts)], leading="shape_error") == [
        "Tails 20.0%, floor 1.00% (mostly quantile 0.999: 38.0%)"
    ]
    assert reasons.of_scores([score(0.2)], leading="tail_error") == []


def test_what_a_value_leaves_out_is_said() -> None:
    assert reasons.of_scores([score(0.01, reason="10,000 rows")], leading="") == ["Tails: 10,000 rows"]


def test_disclosure_is_no_reason_for_a_column_to_be_unlike_the_real_one() -> None:
    def of(group: str) -> list[str]:
        info = MetricInfo(name="gap", title="Gap", group=group, direction=Direction.LOWER)
        result = MetricResult(metric="gap", columns=("job",), value=0.5, floor=0.0, reason="10 rows")
        return reasons.of_scores([Score.of(result, info)], leading="")

    assert of("disclosure") == []
    assert of("fidelity") == ["Gap 0.500, floor 0", "Gap: 10 rows"]
