"""A user's Python function as an engine, handed over as it is or found by its name."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tabsynth.errors import StructureError, UsageError
from tabsynth.io import read_table
from tabsynth.privacy import Budget
from tabsynth.source import as_table
from tabsynth.table import Table

UserFunction = Callable[..., Any]
"""From (train rows, a number of rows, a seed) to a table of any kind; `epsilon` and `delta` by name, if it takes them."""


@dataclass(frozen=True, slots=True)
class NamedFunction:
    """The function "module:function" or "file.py:function", looked up where it is called, in any process.

    Raises `UsageError` where there is none.
    """

    name: str

    def __post_init__(self) -> None:
        function_of(self.name)

    def __call__(self, *given: Any, **named: Any) -> Any:
        return function_of(self.name)(*given, **named)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRefit:
    """A function of (polars frame, number of rows, seed), whatever kind of table it gives back."""

    function: UserFunction
    n_rows: int
    budget: Budget | None = None

    @property
    def name(self) -> str:
        return name_of(self.function)

    @property
    def takes_budget(self) -> bool:
        """Whether it can be asked for another budget."""
        return "epsilon" in _parameters(self.function)

    def __call__(self, train: Table, seed: int) -> Table:
        made, _ = as_table(self._made(train, seed), train.schema)
        if made.n_rows == 0:
            raise StructureError("the function made a table without rows")
        return made

    def rows(self, train: Table, seed: int) -> pl.DataFrame:
        """The rows as they come, of whatever columns and number."""
        return read_table(self._made(train, seed))[0]

    def _made(self, train: Table, seed: int) -> Any:
        taken = _parameters(self.function)
        stated = {} if self.budget is None else {"epsilon": self.budget.epsilon, "delta": self.budget.delta}
        named = {name: value for name, value in stated.items() if name in taken}
        return self.function(train.frame, self.n_rows, seed, **named)


def name_of(function: UserFunction) -> str:
    """What a function is called in print."""
    if isinstance(function, NamedFunction):
        return function.name
    return str(getattr(function, "__name__", type(function).__name__))


def require_budget(function: UserFunction, budget: Budget | None) -> None:
    """Raise `UsageError` where the function needs ε or δ and none is stated."""
    needed = [
        name
        for name in ("epsilon", "delta")
        if (known := _parameters(function).get(name)) is not None and known.default is known.empty
    ]
    if needed and budget is None:
        raise UsageError(f"the function takes {' and '.join(needed)}: state its budget")


def function_of(name: str) -> Callable[..., Any]:
    """The function of that name; raises `UsageError` where there is none."""
    place, _, function = name.rpartition(":")
    if not place or not function:
        raise UsageError(f"the function {name!r} is not of the form module:function or file.py:function")
    try:
        module = _from_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except ImportError:
        module = None
    found = getattr(module, function, None)
    if not callable(found):
        raise UsageError(f"there is no function {name!r}")
    return found  # type: ignore[no-any-return]


def _parameters(function: UserFunction) -> dict[str, inspect.Parameter]:
    looked_up = function_of(function.name) if isinstance(function, NamedFunction) else function
    try:
        return dict(inspect.signature(looked_up).parameters)
    except ValueError:  # built in, and says nothing
        return {}


def _from_file(path: Path) -> Any:
    """The module in that file, loaded once; None where there is no such file."""
    if (known := sys.modules.get(path.stem)) is not None and getattr(known, "__file__", "") == str(path):
        return known
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.exists():
        return None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module
