"""Identifiers of real tables made anew: none of the source's comes back, and the same key is the same person.

    python -m benchmarks.real_identifiers --data FOLDER --out results/real_identifiers.json

The tables and their generators are in `benchmarks/schemas`; all numbers are made in ranges that the sources do not use, so
that any value of the source would be a copy. Fits are private (ε = 1), of the engine `independent`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import polars as pl

import tabsynth as ts

SCHEMAS = Path(__file__).parent / "schemas"
TABLES = {
    ("berka_people", "client"): "berka/client.csv.gz",
    ("berka_people", "disp"): "berka/disp.csv.gz",
    ("covid_people", "covid_testing"): "covid_testing/covid_testing.csv.gz",
    ("diabetes130_people", "diabetes130"): "diabetes130/diabetes130.parquet",
}


def measure(folder: Path, n_rows: int) -> tuple[dict[str, dict[str, object]], dict[str, pl.DataFrame]]:
    found, samples = {}, {}
    for (file, name), where in TABLES.items():
        schema = ts.read_schema(SCHEMAS / f"{file}.yaml")[name]
        path = folder / where
        source = (
            pl.read_parquet(path)
            if path.suffix == ".parquet"
            else pl.read_csv(path, infer_schema_length=None)
        )
        source = source.select(schema.column_names)
        faults = [str(fault) for fault in ts.check(source, schema)]
        fitted = ts.fit(source, schema=schema, engine="independent")
        begun = time.process_time()
        rows = fitted.sample(n_rows, seed=1)
        seconds = time.process_time() - begun
        made = [column for column in schema.columns if not column.kind.is_modelled]
        numbers = [column for column in made if column.kind is ts.Kind.IDENTIFIER]
        found[name] = {
            "rows": rows.height,
            "cpu_seconds": seconds,
            "faults": faults,
            "copied": {c.name: int(rows[c.name].is_in(source[c.name].implode()).sum()) for c in numbers},
            "different": {c.name: rows[c.name].n_unique() for c in made},
        }
        samples[name] = rows
    return found, samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found, samples = measure(given.data, given.rows)
    joined = samples["client"].join(samples["disp"], on="client_id")
    found["clients in both tables"] = {"rows": joined.height}
    print(json.dumps(found, indent=1))
    if given.out is not None:
        given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
