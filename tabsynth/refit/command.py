"""A user's command line as an engine: it reads a table and writes one."""

from __future__ import annotations

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
from typing import TypeVar

import polars as pl

from tabsynth.errors import DataError, Fault, StructureError, UsageError
from tabsynth.io import read_table, write_frame
from tabsynth.privacy import Budget
from tabsynth.schema.types import TableSchema
from tabsynth.table import Table

FORMATS = ("csv", "parquet")
FILES = ("train", "synthetic")
PLACES = (*FILES, "rows", "seed", "epsilon", "delta")
TIMEOUT = 600.0
"""Seconds that a command may take, unless said."""
T = TypeVar("T")
_PLACE = re.compile(r"\{([A-Za-z_]+)\}")


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
    budget: Budget | None = None

    @property
    def name(self) -> str:
        return Path(self.words[0]).name

    @property
    def takes_budget(self) -> bool:
        """Whether it can be asked for another budget."""
        return "epsilon" in _places(self.words)

    def __call__(self, train: Table, seed: int) -> Table:
        made = self._made(train, seed, lambda path: _read(path, train.schema))
        if made.n_rows == 0:
            raise StructureError("the command made a table without rows")
        return made

    def rows(self, train: Table, seed: int) -> pl.DataFrame:
        """The rows as they come, of whatever columns and number; of CSV every cell as text."""
        return self._made(train, seed, _as_it_is)

    def _made(self, train: Table, seed: int, read: Callable[[Path], T]) -> T:
        with TemporaryDirectory(prefix="tabsynth-refit-") as made_for_it:  # mode 0700
            source, made = (Path(made_for_it) / f"{name}.{self.file_format}" for name in FILES)
            write_frame(train.frame, source, schema=train.schema)
            asked = (
                {} if self.budget is None else {"epsilon": self.budget.epsilon, "delta": self.budget.delta}
            )
            self._run({"train": source, "synthetic": made, "rows": self.n_rows, "seed": seed, **asked})
            if not made.is_file():
                raise StructureError("the command ended well, but wrote no synthetic table")
            return read(made)

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
                f"the command cannot be run: {self.words[0]}: {fault.strerror}; looked for from {self.folder}"
            ) from None
        try:
            code = process.wait(self.timeout)
        except subprocess.TimeoutExpired:
            raise UsageError(
                f"the command took longer than {self.timeout:g} s: allow it more, or ask for fewer rows"
            ) from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what it left running, too
            process.wait()
        if code:
            raise UsageError(
                f"the command ended with code {code}. What it printed may hold cells, so it is not shown: "
                "run it by hand on a table of your own"
            )


def command_refit(
    command: str,
    *,
    n_rows: int,
    file_format: str = "csv",
    timeout: float = TIMEOUT,
    budget: Budget | None = None,
) -> CommandRefit:
    """A user's command line, split as a shell would and run without one, from the folder of this call.

    `{train}`, `{synthetic}`, `{rows}`, `{seed}`, `{epsilon}` and `{delta}` stand for what their names say; the
    first two must be there. Raises `UsageError` listing what is wrong with it.
    """
    try:
        words, fault = tuple(shlex.split(command)), ""
    except ValueError as error:
        words, fault = (), str(error)
    places = _places(words)
    unstated = sorted(places & {"epsilon", "delta"}) if budget is None else []
    faults = [
        f"it cannot be split into words ({fault})" if fault else "",
        *(f"{{{name}}} is missing from it" for name in FILES if not fault and name not in places),
        *(f"{{{name}}} is none of {_listed()}" for name in sorted(places - set(PLACES))),
        *(f"{{{name}}} stands in it, but no budget is stated" for name in unstated),
        "" if file_format in FORMATS else f"its tables are {' or '.join(FORMATS)}, found {file_format!r}",
        "" if timeout > 0 else "its time limit must be above 0 s",
    ]
    if found := [text for text in faults if text]:
        raise UsageError(f"the command cannot be meant: {'; '.join(found)}")
    return CommandRefit(
        words=words,
        n_rows=n_rows,
        folder=Path.cwd(),
        file_format=file_format,
        timeout=timeout,
        budget=budget,
    )


def _places(words: tuple[str, ...]) -> set[str]:
    return {found for word in words for found in _PLACE.findall(word)}


def _listed() -> str:
    return ", ".join(f"{{{name}}}" for name in PLACES)


def _as_it_is(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise StructureError(
            f"the table that the command wrote cannot be read: {type(error).__name__}"
        ) from None


def _read(path: Path, schema: TableSchema) -> Table:
    """The synthetic table. What is wrong with it is named by column, and not by where the file lay."""
    try:
        frame, _ = read_table(path, schema=schema)
        return Table.conform(frame, schema)
    except (StructureError, DataError) as error:
        kind = type(error)
        faults = error.faults or (Fault("", "it cannot be read"),)
        raise kind("the table that the command wrote does not follow the schema", faults) from None
