"""ROC curves with the chance diagonal."""

from __future__ import annotations

from collections.abc import Sequence

from tabsynth.metrics.base import RocCurve
from tabsynth.report.charts.svg import Svg

_SIZE, _LEFT, _TOP = 280.0, 44.0, 10.0


def roc_chart(curves: Sequence[RocCurve]) -> str:
    """The curves in one square; the first is drawn strongest. 340 units wide."""
    described = "; ".join(f"{curve.name}: AUC {curve.auc:.3f}" for curve in curves)
    svg = Svg.image(
        width=_LEFT + _SIZE + 16,
        height=_TOP + _SIZE + 40,
        label=f"ROC of the two-sample test. {described}",
        description="The diagonal is chance: the closer a curve is to it, the harder the rows are to tell apart.",
        css="chart",
    )
    for i in range(5):
        share = i / 4
        svg.line((_x(share), _y(0)), (_x(share), _y(1)), "grid")
        svg.line((_x(0), _y(share)), (_x(1), _y(share)), "grid")
        svg.text(_x(share), _y(0) + 15, f"{share:g}", "tick", anchor="middle")
        svg.text(_x(0) - 6, _y(share) + 3.5, f"{share:g}", "tick", anchor="end")
    svg.line((_x(0), _y(0)), (_x(1), _y(1)), "chance")
    for i in reversed(range(len(curves))):
        points = zip(curves[i].false_positive_rate, curves[i].true_positive_rate, strict=True)
        svg.path([(_x(x), _y(y)) for x, y in points], "roc first" if i == 0 else "roc other")
    svg.text(_x(0.5), _y(0) + 33, "false positive rate", "tick", anchor="middle")
    svg.text(11, _y(0.5), "true positive rate", "tick", anchor="middle", turn=-90)
    return str(svg)


def _x(share: float) -> float:
    return _LEFT + _SIZE * share


def _y(share: float) -> float:
    return _TOP + _SIZE * (1 - share)
