"""Two rounds of measuring: pairs of a small tree first, then those whose dependence its model does not explain.

A score says how far a pair is from independence, but not whether other pairs imply it: if age goes with marital status
and that with hours, age goes with hours. Room in a junction tree is scarce, and greedy choice by scores alone fills it with
pairs that explain one another. So where the tree cannot hold all that is worth measuring, a first round measures what a
small one holds and fits it roughly. The score that its model would lead to in every other pair is compared with the released
one, and the second round chooses by the difference, as PrivMRF and AIM choose by a model's error (Cai et al. 2021; McKenna
et al. 2022), but without any further look at the data: the released scores are used twice. Without privacy the pairs' counts are at
hand, and both rounds go by the logarithmic score instead (`saved`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from tabsynth.models.network.choice import Choice, Earlier, all_pairs, choose, excess, reference
from tabsynth.models.network.exact import joint_of
from tabsynth.models.network.junction_tree import JunctionTree
from tabsynth.models.network.loglinear import LogLinear, fit_loglinear
from tabsynth.models.network.measuring import (
    PAIRS,
    Counted,
    Measured,
    Released,
    base_of,
    drifts_of,
    measured,
    release,
)
from tabsynth.models.network.public import Forecast, drifting
from tabsynth.models.network.releases import MEAN_ABSOLUTE
from tabsynth.models.network.triangulation import Pair
from tabsynth.models.network.workload import Workload
from tabsynth.privacy.queries import AnyQueries, Measurement, Queries

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SCORES = "dependence of pairs"
RELEASES = 16  # of pair marginals, for each column
_FIRST_CELLS = 40_000  # of the small tree
_FIRST_PART = 0.5  # of the releases, for its pairs
_FIRST_ITERATIONS = 20
_LEAST_EXPECTED = 1e-9  # rows
_LAST = 1e-6  # nats for a row of the score, so that such pairs fill what room is left
_ENOUGH = 0.99  # of the scores worth measuring: a tree that holds them needs no second round


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The released L1 distance of every pair's counts from integer references, which independent columns would have.

    `counts` are those of the pairs where they are exact.
    """

    values: Mapping[Pair, float]
    references: Mapping[Pair, Integers]
    counts: Mapping[Pair, Floats] | None = None

    @property
    def excess(self) -> dict[Pair, float]:
        """The scores less what independent rows would score by chance."""
        return {pair: excess(score, self.references[pair]) for pair, score in self.values.items()}

    @property
    def information(self) -> dict[Pair, float] | None:
        """What each pair's exact counts save on independent columns, in nats (`saved`); None where they are not at hand.

        Pairs that are dependent beyond chance but not worth their parameters, as all may be of a few hundred rows, come last, by their scores.
        """
        if self.counts is None:
            return None
        found = {}
        for pair, each in self.counts.items():
            expected = np.outer(each.sum(axis=1), each.sum(axis=0)) / max(float(each.sum()), 1.0)
            last = _LAST * excess(self.values[pair], self.references[pair])
            found[pair] = max(saved(each, expected), last)
        return found


def score_pairs(table: Counted, queries: AnyQueries) -> Scores:
    """The dependence scores of all pairs, released once; without privacy their counts, from which scores follow."""
    pairs, columns = all_pairs(len(table.columns)), table.columns
    references = {(i, j): reference(columns[i].coarse_counts, columns[j].coarse_counts) for i, j in pairs}
    wanted = [table.pair(*pair) for pair in pairs]
    if isinstance(queries, Queries):
        found = queries.marginals(SCORES, wanted) if wanted else []
        counts = {pair: each.values for pair, each in zip(pairs, found, strict=True)}
        distances = {pair: float(np.abs(each - references[pair]).sum()) for pair, each in counts.items()}
        return Scores(distances, references, counts)
    released = queries.dependence_scores(SCORES, wanted, list(references.values())).values
    return Scores(dict(zip(pairs, map(float, released), strict=True)), references)


def saved(counts: Floats, expected: Floats) -> float:
    """Nats that a table of `counts` saves on rows of `expected` ≥ 0 ones, less one for each of its (r - 1) (c - 1) parameters.

    The logarithmic score, which no other distribution than the true one beats on average (a proper score: Good 1952), and
    the price of a parameter by Akaike (1974).
    """
    seen = counts > 0
    told = counts[seen] * np.log(counts[seen] / np.maximum(expected[seen], _LEAST_EXPECTED))
    n_parameters: int = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    return float(told.sum()) - n_parameters


def told_scores(
    table: Counted, scores: Scores, counted: Sequence[Measurement], queries: AnyQueries
) -> tuple[Scores, Mapping[Pair, float]]:
    """Scores with those of the public rows, and how far these may be wrong in each pair's counts.

    Released and public scores are weighted by the inverse of their variances; that of the public ones is how far both differ
    over all pairs beyond the noise. Without public rows, the scores as they are.
    """
    public = table.public
    if public is None or isinstance(queries, Queries) or not scores.values:
        return scores, {}
    total = max(float(table.columns[0].counts.sum()), 1.0)
    drifts = drifts_of(counted, public, total)
    told, errors = {}, {}
    for pair in scores.values:
        columns = [table.columns[v] for v in pair]
        forecast = public.pair(
            pair, [column.coarse for column in columns], [column.coarse_counts for column in columns]
        )
        if forecast is not None:
            told[pair] = _public_score(forecast)
            drift = max(drifts[v] for v in pair)
            errors[pair] = MEAN_ABSOLUTE * float(np.sqrt(drifting(forecast, drift).variance).sum())
    if not told:
        return scores, {}
    released = scores.excess
    noise = queries.plan[SCORES].mechanism.scale ** 2
    apart = float(np.mean([(released[pair] - told[pair]) ** 2 for pair in told])) - noise
    share = max(apart, 1e-9) / (max(apart, 1e-9) + noise)
    moved = {pair: scores.values[pair] + (1 - share) * (told[pair] - released[pair]) for pair in told}
    return Scores({**scores.values, **moved}, scores.references), errors


def _public_score(forecast: Forecast) -> float:
    """The excess score of a pair as public rows forecast its counts."""
    counts, total = forecast.counts, max(float(forecast.counts.sum()), 1e-300)
    independent = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / total
    share = total / forecast.n_rows
    by_chance = MEAN_ABSOLUTE * float(np.sqrt(independent / share).sum()) * share
    return float(np.abs(counts - independent).sum()) - by_chance


def unexplained(scores: Scores, model: LogLinear, pairs: Sequence[Pair], total: float) -> dict[Pair, float]:
    """How far each pair's released score is from what `total` rows of the model would score; of exact counts, what they save on it."""
    found = {}
    for pair in pairs:
        counts = joint_of(model.tree, model.beliefs, pair) * total
        if scores.counts is not None:
            found[pair] = max(saved(scores.counts[pair], counts), 0.0)
            continue
        found[pair] = abs(scores.values[pair] - expected_score(counts, scores.references[pair]))
    return found


def expected_score(counts: Floats, expected: Integers) -> float:
    """The mean of Σ |n - reference| over cells, n normal about the model's `counts` ≥ 0 with their variance (folded normal)."""
    from scipy.special import ndtr

    deviation, distance = np.sqrt(np.maximum(counts, 1e-12)), counts - expected
    at = distance / deviation
    chance = deviation * MEAN_ABSOLUTE * np.exp(-0.5 * at**2)
    return float((chance + distance * (1 - 2 * ndtr(-at))).sum())


def measure_in_rounds(
    table: Counted,
    counted: Sequence[Measurement],
    queries: AnyQueries,
    *,
    most_cells: int,
    ridge: float,
    workload: Workload,
) -> tuple[Choice, Measured]:
    """What was chosen and measured in all, to fit a model of at most `most_cells` cells to."""
    scores = score_pairs(table, queries)
    n_releases, scale, fine = RELEASES * len(table.columns), 0.0, list[int]()
    if not isinstance(queries, Queries):
        # Drafts of text that turn out never to be missing leave releases over.
        n_releases, scale = queries.left(PAIRS), queries.plan[PAIRS].mechanism.scale
        fine = [column.cells.n_cells for column in table.columns]
    variance = counted[0].variance
    coarse = [column.coarse_counts for column in table.columns]
    known = scale**2 / variance if variance > 0 else math.inf
    scores, public_error = told_scores(table, scores, counted, queries)
    chosen = partial(
        choose,
        scores.excess,
        coarse,
        scale=scale,
        fine=fine,
        merged=[column.n_merged for column in table.columns] if fine else [],
        known=known,
        workload=workload,
        public_error=public_error,
        information=scores.information,
    )
    released = Released(tuple(counted), {}, {})
    is_large = most_cells > _FIRST_CELLS
    choice = chosen(n_releases=n_releases, most_cells=most_cells, is_quick=is_large)
    if choice.held < _ENOUGH and is_large:
        first = chosen(n_releases=n_releases, most_cells=_FIRST_CELLS, part=_FIRST_PART)
        released = release(table, first, queries, released)
        n_releases -= sum(first.repeats) + first.function_repeats * len(first.functions)
        earlier = _earlier(table, scores, first, released, ridge)
        choice = chosen(n_releases=n_releases, most_cells=most_cells, earlier=earlier)
    return choice, measured(table, choice, release(table, choice, queries, released))


def fitted_to(found: Measured, choice: Choice, *, ridge: float, most_iterations: int) -> LogLinear:
    """The model on the cliques of `choice` that is fitted to all that was measured."""
    return fit_loglinear(
        JunctionTree.of(choice.cliques, [column.n_coarse for column in found.columns]),
        found.tables,
        base=[base_of(column) for column in found.columns],
        total=found.total,
        ridge=ridge,
        most_iterations=most_iterations,
    )


def _earlier(table: Counted, scores: Scores, first: Choice, released: Released, ridge: float) -> Earlier:
    """What the first round spent, and what a rough model of it leaves of the scores of pairs in its tree."""
    so_far = measured(table, first, released)
    rough = fitted_to(so_far, first, ridge=ridge, most_iterations=_FIRST_ITERATIONS)
    repeats = dict(zip(first.pairs, first.repeats, strict=True))
    inside = {v for clique in first.cliques for v in clique}
    others = [pair for pair in scores.values if pair not in repeats and set(pair) <= inside]
    left = unexplained(scores, rough, others, so_far.total)
    return Earlier(first.functions, repeats, {pair: left.get(pair, 0.0) for pair in scores.values})
