"""Would trees with a privacy budget be worth it? Three sequences of them beside the network, at the same budget.

    python benchmarks/private_trees.py --table adult_half --epsilon 1 --runs 3 --data DIR --scorer score.py --peer-python PY

A laboratory, not an engine: columns in order, each drawn from noisy counts in the leaves of a tree on the columns before it. All three ask for
one-way counts and scores of pairs as `bayesian_network` does, with the same shares of the budget, and spend what that spends on pairs on their leaves
(one noisy table of leaves by coarse cells for each column). Leaves are shrunk towards the nodes above them, as far as noise explains what they say, and rows are
drawn and halved by the network's own code. They differ in where splits come from:

public    from released numbers alone: the column with the highest score of its pair, halved where its one-way counts have their middle
private   by the exponential mechanism (McSherry and Talwar 2007), level by level, for a fifth of what leaves get
free      from the private rows, and nothing is paid for them: NOT private, a bound on what any private choice of splits could reach

Gumbel noise of `private` comes from numpy, and is accounted for as Gaussian noise of the same zero-concentrated cost (Cesar and Rogers 2021: ε² / 8), which
flatters it, and that a split leaves enough rows is seen without a price. Tables, target and scorer as in private.py. Writes results/private_trees_TABLE_EPSILON.json.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import private

from tabsynth.encode import EncodedTable, Variable
from tabsynth.models import registry
from tabsynth.models.base import Progress, no_progress
from tabsynth.models.frequent_values import frequent_parts
from tabsynth.models.halving import halved
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.network.measuring import Counted, cells_of_columns, count_columns
from tabsynth.models.network.rounds import SCORES, score_pairs
from tabsynth.models.noisy_marginals import ONE_WAY
from tabsynth.models.spreading import even_positions, order_of_neighbours
from tabsynth.privacy.plan import Part
from tabsynth.privacy.queries import AnyQueries, Marginal, Queries
from tabsynth.randomness import Streams

Floats = npt.NDArray[np.float64]
Cells = npt.NDArray[np.intp]

LEAVES, SPLITS = "leaves of a tree", "splits of a tree"
HALVINGS = 3
OF_SPLITS = 0.2  # of what leaves and splits get together
MOST_LEVELS = 6  # of splits that are paid for
SENSITIVITY = 1.5  # of a score: half the L1 distance of two children's counts from independence
AGAIN = 0.5  # what a column's score is worth once it has been split by
MOST_LEAVES = 512


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """Which states of each axis lie in it, and the path of nodes above it."""

    inside: Mapping[int, npt.NDArray[np.bool_]]
    path: tuple[int, ...]
    used: Mapping[int, float]

    def child(self, axis: int, states: npt.NDArray[np.bool_], number: int) -> Node:
        used = {**self.used, axis: self.used.get(axis, 1.0) * AGAIN}
        return Node({**self.inside, axis: self.inside[axis] & states}, (*self.path, number), used)


@dataclass(frozen=True, slots=True, eq=False)
class Grown:
    """A column's tree: leaves by the states inside them, each with the share of every state, (n_leaves, n_states)."""

    leaves: Sequence[Node]
    shares: Floats

    def leaf_of(self, states: Mapping[int, Cells], n_rows: int) -> Cells:
        found = np.zeros(n_rows, dtype=np.intp)
        for number, leaf in enumerate(self.leaves):
            axes = [axis for axis, inside in leaf.inside.items() if not inside.all()]
            is_in = np.ones(n_rows, dtype=np.bool_)
            for axis in axes:
                is_in &= leaf.inside[axis][states[axis]]
            found[is_in] = number
        return found


@dataclass(frozen=True, slots=True, eq=False)
class FittedPrivateTrees:
    """Columns in cells, the order they are drawn in, and the tree of each."""

    columns: tuple[NetworkColumn, ...]
    order: tuple[int, ...]
    trees: Mapping[int, Grown]
    target: int | None

    @property
    def variables(self) -> tuple[Variable, ...]:
        return tuple(column.variable for column in self.columns)

    def sample_block(self, block: int, *, n_rows: int, streams: Streams) -> EncodedTable:
        rng = streams.generator("private_trees.sample", block)
        sizes = [column.n_coarse for column in self.columns]
        states: dict[int, Cells] = {}
        n_drawn = n_rows << HALVINGS
        for v in self.order:
            tree = self.trees[v]
            leaf = tree.leaf_of(states, n_drawn)
            beside = (
                order_of_neighbours([states[u] for u in states], [sizes[u] for u in states], rng)
                if states
                else None
            )
            ends = np.cumsum(tree.shares, axis=1)
            ends[:, -1] = 1.0
            line = (ends + np.arange(len(ends))[:, None]).ravel()
            position = leaf + even_positions(leaf, len(ends), rng, beside=beside)
            states[v] = np.clip(
                np.searchsorted(line, position, side="right") - leaf * sizes[v], 0, sizes[v] - 1
            )
        for _ in range(HALVINGS):
            kept = halved([states[v] for v in range(len(sizes))], sizes, rng, target=self.target)
            states = {v: cells[kept] for v, cells in states.items()}
        found = {}
        for v, column in enumerate(self.columns):
            others = [u for u in states if u != v]
            beside = (
                order_of_neighbours([states[u] for u in others], [sizes[u] for u in others], rng)
                if others
                else None
            )
            fine = column.fine_of(states[v], rng, beside=beside)
            found[column.variable.name] = column.encoded(fine, rng)
        return EncodedTable(n_rows, found)

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        return {}

    def parameters(self) -> Mapping[str, Any]:
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateTrees:
    """Recipe: where splits come from, the target, and the rows that a leaf is expected to have for each standard deviation of noise in all of its cells together."""

    name: ClassVar[str] = "private_trees"
    guarantees: ClassVar[frozenset[str]] = frozenset({"dp"})
    retains_rows: ClassVar[bool] = False
    summary: ClassVar[str] = "a laboratory"

    splits: str = "public"
    target: str = ""
    signal: float = 4.0

    def parts(self, variables: tuple[Variable, ...]) -> tuple[Part, ...]:
        n, paid = len(variables), OF_SPLITS if self.splits == "private" else 0.0
        found = [
            Part(statistic=ONE_WAY, share=0.13, count=n),
            *frequent_parts(variables, share=0.06),
            Part(statistic=SCORES, share=0.03, count=n * (n - 1) // 2),
            Part(statistic=LEAVES, share=0.78 * (1 - paid), count=n - 1),
        ]
        if paid:
            found.append(Part(statistic=SPLITS, share=0.78 * paid, count=n - 1))
        return tuple(found)

    def fit(
        self, data: EncodedTable, *, queries: AnyQueries, streams: Streams, progress: Progress = no_progress
    ) -> FittedPrivateTrees:
        assert not isinstance(queries, Queries), "a comparison of private fits"
        names = tuple(data.columns)
        cells = cells_of_columns(data, queries, min_group=1)
        fine = [cell.cells_of(column) for cell, column in zip(cells, data.columns.values(), strict=True)]
        columns, _counted = count_columns(names, cells, fine, queries, most_coarse=0)
        coarse = tuple(
            column.coarse.astype(np.uint16)[codes] for column, codes in zip(columns, fine, strict=True)
        )
        table = Counted(names, columns, tuple(fine), coarse)
        excess = score_pairs(table, queries).excess
        target = names.index(self.target) if self.target else None
        total = max(float(columns[0].counts.sum()), 1.0)
        order = sorted(range(len(names)), key=lambda v: (v != target, columns[v].n_coarse))
        scale = queries.plan[LEAVES].mechanism.scale
        level_cost = 0.0
        if self.splits == "private":
            level_cost = 1 / (2 * queries.plan[SPLITS].mechanism.scale ** 2) / MOST_LEVELS
        rng = streams.generator("private_trees.splits")
        trees = {
            order[0]: Grown([Node({}, (0,), {})], columns[order[0]].coarse_counts[None, :] / total),
        }
        for place, v in enumerate(order[1:], start=1):
            progress("trees", place / len(order))
            known = order[:place]
            grower = Grower(
                columns,
                coarse,
                v,
                {u: max(excess[min(u, v), max(u, v)], 0.0) for u in known},
                least=self.signal * scale * columns[v].n_coarse ** 0.5,
                total=total,
            )
            leaves = {
                "public": grower.by_released,
                "private": lambda one=grower: one.by_rows(rng, (8 * level_cost) ** 0.5, MOST_LEVELS),
                "free": lambda one=grower: one.by_rows(rng, np.inf, 40),
            }[self.splits]()
            tree = Grown(leaves, np.zeros(0))
            leaf = tree.leaf_of({u: coarse[u] for u in known}, data.n_rows).astype(np.uint16)
            shape = (len(leaves), columns[v].n_coarse)
            asked = Marginal((*(names[u] for u in known), names[v])[-2:], (leaf, coarse[v]), shape)
            noisy = queries.marginals(LEAVES, [asked])[0]
            start = columns[v].coarse_counts / max(columns[v].coarse_counts.sum(), 1e-9)
            shares = shrunk(leaves, noisy.values, noisy.variance, start)
            trees[v] = Grown(leaves, raked(shares, noisy.values.sum(axis=1), start))
        return FittedPrivateTrees(columns, tuple(order), trees, target)

    @classmethod
    def restore(cls, *_: Any) -> FittedPrivateTrees:
        raise NotImplementedError("a laboratory's models are not kept")


@dataclass(frozen=True, slots=True, eq=False)
class Grower:
    """Finds the leaves of one column's tree."""

    columns: Sequence[NetworkColumn]
    coarse: Sequence[npt.NDArray[np.unsignedinteger]]
    own: int
    scores: Mapping[int, float]
    least: float
    total: float

    def root(self) -> Node:
        return Node({u: np.ones(self.columns[u].n_coarse, dtype=np.bool_) for u in self.scores}, (0,), {})

    def expected(self, node: Node) -> float:
        """Rows, were the columns independent."""
        rows = self.total
        for axis, inside in node.inside.items():
            rows *= self.columns[axis].coarse_counts[inside].sum() / self.total
        return float(rows)

    def by_released(self) -> list[Node]:
        """The largest leaf first, by the best column that can still halve it."""
        numbers = itertools.count(1)
        done, left = [], [self.root()]
        while left:
            left.sort(key=self.expected)
            node = left.pop()
            split = self.middle(node) if len(done) + len(left) < MOST_LEAVES else None
            if split is None:
                done.append(node)
            else:
                left += [node.child(split[0], side, next(numbers)) for side in (split[1], ~split[1])]
        return done

    def middle(self, node: Node) -> tuple[int, npt.NDArray[np.bool_]] | None:
        for axis in sorted(self.scores, key=lambda u: -self.scores[u] * node.used.get(u, 1.0)):
            if not self.scores[axis] > 0:
                return None
            sides = [
                side
                for side in self.sides(axis, node.inside[axis])
                if min(self.expected(node.child(axis, s, 0)) for s in (side, ~side)) >= self.least
            ]
            if sides:
                counts = self.columns[axis].coarse_counts
                half = counts[node.inside[axis]].sum() / 2
                return axis, min(sides, key=lambda s: abs(counts[s & node.inside[axis]].sum() - half))
        return None

    def sides(self, axis: int, inside: npt.NDArray[np.bool_]) -> Iterator[npt.NDArray[np.bool_]]:
        """Ways to cut the states: between two where they have an order, one from the others where not."""
        states = np.flatnonzero(inside)
        is_ordered = self.columns[axis].variable.is_ordered or self.columns[axis].variable.is_continuous
        for state in states[:-1] if is_ordered or len(states) == 2 else states:
            every = np.arange(len(inside))
            yield every <= state if is_ordered else every == state

    def by_rows(self, rng: np.random.Generator, price: float, most_levels: int) -> list[Node]:
        """Level by level, the split with the highest noisy score: Gumbel noise of scale 2 · sensitivity / `price`."""
        numbers, done, level = itertools.count(1), [], [self.root()]
        for _ in range(most_levels):
            following = []
            for node in level:
                room = len(done) + len(level) + len(following) < MOST_LEAVES
                split = self.best(node, rng, 2 * SENSITIVITY / price) if room else None
                if split is None:
                    done.append(node)
                else:
                    following += [node.child(split[0], side, next(numbers)) for side in (split[1], ~split[1])]
            level = following
        return done + level

    def best(
        self, node: Node, rng: np.random.Generator, noise: float
    ) -> tuple[int, npt.NDArray[np.bool_]] | None:
        is_in = np.ones(len(self.coarse[self.own]), dtype=np.bool_)
        for axis, inside in node.inside.items():
            if not inside.all():
                is_in &= inside[self.coarse[axis]]
        own, n_own = self.coarse[self.own][is_in].astype(np.intp), self.columns[self.own].n_coarse
        found, best = None, 0.0
        for axis in self.scores:
            n_there = self.columns[axis].n_coarse
            at = self.coarse[axis][is_in].astype(np.intp) * n_own + own
            counts = np.bincount(at, minlength=n_there * n_own).reshape(n_there, n_own).astype(float)
            whole, n = counts.sum(axis=0), max(counts.sum(), 1.0)
            for side in self.sides(axis, node.inside[axis]):
                one = counts[side].sum(axis=0)
                if min(one.sum(), n - one.sum()) < self.least:  # of `private`, a look that is not paid for
                    continue
                score = float(np.abs(one - one.sum() * whole / n).sum())  # both children's, halved
                score += rng.gumbel(scale=noise) if noise > 0 else 0.0
                if score > best:
                    found, best = (axis, side), score
        return found


def shrunk(leaves: Sequence[Node], noisy: Floats, variance: float, start: Floats) -> Floats:
    """Shares of states in each leaf, (n_leaves, n_states): every node's counts moved towards those its parent's shares would give, as far as noise explains the difference."""
    members: dict[int, list[int]] = {}
    parent: dict[int, int] = {}
    for number, leaf in enumerate(leaves):
        for above, node in zip((None, *leaf.path), leaf.path, strict=False):
            members.setdefault(node, []).append(number)
            if above is not None:
                parent[node] = above
    depth = {node: leaf.path.index(node) for leaf in leaves for node in leaf.path}
    share = {leaves[0].path[0]: start}
    for level in range(1, max(depth.values(), default=0) + 1):
        nodes = [node for node, at in depth.items() if at == level]
        counts = {node: noisy[members[node]].sum(axis=0) for node in nodes}
        rows = {node: max(float(counts[node].sum()), 1.0) for node in nodes}
        apart = {node: counts[node] - rows[node] * share[parent[node]] for node in nodes}
        noise = {node: variance * len(members[node]) for node in nodes}
        signal = sum(float((apart[node] ** 2).sum()) - noise[node] * len(start) for node in nodes)
        signal = max(signal, 0.0) / (len(start) * sum(rows[node] ** 2 for node in nodes))
        for node in nodes:
            kept = rows[node] ** 2 * signal
            kept = kept / (kept + noise[node])
            moved = np.maximum(rows[node] * share[parent[node]] + kept * apart[node], 0.0)
            share[node] = moved / moved.sum() if moved.sum() > 0 else share[parent[node]]
    return np.stack([share[leaf.path[-1]] for leaf in leaves])


def raked(shares: Floats, rows: Floats, whole: Floats) -> Floats:
    """Shares that add up to those of the whole table over leaves of so many rows, (n_leaves, n_states): iterative proportional fitting (Deming and Stephan 1940)."""
    weight = np.maximum(rows, 0.0)[:, None] / max(float(np.maximum(rows, 0.0).sum()), 1e-9)
    for _ in range(20):
        shares = shares * np.minimum(whole / np.maximum((weight * shares).sum(axis=0), 1e-12), 10.0)
        shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-12)
    return shares


def main() -> None:
    registry.ENGINES[PrivateTrees.name] = PrivateTrees  # type: ignore[index]
    import tabsynth

    arguments = private.parsed()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train, holdout = private.halves(arguments.table, arguments.data)
        train.write_parquet(folder / "train.parquet")
        holdout.write_parquet(folder / "holdout.parquet")
        target = private.SOURCES[arguments.table].target
        told = {"target": target} if target else {}
        budget = tabsynth.Budget(epsilon=arguments.epsilon, delta=arguments.delta)
        found = {}
        trees = [("private_trees", {**told, "splits": splits}) for splits in ("public", "private", "free")]
        for engine, settings in [("bayesian_network", told), *trees]:
            label = f"{engine}, {settings['splits']} splits" if "splits" in settings else engine
            runs = []
            for seed in range(arguments.runs):
                schema = private.schema_of(arguments.table)
                model = tabsynth.fit(
                    train, schema=schema, engine=engine, settings=settings, privacy=budget, seed=seed
                )
                out = folder / "synthetic.parquet"
                model.sample(train.height, seed=seed).select(private.modelled(arguments.table)).write_parquet(
                    out
                )
                runs.append(private.score(arguments, folder, out))
            found[label] = {"runs": runs}
            found[label]["mean"] = {
                key: sum(run[key] for run in runs) / len(runs)
                for key in private.SCORES
                if all(run.get(key) is not None for run in runs)
            }
            private.show(label, found[label]["mean"])
    out = (
        arguments.out
        or private.HERE / "results" / f"private_trees_{arguments.table}_{arguments.epsilon:g}.json"
    )
    out.write_text(
        json.dumps({"epsilon": arguments.epsilon, "delta": arguments.delta, "engines": found}, indent=1)
        + "\n"
    )


if __name__ == "__main__":
    main()
