"""Whole audits of small tables: planted leaks, unrelated rows, refusals, and what is printed."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from rich.console import Console

import tabsynth
from tabsynth.audit import AuditResults, audit
from tabsynth.audit.bound import bound_of
from tabsynth.audit.terminal import render_audit
from tabsynth.audit.verdict import Outcome
from tabsynth.errors import DataError, InputError, OutputExistsError, StructureError, UsageError
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.table import Table
from tests.unit.audit.tables import PERSONS, SCHEMA, drawn, joined, persons
from tests.unit.metrics.tables import category, integer, number, schema_of


def audited(synthetic: Table, seed: int = 0, **options) -> AuditResults:
    return audit(synthetic, drawn(400, 1), drawn(600, 2), schema=SCHEMA, seed=seed, **options)


@pytest.fixture(scope="module")
def null() -> AuditResults:
    return audited(drawn(400, 3), bound=bound_of(1, 1e-5))


@pytest.fixture(scope="module")
def copier() -> AuditResults:
    return audited(joined(drawn(400, 1).frame[:80], drawn(320, 4).frame))


def rendered(results: AuditResults, width: int = 80) -> str:
    out = io.StringIO()
    render_audit(results, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def test_a_copy_of_a_fifth_fails(copier: AuditResults):
    # 53 copies expected among 267 evaluated members: fewer than the dozen that are flagged, p < 1e-9; the
    # null is flagged, which would make it inconclusive, with at most .05; the seeds are fixed
    assert copier.outcome is Outcome.FAIL
    assert copier.release.flagged
    assert copier.release.p_value < 1e-4


def test_columns_of_train_each_in_another_order_fail():
    # no row is copied, and every number of a member stands in the release: certain but for the null (.05)
    rng = np.random.default_rng(6)
    train = drawn(400, 1).frame
    shuffled = train.select(pl.col(name).gather(rng.permutation(400)) for name in train.columns)
    found = audited(joined(shuffled))
    assert found.outcome is Outcome.FAIL
    told = {figures.attack: figures.auc for figures in found.release.attacks}
    assert min(told["numbers"], told["close_numbers"]) > 0.99
    assert told["match"] < 0.6


def test_unrelated_rows_do_not_fail_and_what_was_not_seen_is_named(null: AuditResults):
    # flagged with a probability of at most .05; the seeds are fixed
    assert null.outcome is Outcome.INCONCLUSIVE
    assert not null.release.flagged
    assert "copy of 1% of train" in null.verdict.unseen
    assert any("copy of 1% of train" in reason for reason in null.verdict.reasons)


def test_calibration_covers_the_four_leaks_and_the_null(null: AuditResults):
    assert [known.name for known in null.calibration] == ["unrelated", "copy_20", "copy_5", "copy_1", "smote"]
    assert [known.is_leak for known in null.calibration] == [False, True, True, True, True]
    flagged = {known.name: known.battery.flagged for known in null.calibration}
    assert flagged["copy_20"]
    assert not flagged["unrelated"]


def test_a_holdout_of_other_people_is_inconclusive():
    other = drawn(600, 2).frame.with_columns(pl.col("x") + 5)
    found = audit(drawn(400, 1), drawn(400, 1), joined(other), schema=SCHEMA)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "split at random" in found.verdict.reasons[0]


def test_copies_of_the_whole_table_or_of_the_holdout_do_not_pass():
    # not flagged, as nothing tells members from others, with a probability of .95; the seeds are fixed
    train, holdout = drawn(400, 11), drawn(600, 12)
    both = joined(train.frame, holdout.frame)
    for release in (both, holdout):
        found = audit(release, train, holdout, schema=SCHEMA)
        assert found.outcome is Outcome.INCONCLUSIVE
        assert found.holdout.was_used
        assert found.holdout.released.value == 1.0
        assert "was the holdout used" in " ".join(found.verdict.reasons)


def test_swapped_files_score_the_wrong_way_round(null: AuditResults):
    found = audited(drawn(600, 2))
    assert found.release.max_auc < 0.5
    assert found.release.reversed_p < 1e-6
    assert null.release.reversed_p > 0.001  # missed with a probability of .001; the seeds are fixed


def test_power_is_between_what_was_seen_and_what_was_not(null: AuditResults):
    assert 0.01 < null.detectable_share < 0.2


def test_the_same_seed_finds_the_same(null: AuditResults):
    again = audited(drawn(400, 3), bound=bound_of(1, 1e-5))
    assert replace(again, seconds={}) == replace(null, seconds={})


def test_progress_rises_to_one():
    heard = []
    audited(drawn(400, 3), progress=lambda _stage, share: heard.append(share))
    assert heard == sorted(heard)
    assert (heard[0], heard[-1], len(heard)) == (0.0, 1.0, 8)


def test_json_goes_there_and_back(null: AuditResults, tmp_path):
    null.write_json(tmp_path / "audit.json")
    data = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert AuditResults.from_dict(data) == null
    assert data["private_output"] is True
    with pytest.raises(OutputExistsError):
        null.write_json(tmp_path / "audit.json")
    with pytest.raises(InputError, match="format"):
        AuditResults.from_dict({**data, "format": "x"})
    with pytest.raises(InputError, match="damaged"):
        AuditResults.from_dict({**data, "seed": "x"})


def test_a_conclusion_that_its_figures_do_not_bear_is_refused(copier: AuditResults):
    """A file edited by hand: the outcome alone, the flag alone, both, or a battery without attacks."""
    assert copier.outcome is Outcome.FAIL
    data = json.loads(json.dumps(copier.to_dict()))
    quiet = {**data["release"], "flagged": False, "p_value": 1.0, "risk_upper": 0.01}
    for edits, part in (
        ({"verdict": {**data["verdict"], "outcome": "pass"}}, "verdict"),
        ({"verdict": {**data["verdict"], "reasons": ["all is well"]}}, "verdict"),
        ({"release": quiet}, "release"),
        ({"release": quiet, "verdict": {"outcome": "pass", "reasons": [], "unseen": []}}, "release"),
        ({"release": {**data["release"], "attacks": []}}, "release"),
        (
            {"calibration": [{**each, "battery": quiet} for each in data["calibration"]]},
            r"calibration\.copy_1",
        ),
    ):
        with pytest.raises(InputError, match="changed after the audit") as caught:
            AuditResults.from_dict({**data, **edits})
        assert re.search(part, str(caught.value))


def test_the_terminal_says_what_matters(null: AuditResults, copier: AuditResults):
    text = " ".join(rendered(null).split())
    assert text.startswith("INCONCLUSIVE: neither a leak nor its absence is shown. could not have seen: ")
    assert "an AUC of 0.731, and 2.7% of members" in text
    assert "Private output" in text
    assert "copies of fewer people, however exposed, can pass unseen" in text
    assert rendered(copier).startswith("FAIL: the synthetic table betrays who is in train.")
    assert max(len(line) for line in rendered(null).splitlines()) <= 80


def test_no_cell_is_in_any_output():
    canary = 8675309.25
    train = drawn(400, 1).frame.with_columns(
        x=pl.when(pl.int_range(pl.len()) == 7).then(canary).otherwise("x")
    )
    found = audit(joined(train), joined(train), drawn(600, 2), schema=SCHEMA)
    assert "8675309" not in json.dumps(found.to_dict()) + rendered(found)


def test_too_few_rows_are_refused_with_all_counts():
    with pytest.raises(DataError) as caught:
        audit(drawn(199, 1), drawn(150, 1), drawn(10, 2), schema=SCHEMA)
    assert [fault.what for fault in caught.value.faults] == [
        "199 rows, needs 200",
        "150 rows, needs 200",
        "10 rows, needs 200",
    ]


def test_persons_are_counted_and_must_not_be_on_both_sides():
    many = persons(np.arange(300), 1)
    few = persons(np.repeat(np.arange(250, 400), 4), 2)
    with pytest.raises(DataError) as caught:
        audit(many, many, few, schema=PERSONS)
    assert [fault.what for fault in caught.value.faults] == [
        "150 persons, needs 200",
        "50 persons are in both",
    ]


def test_persons_are_attacked_by_one_row_each():
    train, holdout = persons(np.repeat(np.arange(250), 2), 1), persons(np.repeat(np.arange(300, 600), 3), 2)
    found = audit(persons(np.arange(500), 3), train, holdout, schema=PERSONS)
    assert (found.counts.members, found.counts.non_members, found.counts.reference) == (250, 100, 300)
    assert "person (column p" in found.unit
    assert any("One row of each person" in note for note in found.notes)


def test_arguments_are_checked():
    with pytest.raises(UsageError, match="2m, 20m, 4h"):
        audited(drawn(400, 3), budget="1m")
    with pytest.raises(UsageError, match="seed"):
        audited(drawn(400, 3), seed=-1)


def test_tables_without_modelled_columns_are_refused():
    schema = TableSchema(
        name="t", columns=(Column(name="s", kind=Kind.TEXT, dtype="string", format="sentence"),)
    )
    table = Table.conform(pl.DataFrame({"s": ["a"] * 200}), schema)
    with pytest.raises(UsageError, match="no column that is modelled"):
        audit(table, table, table, schema=schema)


def test_a_table_of_another_structure_is_refused():
    other = Table.conform(drawn(300, 1).frame.select("x"), TableSchema(name="o", columns=SCHEMA.columns[:1]))
    with pytest.raises(StructureError, match="structure"):
        audited(other)


def test_unread_columns_are_named_and_large_releases_are_cut(monkeypatch: pytest.MonkeyPatch):
    from tabsynth.audit import run
    from tabsynth.audit.sizes import Sizes

    small = Sizes(candidates=200, release=250, reference=150, asked=200)
    monkeypatch.setattr(run, "sizes_of", lambda _budget: small)
    schema = replace(
        SCHEMA,
        columns=(*SCHEMA.columns, Column(name="note", kind=Kind.TEXT, dtype="string", format="sentence")),
    )
    tables = [
        Table.conform(drawn(n, n).frame.with_columns(note=pl.lit("zanzibarquokka")), schema)
        for n in (300, 400, 600)
    ]
    found = audit(*tables, schema=schema)
    assert (found.counts.release, found.counts.members, found.counts.reference) == (250, 200, 150)
    assert "250 of 300" in found.notes[0]
    assert found.notes[1].endswith("note.")
    assert "zanzibarquokka" not in json.dumps(found.to_dict())


def test_copies_are_sought_in_all_of_a_release_that_is_cut(monkeypatch: pytest.MonkeyPatch):
    from tabsynth.audit import run
    from tabsynth.audit.sizes import Sizes

    # 200 rows are drawn of 4,400: some 18 of the 400 copies, of which 12 are of evaluated members
    monkeypatch.setattr(
        run, "sizes_of", lambda _budget: Sizes(candidates=400, release=200, reference=200, asked=400)
    )
    found = audited(joined(drawn(400, 1).frame, drawn(4_000, 4).frame))
    match = next(figures for figures in found.release.attacks if figures.attack == "match")
    assert found.counts.release == 200
    assert match.at("best").attack.value == 1.0
    assert found.outcome is Outcome.FAIL  # but for the null (.05); the seeds are fixed


def hard(n: int, seed: int) -> pl.DataFrame:
    """Nulls, the largest numbers, a constant, and a level that no schema knows."""
    rng = np.random.default_rng(seed)
    whole = pl.Series("big", rng.integers(-(2**63), 2**63 - 1, n, endpoint=True))
    real = pl.Series(
        "f", np.where(rng.random(n) < 0.7, rng.choice([1.7e308, -1.7e308, 1e-300], n), rng.normal(size=n))
    )
    level = pl.Series("c", rng.choice(["a", "b", "z"], n))
    kept = pl.Series(rng.random(n) < 0.9)
    frame = pl.DataFrame({"big": whole, "f": real, "one": [1] * n, "c": level})
    return frame.with_columns(pl.when(kept).then(pl.col("big", "f")))


@pytest.mark.parametrize("names", [("big", "f", "one", "c"), ("c",), ("one",)])
def test_hard_columns_end_in_a_verdict(names: tuple[str, ...]):
    columns = (
        integer("big", nullable=True),
        number("f", nullable=True),
        integer("one"),
        category("c", "ab", nullable=True),
    )
    schema = schema_of(*(column for column in columns if column.name in names))
    tables = [Table.conform(hard(n, n), schema) for n in (300, 400, 600)]
    found = audit(*tables, schema=schema)
    assert found.outcome is Outcome.INCONCLUSIVE  # not flagged with a probability of .95; the seeds are fixed
    assert not found.release.flagged
    json.dumps(found.to_dict(), allow_nan=False)
    if "big" in names:
        copies = audit(tables[1], *tables[1:], schema=schema)
        assert copies.outcome is Outcome.FAIL


def test_the_public_call_takes_frames():
    frames = [drawn(n, seed).frame for n, seed in ((300, 3), (400, 1), (600, 2))]
    found = tabsynth.audit(*frames, schema=SCHEMA, epsilon=3)
    assert round(found.bound.auc, 3) == 0.953
    assert isinstance(found, tabsynth.AuditResults)
