"""One fit and one sample of the ctgan package's CTGAN or TVAE. Run by a Python of its own.

    python ctgan_fit.py ENGINE TRAIN.parquet OUT.parquet EPOCHS SEED

ENGINE is `ctgan` or `tvae`; the Python needs ctgan 0.12.1, PyTorch and pyarrow. All settings are the package's own but the
epochs. Numbers of more than 20 values are continuous, everything else is discrete; nulls are one more level. One
thread of PyTorch. Prints a line of JSON.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import resource
import sys
import time
import warnings

os.environ["LOKY_MAX_CPU_COUNT"] = (
    "1"  # its mixtures are fitted in processes of their own, else, whose time is not counted
)

import pandas as pd
import torch
from ctgan import CTGAN, TVAE

ENGINES = {"ctgan": CTGAN, "tvae": TVAE}
NULL = "∅"


def main() -> None:
    warnings.filterwarnings("ignore")
    engine, train, out, epochs, seed = sys.argv[1:]
    torch.set_num_threads(1)
    real = pd.read_parquet(train)
    is_number = {
        name: pd.api.types.is_numeric_dtype(real[name])
        and not pd.api.types.is_bool_dtype(real[name])
        and real[name].nunique() > 20
        and real[name].notna().all()
        for name in real
    }
    discrete = [name for name in real if not is_number[name]]
    data = real.copy()
    for name in discrete:
        data[name] = data[name].astype(object).where(data[name].notna(), NULL).map(str)
    model = ENGINES[engine](epochs=int(epochs))
    model.set_random_state(int(seed))
    start, cpu = time.perf_counter(), time.process_time()
    model.fit(data, discrete)
    fit_cpu_s, fit_s = time.process_time() - cpu, time.perf_counter() - start
    made = model.sample(len(real))
    cpu_s = time.process_time() - cpu
    for name in discrete:
        kind = real[name].dtype
        cells = made[name].where(made[name] != NULL, None)
        made[name] = cells if str(kind) in ("object", "string", "str", "category") else cells.astype(kind)
    for name, holds in is_number.items():
        if holds and pd.api.types.is_integer_dtype(real[name].dtype):
            made[name] = made[name].round().astype(real[name].dtype)
    made[list(real)].to_parquet(out)
    versions = {name: importlib.metadata.version(name) for name in ("ctgan", "torch")}
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        json.dumps(
            versions
            | {"fit_s": fit_s, "fit_cpu_s": fit_cpu_s, "sample_cpu_s": cpu_s - fit_cpu_s, "peak_gb": peak_gb}
        )
    )


if __name__ == "__main__":
    main()
