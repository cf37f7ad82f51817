"""Texts and marks of both themes are told from their ground (WCAG 2.2: 4.5 for text, 3 for graphics)."""

from __future__ import annotations

import re
from importlib import resources

import pytest

LEVELS = ("met", "near", "off", "far", "none")
TEXTS = (
    *((ink, ground) for ink in ("ink", "soft", "link") for ground in ("page", "surface")),
    *((level, f"{level}-bg") for level in LEVELS),
    *((level, "surface") for level in LEVELS),
    ("banner-ink", "banner"),
    ("ink", "off-bg"),
)
GRAPHICS = (
    ("synthetic", "surface"),
    ("holdout", "surface"),
    ("train-edge", "surface"),
    ("shade", "surface"),
    ("more", "surface"),
    ("less", "surface"),
    ("focus", "page"),
)


def colours(theme: str) -> dict[str, str]:
    sheet = (resources.files("tabsynth.report") / "templates" / f"{theme}.css").read_text(encoding="utf-8")
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", sheet))


def luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_that_of_the_definition() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_and_graphics_stand_out(theme: str) -> None:
    found = colours(theme)
    pairs = [(*pair, 4.5) for pair in TEXTS] + [(*pair, 3.0) for pair in GRAPHICS]
    faint = [
        f"{ink} on {ground}: {contrast(found[ink], found[ground]):.2f}"
        for ink, ground, least in pairs
        if contrast(found[ink], found[ground]) < least
    ]
    assert faint == []


def test_both_themes_name_the_same_colours() -> None:
    assert set(colours("light")) == set(colours("dark"))
