"""The strongest attack on everything one private fit releases, and direct checks of the fit itself.

The attacker knows both neighbouring tables and the recipe, and sees every released number. By Neyman and
Pearson nothing tells the tables apart better than the likelihood ratio: of Gaussian noise the sum over
releases of (difference of the exact numbers) · (told - midpoint) / variance. The exact numbers of the other
table are had by playing the released ones back to a fit of it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from tabsynth.audit.neighbouring import Pair
from tabsynth.audit.recorded import AskedOtherwiseError, NothingLeftError, RecordedQueries, Release, Tape
from tabsynth.errors import TabsynthError
from tabsynth.models.base import Synthesizer
from tabsynth.privacy import Ledger
from tabsynth.privacy.mechanisms import SampledGaussian
from tabsynth.privacy.plan import BudgetPlan
from tabsynth.private_fit import PrivateFit, fit_privately
from tabsynth.randomness import Streams
from tabsynth.table import Table

FAULTS = (TabsynthError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RuntimeError)
"""What an engine's own code may raise: whether it does is something that it releases."""
LESS = "less was asked of the neighbouring table"
SMALLEST_SCALE = 0.75
"""From which discrete noise passes for normal: its variance is that of normal noise but for less than a thousandth."""


@dataclass
class NoiseSeen:
    """Of a statistic's noise: how many numbers, and the sum of their squares in units of what was charged."""

    n: int = 0
    squares: float = 0.0

    def add(self, other: NoiseSeen) -> None:
        self.n += other.n
        self.squares += other.squares


@dataclass
class Attacked:
    """What many fits of both tables gave: likelihood ratios, and everything that must not be.

    `ratios[0]` and `ratios[1]` are of fits of the table without and with the unit, `weak` the same with the
    share `weakened` of their noise. `precisions` is the least and the largest of all. `faults` counts what is wrong by itself.
    """

    ratios: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    weak: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    precisions: tuple[float, float] = (math.inf, 0.0)
    releases: int = 0
    noise: dict[str, NoiseSeen] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    unique_levels: int = 0

    def add(self, other: Attacked) -> None:
        """Join what other fits gave."""
        for side in (0, 1):
            self.ratios[side].extend(other.ratios[side])
            self.weak[side].extend(other.weak[side])
        low, high = zip(self.precisions, other.precisions, strict=True)
        self.precisions = (min(low), max(high))
        self.releases = max(self.releases, other.releases)
        for statistic, seen in other.noise.items():
            self.noise.setdefault(statistic, NoiseSeen()).add(seen)
        self.faults += other.faults
        self.unique_levels += other.unique_levels


def attack_fits(pair: Pair, recipe: Synthesizer, plan: BudgetPlan, *, n: int, weakened: float) -> Attacked:
    """`n` fits of each table, as far as they read it, each played back to the other table."""
    found = Attacked()
    for _ in range(n):
        for here in (0, 1):
            tapes: list[Tape] = []
            for at in (here, 1 - here):
                queries = _queries(plan, told=tapes[0] if tapes else None, stops=True)
                end = ended(pair.tables[at], recipe, queries)
                if isinstance(end, str):
                    found.faults[end] += 1
                    break
                tapes.append(queries.tape)
            if len(tapes) == 2 and len(tapes[1].releases) < len(tapes[0].releases):
                found.faults[LESS] += 1
            elif len(tapes) == 2:
                _weigh(found, *tapes, here=here, weakened=weakened)
    return found


def check_fits(pair: Pair, recipe: Synthesizer, plan: BudgetPlan, *, n: int) -> Counter[str]:
    """`n` whole fits of each table, played back to the other: what is wrong, and how often.

    Told the same numbers, both must ask the same, end alike, and give the same model bit for bit.
    """
    faults: Counter[str] = Counter()
    for _ in range(n):
        for here in (0, 1):
            queries = _queries(plan)
            first = ended(pair.tables[here], recipe, queries)
            played = _queries(plan, told=queries.tape)
            second = ended(pair.tables[1 - here], recipe, played)
            faults.update(_differences(first, second))
            if len(queries.tape.releases) != len(played.tape.releases):
                faults[LESS] += not isinstance(second, str)
    return +faults


def _queries(plan: BudgetPlan, *, told: Tape | None = None, stops: bool = False) -> RecordedQueries:
    return RecordedQueries(Ledger(), plan, told=told, stops=stops)


def ended(table: Table, recipe: Synthesizer, queries: RecordedQueries) -> PrivateFit | str | None:
    """The fit; None where it was left at its last question; in words, where it asked otherwise or failed."""
    try:
        return fit_privately(table, recipe, queries=queries, streams=Streams(0))
    except NothingLeftError:
        return None
    except AskedOtherwiseError as fault:
        return str(fault)
    except FAULTS as fault:
        return f"a fit ended in {type(fault).__name__}"


def _differences(first: PrivateFit | str | None, second: PrivateFit | str | None) -> Iterable[str]:
    if isinstance(first, str) or isinstance(second, str):
        return {end for end in (first, second) if isinstance(end, str)}
    assert first is not None
    assert second is not None
    unlike = []
    if first.schema != second.schema:
        unlike.append("domain")
    if (first.n_rows, first.surrogates) != (second.n_rows, second.surrogates):
        unlike.append("number of rows or of identifiers")
    arrays, others = first.model.arrays(), second.model.arrays()
    same = arrays.keys() == others.keys() and all(
        (array.dtype, array.shape, array.tobytes())
        == (others[name].dtype, others[name].shape, others[name].tobytes())
        for name, array in arrays.items()
    )
    if not same or first.model.parameters() != second.model.parameters():
        unlike.append("model")
    return [f"told the same numbers, the neighbouring table gave another {what}" for what in unlike]


def _weigh(found: Attacked, told: Tape, other: Tape, *, here: int, weakened: float) -> None:
    """Add the likelihood ratio of one fit, in favour of the unit, and what is wrong with its releases."""
    sign = 1 - 2 * here
    ratio = noise = precision = 0.0
    for release, there in zip(told.releases, other.releases, strict=True):
        difference = sign * (there.exact - release.exact)
        off = release.told - release.exact
        precision += float((difference**2 / release.variance).sum())
        ratio += float((difference * (release.exact - there.exact) / 2 / release.variance).sum())
        noise += float((difference * off / release.variance).sum())
        _inspect(found, release, difference, off)
        found.unique_levels += _unique_levels(release, there)
    found.ratios[here].append(ratio + noise)
    found.weak[here].append(ratio + weakened * noise)
    found.precisions = (min(found.precisions[0], precision), max(found.precisions[1], precision))
    found.releases = max(found.releases, sum(len(release.sizes) for release in told.releases))


def _inspect(
    found: Attacked,
    release: Release,
    difference: np.ndarray[tuple[int], np.dtype[np.float64]],
    off: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    """Whether each release moved by no more than was charged, and how large its noise was."""
    moved = np.add.reduceat(np.abs(difference), np.cumsum([0, *release.sizes[:-1]]))
    if (moved > release.sensitivity).any():
        found.faults[f"{release.question.statistic!r} moved by more than the rows of a unit"] += 1
    is_large = release.variance >= SMALLEST_SCALE**2
    squares = (off**2 / release.variance)[is_large]
    seen = NoiseSeen(len(squares), float(squares.sum()))
    found.noise.setdefault(release.question.statistic, NoiseSeen()).add(seen)


def _unique_levels(release: Release, there: Release) -> int:
    """Released levels that not both tables look at."""
    from tabsynth.privacy.marginals import Levels

    if release.levels is None or there.levels is None or not isinstance(release.answer, Levels):
        return 0
    mine, others = (set(levels.to_list()) for levels in (release.levels, there.levels))
    return len(set(release.answer.values.to_list()) - (mine & others))


def accounted_mu(plan: BudgetPlan) -> float | None:
    """μ of all releases of a plan together: each moves by the rows of a unit at most, in its Euclidean length too.

    None where noise of a scale below `SMALLEST_SCALE` is among them, or sums over samples: the loss is not normal enough
    then, and the plan's (ε, δ) is all that is claimed.
    """
    mechanisms = [planned.mechanism for planned in plan.parts]
    if (
        any(isinstance(mechanism, SampledGaussian) for mechanism in mechanisms)
        or min(mechanism.scale for mechanism in mechanisms) < SMALLEST_SCALE
    ):
        return None
    return math.sqrt(math.fsum(m.count * (m.sensitivity / m.scale) ** 2 for m in mechanisms))


def with_noise_of(plan: BudgetPlan, share: float) -> BudgetPlan:
    """The plan with `share` of its noise: it costs more than its budget, and is for built-in tables alone."""
    parts = tuple(
        replace(planned, mechanism=replace(planned.mechanism, scale=planned.mechanism.scale * share))
        for planned in plan.parts
    )
    return replace(plan, parts=parts)
