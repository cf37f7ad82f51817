"""Templates to self-contained pages: every name escaped, what would not print replaced."""

from __future__ import annotations

from collections.abc import Mapping

from tabsynth.report import text

PRIVATE_HEADER = "Private output: computed from private rows. Not for publication."
"""Stands at the head of every printed page of a private report."""


def render_page(template: str, context: Mapping[str, object]) -> str:
    """The template with `context`, which must hold every name that it prints."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("tabsynth.report"),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(context)


def _finalize(value: object) -> object:
    """What the template prints, with what would not print replaced; markup made here is left alone."""
    return text.printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
