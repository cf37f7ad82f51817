"""A row, a category and an extreme of the source are nowhere in a bundle, however it is packed, coded or escaped."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import html
import importlib.util
import io
import struct
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

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
from tests.privacy.encodings import Secret, escaped, leaks
from tests.unit.release.bundle.made import KEY, bundle, decision, released

WORD, NUMBER, CENTS = "quokkazanzibar", 86_753_091, 7_319_460.77
DAY = dt.date(1907, 3, 19)
ROW = ("zephyrine", 61_803_398, "umbrageous")
SECRETS: tuple[Secret, ...] = (WORD, NUMBER, CENTS, DAY, *ROW)


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


def bundled(folder: Path, *, privacy: ts.Privacy, engine: str) -> bytes:
    """The bundle of a model of `source` by its draft, which holds every secret."""
    draft = ts.draft_schema(source(), name="people").only_table
    for secret in (WORD, str(NUMBER), str(CENTS), "1907"):
        assert secret in repr(draft)
    draft = draft.with_column(replace(draft["note"], generator=Generator(make="sentence")))
    pipeline = fit(source(), schema=draft, engine=quick(engine), privacy=privacy)
    rows = Table.conform(pl.concat(pipeline.sample_batches(2000, seed=1)), pipeline.schema)
    table = replace(released(), pipeline=pipeline, rows=rows, decision=decision(rows))
    bundle(folder / "b.zip", table)
    return (folder / "b.zip").read_bytes()


@pytest.fixture(scope="module")
def private(tmp_path_factory) -> tuple[bytes, Path]:
    """A private bundle, and where it lies."""
    folder: Path = tmp_path_factory.mktemp("canary")
    return bundled(folder, privacy=ts.DEFAULT_BUDGET, engine="bayesian_network"), folder


def test_no_secret_of_one_row_is_anywhere(private):
    # A category of one row is passed over; an extreme of one row in 3,000 moves a
    # bought bound only where noise of the histogram puts it there. Four bytes of a number are somewhere in a megabyte
    # by chance with probability 1e-3 at most, a number is within 1e-5 of a secret one with less.
    assert leaks(private[0], SECRETS) == []


def test_nor_in_what_is_unpacked(private):
    content, folder = private
    assert content
    has_duckdb = importlib.util.find_spec("duckdb") is not None
    unpack_bundle(folder / "b.zip", folder / "out", key=KEY.public_key(), database=has_duckdb)
    found = {path.name: path.read_bytes() for path in (folder / "out").iterdir() if path.is_file()}
    assert {"postgres.sql", "queries.sql", "schema.yaml"} <= set(found)
    for name, whole in found.items():
        assert leaks(whole, SECRETS) == [], name


def test_a_bundle_without_privacy_is_seen_to_hold_them(tmp_path):
    """The same source by a model that keeps every category and the tails: the same search finds them in many parts."""
    found = leaks(bundled(tmp_path, privacy=ts.NO_PRIVACY, engine="independent"), (WORD, ROW[0], ROW[2], DAY))
    for secret, part in (
        (WORD, "schema.yaml"),
        (WORD, "dictionary.md"),
        (WORD, "data/people.csv"),
        (ROW[2], "report/"),
    ):
        assert any(part in each and repr(secret) in each for each in found), (secret, part)
    assert any("parquet > zstd" in each for each in found)  # in a page that is packed


def parts(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", f"{text} is packed and {text} again")
    return out.getvalue()


TEXT_FORMS = {
    "plain": lambda text: text.encode(),
    "in capitals": lambda text: text.upper().encode(),
    "reversed": lambda text: text[::-1].encode(),
    "UTF-16": lambda text: text.encode("utf-16-le"),
    "UTF-32": lambda text: text.encode("utf-32-be"),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64, one letter in": lambda text: base64.b64encode(b"x" + text.encode()),
    "base64 of addresses, two letters in": lambda text: base64.urlsafe_b64encode(b"\xfb\xff" + text.encode()),
    "base64 in base64": lambda text: base64.b64encode(base64.b64encode(text.encode())),
    "hexadecimal": lambda text: text.encode().hex().encode(),
    "hexadecimal in capitals, apart": lambda text: text.encode().hex(" ").upper().encode(),
    "base64 in hexadecimal": lambda text: base64.b64encode(text.encode()).hex().encode(),
    "escapes of JSON": lambda text: escaped(text).encode(),
    "entities of HTML": lambda text: "".join(f"&#x{ord(c):x};" for c in text).encode(),
    "percent signs": lambda text: "".join(f"%{ord(c):02X}" for c in text).encode(),
    "gzip": lambda text: gzip.compress(f"a {text} b".encode()),
    "zlib in base64": lambda text: base64.b64encode(zlib.compress(text.encode())),
    "a zip in hexadecimal": lambda text: zipped(text).hex().encode(),
}


@pytest.mark.parametrize("form", TEXT_FORMS)
def test_a_text_is_seen_in_any_form(form):
    for secret in (WORD, ROW[0], ROW[2]):
        planted = TEXT_FORMS[form](secret)
        content = planted if form == "gzip" else b'{"a": "' + planted + b'"}'
        if form not in ("plain", "in capitals"):
            assert secret.encode() not in content
        assert leaks(content, SECRETS), form


@pytest.mark.parametrize(
    "part", ["schema.yaml", "provenance.json", "data/people.csv", "report/people.html", "ledger/people.json"]
)
def test_what_is_planted_in_a_part_is_seen_in_the_zip(private, part):
    """Packed again with a secret added to one part: as in the bundle itself, nothing of it stands there in plain."""
    for planted, secret in (
        (WORD, WORD),
        (f"{CENTS:,}", CENTS),
        (escaped(ROW[0]), ROW[0]),
        (DAY.strftime("%d.%m.%Y"), DAY),
    ):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in parts(private[0]).items():
                file.writestr(name, content + f" {planted} ".encode() if name == part else content)
        (*_, found) = leaks(out.getvalue(), (secret,))
        assert part in found


@pytest.mark.parametrize(
    "text",
    [
        f"{NUMBER}",
        f"{NUMBER:,}",
        f"{NUMBER:_}",
        f"{NUMBER:,}".replace(",", "\u202f"),
        f"{NUMBER:.6e}",
        f"{NUMBER}.0",
        f"{NUMBER:x}",
    ],
)
def test_a_number_is_seen_in_any_notation(text):
    assert leaks(f"at most {text} are paid".encode(), (NUMBER,))
    assert not leaks(f"at most {text}7 are paid".replace(",7", "7").encode(), (CENTS,))


@pytest.mark.parametrize(
    "text",
    [
        f"{round(CENTS * 100)}",
        f"{CENTS}",
        f"{CENTS:,.2f}",
        f"{CENTS:.0f}",
        f"{CENTS:.5e}",
        f'"{CENTS!r}"',
        f"[0, {CENTS:.1f}]",
    ],
)
def test_an_amount_is_seen_rounded_too(text):
    assert leaks(text.encode(), (CENTS,))


@pytest.mark.parametrize(
    "text",
    [DAY.isoformat(), f"{DAY}T00:00:00", "19 Mar 1907", "March 19, 1907", "19070319", "-1981497600000"],
)
def test_a_day_is_seen_as_text_and_as_a_moment(text):
    assert leaks(f"from {text}, on".encode(), (DAY,))


@pytest.mark.parametrize("secret", [NUMBER, CENTS, DAY, ROW[1]])
def test_what_is_binary_is_seen(secret):
    """As it is, in base64 as charts hold it, and in a packed page."""
    if isinstance(secret, dt.date):
        forms = [struct.pack("<i", (secret - dt.date(1970, 1, 1)).days), struct.pack("<q", -1981497600000000)]
    else:
        forms = [struct.pack("<d", secret), struct.pack(">d", secret), struct.pack("<q", int(secret))]
        forms = forms if isinstance(secret, int) else [*forms[:2], struct.pack("<q", round(secret * 100))]
    for form in forms:
        hidden = b"\x07" * 5 + form + b"\x07" * 5
        codec = pa.Codec("zstd")
        for content in (
            hidden,
            base64.b64encode(hidden),
            hidden.hex().encode(),
            codec.compress(hidden, asbytes=True),
        ):
            assert leaks(content, (secret,)), form


def test_a_cell_of_parquet_is_seen_packed_or_not(private):
    frame = pl.read_parquet(io.BytesIO(parts(private[0])["data/people.parquet"]))
    for column, secret in (("job", WORD), ("came", DAY), ("pay", ROW[1]), ("cost", CENTS)):
        chosen = pl.when(pl.int_range(pl.len()) == 3).then(pl.lit(secret)).otherwise(pl.col(column))
        for compression in ("zstd", "none"):
            out = io.BytesIO()
            parquet.write_table(
                frame.with_columns(chosen.alias(column)).to_arrow(), out, compression=compression
            )
            assert leaks(out.getvalue(), (secret,)), (column, compression)


def test_what_stands_beside_the_cells_of_parquet_is_seen():
    """In a dictionary that no cell refers to, in a statistic, in a note: no reader of the rows would see it."""
    plain = pa.table({"job": ["clerk", "nurse"]})
    unused = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int32()), pa.array(["clerk", "nurse", WORD]))
    for table in (pa.table({"job": unused}), plain.replace_schema_metadata({"note": WORD})):
        out = io.BytesIO()
        parquet.write_table(table, out, compression="zstd")
        assert leaks(out.getvalue(), (WORD,))
    out = io.BytesIO()
    parquet.write_table(plain, out, compression="zstd")
    assert leaks(out.getvalue(), SECRETS) == []
    out = io.BytesIO()
    widest = pa.table({"pay": pa.array([NUMBER] * 9, pa.int64()), "came": pa.array([DAY] * 9)})
    parquet.write_table(widest, out, compression="none", use_dictionary=False)
    found = out.getvalue()
    assert leaks(found[found.rindex(b"pay") - 200 :], (NUMBER,))  # the footer's statistics alone


def test_an_entity_and_a_quote_are_undone():
    assert leaks(html.escape(f"<{WORD}>").replace("q", "&#113;").encode(), (WORD,))
    assert leaks(quote(f"é{WORD}/").replace("z", "%7A").encode(), (WORD,))


def test_the_name_of_the_source_s_file_and_of_the_machine_stay_out(private):
    whole = b"".join(parts(private[0]).values())
    for secret in (str(Path.cwd()), "/tmp/", "/home/", "a figure from inside"):
        assert secret.encode() not in whole
