"""Figures with their intervals, one line each, over one axis and beside the values they are held against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tabsynth.report import text
from tabsynth.report.charts.svg import Svg

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 640.0, 210.0, 92.0, 24.0, 24.0
_FONT = 11.5
_STEPS, _MOST_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5), 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestRow:
    """A figure in its own units; `lower` None where the interval is open below. `level` colours the dot."""

    label: str
    value: float
    lower: float | None
    upper: float
    words: str  # beside the line
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """A value to hold the figures against, and what it is."""

    value: float
    label: str
    css: str = "guide"


def forest_chart(
    rows: Sequence[ForestRow], *, label: str, guides: Sequence[Guide] = (), axis: tuple[float, float]
) -> str:
    """640 units wide; `axis` is widened where a figure or a guide lies beyond it."""
    found = [
        end for row in rows for end in (row.value, row.upper, row.value if row.lower is None else row.lower)
    ]
    found += [guide.value for guide in guides]
    low, high = min(axis[0], *found), max(axis[1], *found)
    bottom = _TOP + _ROW * len(rows)

    def x(value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (value - low) / (high - low)

    spoken = "; ".join(f"{row.label}: {row.words}" for row in rows)
    svg = Svg.image(width=_WIDTH, height=bottom + 22, label=f"{label}. {spoken}", css="chart forest")
    for value in _ticks(low, high):
        svg.line((x(value), _TOP), (x(value), bottom), "grid")
        svg.text(x(value), bottom + 14, f"{value:.2f}".replace("-", "−"), "tick", anchor="middle")
    for guide in guides:
        svg.line((x(guide.value), _TOP - 5), (x(guide.value), bottom), guide.css)
    for place, guide in zip(_spread([x(guide.value) for guide in guides], guides), guides, strict=True):
        svg.text(place, _TOP - 9, guide.label, "tick", anchor="middle")
    for i, row in enumerate(rows):
        middle = _TOP + _ROW * (i + 0.5)
        name = text.fit(text.printable(row.label), (_LEFT - 16) / _FONT)
        svg.text(_LEFT - 10, middle + 4, name, "level", anchor="end", title=row.label)
        first = row.value if row.lower is None else row.lower
        svg.line((x(first), middle), (x(row.upper), middle), "whisker")
        for end in (row.upper,) if row.lower is None else (row.lower, row.upper):
            svg.line((x(end), middle - 4), (x(end), middle + 4), "whisker")
        svg.circle(x(row.value), middle, 4.2, f"dot {row.level}", title=f"{row.label}: {row.words}")
        svg.text(_WIDTH - _RIGHT + 10, middle + 4, row.words, "strong")
    return str(svg)


def _ticks(low: float, high: float) -> list[float]:
    """Multiples of a round step within the axis, at most nine."""
    step = next((found for found in _STEPS if (high - low) / found <= _MOST_TICKS), _STEPS[-1])
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _spread(places: Sequence[float], guides: Sequence[Guide]) -> list[float]:
    """The places of the guides' words, moved to the right where they would stand on one another."""
    moved = list(places)
    order = sorted(range(len(places)), key=lambda i: places[i])
    for before, after in pairwise(order):
        room = _FONT * (text.breadth(guides[before].label) + text.breadth(guides[after].label)) / 2 + 6
        moved[after] = max(moved[after], moved[before] + room)
    return moved
