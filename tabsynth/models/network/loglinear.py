"""Log-linear models on a junction tree, fitted to noisy marginals by regularised maximum likelihood.

The model is p(x) ∝ q(x) · exp(Σ_m θ_m(x_m)), where q is the product of one-way distributions and every m a
measured marginal. With measurements y_m of n rows, noise of variance v_m and ridge λ, θ minimises

    n log Z(θ) - Σ_m <θ_m, y_m> + λ/2 Σ_m v_m |θ_m|²,

the dual of: the p closest to q (n times the relative entropy) whose marginals miss y_m by little (the
squares over 2 λ v_m); compare McKenna, Sheldon and Miklau 2019, section 4. It is smooth and convex; its
gradient is n p_m - y_m + λ v_m θ_m, for which messages are passed once. λ v_m is never below 0.01.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.models.network.coordinates import Coordinates
from tabsynth.models.network.junction_tree import Clique, JunctionTree, margins, product

Floats = npt.NDArray[np.float64]
AnyFloats = npt.NDArray[np.floating[Any]]
_LEAST_RIDGE = 0.01  # rows per unit of θ: cells that are exactly zero keep finite potentials


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A measured marginal: `counts` (noisy, may be negative) over `variables`, `variance` of each cell."""

    variables: Clique
    counts: Floats
    variance: float | Floats


@dataclass(frozen=True, eq=False)
class LogLinear:
    """Base distributions, one array per variable, and log-potentials over sets of variables.

    The axes of a potential stand in the order of its variables in `variables`.
    """

    tree: JunctionTree
    base: tuple[Floats, ...]
    variables: tuple[Clique, ...]
    potentials: tuple[Floats, ...]

    @cached_property
    def beliefs(self) -> list[Floats]:
        """Marginal distribution of every clique of the tree."""
        return self.given({})

    def given(self, evidence: dict[int, Floats]) -> list[Floats]:
        """The same, given a likelihood for each state of some variables, shape (n_states,).

        Raises `FloatingPointError` where no state agrees with the evidence.
        """
        return self.tree.calibrate(self.factors(evidence))[0]

    def factors(self, evidence: dict[int, Floats]) -> list[Floats]:
        """Tables of the cliques, whose product is the distribution given the evidence, up to a factor."""
        layout = _Layout(self.tree, self.variables)
        base = [row * evidence[v] if v in evidence else row for v, row in enumerate(self.base)]
        return layout.factors(base, self.potentials)[0]


class _Layout:
    """Where each potential lives in a tree, and how it must be turned to the order of its clique's axes."""

    def __init__(self, tree: JunctionTree, variables: Sequence[Clique]) -> None:
        self.tree = tree
        self.homes = [tree.home(clique) for clique in variables]
        self.axes, self.turns = [], []
        for home, clique in zip(self.homes, variables, strict=True):
            axes = tuple(v for v in tree.cliques[home] if v in clique)
            self.axes.append(axes)
            self.turns.append(tuple(clique.index(v) for v in axes))
        self.of_clique = [
            [k for k, home in enumerate(self.homes) if home == i] for i in range(len(tree.cliques))
        ]
        self.base_of_clique: list[list[int]] = [[] for _ in tree.cliques]
        seen: set[int] = set()
        for i, members in enumerate(tree.cliques):
            self.base_of_clique[i] = [v for v in members if v not in seen]
            seen.update(members)

    def factors(self, base: Sequence[AnyFloats], potentials: Sequence[Floats]) -> tuple[list[Any], float]:
        """The product of base and exp(potentials) in every clique, and the log of what it was scaled by.

        In the precision of `base`.
        """
        found, log_scale = [], 0.0
        for i, members in enumerate(self.tree.cliques):
            tables: dict[Clique, Any] = {(v,): base[v] for v in self.base_of_clique[i]}
            for k in self.of_clique[i]:
                top = float(potentials[k].max())
                log_scale += top
                table = np.exp(potentials[k] - top).astype(base[0].dtype, copy=False).transpose(self.turns[k])
                axes = self.axes[k]
                tables[axes] = tables[axes] * table if axes in tables else table
            found.append(product(tables, members, self.tree.sizes))
        return found, log_scale

    def marginals(self, beliefs: Sequence[Floats]) -> list[Floats]:
        """The marginal of each potential's variables, in the order of its variables."""
        results: list[Floats] = [np.empty(0)] * len(self.homes)
        for i, members in enumerate(self.tree.cliques):
            wanted = self.of_clique[i]
            for k, found in zip(
                wanted, margins(beliefs[i], members, [self.axes[k] for k in wanted]), strict=True
            ):
                results[k] = found.transpose(np.argsort(self.turns[k]))
        return results


def fit_loglinear(
    tree: JunctionTree,
    tables: Sequence[Table],
    *,
    base: Sequence[Floats],
    total: float,
    ridge: float,
    most_iterations: int,
) -> LogLinear:
    """The regularised maximum-likelihood model; `base` > 0 are one-way distributions, `total` > 0 rows.

    L-BFGS on θ in coordinates of about even curvature (`Coordinates`). A function of the released numbers alone.
    """
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    variables = tuple(table.variables for table in tables)
    layout = _Layout(tree, variables)
    ridges = [
        np.maximum(ridge * np.broadcast_to(table.variance, table.counts.shape), _LEAST_RIDGE)
        for table in tables
    ]
    counts = [_of_total(table.counts, r, total) for table, r in zip(tables, ridges, strict=True)]
    coordinates = Coordinates(variables, counts, ridges)
    aims = np.concatenate([y.ravel() for y in counts] or [np.empty(0)])
    weights = np.concatenate([r.ravel() for r in ridges] or [np.empty(0)])

    def objective(position: Floats, kind: type[np.floating[Any]]) -> tuple[float, Floats]:
        theta = coordinates.theta(position)
        factors, log_scale = layout.factors([row.astype(kind) for row in base], coordinates.unpacked(theta))
        try:
            beliefs, log_total = tree.calibrate(factors)
        except FloatingPointError:  # a step so far that every product is too small for a number
            return math.inf, np.zeros(len(aims))
        expected = np.concatenate([found.ravel() for found in layout.marginals(beliefs)]) * total
        value = total * (log_total + log_scale) - theta @ aims + 0.5 * (weights * theta) @ theta
        gradient = expected - aims + weights * theta
        return value / total, coordinates.gradient(gradient) / total

    position, steps_left = np.zeros(len(aims)), most_iterations
    for kind in (np.float32, np.float64):  # messages in half the memory, until they tell steps apart no more
        if not len(aims) or steps_left < 1:
            break
        # Its vectors are short: threads cost more than they save, and change last bits.
        with threadpool_limits(1):
            found = minimize(
                objective,
                position,
                args=(kind,),
                jac=True,
                method="L-BFGS-B",
                options={"maxiter": steps_left, "maxcor": 60, "ftol": 1e-11, "gtol": 1e-9},
            )
        position, steps_left = np.asarray(found.x), steps_left - int(found.nit)
    potentials = coordinates.unpacked(coordinates.theta(position))
    return LogLinear(tree, tuple(base), variables, tuple(potentials))


def _of_total(counts: Floats, ridge: Floats, total: float) -> Floats:
    """The counts with their sum moved to `total`, each by its share of the ridge.

    The constant that θ would need for the sum drops out of p, so the optimum stays the same; without it θ
    stays small where a measurement's sum and the total disagree.
    """
    return np.asarray(counts + (total - counts.sum()) * ridge / ridge.sum())
