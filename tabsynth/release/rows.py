"""What a file says of its rows' origin: its mark, and its columns, held against the model that is said to have made them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tabsynth.io import Provenance, column_names, read_provenance
from tabsynth.pipeline import FittedPipeline
from tabsynth.schema.types import CsvDialect


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsEvidence:
    """Whether a file's rows are the model's, as far as it says: `fault` is why they are not.

    `is_known` where the mark is that of the model, or where the rows are drawn from it again before they leave.
    """

    where: str
    is_known: bool
    fault: str = ""
    drawn_again: bool = False


def rows_evidence(
    path: Path,
    pipeline: FittedPipeline,
    *,
    dialect: CsvDialect | None = None,
    drawn_again: bool = False,
) -> RowsEvidence:
    """What the file at `path` says of its rows; `drawn_again` where the same are drawn with a seed before they leave.

    A mark can be forged or lost: it guards against mistakes. Raises what reading the names of its columns raises.
    """
    mark = read_provenance(path)
    faults = [] if mark is None else _faults(mark, pipeline.provenance)
    others = [name for name in column_names(path, dialect=dialect) if name not in pipeline.schema]
    if others:
        noun = "a column" if len(others) == 1 else f"{len(others):,} columns"
        faults.append(f"it has {noun} that the model does not make: {', '.join(map(repr, others[:5]))}")
    return RowsEvidence(
        where=str(path),
        is_known=not faults and (mark is not None or drawn_again),
        fault="; ".join(faults),
        drawn_again=drawn_again,
    )


def _faults(mark: Provenance, mine: Provenance) -> list[str]:
    faults = []
    if mark.given_cells:
        faults.append("it holds given cells, which may be real")
    if mark.augmented:
        faults.append("it was augmented: no guarantee covers its size, its slice and its identifiers")
    if mark.real_share:
        faults.append(f"{mark.real_share:.0%} of its rows are real")
    if mark.no_privacy and not mine.no_privacy:
        faults.append("it was made without a privacy guarantee, the model gives one")
    if mark.engine != mine.engine:
        faults.append(f"it was made by {mark.engine}, the model is of {mine.engine}")
    if mark.generation != mine.generation:
        faults.append(f"it is of generation {mark.generation}, what the model makes of {mine.generation}")
    return faults
