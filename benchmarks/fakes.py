"""CPU seconds for made-up columns, and for the same names by Faker, row by row.

    python -m benchmarks.fakes --rows 1000000 --out results/fakes.json

CPU time of one process, so that it can be measured beside other work; pools are drawn before, and timed by themselves.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import polars as pl

from tabsynth.fake import FakeColumns
from tabsynth.schema.types import Column, Generator, Kind, TableSchema

UNIQUE = ("email", "national_id", "iban", "card", "uuid", "pattern")
PLAIN = ("name", "address", "phone", "template")
KEYS = {
    "pattern": {"pattern": r"(MR|KH)-\d{8}"},
    "template": {"text": "{name}, record {pattern}"},
}


def table() -> TableSchema:
    columns = [
        Column(
            name=make,
            kind=kind,
            dtype="string",
            unique=unique,
            generator=Generator(make=make, **KEYS.get(make, {})),
        )
        for kind, unique, names in ((Kind.IDENTIFIER, True, UNIQUE), (Kind.TEXT, False, PLAIN))
        for make in names
    ]
    return TableSchema(name="t", columns=tuple(columns))


def of(schema: TableSchema, *names: str) -> TableSchema:
    return TableSchema(name="t", columns=tuple(schema[name] for name in names))


def seconds(schema: TableSchema, n: int, *, block: int = 524_288) -> float:
    fake = FakeColumns(schema=schema, n_rows=n, seed=1)
    begun = time.process_time()
    for start in range(0, n, block):
        rows = pl.Series(np.arange(start + 1, min(start + block, n) + 1)).cast(pl.String)
        fake.fill(pl.DataFrame(dict.fromkeys(schema.column_names, rows)), start)
    return time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--faker-rows", type=int, default=20_000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    from faker import Faker

    schema, found = table(), {}
    begun = time.process_time()
    seconds(schema, 10)
    found["pools of en_US"] = time.process_time() - begun
    for name in (*UNIQUE, *PLAIN[:-1]):
        found[name] = seconds(of(schema, name), given.rows)
    found["all ten"] = seconds(schema, given.rows)
    faker = Faker("en_US")
    begun = time.process_time()
    for _ in range(given.faker_rows):
        faker.name()
    found["name by Faker"] = (time.process_time() - begun) * given.rows / given.faker_rows
    print(json.dumps({name: round(value, 2) for name, value in found.items()}, indent=1))
    if given.out is not None:
        given.out.write_text(
            json.dumps({"rows": given.rows, "cpu_seconds": found}, indent=1) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
