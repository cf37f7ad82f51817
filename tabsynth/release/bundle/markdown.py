"""Markdown with the words of others in it, which must stay words."""

from __future__ import annotations

import re

_TAG, _ENTITY = re.compile(r"<(?=[A-Za-z/!?])"), re.compile(r"&(?=[#A-Za-z])")


def plain(text: str) -> str:
    """Text of others in a page: on one line, with nothing that Markdown or HTML would act on.

    What no reader acts on stays as it is, so that the page reads well as text too: `0 < 200` has no tag in it.
    """
    line = "".join(c if c.isprintable() else " " for c in text)
    line = _TAG.sub("&lt;", _ENTITY.sub("&amp;", line))
    line = re.sub(r"([\\`*_\[\]|#])", r"\\\1", line).replace("~~", r"\~\~")
    return re.sub(r"^(\s*)>", r"\1&gt;", line)


def page(*parts: str) -> str:
    """The parts that are not empty, a blank line between them."""
    return "\n\n".join(part for part in parts if part) + "\n"
