"""One fit and one sample of another product without privacy. Run by a Python of its own.

    python product_fit.py ENGINE TRAIN.parquet OUT.parquet MINUTES

ENGINE is `mostly` (mostlyai-engine's TabularARGN), `sdv_gaussian_copula` or `sdv_tvae`; the Python needs the
package and pyarrow. All settings are the product's own but that MOSTLY AI's training ends after MINUTES at the latest. Two
threads. Prints a line of JSON.
"""

from __future__ import annotations

import importlib.metadata
import json
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

import pandas as pd


def mostly(real: pd.DataFrame, minutes: float) -> pd.DataFrame:
    from mostlyai import engine

    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        engine.split(workspace_dir=place, tgt_data=real)
        engine.analyze(workspace_dir=place)
        engine.encode(workspace_dir=place)
        engine.train(workspace_dir=place, max_training_time=minutes)
        engine.generate(workspace_dir=place, sample_size=len(real))
        return pd.read_parquet(place / "SyntheticData")


def sdv(name: str, real: pd.DataFrame) -> pd.DataFrame:
    from sdv.metadata import Metadata
    from sdv.single_table import GaussianCopulaSynthesizer, TVAESynthesizer

    metadata = Metadata.detect_from_dataframes({"t": real}, infer_keys=None)
    for column, found in metadata.tables["t"].columns.items():
        if found["sdtype"] in ("id", "unknown", "text") or found.get("pii"):
            kind = "numerical" if pd.api.types.is_numeric_dtype(real[column]) else "categorical"
            metadata.update_column(table_name="t", column_name=column, sdtype=kind)
    engines = {"sdv_gaussian_copula": GaussianCopulaSynthesizer, "sdv_tvae": TVAESynthesizer}
    synthesizer = engines[name](metadata)
    synthesizer.fit({"t": real})
    made = synthesizer.sample(len(real))
    return made["t"] if isinstance(made, dict) else made


def as_real(real: pd.DataFrame, made: pd.DataFrame) -> pd.DataFrame:
    """Made cells in the types of the real ones."""
    for column in real:
        if pd.api.types.infer_dtype(real[column], skipna=True) == "boolean":  # which some return as texts
            made[column] = made[column].astype("string").map({"True": True, "False": False})
        elif pd.api.types.is_integer_dtype(real[column].dtype) and made[column].notna().all():
            made[column] = pd.to_numeric(made[column]).round().astype(real[column].dtype)
        elif pd.api.types.is_object_dtype(real[column].dtype) or str(real[column].dtype) == "string":
            made[column] = made[column].astype(object).where(made[column].notna(), None)
    return made


def main() -> None:
    warnings.filterwarnings("ignore")
    engine, train, out, minutes = sys.argv[1:]
    real = pd.read_parquet(train)
    start, cpu = time.perf_counter(), time.process_time()
    made = mostly(real, float(minutes)) if engine == "mostly" else sdv(engine, real)
    seconds = {"seconds": time.perf_counter() - start, "cpu_s": time.process_time() - cpu}
    as_real(real, made)[list(real)].to_parquet(out)
    package = "mostlyai-engine" if engine == "mostly" else "sdv"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({package: importlib.metadata.version(package), **seconds, "peak_gb": peak}))


if __name__ == "__main__":
    main()
