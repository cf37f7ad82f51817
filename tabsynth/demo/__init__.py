"""A real medical table, synthesised, measured and drawn: what `tabsynth demo` shows.

DIR/source.csv         the real table (public data), half of which the engine never sees
DIR/schema.yaml        its public schema
DIR/synthetic.csv      the synthetic table, and the same as .parquet
DIR/model/             the fitted model
DIR/results.json       every figure
DIR/report.html        the report
DIR/run.yaml           the same as a run file
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tabsynth.config.files import run_to_yaml
from tabsynth.config.run import RUN_FILE, SCHEMA_FILE, SPLIT, TableOutcome, run_table
from tabsynth.config.types import RunConfig, TableRun
from tabsynth.demo.meps import TARGET, meps_schema, meps_table
from tabsynth.io import atomic_folder, write_frame
from tabsynth.models.base import Progress, no_progress
from tabsynth.pipeline import split
from tabsynth.privacy import DEFAULT_BUDGET, Privacy
from tabsynth.randomness import seed_for
from tabsynth.schema import write_schema

__all__ = ["DEFAULT_FOLDER", "demo", "meps_schema", "meps_table"]

DEFAULT_FOLDER = "tabsynth-demo"
_SEED = 1
_TITLE = "Synthetic drug spending of older Americans"


def demo(
    out: str | Path = DEFAULT_FOLDER,
    *,
    privacy: Privacy = DEFAULT_BUDGET,
    seed: int = _SEED,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> TableOutcome:
    """Run the demo into the folder `out`, which appears whole at the end. No network.

    The table's domains are public (see `schema.yaml`), so that all of `privacy` goes to its rows. The paths in the result are relative to `out`. Raises `OutputExistsError` unless `overwrite`,
    `UsageError` where the package that holds the table is missing.
    """
    real, schema = meps_table(), meps_schema()
    table = TableRun(name="meps", source=Path(out) / "source.csv", target=TARGET, title=_TITLE)
    config = RunConfig(tables=(table,), schema=schema, privacy=privacy, seed=seed, formats=("parquet", "csv"))
    with atomic_folder(out, overwrite=overwrite) as folder:
        train, holdout = split(real, holdout=config.holdout, seed=seed_for(seed, SPLIT))
        outcome = run_table(table, folder, train=train, holdout=holdout, config=config, progress=progress)
        write_frame(real.frame, folder / "source.csv", schema=real.schema)
        write_schema(schema, folder / SCHEMA_FILE, private_note=False)
        text = run_to_yaml(config, folder=out, schema_file=SCHEMA_FILE)
        (folder / RUN_FILE).write_text(text, encoding="utf-8")
        files = {path.relative_to(folder): what for path, what in outcome.files.items()}
        files |= {
            Path("source.csv"): "the real table; the engine saw a random half of it",
            Path(SCHEMA_FILE): "its schema",
            Path(RUN_FILE): "the same as a run file",
        }
    return replace(outcome, files=files)
