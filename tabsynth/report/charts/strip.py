"""A figure as a dot with its interval, and its floor as a ring, on one short line."""

from __future__ import annotations

from dataclasses import dataclass

from tabsynth.report.charts.svg import Svg

_WIDTH, _HEIGHT, _PAD = 180.0, 22.0, 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """What one line shows, in the figure's own units; `lower` < `upper` bound the axis."""

    label: str
    value: float | None
    floor: float | None
    interval: tuple[float, float] | None
    lower: float
    upper: float
    level: str  # verdict level: colours the dot
    best: float | None = None  # a line at the best value, where it is neither end


def strip_chart(strip: Strip) -> str:
    """One line of 180 × 22 units: ring = floor, dot = synthetic, bar = 95 % interval."""
    svg = Svg.image(width=_WIDTH, height=_HEIGHT, label=strip.label, css="strip")
    middle = _HEIGHT / 2
    svg.line((_PAD, middle), (_WIDTH - _PAD, middle), "rail")
    if strip.best is not None:
        x = _x(strip, strip.best)
        svg.line((x, 3), (x, _HEIGHT - 3), "best")
    if strip.value is not None and strip.floor is not None:
        svg.line((_x(strip, strip.floor), middle), (_x(strip, strip.value), middle), f"span {strip.level}")
    if strip.interval is not None:
        lower, upper = (_x(strip, end) for end in strip.interval)
        svg.rect(lower, middle - 3.5, max(2.0, upper - lower), 7, f"interval {strip.level}")
    if strip.floor is not None:
        svg.circle(_x(strip, strip.floor), middle, 5, "floor")
    if strip.value is not None:
        svg.circle(_x(strip, strip.value), middle, 4.5, f"dot {strip.level}")
    return str(svg)


def _x(strip: Strip, value: float) -> float:
    part = (value - strip.lower) / (strip.upper - strip.lower)
    return _PAD + (_WIDTH - 2 * _PAD) * min(1.0, max(0.0, part))
