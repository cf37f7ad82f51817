"""One column in several tables or one: bars for levels, a stepped area for numbers and times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tabsynth.evaluate import Distribution
from tabsynth.report import text
from tabsynth.report.charts.scales import positions, share_ticks, time_ticks, value_ticks
from tabsynth.report.charts.svg import Point, Svg
from tabsynth.report.reasons import level_or_bin_name

WIDTH = 380.0
_TABLES = ("train", "holdout", "synthetic")
_LEVEL_FONT, _TICK_FONT = 11.5, 11.0  # as the style sheet sets them, in user units
_MAX_LABEL = 126.0
_MAX_LEVELS = 12  # bars drawn; the table behind the chart has every level
_MAX_EXTRAS = 5  # special levels drawn beside a histogram


@dataclass(frozen=True, slots=True)
class _Bars:
    """Levels to draw and their shares, in the order of the series."""

    labels: tuple[str, ...]
    shares: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What a chart shows of one column: bins or levels as `Distribution` has them, and shares of one table or more.

    `tables` name the shares: "train", "holdout", "synthetic"; each of `shares` is n_bins + n_labels long.
    """

    column: str
    labels: tuple[str, ...]
    edges: tuple[float, ...]
    edge_labels: tuple[str, ...]
    scale: str
    tables: tuple[str, ...]
    shares: tuple[tuple[float, ...], ...]


def distribution_chart(distribution: Distribution) -> str:
    """The chart of one column in train, holdout and synthetic as SVG text; 380 units wide."""
    shares = (distribution.train, distribution.holdout, distribution.synthetic)
    return series_chart(
        Series(
            column=distribution.column,
            labels=distribution.labels,
            edges=distribution.edges,
            edge_labels=distribution.edge_labels,
            scale=distribution.scale,
            tables=_TABLES,
            shares=shares,
        )
    )


def series_chart(series: Series) -> str:
    """The chart of one column as SVG text; 380 units wide."""
    return _histogram(series) if len(series.edges) > 1 else _level_bars(series)


def wants_root(shares: Sequence[float]) -> bool:
    """Whether one share dwarfs the others so far that a linear axis would hide them."""
    seen = sorted(share for share in shares if share > 0)
    if len(seen) < 3:
        return False
    return seen[-1] >= 0.4 and seen[len(seen) // 2] < 0.03 * seen[-1]


def hides_rare_levels(shares: Sequence[float]) -> bool:
    """Whether some level would be too short a bar to see beside the longest on a linear axis."""
    seen = [share for share in shares if share > 0]
    return bool(seen) and min(seen) < 0.005 * max(seen)


def _shares(series: Series) -> list[tuple[float, ...]]:
    return list(zip(*series.shares, strict=True))


def _levels(series: Series) -> list[str]:
    return [text.level(label) for label in series.labels]


def _label(series: Series) -> str:
    return f"Distribution of {series.column} in {text.enumerate_names(series.tables)}"


def _tooltip(name: str, series: Series, shares: tuple[float, ...]) -> str:
    parts = (f"{table} {text.percent(share)}" for table, share in zip(series.tables, shares, strict=True))
    return f"{name}: {', '.join(parts)}"


def _pool(labels: Sequence[str], shares: Sequence[tuple[float, ...]], *, limit: int) -> _Bars:
    """At most `limit` levels in their own order: the most common in any table, the others pooled."""
    if len(labels) <= limit:
        return _Bars(tuple(labels), tuple(shares))
    is_pool = [label.startswith("other levels (") for label in labels]
    order = sorted(range(len(labels)), key=lambda i: (is_pool[i], -max(shares[i])))
    kept, rest = sorted(order[: limit - 1]), order[limit - 1 :]
    n_rest = sum(_pooled_levels(labels[i]) for i in rest)
    pooled = tuple(sum(shares[i][table] for i in rest) for table in range(len(shares[0])))
    return _Bars(
        (*(labels[i] for i in kept), f"other levels ({text.count(n_rest)})"),
        (*(shares[i] for i in kept), pooled),
    )


def _pooled_levels(label: str) -> int:
    inner = label.removeprefix("other levels (").removesuffix(")").replace(",", "")
    return int(inner) if inner != label and inner.isdigit() else 1


def _level_bars(series: Series) -> str:
    bars = _pool(_levels(series), _shares(series), limit=_MAX_LEVELS)
    names = [text.fit(label, _MAX_LABEL / _LEVEL_FONT) for label in bars.labels]
    longest = _LEVEL_FONT * max(map(text.breadth, names), default=0.0)
    left, right, top = 14 + max(30.0, longest), 34.0, 6.0
    row = min(44.0, max(20.0, 150.0 / max(1, len(bars.labels))))
    n_tables = len(series.tables)
    thick = (row - 5) / (1.11 * n_tables)
    bottom = top + row * len(bars.labels)
    largest = max((max(shares) for shares in bars.shares), default=0.0) or 1.0
    root = hides_rare_levels([max(shares) for shares in bars.shares])
    length = WIDTH - left - right
    svg = Svg.image(width=WIDTH, height=bottom + (33 if root else 20), label=_label(series), css="chart")
    for tick in share_ticks(largest, root=root, length=length / 1.3):
        x = left + length * tick.position
        svg.line((x, top), (x, bottom), "grid")
        svg.text(x, bottom + 13, tick.label, "tick", anchor="middle")
    for i, (name, shares) in enumerate(zip(bars.labels, bars.shares, strict=True)):
        group = svg.group(y=top + row * i)
        group.text(left - 7, row / 2 + 3, names[i], "level", anchor="end", title=name)
        for offset, (table, share) in enumerate(zip(series.tables, shares, strict=True)):
            size = _scaled(share, largest, root=root) * length
            group.rect(
                left, 2.5 + 1.11 * thick * offset, max(size, 0.8 if share > 0 else 0), thick, f"bar {table}"
            )
        group.rect(0, 0, WIDTH, row, "hit", title=_tooltip(name, series, shares))
    svg.line((left, top), (left, bottom), "axis")
    if root:
        svg.text(WIDTH - right, bottom + 28, "square-root axis", "tick", anchor="end")
    return str(svg)


def _scaled(share: float, largest: float, *, root: bool) -> float:
    part = max(0.0, share / largest)
    return math.sqrt(part) if root else part


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a histogram's bins and extra bars stand, in user units."""

    left: float
    right: float  # of the bins
    top: float
    bottom: float
    largest: float
    root: bool

    def x(self, position: float) -> float:
        return self.left + (self.right - self.left) * position

    def y(self, share: float) -> float:
        return self.bottom - (self.bottom - self.top) * _scaled(share, self.largest, root=self.root)


def _histogram(series: Series) -> str:
    n_bins = len(series.edges) - 1
    shares = _shares(series)
    places = positions(series.edges, series.scale)
    heights = shares[:n_bins]
    extras = _pool(_levels(series), shares[n_bins:], limit=_MAX_EXTRAS)
    peaks = [max(height) for height in (*heights, *extras.shares)]
    pitch = 46.0 if len(extras.labels) < 3 else 32.0
    room = pitch * len(extras.labels) + (8 if extras.labels else 0)
    frame = _Frame(
        left=38,
        right=WIDTH - 8 - room,
        top=8,
        bottom=158,
        largest=max(peaks, default=0.0) or 1.0,
        root=wants_root(peaks),
    )
    svg = Svg.image(
        width=WIDTH,
        height=196 if frame.root or series.scale != "linear" else 182,
        label=_label(series),
        css="chart",
    )
    _draw_share_axis(svg, frame)
    _draw_steps(svg, frame, series, places, heights)
    _draw_extras(svg, frame, series, extras, pitch=pitch)
    for i in range(n_bins):
        x = frame.x(places[i])
        hit = frame.x(places[i + 1]) - x
        name = level_or_bin_name(series, i)
        svg.rect(x, frame.top, hit, frame.bottom - frame.top, "hit", title=_tooltip(name, series, shares[i]))
    _draw_value_axis(svg, frame, series, places)
    return str(svg)


def _draw_share_axis(svg: Svg, frame: _Frame) -> None:
    for tick in share_ticks(frame.largest, root=frame.root, length=frame.bottom - frame.top):
        y = frame.bottom - (frame.bottom - frame.top) * tick.position
        svg.line((frame.left, y), (WIDTH - 8, y), "grid")
        svg.text(frame.left - 5, y + 3.5, tick.label, "tick", anchor="end")


def _draw_steps(
    svg: Svg,
    frame: _Frame,
    series: Series,
    places: Sequence[float],
    heights: Sequence[tuple[float, ...]],
) -> None:
    """The first table as an area, the others as lines over it."""
    for table, name in enumerate(series.tables):
        filled = table == 0
        css = f"{'area' if filled else 'step'} {name}"
        points: list[Point] = [(frame.x(places[0]), frame.bottom)] if filled else []
        for i, height in enumerate(heights):
            y = frame.y(height[table])
            points += [(frame.x(places[i]), y), (frame.x(places[i + 1]), y)]
        if filled:
            points.append((frame.x(places[-1]), frame.bottom))
        svg.path(points, css, closed=filled)


def _draw_extras(svg: Svg, frame: _Frame, series: Series, extras: _Bars, *, pitch: float) -> None:
    for i, (name, shares) in enumerate(zip(extras.labels, extras.shares, strict=True)):
        middle = frame.right + 8 + pitch * (i + 0.5)
        first = middle - 3.5 * len(shares) + 0.5
        for j, (table, share) in enumerate(zip(series.tables, shares, strict=True)):
            y = frame.y(share)
            svg.rect(first + 7 * j, y, 6, frame.bottom - y, f"bar {table}")
        words = text.fit(name.removeprefix("(").removesuffix(")"), (pitch - 1) / _TICK_FONT)
        svg.text(middle, frame.bottom + 14, words, "tick strong", anchor="middle", title=name)
        hit = frame.bottom - frame.top
        svg.rect(middle - pitch / 2, frame.top, pitch, hit, "hit", title=_tooltip(name, series, shares))
        svg.line((middle - 12, frame.bottom), (middle + 12, frame.bottom), "axis")


def _draw_value_axis(svg: Svg, frame: _Frame, series: Series, places: Sequence[float]) -> None:
    svg.line((frame.left, frame.bottom), (frame.right, frame.bottom), "axis")
    length = frame.right - frame.left
    if series.edge_labels:
        ticks = time_ticks(places, series.edge_labels, length=length)
    else:
        ticks = value_ticks(series.edges, series.scale, length=length)
    for tick in ticks:
        x = frame.x(tick.position)
        svg.line((x, frame.bottom), (x, frame.bottom + 4), "axis")
        svg.text(x, frame.bottom + 14, tick.label, "tick", anchor=tick.anchor)
    remarks = []
    if series.scale in ("log", "symlog"):
        remarks.append(f"{series.scale} axis")
    if frame.root:
        remarks.append("heights on a square-root axis")
    if remarks:
        svg.text(frame.right, frame.bottom + 29, "; ".join(remarks), "tick", anchor="end")
