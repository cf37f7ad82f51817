"""Why no row meets the rules, in words: the rules and conditions that exclude one another, or the rule that is hardly ever met.

Rows that a model draws keep more than the rules they are held against: those met by construction, and conditions that the model is held
at. A rule that none of them meets may be met without these, so it is never blamed alone. That rules exclude one another
is said only where it was decided (`tabsynth.constraints.conflict`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.constraints.base import Constraint, Mask
from tabsynth.constraints.conflict import Claim, judged, near
from tabsynth.schema.rules import title_of
from tabsynth.schema.types import TableSchema

Masks = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class Beside:
    """What all rows drawn keep beside the rules that they are held against.

    `rules` are all rules of single rows, `sure` those of them that are met by construction; `asked` are conditions that are the same
    for every row. What is asked of each row by itself has a name alone: `own`.
    """

    schema: TableSchema
    rules: tuple[Claim, ...] = ()
    sure: tuple[Claim, ...] = ()
    asked: tuple[Claim, ...] = ()
    own: str = ""

    @property
    def conditions(self) -> tuple[str, ...]:
        """Everything that is asked, in words."""
        return (*(one.title for one in self.asked), *([self.own] if self.own else []))


_CONDITIONS = "the conditions"


def failure(
    constraints: Sequence[Constraint], broken: Masks, beside: Beside | None, *, n_left: int, n_drawn: int
) -> str:
    """What the tries did not reach, and what kept them from it.

    `broken`, (n_rules, n_rows), says which of the rows drawn broke which rule; where there is one row more, it is of the conditions.
    """
    masks: dict[str, Mask] = {_CONDITIONS: broken[-1]} if len(broken) > len(constraints) else {}
    for one, mask in zip(constraints, broken, strict=False):
        title = title_of(one.rule)
        masks[title] = masks[title] | mask if title in masks else mask
    n_good = int((~broken.any(axis=0)).sum())
    said = f"{n_left:,} rows could not be made to meet the rules: of {n_drawn:,} drawn anew, {n_good:,} did"
    if n_good == 0:
        return f"{said}. {_nothing_left(_never_met(masks), beside)}"
    worst = max(masks, key=lambda title: float(masks[title].mean()))
    rate = 100 * (1 - float(masks[worst].mean()))
    if worst == _CONDITIONS:
        return f"{said}. What fails most is {_asked(beside)}: acceptance {rate:.2g} %"
    return f"{said}. The rule that fails most is {worst!r}: acceptance {rate:.2g} %"


def _asked(beside: Beside | None) -> str:
    return "; ".join(beside.conditions if beside is not None else ()) or _CONDITIONS


def _never_met(masks: Mapping[str, Mask]) -> tuple[str, ...]:
    """Claims that no row drawn met together, whereas some met any fewer of them."""
    left = list(masks)
    for title in masks:
        without = [other for other in left if other != title]
        if without and np.logical_or.reduce([masks[other] for other in without]).all():
            left = without
    return tuple(left)


def _nothing_left(never: Sequence[str], beside: Beside | None) -> str:
    """The reason where no row drawn met the claims `never`."""
    names = [title for title in never if title != _CONDITIONS]
    if beside is None:
        beside = Beside(schema=TableSchema(name="", columns=()))
    core = [one for one in beside.rules if one.title in names]
    if _CONDITIONS in never:
        names, core = [*names, *(beside.conditions or [_CONDITIONS])], [*core, *beside.asked]
    kept = [one for one in (*beside.sure, *beside.asked) if one.title not in names]
    excluded = judged(core, kept, beside.schema) if core else None
    if excluded:
        return _exclusion(excluded)
    along = dict.fromkeys(one.title for one in near(core, kept))
    along |= dict.fromkeys(title for title in beside.conditions if title not in names)
    return _missed(names, [*along], is_decided=excluded is not None and not beside.own)


def _exclusion(titles: Sequence[str]) -> str:
    if len(titles) == 1:
        return f"No row in the domains of its columns meets {titles[0]!r}"
    return (
        "In the domains of their columns no row meets all of these, whereas some meet any fewer of them: "
        f"{'; '.join(titles)}"
    )


def _missed(names: Sequence[str], along: Sequence[str], *, is_decided: bool) -> str:
    """That no row drawn met what is named, and what these rows kept beside it."""
    if not along and len(names) == 1 and names[0] == _CONDITIONS:
        return "None of them meets the conditions"
    if not along and len(names) == 1:
        return f"The model never meets {names[0]!r}: acceptance 0 % in the domains of its columns"
    if not along:
        return f"Each of these is met, but never all together: {'; '.join(names)}"
    tail = (
        "These do not exclude one another, but the model makes no such rows"
        if is_decided
        else "Whether some of these exclude one another, or the model makes no such rows, is not decided"
    )
    return f"None of them meets {'; '.join(names)} together with what all of them keep: {'; '.join(along)}. {tail}"


def unmet(broken: Sequence[tuple[Constraint, int]], of_table: Sequence[Constraint], *, n_rows: int) -> str:
    """That finished rows break rules, each with how many do, and which rules of all rows moved cells of their columns."""
    counts: dict[str, int] = {}
    for one, n in broken:
        title = title_of(one.rule)
        counts[title] = max(n, counts.get(title, 0))
    told = "; ".join(f"{title} (acceptance {100 * (1 - n / n_rows):.3g} %)" for title, n in counts.items())
    columns = {name for one, _ in broken for name in one.columns}
    titles = dict.fromkeys(title_of(one.rule) for one in of_table if columns & set(one.columns))
    beside = [title for title in titles if title not in counts]
    said = f"of {n_rows:,} rows some break rules once all rows are put under the rules that hold over all of them: {told}"
    return f"{said}. They were not met together with: {'; '.join(beside)}" if beside else said
