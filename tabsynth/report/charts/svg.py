"""A small SVG builder. Every text and attribute is escaped by the XML serialiser, never by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self
from xml.etree import ElementTree as ET

from tabsynth.report import text

Point = tuple[float, float]


def coordinate(value: float) -> str:
    """A length in user units, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")


class Svg:
    """An `<svg>` or group under construction: shapes are appended in drawing order.

    Classes, not colours, are given to shapes; the page's style sheet paints them.
    """

    def __init__(self, element: ET.Element) -> None:
        self._element = element

    @classmethod
    def image(cls, *, width: float, height: float, label: str, description: str = "", css: str = "") -> Self:
        """A picture with an accessible name and description."""
        element = ET.Element(
            "svg",
            {
                "viewBox": f"0 0 {coordinate(width)} {coordinate(height)}",
                "width": coordinate(width),
                "height": coordinate(height),
                "role": "img",
                "aria-label": text.printable(label),
            },
        )
        if css:
            element.set("class", css)
        svg = cls(element)
        if description:
            svg._add("desc").text = text.printable(description)
        return svg

    def group(self, *, x: float = 0, y: float = 0, css: str = "") -> Svg:
        """A group moved by (x, y)."""
        element = self._add("g")
        if x or y:
            element.set("transform", f"translate({coordinate(x)} {coordinate(y)})")
        if css:
            element.set("class", css)
        return Svg(element)

    def rect(self, x: float, y: float, width: float, height: float, css: str, *, title: str = "") -> None:
        element = self._add("rect", x=x, y=y, width=max(0.0, width), height=max(0.0, height))
        element.set("class", css)
        _title(element, title)

    def line(self, start: Point, end: Point, css: str) -> None:
        element = self._add("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1])
        element.set("class", css)

    def circle(self, x: float, y: float, radius: float, css: str, *, title: str = "") -> None:
        element = self._add("circle", cx=x, cy=y, r=radius)
        element.set("class", css)
        _title(element, title)

    def path(self, points: Iterable[Point], css: str, *, closed: bool = False, title: str = "") -> None:
        steps = [f"{coordinate(x)} {coordinate(y)}" for x, y in points]
        if not steps:
            return
        element = self._add("path")
        element.set("d", f"M{'L'.join(steps)}{'Z' if closed else ''}")
        element.set("class", css)
        _title(element, title)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        css: str = "",
        *,
        anchor: str = "",
        turn: float = 0,
        title: str = "",
    ) -> None:
        """`words` at (x, y); `anchor` is "middle" or "end", `turn` in degrees about that point."""
        element = self._add("text", x=x, y=y)
        if css:
            element.set("class", css)
        if anchor:
            element.set("text-anchor", anchor)
        if turn:
            element.set("transform", f"rotate({coordinate(turn)} {coordinate(x)} {coordinate(y)})")
        element.text = text.printable(words)
        if title and title != words:
            _title(element, title)

    @property
    def size(self) -> Point:
        """Width and height of a picture."""
        return float(self._element.attrib["width"]), float(self._element.attrib["height"])

    def place(self, picture: Svg, *, x: float, y: float, css: str = "") -> None:
        """Another picture's shapes, moved by (x, y); its name and description stay behind."""
        group = self.group(x=x, y=y, css=css)
        for shape in picture.shapes:
            group.append(shape)

    @property
    def shapes(self) -> list[ET.Element]:
        """What has been drawn, in order."""
        return [shape for shape in self._element if shape.tag != "desc"]

    def append(self, shape: ET.Element) -> None:
        """Draw a shape of another picture."""
        self._element.append(shape)

    def as_file(self, *, title: str, style: str) -> str:
        """The picture as a document of its own, which `style` paints."""
        element = ET.Element(
            self._element.tag, {"xmlns": "http://www.w3.org/2000/svg", **self._element.attrib}
        )
        ET.SubElement(element, "title").text = text.printable(title)
        ET.SubElement(element, "style").text = style
        element.extend(self._element)
        return ET.tostring(element, encoding="unicode", xml_declaration=True)

    def __str__(self) -> str:
        return ET.tostring(self._element, encoding="unicode")

    def _add(self, tag: str, **lengths: float) -> ET.Element:
        return ET.SubElement(self._element, tag, {key: coordinate(value) for key, value in lengths.items()})


def _title(element: ET.Element, words: str) -> None:
    if words:
        ET.SubElement(element, "title").text = text.printable(words)
