from __future__ import annotations

import math
from xml.etree import ElementTree as ET

import pytest

from tabsynth.evaluate import Associations, Distribution, RocCurve
from tabsynth.report import text
from tabsynth.report.charts import Strip, distribution_chart, heat_maps, roc_chart, strip_chart
from tabsynth.report.charts.scales import Tick, positions, share_ticks, time_ticks, value_ticks

from .sample_results import make_results, standard_distributions


def shapes(svg: str, tag: str, css: str) -> list[ET.Element]:
    """Elements of `tag` that have every class in `css`."""
    wanted = set(css.split())
    return [e for e in ET.fromstring(svg).iter(tag) if wanted <= set(e.get("class", "").split())]


def titles(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter("title")]


def level_chart(shares: tuple[float, ...], labels: tuple[str, ...] | None = None) -> str:
    labels = labels or tuple(f"level {i}" for i in range(len(shares)))
    return distribution_chart(
        Distribution(
            column="c", kind="categorical", labels=labels, train=shares, holdout=shares, synthetic=shares
        )
    )


@pytest.mark.parametrize("distribution", standard_distributions(), ids=lambda found: found.column)
def test_every_kind_is_drawn_inside_its_frame(distribution: Distribution) -> None:
    svg = ET.fromstring(distribution_chart(distribution))
    assert svg.get("role") == "img"
    assert distribution.column in (svg.get("aria-label") or "")
    width, height = (float(size) for size in (svg.get("viewBox") or "").split()[2:])
    for rect in svg.iter("rect"):
        x, y, w, h = (float(rect.get(name, "nan")) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width + 0.2
        assert 0 <= y <= y + h <= height + 0.2
    for path in svg.iter("path"):
        numbers = [float(word) for word in (path.get("d") or "").strip("MZ").replace("L", " ").split()]
        assert all(math.isfinite(number) for number in numbers)
        assert max(numbers[::2]) <= width
        assert max(numbers[1::2]) <= height


def test_bars_are_as_long_as_their_shares() -> None:
    svg = level_chart((0.6, 0.3, 0.1))
    lengths = [float(bar.get("width", "nan")) for bar in shapes(svg, "rect", "bar train")]
    assert lengths[1] / lengths[0] == pytest.approx(0.5, abs=0.01)
    assert lengths[2] / lengths[0] == pytest.approx(1 / 6, abs=0.01)
    assert "level 1: train 30.0%, holdout 30.0%, synthetic 30.0%" in titles(svg)


def test_rare_levels_get_a_square_root_axis_that_says_so() -> None:
    svg = level_chart((0.96, 0.0384, 0.0016))
    lengths = [float(bar.get("width", "nan")) for bar in shapes(svg, "rect", "bar synthetic")]
    assert "square-root axis" in svg
    assert lengths[1] / lengths[0] == pytest.approx(0.2, abs=0.01)
    assert "square-root axis" not in level_chart((0.6, 0.3, 0.1))


def test_many_levels_are_pooled_with_their_number() -> None:
    labels = (*(f"level {i}" for i in range(29)), "other levels (1,234)")
    svg = level_chart(tuple([1 / 30] * 30), labels)
    names = [element.text for element in shapes(svg, "text", "level")]
    assert len(names) == 12
    assert names[-1] == f"other levels ({1234 + 18:,})"


def test_long_upper_case_labels_stay_inside_the_chart() -> None:
    long = "MWMWMWMWMWMWMWMWMWMWMW"
    svg = level_chart((0.5, 0.3, 0.2), (long, "HOSPITAL ADMISSION", "no"))
    for label in shapes(svg, "text", "level"):
        words = label.text or ""
        assert float(label.get("x", "nan")) - 11.5 * text.breadth(words) >= 0
    first = shapes(svg, "text", "level")[0]
    assert (first.text or "").endswith("…")
    assert [title.text for title in first.iter("title")] == [long]


def test_a_level_of_blanks_has_a_visible_label() -> None:
    svg = level_chart((0.5, 0.3, 0.2), (" ", "", "no"))
    assert [label.text for label in shapes(svg, "text", "level")] == ["(blank)", "(empty)", "no"]
    assert any(title.startswith("(blank): train 50.0%") for title in titles(svg))


def test_long_names_stay_inside_the_maps() -> None:
    names = ("WMWMWMWMWMWMWMWMWMWM", "b", "ADMISSION")
    matrix = tuple(tuple(0.5 for _ in names) for _ in names)
    associations = Associations(columns=names, train=matrix, holdout=matrix, synthetic=matrix)
    for name in shapes(heat_maps(associations)[0].svg, "text", "cell-name"):
        if name.get("transform") is None:
            assert float(name.get("x", "nan")) - 11 * text.breadth(name.text or "") >= 0


def test_special_levels_stand_beside_the_numbers() -> None:
    svg = distribution_chart(
        Distribution(
            column="c",
            kind="number",
            labels=("-1", "null"),
            edges=(0.0, 1.0, 2.0),
            train=(0.2, 0.2, 0.4, 0.2),
            holdout=(0.2, 0.2, 0.4, 0.2),
            synthetic=(0.2, 0.2, 0.2, 0.4),
        )
    )
    bars = shapes(svg, "rect", "bar synthetic")
    assert len(bars) == 2
    assert float(bars[1].get("height", "nan")) == pytest.approx(
        2 * float(bars[0].get("height", "nan")), rel=0.01
    )
    (area,) = shapes(svg, "path", "area train")
    right = max(float(word) for word in (area.get("d") or "").strip("MZ").replace("L", " ").split()[::2])
    assert right < float(bars[0].get("x", "nan"))


@pytest.mark.parametrize(
    ("edges", "scale"),
    [
        ((5.0, math.nextafter(5.0, 6.0)), "linear"),
        ((0.0, math.nextafter(0.0, 1.0)), "linear"),
        ((2.0**53, 2.0**53 + 2), "linear"),
        ((-1e300, 0.0, 1e300), "symlog"),
        ((-1.7e308, 0.0, 1.7e308), "linear"),
        ((0.0, 10.0, 100.0), "log"),
    ],
)
def test_extreme_edges_are_drawn(edges: tuple[float, ...], scale: str) -> None:
    shares = tuple([1 / (len(edges) - 1)] * (len(edges) - 1))
    svg = distribution_chart(
        Distribution(
            column="c",
            kind="number",
            edges=edges,
            scale=scale,
            train=shares,
            holdout=shares,
            synthetic=shares,
        )
    )
    assert "nan" not in svg
    assert "inf" not in svg


def test_an_empty_table_is_drawn_as_an_empty_chart() -> None:
    nothing = (0.0, 0.0)
    for edges, labels in (((0.0, 1.0, 2.0), ()), ((), ("a", "b"))):
        svg = distribution_chart(
            Distribution(
                column="c",
                kind="x",
                edges=edges,
                labels=labels,
                train=nothing,
                holdout=nothing,
                synthetic=nothing,
            )
        )
        assert ET.fromstring(svg).get("role") == "img"
    assert ET.fromstring(distribution_chart(Distribution(column="c", kind="x"))).get("role") == "img"


def test_log_positions_are_even_over_decades() -> None:
    assert positions((1.0, 10.0, 100.0, 1000.0), "log") == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert positions((-9.0, 0.0, 9.0), "symlog") == pytest.approx([0, 0.5, 1])
    assert positions((0.0, 1.0, 4.0), "linear") == pytest.approx([0, 0.25, 1])


def labels(ticks: list[Tick]) -> list[str]:
    return [tick.label for tick in ticks]


def test_ticks_are_round() -> None:
    assert labels(value_ticks((17.0, 90.0), "linear", length=300)) == ["20", "40", "60", "80"]
    assert labels(value_ticks((1.0, 1e4), "log", length=300)) == ["1", "10", "100", "1000", "10k"]
    symlog = labels(value_ticks((-1000.0, 1.0, 1000.0), "symlog", length=600))
    assert symlog == ["−1000", "−100", "−10", "−1", "0", "1", "10", "100", "1000"]
    assert labels(share_ticks(0.31, root=False, length=150)) == ["0%", "10%", "20%", "30%"]
    assert labels(share_ticks(0.9, root=True, length=150)) == ["0%", "5%", "20%", "50%"]


@pytest.mark.parametrize("length", [60.0, 120.0, 300.0])
def test_tick_labels_never_overlap(length: float) -> None:
    months = [f"{2014 + i // 12}-{i % 12 + 1:02d}-01" for i in range(37)]
    places = [i / 36 for i in range(37)]
    for ticks in (
        value_ticks((-1e6, 1.0, 1e6), "symlog", length=length),
        value_ticks((0.001, 1e9), "log", length=length),
        value_ticks((123_456.0, 987_654.0), "linear", length=length),
        time_ticks(places, months, length=length),
    ):
        ends = -math.inf
        assert ticks
        for tick in ticks:
            half = 3 * len(tick.label)
            x = tick.position * length
            start = x - {"start": 0, "middle": half, "end": 2 * half}[tick.anchor]
            assert start >= ends
            ends = start + 2 * half


def test_times_of_one_day_are_told_by_the_clock() -> None:
    hours = [f"2021-03-01T{hour:02d}:00:00" for hour in range(1, 13)]
    assert labels(time_ticks([i / 11 for i in range(12)], hours, length=120))[0] == "01:00"
    days = ["2021-03-01T00:00:00", "2021-03-15T00:00:00"]
    assert labels(time_ticks([0.0, 1.0], days, length=300)) == ["2021-03-01", "2021-03-15"]
    durations = ["0 days", "5 days", "10 days"]
    assert labels(time_ticks([0.0, 0.5, 1.0], durations, length=300)) == durations


def test_heat_map_cells_are_shaded_by_their_value() -> None:
    def square(value: float | None) -> tuple[tuple[float | None, ...], ...]:
        return ((1.0, value), (value, 1.0))

    train, synthetic, difference = heat_maps(
        Associations(columns=("a", "b"), train=square(0.8), holdout=square(0.8), synthetic=square(0.5))
    )
    assert titles(train.svg) == ["a × b: 0.80", "b × a: 0.80"]
    assert len(shapes(train.svg, "rect", "a s8")) == 2
    assert len(shapes(synthetic.svg, "rect", "a s5")) == 2
    assert len(shapes(difference.svg, "rect", "m s6")) == 2
    assert "a × b: −0.30" in titles(difference.svg)
    assert len(shapes(difference.svg, "rect", "same")) == 2
    undefined = heat_maps(
        Associations(columns=("a", "b"), train=square(None), holdout=square(None), synthetic=square(0.5))
    )
    assert [len(shapes(found.svg, "rect", "void")) for found in undefined] == [2, 0, 2]
    assert "a × b: undefined" in titles(undefined[0].svg)


def test_heat_maps_keep_the_columns_that_changed_most() -> None:
    names = tuple(f"c{i}" for i in range(6))
    train = tuple(tuple(1.0 if i == j else 0.5 for j in range(6)) for i in range(6))
    synthetic = [list(row) for row in train]
    synthetic[1][4] = synthetic[4][1] = 0.0
    maps = heat_maps(
        Associations(
            columns=names, train=train, holdout=train, synthetic=tuple(tuple(row) for row in synthetic)
        ),
        max_columns=2,
    )
    assert titles(maps[0].svg) == ["c1 × c4: 0.50", "c4 × c1: 0.50"]


def test_roc_has_a_chance_diagonal_and_names_its_area() -> None:
    svg = roc_chart(
        (RocCurve(name="x", false_positive_rate=(0, 0, 1), true_positive_rate=(0, 1, 1), auc=1.0),)
    )
    assert "x: AUC 1.000" in (ET.fromstring(svg).get("aria-label") or "")
    (chance,) = shapes(svg, "line", "chance")
    assert float(chance.get("x2", "0")) - float(chance.get("x1", "0")) == pytest.approx(280)
    assert float(chance.get("y1", "0")) - float(chance.get("y2", "0")) == pytest.approx(280)
    (curve,) = shapes(svg, "path", "roc first")
    assert curve.get("d") == "M44 290L44 10L324 10"


def test_strip_shows_value_floor_and_interval() -> None:
    svg = strip_chart(
        Strip(
            label="AUC",
            value=0.9,
            floor=0.5,
            interval=(0.8, 1.0),
            lower=0.4,
            upper=1.0,
            level="far",
            best=0.5,
        )
    )
    (dot,), (ring,) = shapes(svg, "circle", "dot far"), shapes(svg, "circle", "floor")
    assert float(dot.get("cx", "0")) == pytest.approx(8 + 164 * 5 / 6, abs=0.1)
    assert float(ring.get("cx", "0")) == pytest.approx(8 + 164 / 6, abs=0.1)
    (interval,) = shapes(svg, "rect", "interval")
    assert float(interval.get("width", "0")) == pytest.approx(164 / 3, abs=0.1)
    bare = strip_chart(
        Strip(label="none", value=None, floor=None, interval=None, lower=0, upper=1, level="none")
    )
    assert not shapes(bare, "circle", "dot")


def test_names_are_escaped_and_controls_removed() -> None:
    name = "<script>alert(1)</script>\"'&\x00\u202e"
    svg = level_chart((1.0,), (name,))
    assert "<script" not in svg
    assert "\x00" not in svg
    assert titles(svg)[0].startswith("<script>")
    assoc = Associations(
        columns=(name, "b"),
        train=((1, 0.5), (0.5, 1)),
        holdout=((1, 0.5), (0.5, 1)),
        synthetic=((1, 0), (0, 1)),
    )
    assert all("<script" not in found.svg for found in heat_maps(assoc))


def test_every_sample_map_has_a_cell_for_every_pair() -> None:
    associations = make_results().associations
    assert associations is not None
    for found in heat_maps(associations):
        assert len(list(ET.fromstring(found.svg).iter("rect"))) == 16 * 16
