"""What attackers can reach: true against false positive rates, on logarithmic axes, and what was measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tabsynth.audit.bound import Bound, best_tpr, gaussian_tpr
from tabsynth.report import text
from tabsynth.report.charts.svg import Svg

_SIZE, _LEFT, _TOP = 280.0, 52.0, 10.0
_DECADES = 3  # from 0.1 % to 1
_N_POINTS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """An attack at one threshold: its rates in [0, 1] with their intervals."""

    name: str
    fpr: float
    fpr_interval: tuple[float, float]
    tpr: float
    tpr_interval: tuple[float, float]


def tradeoff_chart(bound: Bound | None, measured: Sequence[Measured] = ()) -> str:
    """Curves of the bound, the diagonal of chance, and measured points; 352 units wide."""
    svg = Svg.image(
        width=_LEFT + _SIZE + 20,
        height=_TOP + _SIZE + 40,
        label=_label(bound, measured),
        description="The dashed diagonal is chance. No attacker can get above the uppermost curve.",
        css="chart",
    )
    for decade in range(-_DECADES, 1):
        share = 10.0**decade
        svg.line((_x(share), _y(0)), (_x(share), _y(1)), "grid")
        svg.line((_x(0), _y(share)), (_x(1), _y(share)), "grid")
        svg.text(_x(share), _y(0) + 15, f"{100 * share:g}%", "tick", anchor="middle")
        svg.text(_x(0) - 6, _y(share) + 3.5, f"{100 * share:g}%", "tick", anchor="end")
    svg.line((_x(0), _y(0)), (_x(1), _y(1)), "chance")
    if bound is not None:
        _curve(svg, lambda x: best_tpr(x, epsilon=bound.epsilon, delta=bound.delta), "roc other")
        if (gaussian := bound.gaussian) is not None:
            _curve(svg, lambda x: gaussian_tpr(x, mu=gaussian.mu), "roc first")
    for point in measured:
        _point(svg, point)
    svg.text(_x(10 ** (-_DECADES / 2)), _y(0) + 33, "false positive rate", "tick", anchor="middle")
    svg.text(11, _y(10 ** (-_DECADES / 2)), "true positive rate", "tick", anchor="middle", turn=-90)
    return str(svg)


def _label(bound: Bound | None, measured: Sequence[Measured]) -> str:
    said = ["True against false positive rate of attackers, on logarithmic axes"]
    if bound is not None:
        said.append(f"any attacker against ε = {bound.epsilon:g}, δ = {bound.delta:g}: AUC {bound.auc:.3f}")
        if bound.gaussian is not None:
            said.append(f"against one Gaussian mechanism: AUC {bound.gaussian.auc:.3f}")
    if measured:
        said.append(f"{len(measured)} measured points")
    return "; ".join(said)


def _curve(svg: Svg, height: Callable[[float], float], css: str) -> None:
    places = (10.0 ** (-_DECADES * (1 - i / _N_POINTS)) for i in range(_N_POINTS + 1))
    svg.path([(_x(place), _y(height(place))) for place in places], css)


def _point(svg: Svg, point: Measured) -> None:
    x, y = _x(point.fpr), _y(point.tpr)
    svg.line((x, _y(point.tpr_interval[0])), (x, _y(point.tpr_interval[1])), "whisker")
    svg.line((_x(point.fpr_interval[0]), y), (_x(point.fpr_interval[1]), y), "whisker")
    found = f"{text.percent(point.tpr)} of members at {text.percent(point.fpr)} of non-members"
    svg.circle(x, y, 3.6, "measured", title=f"{point.name}: {found}")


def _x(share: float) -> float:
    return _LEFT + _SIZE * _place(share)


def _y(share: float) -> float:
    return _TOP + _SIZE * (1 - _place(share))


def _place(share: float) -> float:
    """0 for 0.1 % and less, 1 for 100 %."""
    return 1 + max(-_DECADES, math.log10(max(share, 1e-12))) / _DECADES
