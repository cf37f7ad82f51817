"""Columns on a ring and what joins them: the drawing of a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tabsynth.report import text
from tabsynth.report.charts.ring import ring_order
from tabsynth.report.charts.svg import Point, Svg

MAX_LINKS = 60
_MOST_UPRIGHT = 28  # names beyond these are turned along the ring's radius
_RADIUS, _FOOTING = 270.0, 17.0  # least radius of the ring, and room along it for each turned name
_MAX_NAME = 15.0  # ems
_STEPS = 10  # of width and ink; the style sheet paints them
_POINTS = 24  # of each curve
_FONT, _SMALL = 13.0, 12.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Two nodes that depend on each other: `share` in [0, 1] is drawn, `words` say it when pointed at.

    Where `is_function`, the second is all but a function of the first.
    """

    first: int
    second: int
    share: float
    words: str
    is_function: bool = False


def drawn(links: Sequence[Link]) -> tuple[Link, ...]:
    """Those that are drawn: every near-function, and of the others the strongest, at most 60 in all."""
    functions = [link for link in links if link.is_function]
    others = sorted((link for link in links if not link.is_function), key=lambda link: -link.share)
    return (*functions, *others[: max(MAX_LINKS - len(functions), 0)])


def network_chart(names: Sequence[str], links: Sequence[Link], *, label: str, description: str) -> Svg:
    """The nodes on a ring and the links that `drawn` keeps; the strongest are drawn last, thickest and darkest.

    Nodes without a link are left out, unless all are without.
    """
    joined = {node for link in links for node in (link.first, link.second)}
    order = ring_order(len(names), {(link.first, link.second): link.share for link in links})
    order = [node for node in order if node in joined or not joined]
    upright = len(order) <= _MOST_UPRIGHT
    font = _FONT if upright else _SMALL
    radius = max(_RADIUS, 0.0 if upright else len(order) * _FOOTING / (2 * math.pi))
    shown = [text.fit(name, _MAX_NAME) for name in names]
    room = max(text.breadth(shown[node]) for node in order) * font + 18
    beside, above = room, 34.0 if upright else room
    svg = Svg.image(
        width=2 * (radius + beside),
        height=2 * (radius + above),
        label=label,
        description=description,
        css="net",
    )
    group = svg.group(x=radius + beside, y=radius + above)
    turn = {
        node: 2 * math.pi * (k + 0.5 * upright) / len(order) - math.pi / 2 for k, node in enumerate(order)
    }
    at = {node: (radius * math.cos(angle), radius * math.sin(angle)) for node, angle in turn.items()}
    kept = sorted(drawn(links), key=lambda link: link.share)
    for link in kept:
        _link(group, link, at[link.first], at[link.second], radius)
    for node, angle in turn.items():
        x, y = at[node]
        css = f"node n{node}" if joined else f"node lone n{node}"
        group.circle(x, y, 4.5, css, title=names[node])
        _name(group, shown[node], names[node], angle, radius + 11, upright=upright, css=f"node-name n{node}")
    return svg


def step(share: float) -> int:
    """Which of the widths a share in [0, 1] is drawn in: even steps of its root."""
    return round(_STEPS * math.sqrt(min(max(share, 0.0), 1.0)))


def _link(group: Svg, link: Link, start: Point, end: Point, radius: float) -> None:
    css = f"k{step(link.share)} n{link.first} n{link.second}"
    points = _curve(start, end, radius)
    if link.is_function:
        group.path(points[:-2], f"edge function {css}")
        group.path(_tip(points), f"tip {css}", closed=True)
    else:
        group.path(points, f"edge {css}")
    group.path(points, f"hit n{link.first} n{link.second}", title=link.words)


def _curve(start: Point, end: Point, radius: float) -> list[Point]:
    """A parabola between two points of the ring, bent towards its middle the more the farther they are apart."""
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    apart = math.dist(start, end) / (2 * radius)  # in [0, 1]
    pull = 1 - 0.9 * apart
    size = math.hypot(*middle)
    reach = 0.94 * radius * pull / size if size > 1e-9 else 0.0
    bend = (middle[0] * reach, middle[1] * reach)
    curve = []
    for k in range(_POINTS + 1):
        t = k / _POINTS
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t**2
        curve.append((a * start[0] + b * bend[0] + c * end[0], a * start[1] + b * bend[1] + c * end[1]))
    return curve


def _tip(points: Sequence[Point]) -> list[Point]:
    """An arrow head at the end of a curve, clear of the node that stands there."""
    (x, y), before = points[-1], points[-3]
    length = math.dist((x, y), before) or 1.0
    along = ((x - before[0]) / length, (y - before[1]) / length)
    head, foot = (x - 5 * along[0], y - 5 * along[1]), (x - 16 * along[0], y - 16 * along[1])
    across = (-5.5 * along[1], 5.5 * along[0])
    return [head, (foot[0] + across[0], foot[1] + across[1]), (foot[0] - across[0], foot[1] - across[1])]


def _name(
    group: Svg, words: str, title: str, angle: float, radius: float, *, upright: bool, css: str
) -> None:
    x, y = radius * math.cos(angle), radius * math.sin(angle)
    is_left = math.cos(angle) < -1e-6
    anchor = "end" if is_left else ""
    if upright:
        is_end = abs(math.cos(angle)) < 0.05  # straight above or below the middle
        drop = (-4.0 if y < 0 else 12.0) if is_end else 4.5
        group.text(x, y + drop, words, css, anchor="middle" if is_end else anchor, title=title)
        return
    degrees = math.degrees(angle) + (180 if is_left else 0)
    across = 4.0
    x, y = x - across * math.sin(math.radians(degrees)), y + across * math.cos(math.radians(degrees))
    group.text(x, y, words, f"{css} small", anchor=anchor, turn=degrees, title=title)
