"""A ledger kept in a file, for one source and one series of releases, over any number of fits.

The file is locked from opening to closing by the operating system, which lets go of it when a process dies.
Lines are only ever appended (`tabsynth.privacy.ledger_lines`), and a charge is on disk before `charge`
returns.

What is noticed, and refused: a changed byte, a line that is gone from the middle or the end, another
source, a file in use, one replaced or written to under a running fit, and a copy: it is another file on the
disk. One that was moved there on purpose is opened as `moved`, which is recorded. A kill leaves every
charge that was written, whether its noise was drawn or not. A last line that a power cut left incomplete
was not acknowledged, so nothing was released on it: a note of it takes its place.

What is not noticed: a file set back to an earlier state in place, and one rewritten, hashes and all, by
somebody who means it. Models carry the state they were saved at, so that `LedgerRecord.holds` tells a file
that was set back. Locks are those of a local file system; a ledger is not for network shares.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tabsynth.errors import OutputExistsError, PrivacyError, UsageError
from tabsynth.privacy import ledger_lines
from tabsynth.privacy.budget import Budget
from tabsynth.privacy.ledger import Charge, Ledger, LedgerCopy, charge_to_data
from tabsynth.privacy.ledger_lines import Begun, LedgerRecord, LedgerState

_MOST_BYTES = 256 << 20


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
        inode = os.fstat(descriptor).st_ino
        first = ledger_lines.header(source=source, cap=cap, series=secrets.token_hex(16), inode=inode)
        _append(descriptor, first, at=0, size=0)
        _sync_folder(target.parent)
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
    descriptor = _open(target, os.O_RDONLY)
    try:
        return ledger_lines.parse(_content(descriptor, target), target).record
    finally:
        os.close(descriptor)


def open_ledger_file(path: str | Path, *, source: str, moved: bool = False) -> LedgerFile:
    """Lock a ledger file to continue it; use it in a `with` statement, or close it, to let go of it.

    A link is followed. `moved` says that the file was moved from where it was made and that no other copy
    of it is continued. Raises `UsageError` where there is no file, and `PrivacyError` where it is open
    elsewhere, of another source, a copy, damaged or cut short.
    """
    target = Path(os.path.realpath(path))
    descriptor = _open(target, os.O_RDWR)
    try:
        _lock(descriptor, target)
        _require_in_place(descriptor, target)
        state = ledger_lines.parse(_content(descriptor, target), target)
        _require_series(state, target, source=source, inode=None if moved else os.fstat(descriptor).st_ino)
        ledger = LedgerFile(target, descriptor, state)
    except BaseException:
        os.close(descriptor)
        raise
    ledger.settle(state)
    return ledger


class LedgerFile(Ledger):
    """A ledger whose charges are on disk before `charge` returns; made by `open_ledger_file`.

    `former` are the charges of earlier fits, which `epsilon` and the cap include. Once a write has failed,
    charging raises.
    """

    def __init__(self, path: Path, descriptor: int, state: LedgerState) -> None:
        record = state.record
        super().__init__(record.cap, former=[charge for _, charge in record.charges])
        self.path = path
        self.source = record.source
        self.series = record.series
        self._descriptor: int | None = descriptor
        self._head, self._n_lines, self._end = record.heads[-1], len(record.heads) - 1, state.end
        self._numbered = list(record.charges)
        self._trainings = dict(record.trainings)
        self._fit = self._next_fit()

    def settle(self, state: LedgerState) -> None:
        """Record what opening found: bytes of a line that was cut off, and a new place on the disk."""
        if state.n_torn:
            self._write({"torn": state.n_torn}, size=state.end + state.n_torn)
        inode = os.fstat(self._open_descriptor()).st_ino
        if inode != state.inode:
            self._write({"inode": inode})

    def begin_training(self, token: str) -> None:
        """From here on charges are of a fit of its own, that the `token` names and that can be continued."""
        with self._lock:
            self._fit = self._next_fit()
            self._former, self._charges = (*self._former, *self._charges), []
            self._mark(token, Begun(self._fit, 0))

    def continue_training(self, token: str) -> int:
        """Make the charges of an interrupted fit those of this one; how many of its steps were begun.

        Raises `PrivacyError` where the ledger knows of no such fit: it is another one, or was set back.
        """
        with self._lock:
            begun = self._trainings.get(token)
            if begun is None:
                raise PrivacyError(
                    f"{self.path}: the ledger knows nothing of the fit that is to be continued: it is another ledger, "
                    "or was set back; nothing was released"
                )
            self._former = tuple(charge for fit, charge in self._numbered if fit != begun.fit)
            self._charges = [charge for fit, charge in self._numbered if fit == begun.fit]
            self._fit = begun.fit
            return begun.steps

    def begin_steps(self, token: str, steps: int) -> None:
        """Record that `steps` in all of a training are spent; only when this has returned may they be taken."""
        with self._lock:
            self._mark(token, Begun(self._trainings[token].fit, steps))

    def end_training(self) -> None:
        """Charges from here on are of another fit."""
        with self._lock:
            self._fit = self._next_fit()

    def _next_fit(self) -> int:
        fits = (*(fit for fit, _ in self._numbered), *(begun.fit for begun in self._trainings.values()))
        return 1 + max(fits, default=0)

    def _mark(self, token: str, begun: Begun) -> None:
        self._write({"fit": begun.fit, "training": token, "begun": begun.steps})
        self._trainings[token] = begun

    def copy(self) -> LedgerCopy:
        with self._lock:
            return LedgerCopy(
                former=self.former,
                charges=self.charges,
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
        self._write({"fit": self._fit, "charge": charge_to_data(entry)})
        self._numbered.append((self._fit, entry))

    def _write(self, content: Mapping[str, object], *, size: int | None = None) -> None:
        """Append a line and count it, on disk when this returns; on any failure let go of the file.

        `size`: what the file's is expected to be, where bytes of a line cut off follow the whole ones.
        """
        descriptor = self._open_descriptor()
        head = ledger_lines.hash_of(self._head, content)
        line = ledger_lines.line(content, head=head)
        try:
            size = self._end if size is None else size
            _require_in_place(descriptor, self.path, size=size)
            _append(descriptor, line, at=self._end, size=size)
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


def _open(path: Path, flags: int) -> int:
    """A descriptor of a regular file; `UsageError` for anything else."""
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK)  # not to wait for the other end of a pipe
    except OSError as fault:
        raise UsageError(f"{path}: no ledger can be opened there ({fault.strerror})") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageError(f"{path}: a ledger is a regular file")
    return descriptor


def _lock(descriptor: int, path: Path) -> None:
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PrivacyError(
            f"{path}: another fit has the ledger open; wait for it to end, nothing was read"
        ) from None
    except (ImportError, OSError):
        raise PrivacyError(f"{path}: files cannot be locked here, so no ledger can be kept") from None


def _require_series(state: LedgerState, path: Path, *, source: str, inode: int | None) -> None:
    """Raise `PrivacyError` for another source, or another `inode` than that of the file that was made."""
    if state.record.source != source:
        raise PrivacyError(
            f"{path} is the ledger of another source, {state.record.source!r}: "
            "each source has a ledger of its own"
        )
    if len(state.record.heads) - 1 > state.n_counted + 1:
        raise PrivacyError(f"{path}: the ledger has more lines than were ever acknowledged; it was altered")
    if inode not in (None, state.inode):
        raise PrivacyError(
            f"{path} is a copy of a ledger: continue the original. If the file was moved here and no other "
            "copy of it is continued, open it as moved"
        )


def _require_in_place(descriptor: int, path: Path, *, size: int | None = None) -> None:
    """Raise `PrivacyError` where `path` is another file than the open one, or not of the expected size."""
    here = os.fstat(descriptor)
    try:
        there = path.stat()
    except FileNotFoundError:
        there = None
    if there is None or (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino):
        raise PrivacyError(
            f"{path}: the ledger was removed or replaced while it was open; nothing was released"
        )
    if size is not None and here.st_size != size:
        raise PrivacyError(f"{path}: the ledger was written to while it was open; nothing was released")


def _content(descriptor: int, path: Path) -> bytes:
    size = os.fstat(descriptor).st_size
    if size > _MOST_BYTES:
        raise PrivacyError(f"{path}: a ledger holds {_MOST_BYTES} bytes at most")
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read()


def _append(descriptor: int, data: bytes, *, at: int, size: int) -> None:
    """End the file with `data` from `at` on, and wait for the disk; a failure leaves it at `size` bytes."""
    try:
        written = 0
        while written < len(data):
            written += os.pwrite(descriptor, data[written:], at + written)
        os.ftruncate(descriptor, at + len(data))
        os.fsync(descriptor)
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, size)
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
