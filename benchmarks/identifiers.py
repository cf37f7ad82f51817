"""How well the detector of identifiers and personal data finds them in real tables.

    python -m benchmarks.identifiers --data FOLDER --out results/identifiers.json

Every column of every table in FOLDER (a folder for each data set, with Parquet or gzipped CSV files) was labelled by
hand, from its publisher's description and before the detector was run on it: keys of persons and of what is theirs
(stays, accounts, policies, claims, vehicles, tests), row numbers, and names of persons. Keys of code lists (a ward's
number, an item of a catalogue, an ICD code, a commune) are no identifiers here: they are levels.

Two readings: *detector*, what `schema check` says of a column that a schema has learnt; and *draft*, whether
`schema draft` makes the column anew.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import polars as pl

from tabsynth.schema.draft import draft_table
from tabsynth.schema.guess.personal import suspicion

IDENTIFIERS: dict[str, set[str]] = {
    "adult_half/holdout": {"__index_level_0__"},
    "beijing_pm25/beijing_pm25": {"No"},
    "berka/account": {"account_id"},
    "berka/card": {"card_id", "disp_id"},
    "berka/client": {"client_id", "birth_number"},
    "berka/disp": {"disp_id", "client_id", "account_id"},
    "berka/loan": {"loan_id", "account_id"},
    "berka/order": {"order_id", "account_id", "account_to"},
    "berka/trans": {"trans_id", "account_id", "account"},
    "covid_testing/covid_testing": {"subject_id", "fake_first_name", "fake_last_name", "test_id"},
    "diabetes130/diabetes130": {"encounter_id", "patient_nbr"},
    "fleet_insurance_pg16/claim": {"PolicyID", "LicNb"},
    "fleet_insurance_pg16/policy": {"PolicyID", "LicNb"},
    "health_insurance_eu/health_insurance_eu": {"id_anon"},
    "mimic3_demo/admissions": {"row_id", "subject_id", "hadm_id"},
    "mimic3_demo/chartevents": {"row_id", "subject_id", "hadm_id", "icustay_id"},
    "mimic3_demo/d_icd_diagnoses": {"row_id"},
    "mimic3_demo/d_icd_procedures": {"row_id"},
    "mimic3_demo/d_items": {"row_id"},
    "mimic3_demo/d_labitems": {"row_id"},
    "mimic3_demo/diagnoses_icd": {"row_id", "subject_id", "hadm_id"},
    "mimic3_demo/icustays": {"row_id", "subject_id", "hadm_id", "icustay_id"},
    "mimic3_demo/labevents": {"row_id", "subject_id", "hadm_id"},
    "mimic3_demo/outputevents": {"row_id", "subject_id", "hadm_id", "icustay_id"},
    "mimic3_demo/patients": {"row_id", "subject_id"},
    "mimic3_demo/prescriptions": {"row_id", "subject_id", "hadm_id", "icustay_id"},
    "mimic3_demo/procedures_icd": {"row_id", "subject_id", "hadm_id"},
    "mimic3_demo/services": {"row_id", "subject_id", "hadm_id"},
    "mimic3_demo/transfers": {"row_id", "subject_id", "hadm_id", "icustay_id"},
    "motor_insurance_pg17/claim": {"id_policy", "id_client", "id_vehicle", "id_claim"},
    "motor_insurance_pg17/policy": {"id_policy", "id_client", "id_vehicle"},
    "nafld/event": {"id"},
    "nafld/lab": {"id"},
    "nafld/subject": {"id", "case.id"},
    "nycflights13/flights": {"tailnum"},
    "nycflights13/planes": {"tailnum"},
    "support2/support2": {"sno"},
}


def read(path: Path) -> pl.DataFrame:
    if path.suffix == ".parquet":
        return pl.read_parquet(path)
    return pl.read_csv(path, infer_schema_length=None, null_values=[""])


def measure(folder: Path, n_rows: int) -> dict[str, object]:
    """What was found in every table; of tables longer than `n_rows` the first rows."""
    tables: dict[str, object] = {}
    for path in sorted([*folder.glob("*/*.parquet"), *folder.glob("*/*.csv.gz")]):
        name = f"{path.parent.name}/{path.name.partition('.')[0]}"
        frame = read(path).head(n_rows)
        truth = IDENTIFIERS.get(name, set())
        drafted = draft_table(frame, name="table")
        tables[name] = {
            "rows": frame.height,
            "columns": frame.width,
            "identifiers": sorted(truth),
            "detector": compared({c for c in frame.columns if suspicion(frame[c]) is not None}, truth),
            "draft": compared({c.name for c in drafted.columns if not c.kind.is_modelled}, truth),
        }
    return tables


def compared(found: set[str], truth: set[str]) -> dict[str, object]:
    return {"right": len(found & truth), "missed": sorted(truth - found), "wrong": sorted(found - truth)}


def totals(tables: dict[str, object], reading: str) -> dict[str, float]:
    rows = [table[reading] for table in tables.values()]  # type: ignore[index]
    right = sum(row["right"] for row in rows)
    missed, wrong = (sum(len(row[key]) for row in rows) for key in ("missed", "wrong"))
    return {
        "right": right,
        "missed": missed,
        "wrong": wrong,
        "precision": right / max(1, right + wrong),
        "recall": right / max(1, right + missed),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    tables = measure(given.data, given.rows)
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
    print(json.dumps(result["totals"], indent=1))
    if given.out is not None:
        given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
