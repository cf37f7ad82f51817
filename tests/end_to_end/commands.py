"""The command line in a subprocess, and a small table with what real ones have."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tabsynth.cli import main
from tabsynth.schema.types import Generator, Kind, Schema

CANARY_TEXT = "zanzibarquokka"
CANARY_NUMBER = 8_675_309
"""One cell of the table each; nowhere else in it, nor in anything that the commands say by themselves."""


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object that stdout holds."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


def start(*args: str | Path, cwd: Path, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """`python -m tabsynth ARGS` in the folder `cwd`, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tabsynth", *map(str, args)],
        cwd=cwd,
        env={**os.environ, "TABSYNTH_DEBUG": "", "COLUMNS": "100", **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


def tabsynth(*args: str | Path, cwd: Path, env: dict[str, str] | None = None) -> Done:
    """Run a command to its end. Nothing that it prints may hold a canary, whatever it is asked."""
    process = start(*args, cwd=cwd, env=env)
    out, err = process.communicate(timeout=120)
    return _checked(Done(process.returncode, out, err))


def tabsynth_here(*args: str | Path, cwd: Path) -> Done:
    """The same without a process of its own, which is quicker; for commands that end by themselves."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["tabsynth", *map(str, args)]
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        kept, sys.argv = sys.argv, argv
        handler = signal.getsignal(signal.SIGTERM)
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
            return _checked(Done(code, out.getvalue(), err.getvalue()))
        finally:
            sys.argv = kept
            signal.signal(signal.SIGTERM, handler)
    raise AssertionError("a command line ends by SystemExit")


def outcome_of(audit: Path) -> str:
    """What the audit in this file came to."""
    found = json.loads(audit.read_text(encoding="utf-8"))["verdict"]["outcome"]
    assert isinstance(found, str)
    return found


def until_no_false_alarm(make: Callable[[], Path], audit: str) -> Path:
    """A folder that `make` fills from the start, whose file `audit` holds an audit that did not fail.

    Noise of a private fit has no seed, and an audit fails at most 5 % of honest releases: three in a row in
    at most 1 of 8,000 runs.
    """
    for _ in range(3):
        folder = make()
        if outcome_of(folder / audit) != "fail":
            return folder
    raise AssertionError("three honest releases in a row failed their audits")


def _checked(done: Done) -> Done:
    for text in (done.out, done.err):
        assert CANARY_TEXT not in text.casefold()
        assert str(CANARY_NUMBER) not in text.replace(",", "").replace("_", "")
    return done


def masked(schema: Schema) -> Schema:
    """The schema with a mask for its free text, which no fit takes without a word on what stands in its place."""
    (table,) = schema.tables
    for column in table.columns:
        if column.kind is Kind.TEXT and column.format is None:
            table = table.with_column(replace(column, generator=Generator(make="mask"), review=None))
    return schema.with_table(table)


def stays(n_rows: int = 400, *, seed: int = 1) -> pl.DataFrame:
    """Hospital stays: keys, codes, dates, nulls, zeros, a tail, free text, names that need quotes.

    The canaries stand in `note` and `ward`, and in `charge`.
    """
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 95, n_rows)
    ward = np.where(rng.random(n_rows) < age / 150, "cardiology", rng.choice(["surgery", "eye, ear"], n_rows))
    charge = np.where(rng.random(n_rows) < 0.2, 0, rng.lognormal(6, 1, n_rows)).round(2)
    ward[17], charge[23] = CANARY_TEXT.upper(), CANARY_NUMBER
    note = [f"seen on day {i} by {'the team' if i % 2 else 'nobody'}" for i in range(n_rows)]
    note[5] = f"called {CANARY_TEXT} twice"
    pressure = pl.Series(rng.normal(120, 15, n_rows).round(1))
    return pl.DataFrame(
        {
            "stay id": [f"S{i:05d}" for i in rng.permutation(n_rows)],
            "admitted": [
                dt.date(2025, 1, 1) + dt.timedelta(days=int(day)) for day in rng.integers(0, 365, n_rows)
            ],
            "age": age,
            "ward": ward,
            "pressure": pressure.set(pl.Series(rng.random(n_rows) < 0.1), None),
            "charge": charge,
            "a=b": rng.integers(0, 3, n_rows),
            "note": note,
            "died 🪦": rng.choice(["no", "yes"], n_rows, p=[0.8, 0.2]),
        }
    )
