"""What `augment` writes and says: rows with their origins, a trial's page and figures, and the words for a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabsynth.cli.constraint_commands import rule_data
from tabsynth.cli.session import Session
from tabsynth.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabsynth.augment import Augmented, TrialResults
    from tabsynth.table import Table

_RESULTS, _PAGE = "augment.json", "augment.html"


def require_places(
    out: Path | None, evaluate: Path | None, *, inputs: Sequence[Path | None], overwrite: bool
) -> None:
    """Raise where the rows or the trial cannot be written: asked before anything is read."""
    from tabsynth.config.steps import require_distinct, require_free
    from tabsynth.io import file_format, require_place

    if out is not None:
        file_format(out)
        require_free(out, inputs=inputs, overwrite=overwrite)
        require_place(out)
    if evaluate is None:
        return
    if evaluate.is_file():
        raise UsageError(f"{evaluate} is a file, and a trial is written into a folder: name another place")
    if out is not None and evaluate.resolve().is_relative_to(out.resolve()):
        raise UsageError(
            f"{out} is to be a file of rows, and the trial's folder {evaluate} cannot lie there: name another place"
        )
    for name in (_RESULTS, _PAGE):
        require_free(evaluate / name, inputs=inputs, overwrite=overwrite)
        require_distinct(evaluate / name, out)
        require_place(evaluate / name)


def write_trial(
    results: TrialResults, folder: Path, *, inputs: Sequence[Path | None], overwrite: bool
) -> None:
    """augment.json and augment.html, both or neither."""
    from tabsynth.config.steps import staged
    from tabsynth.report.augment import write_augment

    with staged(folder, (_RESULTS, _PAGE), inputs=inputs, overwrite=overwrite) as made:
        results.write_json(made / _RESULTS)
        write_augment(results, made / _PAGE)


def write_rows_of(made: Augmented, real: Table, path: Path, *, overwrite: bool) -> None:
    """The rows with their origins, as the schema has them written."""
    from dataclasses import replace

    from tabsynth.augment.mixing import REAL, SYNTHETIC
    from tabsynth.io import write_frame
    from tabsynth.schema.types import Column, Kind

    mark = Column(name=made.origin, kind=Kind.CATEGORICAL, dtype="string", categories=(REAL, SYNTHETIC))
    widened = replace(real.schema, columns=(*real.schema.columns, mark))
    write_frame(made.rows, path, schema=widened, overwrite=overwrite, provenance=made.provenance)


def show_trial(session: Session, results: TrialResults | None) -> None:
    """The trial on stdout; nothing with --json or --quiet."""
    if results is None or session.json_output or session.quiet:
        return
    from rich.console import Console

    from tabsynth.report.augment import render_augment

    render_augment(results, Console(highlight=False))


def summary_of(made: Augmented | None, results: TrialResults | None) -> str:
    """What was done, in a sentence."""
    if made is None:
        assert results is not None
        return f"Tried {len(results.arms)} ways in {results.n_splits} splits"
    return (
        f"Added {made.n_synthetic:,} synthetic rows of {made.slice_label} ({made.n_slice:,} of "
        f"{made.n_slice + made.n_rest:,} rows): {made.real_share:.0%} of {made.rows.height:,} rows are real"
    )


def data_of(made: Augmented | None, results: TrialResults | None) -> dict[str, Any]:
    """What `--json` says."""
    found: dict[str, Any] = {}
    if made is not None:
        found["rows"] = {
            "n_slice": made.n_slice,
            "n_rest": made.n_rest,
            "n_real": made.n_real,
            "n_synthetic": made.n_synthetic,
            "real_share": made.real_share,
            "origin": made.origin,
            "engine": made.engine,
            "guarantee": made.guarantee,
            "rules": rule_data(made.rules),
        }
    if results is not None:
        from tabsynth.report.augment import lead_of, verdict_of

        found["trial"] = {"verdict": verdict_of(results), "lead": lead_of(results), **results.to_dict()}
    return found


def files_of(out: Path | None, evaluate: Path | None, made: Augmented | None) -> dict[Path, str]:
    """What was written where."""
    files = {}
    if out is not None and made is not None:
        files[out] = f"{made.n_real:,} real and {made.n_synthetic:,} synthetic rows; private"
    if evaluate is not None:
        files[evaluate / _PAGE] = "the trial: open it in a browser; private"
        files[evaluate / _RESULTS] = "every figure; private"
    return files
