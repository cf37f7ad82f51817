"""The network of a fitted model as a drawing: an HTML page, or an SVG, that stands alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

from tabsynth.errors import UsageError
from tabsynth.models.explicit import Edge
from tabsynth.report import text
from tabsynth.report.charts.network import Link, drawn, network_chart, step
from tabsynth.report.charts.svg import Svg
from tabsynth.report.page import render_page

_SUFFIXES = (".html", ".svg")
_KEY_SHARES = (0.02, 0.10, 0.50)
_LIST_COLUMNS, _LINE, _WIDTH = 3, 17.0, 940.0
_MAX_NAME, _MAX_TITLE = 24.0, 36.0  # ems


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What is drawn: columns in the table's order, edges between them, and the model's guarantee."""

    title: str
    columns: tuple[str, ...]
    edges: tuple[Edge, ...]
    guarantee: str
    is_given: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    first: str
    second: str
    share: str
    information: str
    kind: str
    is_drawn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    svg: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the template prints."""

    title: str
    lead: str
    guarantee: str
    is_given: bool
    svg: str
    key: tuple[Sample, ...]
    caption: str
    rows: tuple[Row, ...]
    n_hidden: int
    version: str


def write_network(network: Network, path: str | Path, *, overwrite: bool = False) -> Path:
    """Draw to `path`, .html or .svg, whole or not at all, and return the path.

    Raises `UsageError` for any other ending and `OutputExistsError` where `path` exists and `overwrite` is
    not set.
    """
    from tabsynth.io.atomic import atomic_path

    path = Path(path)
    require_drawable(path)
    content = render_network_svg(network) if path.suffix.lower() == ".svg" else render_network_html(network)
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(content, encoding="utf-8")
    return path


def require_drawable(path: Path) -> None:
    """Raise `UsageError` unless the name ends in .html or .svg."""
    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"a drawing is written to a file ending in .html or .svg, found {path.name!r}")


def render_network_html(network: Network) -> str:
    """One self-contained page: the drawing, and its edges as a table."""
    return render_page("network.html", {"page": _page(network)})


def render_network_svg(network: Network) -> str:
    """One SVG document: the drawing, what it shows, and the edges that are drawn as text beneath it."""
    links = _links(network)
    lines = [*_wrapped(_lead(network)), *_wrapped(network.guarantee)]
    chart = _chart(network, links)
    across, down = chart.size
    kept = [links.index(link) for link in sorted(drawn(links), key=lambda link: -link.share)]
    n_rows = -(-len(kept) // _LIST_COLUMNS)
    width = max(_WIDTH, across + 40)
    head = 62 + _LINE * len(lines)
    below = _wrapped(_caption(network, links))
    foot = 64 + _LINE * (len(below) + n_rows)
    svg = Svg.image(
        width=width,
        height=head + down + foot,
        label=_label(network),
        description=_described(network),
        css="sheet",
    )
    svg.rect(0, 0, width, head + down + foot, "ground")
    svg.text(28, 44, text.fit(network.title, _MAX_TITLE), "headline")
    for number, line in enumerate(lines):
        svg.text(28, 68 + _LINE * number, line, "line")
    svg.place(chart, x=(width - across) / 2, y=head, css="net")
    for number, line in enumerate(below):
        svg.text(28, head + down + 30 + _LINE * number, line, "line")
    span = (width - 56) / _LIST_COLUMNS
    for number, at in enumerate(kept):
        edge = network.edges[at]
        x, y = (
            28 + span * (number // n_rows),
            head + down + 44 + _LINE * len(below) + _LINE * (number % n_rows),
        )
        words = text.fit(f"{edge.columns[0]} {_dash(edge)} {edge.columns[1]}", (span - 80) / 12)
        svg.text(x, y, text.percent(edge.share), "line strong")
        svg.text(x + 52, y, words, "line", title=_words(edge))
    return svg.as_file(title=_label(network), style=_svg_style())


def _page(network: Network) -> Page:
    links = _links(network)
    kept = set(drawn(links))
    rows = tuple(
        Row(
            first=edge.columns[0],
            second=edge.columns[1],
            share=text.percent(edge.share),
            information=text.number(edge.information),
            kind="near-function: the second follows from the first" if edge.is_function else "measured pair",
            is_drawn=link in kept,
        )
        for edge, link in zip(network.edges, links, strict=True)
    )
    samples = [Sample(svg=_sample(share), words=f"{share:.0%}") for share in _KEY_SHARES]
    if any(link.is_function for link in links):
        arrow = "near-function: the column at the arrow all but follows from the other"
        samples.append(Sample(svg=_sample(0.5, is_function=True), words=arrow))
    return Page(
        title=network.title,
        lead=_lead(network),
        guarantee=network.guarantee,
        is_given=network.is_given,
        svg=str(_chart(network, links)),
        key=tuple(samples) if links else (),
        caption=_caption(network, links),
        rows=rows,
        n_hidden=len(links) - len(kept),
        version=metadata.version("tabsynth"),
    )


def _chart(network: Network, links: Sequence[Link]) -> Svg:
    return network_chart(network.columns, links, label=_label(network), description=_described(network))


def _links(network: Network) -> list[Link]:
    position = {name: at for at, name in enumerate(network.columns)}
    return [
        Link(
            first=position[edge.columns[0]],
            second=position[edge.columns[1]],
            share=edge.share,
            words=_words(edge),
            is_function=edge.is_function,
        )
        for edge in network.edges
    ]


def _words(edge: Edge) -> str:
    kind = ", a near-function" if edge.is_function else ""
    strength = f"{text.percent(edge.share)} of the smaller entropy, {text.number(edge.information)} nats"
    return f"{edge.columns[0]} {_dash(edge)} {edge.columns[1]}: {strength}{kind}"


def _dash(edge: Edge) -> str:
    return "→" if edge.is_function else "–"


def _label(network: Network) -> str:
    return f"Network of the columns of {network.title}"


def _lead(network: Network) -> str:
    n = len(network.columns)
    columns = "1 column" if n == 1 else f"{text.count(n)} columns"
    if not network.edges:
        return f"{columns}, none joined to another."
    n_edges = len(network.edges)
    joined = "1 pair of them joined" if n_edges == 1 else f"{text.count(n_edges)} pairs of them joined"
    strongest = max(network.edges, key=lambda edge: edge.share)
    names = " and ".join(text.fit(name, _MAX_NAME) for name in strongest.columns)
    return f"{columns}, {joined} in the model; the strongest are {names} at {text.percent(strongest.share)}."


def _described(network: Network) -> str:
    """The strongest edges in words, for those who do not see the drawing."""
    strongest = sorted(network.edges, key=lambda edge: -edge.share)[:8]
    return ". ".join([_lead(network).rstrip("."), *(_words(edge) for edge in strongest)]) + "."


def _caption(network: Network, links: Sequence[Link]) -> str:
    n_hidden = len(links) - len(drawn(links))
    joined = {name for edge in network.edges for name in edge.columns}
    alone = [name for name in network.columns if name not in joined]
    parts = ["Width: mutual information as a share of the smaller entropy."]
    if not links:
        parts = []
    elif n_hidden:
        n_drawn = len(links) - n_hidden
        parts.append(f"The {n_drawn} strongest of {text.count(len(links))} edges are drawn.")
    else:
        parts.append("Every edge is drawn.")
    if links and alone:
        verb = "stands" if len(alone) == 1 else "stand"
        names = text.enumerate_names(tuple(text.fit(name, _MAX_NAME) for name in alone), limit=len(alone))
        parts.append(f"Not joined to any other {verb}: {names}.")
    return " ".join(parts)


def _sample(share: float, *, is_function: bool = False) -> str:
    svg = Svg.image(width=34, height=12, label="", css="net")
    svg.path([(1, 6), (22 if is_function else 33, 6)], f"edge{' function' * is_function} k{step(share)}")
    if is_function:
        svg.path([(33, 6), (22, 0.5), (22, 11.5)], "tip", closed=True)
    return str(svg)


def _wrapped(words: str) -> list[str]:
    lines, line = [], ""
    for word in text.printable(words).split():
        longer = f"{line} {word}".strip()
        if line and text.breadth(longer) > (_WIDTH - 56) / 12.5:
            lines.append(line)
            longer = word
        line = longer
    return [*lines, line]


def _svg_style() -> str:
    templates = resources.files("tabsynth.report") / "templates"
    light, dark, shapes = (
        (templates / name).read_text(encoding="utf-8") for name in ("light.css", "dark.css", "network.css")
    )
    face = (
        '-apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, system-ui, sans-serif'
    )
    return (
        f":root {{\n{light}}}\n@media (prefers-color-scheme: dark) {{ :root {{\n{dark}}} }}\n"
        f"text {{ font: 13px {face}; fill: var(--soft); font-variant-numeric: tabular-nums; }}\n"
        ".ground { fill: var(--page); }\n.headline { font-size: 24px; font-weight: 650; fill: var(--ink); }\n"
        f".line {{ font-size: 13px; }}\n.strong {{ fill: var(--ink); font-weight: 600; }}\n{shapes}"
    )
