"""The report in a real browser: no overflow on a phone, no network, no errors, and its controls work."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tabsynth.decision import Answer
from tabsynth.pipeline import fit
from tabsynth.privacy import Budget
from tabsynth.report import publishable, render_html, render_publishable
from tests.unit.report.audits import make_audit
from tests.unit.report.sample_results import make_results, wide_results
from tests.unit.report.test_publish import decided, table

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (Debian: apt install chromium)"),
]

# Copies of the page carry these two scripts; the second tells the frame around it what it saw.
LISTEN = """<script>
var faults = [];
addEventListener("error", function (event) { faults.push("error: " + event.message); }, true);
addEventListener("securitypolicyviolation", function (event) { faults.push("blocked: " + event.blockedURI); });
</script>"""
TELL = """<script>
addEventListener("load", function () { setTimeout(function () {
  var root = document.documentElement, seen = { faults: faults };
  var names = function (selector) {
    return Array.from(document.querySelectorAll(selector)).filter(function (e) {
      return e.getClientRects().length > 0; }).map(function (e) { return e.dataset.name; });
  };
  var shade = function () { return getComputedStyle(document.body).backgroundColor; };
  seen.resources = performance.getEntriesByType("resource").map(function (entry) { return entry.name; });
  seen.width = root.clientWidth;
  document.querySelectorAll("details").forEach(function (item) { item.open = true; });
  seen.scrollWidth = root.scrollWidth;
  seen.sections = Array.from(document.querySelectorAll("main > section")).map(function (e) { return e.id; });
  seen.banner = document.querySelector(".banner").getBoundingClientRect().top;
  scrollTo(0, 3000);
  seen.bannerScrolled = document.querySelector(".banner").getBoundingClientRect().top;
  seen.shades = [shade()];
  var theme = document.getElementById("theme");
  theme.click(); seen.shades.push(shade());
  theme.click(); seen.shades.push(shade());
  seen.all = names("article.figure");
  var filter = document.getElementById("filter");
  filter.value = "IN"; filter.dispatchEvent(new Event("input"));
  seen.filtered = names("article.figure");
  filter.value = ""; filter.dispatchEvent(new Event("input"));
  var order = document.getElementById("order");
  order.value = "name"; order.dispatchEvent(new Event("change"));
  seen.byName = names("article.figure");
  var heads = document.querySelectorAll("#columns .sortable thead button");
  var column = function () { return Array.from(document.querySelectorAll("#columns .sortable tbody tr")).map(
    function (row) { return row.cells[1].dataset.v; }); };
  if (heads.length) {
    heads[1].click(); seen.falling = column();
    heads[1].click(); seen.rising = column();
  }
  seen.sorted = Array.from(document.querySelectorAll("#columns .sortable [aria-sort]")).map(
    function (e) { return e.getAttribute("aria-sort"); });
  parent.postMessage(JSON.stringify(seen), "*");
}, 50); });
</script>"""
FRAMES = """<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark"><pre id="told"></pre>
<script>
var told = {};
addEventListener("message", function (event) {
  document.querySelectorAll("iframe").forEach(function (frame) {
    if (frame.contentWindow === event.source) { told[frame.name] = JSON.parse(event.data); }
  });
  document.getElementById("told").textContent = JSON.stringify(told);
});
</script>
%s"""

Seen = dict[str, Any]


def look(
    folder: Path, frames: dict[str, tuple[str, int]], *, dark: bool = False
) -> tuple[dict[str, Seen], str]:
    """What each page (by name: its HTML and its width in pixels) told, and what the console printed."""
    tags = []
    for name, (page, width) in frames.items():
        watched = page.replace("<head>", f"<head>{LISTEN}", 1).replace("</body>", f"{TELL}</body>", 1)
        (folder / f"{name}.html").write_text(watched, encoding="utf-8")
        tags.append(f'<iframe name="{name}" src="{name}.html" width="{width}" height="900"></iframe>')
    (folder / "frames.html").write_text(FRAMES % "\n".join(tags), encoding="utf-8")
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={folder / 'profile'}",
        "--window-size=1600,1000",
        "--virtual-time-budget=10000",
        "--enable-logging=stderr",
        *(["--blink-settings=preferredColorScheme=0"] if dark else []),
        "--dump-dom",
        (folder / "frames.html").as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    found = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return json.loads(html.unescape(found[1]) or "{}"), console


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Seen], str]:
    page = render_html(make_results())
    return look(
        tmp_path_factory.mktemp("light"),
        {"phone": (page, 390), "desk": (page, 1440), "wide": (render_html(wide_results(60)), 390)},
    )


def test_nothing_overflows_the_page(seen: tuple[dict[str, Seen], str]) -> None:
    told, _ = seen
    assert {name: found["width"] for name, found in told.items()} == {"phone": 390, "desk": 1440, "wide": 390}
    for found in told.values():
        assert found["scrollWidth"] <= found["width"]


def test_nothing_is_requested_and_nothing_goes_wrong(seen: tuple[dict[str, Seen], str]) -> None:
    told, console = seen
    for found in told.values():
        assert found["resources"] == []
        assert found["faults"] == []
    assert console == ""


def test_every_section_is_there(seen: tuple[dict[str, Seen], str]) -> None:
    told, _ = seen
    for found in told.values():
        sections = [name for name in found["sections"] if name]
        assert sections == [
            "scores",
            "shortfalls",
            "columns",
            "pairs",
            "group-fidelity",
            "group-detection",
            "group-utility",
            "group-proximity",
            "limits",
            "yardsticks",
            "provenance",
        ]
    assert (len(told["desk"]["all"]), len(told["wide"]["all"])) == (16, 40)


def test_the_banner_stays_in_sight(seen: tuple[dict[str, Seen], str]) -> None:
    told, _ = seen
    for found in told.values():
        assert found["banner"] == found["bannerScrolled"] == 0


def test_columns_are_filtered_ordered_and_sorted(seen: tuple[dict[str, Seen], str]) -> None:
    told, _ = seen
    desk = told["desk"]
    assert sorted(desk["filtered"]) == sorted(name for name in desk["all"] if "in" in name)
    assert 0 < len(desk["filtered"]) < 16
    assert sorted(desk["byName"]) == sorted(desk["all"])
    assert desk["byName"] != desk["all"]
    assert desk["byName"][0] == "admitted_at"
    falling = [float(value) for value in desk["falling"]]
    assert falling == sorted(falling, reverse=True)
    assert desk["rising"] == desk["falling"][::-1]
    assert desk["sorted"][1] == "ascending"


def test_the_theme_follows_the_system_and_can_be_chosen(
    seen: tuple[dict[str, Seen], str], tmp_path: Path
) -> None:
    light = seen[0]["desk"]["shades"]
    dark = look(tmp_path, {"desk": (render_html(make_results()), 1440)}, dark=True)[0]["desk"]["shades"]
    assert light[0] == light[1] == dark[1]
    assert dark[0] == dark[2] == light[2]
    assert light[0] != dark[0]


def test_the_audit_and_the_publishable_page_hold_up_too(tmp_path: Path) -> None:
    decision = decided(Answer.ALLOW)
    private = render_html(make_results(), audit=make_audit(), decision=decision)
    rows = table()
    fitted = fit(rows, engine="independent", privacy=Budget(epsilon=1.0))
    public = render_publishable(publishable(fitted, rows, decision=decision))
    pages = {"private": private, "public": public}
    frames = {f"{name}-{width}": (page, width) for name, page in pages.items() for width in (390, 1440)}
    told, console = look(tmp_path, frames)
    assert set(told) == set(frames)
    for found in told.values():
        assert found["scrollWidth"] <= found["width"]
        assert found["resources"] == []
        assert found["faults"] == []
    assert {"decision", "audit"} <= set(told["private-390"]["sections"])
    assert told["public-1440"]["all"] == ["ward", "age", "pay"]
    assert told["public-1440"]["byName"] == ["age", "pay", "ward"]
    assert console == ""


def test_the_watch_sees_a_request_an_error_and_an_overflow(tmp_path: Path) -> None:
    page = render_html(make_results())
    bad = page.replace(
        "</main>",
        '<img alt="" src="http://127.0.0.1:9/x.png"><div style="width:900px">wide</div>'
        "<script>throw new Error('broken')</script></main>",
        1,
    )
    told, console = look(tmp_path, {"bad": (bad, 390)})
    found = told["bad"]
    assert any(fault.startswith("blocked: http://127.0.0.1:9") for fault in found["faults"])
    assert any("broken" in fault for fault in found["faults"])
    assert found["scrollWidth"] > found["width"]
    assert "CONSOLE" in console
