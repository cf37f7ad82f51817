"""The engines by name, and recipes from plain settings."""

from __future__ import annotations

import difflib
import importlib.util
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Literal

from tabsynth.arguments import mapping_fault, refuse
from tabsynth.errors import UsageError
from tabsynth.models.auto import AUTO, Auto
from tabsynth.models.base import FittedModel, Synthesizer
from tabsynth.models.bayesian_network import BayesianNetwork
from tabsynth.models.ctgan import Ctgan
from tabsynth.models.dp_ctgan import DpCtgan
from tabsynth.models.explicit import ExplicitModel
from tabsynth.models.gaussian_copula import GaussianCopula
from tabsynth.models.independent import Independent
from tabsynth.models.sequential_trees import SequentialTrees
from tabsynth.models.smote import Smote
from tabsynth.models.tvae import Tvae

ENGINES: Mapping[str, type[Synthesizer]] = {
    engine.name: engine
    for engine in (Independent, GaussianCopula, BayesianNetwork, SequentialTrees, Smote, Ctgan, Tvae, DpCtgan)
}
DEFAULT_ENGINE = BayesianNetwork.name
ENGINE_NAMES = (*ENGINES, AUTO)
"""What an engine may be asked for by: `auto` becomes one of the others in the fit, so no model is of it."""
EXPLICIT_ENGINES = (BayesianNetwork.name,)
"""Those whose fitted models are `ExplicitModel`s."""
TRAINED_ENGINES = (DpCtgan.name,)
"""Those that a private fit trains by noisy gradients, beside noisy counts; they need the extra `gan`."""
_OF_EXTRA = {
    Ctgan.name: ("gan", ("torch",)),
    Tvae.name: ("gan", ("torch",)),
    DpCtgan.name: ("gan", ("torch", "opacus")),
}


def engine_class(name: str) -> type[Synthesizer]:
    """The engine of that name; raises `UsageError` listing those there are."""
    if name not in ENGINES:
        near = difflib.get_close_matches(name, ENGINES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"there is no engine {name!r}: {hint}choose one of {', '.join(ENGINES)}")
    return ENGINES[name]


def require_libraries(recipe: Synthesizer) -> None:
    """Raise `UsageError` where libraries, or the GPU, that fitting needs are not there; those of the base install are."""
    extra, libraries = _OF_EXTRA.get(recipe.name, ("", ()))
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"engine {recipe.name!r} is fitted with {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed, so nothing was "
            f"read: pip install 'tabsynth[{extra}]'"
        )
    if getattr(recipe, "device", None) == "cuda":
        from tabsynth.models.neural.devices import chosen_device

        chosen_device("cuda")  # before the work, not after it


def explicit(model: FittedModel, engine: str, *, what: str) -> ExplicitModel:
    """The model, as one whose distribution can be computed; raises `UsageError` naming the engines of those."""
    if isinstance(model, ExplicitModel):
        return model
    able = ", ".join(EXPLICIT_ENGINES)
    raise UsageError(f"a model of engine {engine!r} cannot give {what}; engines that can: {able}")


def settings_of(recipe: Synthesizer) -> dict[str, Any]:
    """A recipe's hyperparameters as plain data."""
    return {field.name: getattr(recipe, field.name) for field in fields(recipe)}  # type: ignore[arg-type]


def default_settings(name: str) -> dict[str, Any]:
    """Hyperparameters of an engine and their defaults."""
    found = fields(engine_class(name))  # type: ignore[arg-type]
    return {field.name: field.default for field in found if field.default is not MISSING}


def as_settings(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Settings of an engine, none where None. Raises `UsageError` for what is no mapping of names."""
    if settings is None:
        return {}
    refuse((mapping_fault(settings, "settings", of="names", example='{"min_group": 20}'),))
    return dict(settings)


def make_engine(name: str, settings: Mapping[str, Any] | None = None) -> Synthesizer:
    """A recipe from plain data, texts included (`--set min_group=20`).

    Raises `UsageError` that lists every unknown setting and every value of the wrong type.
    """
    engine: type[Synthesizer] = Auto if name == AUTO else engine_class(name)
    settings = as_settings(settings)
    hints = typing.get_type_hints(engine)
    known = [field.name for field in fields(engine)]  # type: ignore[arg-type]
    faults, values = [], {}
    for key, value in settings.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            faults.append(f"unknown setting {key!r} ({hint})")
            continue
        try:
            values[key] = _as_type(value, hints[key])
        except ValueError as fault:
            faults.append(f"setting {key!r}: {fault}")
    if faults:
        raise UsageError(f"engine {name!r} cannot be set up so: " + "; ".join(faults))
    return engine(**values)


def recipe_of(engine: str | Synthesizer, settings: Mapping[str, Any] | None = None) -> Synthesizer:
    """The recipe of an engine by its name and settings, or the recipe that is given. Raises what `make_engine` raises, `UsageError` for anything else."""
    if isinstance(engine, str):
        return make_engine(engine, settings)
    require_recipe(engine)
    if settings:
        raise UsageError("settings belong to an engine's name; set them on the recipe itself")
    return engine


def require_recipe(engine: Any) -> None:
    """Raise `UsageError` where `engine` is no recipe."""
    if isinstance(engine, type) or not isinstance(getattr(engine, "name", None), str):
        found = f"the class {engine.__name__}" if isinstance(engine, type) else type(engine).__name__
        raise UsageError(
            f"an engine is a name ({', '.join(ENGINE_NAMES)}) or a recipe such as tabsynth.engines.BayesianNetwork(), found {found}"
        )


def _as_type(value: Any, wanted: Any) -> Any:
    if typing.get_origin(wanted) is Literal:
        choices = typing.get_args(wanted)
        if value in choices:
            return value
        raise ValueError(f"expected one of {', '.join(map(repr, choices))}")
    if wanted is bool:
        texts = {"true": True, "false": False}
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in texts:
            return texts[value.lower()]
        raise ValueError("expected true or false")
    if isinstance(value, bool):
        raise ValueError(f"expected {wanted.__name__}")  # noqa: TRY004 - collected with the other faults
    try:
        converted = wanted(value)
    except (TypeError, ValueError):
        raise ValueError(f"expected {wanted.__name__}") from None
    if isinstance(value, float) and converted != value:
        raise ValueError(f"expected {wanted.__name__}")
    return converted
