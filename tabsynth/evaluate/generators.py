"""Engines as plain functions from a table to a synthetic table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from tabsynth.evaluate.collapse import Generator
from tabsynth.models.base import Synthesizer
from tabsynth.models.registry import DEFAULT_ENGINE, make_engine
from tabsynth.pipeline import fit
from tabsynth.privacy import DEFAULT_BUDGET, Privacy
from tabsynth.private_fit import require_guarantee
from tabsynth.table import Table


def engine_generator(
    engine: str | Synthesizer = DEFAULT_ENGINE,
    *,
    settings: Mapping[str, Any] | None = None,
    privacy: Privacy | None = None,
) -> tuple[Generator, str]:
    """A generator that fits `engine` with `privacy` each time (ε = 1 where None), and the engine's name.

    Where that is a budget, the first fit spends it on the private table; later ones read synthetic rows, at
    no further cost to anybody. Raises `UsageError` for an unknown engine or setting, `PrivacyError` where
    the engine cannot give the privacy.
    """
    recipe = make_engine(engine, settings) if isinstance(engine, str) else engine
    asked = DEFAULT_BUDGET if privacy is None else privacy
    require_guarantee(asked, recipe)

    def generate(table: Table, n_rows: int, seed: int) -> Table:
        fitted = fit(table, schema=table.schema, engine=recipe, privacy=asked, seed=seed)
        return Table.conform(pl.concat(list(fitted.sample_batches(n_rows, seed=seed))), table.schema)

    return generate, recipe.name


def callable_generator(make: Callable[[pl.DataFrame, int, int], Any], schema: Any) -> Generator:
    """A generator from a function of (polars frame, number of rows, seed) to a frame of any kind."""
    from tabsynth.source import as_table

    def generate(table: Table, n_rows: int, seed: int) -> Table:
        return as_table(make(table.frame, n_rows, seed), schema)[0]

    return generate
