"""What was done for every rule: how it was met, how many rows that took, and what breaks it in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tabsynth.constraints.change import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOutcome:
    """A declared rule in words, and how many of the rows it was checked on break it.

    `form` says how it was met; `n_broken` is how many rows broke it as the model made them, of which cells were
    exchanged with other rows in `n_swapped`, and `n_redrawn` were drawn anew. A row that breaks several rules
    counts for each. `is_counted` says whether that is known, as it is where the rows were made. `change` is what became of its columns by all that was done to rows, where it touched any and that was looked at.
    """

    rule: str
    n_rows: int
    n_violations: int
    form: str = ""
    n_broken: int = 0
    n_swapped: int = 0
    n_redrawn: int = 0
    is_counted: bool = True
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class GroupShare:
    """A group that is made more frequent, as it was asked for, and its shares under the model and of the rows."""

    group: str
    model: float
    rows: float

    def __str__(self) -> str:
        return f"{self.group}: {self.rows:.3g} of the rows, {self.model:.3g} under the model"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionOutcome:
    """What was asked of rows beside the rules, and what that took.

    `columns` are those asked about. `n_effective` is how many independent rows of the model under the conditions the rows are worth: all
    of them where they were drawn exactly, or chosen from enough others, fewer where they were drawn again by weights. `acceptance` in [0, 1] is the share of rows
    that met everything as the model first made them; others were drawn anew. In `n_moved` rows the given cells were none
    that the model makes, alone or together, so that the others follow from the nearest that it does; `n_outside` rows had one outside
    a domain that the model learnt. `shares` are those of groups that were oversampled.
    """

    columns: tuple[str, ...]
    n_rows: int
    n_effective: float
    acceptance: float
    n_moved: int = 0
    shares: tuple[GroupShare, ...] = ()
    n_outside: int = 0

    def __str__(self) -> str:
        """In a sentence or more: names of columns and counts, never a cell."""
        names = ", ".join(self.columns[:8]) + (" …" if len(self.columns) > 8 else "")
        how = "worth as many independent ones"
        if self.n_effective < self.n_rows:
            how = f"worth {int(self.n_effective):,} independent rows (effective sample size)"
        said = f"Asked for by {names}: {self.n_rows:,} row{'' if self.n_rows == 1 else 's'}, {how}."
        if self.acceptance < 1:
            said += f" {100 * self.acceptance:.3g} % met it as first drawn; the others were drawn anew."
        if self.n_moved:
            said += (
                f" {self.n_moved:,} row{'' if self.n_moved == 1 else 's'} with given cells that the model never makes, alone or "
                "together: completed from the nearest it does."
            )
        if self.n_outside:
            said += (
                f" {self.n_outside:,} row{'' if self.n_outside == 1 else 's'} with given cells outside what the model learnt: they "
                "stay; it took numbers as the nearest it knows, levels as not given."
            )
        return said + "".join(f" {one}." for one in self.shares)


@dataclass(kw_only=True)
class Tally:
    """What a sampling did for rules and conditions, as it goes on: give one to it and read it at the end."""

    titles: Sequence[str] = ()
    forms: Sequence[str] = ()
    n_rows: int = 0
    columns: tuple[str, ...] = ()
    n_drawn: int = 0
    n_effective: float = 0.0
    n_moved: int = 0
    n_missed: int = 0
    n_outside: int = 0
    shares: tuple[GroupShare, ...] = ()
    counts: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    compares: bool = True
    """Whether what rules changed is looked at: on the first block of rows, where any was touched."""
    changes: dict[int, Change] = field(default_factory=dict)
    n_cut: int = 0
    """Persons whose history ends early, as no row was found to follow."""

    def begin(self, titles: Sequence[str], forms: Sequence[str]) -> None:
        """Start again for rules of those titles."""
        self.titles, self.forms, self.n_rows, self.changes, self.n_cut = titles, forms, 0, {}, 0
        self.counts = {what: np.zeros(len(titles), dtype=np.int64) for what in _COUNTED}

    def add(self, what: str, counts: npt.NDArray[np.int64]) -> None:
        self.counts[what] += counts

    def asks_for(
        self, columns: Sequence[str], shares: Sequence[GroupShare] = (), *, n_outside: int = 0
    ) -> None:
        """Start again for conditions on these columns, and groups in these shares."""
        self.columns, self.shares, self.n_outside = tuple(columns), tuple(shares), n_outside
        self.n_drawn, self.n_effective, self.n_moved, self.n_missed = 0, 0.0, 0, 0

    def add_drawn(self, n_rows: int, *, effective: float, n_moved: int, n_missed: int) -> None:
        """Count rows of a block."""
        self.n_drawn, self.n_effective = self.n_drawn + n_rows, self.n_effective + effective
        self.n_moved, self.n_missed = self.n_moved + n_moved, self.n_missed + n_missed

    @property
    def cut_short(self) -> str:
        """In a sentence, how many histories end early; "" where none does."""
        if not self.n_cut:
            return ""
        persons = "1 person's history ends" if self.n_cut == 1 else f"{self.n_cut:,} persons' histories end"
        return f"{persons} early: no row was found to follow that keeps the rules and the order."

    @property
    def conditions(self) -> ConditionOutcome | None:
        """What conditions took; None where nothing was asked for."""
        if not self.columns:
            return None
        return ConditionOutcome(
            columns=self.columns,
            n_rows=self.n_drawn,
            n_effective=self.n_effective,
            acceptance=1 - self.n_missed / self.n_drawn if self.n_drawn else 1.0,
            n_moved=self.n_moved,
            shares=self.shares,
            n_outside=self.n_outside,
        )

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
                change=self.changes.get(at) if self.counts["broken"][at] else None,
            )
            for at, (title, form) in enumerate(zip(self.titles, self.forms, strict=True))
        )


_COUNTED = ("broken", "swapped", "redrawn", "violations")
