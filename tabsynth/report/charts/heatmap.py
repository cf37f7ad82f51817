"""Associations of all pairs as heat maps: train, synthetic, and their difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tabsynth.evaluate import Associations
from tabsynth.report import text
from tabsynth.report.charts.svg import Svg

Matrix = Sequence[Sequence[float | None]]
_MAX_NAME = 9.0  # ems
_STEPS = 10  # shades on either side of zero; the style sheet paints them


@dataclass(frozen=True, slots=True)
class HeatMap:
    """One map, its title and its key."""

    title: str
    ends: tuple[str, str]  # what the first and the last shade stand for
    svg: str
    ramp: tuple[str, ...]  # shade classes of the key, from lowest to highest


def heat_maps(associations: Associations, *, max_columns: int = 30) -> tuple[HeatMap, ...]:
    """Three maps over the same columns: the `max_columns` whose associations changed most.

    The columns keep their order. Shades of the first two run from 0 to 1; those of the difference from
    −0.5 to 0.5, and larger differences take the last shade.
    """
    kept = _most_changed(associations, max_columns)
    names = [associations.columns[i] for i in kept]
    train = [[associations.train[i][j] for j in kept] for i in kept]
    synthetic = [[associations.synthetic[i][j] for j in kept] for i in kept]
    difference = [
        [None if a is None or b is None else b - a for a, b in zip(row, other, strict=True)]
        for row, other in zip(train, synthetic, strict=True)
    ]
    return (
        heat_map("Train", names, train, signed=False),
        heat_map("Synthetic", names, synthetic, signed=False),
        heat_map("Synthetic − train", names, difference, signed=True),
    )


def heat_map(title: str, names: Sequence[str], matrix: Matrix, *, signed: bool) -> HeatMap:
    """One map: shades from 0 to 1, or from −0.5 to 0.5 where `signed`."""
    rising = tuple(range(0, _STEPS + 1, 2))
    ramp = tuple(f"a s{step}" for step in rising)
    if signed:
        ramp = (*(f"m s{step}" for step in reversed(rising[1:])), *(f"p s{step}" for step in rising))
    return HeatMap(
        title=title,
        ends=("−0.5", "+0.5") if signed else ("0", "1"),
        svg=_map(names, matrix, label=f"Associations, {title.lower()}", signed=signed),
        ramp=ramp,
    )


def _most_changed(associations: Associations, limit: int) -> list[int]:
    def change(i: int) -> float:
        pairs = zip(associations.train[i], associations.synthetic[i], strict=True)
        return sum(abs(b - a) for a, b in pairs if a is not None and b is not None)

    indices = range(len(associations.columns))
    return sorted(sorted(indices, key=lambda i: (-change(i), i))[:limit])


def _map(names: Sequence[str], matrix: Matrix, *, label: str, signed: bool) -> str:
    n = len(names)
    cell = 26.0 if n <= 11 else 18.0 if n <= 17 else 13.0 if n <= 24 else 11.0
    size_of_font, font = (11.0, "cell-name") if n <= 17 else (9.5, "cell-name small")
    shown = [text.fit(name, _MAX_NAME) for name in names]
    margin = 12 + size_of_font * max(map(text.breadth, shown), default=0.0)
    size = margin + cell * n
    svg = Svg.image(
        width=size + 4,
        height=size + 4,
        label=f"{label}, {n} columns",
        css="heat wide" if size > 350 else "heat",
    )
    for i, row in enumerate(matrix):
        line = svg.group(x=margin, y=cell * i)
        for j, value in enumerate(row):
            title = "" if i == j else f"{names[i]} × {names[j]}: {_value(value, signed=signed)}"
            line.rect(cell * j, 0, cell - 1, cell - 1, _shade(value, i == j, signed=signed), title=title)
    for i, name in enumerate(names):
        middle = cell * (i + 0.5) + 2.5
        svg.text(margin - 5, middle, shown[i], font, anchor="end", title=name)
        svg.text(margin + middle, cell * n + 5, shown[i], font, anchor="end", turn=-90, title=name)
    return str(svg)


def _value(value: float | None, *, signed: bool) -> str:
    if value is None:
        return "undefined"
    return f"{value:+.2f}".replace("-", "−") if signed else f"{value:.2f}"


def _shade(value: float | None, is_diagonal: bool, *, signed: bool) -> str:
    if is_diagonal:
        return "same"
    if value is None:
        return "void"
    step = min(_STEPS, round(abs(value) * _STEPS * (2 if signed else 1)))
    side = "a" if not signed else "p" if value >= 0 else "m"
    return f"{side} s{step}"
