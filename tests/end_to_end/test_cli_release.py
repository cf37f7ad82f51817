"""`tabsynth release` from files: keys, a bundle of a run and of a model, what is refused, and the codes."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import yaml

from tabsynth.randomness import seed_for
from tabsynth.schema import write_schema
from tabsynth.schema.types import Schema
from tests.end_to_end.commands import Done, tabsynth_here, until_no_false_alarm
from tests.unit.audit.tables import SCHEMA, drawn

TERMS = {
    "version": 1,
    "licence": "Contract 12",
    "purpose": "Tests",
    "recipient": "Example Ltd",
    "contact": "office@example.org",
    "expires": "2099-12-31",
    "reassess": "2099-06-30",
}
SIGNED = ("--sign-off", "A. Officer", "--reason", "few rows")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with an audit, a key, and terms."""
    return until_no_false_alarm(
        lambda: with_a_run(tmp_path_factory.mktemp("release")), "run/private/t/audit.json"
    )


def with_a_run(made: Path) -> Path:
    drawn(800, 1).frame.write_parquet(made / "source.parquet")
    write_schema(Schema(tables=(SCHEMA,)), made / "schema.yaml", private_note=False)
    run = {
        "version": 1,
        "schema": "schema.yaml",
        "seed": 5,
        "audit": True,
        "tables": {"t": {"source": "source.parquet", "engine": "independent", "rows": 400}},
    }
    (made / "run.yaml").write_text(yaml.safe_dump(run))
    (made / "terms.yaml").write_text(yaml.safe_dump(TERMS))
    for command in (("run", "run.yaml", "--out", "run"), ("release", "keygen", "--out", "k")):
        done = tabsynth_here(*command, cwd=made)
        assert done.code == 0, done.err
    return made


def build(folder: Path, *options: str, out: str = "b.zip") -> Done:
    fixed = ("--terms", "terms.yaml", "--key", "k", "--out", out, "--source", "s7", "--for", "partners")
    return tabsynth_here("release", "build", *options, *fixed, cwd=folder)


def test_a_run_becomes_a_bundle_that_its_partner_opens(folder: Path):
    done = build(folder, "run", *SIGNED, "--on", "2026-11-01")
    assert done.code == 0, done.err
    assert done.out.startswith("Released t (400 rows) for partners, until 2099-12-31")
    assert "tabsynth release verify b.zip --key k.pub" in done.out
    again = build(folder, "run", *SIGNED, "--on", "2026-11-01", out="again.zip")
    assert again.code == 0
    assert (folder / "b.zip").read_bytes() == (folder / "again.zip").read_bytes()
    held = tabsynth_here("release", "verify", "b.zip", "--key", "k.pub", cwd=folder)
    assert held.code == 0, held.err
    assert "every byte is as it was signed" in held.out
    assert "t: 400 rows follow the schema. Differentially private: ε = 1" in held.out
    assert "For Example Ltd (partners), released 2026-11-01, expires 2099-12-31" in held.out
    plain = tabsynth_here(
        "release", "open", "b.zip", "--key", "k.pub", "--out", "p", "--no-database", cwd=folder
    )
    assert plain.code == 0, plain.err
    assert (folder / "p/data/t.parquet").is_file()
    with zipfile.ZipFile(folder / "b.zip") as file:
        provenance = json.loads(file.read("provenance.json"))
        verdict = json.loads(file.read("verdict.json"))
    assert provenance["tables"][0]["sampling_seed"] == seed_for(5, "sampling")
    assert provenance["source"] == "s7"
    assert verdict["sign_off"]["name"] == "A. Officer"


def test_a_release_of_a_day_to_come_says_that_a_clock_is_wrong_and_forges_no_line(folder: Path):
    """Expiry is told by the clock of whoever checks; and what others wrote stays on the line it is shown on."""
    stated = {**TERMS, "recipient": "Example Ltd\nmine.zip holds"}
    (folder / "later.yaml").write_text(yaml.safe_dump(stated))
    fixed = (
        "--terms",
        "later.yaml",
        "--key",
        "k",
        "--out",
        "later.zip",
        "--source",
        "s7",
        "--for",
        "partners",
    )
    done = tabsynth_here("release", "build", "run", *fixed, *SIGNED, "--on", "2098-11-01", cwd=folder)
    assert done.code == 0, done.err
    held = tabsynth_here("release", "verify", "later.zip", "--key", "k.pub", cwd=folder)
    assert held.code == 0
    assert "It was released on 2098-11-01, and this machine's clock says 20" in held.err
    assert "For Example Ltd mine.zip holds (partners)" in held.out
    assert (
        "set the clock" not in tabsynth_here("release", "verify", "b.zip", "--key", "k.pub", cwd=folder).err
    )


def test_the_folder_of_a_run_keeps_private_things_apart(folder: Path):
    names = {
        path.relative_to(folder / "run").as_posix() for path in (folder / "run").rglob("*") if path.is_file()
    }
    assert {name for name in names if name.startswith("publishable/")} == {
        "publishable/t/synthetic.parquet",
        "publishable/t/model/model.json",
        "publishable/t/model/arrays.safetensors",
        "publishable/t/model/manifest.json",
    }
    assert {name for name in names if not name.startswith("publishable/")} == {
        f"private/{name}"
        for name in ("run.yaml", "schema.yaml", "t/results.json", "t/report.html", "t/audit.json")
    }


def test_without_a_sign_off_nothing_is_written(folder: Path):
    done = build(folder, "run", out="never.zip")
    assert done.code == 4
    assert "NEEDS SIGN-OFF" in done.out
    assert "No bundle was written" in done.out
    assert not (folder / "never.zip").exists()


def test_a_denied_run_makes_no_bundle_and_ends_with_three(folder: Path):
    for options in (("run", "--for", "outsiders", *SIGNED), ("run", "--policy", "strict.yaml", *SIGNED)):
        text = tabsynth_here("policy", "init", cwd=folder).out.replace(
            "allowed: 3, sign_off: 10", "allowed: 0.1, sign_off: 0.5"
        )
        (folder / "strict.yaml").write_text(text)
        fixed = ("--terms", "terms.yaml", "--key", "k", "--out", "never.zip", "--source", "s7")
        audience = () if "--for" in options else ("--for", "partners")
        done = tabsynth_here("release", "build", *options, *audience, *fixed, "--json", cwd=folder)
        assert (done.code, done.json["exit_code"], done.json["ok"]) == (3, 3, False)
        assert done.json["decisions"][0]["outcome"] == "deny"
        assert not (folder / "never.zip").exists()


def test_a_model_and_its_rows_need_an_audit_of_these_rows(folder: Path):
    of_model = ("--model", "run/publishable/t/model", "--synthetic", "run/publishable/t/synthetic.parquet")
    assert build(folder, *of_model, *SIGNED, out="never.zip").code == 3
    done = build(
        folder,
        *of_model,
        "--audit",
        "run/private/t/audit.json",
        "--seed",
        str(seed_for(5, "sampling")),
        *SIGNED,
        out="m.zip",
    )
    assert done.code == 0, done.err
    wrong = build(
        folder, *of_model, "--audit", "run/private/t/audit.json", "--seed", "6", *SIGNED, out="never.zip"
    )
    assert wrong.code == 2
    assert "does not give these rows with seed 6" in wrong.err


def test_rows_that_are_not_the_model_s_alone_are_denied(folder: Path):
    """Of augmented rows, of which most are real, and of the model's own that lost their mark."""
    fitted = ("--schema", "schema.yaml", "--engine", "independent")
    mixed = ("augment", "source.parquet", *fitted, "--target", "c", "--to", "1:1", "--out", "mixed.csv")
    assert tabsynth_here(*mixed, cwd=folder).code == 0
    model = ("--model", "run/publishable/t/model")
    asked = (*model, "--synthetic", "mixed.csv", "--for", "internal", *SIGNED)
    done = tabsynth_here("policy", "check", *asked, "--json", cwd=folder)
    assert done.code == 3
    denied = [each for each in done.json["reasons"] if each["answer"] == "deny"]
    assert [each["rule"] for each in denied] == ["rows_are_the_models"]
    assert "of its rows are real" in denied[0]["found"]
    fixed = ("--terms", "terms.yaml", "--key", "k", "--out", "never.zip", "--source", "s7")
    assert tabsynth_here("release", "build", *asked, *fixed, cwd=folder).code == 3
    assert not (folder / "never.zip").exists()
    pl.read_parquet(folder / "run/publishable/t/synthetic.parquet").write_parquet(folder / "bare.parquet")
    bare = (*model, "--synthetic", "bare.parquet", "--audit", "run/private/t/audit.json")
    denying = tabsynth_here("policy", "check", *bare, "--json", cwd=folder)
    assert "bears no mark" in str(denying.json["reasons"])
    assert build(folder, *bare, "--seed", str(seed_for(5, "sampling")), *SIGNED, out="bare.zip").code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "name the folder of a run"),
        (("run", "--model", "run/publishable/t/model"), "name the folder of a run"),
        (("--model", "run/publishable/t/model"), "belong together"),
        ((".",), "is not the folder of a run"),
        (("run", "--sign-off", "A"), "give both --sign-off and --reason"),
        (("run", "--on", "today"), "expected a day"),
        (("run", "--audit", "run/private/t/audit.json", "--audit", "x.json"), "one table has one audit"),
        (("run", "--key", "k.pub"), ""),
    ],
)
def test_what_cannot_be_meant_is_said(folder: Path, options, said: str):
    done = build(folder, *options, out="never.zip")
    if said:
        assert done.code == 2
        assert said in done.err
    assert not (folder / "never.zip").exists()


def test_two_tables_of_one_ledger_become_one_bundle(folder: Path):
    """Without an audit, for colleagues; the ledger names the source, and no other may be stated."""
    ledger = ("ledger", "create", "ledger", "--source", "s9", "--epsilon", "9")
    assert tabsynth_here(*ledger, cwd=folder).code == 0
    drawn(300, 7).frame.write_parquet(folder / "other.parquet")
    tables = Schema(tables=(SCHEMA, replace(SCHEMA, name="u")))
    write_schema(tables, folder / "two.yaml", private_note=False)
    run = {
        "version": 1,
        "schema": "two.yaml",
        "evaluation": False,
        "ledger": "ledger",
        "output": {"formats": ["csv"]},
        "tables": {
            "t": {"source": "source.parquet", "engine": "independent", "rows": 100},
            "u": {"source": "other.parquet", "engine": "independent", "rows": 50},
        },
    }
    (folder / "two-run.yaml").write_text(yaml.safe_dump(run))
    assert tabsynth_here("run", "two-run.yaml", "--out", "two", cwd=folder).code == 0
    fixed = ("two", "--terms", "terms.yaml", "--key", "k", "--for", "internal", *SIGNED)
    done = tabsynth_here("release", "build", *fixed, "--out", "two.zip", "--json", cwd=folder)
    assert done.code == 0, done.err
    assert done.json["source"] == "s9"
    assert [(table["name"], table["rows"]) for table in done.json["tables"]] == [("t", 100), ("u", 50)]
    assert tabsynth_here("release", "verify", "two.zip", "--key", "k.pub", cwd=folder).code == 0
    for more, said in (
        (("--source", "s7"), "the release is of one source, found 's7', 's9'"),
        (("--audit", "run/private/t/audit.json"), "is an audit of other rows"),
    ):
        refused = tabsynth_here("release", "build", *fixed, "--out", "never.zip", *more, cwd=folder)
        assert (refused.code, said in refused.err) == (2, True), refused.err
    shutil.copytree(folder / "two", folder / "three")
    (folder / "three/publishable/u/synthetic.csv").unlink()
    missing = tabsynth_here("release", "build", "three", *fixed[1:], "--out", "never.zip", cwd=folder)
    assert "no synthetic table lies beside" in missing.err
    shutil.rmtree(folder / "three/publishable")
    empty = tabsynth_here("release", "build", "three", *fixed[1:], "--out", "never.zip", cwd=folder)
    assert "holds no table with a model" in empty.err


def test_a_release_that_would_break_the_cap_makes_no_bundle(folder: Path):
    """Recorded before the bundle has its name: what the catalogue denies is never there to be sent."""
    pytest.importorskip("sqlalchemy", reason="needs the extra `share`")
    fixed = ("--terms", "terms.yaml", "--key", "k", "--source", "capped", "--catalog", "c.db", *SIGNED)
    first = ("release", "build", "run", "--for", "partners", *fixed, "--out", "first.zip")
    uncapped = tabsynth_here(*first, cwd=folder)
    assert (uncapped.code, "what all of its releases may come to" in uncapped.err) == (2, True)
    assert not (folder / "first.zip").exists()
    stray = tabsynth_here(*first[:3], *fixed[:6], "--out", "first.zip", "--cap-epsilon", "1", cwd=folder)
    assert (stray.code, "name it with --catalog" in stray.err) == (2, True)
    done = tabsynth_here(*first, "--cap-epsilon", "1.2", "--json", cwd=folder)
    assert done.code == 0, done.err
    assert (done.json["release"], done.json["cumulative"]["within"]) == (1, True)
    shown = tabsynth_here("catalog", "show", "1", "--catalog", "c.db", "--json", cwd=folder).json["release"]
    assert shown["location"] == str(folder / "first.zip")
    assert shown["sha256"] == hashlib.sha256((folder / "first.zip").read_bytes()).hexdigest()
    for command in (
        ("fit", "source.parquet", "--schema", "schema.yaml", "--engine", "independent", "--out", "second"),
        ("sample", "second", "--rows", "100", "--seed", "3", "--out", "second.csv"),
    ):
        assert tabsynth_here(*command, cwd=folder).code == 0
    rows = ("--model", "second", "--synthetic", "second.csv", "--seed", "3", "--for", "internal")
    denied = tabsynth_here("release", "build", *rows, *fixed, "--out", "second.zip", "--json", cwd=folder)
    assert denied.code == 3
    assert "above the cap of ε = 1.2" in denied.json["error"]["message"]
    left = {path.name for path in folder.iterdir() if "second" in path.name or ".tmp" in path.name}
    assert left == {"second", "second.csv", "second.csv.provenance.json"}
    listed = tabsynth_here("catalog", "list", "--catalog", "c.db", "--json", cwd=folder)
    assert [each["id"] for each in listed.json["releases"]] == [1]


def test_a_release_without_a_source_id_is_refused(folder: Path):
    fixed = ("--terms", "terms.yaml", "--key", "k", "--out", "never.zip", "--for", "partners", *SIGNED)
    done = tabsynth_here("release", "build", "run", *fixed, cwd=folder)
    assert done.code == 2
    assert "give its id with --source" in done.err


def test_a_changed_bundle_is_refused_with_the_part_named(folder: Path):
    content = bytearray((folder / "b.zip").read_bytes())
    content[-3000] ^= 1
    (folder / "changed.zip").write_bytes(content)
    done = tabsynth_here("release", "verify", "changed.zip", "--key", "k.pub", "--json", cwd=folder)
    assert done.code == 2
    assert done.json["error"]["type"] == "BundleError"
    assert done.json["error"]["faults"]
    opened = tabsynth_here(
        "release", "open", "changed.zip", "--key", "k.pub", "--out", "never", "--no-database", cwd=folder
    )
    assert opened.code == 2
    assert not (folder / "never").exists()


def test_an_encrypted_key_takes_its_passphrase_from_the_environment(folder: Path, monkeypatch):
    monkeypatch.setenv("TABSYNTH_KEY_PASSPHRASE", "correct horse")
    assert tabsynth_here("release", "keygen", "--out", "safe", "--encrypt", cwd=folder).code == 0
    assert "ENCRYPTED" in (folder / "safe").read_text()
    fixed = ("--terms", "terms.yaml", "--key", "safe", "--source", "s7", "--for", "partners", *SIGNED)
    done = tabsynth_here("release", "build", "run", *fixed, "--out", "safe.zip", cwd=folder)
    assert done.code == 0, done.err
    held = tabsynth_here("release", "verify", "safe.zip", "--key", "k.pub", cwd=folder)
    assert held.code == 2
    assert "another key" in held.err
    monkeypatch.setenv("TABSYNTH_KEY_PASSPHRASE", "")
    empty = tabsynth_here("release", "build", "run", *fixed, "--out", "never.zip", cwd=folder)
    assert (empty.code, "the passphrase is empty" in empty.err) == (2, True)


def test_an_expired_bundle_ends_with_three(folder: Path):
    (folder / "old.yaml").write_text(
        yaml.safe_dump({**TERMS, "expires": "2020-12-31", "reassess": "2020-06-30"})
    )
    fixed = ("--terms", "old.yaml", "--key", "k", "--out", "old.zip", "--source", "s7", "--for", "partners")
    late = tabsynth_here("release", "build", "run", *fixed, *SIGNED, cwd=folder)
    assert late.code == 2
    assert "the terms expire on 2020-12-31, before the release" in late.err
    done = tabsynth_here("release", "build", "run", *fixed, *SIGNED, "--on", "2020-06-01", cwd=folder)
    assert done.code == 0, done.err
    for command in (("verify",), ("open", "--out", "never", "--no-database")):
        done = tabsynth_here("release", *command, "old.zip", "--key", "k.pub", cwd=folder)
        assert done.code == 3
        assert "expired on 2020-12-31" in done.err
