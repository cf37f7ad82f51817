"""What lies in a checkpoint: nothing of a row, whole files, and nothing in them is believed."""

import os
import shutil
import stat
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tabsynth.errors import InputError, PrivacyError, UsageError
from tabsynth.pipeline import fit
from tabsynth.privacy import Budget
from tabsynth.privacy import checkpoint as checkpoints
from tabsynth.privacy.checkpoint import (
    CHECKPOINT,
    LEDGER,
    STATE,
    Checkpoint,
    remove_checkpoint,
    write_durably,
)
from tabsynth.privacy.ledger_file import create_ledger_file, open_ledger_file
from tabsynth.privacy.ledger_lines import Begun
from tabsynth.privacy.mechanisms import DiscreteGaussian
from tabsynth.schema.types import Domain
from tests.privacy.tape import Tape, listening

torch = pytest.importorskip("torch", reason="needs the extra gan")
pytest.importorskip("opacus", reason="needs the extra gan")

from tests.privacy.test_checkpoint import HOW, StopError, counted, interrupted, resumed, stop_at  # noqa: E402
from tests.privacy.test_dp_ctgan import BUDGET, OTHERS, QUICK, SCHEMA, rows, scripted_gradients  # noqa: E402


def kept_of(folder, table, tape):
    """Every file of a checkpoint of a fit that was stopped in the middle, but for what chance alone names."""
    with listening(tape), scripted_gradients():
        interrupted(folder, table=table)
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.name not in (CHECKPOINT, LEDGER)  # a token, a series, an inode
    }


@pytest.mark.parametrize("other", OTHERS, ids=["fewer", "none", "constant"])
def test_what_is_kept_is_a_function_of_what_was_released(tmp_path, other):
    """Tables that share nothing, told the same, leave the same bytes."""
    tape = Tape()
    one = kept_of(tmp_path / "one", rows(), tape)
    two = kept_of(tmp_path / "two", other, Tape(source=tape))
    assert STATE in one
    assert len(one) > 3
    assert one == two


def test_a_row_in_what_is_kept_would_be_seen(tmp_path, monkeypatch):
    real = checkpoints.Checkpoint.keep_state
    monkeypatch.setattr(
        checkpoints.Checkpoint,
        "keep_state",
        lambda self, arrays, **numbers: real(self, {**arrays, "n": np.float32(LAST[0])}, **numbers),
    )
    tape, found = Tape(), []
    for name, table in (("one", rows()), ("two", OTHERS[0])):
        LAST[0] = table.n_rows
        found.append(kept_of(tmp_path / name, table, tape if not found else Tape(source=tape)))
    assert found[0] != found[1]


LAST = [0]


def test_no_generator_of_noise_or_samples_is_kept(tmp_path):
    interrupted(tmp_path / "c")
    parts = {name.partition(".")[0] for name in load_file(tmp_path / "c" / STATE)}
    assert parts == {"generator", "average", "critic", "to_generator", "to_critic", "number", "sha256"}


def test_marginals_are_learnt_on_bit_for_bit(tmp_path):
    """What takes no row and no noise is the same as if nobody had interrupted it."""
    recipe, tape = replace(QUICK, marginal_steps=300, critic_share=0.0), Tape()
    with listening(tape):
        whole = fit(rows().frame, **{**HOW, "engine": recipe})
    with listening(Tape(source=tape)):
        interrupted(tmp_path / "c", engine=recipe, stage="marginals", at=4)
        assert load_file(tmp_path / "c" / STATE)["number.learnt"] == 150
        model = resumed(tmp_path / "c", engine=recipe)
    one, two = whole.model.arrays(), model.model.arrays()
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)


def test_a_fit_of_drafts_is_told_again_what_it_bought(tmp_path):
    """Categories and bounds that were bought are the same, and bought once."""
    drafts = replace(SCHEMA, columns=tuple(replace(column, domain=Domain()) for column in SCHEMA.columns))
    how = {"schema": drafts}
    interrupted(tmp_path / "c", **how)
    answers = sorted(tmp_path.glob("c/answer-*"))
    model = resumed(tmp_path / "c", **how)
    assert sorted(tmp_path.glob("c/answer-*")) == answers
    assert model.sample(30, seed=1)["a"].is_in(["p", "q", "r"]).all()


# Damage


def altered(path, change, *, is_signed):
    """A file of other arrays, with their own hash where `is_signed`."""
    arrays = load_file(path)
    change(arrays)
    if is_signed:
        arrays.pop("sha256", None)
        arrays |= {"sha256": np.frombuffer(checkpoints._digest(arrays), dtype=np.uint8)}
    save_file(arrays, path)


NETWORKS = (
    lambda arrays: arrays.pop("critic.layers.0.bias"),
    lambda arrays: arrays.update(more=np.zeros(3, np.float32)),
    lambda arrays: arrays.update({"average.out.bias": np.full_like(arrays["average.out.bias"], np.nan)}),
    lambda arrays: arrays.update({"average.out.bias": arrays["average.out.bias"][:-1].copy()}),
    lambda arrays: arrays.update({"average.out.bias": arrays["average.out.bias"].astype(np.float64)}),
    lambda arrays: arrays.update({"number.learnt": np.array(13)}),
    lambda arrays: arrays.update({"number.taken": np.array(-1)}),
    lambda arrays: arrays.pop("number.done"),
)
ANSWER = (
    lambda arrays: arrays.pop("variances"),
    lambda arrays: arrays.pop("values.0"),
    lambda arrays: arrays.update({"values.0": arrays["values.0"].reshape(1, -1)}),
    lambda arrays: arrays.update({"values.0": np.full_like(arrays["values.0"], np.inf)}),
    lambda arrays: arrays.update(more=np.zeros(1)),
)
FLIPPED = (
    lambda arrays: arrays.update({"values.0": np.array(arrays["values.0"] + 1)}),
    lambda arrays: arrays.update({"values.0": arrays["values.0"].reshape(1, -1)}),
    lambda arrays: arrays.update(variances=arrays["variances"].astype(np.float32)),
    lambda arrays: arrays.pop("sha256"),
)
FLIPPED_NETWORKS = (lambda arrays: arrays.update({"generator.out.bias": arrays["generator.out.bias"] + 1}),)


def test_what_is_damaged_is_refused_and_what_is_mended_goes_on(tmp_path):
    """Nothing in the folder is believed: files cut short, and networks or answers that are not those of the fit."""
    interrupted(tmp_path / "c")
    files = {name: tmp_path / "c" / name for name in (STATE, "answer-0001.safetensors", CHECKPOINT)}
    kept = {name: path.read_bytes() for name, path in files.items()}
    with counted() as steps:
        for name, path in files.items():
            for content in (b"", b"{}", bytes(40)):
                path.write_bytes(content)
                with pytest.raises(InputError, match=r"damaged.*cannot be continued"):
                    resumed(tmp_path / "c")
            path.write_bytes(kept[name])
        for name, changes, is_signed, words in (
            (STATE, NETWORKS, True, r"state\.safetensors is damaged"),
            (STATE, FLIPPED_NETWORKS, False, r"state\.safetensors is missing or damaged"),
            ("answer-0001.safetensors", ANSWER, True, r"answer 1 .*is damaged"),
            ("answer-0001.safetensors", FLIPPED, False, r"answer-0001\.safetensors is missing or damaged"),
        ):
            for change in changes:
                altered(files[name], change, is_signed=is_signed)
                with pytest.raises(InputError, match=words):
                    resumed(tmp_path / "c")
                files[name].write_bytes(kept[name])
        assert steps == []
        resumed(tmp_path / "c")
    assert steps == [4, 5, 6]


def test_every_changed_byte_and_every_cut_is_noticed(tmp_path):
    """A hash is checked before anything is made of what a file says. Levels of texts, so that bytes of these are among them."""
    drafts = replace(SCHEMA, columns=tuple(replace(column, domain=Domain()) for column in SCHEMA.columns))
    interrupted(tmp_path / "c", schema=drafts)
    rng, n_tried = np.random.default_rng(0), 0
    kept = Checkpoint(folder=tmp_path / "c", ledger=None)
    is_of_levels = [
        "lengths" in kept.answer(at) for at in range(1, len(list(tmp_path.glob("c/answer-*"))) + 1)
    ]
    first = is_of_levels.index(True) + 1
    for name, read in (
        (f"answer-{first:04}.safetensors", lambda: kept.answer(first)),
        (STATE, kept.state),
    ):
        path = tmp_path / "c" / name
        content = path.read_bytes()
        at = [*range(min(len(content), 300)), *rng.integers(0, len(content), 200).tolist()]
        for position in at:
            changed = bytearray(content)
            changed[position] ^= 1 << int(rng.integers(8))
            for damaged in (bytes(changed), content[:position]):
                path.write_bytes(damaged)
                with pytest.raises(
                    InputError, match=rf"{name} is missing or damaged: the fit cannot be continued"
                ):
                    read()
                n_tried += 1
        path.write_bytes(content)
        read()
    assert n_tried > 1000


def test_an_unknown_format_is_refused(tmp_path):
    interrupted(tmp_path / "c")
    path = tmp_path / "c" / CHECKPOINT
    for one, other in (
        ("checkpoint/1", "checkpoint/2"),
        ('"of": {', '"of": 1, "no": {'),
        ('"series": "', '"series": 1, "x": "'),
    ):
        text = path.read_text()
        path.write_text(text.replace(one, other))
        with pytest.raises(InputError, match="no checkpoint of this release"):
            resumed(tmp_path / "c")
        path.write_text(text)


def test_an_answer_to_another_question_is_refused(tmp_path):
    interrupted(tmp_path / "c")
    one, two = (tmp_path / "c" / f"answer-000{k}.safetensors" for k in (1, 2))
    shutil.copy(one, two)
    with pytest.raises(InputError, match=r"answer 2 .*of another question"):
        resumed(tmp_path / "c")


def test_an_answer_that_was_charged_and_is_lost_ends_it(tmp_path):
    """To draw it again would cost again: who wants that begins anew."""
    interrupted(tmp_path / "c")
    last = max((tmp_path / "c").glob("answer-*"))
    last.unlink()
    with pytest.raises(PrivacyError, match=r"1 of .* were charged and are not there"):
        resumed(tmp_path / "c")


def test_networks_ahead_of_the_ledger_are_refused(tmp_path):
    """A ledger that was set back: what it lacks was drawn."""
    interrupted(tmp_path / "c", at=2)
    early = (tmp_path / "c" / LEDGER).read_bytes()
    with pytest.raises(StopError):
        resumed(tmp_path / "c", progress=stop_at(3))
    with (tmp_path / "c" / LEDGER).open("r+b") as file:  # in place: it stays the same file on the disk
        file.truncate()
        file.write(early)
    with pytest.raises(PrivacyError, match="seen more steps than the ledger holds"):
        resumed(tmp_path / "c")


def test_a_disk_that_is_full_ends_the_fit(tmp_path, monkeypatch):
    interrupted(tmp_path / "c")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(PrivacyError, match="the ledger cannot be written"):
            resumed(tmp_path / "c")
        with pytest.raises(UsageError, match="checkpoint cannot be written"):
            write_durably(tmp_path / "file", b"x")
    assert not list(tmp_path.glob("**/.tabsynth.*"))
    with counted() as steps:
        resumed(tmp_path / "c")
    assert steps == [4, 5, 6]


def test_steps_that_were_begun_are_not_taken_back(tmp_path):
    """A ledger whose lines say less than lines before them was altered."""
    interrupted(tmp_path / "c")
    with opened_own(tmp_path / "c" / LEDGER) as ledger:
        (token,) = ledger._trainings
        for steps in (1, 3):  # 3 are begun
            with pytest.raises(PrivacyError, match="3 steps of the training were begun already"):
                ledger.begin_steps(token, steps)
        ledger._mark(token, Begun(ledger._trainings[token].fit, 1))
    with pytest.raises(PrivacyError, match="altered or damaged"):
        resumed(tmp_path / "c")


def opened_own(path):
    return open_ledger_file(path, source=checkpoints.SOURCE)


def test_a_ledger_that_others_are_charged_to_is_not_deleted(tmp_path):
    interrupted(tmp_path / "c")
    with opened_own(tmp_path / "c" / LEDGER) as ledger:
        ledger.charge("s", ["a"], DiscreteGaussian(scale=1e6))
    remove_checkpoint(tmp_path / "c")
    assert [path.name for path in (tmp_path / "c").iterdir()] == [LEDGER]


def test_a_ledger_left_by_a_fit_of_another_budget_is_refused(tmp_path):
    """Its cap would stand in the model: the fit was ended before it had a checkpoint."""
    (tmp_path / "c").mkdir()
    create_ledger_file(tmp_path / "c" / LEDGER, source=checkpoints.SOURCE, cap=Budget(epsilon=9.0))
    with pytest.raises(UsageError, match="left by a fit of another budget"):
        resumed(tmp_path / "c")
    (tmp_path / "c" / LEDGER).unlink()
    create_ledger_file(tmp_path / "c" / LEDGER, source=checkpoints.SOURCE, cap=BUDGET)
    assert resumed(tmp_path / "c").ledger.cap == BUDGET


def test_files_are_their_owners_alone_and_removed_together(tmp_path):
    interrupted(tmp_path / "c")
    left = tmp_path / "c" / ".tabsynth.0123456789abcdef.tmp"
    left.touch()
    for path in (tmp_path / "c", *(tmp_path / "c").iterdir()):
        assert path == left or stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    resumed(tmp_path / "c")
    assert not left.exists()
    (tmp_path / "c" / "mine.txt").touch()
    (tmp_path / "c" / LEDGER).rename(tmp_path / "own")
    create_ledger_file(tmp_path / "c" / LEDGER, source="s", cap=BUDGET)  # put there by somebody
    remove_checkpoint(tmp_path / "c")
    assert {path.name for path in (tmp_path / "c").iterdir()} == {"mine.txt", LEDGER}
    (tmp_path / "c" / LEDGER).unlink()
    interrupted(tmp_path / "d")
    for path in (tmp_path / "d").iterdir():
        path.rename(tmp_path / "c" / path.name)
    remove_checkpoint(tmp_path / "c")
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["mine.txt"]
    remove_checkpoint(tmp_path / "c")
    assert (tmp_path / "c" / "mine.txt").exists()
