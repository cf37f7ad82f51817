"""What was done for every rule: how it was met, how many rows that took, and what breaks it in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOutcome:
    """A declared rule in words, and how many of the rows it was checked on break it.

    `form` says how it was met; `n_broken` is how many rows broke it as the model made them, of which cells were
    exchanged with other rows in `n_swapped`, and `n_redrawn` were drawn anew. A row that breaks several rules
    counts for each.
    """

    rule: str
    n_rows: int
    n_violations: int
    form: str = ""
    n_broken: int = 0
    n_swapped: int = 0
    n_redrawn: int = 0


@dataclass(kw_only=True)
class Tally:
    """Counts of a sampling as it goes on, one for each rule; give one to `sample_batches` and read it at the end."""

    titles: Sequence[str] = ()
    forms: Sequence[str] = ()
    n_rows: int = 0
    counts: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)

    def begin(self, titles: Sequence[str], forms: Sequence[str]) -> None:
        """Start again for rules of those titles."""
        self.titles, self.forms, self.n_rows = titles, forms, 0
        self.counts = {what: np.zeros(len(titles), dtype=np.int64) for what in _COUNTED}

    def add(self, what: str, counts: npt.NDArray[np.int64]) -> None:
        self.counts[what] += counts

    @property
    def outcomes(self) -> tuple[RuleOutcome, ...]:
        """One for each rule, in the order of the schema."""
        return tuple(
            RuleOutcome(
                rule=title,
                form=form,
                n_rows=self.n_rows,
                n_violations=int(self.counts["violations"][at]),
                n_broken=int(self.counts["broken"][at]),
                n_swapped=int(self.counts["swapped"][at]),
                n_redrawn=int(self.counts["redrawn"][at]),
            )
            for at, (title, form) in enumerate(zip(self.titles, self.forms, strict=True))
        )


_COUNTED = ("broken", "swapped", "redrawn", "violations")
