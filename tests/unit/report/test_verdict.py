"""Verdicts on figures whose quality is known from published systems on one table (floors beside them)."""

from __future__ import annotations

import pytest

from tabsynth.metrics.base import Direction, MetricInfo, MetricResult, Status
from tabsynth.report.verdict import Level, excess, judge


def info(group: str, direction: Direction) -> MetricInfo:
    return MetricInfo(name="figure", title="Figure", group=group, direction=direction)


def level(group: str, direction: Direction, value: float | None, floor: float | None) -> Level:
    return judge(MetricResult(metric="figure", value=value, floor=floor), info(group, direction)).level


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0048, Level.MET), (0.0083, Level.NEAR), (0.0221, Level.OFF), (0.1124, Level.FAR)],
)
def test_shape_error_against_a_floor_of_0_6_percent(value: float, expected: Level) -> None:
    assert level("fidelity", Direction.LOWER, value, 0.0060) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.50, Level.MET),
        (0.558, Level.NEAR),
        (0.644, Level.OFF),
        (0.941, Level.FAR),
        (0.2, Level.OFF),  # further below one half than above it is no better
    ],
)
def test_two_sample_test(value: float, expected: Level) -> None:
    assert level("detection", Direction.HALF, value, 0.5) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.9240, Level.MET), (0.911, Level.NEAR), (0.865, Level.OFF), (0.848, Level.FAR)],
)
def test_utility_against_real_rows_at_0_9245(value: float, expected: Level) -> None:
    assert level("utility", Direction.HIGHER, value, 0.9245) is expected


def test_utility_error_is_judged_by_its_ratio() -> None:
    assert level("utility", Direction.LOWER, 0.423, 0.423) is Level.MET
    assert level("utility", Direction.LOWER, 0.555, 0.423) is Level.FAR


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.507, Level.MET), (0.519, Level.NEAR), (0.547, Level.OFF), (0.614, Level.FAR), (0.4, Level.MET)],
)
def test_only_a_share_above_one_half_is_too_near(value: float, expected: Level) -> None:
    assert level("proximity", Direction.HALF, value, 0.5) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.00004, Level.MET), (0.003, Level.NEAR), (0.010, Level.OFF), (0.089, Level.FAR)],
)
def test_exact_copies(value: float, expected: Level) -> None:
    assert level("proximity", Direction.LOWER, value, 0.0) is expected


def test_coverage_below_its_floor() -> None:
    assert level("fidelity", Direction.HIGHER, 1.0, 0.99) is Level.MET
    assert level("fidelity", Direction.HIGHER, 0.96, 0.99) is Level.NEAR
    assert level("fidelity", Direction.HIGHER, 0.5, 0.99) is Level.FAR


def test_nothing_to_judge() -> None:
    assert level("fidelity", Direction.LOWER, 0.1, None) is Level.NONE
    assert level("fidelity", Direction.LOWER, None, 0.1) is Level.NONE
    assert level("detection", Direction.HALF, 0.95, None) is Level.FAR  # one half is floor enough
    for status, words in ((Status.FAILED, "failed"), (Status.NOT_APPLICABLE, "does not apply")):
        verdict = judge(MetricResult(metric="figure", status=status), info("fidelity", Direction.LOWER))
        assert (verdict.level, verdict.words) == (Level.NONE, words)


def test_smoke_tests_never_promise_safety() -> None:
    verdict = judge(MetricResult(metric="figure", value=0.0, floor=0.0), info("proximity", Direction.LOWER))
    assert verdict.words == "no alarm"


def test_an_unknown_group_is_judged_by_its_floor() -> None:
    verdict = judge(MetricResult(metric="figure", value=0.5, floor=0.1), info("speed", Direction.LOWER))
    assert verdict.words == "far beyond the floor"


@pytest.mark.parametrize(
    ("group", "direction", "value", "floor", "expected"),
    [
        ("fidelity", Direction.LOWER, 0.05, 0.02, 0.03),
        ("fidelity", Direction.HIGHER, 0.9, 0.95, 0.05),
        ("detection", Direction.HALF, 0.3, 0.52, 0.18),
        ("proximity", Direction.HALF, 0.6, 0.52, 0.08),
        ("proximity", Direction.HALF, 0.6, 0.4, 0.1),
    ],
)
def test_excess_is_positive_where_worse(
    group: str, direction: Direction, value: float, floor: float, expected: float
) -> None:
    found = excess(MetricResult(metric="figure", value=value, floor=floor), info(group, direction))
    assert found == pytest.approx(expected)
