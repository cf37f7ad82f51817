"""A ledger file as one fit sees it that can be continued, while others may be charged to the same file."""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING

from tabsynth.errors import PrivacyError
from tabsynth.privacy.ledger import Charge, Ledger, LedgerCopy
from tabsynth.privacy.ledger_lines import Begun
from tabsynth.privacy.mechanisms import Mechanism

if TYPE_CHECKING:
    from tabsynth.privacy.ledger_file import LedgerFile


class TrainingLedger(Ledger):
    """A ledger file as one fit sees it that can be continued: `charges` are those of this fit, `former` all others.

    Made by `LedgerFile.begin_training` and `continue_training`; it locks and writes the file together with it. `begun`:
    how many of the fit's steps were begun when it was opened.
    """

    def __init__(self, file: LedgerFile, token: str, begun: Begun, *, lock: Lock) -> None:
        super().__init__(file.cap)
        self._file, self._token, self._begun = file, token, begun
        self._lock, self._is_open = lock, True

    @property
    def begun(self) -> int:
        return self._begun.steps

    @property
    def series(self) -> str:
        return self._file.series

    @property
    def former(self) -> tuple[Charge, ...]:
        return self._file.charges_but(self._begun.fit)

    @property
    def charges(self) -> tuple[Charge, ...]:
        return self._file.charges_of(self._begun.fit)

    @property
    def own_reserved(self) -> Counter[Mechanism]:
        """What this fit has reserved and not charged yet."""
        return self._reserved

    def begin_steps(self, steps: int) -> None:
        """`LedgerFile.begin_steps` of this fit."""
        self._file.begin_steps(self._token, steps)

    def set_aside(self) -> Counter[Mechanism]:
        return self._file.set_aside()

    def copy(self) -> LedgerCopy:
        with self._lock:
            return self._file.copy_of(self._begun.fit)

    def close(self) -> None:
        """Let the fit be continued again; this ledger takes no charge from now on."""
        self._file.end_training(self._token)
        self._is_open = False

    def _record(self, entry: Charge) -> None:
        if not self._is_open:
            raise PrivacyError(f"{self._file.path}: the fit has ended; nothing was released")
        self._file.record_of(self._begun.fit, entry)

    def _spent(self) -> list[Mechanism]:
        return [entry.mechanism for entry in (*self.former, *self.charges)]
