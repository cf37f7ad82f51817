"""Which pairs of columns to measure, and how precisely: from released dependence scores alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.models.network.releases import MEAN_ABSOLUTE, Releases, rounded
from tabsynth.models.network.triangulation import Pair, grow_best
from tabsynth.models.network.workload import Workload

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_WORTH = 0.7  # least score of a pair, in multiples of what its noise alone would score
_THRIFTS = (0.3, 0.5, 0.1, 0.8)  # pairs are tried in order of score / cells**thrift
_MANY_COLUMNS = 25  # from which on only two of them are, as each takes long
_FUNCTIONAL = 0.85  # of the score that a function would reach
_FUNCTION_NOISE = 0.5  # of the rows: the most that noise may move in a near-function's table
_FUNCTION_SHARE = 0.04  # of all releases, for each near-functional dependence
NOTHING = Workload()
NO_PAIRS: Mapping[Pair, float] = {}


@dataclass(frozen=True, slots=True)
class Function:
    """A column that is all but a function of another: it hangs on it by a table of fine cells."""

    child: int
    parent: int


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was measured before: functions, and pairs with their releases; what its model leaves of other pairs' scores."""

    functions: tuple[Function, ...]
    repeats: Mapping[Pair, int]
    unexplained: Mapping[Pair, float]


@dataclass(frozen=True, slots=True)
class Choice:
    """Cliques over all columns but the functions' children; pairs inside them with their releases.

    Pairs measured before may get 0 more. `column_repeats`: further releases of each column's own counts, where few
    pairs are worth measuring. `held`: the share of the scores worth measuring that the cliques hold. `told`: further pairs inside
    them that are not measured, as public rows tell of them.
    """

    functions: tuple[Function, ...]
    function_repeats: int
    cliques: tuple[tuple[int, ...], ...]
    pairs: tuple[Pair, ...]
    repeats: tuple[int, ...]
    column_repeats: tuple[int, ...] = ()
    held: float = 1.0
    told: tuple[Pair, ...] = ()


def reference(first: Floats, second: Floats) -> Integers:
    """Integer counts of a pair if its columns were independent, from released one-way counts of the same total."""
    total = max(float(first.sum()), 1.0)
    return np.rint(np.outer(first, second) / total).astype(np.int64)


def excess(score: float, expected: Integers) -> float:
    """A dependence score less what independent rows would score by chance, Σ √(2 n / π)."""
    return score - MEAN_ABSOLUTE * float(np.sqrt(np.maximum(expected, 0)).sum())


def choose(
    scores: Mapping[Pair, float],
    coarse: Sequence[Floats],
    *,
    scale: float,
    n_releases: int,
    most_cells: int,
    fine: Sequence[int] = (),
    merged: Sequence[int] = (),
    known: float = math.inf,
    workload: Workload = NOTHING,
    part: float = 1.0,
    earlier: Earlier | None = None,
    is_quick: bool = False,
    public_error: Mapping[Pair, float] = NO_PAIRS,
    information: Mapping[Pair, float] | None = None,
) -> Choice:
    """What to measure with `n_releases` ≥ 1 releases whose noise has standard deviation `scale` ≥ 0.

    `scores` are the released excess scores of all pairs (i < j), `coarse` the released one-way counts. A
    pair is worth measuring where its score stands out from the error that its noise makes; releases go to
    pairs in proportion to cells^(2/3), which makes the sum of these errors least. The columns' own counts,
    of `fine` cells each, `merged` of them with others in their coarse cell, compete for releases in the same way, less the
    `known` ≥ 0 that they are worth.
    Pairs of the `workload` go before others and are measured more precisely, as they are what the table is for.

    A first round spends only `part` < 1 of the releases, and none on columns. After one, given as `earlier`, what it measured
    stays, and what is left unexplained of their scores says which other pairs the tree holds. `is_quick`: pairs are tried in
    one order, not in several. `public_error`: the sum of absolute errors in the counts of pairs as public rows tell of them;
    those that stand out from it, but not from noise, take room in the tree and no release. `information`, of exact counts: what
    pairs are worth in place of their scores, in nats; scores still find the functions.
    """
    sizes = [len(counts) for counts in coarse]
    functions, function_repeats = _functions(scores, coarse, n_releases, fine, scale, workload, earlier)
    children = {function.child for function in functions}
    left = max(n_releases - function_repeats * len(functions), 0)
    if earlier is None:
        left = round(part * left)
    spent = {} if earlier is None else dict(earlier.repeats)
    worth = {
        pair: workload.score(pair) * value
        for pair, value in (scores if information is None else information).items()
        if value > 0 and not children & set(pair)
    }
    releases = Releases(sizes, tuple(fine), tuple(merged) or (0,) * len(fine), known, left, workload, spent)
    dependent, worth = worth, _standing_out(worth, releases, scale)
    told = {
        pair: value
        for pair, value in dependent.items()
        if pair not in worth and value > _WORTH * public_error.get(pair, math.inf)
    }
    worth |= told
    if earlier is not None:
        worth |= {
            pair: workload.score(pair) * earlier.unexplained[pair] for pair in worth if pair not in spent
        }
    n_orders = 1 if is_quick else 2 if len(sizes) >= _MANY_COLUMNS else len(_THRIFTS)
    orders = [_backbone_first(_by_worth(worth, sizes, thrift)) for thrift in _THRIFTS[:n_orders]]
    orders = [sorted(order, key=lambda pair: pair not in spent) for order in orders]
    inside = [size if v not in children else 1 for v, size in enumerate(sizes)]
    found = grow_best(orders, worth, inside, most_cells=most_cells)
    cliques = [clique for clique in found if not children & set(clique)]
    inside_cliques = [pair for pair in orders[0] if any(set(pair) <= set(clique) for clique in cliques)]
    held = math.fsum(worth[pair] for pair in inside_cliques) / max(math.fsum(worth.values()), 1e-300)
    measured = [pair for pair in inside_cliques if pair not in told][: left + len(spent)]
    least = np.array([pair not in spent for pair in measured] + [False for _ in fine], dtype=np.int64)
    repeats = rounded(releases.best(measured), least, left)
    return Choice(
        functions=functions,
        function_repeats=function_repeats,
        cliques=tuple(cliques),
        pairs=tuple(measured),
        repeats=tuple(repeats[: len(measured)]),
        column_repeats=tuple(repeats[len(measured) :]) if part == 1 else (),
        held=held if worth else 1.0,
        told=tuple(pair for pair in inside_cliques if pair in told),
    )


def _standing_out(worth: Mapping[Pair, float], releases: Releases, scale: float) -> dict[Pair, float]:
    """The pairs whose worth is more than what their noise would make, once those that are not get no releases."""
    kept = dict(worth)
    for _ in range(8):
        noise = releases.noise(list(kept), scale)
        left = {
            pair: value
            for pair, value in kept.items()
            if pair in releases.spent or value > _WORTH * noise[pair]
        }
        if len(left) == len(kept):
            break
        kept = left
    return kept


def _by_worth(worth: Mapping[Pair, float], sizes: Sequence[int], thrift: float) -> list[Pair]:
    """The pairs by their worth for each of their cells**`thrift`, the best first."""
    return sorted(worth, key=lambda pair: (-worth[pair] / (sizes[pair[0]] * sizes[pair[1]]) ** thrift, pair))


def _backbone_first(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs of a maximum spanning forest, in their order, then the others in theirs.

    A column whose few rare values make all its scores small is joined by the best of them all the same, as in
    a tree of Chow and Liu (1968), before strong columns fill the junction tree among themselves.
    """
    root: dict[int, int] = {}

    def found(v: int) -> int:
        while v in root:
            v = root[v]
        return v

    backbone = []
    for pair in pairs:
        first, second = found(pair[0]), found(pair[1])
        if first != second:
            root[first] = second
            backbone.append(pair)
    held = set(backbone)
    return backbone + [pair for pair in pairs if pair not in held]


def _functions(
    scores: Mapping[Pair, float],
    coarse: Sequence[Floats],
    n_releases: int,
    fine: Sequence[int],
    scale: float,
    workload: Workload,
    earlier: Earlier | None,
) -> tuple[tuple[Function, ...], int]:
    """Columns that are all but functions of others, those of the workload never, and the releases of each table."""
    if earlier is not None:
        return earlier.functions, 0
    repeats = max(1, round(_FUNCTION_SHARE * n_releases))
    found = _near_functions(scores, coarse, n_releases, fine, MEAN_ABSOLUTE * scale / math.sqrt(repeats))
    functions = tuple(function for function in found if function.child not in workload.columns)
    return functions, repeats * bool(functions)


def _near_functions(
    scores: Mapping[Pair, float],
    coarse: Sequence[Floats],
    n_releases: int,
    fine: Sequence[int],
    noise_of_cell: float,
) -> tuple[Function, ...]:
    """Children that are all but functions of a parent; no column is both, and no child has two parents.

    A function of another column reaches the score 2 n (1 - Σ q²), q the child's own distribution. Noise in
    the table of their fine cells must stay below half of the rows; else they are a pair like others.
    """
    most = int(0.25 / _FUNCTION_SHARE) if n_releases > 1 / _FUNCTION_SHARE else 0
    found: dict[int, int] = {}
    for pair, score in sorted(scores.items(), key=lambda entry: (-entry[1], entry[0])):
        for child, parent in (pair, pair[::-1]):
            counts = coarse[child]
            total = max(float(counts.sum()), 1.0)
            whole = 2 * total * (1 - float(((counts / total) ** 2).sum()))
            noise = noise_of_cell * (fine[child] * fine[parent] if fine else 1)
            if (
                2 < len(counts) <= len(coarse[parent]) + 1
                and score > _FUNCTIONAL * whole > 0
                and noise <= _FUNCTION_NOISE * total
                and not {child, parent} & found.keys()
                and child not in found.values()
                and len(found) < most
            ):
                found[child] = parent
                break
    return tuple(Function(child, parent) for child, parent in sorted(found.items()))


def all_pairs(n_columns: int) -> list[Pair]:
    """Every pair i < j."""
    return list(itertools.combinations(range(n_columns), 2))
