"""A ledger kept in a file, for one source and one series of releases, over any number of fits.

The file is locked from opening to closing by the operating system, which lets go of it when a process dies.
Lines are only ever appended (`tabsynth.privacy.ledger_lines`), and a charge is on disk before `charge`
returns.

What is noticed, and refused: a changed byte, a line that is gone from the middle or the end, another
source, a file in use, one replaced or written to under a running fit, and a copy: it has another number on the
disk, or was made at another time, where the file system tells that (`Place`). One that was moved there on purpose is
opened as `moved`, which is recorded. A kill leaves every
charge that was written, whether its noise was drawn or not. A last line that a power cut left incomplete
was not acknowledged, so nothing was released on it: a note of it takes its place.

What is not noticed: a file set back to an earlier state in place, a disk or machine set back as a whole, a
copy that is given a deleted ledger's number where the file system tells no time, and one rewritten, hashes and all,
by somebody who means it. Models carry the state they were saved at, so that `LedgerRecord.holds` tells a file
that was set back. Locks are those of a local file system; a ledger is not for network shares.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from tabsynth.errors import OutputExistsError, PrivacyError, UsageError
from tabsynth.privacy import ledger_lines
from tabsynth.privacy.budget import Budget
from tabsynth.privacy.ledger import Charge, Ledger, LedgerCopy, charge_to_data
from tabsynth.privacy.ledger_disk import (
    append,
    content_of,
    lock,
    open_file,
    place_of,
    require_in_place,
    sync_folder,
)
from tabsynth.privacy.ledger_lines import Begun, LedgerRecord, LedgerState, Place
from tabsynth.privacy.mechanisms import Mechanism
from tabsynth.privacy.training_ledger import TrainingLedger


def create_ledger_file(path: str | Path, *, source: str, cap: Budget) -> None:
    """Start a series of releases: a ledger of no charges, readable and writable by its owner alone.

    `source` names the table that all its fits read; overlapping and updated extracts of one source share
    it. `cap` is what the whole series may come to. Raises `OutputExistsError` where `path` exists, dangling
    links included, and `UsageError` where it cannot be written or `source` is no name.
    """
    if not 1 <= len(source) <= 200 or not source.isprintable() or source.isspace():
        raise UsageError("a ledger's source is a name of 1 to 200 printable characters")
    target = Path(path)
    try:
        descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise OutputExistsError(f"{target} exists already; a ledger is never overwritten") from None
    except OSError as fault:
        raise UsageError(f"{target}: no ledger can be made there ({fault.strerror})") from None
    try:
        place = place_of(descriptor)
        first = ledger_lines.header(source=source, cap=cap, series=secrets.token_hex(16), place=place)
        append(descriptor, first, at=0, size=0)
        sync_folder(target.parent)
    except OSError as fault:
        target.unlink(missing_ok=True)
        raise UsageError(f"{target}: no ledger can be made there ({fault.strerror})") from None
    finally:
        os.close(descriptor)


def read_ledger_file(path: str | Path) -> LedgerRecord:
    """What a ledger file says, for printing; one in use is read as far as it goes.

    Raises `UsageError` where there is none and `PrivacyError` where it is damaged.
    """
    target = Path(path)
    descriptor = open_file(target, os.O_RDONLY)
    try:
        return ledger_lines.parse(content_of(descriptor, target), target).record
    finally:
        os.close(descriptor)


def open_ledger_file(path: str | Path, *, source: str, moved: bool = False) -> LedgerFile:
    """Lock a ledger file to continue it; use it in a `with` statement, or close it, to let go of it.

    A link is followed. `moved` says that the file was moved from where it was made and that no other copy
    of it is continued. Raises `UsageError` where there is no file, and `PrivacyError` where it is open
    elsewhere, of another source, a copy, damaged or cut short.
    """
    target = Path(os.path.realpath(path))
    descriptor = open_file(target, os.O_RDWR)
    try:
        lock(descriptor, target)
        require_in_place(descriptor, target)
        state = ledger_lines.parse(content_of(descriptor, target), target)
        _require_series(state, target, source=source, place=None if moved else place_of(descriptor))
        ledger = LedgerFile(target, descriptor, state)
    except BaseException:
        os.close(descriptor)
        raise
    ledger.settle(state)
    return ledger


class LedgerFile(Ledger):
    """A ledger whose charges are on disk before `charge` returns; made by `open_ledger_file`.

    `former` are the charges of other fits, which `epsilon` and the cap include. Once a write has failed,
    charging raises. A fit that can be continued is charged through a ledger of its own (`begin_training`), so that fits
    in several threads stay apart.
    """

    def __init__(self, path: Path, descriptor: int, state: LedgerState) -> None:
        record = state.record
        super().__init__(record.cap)
        self.path = path
        self.source = record.source
        self.series = record.series
        self._descriptor: int | None = descriptor
        self._head, self._n_lines, self._end = record.heads[-1], len(record.heads) - 1, state.end
        self._numbered = list(record.charges)
        self._trainings = dict(record.trainings)
        self._open: dict[str, TrainingLedger] = {}
        self._fit: int | None = None  # of charges that are no training's, from the first on

    @property
    def former(self) -> tuple[Charge, ...]:
        return self.charges_but(self._fit)

    @property
    def charges(self) -> tuple[Charge, ...]:
        return self.charges_of(self._fit)

    def charges_of(self, fit: int | None) -> tuple[Charge, ...]:
        """Charges of a fit, by its number in the file."""
        return tuple(charge for number, charge in self._numbered if number == fit)

    def charges_but(self, fit: int | None) -> tuple[Charge, ...]:
        """Charges of all fits but one."""
        return tuple(charge for number, charge in self._numbered if number != fit)

    def settle(self, state: LedgerState) -> None:
        """Record what opening found: bytes of a line that was cut off, and a new place on the disk."""
        if state.n_torn:
            self._write({"torn": state.n_torn}, size=state.end + state.n_torn)
        place = place_of(self._open_descriptor())
        if not place.is_of(state.place):
            self._write(asdict(place))

    def begin_training(self, token: str) -> TrainingLedger:
        """The ledger of a new fit, which the `token` names and which can be continued; to be closed at its end."""
        with self._lock:
            begun = Begun(self._next_fit(), 0)
            self._mark(token, begun)
            return self._opened_training(token, begun)

    def continue_training(self, token: str) -> TrainingLedger:
        """The ledger of an interrupted fit, to be closed at its end.

        Raises `PrivacyError` where the ledger knows of no such fit (it is another one, or was set back), and where
        the fit is open.
        """
        with self._lock:
            begun = self._trainings.get(token)
            if begun is None:
                raise PrivacyError(
                    f"{self.path}: the ledger knows nothing of the fit that is to be continued: it is another ledger, "
                    "or was set back; nothing was released"
                )
            if token in self._open:
                raise PrivacyError(
                    f"{self.path}: the fit that is to be continued is running; nothing was read"
                )
            return self._opened_training(token, begun)

    def begin_steps(self, token: str, steps: int) -> None:
        """Record that `steps` in all of a training are spent; only when this has returned may they be taken.

        Raises `PrivacyError` where they are not more than were recorded: those were given to somebody already.
        """
        with self._lock:
            before = self._trainings[token]
            if steps <= before.steps:
                raise PrivacyError(
                    f"{self.path}: {before.steps} steps of the training were begun already; nothing was released"
                )
            self._mark(token, Begun(before.fit, steps))

    def record_of(self, fit: int, entry: Charge) -> None:
        """Make a charge of that fit last; whoever calls holds the lock."""
        self._write({"fit": fit, "charge": charge_to_data(entry)})
        self._numbered.append((fit, entry))

    def set_aside(self) -> Counter[Mechanism]:
        """What all fits that use this ledger have reserved."""
        return sum((each.own_reserved for each in self._open.values()), self._reserved.copy())

    def end_training(self, token: str) -> None:
        """Let the fit be continued again."""
        with self._lock:
            self._open.pop(token, None)

    def _opened_training(self, token: str, begun: Begun) -> TrainingLedger:
        self._open[token] = TrainingLedger(self, token, begun, lock=self._lock)
        return self._open[token]

    def _next_fit(self) -> int:
        fits = (*(fit for fit, _ in self._numbered), *(begun.fit for begun in self._trainings.values()))
        return 1 + max(fits, default=0)

    def _mark(self, token: str, begun: Begun) -> None:
        self._write({"fit": begun.fit, "training": token, "begun": begun.steps})
        self._trainings[token] = begun

    def copy(self) -> LedgerCopy:
        with self._lock:
            return self.copy_of(self._fit)

    def copy_of(self, fit: int | None) -> LedgerCopy:
        """The ledger as it stands, for the model of that fit to carry; whoever calls holds the lock."""
        return LedgerCopy(
            former=self.charges_but(fit),
            charges=self.charges_of(fit),
            cap=self.cap,
            source=self.source,
            series=self.series,
            head=self._head,
        )

    def close(self) -> None:
        """Let go of the file; charging raises from now on. Closing twice does nothing."""
        with self._lock:
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _record(self, entry: Charge) -> None:
        fit = self._next_fit() if self._fit is None else self._fit
        self.record_of(fit, entry)
        self._fit = fit

    def _spent(self) -> list[Mechanism]:
        return [entry.mechanism for _, entry in self._numbered]

    def _write(self, content: Mapping[str, object], *, size: int | None = None) -> None:
        """Append a line and count it, on disk when this returns; on any failure let go of the file.

        `size`: what the file's is expected to be, where bytes of a line cut off follow the whole ones.
        """
        descriptor = self._open_descriptor()
        head = ledger_lines.hash_of(self._head, content)
        line = ledger_lines.line(content, head=head)
        try:
            size = self._end if size is None else size
            require_in_place(descriptor, self.path, size=size)
            append(descriptor, line, at=self._end, size=size)
            count = ledger_lines.digits(self._n_lines + 1).encode()
            os.pwrite(descriptor, count, len(ledger_lines.PREFIX))
            os.fsync(descriptor)
        except OSError as fault:
            self._close()
            raise PrivacyError(
                f"{self.path}: the ledger cannot be written ({fault.strerror}); nothing was released"
            ) from None
        except PrivacyError:
            self._close()
            raise
        self._head, self._n_lines, self._end = head, self._n_lines + 1, self._end + len(line)

    def _open_descriptor(self) -> int:
        if self._descriptor is None:
            raise PrivacyError(f"{self.path}: the ledger is closed; nothing was released")
        return self._descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _require_series(state: LedgerState, path: Path, *, source: str, place: Place | None) -> None:
    """Raise `PrivacyError` for another source, or another `place` than that of the file that was made."""
    if state.record.source != source:
        raise PrivacyError(
            f"{path} is the ledger of another source, {state.record.source!r}: "
            "each source has a ledger of its own"
        )
    if len(state.record.heads) - 1 > state.n_counted + 1:
        raise PrivacyError(f"{path}: the ledger has more lines than were ever acknowledged; it was altered")
    if place is not None and not place.is_of(state.place):
        raise PrivacyError(
            f"{path} is a copy of a ledger: continue the original. If the file was moved here and no other "
            "copy of it is continued, open it as moved"
        )
