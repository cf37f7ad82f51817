"""A bundle of somebody who means harm: one that grows, reaches for files, costs hours, or becomes commands."""

from __future__ import annotations

import io
import os
import random
import shutil
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from tabsynth.errors import BundleError
from tabsynth.release.bundle import sql
from tabsynth.release.bundle.manifest import BundledTable
from tabsynth.release.bundle.parquet_pages import _is_known_type, shape_of, text_bytes
from tabsynth.release.bundle.rule_limits import require_cheap_rules
from tabsynth.release.bundle.verify import verify_bundle
from tabsynth.schema.rules import Range
from tests.unit.release.bundle.made import KEY, bundle, real, released, rows, schema
from tests.unit.release.bundle.server import postgres  # noqa: F401  # a fixture
from tests.unit.release.bundle.test_unpack import renamed
from tests.unit.release.bundle.test_verify import bad, forged, good, parts_of, refused  # noqa: F401

PARQUET, CSV = "data/stays.parquet", "data/stays.csv"


# --- zips that readers of zips disagree about ---


def local_fields(content: bytes, name: str) -> int:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return file.getinfo(name).header_offset


def central_fields(content: bytes, name: str) -> int:
    return content.rindex(name.encode()) - 46  # the directory is what stands last, and names each part once


def put(content: bytes, at: int, form: str, value: int) -> bytes:
    changed = bytearray(content)
    struct.pack_into(form, changed, at, value)
    return bytes(changed)


ODD_ZIPS = {
    "a program before it": lambda c: b"#!/bin/sh\n" + c,
    "bytes after it": lambda c: c + b"\0",
    "a comment": lambda c: put(c, len(c) - 2, "<H", 5) + b"hello",
    "encrypted, by its header": lambda c: put(c, local_fields(c, CSV) + 6, "<H", 1),
    "encrypted, by the directory": lambda c: put(c, central_fields(c, CSV) + 8, "<H", 1),
    "sizes that follow the bytes": lambda c: put(c, local_fields(c, CSV) + 6, "<H", 8),
    "zip64, by its header": lambda c: put(c, local_fields(c, CSV) + 22, "<I", 0xFFFFFFFF),
    "zip64, by the directory": lambda c: put(c, central_fields(c, CSV) + 24, "<I", 0xFFFFFFFF),
    "another size in the directory": lambda c: put(c, central_fields(c, CSV) + 24, "<I", 7),
    "another method in the directory": lambda c: put(c, central_fields(c, CSV) + 10, "<H", 0),
    "a link in the directory": lambda c: put(c, central_fields(c, CSV) + 38, "<I", 0o120777 << 16),
    "another place in the directory": lambda c: put(c, central_fields(c, CSV) + 42, "<I", 0),
    "more members than there are": lambda c: put(c, len(c) - 12, "<H", 9999),
    "a directory elsewhere": lambda c: put(c, len(c) - 6, "<I", 0),
    "another name in the directory": lambda c: (
        c[: c.rindex(CSV.encode())]
        + b"../stays.csvx"[: len(CSV)].ljust(len(CSV), b"x")
        + c[c.rindex(CSV.encode()) + len(CSV) :]
    ),
}


@pytest.mark.parametrize("what", ODD_ZIPS)
def test_a_zip_in_any_other_form_is_refused(good, bad, what):  # noqa: F811
    changed = ODD_ZIPS[what](good.read_bytes())
    assert changed != good.read_bytes()
    bad.write_bytes(changed)
    said = refused(bad)
    assert any(word in said for word in (CSV, "bundle.json", "too long", "the end of the zip", "directory"))


def test_a_name_that_stands_twice_is_refused(bad):  # noqa: F811
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(bad, "a") as file:
        file.writestr(CSV, "a,b\n")
    refused(bad)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["tables"][0].update(stem="CON"),
        lambda m: m["tables"][0].update(stem="lpt1"),
        lambda m: m.update(name="nul.tar"),
        lambda m: m.update(tables=[*m["tables"], {**m["tables"][0], "name": "other"}]),
    ],
)
def test_names_of_devices_and_files_of_two_tables_are_refused(bad, change):  # noqa: F811
    forged(bad, change)
    assert "states what no bundle can hold" in refused(bad)


def test_parts_that_grow_more_than_rows_do_are_refused(bad, monkeypatch):  # noqa: F811
    monkeypatch.setattr("tabsynth.release.bundle.manifest.MOST_FREE", 1000)
    verify_bundle(bad, key=KEY.public_key())
    monkeypatch.setattr("tabsynth.release.bundle.manifest.MOST_GROWTH", 1)
    assert "together they unpack to more than" in refused(bad)


# --- Parquet that grows, or that Arrow cannot bear ---


def stored(frame: pl.DataFrame | pa.Table, **how) -> bytes:
    out = io.BytesIO()
    parquet.write_table(frame if isinstance(frame, pa.Table) else frame.to_arrow(), out, **how)
    return out.getvalue()


def as_rows(path: Path, content: bytes, *, n_rows: int) -> None:
    """Sign `content` as the rows of the bundle; nothing may decode them."""
    forged(path, lambda m: m["tables"][0].update(n_rows=n_rows), parts={PARQUET: content})


def test_long_texts_that_a_dictionary_names_often_are_not_written_out(bad, monkeypatch):  # noqa: F811
    """60 kB of Parquet that stand for 20 GB of text."""
    n = 20_000
    frame = pl.concat([rows().frame] * (n // 200)).drop("ward").to_arrow()
    word = pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int32()), pa.array(["x" * 1_000_000]))
    table = frame.append_column("ward", word)
    content = stored(table, compression="zstd", use_dictionary=True)
    assert len(content) < 1_000_000
    as_rows(bad, content, n_rows=n)
    monkeypatch.setattr("tabsynth.release.bundle.verify.read_table", None)
    assert "bytes of text, more than the" in refused(bad)


def test_pages_that_unpack_to_much_are_not_unpacked(bad, monkeypatch):  # noqa: F811
    frame = rows().frame.with_columns(pl.lit("x" * 500_000).alias("ward"))
    content = stored(frame, compression="zstd", use_dictionary=False)
    assert len(content) < 1_000_000
    as_rows(bad, content, n_rows=200)
    for name in ("read_table", "text_bytes"):
        monkeypatch.setattr(f"tabsynth.release.bundle.verify.{name}", None)
    assert "unpacks to 100," in refused(bad)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (
            {"use_dictionary": False, "column_encoding": {"ward": "DELTA_BYTE_ARRAY"}},
            "of a form that no bundle has",
        ),
        (
            {"use_dictionary": False, "column_encoding": {"ward": "DELTA_LENGTH_BYTE_ARRAY"}},
            "of a form that no bundle has",
        ),
        ({"write_batch_size": 16}, ""),
    ],
)
def test_texts_that_share_their_beginnings_are_refused(bad, how, said):  # noqa: F811
    as_rows(bad, stored(rows().frame, **how), n_rows=200)
    if said:
        assert said in refused(bad)
    else:
        verify_bundle(bad, key=KEY.public_key())


def test_columns_within_columns_and_bytes_of_one_length_are_refused(bad):  # noqa: F811
    whole = rows().frame.drop("ward").to_arrow()
    lists = whole.append_column("ward", pa.array([["a"]] * 200))
    as_rows(bad, stored(lists), n_rows=200)
    assert "holds columns within columns" in refused(bad)
    fixed = whole.append_column("ward", pa.array([b"ab"] * 200, pa.binary(2)))
    as_rows(bad, stored(fixed), n_rows=200)
    assert "of a form that no bundle has" in refused(bad)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"use_dictionary": False, "compression": "none"},
        {"data_page_version": "2.0", "row_group_size": 70},
        {"data_page_size": 64, "write_statistics": ["ward"], "write_page_checksum": True},
        {"compression": "snappy", "write_page_index": True},
        {
            "use_dictionary": False,
            "column_encoding": {"age": "DELTA_BINARY_PACKED", "charge": "BYTE_STREAM_SPLIT"},
        },
    ],
)
def test_the_heads_of_pages_say_what_pyarrow_says(tmp_path, how):
    """Pages and their heads together are what the footer of an honest writer states."""
    frame = real().drop("waited")
    path = tmp_path / "x.parquet"
    path.write_bytes(stored(frame, **how))
    found, stated = shape_of(path, part="x"), parquet.ParquetFile(path).metadata
    assert (found.n_rows, found.n_columns) == (300, 11)
    total = sum(stated.row_group(i).total_byte_size for i in range(stated.num_row_groups))
    assert 0.5 * total < found.n_bytes < total
    texts = [name for name in frame.columns if frame[name].dtype == pl.String]
    assert text_bytes(path, part="x") == sum(frame[name].str.len_bytes().sum() for name in texts)


def test_footers_on_which_arrow_ends_the_process_are_refused():
    """Counts of levels that are not as many as the type has, or of bytes for a type that has none."""
    plain, text = {1: 1, 3: 0}, {1: 6, 3: 1}
    assert _is_known_type({1: 1}, plain)
    assert _is_known_type({1: 1, 16: {2: [5], 3: [5]}}, plain)
    assert _is_known_type({1: 6, 16: {1: 40, 3: [1, 4]}}, text)
    for stated, leaf in (
        ({1: 1, 16: {3: [1, 4]}}, plain),
        ({1: 1, 16: {2: [1, 4]}}, plain),
        ({1: 1, 16: {1: 40}}, plain),
        ({1: 6, 16: {3: [5]}}, text),
        ({1: 2}, plain),
        ({1: 7}, {1: 7, 3: 0}),
    ):
        assert not _is_known_type(stated, leaf)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PAR1",
        b"PAR1" * 2,
        b"PAR1\0\0\0\0PAR1",
        b"PAR1\xff\xff\xff\xffPAR1",
        b"PAR1" + b"\x19" * 90 + b"\x5a\0\0\0PAR1",
    ],
)
def test_what_is_no_parquet_at_all_is_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(BundleError, match=r"x (is not a Parquet file|is damaged)"):
        shape_of(tmp_path / "x", part="x")


def test_parquet_of_polars_is_read_too(tmp_path):
    frame = real().drop("waited")
    frame.write_parquet(tmp_path / "x.parquet")
    assert shape_of(tmp_path / "x.parquet", part="x").n_rows == 300
    pl.DataFrame(schema={"a": pl.String}).write_parquet(tmp_path / "y.parquet")
    assert shape_of(tmp_path / "y.parquet", part="y").n_rows == 0
    assert text_bytes(tmp_path / "y.parquet", part="y") == 0


def test_a_changed_byte_of_parquet_is_an_error_or_no_matter(tmp_path):
    """Whatever stands in the file, what is raised is a `BundleError`: 150 random changes, many in heads and footer."""
    content = bytearray(stored(rows().frame.drop("waited"), data_page_size=256))
    draw = random.Random(0)
    path = tmp_path / "x.parquet"
    said = set()
    for i in range(150):
        changed = content.copy()
        for _ in range(1 + i % 3):
            at = draw.randrange(len(changed)) if i % 2 else len(changed) - 1 - draw.randrange(3000)
            changed[at] = draw.randrange(256)
        path.write_bytes(changed)
        try:
            shape_of(path, part="x")
            text_bytes(path, part="x")
            said.add("")
        except BundleError as fault:
            said.add(str(fault))
    assert len(said) > 2
    path.write_bytes(content)
    shape_of(path, part="x")


# --- CSV that is not the Parquet file's ---


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: "\n".join(lines[:-2] + lines[-1:]), "its rows are others"),
        (lambda lines: "\n".join([lines[0], lines[2], lines[1], *lines[3:]]), "its rows are others"),
        (
            lambda lines: "\n".join([lines[0].replace("age,ward", "ward,age"), *lines[1:]]),
            "does not name the columns",
        ),
        (
            lambda lines: "\n".join(f"{line},x" if line else line for line in lines),
            "does not name the columns",
        ),
        (lambda lines: "\n".join([lines[0], lines[1].replace("20", "no", 1), *lines[2:]]), CSV),
        (lambda lines: "\n".join([lines[0], "x" * 3_000_000]), CSV),
        (lambda _: "x" * 3_000_000, "does not name the columns"),
        (lambda lines: "\n" + "\n".join(lines), "does not name the columns"),
        (lambda _: "", f"of text, more than the 0 bytes of {CSV}"),
        (lambda lines: "\ufeff" + "\n".join(lines), "does not name the columns"),
    ],
)
def test_the_csv_holds_the_same_rows_or_is_refused(good, bad, change, said):  # noqa: F811
    """Databases load it, so every rule that holds on the one must hold on the other."""
    lines = parts_of(good)[1][CSV].decode().split("\n")
    forged(bad, lambda _: None, parts={CSV: change(lines).encode()})
    assert said in refused(bad)


def test_a_csv_that_is_no_text_is_refused(bad):  # noqa: F811
    forged(bad, lambda _: None, parts={CSV: b"\xff\xfe\0" * 10_000})
    assert "does not name the columns" in refused(bad)


def test_a_schema_that_states_another_csv_is_refused(bad):  # noqa: F811
    text = parts_of(bad)[1]["schema.yaml"].replace(
        b"    columns:\n", b'    csv: {delimiter: ";"}\n    columns:\n'
    )
    forged(bad, lambda _: None, parts={"schema.yaml": text})
    assert "a CSV of another form" in refused(bad)


# --- statements and rules ---


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_json_with_numbers_that_are_none_is_refused(bad, number):  # noqa: F811
    forged(bad, lambda _: None, parts={"privacy.json": b'{"epsilon": ' + number + b"}"})
    assert "privacy.json is not JSON" in refused(bad)


def with_rule(path: Path, rule: str) -> str:
    text = parts_of(path)[1]["schema.yaml"].decode()
    text = text.replace("    constraints:\n", f"    constraints:\n      - {rule}\n")
    forged(path, lambda _: None, parts={"schema.yaml": text.encode()})
    return refused(path)


def test_a_rule_does_not_read_a_file_of_whoever_checks(bad, tmp_path, monkeypatch):  # noqa: F811
    """A mapping may name a CSV; one in a bundle would be looked for where the command runs."""
    (tmp_path / "mine.csv").write_text("ward,died\nsurgery,true\n")
    monkeypatch.chdir(tmp_path)
    said = with_rule(bad, "{rule: combinations, columns: [ward, died], file: mine.csv}")
    assert "no file is read" in said


def test_rules_that_would_take_minutes_or_gigabytes_are_refused_before_they_are_read(bad, monkeypatch):  # noqa: F811
    monkeypatch.setattr("tabsynth.release.bundle.verify.schema_from_yaml", None)
    long = " + ".join(["age"] * 1000) + " > 1"
    assert "more than 1,000 characters of SQL" in with_rule(bad, f"{{rule: expression, sql: {long!r}}}")


@pytest.mark.parametrize(
    "text",
    [
        "LENGTH(LPAD(ward, 2000000000, ''x'')) > 1",
        "replace(ward, ''x'', ''xx'') = ward",
        "RPAD/**/(ward, age)",
    ],
)
def test_sql_that_makes_long_cells_is_refused(bad, text):  # noqa: F811
    assert "can make a cell of any length" in with_rule(bad, f"{{rule: expression, sql: '{text}'}}")


def test_limits_of_rules_by_hand(monkeypatch):
    text = "tables:\n  t:\n    constraints:\n      - {rule: expression, sql: a > 1}\n      - {rule: expression, sql: b > 1}\n"
    require_cheap_rules(text, {"t": 10})
    monkeypatch.setattr("tabsynth.release.bundle.rule_limits.MOST_CHECKS", 19)
    with pytest.raises(BundleError, match="2 rules on 10 rows, more than 19"):
        require_cheap_rules(text, {"t": 10})
    require_cheap_rules(text, {"t": 9})
    monkeypatch.setattr("tabsynth.release.bundle.rule_limits.MOST_RULES", 1)
    with pytest.raises(BundleError, match="2 rules, more than the 1"):
        require_cheap_rules(text, {"t": 9})
    monkeypatch.setattr("tabsynth.release.bundle.rule_limits.MOST_RULES", 2)
    monkeypatch.setattr("tabsynth.release.bundle.rule_limits.MOST_SQL_TOGETHER", 9)
    with pytest.raises(BundleError, match="10 characters of SQL, more than the 9"):
        require_cheap_rules(text, {"t": 9})
    for none in ("[", "a: &a [*a]", "tables: 7", "tables: {t: 7}", "tables: {t: {constraints: {a: 1}}}", ""):
        require_cheap_rules(none, {})


# --- names that become commands ---


@pytest.mark.parametrize("name", ["a\nb", "a\0b", "a\x1b[2J"])
def test_a_table_whose_name_holds_a_control_makes_no_bundle(tmp_path, name):
    with pytest.raises(
        BundleError, match=r"no bundle is made, as it would be refused(.|\n)*a table's name holds"
    ):
        bundle(tmp_path / "b", renamed(name))
    assert not (tmp_path / "b").exists()


def test_a_column_whose_name_holds_a_nul_is_refused(bad):  # noqa: F811
    text = parts_of(bad)[1]["schema.yaml"].replace(b"      ward:\n", b'      "wa\\0rd":\n')
    assert b"wa\\0rd" in text
    forged(bad, lambda _: None, parts={"schema.yaml": text})
    assert "a column's name holds a NUL" in refused(bad)
    with pytest.raises(BundleError, match="holds a NUL"):
        sql.name("a\0b")


def test_no_letter_swallows_a_quote_in_a_real_psql(postgres):  # noqa: F811
    """In Shift-JIS, the last byte of some letters of UTF-8 makes one letter with the quote that follows it.

    The names in between would stand outside of quotes, and a backslash there is a command to psql, `\\!` the shell's.
    """
    mark = Path("/tmp") / f"tabsynth-owned-{os.getpid()}"
    folder = Path("/tmp") / f"tabsynth-evil-{os.getpid()}"
    whole = schema()
    columns = (replace(whole["age"], name="a\u3081"), replace(whole["ward"], name=f" x\n\\! touch {mark}\n"))
    stated = BundledTable(name="evil", stem="evil", n_rows=1, digest="d", guarantee="g")
    table = sql.SqlTable(stated, replace(whole, name="evil", columns=columns, primary_key=(), constraints=()))
    (folder / "data").mkdir(parents=True)
    folder.chmod(0o755)
    (folder / "data/evil.csv").write_text("a,b\n1,surgery\n")
    (folder / "load.sql").write_text(sql.postgres_script([table], ()) + sql.queries_script([table]))
    try:
        done = postgres("-c", "\\encoding SJIS", "-f", "load.sql", cwd=folder)
        assert not mark.exists()
        assert done.returncode == 0, done.stderr
        assert postgres("-c", "SELECT count(*) FROM evil").stdout.strip() == "1"
    finally:
        shutil.rmtree(folder)
        mark.unlink(missing_ok=True)


# --- what is built ---


def test_a_bundle_that_would_be_refused_is_not_made(tmp_path):
    """Rows that break a declared rule: whoever gets them would be told so by `verify`."""
    table = replace(rows(), schema=rows().schema.with_constraints(Range(column="age", lower=60)))
    n_broken = int((rows().frame["age"] < 60).sum())
    assert n_broken > 50
    with pytest.raises(
        BundleError, match=rf"no bundle is made(.|\n)*{n_broken} rows break the rule 60 ≤ age"
    ):
        bundle(tmp_path / "b", replace(released(seed=None), rows=table))
    assert list(tmp_path.iterdir()) == []
