"""A figure in plain words, relative to its floor.

The floor is what two real samples differ by, so a figure at its floor cannot get better. The cut points
below are conventions of this report: they only choose words, and every word stands beside its figure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from tabsynth.metrics.base import Direction, MetricInfo, MetricResult, Status


class Level(StrEnum):
    """How far a figure is from its floor."""

    MET = "met"
    NEAR = "near"
    OFF = "off"
    FAR = "far"
    NONE = "none"  # failed with nothing to compare, not applicable, or no floor

    @property
    def rank(self) -> int:
        """0 for MET up to 3 for FAR; −1 for NONE."""
        return _RANKS[self]


_RANKS = {Level.MET: 0, Level.NEAR: 1, Level.OFF: 2, Level.FAR: 3, Level.NONE: -1}
_BY_RANK = (Level.MET, Level.NEAR, Level.OFF, Level.FAR)

_WORDS = {
    "fidelity": ("as good as real", "close to real", "off", "far off"),
    "detection": (
        "cannot be told from real",
        "hard to tell from real",
        "can be told from real",
        "easily told from real",
    ),
    "utility": ("as useful as real rows", "nearly as useful", "less useful", "much less useful"),
    "proximity": ("no alarm", "look closer", "alarm", "strong alarm"),
    "disclosure": (
        "no more than of unseen rows",
        "hardly more than of unseen rows",
        "more than of unseen rows",
        "much more than of unseen rows",
    ),
}
_OTHER_WORDS = ("at the floor", "near the floor", "beyond the floor", "far beyond the floor")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A level and the words that say it."""

    level: Level
    words: str


def excess(result: MetricResult, info: MetricInfo) -> float | None:
    """By how much a figure is worse than its floor, in its own units; negative where it is better.

    None where there is no value. Without a floor, 0.5 stands in for figures whose best value is 0.5 and
    0 for the others. A proximity share below 0.5 is no worse than 0.5.
    """
    value, floor = result.value, result.floor
    if value is None:
        return None
    if info.direction is Direction.LOWER:
        return value - (floor or 0.0)
    if info.direction is Direction.HIGHER:
        return (floor or 0.0) - value
    if info.group == "proximity":
        return value - max(0.5, 0.5 if floor is None else floor)
    return abs(value - 0.5) - (0.0 if floor is None else abs(floor - 0.5))


def judge(result: MetricResult, info: MetricInfo) -> Verdict:
    """The verdict on one figure; of no use are rows that nothing can be learnt from where real rows have a figure."""
    if result.status is Status.FAILED:
        is_useless = info.group == "utility" and result.floor is not None
        return Verdict(Level.FAR, "of no use") if is_useless else Verdict(Level.NONE, "failed")
    if result.status is Status.NOT_APPLICABLE:
        return Verdict(Level.NONE, "does not apply")
    over = excess(result, info)
    if over is None or (result.floor is None and info.direction is not Direction.HALF):
        return Verdict(Level.NONE, "no floor to judge by")
    rank = sum(over > limit for limit in _limits(info, abs(result.floor or 0.0)))
    if info.group == "proximity" and _is_chance(result, over):
        rank = min(rank, Level.NEAR.rank)
    return Verdict(_BY_RANK[rank], _WORDS.get(info.group, _OTHER_WORDS)[rank])


def _is_chance(result: MetricResult, over: float) -> bool:
    """Whether two samples of the figure's size would lie as far apart in one of twenty tries, so that it is no alarm.

    The floor is another sample's figure, and wanders as far again as the figure's interval says.
    """
    if result.value is None or result.interval is None:
        return False
    lower, upper = result.interval
    return over <= math.sqrt(2) * max(result.value - lower, upper - result.value)


def _limits(info: MetricInfo, floor: float) -> tuple[float, float, float]:
    """The excess up to which a figure is MET, NEAR and OFF."""
    if info.direction is Direction.HALF:
        return (0.01, 0.025, 0.06) if info.group == "proximity" else (0.01, 0.10, 0.30)
    if info.direction is Direction.HIGHER and info.group == "fidelity":  # coverage: it rests on few rows
        return (0.01 * floor, 0.05 * floor, 0.20 * floor)
    if info.direction is Direction.HIGHER:
        return (0.005 * floor, 0.025 * floor, 0.075 * floor)
    if info.group == "utility":
        return (0.01 * floor, 0.05 * floor, 0.20 * floor)
    if info.group == "disclosure":  # its figures and floors rest on some thousand rows each
        return (0.02, 0.05, 0.10)
    if info.group == "proximity":
        return (0.0005, 0.005, 0.02)
    # A floor is itself noisy, the more so for one column: hence the small absolute allowance.
    return (0.1 * floor + 0.0005, floor + 0.005, 3 * floor + 0.02)
