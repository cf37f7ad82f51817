"""Which pairs of columns to measure, and how precisely: from released dependence scores alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.models.network.triangulation import Pair, grow_best

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_MEAN_ABSOLUTE = math.sqrt(2 / math.pi)  # of a standard normal variable
_WORTH = 0.7  # least score of a pair, in multiples of what its noise alone would score
_THRIFTS = (0.3, 0.5, 0.1, 0.8)  # pairs are tried in order of score / cells**thrift
_MANY_COLUMNS = 25  # from which on only two of them are, as each takes long
_FUNCTIONAL = 0.85  # of the score that a function would reach
_FUNCTION_NOISE = 0.5  # of the rows: the most that noise may move in a near-function's table
_FUNCTION_SHARE = 0.04  # of all releases, for each near-functional dependence
_TARGET_SCORE = 4.0  # how many times over a dependence on the target counts
_TARGET_RELEASES = 2.0  # and its releases
_COLUMN_WEIGHT = 0.85  # of the error in a column's own counts, against that in a pair's


@dataclass(frozen=True, slots=True)
class Function:
    """A column that is all but a function of another: it hangs on it by a table of fine cells."""

    child: int
    parent: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Cliques over all columns but the functions' children; pairs inside them with their releases.

    `column_repeats`: further releases of each column's own counts, where few pairs are worth measuring.
    """

    functions: tuple[Function, ...]
    function_repeats: int
    cliques: tuple[tuple[int, ...], ...]
    pairs: tuple[Pair, ...]
    repeats: tuple[int, ...]
    column_repeats: tuple[int, ...] = ()


def reference(first: Floats, second: Floats) -> Integers:
    """Integer counts of a pair if its columns were independent, from released one-way counts of the same total."""
    total = max(float(first.sum()), 1.0)
    return np.rint(np.outer(first, second) / total).astype(np.int64)


def excess(score: float, expected: Integers) -> float:
    """A dependence score less what independent rows would score by chance, Σ √(2 n / π)."""
    return score - _MEAN_ABSOLUTE * float(np.sqrt(np.maximum(expected, 0)).sum())


def choose(
    scores: Mapping[Pair, float],
    coarse: Sequence[Floats],
    *,
    scale: float,
    n_releases: int,
    most_cells: int,
    fine: Sequence[int] = (),
    known: float = math.inf,
    target: int | None = None,
) -> Choice:
    """What to measure with `n_releases` ≥ 1 releases whose noise has standard deviation `scale` ≥ 0.

    `scores` are the released excess scores of all pairs (i < j), `coarse` the released one-way counts. A
    pair is worth measuring where its score stands out from the error that its noise makes; releases go to
    pairs in proportion to cells^(2/3), which makes the sum of these errors least. The columns' own counts,
    of `fine` cells each, compete for releases in the same way, less the `known` ≥ 0 that they are worth.
    Pairs with the `target` go before others and are measured more precisely, as it is what the table is for.
    """
    sizes = [len(counts) for counts in coarse]
    function_repeats = max(1, round(_FUNCTION_SHARE * n_releases))
    noise_of_cell = _MEAN_ABSOLUTE * scale / math.sqrt(function_repeats)
    importance = {pair: _TARGET_SCORE if target in pair else 1.0 for pair in scores}
    functions = _functions(scores, coarse, n_releases, fine, noise_of_cell)
    functions = tuple(function for function in functions if function.child != target)
    children = {function.child for function in functions}
    function_repeats *= bool(functions)
    left = max(n_releases - function_repeats * len(functions), 0)
    worthy = [pair for pair, score in scores.items() if score > 0 and not children & set(pair)]
    for _ in range(8):
        releases = _releases(worthy, sizes, fine, known, left, target)[: len(worthy)]
        noise = _noise(worthy, sizes, scale, releases)
        kept = [pair for pair in worthy if importance[pair] * scores[pair] > _WORTH * noise[pair]]
        if len(kept) == len(worthy):
            break
        worthy = kept
    worth = {pair: importance[pair] * scores[pair] for pair in worthy}
    thrifts = _THRIFTS if len(sizes) < _MANY_COLUMNS else _THRIFTS[:2]
    orders = [_backbone_first(_by_worth(worth, sizes, thrift)) for thrift in thrifts]
    worthy = orders[0]
    inside = [size if v not in children else 1 for v, size in enumerate(sizes)]
    found = grow_best(orders, worth, inside, most_cells=most_cells)
    cliques = [clique for clique in found if not children & set(clique)]
    measured = [pair for pair in worthy if any(set(pair) <= set(clique) for clique in cliques)][:left]
    wanted = _releases(measured, sizes, fine, known, left, target)
    least = np.repeat([1, 0], [len(measured), len(fine)])
    repeats = _rounded(wanted, least, left)
    return Choice(
        functions=functions,
        function_repeats=function_repeats,
        cliques=tuple(cliques),
        pairs=tuple(measured),
        repeats=tuple(repeats[: len(measured)]),
        column_repeats=tuple(repeats[len(measured) :]),
    )


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


def _releases(
    pairs: Sequence[Pair],
    sizes: Sequence[int],
    fine: Sequence[int],
    known: float,
    n_releases: int,
    target: int | None = None,
) -> Floats:
    """The best releases of each pair and then of each column, not yet whole, (n_pairs + n_columns,).

    Least Σ cells / √(releases + what is known already): in proportion to cells^(2/3), by water-filling.
    """
    weights = np.array(
        [(sizes[a] * sizes[b]) ** (2 / 3) * (_TARGET_RELEASES if target in (a, b) else 1) for a, b in pairs]
        + [_COLUMN_WEIGHT * n_cells ** (2 / 3) for n_cells in fine]
    )
    given = np.repeat([0.0, known], [len(pairs), len(fine)])
    if math.isinf(known):
        weights[len(pairs) :], given[len(pairs) :] = 0.0, 0.0
    is_open = weights > 0
    for _ in range(len(weights) + 1):
        level = (n_releases + given[is_open].sum()) / max(weights[is_open].sum(), 1e-300)
        is_wanting = is_open & (weights * level > given)
        if (is_wanting == is_open).all():
            break
        is_open = is_wanting
    return np.where(is_open, weights * level - given, 0.0)


def _noise(pairs: Sequence[Pair], sizes: Sequence[int], scale: float, releases: Floats) -> dict[Pair, float]:
    """The sum of absolute errors that noise makes in each pair's counts."""
    cells = np.array([sizes[a] * sizes[b] for a, b in pairs], dtype=np.float64)
    errors = _MEAN_ABSOLUTE * cells * scale / np.sqrt(np.maximum(releases, 1e-9))
    return dict(zip(pairs, errors.tolist(), strict=True))


def _rounded(wanted: Floats, least: npt.NDArray[np.int64], n_releases: int) -> list[int]:
    """Whole releases near `wanted`, each at least `least`, `n_releases` in all (largest remainders)."""
    spare = n_releases - int(least.sum())
    above = np.maximum(wanted - least, 0)
    if spare <= 0 or above.sum() <= 0:
        return [int(n) for n in least]
    above = spare * above / above.sum()
    repeats = least + np.floor(above).astype(np.int64)
    rest = n_releases - int(repeats.sum())
    repeats[np.argsort(-(above % 1), kind="stable")[:rest]] += 1
    return [int(n) for n in repeats]


def all_pairs(n_columns: int) -> list[Pair]:
    """Every pair i < j."""
    return list(itertools.combinations(range(n_columns), 2))
