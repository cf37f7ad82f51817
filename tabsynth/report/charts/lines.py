"""One figure over generations, beside its floor."""

from __future__ import annotations

from collections.abc import Sequence

from tabsynth.report import text
from tabsynth.report.charts.svg import Svg

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 340.0, 170.0, 52.0, 14.0, 12.0, 34.0


def line_chart(
    values: Sequence[float | None], *, floor: float | None, label: str, as_percent: bool = False
) -> str:
    """Values of generations 1, 2, …; those that are None leave a gap. The floor is a dashed line.

    340 units wide. The axis runs over values and floor, from 0 where that is within their reach.
    """
    known = [value for value in (*values, floor) if value is not None]
    lower, upper = _ends(known)
    spoken = ", ".join(
        "–" if value is None else text.figure(value, as_percent=as_percent) for value in values
    )
    svg = Svg.image(
        width=_WIDTH,
        height=_HEIGHT,
        label=f"{label} by generation: {spoken}",
        description="The dashed line is the floor: real holdout rows." if floor is not None else "",
        css="chart",
    )

    def x(k: int) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (k / max(1, len(values) - 1) if len(values) > 1 else 0.5)

    def y(value: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (upper - value) / (upper - lower)

    for i in range(3):
        tick = lower + (upper - lower) * i / 2
        svg.line((_LEFT, y(tick)), (_WIDTH - _RIGHT, y(tick)), "grid")
        svg.text(_LEFT - 6, y(tick) + 3.5, text.figure(tick, as_percent=as_percent), "tick", anchor="end")
    step = max(1, -(-len(values) // 10))
    for k in range(0, len(values), step):
        svg.text(x(k), _HEIGHT - 18, str(k + 1), "tick", anchor="middle")
    svg.text(_LEFT + (_WIDTH - _LEFT - _RIGHT) / 2, _HEIGHT - 3, "generation", "tick", anchor="middle")
    if floor is not None:
        svg.line((_LEFT, y(floor)), (_WIDTH - _RIGHT, y(floor)), "chance")
    for run in _runs(values):
        svg.path([(x(k), y(value)) for k, value in run], "roc first")
    for k, value in enumerate(values):
        if value is not None:
            said = f"generation {k + 1}: {text.figure(value, as_percent=as_percent)}"
            svg.circle(x(k), y(value), 3, "mark-dot", title=said)
    return str(svg)


def _ends(known: Sequence[float]) -> tuple[float, float]:
    """Ends of the axis: a tenth beyond the figures, at 0 where they come near it."""
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    reach = high - low or abs(high) or 1.0
    lower = 0.0 if 0 <= low <= reach else low - 0.1 * reach
    return lower, high + 0.1 * reach


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Neighbouring values that are known, with their positions."""
    runs: list[list[tuple[int, float]]] = [[]]
    for k, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((k, value))
    return [run for run in runs if run]
