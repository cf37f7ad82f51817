"""`clean`: every private thing that commands leave is listed, nothing else, and deleted on request alone."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from pathlib import Path

import polars as pl
import pytest
import yaml

from tabsynth import Budget, create_ledger_file
from tabsynth.audit.shadow.store import opened_store
from tabsynth.config.residue import Residue, purge, residue_in
from tabsynth.errors import UsageError
from tabsynth.io import write_frame
from tabsynth.io.provenance import PseudonymMark
from tests.end_to_end.commands import tabsynth_here
from tests.unit.audit.tables import drawn


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """What commands write: a draft, a split, models with and without privacy, an evaluation, a run."""
    folder = tmp_path_factory.mktemp("residue")
    drawn(300, 1).frame.write_parquet(folder / "source.parquet")
    run = {"version": 1, "seed": 1, "tables": {"t": {"source": "source.parquet", "engine": "independent"}}}
    (folder / "run.yaml").write_text(yaml.safe_dump(run))
    halves = ("--train", "parts/train.parquet", "--holdout", "parts/holdout.parquet")
    fit = ("fit", "parts/train.parquet", "--schema", "draft.yaml", "--engine", "independent")
    for command in (
        ("schema", "draft", "source.parquet", "--out", "draft.yaml"),
        ("split", "source.parquet", "--out", "parts"),
        (*fit, "--out", "private-model"),
        (*fit, "--out", "open-model", "--no-privacy"),
        ("sample", "private-model", "--rows", "100", "--out", "rows.csv"),
        ("evaluate", "--synthetic", "rows.csv", *halves, "--schema", "draft.yaml", "--out", "figures"),
        (
            "report",
            "publishable",
            "--model",
            "private-model",
            "--synthetic",
            "rows.csv",
            "--out",
            "public.html",
        ),
        ("run", "run.yaml", "--out", "run"),
        ("release", "keygen", "--out", "key"),
        ("policy", "init", "--out", "policy.yaml"),
    ):
        done = tabsynth_here(*command, cwd=folder)
        assert done.code == 0, done.err
    decided = ("policy", "check", "--model", "private-model", "--out", "decision.json")
    assert tabsynth_here(*decided, cwd=folder).code == 3
    create_ledger_file(folder / "ledger", source="s", cap=Budget(epsilon=1.0))
    with opened_store(folder / "checkpoint", fingerprint="f", shape=(1, 1)):
        pass
    (folder / ".tabsynth.0123456789abcdef.tmp").mkdir()
    (folder / ".tabsynth.0123456789abcdef.tmp" / "half.csv").write_text("a")
    for format_ in ("audit/2", "shadow-audit/1", "noise-audit/1", "collapse/1"):
        name = f"{format_.partition('/')[0]}.json"
        (folder / name).write_text(json.dumps({"format": f"tabsynth-{format_}", "private_output": True}))
    (folder / "mine.json").write_text('{"format": "of mine"}')
    (folder / "link.json").symlink_to("decision.json")
    with sqlite3.connect(folder / "mine.db") as database:
        database.execute("create table fits (fit integer)")
    database.close()
    return folder


PRIVATE = {
    "draft.yaml",
    "parts/train.parquet",
    "parts/holdout.parquet",
    "open-model/model.json",
    "open-model/manifest.json",
    "open-model/arrays.safetensors",
    "figures/results.json",
    "figures/report.html",
    "run/private/run.yaml",
    "run/private/schema.yaml",
    "run/private/t/results.json",
    "run/private/t/report.html",
    "decision.json",
    "checkpoint",
    ".tabsynth.0123456789abcdef.tmp/half.csv",
    "audit.json",
    "shadow-audit.json",
    "noise-audit.json",
    "collapse.json",
}


def listed(folder: Path) -> set[str]:
    return {each.path.relative_to(folder).as_posix() for each in residue_in([folder])}


def test_all_that_is_private_is_listed_and_nothing_else(made):
    assert listed(made) == PRIVATE
    what = {each.path.name: each.what for each in residue_in([made])}
    assert what["train.parquet"] == "real rows, split"
    assert what["draft.yaml"] == "a draft of a schema, read off the source"
    assert what["half.csv"].startswith("unfinished")
    assert what["run.yaml"] == "the private part of a run"


def test_nothing_is_deleted_without_a_yes(made):
    done = tabsynth_here("clean", "--json", cwd=made)
    assert done.code == 0
    assert done.json["deleted"] == 0
    assert {entry["path"] for entry in done.json["found"]} >= {str(made / name) for name in PRIVATE}
    shown = tabsynth_here("clean", cwd=made)
    assert "nothing was deleted" in shown.out
    assert "tabsynth clean . --purge" in shown.out
    for options in (("--purge", "--json"), ("--purge", "--quiet"), ("--yes",), ("absent",)):
        assert tabsynth_here("clean", *options, cwd=made).code == 2
    assert listed(made) == PRIVATE


def test_a_purge_deletes_what_is_listed_and_keeps_all_else(made, tmp_path, monkeypatch):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(made, copy, symlinks=True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    before = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    done = tabsynth_here("clean", str(copy), "--purge", "--yes", "--json", cwd=tmp_path)
    assert (done.code, done.json["deleted"]) == (0, len(PRIVATE))
    after = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert before - after == PRIVATE | {"link.json"}  # which leads nowhere now
    assert (copy / "link.json").is_symlink()
    assert not (copy / "run/private").exists()
    assert not (copy / "open-model").exists()
    assert listed(copy) == set()


def test_a_purge_asks_at_the_terminal(made, tmp_path, monkeypatch):
    import typer

    (tmp_path / "audit.json").write_text('{"format": "tabsynth-audit/2"}')
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    for answer, is_there in (("no", True), ("yes", False)):
        monkeypatch.setattr(typer, "prompt", lambda *_, answer=answer, **__: answer)
        tabsynth_here("clean", "--purge", cwd=tmp_path)
        assert (tmp_path / "audit.json").exists() is is_there
    assert tmp_path.is_dir()
    assert made.is_dir()


def test_a_link_that_took_a_file_s_place_is_not_followed(tmp_path):
    kept = tmp_path / "kept"
    kept.write_text("mine")
    (tmp_path / "swapped").symlink_to(kept)
    folder = tmp_path / "folder"
    folder.mkdir()
    found = [
        Residue(path=path, what="", n_bytes=1) for path in (tmp_path / "swapped", folder, tmp_path / "gone")
    ]
    assert purge(found, keep=[tmp_path]) == 1
    assert kept.read_text() == "mine"
    assert folder.is_dir()


def test_what_is_yours_is_never_listed(made, tmp_path):
    """Ledgers, keys, databases and your own tables stay, wherever they lie and whatever they are called."""
    import shutil

    shutil.copytree(made / "run", tmp_path / "run")
    for place in (tmp_path / "run/private", tmp_path / ".tabsynth.0123456789abcdef.tmp"):
        place.mkdir(exist_ok=True)
        for name in ("ledger", "key", "key.pub", "mine.db"):
            shutil.copy(made / name, place / name)
    for name in ("mine.csv", "mine.parquet", "notes.txt"):
        (tmp_path / "run/private" / name).write_text("a\n1\n")
    yours = tmp_path / "yours"
    yours.mkdir()
    for name in ("train.parquet", "holdout.parquet"):
        shutil.copy(made / "source.parquet", yours / name)
    (yours / "private").mkdir()
    (yours / "private/run.yaml").write_text("version: 1\ntables:\n")
    (yours / "private/rows.csv").write_text("a\n1\n")
    (yours / "notes.json").write_text('{"about": {"format": "tabsynth-audit/2"}}')
    draft = (made / "draft.yaml").read_text()
    (yours / "schema.yaml").write_text(draft.replace("origin: draft", "origin: public, by: me", 1))
    assert listed(tmp_path) == {name for name in PRIVATE if name.startswith("run/")}


def test_rows_of_a_run_without_privacy_are_listed_with_their_mark(tmp_path):
    drawn(100, 1).frame.write_parquet(tmp_path / "source.parquet")
    table = {"source": "source.parquet", "engine": "independent"}
    run = {"version": 1, "privacy": "none", "evaluation": False, "output": {"formats": ["csv", "parquet"]}}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({**run, "tables": {"t": table}}))
    assert tabsynth_here("run", "run.yaml", "--out", "run", cwd=tmp_path).code == 0
    found = {
        path.relative_to(tmp_path / "run/private/t").as_posix()
        for path in (tmp_path / "run/private/t").rglob("*")
        if path.is_file()
    }
    assert {
        "synthetic.csv",
        "synthetic.csv.provenance.json",
        "synthetic.parquet",
        "model/model.json",
    } <= found
    assert listed(tmp_path) == {
        f"run/private/{name}" for name in ("run.yaml", "schema.yaml", *(f"t/{each}" for each in found))
    }
    (tmp_path / "run/private/t/synthetic.csv").write_text("a\n1\n")  # yours now
    (tmp_path / "run/private/t/synthetic.parquet").write_text("damaged")
    assert not listed(tmp_path) & {"run/private/t/synthetic.csv", "run/private/t/synthetic.parquet"}


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "tsv", "parquet", "feather"])
def test_rows_that_are_private_are_listed_wherever_they_were_written(tmp_path, suffix):
    """Those of a model without privacy, mixtures and real rows under pseudonyms; with the file that marks a CSV."""
    drawn(300, 1).frame.with_columns(who=pl.int_range(300).cast(pl.String) + "x").write_parquet(
        tmp_path / "source.parquet"
    )
    columns = {
        "who": {"kind": "identifier", "dtype": "string", "unique": True, "generator": {"make": "uuid"}},
        "c": {"kind": "categorical", "dtype": "string", "categories": ["a", "b", "c"]},
    }
    schema = {"version": 1, "tables": {"t": {"columns": columns}}}
    (tmp_path / "schema.yaml").write_text(yaml.safe_dump(schema))
    (tmp_path / "key.bin").write_bytes(bytes(range(32)))
    (tmp_path / "key.bin").chmod(0o600)
    (tmp_path / "given.csv").write_text("c\na\nb\n")
    fit = ("fit", "source.parquet", "--schema", "schema.yaml", "--engine", "independent")
    more = ("--to", "1:1", "--where", "c=c", "--engine", "independent")
    pseudonyms = ("--no-privacy", "--key-file", "key.bin", "--schema-out", "marked.yaml")
    for command in (
        (*fit, "--out", "private-model", "--epsilon", "5"),
        (*fit, "--out", "open-model", "--no-privacy"),
        ("sample", "private-model", "--rows", "50", "--out", f"private.{suffix}"),
        ("sample", "open-model", "--rows", "50", "--out", f"open.{suffix}"),
        ("augment", "source.parquet", "--schema", "schema.yaml", *more, "--out", f"mixed.{suffix}"),
        ("complete", "private-model", "given.csv", "--out", f"whole.{suffix}"),
        (
            "pseudonymise",
            "source.parquet",
            "--schema",
            "schema.yaml",
            *pseudonyms,
            "--out",
            f"hashed.{suffix}",
        ),
    ):
        done = tabsynth_here(*command, cwd=tmp_path)
        assert done.code == 0, done.err
    what = {each.path.name: each.what for each in residue_in([tmp_path])}
    expected = {
        f"open.{suffix}": "synthetic rows without privacy",
        f"mixed.{suffix}": "synthetic rows with real ones, or real cells, among them",
        f"whole.{suffix}": "synthetic rows with real ones, or real cells, among them",
        f"hashed.{suffix}": "real rows under pseudonyms",
    }
    if "sv" in suffix:
        expected |= {f"{name}.provenance.json": said for name, said in expected.items()}
    of_models = {"model.json", "manifest.json", "arrays.safetensors", "marked.yaml"}
    assert {name: said for name, said in what.items() if name not in of_models} == expected
    done = tabsynth_here("clean", "--purge", "--yes", "--json", cwd=tmp_path)
    assert done.code == 0, done.err
    left = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert left >= {"source.parquet", "given.csv", f"private.{suffix}", "key.bin"}
    assert not left & set(expected)


def test_a_table_that_took_the_place_of_marked_rows_is_yours(tmp_path):
    write_frame(drawn(20, 1).frame, tmp_path / "t.csv", provenance=PseudonymMark())
    assert listed(tmp_path) == {"t.csv", "t.csv.provenance.json"}
    (tmp_path / "t.csv").write_text("a\n1\n")
    (tmp_path / "u.parquet").write_text("damaged")
    assert listed(tmp_path) == set()


def test_the_system_s_temporary_folder_is_not_looked_into(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    project = tmp_path / "temporary" / "tabsynth-project"
    project.mkdir(parents=True)
    (project / "audit.json").write_text('{"format": "tabsynth-audit/2"}')
    os.utime(project, (0, 0))
    (tmp_path / "here").mkdir()
    assert residue_in([tmp_path / "here"]) == ()


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match="is not a folder"):
        residue_in([tmp_path / "absent"])
