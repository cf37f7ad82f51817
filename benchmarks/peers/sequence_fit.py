"""One fit and one sample of another product that makes sequences, without privacy. Run by a Python of its own.

    python sequence_fit.py ENGINE TRAIN.parquet OUT.parquet MINUTES KEY [ORDER]

ENGINE is `mostly` (mostlyai-engine's TabularARGN, sequential), `mostly_relative` (the same told to learn the times of ORDER by their
steps), `sdv_par` (SDV's PARSynthesizer) or `sdv_par_context` (the same told which columns never change within a person, as its
context); the Python needs the package and pyarrow. TRAIN holds the rows of each KEY one after the other; ORDER is the column of times or numbers that they follow, if
there is one. As many keys as TRAIN has are sampled. All settings are the product's own but that training ends after MINUTES at
the latest: MOSTLY AI's by its own setting, PAR's, which has none, at the end of the epoch in which the minutes are up. MOSTLY AI gets a
context of the keys and nothing else. Two threads. Prints a line of JSON.
"""

from __future__ import annotations

import importlib.metadata
import json
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from product_fit import as_real


def mostly(
    real: pd.DataFrame, minutes: float, key: str, steps: str | None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    from mostlyai import engine

    persons = real[[key]].drop_duplicates()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        engine.split(
            workspace_dir=place,
            tgt_data=real,
            ctx_data=persons,
            tgt_context_key=key,
            ctx_primary_key=key,
            tgt_encoding_types={steps: "TABULAR_DATETIME_RELATIVE"} if steps else None,
        )
        engine.analyze(workspace_dir=place)
        engine.encode(workspace_dir=place)
        engine.train(workspace_dir=place, max_training_time=minutes)
        engine.generate(workspace_dir=place, ctx_data=persons)
        return pd.read_parquet(place / "SyntheticData"), {}


class Epochs:
    """PAR's bar of progress, which ends when the time is up."""

    def __init__(self, minutes: float) -> None:
        self.minutes, self.done = minutes, 0

    def __call__(self, epochs: Any, **_: Any) -> Iterator[int]:
        end = time.monotonic() + 60 * self.minutes
        for epoch in epochs:
            if time.monotonic() > end:
                return
            yield epoch
            self.done += 1


def metadata_of(real: pd.DataFrame, key: str, order: str | None) -> Any:
    from sdv.metadata import Metadata

    metadata = Metadata.detect_from_dataframes({"t": real}, infer_keys=None)
    for column, found in metadata.tables["t"].columns.items():
        if column != key and (found["sdtype"] in ("id", "unknown", "text") or found.get("pii")):
            kind = "numerical" if pd.api.types.is_numeric_dtype(real[column]) else "categorical"
            metadata.update_column(table_name="t", column_name=column, sdtype=kind)
    metadata.update_column(table_name="t", column_name=key, sdtype="id")
    metadata.set_sequence_key(table_name="t", column_name=key)
    if order is not None:
        metadata.set_sequence_index(table_name="t", column_name=order)
    return metadata


def constant(real: pd.DataFrame, key: str, order: str | None) -> list[str]:
    """Columns that no key has two different cells in."""
    most = real.groupby(key).nunique(dropna=False).max()
    return [name for name, n_cells in most.items() if n_cells == 1 and name != order]


def sdv_par(
    real: pd.DataFrame, minutes: float, key: str, order: str | None, context: list[str]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    import deepecho.models.par
    from sdv.sequential import PARSynthesizer

    deepecho.models.par.tqdm = epochs = Epochs(minutes)
    synthesizer = PARSynthesizer(metadata_of(real, key, order), context_columns=context)
    synthesizer.fit({"t": real})
    made = synthesizer.sample_sequences(real[key].nunique())
    return made["t"] if isinstance(made, dict) else made, {"epochs": epochs.done}


def main() -> None:
    warnings.filterwarnings("ignore")
    engine, train, out, minutes, key = sys.argv[1:6]
    order = sys.argv[6] if len(sys.argv) > 6 else None
    real = pd.read_parquet(train)
    times = real.select_dtypes("datetime").columns
    real[times] = real[times].astype("datetime64[ns]")  # PAR of SDV 2.0.0 takes all others for such
    start, cpu = time.perf_counter(), time.process_time()
    if engine in ("sdv_par", "sdv_par_context"):
        context = constant(real, key, order) if engine == "sdv_par_context" else []
        made, more = sdv_par(real, float(minutes), key, order, context)
    else:
        made, more = mostly(real, float(minutes), key, order if engine == "mostly_relative" else None)
    seconds = {"seconds": time.perf_counter() - start, "cpu_s": time.process_time() - cpu}
    as_real(real.drop(columns=key), made)[list(real)].to_parquet(out)
    package = "sdv" if engine.startswith("sdv") else "mostlyai-engine"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({package: importlib.metadata.version(package), **more, **seconds, "peak_gb": peak}))


if __name__ == "__main__":
    main()
