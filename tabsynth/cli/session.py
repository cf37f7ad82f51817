"""One run of one command: what it prints, and the code it exits with.

Results go to stdout, everything else to stderr. With `json_output`, stdout holds one JSON object, also
when the command fails. No message quotes a cell: errors of this package never do, and the text of any
other exception is left out because it might.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import typer

from tabsynth.cli.progress import Report, duration, progress
from tabsynth.errors import BudgetError, InputError, PolicyError, TabsynthError

if TYPE_CHECKING:
    from tabsynth.evaluate import Results

DONE, FAILED, BAD_INPUT, DENIED, INCONCLUSIVE, INTERRUPTED = 0, 1, 2, 3, 4, 130
CODE_OF_VERDICT = {"pass": DONE, "fail": DENIED, "inconclusive": INCONCLUSIVE}
BROKEN_PIPE = 128 + 13  # as a shell says it of a tool that SIGPIPE ends


@dataclass(kw_only=True)
class Session:
    """Use as a context manager around a command's work; turns its errors into messages and exit codes.

    `has_ledger`: a ledger file is charged, which an interrupt does not undo. `checkpoint`: where the work can be continued.
    """

    command: str
    json_output: bool = False
    quiet: bool = False
    debug: bool = False
    has_ledger: bool = False
    checkpoint: Path | None = None
    _started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long the command has run."""
        return time.monotonic() - self._started

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, (typer.Exit, SystemExit, GeneratorExit)):
            return
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(BROKEN_PIPE) from None  # whoever read the output has had enough
        if isinstance(error, KeyboardInterrupt):
            charged = " What the ledger was charged stays charged." if self.has_ledger else ""
            written = "nothing was written"
            if self.checkpoint is not None:
                written = f"no model was written. The same command goes on from {self.checkpoint}"
            self._fail(INTERRUPTED, f"Interrupted: {written}.{charged}", error)
        elif isinstance(error, (BudgetError, PolicyError)):
            self._fail(DENIED, str(error), error)
        elif isinstance(error, TabsynthError):
            self._fail(BAD_INPUT, str(error), error)
        else:
            self._fail(FAILED, _unexpected(error), error)

    def _fail(self, code: int, message: str, error: BaseException) -> None:
        if self.debug:
            print(_frames(error), file=sys.stderr)
        say_error(message)
        if self.json_output:
            faults = error.faults if isinstance(error, InputError) else ()
            summary = error.summary if isinstance(error, InputError) else message
            fault_data = [{"where": fault.where, "what": fault.what, "hint": fault.hint} for fault in faults]
            kind = type(error).__name__
            self._print_json(
                {
                    "ok": False,
                    "exit_code": code,
                    "error": {"type": kind, "message": summary, "faults": fault_data},
                }
            )
        raise typer.Exit(code) from None

    def progress(self, *, n_rows: int | None = None) -> AbstractContextManager[Report]:
        """Where the work reports how far it is."""
        return progress(quiet=self.quiet, n_rows=n_rows)

    def note(self, text: str) -> None:
        """Something to know, on stderr."""
        if not self.quiet:
            print(printable(text), file=sys.stderr)

    def show(self, text: str) -> None:
        """A part of the result for people, on stdout; nothing with `json_output` or `quiet`."""
        if not self.json_output and not self.quiet:
            print(printable(text))

    def show_report(self, results: Results) -> None:
        """The report of an evaluation, on stdout; nothing with `json_output` or `quiet`."""
        if self.json_output or self.quiet:
            return
        from rich.console import Console

        from tabsynth.report import render_terminal

        render_terminal(results, Console(highlight=False))

    def show_lead(self, results: Results | None) -> None:
        """The first sentence of the report, on stdout; nothing with `json_output` or `quiet`."""
        if results is None or self.json_output or self.quiet:
            return
        from rich.console import Console
        from rich.padding import Padding

        from tabsynth.report import summarise

        Console(highlight=False, markup=False).print(Padding(summarise(results).lead, (0, 0, 0, 2)))

    def finish(
        self,
        summary: str,
        *,
        data: Mapping[str, Any],
        ok: bool = True,
        files: Mapping[Path, str] | None = None,
        next_steps: Sequence[Sequence[str | Path]] = (),
    ) -> None:
        """The last lines: what was done, the files written and what they are, and the next commands."""
        files = files or {}
        commands = [shlex.join(map(str, step)) for step in next_steps]
        if self.json_output:
            self._print_json(
                {
                    "ok": ok,
                    **data,
                    "files": [str(path) for path in files],
                    "next": commands,
                    "seconds": round(self.seconds, 3),
                }
            )
            return
        self.show(f"{summary} ({duration(self.seconds)})")
        for line in _file_lines(files):
            self.show(line)
        if commands:
            self.show("Next:")
        for command in commands:
            self.show(f"  {command}")

    def _print_json(self, data: Mapping[str, Any]) -> None:
        print(json.dumps({"command": self.command, **data}, ensure_ascii=False, indent=1, allow_nan=False))


def say_error(message: str) -> None:
    """`message` on stderr, marked as an error."""
    print(f"Error: {printable(message)}", file=sys.stderr)


def printable(text: str) -> str:
    """`text` with controls replaced: names come from files, and must not reach a terminal as commands."""
    return "".join(c if c.isprintable() or c in "\n\u200d" else "\ufffd" for c in text)


def one_line(text: str) -> str:
    """`printable`, on one line: what somebody else wrote must not pass for a line of ours."""
    return printable(text).replace("\n", " ")


def _file_lines(files: Mapping[Path, str]) -> Iterator[str]:
    width = max((len(str(path)) for path in files), default=0)
    for path, what in files.items():
        yield f"  {path!s:<{width}}  {what}"


def _unexpected(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "out of memory; fewer rows, fewer columns or a larger machine would help"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"unexpected {type(error).__name__}{where}. Nothing was written. Run again with --debug for the way there, and report it."


def _frames(error: BaseException) -> str:
    """The calls that led to `error` and what caused it, without any exception's text."""
    chain: list[str] = []
    current: BaseException | None = error
    while current is not None:
        frames = "".join(traceback.format_tb(current.__traceback__))
        chain.append(f"{frames}{type(current).__name__}")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\ncaused by:\n".join(chain)
