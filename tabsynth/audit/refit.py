"""An engine as a black box: train rows and a seed in, synthetic rows of a stated number out.

Attacks that retrain see engines through this seam alone: a registered engine, the recipe of a fitted model,
a Python function, or a command that reads a table and writes one. Fits of a private engine draw fresh noise
from the operating system each time, on tables that the audit makes up. Nothing of them is released: their
rows are counted and forgotten, and what is printed is private output. So they are charged to no ledger.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from tabsynth.errors import DataError, Fault, StructureError, UsageError
from tabsynth.io import read_table, write_frame
from tabsynth.models.base import Synthesizer
from tabsynth.models.registry import DEFAULT_ENGINE, make_engine, settings_of
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.privacy import DEFAULT_BUDGET, Budget, Privacy
from tabsynth.private_fit import require_guarantee
from tabsynth.schema.types import TableSchema
from tabsynth.source import as_table
from tabsynth.table import Table

Refit = Callable[[Table, int], Table]
"""From train rows and a seed to synthetic rows of the same schema."""

UserFunction = Callable[[pl.DataFrame, int, int], Any]
"""Of a user: from train rows, a number of rows and a seed to a table of any kind."""

FORMATS = ("csv", "parquet")
PLACES = ("train", "synthetic", "rows", "seed")
TIMEOUT = 600.0
"""Seconds that a command may take, unless said."""
_PLACE = re.compile(r"\{([A-Za-z_]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BlackBox:
    """What is audited: `make(n_rows)` gives its `Refit`.

    `title` names it in print, `identity` is all that decides its rows but the tables, as JSON. `stated` is
    the guarantee that it claims, None for none.
    """

    title: str
    identity: str
    make: Callable[[int], Refit]
    stated: Budget | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionRefit:
    """A user's function of (polars frame, number of rows, seed), whatever kind of table it gives back."""

    function: UserFunction
    n_rows: int

    def __call__(self, train: Table, seed: int) -> Table:
        made, _ = as_table(self.function(train.frame, self.n_rows, seed), train.schema)
        return _some_rows(made, "the function")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRefit:
    """A user's command, run without a shell in a process group of its own, from `folder`.

    The tables lie in a temporary folder that only this user may enter and that is removed whatever
    happens. What the command prints is never read, since it may hold cells.
    """

    words: tuple[str, ...]
    n_rows: int
    folder: Path
    file_format: str = "csv"
    timeout: float = TIMEOUT

    def __call__(self, train: Table, seed: int) -> Table:
        with TemporaryDirectory(prefix="tabsynth-refit-") as made_for_it:  # mode 0700
            source, made = (Path(made_for_it) / f"{name}.{self.file_format}" for name in PLACES[:2])
            write_frame(train.frame, source, schema=train.schema)
            self._run({"train": source, "synthetic": made, "rows": self.n_rows, "seed": seed})
            if not made.is_file():
                raise StructureError("the refit command ended well, but wrote no synthetic table")
            return _some_rows(_read(made, train.schema), "the refit command")

    def _run(self, places: Mapping[str, object]) -> None:
        words = [_PLACE.sub(lambda found: str(places[found[1]]), word) for word in self.words]
        try:
            process = subprocess.Popen(  # noqa: S603  # the user's own command, without a shell
                words,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as fault:
            raise UsageError(
                f"the refit command cannot be run: {self.words[0]}: {fault.strerror}; looked for from {self.folder}"
            ) from None
        try:
            code = process.wait(self.timeout)
        except subprocess.TimeoutExpired:
            raise UsageError(
                f"the refit command took longer than {self.timeout:g} s: allow it more, or ask for fewer rows"
            ) from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what it left running, too
            process.wait()
        if code:
            raise UsageError(
                f"the refit command ended with code {code}. What it printed may hold cells, so it is not shown: "
                "run it by hand on a table of your own"
            )


def engine_box(
    engine: str | Synthesizer = DEFAULT_ENGINE,
    *,
    settings: Mapping[str, Any] | None = None,
    privacy: Privacy = DEFAULT_BUDGET,
) -> BlackBox:
    """A registered engine by its name and settings, or a recipe. Raises as `fit` does, before any data."""
    if not isinstance(engine, str) and settings:
        raise UsageError("settings belong to an engine's name; set them on the recipe itself")
    recipe = make_engine(engine, settings) if isinstance(engine, str) else engine
    require_guarantee(privacy, recipe)
    budget = privacy if isinstance(privacy, Budget) else None
    said = "without privacy" if budget is None else f"ε = {budget.epsilon:g}, δ = {budget.delta:g}"
    stated = None if budget is None else [budget.epsilon, budget.delta]
    return BlackBox(
        title=f"{recipe.name}, {said}",
        identity=_identity(engine=recipe.name, settings=settings_of(recipe), privacy=stated),
        make=lambda n_rows: EngineRefit(recipe=recipe, privacy=privacy, n_rows=n_rows),
        stated=budget,
    )


def model_box(path: str | Path) -> BlackBox:
    """The recipe, settings and privacy of a fitted model folder, never its parameters.

    Raises `ModelFileError` as `FittedPipeline.load` does.
    """
    fitted = FittedPipeline.load(path)
    return engine_box(fitted.engine, privacy=fitted.privacy)


def function_box(function: UserFunction, *, stated: Budget | None = None) -> BlackBox:
    """A user's function; `stated` is the guarantee that it claims."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return BlackBox(
        title=f"function {name}",
        identity=_identity(function=f"{getattr(function, '__module__', '')}.{name}"),
        make=lambda n_rows: FunctionRefit(function=function, n_rows=n_rows),
        stated=stated,
    )


def command_box(
    command: str, *, file_format: str = "csv", timeout: float = TIMEOUT, stated: Budget | None = None
) -> BlackBox:
    """A user's command line, split as a shell would and run without one.

    `{train}`, `{synthetic}`, `{rows}` and `{seed}` stand for what their names say; the first two must be
    there. Raises `UsageError` listing what is wrong with it.
    """
    try:
        words, fault = tuple(shlex.split(command)), ""
    except ValueError as error:
        words, fault = (), str(error)
    places = {found for word in words for found in _PLACE.findall(word)}
    faults = [
        f"it cannot be split into words ({fault})" if fault else "",
        *(f"{{{name}}} is missing from it" for name in PLACES[:2] if not fault and name not in places),
        *(f"{{{name}}} is none of {_listed()}" for name in sorted(places - set(PLACES))),
        "" if file_format in FORMATS else f"its tables are {' or '.join(FORMATS)}, found {file_format!r}",
        "" if timeout > 0 else "its time limit must be above 0 s",
    ]
    if found := [text for text in faults if text]:
        raise UsageError(f"the refit command cannot be meant: {'; '.join(found)}")
    folder = Path.cwd()
    return BlackBox(
        title=f"command {Path(words[0]).name}",
        identity=_identity(command=command, format=file_format),
        make=lambda n_rows: CommandRefit(
            words=words, n_rows=n_rows, folder=folder, file_format=file_format, timeout=timeout
        ),
        stated=stated,
    )


def _listed() -> str:
    return ", ".join(f"{{{name}}}" for name in PLACES)


def _identity(**fields: object) -> str:
    return json.dumps(fields, sort_keys=True)


def _read(path: Path, schema: TableSchema) -> Table:
    """The synthetic table. What is wrong with it is named by column, and not by where the file lay."""
    try:
        frame, _ = read_table(path, schema=schema)
        return Table.conform(frame, schema)
    except (StructureError, DataError) as error:
        kind = type(error)
        faults = error.faults or (Fault("", "it cannot be read"),)
        raise kind("the table that the refit command wrote does not follow the schema", faults) from None


def _some_rows(made: Table, whose: str) -> Table:
    if made.n_rows == 0:
        raise StructureError(f"{whose} made a table without rows")
    return made
