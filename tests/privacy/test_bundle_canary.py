"""A row, a category and an extreme of the source are nowhere in a bundle, packed or not, in any usual encoding."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

import tabsynth as ts
from tabsynth.pipeline import fit
from tabsynth.release.bundle.unpack import unpack_bundle
from tabsynth.schema.types import Generator
from tabsynth.table import Table
from tests.contract.test_private_engines import quick
from tests.privacy.test_publishable_canary import forms, found_in
from tests.unit.release.bundle.made import KEY, bundle, decision, released

WORD, NUMBER, CENTS = "quokkazanzibar", 86_753_091, 7_319_460.77
DAY = dt.date(1907, 3, 19)
ROW = ("zephyrine", 61_803, "umbrageous")


def source(n: int = 3000) -> pl.DataFrame:
    """A category of one row, extremes of one row, a row of cells that are nowhere else."""
    rng = np.random.default_rng(0)
    job = rng.choice(["clerk", "nurse"], n).astype(object)
    ward = rng.choice(["surgery", "eye clinic"], n).astype(object)
    pay, cost = rng.integers(0, 5000, n), rng.lognormal(3, 1, n).round(2)
    came = [dt.date(2020, 1, 1) + dt.timedelta(days=int(d)) for d in rng.integers(0, 365, n)]
    job[7], pay[8], cost[9], came[10] = WORD, NUMBER, CENTS, DAY
    job[11], pay[11], ward[11] = ROW
    return pl.DataFrame(
        {
            "job": pl.Series(job, dtype=pl.String),
            "ward": pl.Series(ward, dtype=pl.String),
            "pay": pay,
            "cost": cost,
            "came": came,
            "note": [f"note {i} by {WORD}" if i == 5 else f"note {i}" for i in range(n)],
        }
    )


SECRETS = (WORD, str(NUMBER), str(CENTS), DAY.isoformat(), ROW[0], ROW[2])


def binary(secret: object) -> list[bytes]:
    """How Parquet, Arrow and databases hold it: numbers of 4 and 8 bytes in either order, days since 1970, UTF-16."""
    if isinstance(secret, int):
        return [struct.pack(f"{order}{form}", secret) for order in "<>" for form in "qidf"]
    if isinstance(secret, float):
        return [struct.pack(f"{order}{form}", secret) for order in "<>" for form in "df"]
    if isinstance(secret, dt.date):
        days = (secret - dt.date(1970, 1, 1)).days
        return [struct.pack("<i", days), struct.pack(">i", days)]
    return [str(secret).encode("utf-16-le"), str(secret).encode("utf-16-be")]


def leaks(contents: dict[str, bytes]) -> list[str]:
    """Where a secret stands: in which part, and as what."""
    found = []
    for name, content in contents.items():
        text = content.decode("utf-8", errors="replace")
        found += [f"{name}: {secret}" for secret in SECRETS if found_in(text, secret)]
        for secret in (WORD, NUMBER, CENTS, ROW[0], ROW[2]):
            found += [f"{name}: {secret!r}, binary" for form in binary(secret) if form in content]
        if name.endswith(".parquet"):
            cells = pl.read_parquet(io.BytesIO(content)).cast(pl.String).write_csv()
            told = {"in a cell": cells, "in a statistic or a dictionary": beside_cells(content)}
            found += [
                f"{name}: {secret}, {where}"
                for where, text in told.items()
                for secret in (*SECRETS, str(ROW[1]))
                if found_in(text, secret)
            ]
        if name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(content)) as file:
                found += leaks({f"{name}!{part}": file.read(part) for part in file.namelist()})
        if content[:2] == b"\x1f\x8b":
            found += leaks({f"{name}!": gzip.decompress(content)})
    return found


def beside_cells(content: bytes) -> str:
    """What a Parquet file says of its cells: least, largest, notes, and every text of its dictionaries, used or not."""
    with parquet.ParquetFile(io.BytesIO(content)) as file:
        found = file.metadata
        told = [str(found.metadata), str(file.schema_arrow.metadata)]
        for group in range(found.num_row_groups):
            for i in range(found.num_columns):
                known = found.row_group(group).column(i).statistics
                if known is not None and known.has_min_max:
                    told += [str(known.min), str(known.max)]
        texts = [
            found.schema.column(i).path
            for i in range(found.num_columns)
            if found.schema.column(i).physical_type == "BYTE_ARRAY"
        ]
    with parquet.ParquetFile(io.BytesIO(content), read_dictionary=texts) as file:
        for column in file.read(columns=texts).columns:
            for cells in column.chunks:
                told += cells.dictionary.to_pylist()
    return "\n".join(told)


@pytest.fixture(scope="module")
def contents(tmp_path_factory) -> dict[str, bytes]:
    """Every part of a private bundle as it is unpacked, and the zip itself."""
    folder: Path = tmp_path_factory.mktemp("canary")
    draft = ts.draft_schema(source(), name="people").only_table
    for secret in (WORD, str(NUMBER), str(CENTS), "1907"):
        assert secret in repr(draft)  # the draft would tell
    draft = draft.with_column(replace(draft["note"], generator=Generator(make="sentence")))
    pipeline = fit(source(), schema=draft, engine=quick("bayesian_network"))
    rows = Table.conform(pl.concat(pipeline.sample_batches(2000, seed=1)), pipeline.schema)
    table = replace(released(), pipeline=pipeline, rows=rows, decision=decision(rows))
    bundle(folder / "b.zip", table)
    unpack_bundle(folder / "b.zip", folder / "out", key=KEY.public_key(), database=_has_duckdb())
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    assert {"b.zip", "out/bundle.json", "out/schema.yaml", "out/data/people.csv"} <= set(found)
    return found


def _has_duckdb() -> bool:
    import importlib.util

    return importlib.util.find_spec("duckdb") is not None


def test_no_secret_of_one_row_is_anywhere(contents):
    # a category of one row reaches the threshold with probability below 1e-8; an extreme of one row in 3,000
    # moves a bought bound only where noise of the histogram puts it there
    assert leaks(contents) == []


@pytest.mark.parametrize(
    "part", ["out/schema.yaml", "out/provenance.json", "out/data/people.csv", "out/report/people.html"]
)
def test_a_planted_secret_is_seen(contents, part):
    """Or the test above would show nothing."""
    for secret in SECRETS:
        for form in sorted(forms(secret)):
            assert leaks({part: contents[part] + form.encode()}), form
    for secret in (WORD, NUMBER, CENTS, ROW[0]):
        for form in binary(secret):
            assert leaks({part: contents[part] + form})


def test_a_secret_in_a_row_is_seen_in_parquet(contents):
    frame = pl.read_parquet(io.BytesIO(contents["out/data/people.parquet"]))
    for column, secret in (("job", WORD), ("came", DAY), ("pay", ROW[1])):
        planted = frame.with_columns(
            pl.when(pl.int_range(pl.len()) == 3).then(pl.lit(secret)).otherwise(pl.col(column)).alias(column)
        )
        out = io.BytesIO()
        planted.write_parquet(out)
        assert leaks({"x.parquet": out.getvalue()})


def test_a_secret_beside_the_cells_of_parquet_is_seen():
    """In a dictionary that no cell refers to, in a statistic, in a note: no reader of the rows would see it."""
    plain = pa.table({"job": ["clerk", "nurse"]})
    unused = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int32()), pa.array(["clerk", "nurse", WORD]))
    for table in (pa.table({"job": unused}), plain.replace_schema_metadata({"note": WORD})):
        out = io.BytesIO()
        parquet.write_table(table, out, compression="zstd")
        assert leaks({"x.parquet": out.getvalue()})
    out = io.BytesIO()
    parquet.write_table(plain, out, compression="zstd")
    assert leaks({"x.parquet": out.getvalue()}) == []
    widest = pa.table({"pay": pa.array([NUMBER, 1], pa.int64()), "came": pa.array([DAY, DAY])})
    out = io.BytesIO()
    parquet.write_table(widest, out, compression="zstd", use_dictionary=False)
    assert str(NUMBER) in beside_cells(out.getvalue())
    assert DAY.isoformat() in beside_cells(out.getvalue())


def test_a_secret_that_is_packed_is_seen():
    for name, content in (("x.bin", gzip.compress(f"a {WORD} b".encode())), ("x.zip", _zipped(WORD))):
        assert WORD.encode() not in content
        assert leaks({name: content})


def _zipped(text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", f"{text} is packed and {text} again")
    return out.getvalue()


def test_the_name_of_the_source_s_file_and_of_the_machine_stay_out(contents):
    with zipfile.ZipFile(io.BytesIO(contents["b.zip"])) as file:
        whole = b"".join(file.read(name) for name in file.namelist())
    for secret in (str(Path.cwd()), "/tmp/", "/home/", "a figure from inside"):
        assert secret.encode() not in whole
