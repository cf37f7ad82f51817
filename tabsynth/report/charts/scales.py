"""Axes: where a value stands on a line, and which values are written beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tabsynth.report import text

_GLYPH = 6.2  # mean width of a tick label's character, in user units


@dataclass(frozen=True, slots=True)
class Tick:
    """A value on an axis, at `position` in [0, 1] of its length; `anchor` aligns its label."""

    position: float
    label: str
    anchor: str = "middle"


def transform(edges: Sequence[float], scale: str) -> Callable[[float], float]:
    """The monotone map behind `scale`: "linear", "log" or "symlog".

    A log axis with an edge at or below zero falls back to symlog, which is linear within the smallest
    edge that is not zero and logarithmic outside.
    """
    sizes = [abs(value) for value in edges if value != 0 and math.isfinite(value)]
    if scale == "log" and min(edges, default=1.0) > 0:
        return math.log10
    if scale in ("log", "symlog") and sizes:
        unit = min(sizes)
        return lambda value: math.copysign(math.log1p(abs(value) / unit), value)
    return lambda value: value


def positions(edges: Sequence[float], scale: str) -> list[float]:
    """Each edge's place in [0, 1] on an axis that runs from the first to the last."""
    at = transform(edges, scale)
    places = [at(edge) for edge in edges]
    span = places[-1] - places[0]
    if _is_point(edges) or not math.isfinite(span):
        return [i / max(1, len(edges) - 1) for i in range(len(edges))]
    return [(place - places[0]) / span for place in places]


def value_ticks(edges: Sequence[float], scale: str, *, length: float) -> list[Tick]:
    """Round values between the outer edges, as many as have room on `length` user units."""
    at = transform(edges, scale)
    lower, upper = at(edges[0]), at(edges[-1])
    if _is_point(edges) or not math.isfinite(upper - lower):
        return [Tick(0.5, text.edge(edges[0]))]
    candidates = _decades(edges) if scale in ("log", "symlog") else []
    if len(candidates) < 2:
        candidates = _round_values(edges[0], edges[-1])
    ticks = [
        Tick((at(value) - lower) / (upper - lower), text.edge(value))
        for value in candidates
        if edges[0] <= value <= edges[-1]
    ]
    return _with_room(ticks, length=length)


def _is_point(edges: Sequence[float]) -> bool:
    """Whether the edges enclose a single value, as those of a constant column do."""
    return edges[-1] - edges[0] <= max(1e-12 * max(abs(edges[0]), abs(edges[-1])), 1e-300)


def time_ticks(places: Sequence[float], labels: Sequence[str], *, length: float) -> list[Tick]:
    """The outer edges' labels and as many evenly spread ones between as have room."""
    last = len(labels) - 1
    words = _short_times(labels)
    widest = 1.5 * max(len(word) for word in words) * _GLYPH + 14  # the outer labels hang inwards
    n_gaps = max(1, min(last, int(length // widest)))
    inner = [round(i * last / n_gaps) for i in range(1, n_gaps)]
    return _with_room([Tick(places[i], words[i]) for i in dict.fromkeys((0, last, *inner))], length=length)


def _with_room(ticks: Sequence[Tick], *, length: float) -> list[Tick]:
    """Those ticks, first come first served, whose labels neither touch another nor leave the axis."""
    taken: list[tuple[float, float]] = []
    kept = []
    for tick in ticks:
        half = len(tick.label) * _GLYPH / 2
        x = tick.position * length
        anchor = "start" if x - half < -8 else "end" if x + half > length + 8 else "middle"
        start = x if anchor == "start" else x - 2 * half if anchor == "end" else x - half
        span = (start - 4, start + 2 * half + 4)
        if all(span[1] <= other[0] or span[0] >= other[1] for other in taken):
            taken.append(span)
            kept.append(Tick(tick.position, tick.label, anchor))
    return sorted(kept, key=lambda tick: tick.position)


def share_ticks(largest: float, *, root: bool, length: float) -> list[Tick]:
    """Shares between 0 and `largest`, at least 22 user units apart; positions are those of √share where `root`."""
    values = [1.0, 0.5, 0.2, 0.05, 0.01] if root else _round_values(0.0, largest, n_values=5)[::-1]
    ticks = [Tick(0.0, "0%")]
    for value in values:
        position = math.sqrt(value / largest) if root else value / largest
        if position <= 1.001 and all(abs(position - tick.position) * length >= 22 for tick in ticks):
            ticks.append(Tick(position, f"{100 * value:.6g}%"))
    return sorted(ticks, key=lambda tick: tick.position)


def _round_values(lower: float, upper: float, *, n_values: int = 6) -> list[float]:
    """Multiples of 1, 2 or 5 × a power of ten, at most `n_values` of them."""
    span = upper - lower
    if span <= 0 or not math.isfinite(span):
        return [lower]
    power = 10.0 ** math.floor(math.log10(span / n_values))
    step = next(
        factor * power for factor in (1, 2, 5, 10, 20) if span / (factor * power) <= n_values - 0.999 + 1e-9
    )
    first, last = math.ceil(lower / step - 1e-9), math.floor(upper / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def _decades(edges: Sequence[float]) -> list[float]:
    """0 and powers of ten of either sign within the edges, outermost first so that they win a tight axis."""
    sizes = [abs(value) for value in edges if value != 0 and math.isfinite(value)]
    if not sizes:
        return []
    lowest, highest = math.floor(math.log10(min(sizes))), math.ceil(math.log10(max(sizes)))
    stride = max(1, math.ceil((highest - lowest) / 5))
    powers = [10.0**exponent for exponent in range(highest, lowest - 1, -stride)]
    values = [0.0] if edges[0] <= 0 <= edges[-1] else []
    return [*values, *powers, *(-power for power in powers)]


def _short_times(labels: Sequence[str]) -> list[str]:
    """Time labels without what they share: the day where all fall on one, days where they span years."""
    words = [text.time(label) for label in labels]
    if len({word[:10] for word in words}) == 1 and all(len(word) > 11 for word in words):
        return [word[11:] for word in words]
    years = [word[:4] for word in (words[0], words[-1])]
    if all(year.isdigit() for year in years) and int(years[1]) - int(years[0]) > 2:
        return [word[:7] for word in words]
    return [word[:10] for word in words]
