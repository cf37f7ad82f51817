"""Markdown with the words of others in it, which must stay words."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """Text of others in a page: on one line, with nothing that Markdown or HTML would act on."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return re.sub(r"([\\`*_\[\]<>|#~&])", r"\\\1", line)


def page(*parts: str) -> str:
    """The parts that are not empty, a blank line between them."""
    return "\n\n".join(part for part in parts if part) + "\n"
