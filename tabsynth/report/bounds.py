"""What any attacker could do, as a report prints it: a chart, and the same figures as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tabsynth.audit.bound import Bound, GaussianBound
from tabsynth.report import text
from tabsynth.report.charts.tradeoff import Measured, tradeoff_chart


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundRow:
    name: str
    auc: str
    tpr_at_1: str
    tpr_at_01: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundView:
    """`gaussian_auc` and `mu` are empty where no Gaussian mechanism gives the guarantee."""

    epsilon: str
    delta: str
    auc: str
    gaussian_auc: str
    mu: str
    rows: tuple[BoundRow, ...]
    svg: str
    n_measured: int


def bound_view(bound: Bound, measured: Sequence[Measured] = ()) -> BoundView:
    gaussian = bound.gaussian
    rows = [_row("any mechanism that is (ε, δ)-DP", bound)]
    if gaussian is not None:
        rows.append(_row("one Gaussian mechanism", gaussian))
    rows.append(BoundRow(name="a guess", auc="0.5", tpr_at_1="1%", tpr_at_01="0.1%"))
    return BoundView(
        epsilon=f"{bound.epsilon:g}",
        delta=f"{bound.delta:g}",
        auc=_area(bound.auc),
        gaussian_auc="" if gaussian is None else _area(gaussian.auc),
        mu="" if gaussian is None else f"{gaussian.mu:.3f}",
        rows=tuple(rows),
        svg=tradeoff_chart(bound, measured),
        n_measured=len(measured),
    )


def _row(name: str, found: Bound | GaussianBound) -> BoundRow:
    return BoundRow(
        name=name,
        auc=_area(found.auc),
        tpr_at_1=text.percent(found.tpr_at_1),
        tpr_at_01=text.percent(found.tpr_at_01),
    )


def _area(auc: float) -> str:
    return "> 0.999" if 0.9995 <= auc < 1 else f"{auc:.3f}"
