"""Where a private training keeps how far it is, so that it can be continued after a crash, and spends nothing twice.

    checkpoint.json           which fit it is of: all of it public, or stated by whoever fits
    ledger.jsonl              its charges and the steps that were begun, where no other ledger keeps them
    answer-0001.safetensors   released counts, in the order in which they were asked for
    state.safetensors         networks and optimisers, and the step that they are at

The ledger says what is spent: charges are on disk before their noise is drawn, and steps are marked there as begun
before they are taken. Networks are kept after steps. So a crash loses steps and never gains any: a step
that was begun and not kept counts as taken, and a folder that is set back finds in the ledger that its
steps are gone. Noise and samples are drawn afresh by each process, and no state of their generators is kept: noise
that could be drawn again would give rows away if it met other rows.

Nothing that is compared comes from the table, since a refusal of other rows would say something of these. That the table
is the same is the word of whoever continues. What is kept was released and charged, or is public; the
folder is nevertheless private, for it is written to be continued and not to be handed on.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.errors import InputError, PrivacyError, UsageError
from tabsynth.privacy.budget import Budget
from tabsynth.privacy.ledger_disk import lock
from tabsynth.privacy.ledger_file import (
    LedgerFile,
    create_ledger_file,
    open_ledger_file,
    read_ledger_file,
)
from tabsynth.privacy.mechanisms import SampledGaussian
from tabsynth.privacy.training_ledger import TrainingLedger

CHECKPOINT, LEDGER, STATE = "checkpoint.json", "ledger.jsonl", "state.safetensors"
FORMAT = "tabsynth-checkpoint/1"
SOURCE = "a fit with a checkpoint"
_NOTE = "Private. Whoever continues this fit says that the table is the one it began with."
_DIGEST = "sha256"
_PORTIONS = 100  # in which a training is marked and kept: a crash costs a hundredth of the steps at most

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(kw_only=True)
class Checkpoint:
    """One fit that can be continued; made by `opened_checkpoint`.

    `begun`: steps that are spent, whether this process takes them or an earlier one did.
    """

    folder: Path
    ledger: TrainingLedger
    begun: int = 0
    n_answers: int = 0
    is_continued: bool = False
    _count: int = field(default=0, repr=False)

    def plan_steps(self, count: int) -> None:
        """How many steps were charged, which decides in what portions they are marked."""
        self._count = count

    def before_step(self, number: int) -> None:
        """Have step `number`, from 1, marked as spent, on disk; only then may a row be sampled for it."""
        if number <= self.begun:
            return
        portion = max(self._count // _PORTIONS, 1)
        begun = min(number - 1 + portion, max(self._count, number))
        self.ledger.begin_steps(begun)
        self.begun = begun

    def keep_state(self, arrays: Arrays, **numbers: int) -> None:
        """Put the networks and `numbers` in the place of those kept before, whole or not at all."""
        self._write(STATE, {**arrays, **{f"number.{name}": np.array(n) for name, n in numbers.items()}})

    def state(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, int]] | None:
        """What `keep_state` was given last, None where it was never; raises `InputError` where it is damaged."""
        if not (self.folder / STATE).exists():
            return None
        arrays = self._read(STATE)
        names = [name for name in arrays if name.startswith("number.")]
        kept = {name.removeprefix("number."): arrays.pop(name) for name in names}
        if any(array.shape != () or array.dtype != np.int64 or array < 0 for array in kept.values()):
            raise InputError(f"{self.folder / STATE} is damaged: the fit cannot be continued")
        return arrays, {name: int(array) for name, array in kept.items()}

    def answer(self, number: int) -> dict[str, npt.NDArray[Any]]:
        """Answer `number`, from 1, of those kept; raises `InputError` where it is damaged."""
        return self._read(_answer(number))

    def keep_answer(self, arrays: Arrays) -> None:
        """Add an answer that was just drawn, and charged before."""
        self._write(_answer(self.n_answers + 1), arrays)
        self.n_answers += 1

    def is_charged(self, statistic: str) -> bool:
        """Whether a charge of the statistic is among this fit's already."""
        return any(charge.statistic == statistic for charge in self.ledger.charges)

    def _write(self, name: str, arrays: Arrays) -> None:
        from safetensors.numpy import save

        arrays = {key: np.asarray(array, order="C") for key, array in arrays.items()}
        arrays[_DIGEST] = np.frombuffer(_digest(arrays), dtype=np.uint8)
        write_durably(self.folder / name, save(arrays))

    def _read(self, name: str) -> dict[str, npt.NDArray[Any]]:
        from safetensors import SafetensorError
        from safetensors.numpy import load

        path = self.folder / name
        damaged = InputError(f"{path} is missing or damaged: the fit cannot be continued")
        try:
            arrays = load(path.read_bytes())
        except (SafetensorError, OSError, KeyError, ValueError, OverflowError):
            raise damaged from None
        told = arrays.pop(_DIGEST, None)
        if told is None or told.tobytes() != _digest(arrays):
            raise damaged
        return arrays


def holds_checkpoint(folder: Path) -> bool:
    """Whether there is a fit to continue in the folder."""
    return (folder / CHECKPOINT).is_file()


@contextmanager
def opened_ledger_of(folder: Path, budget: Budget) -> Iterator[LedgerFile]:
    """The folder's own ledger, locked until the end, for a fit that is charged to no other; made where there is none.

    Raises `UsageError` where the folder holds other things, and `PrivacyError` where the ledger is in use or a copy.
    """
    _make_folder(folder)
    if not (folder / LEDGER).exists():
        if holds_checkpoint(folder):
            raise UsageError(
                f"the fit in {folder} is charged to a ledger of yours: name it (--ledger) to continue"
            )
        create_ledger_file(folder / LEDGER, source=SOURCE, cap=budget)
    with open_ledger_file(folder / LEDGER, source=SOURCE) as ledger:
        if ledger.cap != budget and not holds_checkpoint(folder):
            raise UsageError(
                f"{folder / LEDGER} was left by a fit of another budget: name a new or an empty folder"
            )
        yield ledger


@contextmanager
def opened_checkpoint(folder: Path, *, of: Mapping[str, Any], ledger: LedgerFile) -> Iterator[Checkpoint]:
    """The fit that the folder holds, to be continued, or a new one in a new or empty folder; charges go to `ledger`.

    `of` says of which fit it is: plain data by name, none of it from the table. Raises `UsageError` naming what
    differs from the fit in the folder, or where it holds other things; `PrivacyError` where that fit is charged to
    another ledger, its counts were lost or it is running; `InputError` where it is damaged.
    """
    _make_folder(folder)
    with _locked(folder):
        checkpoint = _opened(folder, of=of, ledger=ledger)
        try:
            yield checkpoint
        finally:
            checkpoint.ledger.close()


def _opened(folder: Path, *, of: Mapping[str, Any], ledger: LedgerFile) -> Checkpoint:
    if ledger.path.parent == folder.resolve() and ledger.source != SOURCE:
        raise UsageError(
            f"keep your ledger outside {folder}: what lies in a checkpoint's folder is deleted with it"
        )
    for left in folder.glob(".tabsynth.*.tmp"):  # of a process that was killed while it wrote
        left.unlink(missing_ok=True)
    if holds_checkpoint(folder):
        return _continued(folder, of=of, ledger=ledger)
    return _begun(folder, of=of, ledger=ledger)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder: what is begun or continued there is nobody else's, in this process or another."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        lock(descriptor, folder, what="checkpoint")
        yield
    finally:
        os.close(descriptor)


def remove_checkpoint(folder: Path) -> None:
    """Delete a checkpoint's files, and the folder where it holds nothing else."""
    if not holds_checkpoint(folder):
        return
    for path in sorted(folder.iterdir()):
        if is_of_checkpoint(path) and path.name != CHECKPOINT:
            path.unlink(missing_ok=True)
    (folder / CHECKPOINT).unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def is_of_checkpoint(path: Path) -> bool:
    """Whether a file beside a `checkpoint.json` belongs to it: never a ledger that others are, or may be, charged to."""
    if path.name == LEDGER:
        with suppress(PrivacyError, UsageError, InputError):
            record = read_ledger_file(path)
            own = record.trainings.get(_read_json(path.with_name(CHECKPOINT))["training"])
            return record.source == SOURCE and all(own and own.fit == fit for fit, _ in record.charges)
        return False
    is_answer = path.name.startswith("answer-") and path.suffix == ".safetensors"
    return is_answer or path.name in (CHECKPOINT, STATE)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, for its owner alone; it is on disk when this returns."""
    temporary = path.with_name(f".tabsynth.{secrets.token_hex(8)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as fault:
        raise UsageError(f"{path}: the checkpoint cannot be written ({fault.strerror})") from None
    finally:
        temporary.unlink(missing_ok=True)


def _answer(number: int) -> str:
    return f"answer-{number:04}.safetensors"


def _digest(arrays: Arrays) -> bytes:
    """A hash of arrays with their names, types and shapes: damage is noticed before anything is made of them."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(json.dumps([name, arrays[name].dtype.str, arrays[name].shape]).encode())
        found.update(arrays[name].tobytes())
    return found.digest()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        names = {path.name for path in folder.iterdir()}
    except OSError as fault:
        raise UsageError(f"{folder}: no checkpoint can be kept there ({fault.strerror})") from None
    if not holds_checkpoint(folder) and any(
        name != LEDGER and not name.startswith(".tabsynth.") for name in names
    ):
        raise UsageError(f"{folder} holds other things and no checkpoint: name a new or an empty folder")


def _begun(folder: Path, *, of: Mapping[str, Any], ledger: LedgerFile) -> Checkpoint:
    """A fit of its own in the ledger, then in the folder: in between nothing is charged."""
    token = secrets.token_hex(16)
    of_fit = ledger.begin_training(token)
    content = {"format": FORMAT, "note": _NOTE, "training": token, "series": ledger.series, "of": dict(of)}
    write_durably(folder / CHECKPOINT, json.dumps(content, indent=1, allow_nan=False).encode() + b"\n")
    return Checkpoint(folder=folder, ledger=of_fit)


def _continued(folder: Path, *, of: Mapping[str, Any], ledger: LedgerFile) -> Checkpoint:
    kept = _read_json(folder / CHECKPOINT)
    differing = [
        name for name in {**kept["of"], **of} if kept["of"].get(name) != json.loads(json.dumps(of.get(name)))
    ]
    if differing:
        raise UsageError(
            f"the checkpoint in {folder} is of another fit: {', '.join(differing)} "
            f"{'differs' if len(differing) == 1 else 'differ'}. Fit as it was begun, or name another folder"
        )
    if kept["series"] != ledger.series:
        raise PrivacyError(
            f"the fit in {folder} is charged to another ledger: name that one to continue; nothing was read"
        )
    of_fit = ledger.continue_training(kept["training"])
    n_answers = sum(1 for path in folder.glob("answer-*.safetensors"))
    n_drawn = sum(not isinstance(charge.mechanism, SampledGaussian) for charge in of_fit.charges)
    if n_answers != n_drawn:
        of_fit.close()
        raise PrivacyError(
            f"the fit in {folder} was interrupted while counts were drawn: {abs(n_drawn - n_answers)} of "
            f"{max(n_drawn, n_answers)} were charged and are not there, so it cannot be continued. They stay charged: "
            "begin anew in another folder"
        )
    return Checkpoint(
        folder=folder,
        ledger=of_fit,
        begun=of_fit.begun,
        n_answers=n_answers,
        is_continued=True,
    )


def _read_json(path: Path) -> dict[str, Any]:
    damaged = InputError(f"{path} is damaged, or no checkpoint of this release: the fit cannot be continued")
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        raise damaged from None
    if not isinstance(found, dict) or found.keys() != {"format", "note", "training", "series", "of"}:
        raise damaged
    texts = (found["format"], found["training"], found["series"])
    if not all(isinstance(text, str) for text in texts) or not isinstance(found["of"], dict):
        raise damaged
    if found["format"] != FORMAT:
        raise damaged
    return found
