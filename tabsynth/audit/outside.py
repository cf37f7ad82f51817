"""Engines seen from outside: a table and a budget in, rows out. One of ours, a Python function, a command.

Only built-in public tables are given to them.
"""

from __future__ import annotations

import importlib
import importlib.util
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from tabsynth.audit.gaussian import gaussian_epsilon, gaussian_mu
from tabsynth.audit.released import FAULTS, with_noise_of
from tabsynth.encode.table import decode_table
from tabsynth.errors import UsageError
from tabsynth.io import read_table
from tabsynth.models.base import BLOCK_ROWS, Synthesizer
from tabsynth.privacy import Budget, Ledger
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.private_fit import fit_privately, plan_fit
from tabsynth.randomness import Streams
from tabsynth.table import Table

SECONDS = 600
"""After which a command is given up."""


class Outside(Protocol):
    """An engine of which only rows are seen."""

    @property
    def title(self) -> str: ...

    @property
    def can_be_weakened(self) -> bool:
        """Whether it can be asked for a share of its noise."""
        ...

    def rows(self, table: Table, *, budget: Budget, share: float = 1.0) -> pl.DataFrame | str:
        """Synthetic rows of a fit of `table`, or in words how it ended; with `share` of its noise."""
        ...


@dataclass(frozen=True, slots=True)
class Registered:
    """One of the registered engines, whose rows alone are looked at."""

    recipe: Synthesizer

    @property
    def title(self) -> str:
        return self.recipe.name

    @property
    def can_be_weakened(self) -> bool:
        return True

    def rows(self, table: Table, *, budget: Budget, share: float = 1.0) -> pl.DataFrame | str:
        plan = plan_fit(table.schema, self.recipe, budget)
        queries = NoisyQueries(Ledger(), plan if share == 1.0 else with_noise_of(plan, share))
        streams = Streams.from_seed(None)
        try:
            fitted = fit_privately(table, self.recipe, queries=queries, streams=streams)
            n_rows = min(fitted.n_rows, BLOCK_ROWS)
            return decode_table(fitted.model.sample_block(0, n_rows=n_rows, streams=streams), fitted.schema)
        except FAULTS as fault:
            return type(fault).__name__


@dataclass(frozen=True, slots=True)
class Function:
    """A Python function `name`, "module:function" or "file.py:function".

    It is called with a polars frame and the keyword arguments `epsilon` and `delta`, and returns a polars,
    pandas or Arrow table.
    """

    name: str

    @property
    def title(self) -> str:
        return self.name

    @property
    def can_be_weakened(self) -> bool:
        return True

    def rows(self, table: Table, *, budget: Budget, share: float = 1.0) -> pl.DataFrame | str:
        asked = weaker(budget, share)
        try:
            made = function_of(self.name)(table.frame, epsilon=asked.epsilon, delta=asked.delta)
        except FAULTS as fault:
            return type(fault).__name__
        return read_table(made)[0]


@dataclass(frozen=True, slots=True)
class Command:
    """A command line that reads the CSV file {train} and writes the CSV file {synthetic}.

    {epsilon} and {delta} in it are replaced too. It is run without a shell.
    """

    line: str

    def __post_init__(self) -> None:
        missing = [mark for mark in ("{train}", "{synthetic}") if mark not in self.line]
        if missing:
            raise UsageError(
                f"the engine's command lacks {' and '.join(missing)}: the files it reads and writes"
            )

    @property
    def title(self) -> str:
        return shlex.split(self.line)[0]

    @property
    def can_be_weakened(self) -> bool:
        return "{epsilon}" in self.line

    def rows(self, table: Table, *, budget: Budget, share: float = 1.0) -> pl.DataFrame | str:
        asked = weaker(budget, share)
        with tempfile.TemporaryDirectory() as folder:
            train, synthetic = Path(folder, "train.csv"), Path(folder, "synthetic.csv")
            table.frame.write_csv(train)
            marks = {"train": train, "synthetic": synthetic, "epsilon": asked.epsilon, "delta": asked.delta}
            words = [_filled(word, marks) for word in shlex.split(self.line)]
            try:
                code = subprocess.run(  # noqa: S603  # the user's own command, without a shell
                    words, capture_output=True, timeout=SECONDS, check=False
                ).returncode
            except FileNotFoundError:
                raise UsageError(f"there is no program {words[0]!r}") from None
            except subprocess.TimeoutExpired:
                return f"not ended after {SECONDS} s"
            if code:
                return f"exit code {code}"
            if not synthetic.exists():
                return "no file written"
            return pl.read_csv(synthetic, infer_schema=False)


def _filled(word: str, marks: dict[str, Any]) -> str:
    for mark, value in marks.items():
        word = word.replace(f"{{{mark}}}", str(value))
    return word


def weaker(budget: Budget, share: float) -> Budget:
    """The budget at which a Gaussian mechanism has `share` of the noise: 1/share times its μ."""
    if share == 1.0:
        return budget
    mu = gaussian_mu(budget.epsilon, budget.delta) / share
    return Budget(epsilon=gaussian_epsilon(mu, budget.delta), delta=budget.delta)


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
