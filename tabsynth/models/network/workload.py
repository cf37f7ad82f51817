"""What a table is for: the pairs of columns that go before others and are measured more precisely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tabsynth.errors import UsageError
from tabsynth.models.base import require_modelled
from tabsynth.models.network.triangulation import Pair

_SCORE = 4.0  # how many times over a dependence that is asked for counts
_RELEASES = 2.0  # how many times the releases its pair gets


@dataclass(frozen=True, slots=True)
class Workload:
    """Pairs of columns (i < j) that are asked for, and columns of which none may hang on another's fine cells."""

    pairs: frozenset[Pair] = frozenset()
    columns: frozenset[int] = frozenset()

    def score(self, pair: Pair) -> float:
        """How many times over a pair's dependence counts where pairs are chosen."""
        return _SCORE if pair in self.pairs else 1.0

    def releases(self, pair: Pair) -> float:
        """How many times the releases of other pairs it gets."""
        return _RELEASES if pair in self.pairs else 1.0


def workload_of(names: Sequence[str], *, target: str = "", pairs: str = "") -> Workload:
    """All pairs with the column `target`, and those of a text such as `age*income; hours*income`.

    Raises `UsageError` where it names a column that is not modelled, or no two different ones.
    """
    place = {name: at for at, name in enumerate(names)}
    wanted: set[Pair] = set()
    columns: set[int] = set()
    if target:
        at = _place(place, target, "target")
        wanted |= {(min(at, other), max(at, other)) for other in range(len(names)) if other != at}
        columns.add(at)
    for text in filter(str.strip, pairs.split(";")):
        both = [_place(place, part.strip(), "workload") for part in text.split("*")]
        if len(set(both)) != 2 or len(both) != 2:
            raise UsageError(
                f"bayesian_network: the workload is pairs of different columns, as in age*income; hours*income, found {text.strip()!r}"
            )
        wanted.add((min(both), max(both)))
        columns |= set(both)
    return Workload(frozenset(wanted), frozenset(columns))


def _place(place: dict[str, int], name: str, what: str) -> int:
    require_modelled("bayesian_network", what, name, place)
    return place[name]
