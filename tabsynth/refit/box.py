"""What a black box is, and the four kinds of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from tabsynth.errors import UsageError
from tabsynth.models.base import Synthesizer
from tabsynth.models.registry import DEFAULT_ENGINE, recipe_of, settings_of
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.privacy import DEFAULT_BUDGET, Budget, Privacy
from tabsynth.private_fit import require_guarantee
from tabsynth.refit.command import TIMEOUT, command_refit
from tabsynth.refit.function import FunctionRefit, NamedFunction, UserFunction, name_of, require_budget
from tabsynth.table import Table

Refit = Callable[[Table, int], Table]
"""From train rows and a seed to synthetic rows of the same schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlackBox:
    """An engine that others see from outside: `make(n_rows)` gives its `Refit`.

    `name` and, longer, `title` are for print, `identity` is all that decides its rows but the tables, as JSON.
    `stated` is the guarantee that it claims, None for none; `privacy` what each fit gives for certain, None for
    an engine that is not ours.
    """

    name: str
    title: str
    identity: str
    make: Callable[[int], Refit]
    stated: Budget | None = None
    privacy: Privacy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRefit:
    """A registered engine, in this process; cells that a private fit changes are no error."""

    recipe: Synthesizer
    privacy: Privacy
    n_rows: int

    def __call__(self, train: Table, seed: int) -> Table:
        fitted = fit(train, engine=self.recipe, privacy=self.privacy, seed=seed)
        rows = pl.concat(list(fitted.sample_batches(self.n_rows, seed=seed)))
        return Table.conform(rows, train.schema, strict=False)


def engine_box(
    engine: str | Synthesizer = DEFAULT_ENGINE,
    *,
    settings: Mapping[str, Any] | None = None,
    privacy: Privacy = DEFAULT_BUDGET,
) -> BlackBox:
    """A registered engine by its name and settings, or a recipe. Raises as `fit` does, before any data."""
    recipe = recipe_of(engine, settings)
    require_guarantee(privacy, recipe)
    budget = privacy if isinstance(privacy, Budget) else None
    said = "without privacy" if budget is None else f"ε = {budget.epsilon:g}, δ = {budget.delta:g}"
    stated = None if budget is None else [budget.epsilon, budget.delta]
    return BlackBox(
        name=recipe.name,
        title=f"{recipe.name}, {said}",
        identity=_identity(engine=recipe.name, settings=settings_of(recipe), privacy=stated),
        make=lambda n_rows: EngineRefit(recipe=recipe, privacy=privacy, n_rows=n_rows),
        stated=budget,
        privacy=privacy,
    )


def pipeline_box(fitted: FittedPipeline) -> BlackBox:
    """The recipe, settings and privacy of a fitted pipeline, never its parameters.

    Raises `UsageError` for one that was fitted with public rows beside its table, which no model keeps: without
    them its engine is another one.
    """
    if fitted.n_public:
        raise UsageError(
            f"the model was fitted with {fitted.n_public:,} public rows beside its table, which it does not hold: without "
            "them its engine gives other rows. Name the engine and its privacy to see it without any, or pass a function or "
            "a command that fits with them"
        )
    return engine_box(fitted.engine, privacy=fitted.privacy)


def model_box(path: str | Path) -> BlackBox:
    """`pipeline_box` of a model folder. Raises `ModelFileError` as `FittedPipeline.load` does."""
    return pipeline_box(FittedPipeline.load(path))


def function_box(function: UserFunction, *, stated: Budget | None = None) -> BlackBox:
    """A user's function; `stated` is the guarantee that it claims, and is asked of it where it takes `epsilon`.

    Raises `UsageError` where it needs one and none is stated.
    """
    require_budget(function, stated)
    refit = FunctionRefit(function=function, n_rows=0, budget=stated)
    whole = getattr(function, "__qualname__", refit.name)
    module = "" if isinstance(function, NamedFunction) else getattr(function, "__module__", "")
    return BlackBox(
        name=name_of(function),
        title=f"function {whole}",
        identity=_identity(
            function=f"{module}.{whole}" if module else whole, **_asked(stated, refit.takes_budget)
        ),
        make=lambda n_rows: replace(refit, n_rows=n_rows),
        stated=stated,
    )


def command_box(
    command: str, *, file_format: str = "csv", timeout: float = TIMEOUT, stated: Budget | None = None
) -> BlackBox:
    """A user's command line; `stated` is the guarantee that it claims, and fills `{epsilon}` and `{delta}`.

    Raises `UsageError` as `command_refit` does.
    """
    refit = command_refit(command, n_rows=0, file_format=file_format, timeout=timeout, budget=stated)
    return BlackBox(
        name=refit.name,
        title=f"command {refit.name}",
        identity=_identity(command=command, format=file_format, **_asked(stated, refit.takes_budget)),
        make=lambda n_rows: replace(refit, n_rows=n_rows),
        stated=stated,
    )


def _asked(stated: Budget | None, is_told: bool) -> dict[str, object]:
    return {} if stated is None or not is_told else {"privacy": [stated.epsilon, stated.delta]}


def _identity(**fields: object) -> str:
    return json.dumps(fields, sort_keys=True)
