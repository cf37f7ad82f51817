"""Whether the holdout was held out: copies of it in the release hide copies of train from every comparison."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabsynth.audit.figures import accusation
from tabsynth.audit.rates import Rate
from tabsynth.audit.split import Candidates
from tabsynth.encode import EncodedTable
from tabsynth.metrics.proximity import is_copy
from tabsynth.metrics.sampling import take_rows

MIN_EXCESS = 0.05
MAX_P = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldoutCopies:
    """Shares of non-members that equal a released row, and an unrelated row by chance.

    `excess` is (released − unrelated)/(1 − unrelated); `was_used` says that it is at least `MIN_EXCESS`
    and no chance (Fisher, p at most `MAX_P`).
    """

    released: Rate
    unrelated: Rate
    excess: float
    was_used: bool


def holdout_copies(
    candidates: Candidates, *, release: EncodedTable, unrelated: EncodedTable
) -> HoldoutCopies:
    """Count them; `unrelated` has as many rows as `release` and holds no non-member."""
    others = take_rows(candidates.rows, np.flatnonzero(~candidates.is_member))
    found = accusation("equal", is_copy(others, of=release), is_copy(others, of=unrelated), n_rates=1)
    return HoldoutCopies(
        released=found.attack,
        unrelated=found.control,
        excess=found.risk,
        was_used=found.risk >= MIN_EXCESS and found.p_value <= MAX_P,
    )
