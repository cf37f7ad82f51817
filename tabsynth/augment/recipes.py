"""The engine that makes the rows, told what they are for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from tabsynth.models.auto import Auto
from tabsynth.models.base import Synthesizer
from tabsynth.models.registry import ENGINES, as_settings, make_engine
from tabsynth.table import Table

_TARGET = "target"


def recipe_for(
    engine: str,
    settings: Mapping[str, Any] | None,
    *,
    target: str | None,
    where: Mapping[str, Any] | None = None,
) -> Synthesizer:
    """The recipe, told of the target where it has a setting for it that is not set, and the slice is one of the target.

    Raises what `make_engine` raises.
    """
    settings = as_settings(settings)
    if target is not None and is_of(target, where) and engine in ENGINES and _takes_target(ENGINES[engine]):
        settings.setdefault(_TARGET, target)
    return make_engine(engine, settings)


def settled_for(
    recipe: Synthesizer,
    table: Table,
    *,
    is_private: bool,
    target: str | None,
    where: Mapping[str, Any] | None = None,
) -> tuple[Synthesizer, str]:
    """The engine that `auto` chooses for the table, told of the target likewise, and why it is that one; any other as it is, and ""."""
    if not isinstance(recipe, Auto):
        return recipe, ""
    n_rows = None if is_private else table.n_rows
    found = recipe.choose(n_columns=len(table.schema.columns), is_private=is_private, n_rows=n_rows)
    chosen = found.recipe
    if target is not None and is_of(target, where) and _takes_target(type(chosen)):
        chosen = replace(chosen, **{_TARGET: target})  # type: ignore[type-var]
    return chosen, found.why


def is_of(target: str, where: Mapping[str, Any] | None) -> bool:
    """Whether a slice is of the target: its rarest class, or conditions that name it."""
    return not where or target in where


def _takes_target(engine: type[Synthesizer]) -> bool:
    return any(field.name == _TARGET for field in fields(engine))  # type: ignore[arg-type]
