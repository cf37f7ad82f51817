"""The steps of a run on files: read a real table, write synthetic rows, write an evaluation."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from tabsynth.config.types import CsvOptions
from tabsynth.constraints.outcome import Tally
from tabsynth.errors import OutputExistsError, UsageError
from tabsynth.io import (
    FileFormat,
    atomic_folder,
    column_names,
    file_format,
    read_table,
    sniff_dialect,
    write_batches,
)
from tabsynth.io.files import is_tab_separated, require_file
from tabsynth.model_folder import MODEL_PARTS
from tabsynth.models.base import Progress, no_progress
from tabsynth.pipeline import FittedPipeline
from tabsynth.privacy.ledger_file import LedgerFile, open_ledger_file, read_ledger_file
from tabsynth.schema.types import CsvDialect, Schema, TableSchema
from tabsynth.table import Table


def require_free(
    path: Path, *, inputs: Iterable[Path | None], overwrite: bool, ours: str | None = None
) -> None:
    """Raise where `path` cannot be written to: asked before long work, not after it.

    `UsageError` where that would replace one of `inputs`, as `require_apart` says; `OutputExistsError` where it is
    taken and not to be overwritten. A folder is overwritten as a whole, so
    `ours` names the file that marks it as one of ours; `UsageError` where it holds other things.
    """
    require_apart(path, inputs)
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not overwrite:
        raise OutputExistsError(f"{path} exists already: name another place, or replace it with --overwrite")
    if ours is not None and not (path / ours).is_file():
        raise UsageError(
            f"{path} holds other things ({ours} is not in it): name another folder, or remove it yourself"
        )


def require_apart(path: Path, inputs: Iterable[Path | None]) -> None:
    """Raise `UsageError` where writing `path` would replace one of `inputs`, which are read: by that name, or through a link.

    A folder at `path` is replaced with all it holds. Of a model's folder among the inputs, the files of the model count.
    """
    for read in inputs:
        if read is None:
            continue
        if path.is_dir() and read.exists() and read.resolve().is_relative_to(path.resolve()):
            what = "it" if _is_same(path, read) else f"{read}, which lies in it"
            raise UsageError(f"{path} would be replaced, and this command reads {what}: name another place")
        parts = (read / name for name in MODEL_PARTS) if read.is_dir() else ()
        if any(_is_same(path, each) for each in (read, *parts)):
            raise UsageError(f"{path} would be replaced, and this command reads it: name another place")


def require_distinct(*paths: Path | None) -> None:
    """Raise `UsageError` where two outputs would be written to the same place."""
    given = [path for path in paths if path is not None]
    for one, other in itertools.combinations(given, 2):
        if _is_same(one, other):
            raise UsageError(f"{other} is named for two outputs: name a place for each")


def _is_same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


@contextmanager
def staged(
    folder: Path, names: Sequence[str], *, inputs: Iterable[Path | None], overwrite: bool
) -> Iterator[Path]:
    """A temporary folder to write the files `names` into; they appear in `folder` together at the end.

    What else is in `folder` stays. Whatever ends the block early leaves nothing of them behind. Raises
    `OutputExistsError` where one of them is there and `overwrite` is False, `UsageError` where it is one of `inputs`.
    """
    read = tuple(inputs)
    for name in names:
        require_free(folder / name, inputs=read, overwrite=overwrite)
    if not folder.is_dir() or not any(folder.iterdir()):
        with atomic_folder(folder) as temporary:
            yield temporary
        return
    with TemporaryDirectory(prefix=".tabsynth.", suffix=".tmp", dir=folder) as temporary:
        yield Path(temporary)
        for name in names:
            (Path(temporary) / name).replace(folder / name)


def table_of(schema: Schema, name: str | None = None) -> TableSchema:
    """The table of that name, or the only one. Raises `UsageError` that lists the tables otherwise."""
    names = [table.name for table in schema.tables]
    if name is None and len(names) > 1:
        raise UsageError(f"the schema holds {len(names)} tables ({', '.join(names)}): say which one is meant")
    if name is not None and name not in names:
        raise UsageError(f"the schema has no table {name!r}; it holds {', '.join(names)}")
    return schema[names[0] if name is None else name]


def dialect_of(path: Path, schema: TableSchema | None, csv: CsvOptions) -> CsvDialect | None:
    """How the CSV file at `path` is read; None for other files. What `csv` states goes first."""
    if file_format(path) is not FileFormat.CSV:
        return None
    require_file(path)
    known = sniff_dialect(path) if schema is None else schema.csv
    if schema is not None and is_tab_separated(path):
        known = replace(known, delimiter="\t")
    return csv.over(known)


def read_real(
    path: Path, schema: TableSchema, *, csv: CsvOptions | None = None, strict: bool = True
) -> Table:
    """The file as a table of the schema. Raises `InputError` listing all that is wrong with it.

    Where not `strict`, as for private fits, cells that are not of their column's type are null instead.
    """
    dialect = dialect_of(path, schema, csv or CsvOptions())
    frame, _ = read_table(path, schema=schema, dialect=dialect, strict=strict)
    return Table.conform(frame, schema, strict=strict)


@contextmanager
def opened_ledger(path: Path | None, *, source: str | None = None) -> Iterator[LedgerFile | None]:
    """The ledger file at `path`, locked until the end; None without one.

    `source` is what it must be a ledger of; None takes its word for it. Raises `PrivacyError` where it is
    open elsewhere, of another source, a copy or damaged, `UsageError` where there is none.
    """
    if path is None:
        if source is not None:
            raise UsageError("a source belongs to a ledger: name the ledger file")
        yield None
        return
    known = read_ledger_file(path).source
    with open_ledger_file(path, source=known if source is None else source) as ledger:
        yield ledger


def left_out(path: Path, schema: TableSchema, *, csv: CsvOptions | None = None) -> tuple[str, ...]:
    """The columns of the file that the schema does not know, in the file's order: no table holds them."""
    names = column_names(path, dialect=dialect_of(path, schema, csv or CsvOptions()))
    return tuple(name for name in names if name not in schema)


def write_rows(
    pipeline: FittedPipeline,
    path: Path,
    *,
    rows: int | None = None,
    seed: int | None = None,
    where: Mapping[str, Any] | None = None,
    rebalance: Mapping[str, Any] | None = None,
    oversample: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
    tally: Tally | None = None,
) -> int:
    """Write synthetic rows to `path`, batch by batch; the same rows for the same seed. Returns how many.

    `tally` counts what was done for conditions and the rules of the schema.
    """
    batches = pipeline.sample_batches(
        rows,
        seed=seed,
        where=where,
        rebalance=rebalance,
        oversample=oversample,
        progress=progress,
        tally=tally,
    )
    steered = dict.fromkeys([*(where or {}), *(rebalance or {}), *(oversample or {})])
    mark = replace(pipeline.provenance, steered=tuple(steered))
    return write_batches(batches, path, schema=pipeline.schema, overwrite=overwrite, provenance=mark)


def first_rows(frames: Iterable[pl.DataFrame], n_rows: int) -> pl.DataFrame:
    """The first `n_rows` of the batches, or all there are; no batch is drawn that is not needed."""
    taken: list[pl.DataFrame] = []
    missing = n_rows
    for frame in frames:
        taken.append(frame.head(missing))
        missing -= taken[-1].height
        if not missing:
            break
    return pl.concat(taken)


def folder_names(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each table's name and a folder name for it that any file system takes, all different."""
    taken: set[str] = set()
    for name in names:
        plain = "".join(c if c.isalnum() or c in "-_. " else "_" for c in name).strip(". ") or "table"
        made, n = plain, 1
        while made.casefold() in taken:
            n += 1
            made = f"{plain}-{n}"
        taken.add(made.casefold())
        yield name, made
