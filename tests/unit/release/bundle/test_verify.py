"""Every changed, added or removed byte is found and named; a bundle is hostile until it is shown not to be."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import random
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import tabsynth as ts
from tabsynth.errors import BundleError, PolicyError, UsageError
from tabsynth.release.bundle import archive, keys
from tabsynth.release.bundle.manifest import MANIFEST, SIGNATURE, Manifest, json_bytes, signature_bytes
from tabsynth.release.bundle.verify import verify_bundle
from tests.unit.release.bundle.made import KEY, OTHER_KEY, TERMS, bundle, released, rows

PUBLIC = KEY.public_key()


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("good") / "b.zip"
    bundle(path)
    return path


@pytest.fixture
def bad(good, tmp_path) -> Path:
    """A copy to be spoilt."""
    path = tmp_path / "bad.zip"
    path.write_bytes(good.read_bytes())
    return path


def spans(path: Path) -> list[tuple[str, int, int]]:
    """Where each part's header and bytes lie, by Python's own reader of zips."""
    with zipfile.ZipFile(path) as file:
        infos = file.infolist()
        return [
            (
                info.filename,
                info.header_offset,
                info.header_offset + 30 + len(info.filename) + info.compress_size,
            )
            for info in infos
        ]


def refused(path: Path, **more) -> str:
    with pytest.raises(BundleError) as fault:
        verify_bundle(path, key=more.pop("key", PUBLIC), **more)
    return str(fault.value)


def test_a_good_bundle_holds(good):
    found = verify_bundle(good, key=PUBLIC)
    assert found.tables["stays"].frame.equals(rows().frame)
    assert [rule.n_violations for rule in found.rules["stays"]] == [0]
    assert found.sealed.signer == keys.fingerprint(PUBLIC)


def test_random_single_byte_changes_are_each_refused_with_the_part_named(good, bad):
    """Drawn over the whole file; the benchmark changes 1,000."""
    content, where = good.read_bytes(), spans(good)
    draw = random.Random(0)
    for _ in range(120):
        at = draw.randrange(len(content))
        changed = bytearray(content)
        changed[at] ^= draw.randrange(1, 256)
        bad.write_bytes(changed)
        said = refused(bad)
        part = next((name for name, start, end in where if start <= at < end), None)
        if part is not None:
            assert part in said, at
        else:
            assert "directory" in said or "the end of the zip" in said, at


def test_every_byte_of_headers_signature_and_directory_counts(good, bad):
    """One bit at a time where a reader of zips would not look."""
    content, where = good.read_bytes(), spans(good)
    last = max(end for _, _, end in where)
    _, start, end = next(span for span in where if span[0] == SIGNATURE)
    _, parquet, _ = next(span for span in where if span[0].endswith(".parquet"))
    chosen = [*range(start, end, 7), *range(parquet, parquet + 48), *range(last, len(content), 23)]
    for at in chosen:
        changed = bytearray(content)
        changed[at] ^= 1
        bad.write_bytes(changed)
        said = refused(bad)
        part = next((name for name, start, end in where if start <= at < end), None)
        assert (part in said) if part else ("directory" in said or "the end of the zip" in said), at


def test_random_bytes_that_are_added_or_removed_are_each_named(good, bad):
    """Anywhere in the file; an added byte that stands at a border may be of the part before it or of the one after."""
    content, where = good.read_bytes(), spans(good)
    draw = random.Random(1)
    for i in range(60):
        at, is_added = draw.randrange(len(content)), i % 2
        middle = bytes([draw.randrange(256)]) if is_added else b""
        changed = content[:at] + middle + content[at + (not is_added) :]
        if changed == content:  # the same byte beside one like it
            continue
        bad.write_bytes(changed)
        said = refused(bad)
        parts = [name for name, start, end in where if start <= at <= end]
        assert any(part in said for part in parts) if parts else " too " in said, at


@pytest.mark.parametrize("place", ["begin", "middle", "end"])
def test_added_and_removed_bytes_are_named(good, bad, place):
    content, where = good.read_bytes(), spans(good)
    name, start, end = next(span for span in where if span[0] == "data/stays.csv")
    at = {"begin": 0, "middle": (start + end) // 2, "end": len(content)}[place]
    bad.write_bytes(content[:at] + b"x" + content[at:])
    said = refused(bad)
    assert {"begin": MANIFEST, "middle": name, "end": "1 byte too long"}[place] in said
    cut = at if place == "begin" else at - 1
    bad.write_bytes(content[:cut] + content[cut + 1 :])
    said = refused(bad)
    assert {"begin": MANIFEST, "middle": name, "end": "1 byte too short"}[place] in said


def test_parts_that_are_added_are_named(good, bad):
    for name, shown in (("data/more.csv", "data/more.csv"), ("../up\x1b[2J", "../up?[2J"), ("é" * 300, "ÿ")):
        bad.write_bytes(good.read_bytes())
        with zipfile.ZipFile(bad, "a") as file:
            file.writestr(name, "a,b\n")
        said = refused(bad)
        assert "it was added: no part of that name was signed there" in said
        assert shown in said or not name.isascii()
        assert "\x1b" not in said


@pytest.mark.parametrize("gone", ["data/stays.csv", "privacy.md", "croissant.json", SIGNATURE, MANIFEST])
def test_parts_that_are_removed_are_named(good, bad, gone):
    """By a zip tool, which packs the others as they were; and by hand, with everything else byte for byte in its place."""
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as target:
        for each in source.infolist():
            if each.filename != gone:
                target.writestr(each, source.read(each))
    assert gone in refused(bad)
    content = good.read_bytes()
    start, end = next((start, end) for name, start, end in spans(good) if name == gone)
    bad.write_bytes(content[:start] + content[end:])
    assert gone in refused(bad)


def test_parts_that_are_packed_again_are_named(good, bad):
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    assert MANIFEST in refused(bad)


def test_another_key_is_refused_and_named(good):
    said = refused(good, key=OTHER_KEY.public_key())
    assert keys.fingerprint(OTHER_KEY.public_key()) in said


def test_a_manifest_signed_by_somebody_else_is_refused(bad):
    """Whoever changes a bundle can sign it, but not by the key that is asked for."""
    forged(bad, lambda manifest: manifest.update(recipient="Mallory"), key=OTHER_KEY)
    assert "another key than yours" in refused(bad)


def test_expiry(tmp_path):
    bundle(tmp_path / "b", terms=replace(TERMS, expires=dt.date(2026, 12, 31), reassess=dt.date(2026, 12, 1)))
    verify_bundle(tmp_path / "b", key=PUBLIC, on=dt.date(2026, 12, 31))
    with pytest.raises(PolicyError, match="expired on 2026-12-31"):
        verify_bundle(tmp_path / "b", key=PUBLIC, on=dt.date(2027, 1, 1))
    with pytest.raises(PolicyError, match="expired"):
        ts.open_bundle(tmp_path / "b", on=dt.date(2027, 1, 1))


# --- a dishonest signer: the signature holds, and what it covers is hostile ---


def parts_of(path: Path) -> tuple[dict, dict[str, bytes]]:
    with zipfile.ZipFile(path) as file:
        whole = {name: file.read(name) for name in file.namelist()}
    return json.loads(whole[MANIFEST]), whole


def forged(
    path: Path, change, *, parts: dict[str, bytes] | None = None, key=KEY, raw: bytes | None = None
) -> None:
    """Replace parts, change the manifest (or take `raw` for it), and sign it all again by `key`."""
    manifest, whole = parts_of(path)
    whole |= parts or {}
    members = []
    listed = {part["path"]: part for part in manifest["parts"]}
    for name, part in listed.items():
        content = whole[name]
        packed = content
        if archive.method_of(name):
            packer = zlib.compressobj(4, zlib.DEFLATED, -15)
            packed = packer.compress(content) + packer.flush()
        member = replace(
            archive.stored(name, content),
            method=archive.method_of(name),
            n_packed=len(packed),
            packed_sha256=archive.stored(name, packed).sha256,
        )
        part |= {
            "n_bytes": member.n_bytes,
            "n_packed": member.n_packed,
            "crc32": member.crc,
            "sha256": member.sha256,
            "packed_sha256": member.packed_sha256,
        }
        members.append((member, packed))
    change(manifest)
    content = json_bytes(manifest) if raw is None else raw
    signed = signature_bytes(key=keys.raw(key.public_key()), signature=keys.sign(key, content))
    heads = [(archive.stored(MANIFEST, content), content), (archive.stored(SIGNATURE, signed), signed)]
    with path.open("wb") as file:
        archive.write(file, [*heads, *members])


def test_the_forger_of_these_tests_makes_what_holds(bad):
    forged(bad, lambda _: None)
    verify_bundle(bad, key=PUBLIC)


@pytest.mark.parametrize(
    "path",
    [
        "../escaped",
        "/etc/escaped",
        "data/../../escaped",
        "C:\\escaped",
        "data\\escaped",
        "a/b/c/d",
        ".hidden",
        "nul\x00",
        "",
        "x" * 200,
        "data/STAYS.csv",
        MANIFEST,
    ],
)
def test_paths_that_lead_elsewhere_or_stand_twice_are_refused(bad, path, tmp_path):
    before = sorted(tmp_path.parent.rglob("*escaped*"))
    forged(bad, lambda manifest: manifest["parts"][-1].update(path=path))
    assert MANIFEST in refused(bad)
    assert sorted(tmp_path.parent.rglob("*escaped*")) == before


def test_a_part_cannot_be_a_link():
    """A member's attributes are those of a regular file, so that the directory of a link is another."""
    member = archive.stored("x", b"/etc/passwd")
    link = bytearray(archive.directory([member]))
    link[38:42] = (0o120777 << 16).to_bytes(4, "little")
    with zipfile.ZipFile(io.BytesIO(member.header + b"/etc/passwd" + archive.directory([member]))) as file:
        assert file.infolist()[0].external_attr == 0o100644 << 16
    assert bytes(link) != archive.directory([member])


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(format="tabsynth-bundle/2"),
        lambda m: m.update(parts="none"),
        lambda m: m.update(parts=[]),
        lambda m: m.update(tables=[]),
        lambda m: m.update(tables=m["tables"] * 2),
        lambda m: m["tables"][0].update(n_rows="200"),
        lambda m: m["tables"][0].update(n_rows=-1),
        lambda m: m["tables"][0].update(digest="x"),
        lambda m: m["tables"][0].update(stem="absent"),
        lambda m: m["parts"][0].update(n_bytes=1.5),
        lambda m: m["parts"][0].update(n_bytes=-1),
        lambda m: m["parts"][0].update(n_bytes=2**70),
        lambda m: m["parts"][0].update(n_bytes=2**31),
        lambda m: m["parts"][1].update(n_bytes=1),
        lambda m: m["parts"][0].update(sha256="zz"),
        lambda m: m.update(expires="soon"),
        lambda m: m.update(expires=7),
        lambda m: m.update(more="keys"),
        lambda m: m.update(name="../../escaped"),
        lambda m: m.update(name=""),
        lambda m: m["parts"][-1].update(path="data/stays.csv/more"),
        lambda m: m["parts"][-1].update(path="stays-sandbox.duckdb"),
        lambda m: m["parts"][-1].update(path="Stays-sandbox.DuckDB"),
        lambda m: m["parts"][-1].update(path="stays-sandbox.duckdb/x.txt"),
        lambda m: m["parts"][-1].update(path="postgres.sql/x.txt"),
        lambda m: m["parts"][-1].update(path="queries.sql"),
        lambda m: m["parts"][-1].update(path="report/other.html"),
        lambda m: m["tables"][0].update(stem="../stays"),
        lambda m: m.pop("source"),
        lambda m: m.update(parts=m["parts"] * 700),
    ],
)
def test_manifests_of_wrong_types_and_ranges_are_refused(bad, change):
    forged(bad, change)
    assert MANIFEST in refused(bad)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"format": NaN}',
        b"\xff\xfe",
        b'{"format": "tabsynth-bundle/1", "n": 1' + b"0" * 5000 + b"}",
    ],
)
def test_manifests_that_are_no_json_object_are_refused(bad, raw):
    forged(bad, lambda _: None, raw=raw)
    assert MANIFEST in refused(bad)


def test_a_manifest_that_is_too_large_is_not_read(bad):
    forged(bad, lambda _: None, raw=b" " * (9 << 20))
    assert "is larger than" in refused(bad)


def test_a_manifest_in_another_form_is_refused(bad):
    manifest, _ = parts_of(bad)
    forged(bad, lambda _: None, raw=json.dumps(manifest).encode())
    assert "not in the form" in refused(bad)
    with pytest.raises(BundleError, match="not in the form"):
        Manifest.from_bytes(json.dumps(manifest).encode())


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[]",
        b"nothing",
        b'{"public_key": 1, "signature": "00"}',
        json.dumps({"public_key": "00", "signature": "00"}).encode(),
        signature_bytes(key=bytes(32), signature=bytes(64)),
        signature_bytes(key=b"", signature=b""),
    ],
)
def test_signatures_that_are_none_are_refused(bad, content):
    manifest = parts_of(bad)[1][MANIFEST]
    first, second = archive.stored(MANIFEST, manifest), archive.stored(SIGNATURE, content)
    bad.write_bytes(first.header + manifest + second.header + content)
    said = refused(bad)
    assert SIGNATURE in said or "another key" in said  # a key of small order signs anything, and is not yours


def test_a_bomb_does_not_grow_beyond_what_is_signed():
    """64 MB of zeros in 64 kB, stated as the 100 bytes that README.md might have."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    bomb = replace(
        archive.stored("README.md", b"x" * 100),
        method=archive.DEFLATED,
        n_packed=len(packed),
        packed_sha256=archive.stored("", packed).sha256,
    )
    with pytest.raises(BundleError, match="more than the 100 bytes"):
        next(archive.unpacked(io.BytesIO(packed), bomb))


def test_bytes_that_unpack_to_the_same_are_told_apart_all_the_same():
    """The last bits of a packed part mean nothing to whoever unpacks it, so packed bytes are hashed too."""
    packer = zlib.compressobj(4, zlib.DEFLATED, -15)
    packed = packer.compress(b"hello" * 100) + packer.flush()
    other = packed[:-1] + bytes([packed[-1] ^ 0x80])
    member = replace(
        archive.stored("x", b"hello" * 100),
        method=archive.DEFLATED,
        n_packed=len(packed),
        packed_sha256=archive.stored("x", packed).sha256,
    )
    assert b"".join(archive.unpacked(io.BytesIO(other), member)) == b"hello" * 100
    assert archive.packed_fault(io.BytesIO(packed), member) == ""
    assert archive.packed_fault(io.BytesIO(other), member) == "its bytes were changed"


def test_packed_bytes_that_are_none_are_refused():
    packer = zlib.compressobj(4, zlib.DEFLATED, -15)
    packed = packer.compress(b"hello" * 100) + packer.flush()
    good = replace(archive.stored("x", b"hello" * 100), method=archive.DEFLATED, n_packed=len(packed))
    assert b"".join(archive.unpacked(io.BytesIO(packed), good)) == b"hello" * 100
    for bad, said in (
        (packed[:-3], "ends within it"),
        (b"\xff" * len(packed), "cannot be unpacked"),
    ):
        with pytest.raises(BundleError, match=said):
            list(archive.unpacked(io.BytesIO(bad), good))
    for member, data, said in (
        (replace(good, n_packed=len(packed) + 2), packed + b"xx", "bytes follow"),
        (replace(good, n_packed=len(packed) - 2), packed, "cut short"),
        (replace(good, sha256="0" * 64), packed, "does not hold what it states"),
    ):
        with pytest.raises(BundleError, match=said):
            list(archive.unpacked(io.BytesIO(data), member))


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("schema.yaml", b"version: 1\n", "the schema of the bundle cannot be read"),
        ("schema.yaml", b"\xff", "not text in UTF-8"),
        ("schema.yaml", b"a: &a [*a]", "the schema of the bundle cannot be read"),
        ("privacy.json", b"[" * 100_000, "not JSON, or nested too deeply"),
        ("privacy.json", b"[]", "not a JSON object"),
        ("data/stays.parquet", b"PAR1 nothing", "not a Parquet file"),
    ],
)
def test_parts_that_are_not_what_they_should_be_are_named(bad, path, content, said):
    forged(bad, lambda _: None, parts={path: content})
    found = refused(bad)
    assert said in found
    assert path in found or path == "schema.yaml"


def parquet(frame: pl.DataFrame) -> dict[str, bytes]:
    out = io.BytesIO()
    frame.write_parquet(out)
    return {"data/stays.parquet": out.getvalue()}


def test_rows_that_break_the_schema_or_a_rule_are_counted_and_never_shown(bad):
    frame = rows().frame.with_columns(
        pl.when(pl.int_range(pl.len()) < 3).then(pl.lit(7)).otherwise(pl.col("age")).alias("age"),
        pl.when(pl.int_range(pl.len()) < 2)
        .then(pl.lit("SECRETWARD"))
        .otherwise(pl.col("ward"))
        .alias("ward"),
    )
    forged(bad, lambda _: None, parts=parquet(frame))
    said = refused(bad)
    assert "3 rows break the rule 18 ≤ age" in said
    assert "2 cells are not a declared category" in said
    assert "others than those that were decided about" in said
    assert "SECRETWARD" not in said


def test_rows_of_another_shape_are_refused(bad):
    for frame, said in (
        (rows().frame.head(10), "holds 10 rows"),
        (rows().frame.drop("age"), "of 11 columns"),
        (rows().frame.rename({"age": "Age"}), "does not follow schema.yaml"),
    ):
        forged(bad, lambda _: None, parts=parquet(frame))
        assert said in refused(bad)


def test_parts_that_are_small_each_and_huge_together_are_refused(bad, monkeypatch):
    monkeypatch.setattr("tabsynth.release.bundle.manifest.MOST_UNPACKED", 100_000)
    assert "together they unpack to more than 100,000 bytes" in refused(bad)


def test_a_parquet_file_that_would_grow_is_refused_before_it_is_read(bad, monkeypatch):
    """A million equal cells take a few hundred bytes: what the file states of itself is held against limits."""
    monkeypatch.setattr("tabsynth.release.bundle.verify.MOST_CELLS", 11_999_999)
    whole = rows().frame.head(1)
    frame = pl.concat([whole] * 1000)
    frame = pl.concat([frame] * 1000)
    part = parquet(frame)
    assert len(part["data/stays.parquet"]) < 1_000_000
    forged(bad, lambda m: m["tables"][0].update(n_rows=1_000_000), parts=part)
    monkeypatch.setattr("tabsynth.release.bundle.verify.read_table", None)
    assert "holds 12,000,000 cells, more than the 11,999,999" in refused(bad)
    monkeypatch.setattr("tabsynth.release.bundle.verify.MOST_CELLS", 12_000_000)
    monkeypatch.setattr("tabsynth.release.bundle.verify.MOST_FREE", 16 * 11_999_998)
    assert "holds 12,000,000 cells, more than the 11,999,998" in refused(bad)


def test_a_part_of_json_that_is_too_large_is_not_parsed(bad):
    forged(bad, lambda _: None, parts={"privacy.json": b'{"a": "' + b"x" * (8 << 20) + b'"}'})
    assert "privacy.json is larger than the 8,388,608 bytes" in refused(bad)


def test_a_schema_of_other_tables_is_refused(bad):
    text = parts_of(bad)[1]["schema.yaml"].replace(b"  stays:", b"  other:")
    forged(bad, lambda _: None, parts={"schema.yaml": text})
    assert "other tables" in refused(bad)


def test_a_part_that_is_needed_and_missing_is_named(bad):
    def without(found):
        found["parts"] = [part for part in found["parts"] if part["path"] != "schema.yaml"]

    forged_without(bad, without, "schema.yaml")
    assert "schema.yaml is missing" in refused(bad)


def forged_without(path: Path, change, name: str) -> None:
    manifest, whole = parts_of(path)
    change(manifest)
    content = json_bytes(manifest)
    signed = signature_bytes(key=keys.raw(PUBLIC), signature=keys.sign(KEY, content))
    found = Manifest.from_bytes(content)
    raw = path.read_bytes()
    spots = {part: (start, end) for part, start, end in spans(path)}
    members = [
        (part.member, raw[spots[part.path][1] - part.n_packed : spots[part.path][1]]) for part in found.parts
    ]
    heads = [(archive.stored(MANIFEST, content), content), (archive.stored(SIGNATURE, signed), signed)]
    with path.open("wb") as file:
        archive.write(file, [*heads, *members])
    assert name not in {part for part, _, _ in spans(path)}
    assert whole


def test_text_that_is_too_large_is_not_read(good, monkeypatch):
    monkeypatch.setattr("tabsynth.release.bundle.verify.MOST_TEXT", 10)
    assert "is larger than the 10 bytes" in refused(good)


def test_what_is_no_file_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(BundleError):
            verify_bundle(path, key=PUBLIC)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BundleError, match="not a regular file"):
        verify_bundle(tmp_path / "pipe", key=PUBLIC)
    for content in (b"", b"PK", b"PK\x03\x04" + bytes(26), b"x" * 1000, b"PK\x05\x06" + bytes(18)):
        (tmp_path / "b").write_bytes(content)
        with pytest.raises(BundleError, match=MANIFEST):
            verify_bundle(tmp_path / "b", key=PUBLIC)


def test_more_than_a_zip_holds_is_not_written():
    huge = replace(archive.stored("x", b""), n_packed=archive.MOST_BYTES)
    with pytest.raises(BundleError, match="4 GiB"):
        archive.write(io.BytesIO(), [(huge, b"")])
    with pytest.raises(BundleError, match="files at most"):
        archive.write(io.BytesIO(), [(archive.stored("x", b""), b"")] * 10_001)


# --- in Python ---


def test_open_bundle_gives_frames_of_either_kind(good, tmp_path):
    found = ts.open_bundle(good)
    assert not found.is_known
    assert list(found) == ["stays"]
    assert len(found) == 1
    assert found["stays"].equals(rows().frame)
    assert found.frame(kind="pandas").shape == (200, 12)
    assert found.terms == TERMS
    assert found.verdict["outcome"] == "allow"
    assert found.privacy["tables"][0]["epsilon"] is None
    assert found.schema.only_table.name == "stays"
    from cryptography.hazmat.primitives import serialization as form

    (tmp_path / "k.pub").write_bytes(
        PUBLIC.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    )
    assert ts.open_bundle(good, key=tmp_path / "k.pub").is_known
    with pytest.raises(KeyError):
        found["absent"]
    with pytest.raises(UsageError, match="name one of them"):
        found.frame("absent")
    with pytest.raises(UsageError, match="polars or pandas"):
        found.frame(kind="arrow")


def test_released_rows_are_those_that_were_given():
    assert released().rows.digest() == released().decision.rows
