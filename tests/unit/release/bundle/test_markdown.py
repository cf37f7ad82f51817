"""What others wrote stays words: held against a reader of Markdown that lets HTML through."""

from __future__ import annotations

import html
import re

import pytest

from tabsynth.release.bundle.markdown import page, plain

markdown = pytest.importorskip("markdown", reason="needs the extra `docs`")

HOSTILE = (
    "<script>alert(1)</script>",
    "</td><img src=x onerror=alert(1)>",
    "<!-- hidden",
    "<?php ?>",
    "[here](javascript:alert(1))",
    "![x](http://host/x.png)",
    "**bold** _leaning_ `code`",
    "a | b",
    "# heading",
    "> quoted",
    "&lt;b&gt; &#60;b>",
    "one\n\n# two\r\n<b>",
    "\\<b>",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_is_acted_on(text):
    for made in (page(plain(text)), page("| a | b |\n|---|---|\n" + f"| {plain(text)} | x |")):
        found = markdown.markdown(made, extensions=["tables"])
        tags = set(re.findall(r"<\s*/?\s*([a-zA-Z!?]+)", found))
        assert tags <= {"p", "table", "thead", "tbody", "tr", "th", "td"}, found
        shown = html.unescape(re.sub(r"<[^>]*>", "", found))
        wanted = " ".join(re.sub(r"[\r\n]", " ", text).split())
        assert wanted in " ".join(shown.split())


def test_what_is_harmless_reads_as_it_was_written():
    for text in ("0 <= ... < 200 DM", "AT&T & Co", "a > b", "~5 %"):
        assert plain(text).replace("&amp;", "&") == text
