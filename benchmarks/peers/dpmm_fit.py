"""One fit and one sample of dpmm, on the public domain it is given. Run by a Python of its own.

    python dpmm_fit.py ENGINE TRAIN.parquet DOMAIN.json OUT.parquet EPSILON DELTA

ENGINE is `privbayes`, `mst` or `aim`; the Python needs dpmm 0.1.9 and a pyarrow that its pandas knows. Prints
lines of JSON, the last of them complete. EPSILON is the total: dpmm's binning (priv-tree, its default) gets
its default of 0.1 of it, the model the rest. Nulls of categorical columns are one more declared level; nulls
of numeric columns are left to dpmm, which adds a flag column for each and reads one fill value from the data.
Words among numbers become nulls; special numbers widen the bounds.
"""

from __future__ import annotations

import importlib.metadata
import json
import resource
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from dpmm.pipelines.aim import AIMPipeline
from dpmm.pipelines.mst import MSTPipeline
from dpmm.pipelines.priv_bayes import PrivBayesPipeline

ENGINES = {"aim": AIMPipeline, "mst": MSTPipeline, "privbayes": PrivBayesPipeline}
SETTINGS = {"aim": {"max_model_size": 80}}  # megabytes, as its authors ask for comparisons
NULL = "∅"
BINNING = 0.1


def text_of(value: object, dtype: pa.DataType) -> str:
    if value is None or pd.isna(value):
        return NULL
    if pa.types.is_floating(dtype):
        return str(float(value))
    return str(int(value)) if pa.types.is_integer(dtype) else str(value)


def given(column: dict, values: pd.Series, dtype: pa.DataType) -> tuple[pd.Series, dict]:
    """The column as dpmm takes it, and its domain."""
    if column["levels"] is not None:
        levels = [text_of(level, dtype) for level in column["levels"]] + [NULL] * column["nullable"]
        return values.map(lambda value: text_of(value, dtype)).astype(object), {"categories": levels}
    numbers = pd.to_numeric(values, errors="coerce")
    numbers = (
        numbers.astype("int64") if column["is_whole"] and numbers.notna().all() else numbers.astype(float)
    )
    edges = column["bounds"] + [value for value in column["special"] if not isinstance(value, str)]
    return numbers, {"lower": float(min(edges)), "upper": float(max(edges))}


def restored(column: dict, values: pd.Series, dtype: pa.DataType) -> pa.Array:
    """What dpmm made, in the real column's type."""
    if column["levels"] is not None:
        cells = [None if value == NULL else value for value in values.astype(object)]
        if pa.types.is_integer(dtype):
            cells = [None if cell is None else int(cell) for cell in cells]
        elif pa.types.is_floating(dtype):
            cells = [None if cell is None else float(cell) for cell in cells]
        return pa.array(cells, type=dtype)
    numbers = pd.to_numeric(values).astype(float)
    decimals = 0 if column["is_whole"] else column["decimals"]
    if decimals is not None:
        numbers = numbers.round(decimals)
    if pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
        word = next((value for value in column["special"] if isinstance(value, str)), None)
        decimals = 6 if decimals is None else decimals
        return pa.array([word if np.isnan(x) else f"{x:.{decimals}f}" for x in numbers], type=dtype)
    whole = pa.types.is_integer(dtype)
    return pa.array([None if np.isnan(x) else int(x) if whole else x for x in numbers], type=dtype)


def main() -> None:
    warnings.filterwarnings("ignore")
    engine, train, domain_file, out, epsilon, delta = sys.argv[1:]
    columns = json.loads(Path(domain_file).read_text(encoding="utf-8"))
    table = pq.read_table(train, columns=[column["name"] for column in columns])
    frame, domain = {}, {}
    for column in columns:
        name = column["name"]
        dtype = table.schema.field(name).type
        frame[name], domain[name] = given(column, table[name].to_pandas(), dtype)
    data = pd.DataFrame(frame)
    model = ENGINES[engine](
        epsilon=float(epsilon) - BINNING,
        delta=float(delta),
        proc_epsilon=BINNING,
        **SETTINGS.get(engine, {}),
    )
    found = {"version": importlib.metadata.version("dpmm"), "columns": data.shape[1]}
    found["null_flags"] = int(sum(data[name].isna().any() for name in data))
    start, cpu = time.perf_counter(), time.process_time()
    model.fit(data, domain=domain)
    found["fit_s"] = time.perf_counter() - start
    print(json.dumps(found), flush=True)
    rows = model.generate(n_records=len(data))
    found["sample_s"] = time.perf_counter() - start - found["fit_s"]
    found["cpu_s"] = time.process_time() - cpu
    found["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    made = {c["name"]: restored(c, rows[c["name"]], table.schema.field(c["name"]).type) for c in columns}
    pq.write_table(pa.table(made), out)
    print(json.dumps(found | {"is_complete": True}), flush=True)


if __name__ == "__main__":
    main()
