"""`clean`: every private thing that commands leave is listed, nothing else, and deleted on request alone."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import time
from pathlib import Path

import pytest
import yaml

from tabsynth import Budget, create_ledger_file
from tabsynth.audit.shadow.store import opened_store
from tabsynth.config.residue import Residue, purge, residue_in
from tabsynth.errors import UsageError
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
    return {each.path.relative_to(folder).as_posix() for each in residue_in([folder], temporary=False)}


def test_all_that_is_private_is_listed_and_nothing_else(made):
    assert listed(made) == PRIVATE
    what = {each.path.name: each.what for each in residue_in([made], temporary=False)}
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


def test_old_temporary_folders_of_ours_are_found_and_new_ones_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("tabsynth-old", "tabsynth-new", "other-old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rows.csv").write_text("a")
    then = time.time() - 7200
    for name in ("tabsynth-old", "other-old"):
        os.utime(tmp_path / name, (then, then))
    (tmp_path / "tabsynth-file").write_text("x")
    found = residue_in([], temporary=True)
    assert [each.path for each in found] == [tmp_path / "tabsynth-old" / "rows.csv"]
    assert residue_in([], temporary=False) == ()


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match="is not a folder"):
        residue_in([tmp_path / "absent"])
