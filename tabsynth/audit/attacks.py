"""Membership attacks on one release: each gives every candidate a score, higher for likelier members."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
import numpy.typing as npt

from tabsynth.audit.close_numbers import close_numbers, has_numbers, shared_numbers
from tabsynth.audit.likelihood import Clique, Likelihood
from tabsynth.audit.neighbours import Matrix, Near, best_bandwidth, coordinates, search, space_of
from tabsynth.encode import EncodedTable
from tabsynth.metrics.learners import Boosting, Features, in_parallel, predict
from tabsynth.metrics.proximity import Space, is_copy

Scores = npt.NDArray[np.float64]

DISTANCE, DENSITY, CLASSIFIER = "distance", "density_ratio", "classifier"
MATCH, NUMBERS, CLOSE = "match", "numbers", "close_numbers"
GENERATIVE, CLIQUES = "generative", "cliques"
TITLES = {
    DISTANCE: "Distance, relative",
    DENSITY: "Density ratio",
    CLASSIFIER: "Classifier",
    GENERATIVE: "Generative likelihood",
    CLIQUES: "Likelihood of cliques",
    MATCH: "Exact and near match",
    NUMBERS: "Verbatim numbers",
    CLOSE: "Close numbers",
}
NEAR_SHARE = 0.01
"""Of the range of a column: how far numbers of a near match may differ, by root mean square."""
N_ROUNDS = 100


@dataclass(frozen=True, slots=True)
class Attacker:
    """What an attacker has before the release: candidates, and reference rows of the same population."""

    candidates: EncodedTable
    reference: EncodedTable
    space: Space
    embedded: Matrix
    bandwidth: float
    near_reference: Near
    matches_reference: Scores
    numbers_reference: Scores
    close_reference: Scores
    likelihood: Likelihood
    seed: int

    @classmethod
    def of(
        cls,
        candidates: EncodedTable,
        reference: EncodedTable,
        *,
        seed: int,
        cliques: tuple[Clique, ...] | None = None,
    ) -> Self:
        """Coordinates and bandwidth come from the reference alone, which holds no candidate's row.

        `cliques` are the columns that the release's engine is known to have measured together.
        """
        space = space_of(reference, [reference, candidates])
        known, asked = coordinates(space, reference), coordinates(space, candidates)
        bandwidth = best_bandwidth(space, known)
        near = search(asked, known, bandwidth=bandwidth)
        matches = _matches(candidates, reference, near, space)
        numbers = shared_numbers(candidates, of=reference)
        close = close_numbers(candidates, to=reference)
        likelihood = Likelihood.of(candidates, reference, cliques=cliques)
        return cls(
            candidates, reference, space, asked, bandwidth, near, matches, numbers, close, likelihood, seed
        )

    def scores(self, release: EncodedTable, *, whole: EncodedTable | None = None) -> dict[str, Scores]:
        """Of each attack, the score of every candidate, shape (n_candidates,).

        Where `release` is a part of a larger table, equal rows and numbers are sought in the `whole`.

        Numbers: in how many columns the candidate's number stands in the release, less in the reference.
        Close numbers: how near its numbers are to released ones, less how near to the reference's. Both see
        columns that are copied apart from each other, the second also where a tiny error was added; left out
        where no column is continuous.
        """
        searched = whole or release
        parts = in_parallel(
            [
                partial(self._by_distance, release, searched),
                partial(self._by_classifier, release),
                partial(self._by_likelihood, release),
            ]
        )
        found = {name: scores for part in parts for name, scores in part.items()}
        if has_numbers(self.candidates):
            found[NUMBERS] = shared_numbers(self.candidates, of=searched) - self.numbers_reference
            found[CLOSE] = close_numbers(self.candidates, to=searched) - self.close_reference
        return found

    def _by_distance(self, release: EncodedTable, whole: EncodedTable) -> dict[str, Scores]:
        """Three attacks from one search.

        Relative distance: log of the distance to the nearest reference row over that to the nearest
        released one. Density ratio: DOMIAS (van Breugel et al. 2023), log density under the release less
        that under the reference. Match: 2 for an equal released row, 1 for a near one, 0 for none, less
        the same for the reference.
        """
        near = search(self.embedded, coordinates(self.space, release), bandwidth=self.bandwidth)
        known = self.near_reference
        return {
            DISTANCE: 0.5 * (np.log(known.squared_distance) - np.log(near.squared_distance)),
            DENSITY: near.log_density - known.log_density,
            MATCH: _matches(self.candidates, whole, near, self.space) - self.matches_reference,
        }

    def _by_classifier(self, release: EncodedTable) -> dict[str, Scores]:
        """How sure boosted trees, taught released against reference rows, are of "released"."""
        features = Features.of([release, self.reference, self.candidates])
        matrix = np.concatenate([features.matrix(release), features.matrix(self.reference)])
        labels = np.repeat([1.0, 0.0], [release.n_rows, self.reference.n_rows])
        booster = Boosting(seed=self.seed, n_rounds=N_ROUNDS).fit(
            matrix, labels, features=features, objective={"objective": "binary"}
        )
        share = np.clip(predict(booster, features.matrix(self.candidates)), 1e-12, 1 - 1e-12)
        return {CLASSIFIER: np.log(share) - np.log1p(-share)}

    def _by_likelihood(self, release: EncodedTable) -> dict[str, Scores]:
        """Two attacks by the ratio of densities, of a whole network and of cells of few columns."""
        found = self.likelihood
        return {GENERATIVE: found.generative(release), CLIQUES: found.of_cliques(release)}


def _matches(queries: EncodedTable, rows: EncodedTable, near: Near, space: Space) -> Scores:
    """2 where a row is equal, 1 where all levels and nearly all of every number is, 0 elsewhere."""
    close = max(2.0 * NEAR_SHARE**2 * len(space.lines), 1e-12)
    return np.where(is_copy(queries, of=rows), 2.0, np.where(near.squared_distance <= close, 1.0, 0.0))
