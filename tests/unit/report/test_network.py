"""The drawing of a network: what is on it, what is said of it, and that nothing in it is code."""

from __future__ import annotations

import itertools
import math
import re
from xml.etree import ElementTree as ET

import numpy as np
import polars as pl
import pytest

from tabsynth.errors import OutputExistsError, UsageError
from tabsynth.models.explicit import Edge
from tabsynth.pipeline import fit
from tabsynth.privacy import NO_PRIVACY
from tabsynth.report.charts.network import MAX_LINKS, Link, drawn, network_chart, step
from tabsynth.report.charts.ring import ring_order
from tabsynth.report.network import Network, render_network_html, render_network_svg, write_network

SVG = "{http://www.w3.org/2000/svg}"


def edge(first: str, second: str, share: float, *, is_function: bool = False) -> Edge:
    return Edge(columns=(first, second), information=share / 2, share=share, is_function=is_function)


def network(n_columns: int = 6, n_edges: int = 5, **options: object) -> Network:
    names = tuple(f"column {k}" for k in range(n_columns))
    pairs = list(itertools.combinations(names, 2))[:n_edges]
    edges = [edge(*pair, share=0.9 / (k + 1), is_function=k == 1) for k, pair in enumerate(pairs)]
    return Network(
        **{
            "title": "stays",
            "columns": names,
            "edges": tuple(edges),
            "guarantee": "Differentially private: ε = 1.",
            "is_given": True,
            **options,
        }
    )


def shapes(root: ET.Element, tag: str, css: str) -> list[ET.Element]:
    """Elements of `tag` that have every class in `css`."""
    wanted = set(css.split())
    return [
        e for e in root.iter() if e.tag.removeprefix(SVG) == tag and wanted <= set(e.get("class", "").split())
    ]


def chart(drawing: Network) -> ET.Element:
    page = render_network_html(drawing)
    return ET.fromstring(re.search(r"<svg[^>]*class=\"net\">.*?</svg>", page, flags=re.DOTALL)[0])


def test_every_joined_column_and_every_edge_is_drawn_with_its_strength() -> None:
    svg = chart(network())
    assert [text.text for text in shapes(svg, "text", "node-name")] != []
    assert {text.text for text in shapes(svg, "text", "node-name")} == {f"column {k}" for k in range(6)}
    assert len(shapes(svg, "circle", "node")) == 6
    edges = shapes(svg, "path", "edge")
    assert len(edges) == 5
    widths = [int(re.search(r"\bk(\d+)", found.get("class"))[1]) for found in edges]
    assert widths == sorted(widths), "the strongest last, above the others"
    titles = [title.text for hit in shapes(svg, "path", "hit") for title in hit]
    assert "column 0 – column 1: 90.0% of the smaller entropy, 0.450 nats" in titles
    assert "column 0 → column 2: 45.0% of the smaller entropy, 0.225 nats, a near-function" in titles


def test_near_functions_are_dashed_and_point_at_the_column_that_follows() -> None:
    svg = chart(network())
    (line,) = shapes(svg, "path", "function")
    (tip,) = shapes(svg, "path", "tip")
    where = {
        title.text: (float(c.get("cx")), float(c.get("cy")))
        for c in shapes(svg, "circle", "node")
        for title in c
    }
    head = tuple(map(float, tip.get("d").removeprefix("M").split("L")[0].split()))
    start = tuple(map(float, line.get("d").removeprefix("M").split("L")[0].split()))
    assert math.dist(head, where["column 2"]) < 6
    assert math.dist(start, where["column 0"]) < 0.2


def test_columns_that_stand_alone_are_named_and_not_drawn() -> None:
    drawing = network(n_columns=9, n_edges=3)
    svg = chart(drawing)
    assert {text.text for text in shapes(svg, "text", "node-name")} == {f"column {k}" for k in range(4)}
    page = render_network_html(drawing)
    assert "Not joined to any other stand: column 4, column 5, column 6, column 7 and column 8." in page
    assert "Every edge is drawn." in page


def test_without_an_edge_all_columns_are_drawn_hollow() -> None:
    drawing = network(edges=())
    assert len(shapes(chart(drawing), "circle", "lone")) == 6
    page = render_network_html(drawing)
    assert "6 columns, none joined to another." in page
    assert "None: the model holds every column by itself." in page
    assert len(shapes(ET.fromstring(render_network_svg(drawing)), "circle", "lone")) == 6


def test_beyond_sixty_the_weakest_are_hidden_and_it_is_said() -> None:
    drawing = network(n_columns=20, n_edges=100)
    svg = chart(drawing)
    assert len(shapes(svg, "path", "edge")) == MAX_LINKS
    page = render_network_html(drawing)
    assert f"The {MAX_LINKS} strongest of 100 edges are drawn." in page
    assert page.count("<td>yes</td>") == MAX_LINKS
    assert page.count("<td>no</td>") == 40
    links = [Link(first=0, second=k, share=0.01 * k, words="", is_function=k == 1) for k in range(1, 99)]
    assert links[0] in drawn(links), "a near-function is drawn however weak"
    assert len(drawn(links)) == MAX_LINKS
    assert min(link.share for link in drawn(links) if not link.is_function) == pytest.approx(0.01 * (99 - 59))


@pytest.mark.parametrize("n_columns", [1, 2, 3, 15, 28, 29, 90])
def test_everything_lies_within_the_picture(n_columns: int) -> None:
    pairs = [(f"column {k}", f"column {k + 1}") for k in range(n_columns - 1)]
    drawing = network(n_columns=n_columns, edges=tuple(edge(*pair, share=0.3) for pair in pairs))
    svg = chart(drawing)
    width, height = (float(size) for size in svg.get("viewBox").split()[2:])
    (group,) = [found for found in svg if found.tag == "g"]
    moved = [float(x) for x in group.get("transform").removeprefix("translate(").removesuffix(")").split()]
    nodes = [
        (float(c.get("cx")) + moved[0], float(c.get("cy")) + moved[1])
        for c in shapes(group, "circle", "node")
    ]
    assert len(nodes) == n_columns
    assert all(10 < x < width - 10 and 10 < y < height - 10 for x, y in nodes)
    nearest = min((math.dist(*pair) for pair in itertools.combinations(nodes, 2)), default=99)
    assert nearest > 15, "room for a name beside each"
    whole = ET.fromstring(render_network_svg(drawing))
    assert float(whole.get("width")) >= width
    assert float(whole.get("height")) > height
    lowest = max(float(element.get("y")) for element in whole.iter(f"{SVG}text"))
    assert lowest < float(whole.get("height"))


def test_the_page_is_whole_and_fetches_nothing() -> None:
    page = render_network_html(network())
    assert "default-src 'none'" in page
    assert not re.search(r"""(src|href)=["'](?!#)""", page)
    assert page.count("<table") == 1
    assert page.index("</figure>") < page.index("<table")
    assert "<h1><bdi>stays</bdi></h1>" in page
    assert "prefers-color-scheme: dark" in page


def test_the_guarantee_is_on_it() -> None:
    given, none = network(), network(guarantee="Not anonymous by construction.", is_given=False)
    assert 'class="guarantee given"' in render_network_html(given)
    assert 'class="guarantee none"' in render_network_html(none)
    assert "as private as the table" in render_network_html(none)
    assert "as private as the table" not in render_network_html(given)
    assert "Not anonymous by construction." in render_network_svg(none)


def test_the_svg_stands_alone_with_its_edges_as_text() -> None:
    root = ET.fromstring(render_network_svg(network()))
    assert root.tag == f"{SVG}svg"
    assert root[0].tag == f"{SVG}title"
    assert root[0].text == "Network of the columns of stays"
    words = [element.text for element in shapes(root, "text", "line")]
    assert "column 0 – column 1" in words
    assert "column 0 → column 2" in words
    assert "90.0%" in words
    description = root.find(f"{SVG}desc").text
    assert "column 0 – column 1: 90.0% of the smaller entropy" in description
    style = root.find(f"{SVG}style").text
    assert "prefers-color-scheme: dark" in style
    assert "var(--shade)" in style


def test_names_are_text_and_nothing_else() -> None:
    """Markup in names stays text, long ones are cut, and what would not print is replaced."""
    evil, long, turned = '<script>alert("x")</script>', "n" * 200, "a\u202eb\nc"
    drawing = Network(
        title="</title><b>",
        columns=(evil, long, turned),
        edges=(edge(evil, long, 0.5), edge(long, turned, 0.2, is_function=True)),
        guarantee="<i>none</i>",
        is_given=False,
    )
    page, picture = render_network_html(drawing), render_network_svg(drawing)
    for content in (page, picture):
        assert evil not in content
        assert "<b>" not in content
        assert "<i>none" not in content
        assert "\u202e" not in content
    root = ET.fromstring(picture)
    assert not list(root.iter(f"{SVG}script"))
    assert all(len(text.text or "") < 160 for text in root.iter(f"{SVG}text"))


def test_the_drawing_is_the_same_each_time() -> None:
    drawing = network(n_columns=30, n_edges=70)
    assert render_network_html(drawing) == render_network_html(drawing)
    assert render_network_svg(drawing) == render_network_svg(drawing)


def ring_length(order: list[int], weights: dict[tuple[int, int], float]) -> float:
    at = {node: k for k, node in enumerate(order)}
    n = len(order)
    return sum(w * min(abs(at[i] - at[j]), n - abs(at[i] - at[j])) for (i, j), w in weights.items())


@pytest.mark.parametrize("seed", range(6))
def test_the_ring_is_nearly_as_short_as_the_shortest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = list(itertools.combinations(range(7), 2))
    weights = {pair: float(rng.gamma(0.3)) for pair in pairs if rng.random() < 0.6}
    order = ring_order(7, weights)
    assert sorted(order) == list(range(7))
    shortest = min(ring_length([0, *rest], weights) for rest in itertools.permutations(range(1, 7)))
    assert ring_length(order, weights) <= 1.15 * shortest + 1e-9


def test_a_chain_lies_along_the_ring() -> None:
    weights = {(k, k + 1): 1.0 for k in range(11)}
    order = ring_order(12, weights)
    assert ring_length(order, weights) <= 12
    assert ring_order(12, dict(reversed(weights.items()))) == order
    assert ring_order(0, {}) == []
    assert ring_order(1, {}) == [0]
    assert ring_order(130, {(0, 129): 1.0})[:2] == [0, 129], "the strongest first, its partner beside it"


def test_widths_rise_with_the_share() -> None:
    steps = [step(share) for share in (-1.0, 0.0, 0.002, 0.01, 0.1, 0.5, 1.0, 2.0)]
    assert steps == sorted(steps)
    assert (steps[0], steps[-1]) == (0, 10)


def test_label_and_description_name_the_picture() -> None:
    svg = network_chart(
        ["a", "b"], [Link(first=0, second=1, share=0.3, words="a – b")], label="L", description="D"
    )
    root = ET.fromstring(str(svg))
    assert (root.get("role"), root.get("aria-label")) == ("img", "L")
    assert root.find("desc").text == "D"


def test_files_are_written_whole_and_never_replaced_unasked(tmp_path) -> None:
    for name in ("n.html", "n.SVG"):
        path = write_network(network(), tmp_path / name)
        first = path.read_text(encoding="utf-8")
        with pytest.raises(OutputExistsError):
            write_network(network(), path)
        assert write_network(network(n_edges=2), path, overwrite=True).read_text(encoding="utf-8") != first
    with pytest.raises(UsageError, match=r"ending in \.html or \.svg, found 'n\.png'"):
        write_network(network(), tmp_path / "n.png")
    assert not (tmp_path / "n.png").exists()


def test_a_fitted_network_draws_itself_and_other_engines_say_that_they_have_none(tmp_path) -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 6, 2000)
    frame = pl.DataFrame({"code": code, "pair": code // 2, "other": (code + rng.integers(0, 2, 2000)) % 6})
    fitted = fit(frame, engine="bayesian_network", privacy=NO_PRIVACY)
    path = fitted.draw(tmp_path / "network.html")
    page = path.read_text(encoding="utf-8")
    assert "3 columns" in page
    assert "Not anonymous" in page
    copula = fit(frame, engine="gaussian_copula", privacy=NO_PRIVACY)
    with pytest.raises(
        UsageError, match="cannot give a drawing of its network; engines that can: bayesian_network"
    ):
        copula.draw(tmp_path / "copula.html")
    assert not (tmp_path / "copula.html").exists()
