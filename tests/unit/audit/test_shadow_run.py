"""Whole audits of engines: a copier is failed, a private engine is not, and a run goes on where it stopped."""

from __future__ import annotations

import io
import json
import os
import pickle
import sqlite3
import stat
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.console import Console

import tabsynth
from tabsynth.audit.shadow import ShadowResults, fits, shadow_audit
from tabsynth.audit.shadow.controls import copied_rows, copier_counts
from tabsynth.audit.shadow.fits import MAX_FITS, Plan, Shadows, _affordable, run_fits
from tabsynth.audit.shadow.game import Game
from tabsynth.audit.shadow.queries import Questions
from tabsynth.audit.shadow.store import opened_store
from tabsynth.audit.shadow.terminal import render_shadow
from tabsynth.audit.verdict import Outcome
from tabsynth.errors import DataError, InputError, OutputExistsError, UsageError
from tabsynth.metrics.sampling import take_rows
from tabsynth.privacy import Budget
from tabsynth.randomness import Streams
from tabsynth.refit import engine_box, function_box
from tabsynth.schema.types import Column, Kind
from tabsynth.table import Table
from tests.unit.audit.tables import SCHEMA, drawn

TRAIN, HOLDOUT = drawn(260, 1), drawn(300, 2)
PRIVATE = engine_box("independent", privacy=Budget(epsilon=1.0, delta=1e-5))


def half_copied(frame: pl.DataFrame, n_rows: int, seed: int) -> pl.DataFrame:
    """Half of the rows verbatim, among rows of the same distribution."""
    return pl.concat([frame.sample(n_rows // 2, seed=seed), drawn(n_rows - n_rows // 2, 10**6 + seed).frame])


def audited(box, **options) -> ShadowResults:
    options = {"n_rows": 120, "n_fits": 60, "n_each": 2, "workers": 1, **options}
    return shadow_audit(TRAIN, HOLDOUT, box=box, **options)


def timeless(results: ShadowResults) -> ShadowResults:
    return replace(results, seconds={}, seconds_each=0.0)


@pytest.fixture(scope="module")
def copier() -> ShadowResults:
    return audited(function_box(half_copied))


@pytest.fixture(scope="module")
def private() -> ShadowResults:
    return audited(PRIVATE)


def rendered(results: ShadowResults, width: int = 80) -> str:
    out = io.StringIO()
    render_shadow(results, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def test_a_copier_is_failed(copier: ShadowResults):
    # an ideal area of .75 in each of 4 targets, 30 judged fits: a mean below the critical .63 has a
    # probability of about .01, and the null is flagged with at most .05; the seed is fixed
    assert copier.outcome is Outcome.FAIL
    assert copier.engine.mean("all").auc > 0.6


def test_independent_at_epsilon_1_is_not_failed(private: ShadowResults):
    # flagged with a probability of at most .05; what noise does to it is not fixed by the seed
    assert private.outcome is not Outcome.FAIL or private.engine.p_value > 0.001
    assert private.bound.auc == pytest.approx(0.731, abs=5e-4)
    assert private.verdict.unseen  # at this size
    if private.outcome is not Outcome.FAIL:
        assert "could not have seen" in " ".join(private.verdict.reasons)
    assert private.title.startswith(f"Shadow audit of {PRIVATE.title} on ")  # as the policy expects it


def test_controls_are_the_null_and_the_copiers(private: ShadowResults):
    assert [known.name for known in private.controls] == ["null", "copy_100", "copy_20", "copy_5"]
    assert [known.is_leak for known in private.controls] == [False, True, True, True]
    assert not private.controls[0].battery.flagged  # missed with at most .05; the seed is fixed
    assert private.controls[1].battery.flagged
    assert private.controls[1].battery.mean("all").auc > 0.95


def test_counts_and_notes(private: ShadowResults):
    counts = private.counts
    assert (counts.train, counts.holdout, counts.pool, counts.rows) == (260, 300, 552, 120)
    assert (counts.fits, counts.evaluated_fits, counts.targets, counts.queries) == (60, 30, 4, 256)
    assert "Shadow tables have 120 rows, train 260" in private.notes[0]


def test_copier_counts_are_those_of_its_releases():
    game = Game.of(TRAIN, HOLDOUT, n_rows=150, n_each=2, streams=Streams(1))
    questions = Questions.of(
        tuple(take_rows(game.encoded, rows) for rows in game.targets),
        game.train,
        rng=np.random.default_rng(1),
    )
    counts = copier_counts(game, questions, 0.2, n_fits=3)
    for fit in range(3):
        rows = copied_rows(game, fit, 0.2)
        inside = np.isin(rows, game.rows(fit))
        assert (len(rows), int(inside.sum())) == (150, 30)
        assert counts[fit, :, :-1].tolist() == questions.counts(take_rows(game.encoded, rows)).tolist()
        assert counts[fit, :, -1].tolist() == [150] * 4


def test_two_processes_find_what_one_does(copier: ShadowResults):
    def unheld(frame: pl.DataFrame, n_rows: int, seed: int) -> pl.DataFrame:
        """No module holds it, so it travels as it is."""
        return half_copied(frame, n_rows, seed)

    again = audited(function_box(unheld), workers=2)
    assert replace(timeless(again), title=copier.title) == timeless(copier)


def test_the_package_itself_travels_with_functions_that_use_it():
    assert pickle.loads(pickle.dumps(tabsynth)) is tabsynth


def test_a_run_that_is_resumed_ends_as_one_that_was_not(copier: ShadowResults, tmp_path: Path):
    kept, made = tmp_path / "kept", []

    def breaks(frame: pl.DataFrame, n_rows: int, seed: int) -> pl.DataFrame:
        if len(made) == 21:
            raise KeyboardInterrupt
        made.append(seed)
        return half_copied(frame, n_rows, seed)

    breaks.__qualname__ = half_copied.__qualname__
    with pytest.raises(KeyboardInterrupt):
        audited(function_box(breaks), resume=kept)
    assert stat.S_IMODE(os.stat(kept).st_mode) == 0o600  # noqa: PTH116
    made.clear()

    def goes_on(frame: pl.DataFrame, n_rows: int, seed: int) -> pl.DataFrame:
        made.append(seed)
        return half_copied(frame, n_rows, seed)

    goes_on.__qualname__ = half_copied.__qualname__
    again = audited(function_box(goes_on), resume=kept)
    assert len(made) == 60 - 21
    assert timeless(again) == timeless(copier)


def test_a_resume_file_belongs_to_its_settings_and_tables(tmp_path: Path):
    kept = tmp_path / "kept"
    box = function_box(half_copied)
    interrupted = replace(box, make=lambda _n_rows: interrupt)
    with pytest.raises(KeyboardInterrupt):
        audited(interrupted, resume=kept)
    other = Table(SCHEMA, TRAIN.frame.with_columns(k=pl.col("k") + 1))
    for change in (
        lambda: audited(PRIVATE, resume=kept),
        lambda: audited(box, resume=kept, seed=1),
        lambda: audited(box, resume=kept, n_rows=121),
        lambda: shadow_audit(
            other,
            HOLDOUT,
            box=function_box(half_copied),
            n_rows=120,
            n_fits=40,
            n_each=2,
            workers=1,
            resume=kept,
        ),
    ):
        with pytest.raises(UsageError, match="belongs to an audit of other"):
            change()


def interrupt(_train: Table, _seed: int) -> Table:
    raise KeyboardInterrupt


def test_resume_files_that_cannot_be_used_are_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="cannot be opened"):
        audited(PRIVATE, resume=tmp_path / "no" / "kept")
    (tmp_path / "text").write_text("not a database, but some text that is long enough" * 100)
    with pytest.raises(InputError, match="is not a resume file"):
        audited(PRIVATE, resume=tmp_path / "text")
    with opened_store(tmp_path / "kept", fingerprint="f", shape=(2, 3)) as store:
        store.add(0, np.arange(6).reshape(2, 3))
        assert store.known()[0].tolist() == [[0, 1, 2], [3, 4, 5]]
    with sqlite3.connect(tmp_path / "kept") as database:
        database.execute("update fits set counts = ?", (b"123",))
    database.close()
    with (
        opened_store(tmp_path / "kept", fingerprint="f", shape=(2, 3)) as store,
        pytest.raises(InputError, match="damaged: begin a new one"),
    ):
        store.known()


def test_a_budget_buys_what_its_time_allows():
    known = Shadows(counts=dict.fromkeys(range(4), np.zeros((1, 1))), seconds_each=0.5)
    assert _affordable(known, left=50.9, at_once=2) == 104  # 4 and 101, made even
    assert _affordable(known, left=1e9, at_once=2) == MAX_FITS
    with pytest.raises(UsageError, match=r"a fit takes 1.0 s, so this budget buys 14 of them, fewer than 40"):
        _affordable(known, left=5.0, at_once=2)
    with pytest.raises(UsageError, match="not one of 2m, 20m, 4h"):
        audited(PRIVATE, budget="1h")


def test_the_fits_of_a_budget_are_announced_and_made(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fits, "MIN_FITS", 4)  # a machine that is busy makes few
    game = Game.of(TRAIN, HOLDOUT, n_rows=120, n_each=1, streams=Streams(1))
    questions = Questions.of(
        (take_rows(game.encoded, game.targets[0]),), game.train, rng=np.random.default_rng(1)
    )
    heard = []
    plan = Plan(
        seconds=7.0,
        n_fits=None,
        workers=1,
        announce=lambda _seconds, n: heard.append(n),
        progress=lambda _stage, _share: None,
    )
    refit = function_box(slow).make(120)
    found = run_fits(refit, game, questions, plan=plan, store=None)
    assert heard == [len(found.counts)]
    assert list(found.counts) == list(range(len(found.counts)))
    assert (
        4 <= len(found.counts) <= 0.8 * 7 / 0.05
    )  # a twentieth of a second each at least, and four fifths of the time


def slow(frame: pl.DataFrame, n_rows: int, _seed: int) -> pl.DataFrame:
    time.sleep(0.05)
    return frame.head(n_rows)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n_fits": 38}, "at least 40, found 38"),
        ({"n_fits": 41}, "must be even"),
        ({"n_fits": 4.0}, "the number of fits must be a whole number"),
        ({"n_rows": -1}, "the number of rows must be a whole number"),
        ({"seed": -1}, "the seed"),
        ({"workers": 0}, "1 worker at least"),
    ],
)
def test_impossible_arguments_are_refused(options: dict, said: str):
    with pytest.raises(UsageError, match=said):
        audited(PRIVATE, **options)


def test_an_error_of_the_engine_comes_out_of_its_process():
    with pytest.raises(DataError, match="contradict"):
        audited(function_box(contradicts), n_fits=40, workers=2)


def contradicts(_frame: pl.DataFrame, _n_rows: int, _seed: int) -> pl.DataFrame:
    raise DataError("cells contradict the schema")


def test_json_goes_there_and_back(private: ShadowResults, tmp_path: Path):
    private.write_json(tmp_path / "shadow.json")
    data = json.loads((tmp_path / "shadow.json").read_text(encoding="utf-8"))
    assert ShadowResults.from_dict(data) == private
    assert data["private_output"] is True
    with pytest.raises(OutputExistsError):
        private.write_json(tmp_path / "shadow.json")
    with pytest.raises(InputError, match="format"):
        ShadowResults.from_dict({**data, "format": "x"})
    with pytest.raises(InputError, match="damaged"):
        ShadowResults.from_dict({**data, "seed": "x"})


def test_the_terminal_says_what_matters(private: ShadowResults, copier: ShadowResults):
    text = " ".join(rendered(private).split())
    assert "At ε = 1, δ = 1e-05 the best of all attackers could reach an AUC of 0.731" in text
    assert "No ledger was charged" in text
    assert "60 fits of 120 rows, half to teach the attack, half to judge it" in text
    assert "of one record, from .5 with 80% probability" in text
    assert rendered(copier).startswith("FAIL: what this engine makes betrays whose rows it was given.")
    for found in (private, copier):
        assert max(len(line) for line in rendered(found).splitlines()) <= 80


def test_no_cell_is_in_any_output(tmp_path: Path):
    canary = 8675309.25
    marked = TRAIN.frame.with_columns(
        x=pl.when(pl.int_range(pl.len()) < 40).then(canary + pl.int_range(pl.len())).otherwise("x"),
        note=pl.lit("zanzibarquokka"),
    )
    schema = replace(
        SCHEMA,
        columns=(*SCHEMA.columns, Column(name="note", kind=Kind.TEXT, dtype="string", format="sentence")),
    )
    holdout = HOLDOUT.frame.with_columns(note=pl.lit("zanzibarquokka"))
    found = shadow_audit(
        Table.conform(marked, schema),
        Table.conform(holdout, schema),
        box=function_box(lambda frame, n, _seed: frame.head(n)),
        n_rows=120,
        n_fits=40,
        n_each=2,
        workers=1,
        resume=tmp_path / "kept",
    )
    kept = (tmp_path / "kept").read_bytes()
    said = (json.dumps(found.to_dict()) + rendered(found)).encode()
    packed = np.array([canary]).tobytes()
    for text in (kept, said):
        assert b"86753" not in text
        assert b"quokka" not in text
        assert packed not in text
    assert "Text and identifiers are not attacked" in found.notes[-1]
