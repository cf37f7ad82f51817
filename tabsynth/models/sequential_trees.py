"""A sequence of decision trees: each column is drawn from a tree on the columns before it.

Conditional distributions estimated one column after another by trees are how official statistics have long
made synthetic microdata (Reiter 2005, "Using CART to generate partially synthetic, public use microdata"; Nowok,
Raab and Dibben 2016, "synthpop"). Those draw the values of real rows from a leaf. Here a leaf holds counts of
pieces of the column's own distribution, in runs of at least `min_group` rows, and numbers are
drawn anew within pieces; splits are found on some of the rows and kept where all rows bear them out.

It gives no privacy guarantee: nothing is noisy. What attacks found is in docs/explanation/sequential-trees.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable, Variable
from tabsynth.errors import UsageError
from tabsynth.models.base import Progress, no_progress
from tabsynth.models.empirical import MIN_GROUP
from tabsynth.models.latent import Latent
from tabsynth.models.marginals import fit_latents, require_group_size
from tabsynth.models.trees.axes import ABSENT, bins_of, embedding, order_of, pieces_on, positions_of, singles
from tabsynth.models.trees.filling import fill_leaves
from tabsynth.models.trees.fitted import FittedSequentialTrees
from tabsynth.models.trees.growing import grow
from tabsynth.models.trees.leaves import Leaves
from tabsynth.models.trees.pruning import prune
from tabsynth.models.trees.stored import restore_trees
from tabsynth.models.trees.tree import Pieces, Tree
from tabsynth.privacy.plan import Part
from tabsynth.privacy.queries import AnyQueries, Queries
from tabsynth.privacy.splits import CountByLeaf, Splits
from tabsynth.randomness import Streams

MOST_GROWING_ROWS = 100_000
"""Splits are found on no more rows than this; leaves are counted on all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialTrees:
    """Recipe of the sequence of trees.

    `min_leaf` ≥ 1: the fewest rows of a leaf. `min_group` ≥ 1: the fewest rows that share a published value,
    stretch or run of a leaf; no leaf has fewer. `growing_share` in (0, 1]: the share of the rows that splits are
    found on. `penalty` ≥ 0: nats that a split must save for every parameter it adds; the larger,
    the fewer leaves and the less of single rows in them.
    """

    name: ClassVar[str] = "sequential_trees"
    guarantees: ClassVar[frozenset[str]] = frozenset({"none"})
    retains_rows: ClassVar[bool] = False
    summary: ClassVar[str] = "a tree per column on the columns before it; the most faithful without privacy"

    min_leaf: int = 30
    min_group: int = MIN_GROUP
    growing_share: float = 0.5
    penalty: float = 1.5

    def __post_init__(self) -> None:
        require_group_size(self.min_group)
        if self.min_leaf < 1 or not 0 < self.growing_share <= 1 or not self.penalty >= 0:
            raise UsageError(
                "sequential_trees needs a min_leaf of 1 or more, a growing_share above 0 and at most 1, and a penalty of "
                "0 or more"
            )

    def parts(self, variables: tuple[Variable, ...]) -> tuple[Part, ...]:  # noqa: ARG002
        return ()

    def fit(
        self, data: EncodedTable, *, queries: AnyQueries, streams: Streams, progress: Progress = no_progress
    ) -> FittedSequentialTrees:
        assert isinstance(queries, Queries)  # no other guarantee than "none", and the pipeline has seen to it
        progress("marginals", 0.0)
        latents = fit_latents(data, queries=queries, marginals="empirical", min_group=self.min_group)
        order = order_of(latents)
        pieces = [pieces_on(latent, data) for latent in latents]
        chosen = self._growing_rows(data.n_rows, streams)
        names = [latent.variable.name for latent in latents]
        tools = []  # charged here, in order, before threads race
        for place in range(len(order)):
            columns = sorted({names[other] for other in order[: place + 1]}, key=names.index)
            tools.append((queries.splits(columns=columns), queries.leaf_counts(columns=columns)))

        def fit_axis(place: int) -> tuple[Tree, Leaves]:
            progress("trees", 0.2 + 0.8 * place / len(order))
            axis, before = order[place], order[:place]
            return self._fit_axis(
                latents, axis, {b: pieces[b] for b in before}, pieces[axis], chosen, *tools[place]
            )

        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            found = dict(zip(order, pool.map(fit_axis, range(len(order))), strict=True))
        trees = tuple(found[axis][0] for axis in range(len(latents)))
        leaves = tuple(found[axis][1] for axis in range(len(latents)))
        return FittedSequentialTrees(latents, order, trees, leaves)

    def _growing_rows(self, n_rows: int, streams: Streams) -> npt.NDArray[np.bool_]:
        """Mask of the rows that splits are found on."""
        share = min(self.growing_share, MOST_GROWING_ROWS / max(n_rows, 1))
        return np.asarray(streams.generator("sequential_trees.grow").random(n_rows) < share)

    def _fit_axis(
        self,
        latents: Sequence[Latent],
        axis: int,
        known: Mapping[int, Pieces],
        wanted: Pieces,
        chosen: npt.NDArray[np.bool_],
        splits: Callable[..., Splits],
        leaf_counts: CountByLeaf,
    ) -> tuple[Tree, Leaves]:
        latent, n_pieces = latents[axis], len(latents[axis].marginal.mass)
        present = wanted != ABSENT
        if not present.all():
            known = {other: pieces[present] for other, pieces in known.items()}
            wanted, chosen = wanted[present], chosen[present]
        min_leaf = max(self.min_leaf, self.min_group)
        sizes = [len(other.marginal.mass) for other in latents]
        positions = positions_of(latent, wanted, known, sizes, leaf_counts)
        tree = grow(
            {other: pieces[chosen] for other, pieces in known.items()},
            latents,
            embedding(latent, positions)[wanted[chosen]],
            splits,
            min_leaf=max(1, round(min_leaf * self.growing_share)),
            min_group=self.min_group,
            seed=axis,
        )
        if tree.n_nodes > 1:
            keys, rows = leaf_counts(tree.leaf_of(known, len(wanted)), wanted, n_pieces)
            tree = prune(
                tree, keys, rows, bins_of(latent, positions), penalty=self.penalty, min_leaf=min_leaf
            )
        keys, rows = leaf_counts(tree.leaf_of(known, len(wanted)), wanted, n_pieces)
        return tree, fill_leaves(tree, keys, rows, singles(latent), min_group=self.min_group)

    @classmethod
    def restore(
        cls,
        variables: tuple[Variable, ...],
        arrays: Mapping[str, npt.NDArray[Any]],
        parameters: Mapping[str, Any],
    ) -> FittedSequentialTrees:
        return restore_trees(variables, arrays, parameters)
