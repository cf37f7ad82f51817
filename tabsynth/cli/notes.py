"""What a command says beside its result."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tabsynth.cli.session import Session

if TYPE_CHECKING:
    from tabsynth.config.types import CsvOptions
    from tabsynth.schema.types import TableSchema

_MOST_NAMED = 8


def note_left_out(
    session: Session, paths: Iterable[Path], schema: TableSchema, *, csv: CsvOptions
) -> list[str]:
    """The columns of the files that the schema does not know, with a line for every file that has some."""
    from tabsynth.config.steps import left_out

    every: dict[str, None] = {}
    for path in dict.fromkeys(paths):
        names = left_out(path, schema, csv=csv)
        if names:
            session.note(f"{path.name}: left out is {what_is_left_out(names)}")
        every |= dict.fromkeys(names)
    return list(every)


def what_is_left_out(names: Iterable[str]) -> str:
    """`1 column that the schema does not know: 'zz'`."""
    every = list(names)
    listed = ", ".join(repr(name) for name in every[:_MOST_NAMED])
    more = f" and {len(every) - _MOST_NAMED:,} more" if len(every) > _MOST_NAMED else ""
    columns = "1 column" if len(every) == 1 else f"{len(every):,} columns"
    return f"{columns} that the schema does not know: {listed}{more}"


def note_new_folder(session: Session, path: Path) -> None:
    """A line where writing `path` makes its folder first."""
    if not path.parent.exists():
        session.note(f"{path.parent} is not there: it is made.")
