"""What only some engines can do: say how probable a row is, and give marginals without sampling.

An engine whose model is a distribution that can be computed offers all of it, by `ExplicitModel`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable
from tabsynth.models.base import FittedModel
from tabsynth.models.public_cells import PublicCells

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """The cells of one column, and for each the group it is counted in: `group`, (n_cells,), from 0 without gaps."""

    cells: PublicCells
    group: Groups

    @property
    def n_groups(self) -> int:
        return int(self.group.max()) + 1


@dataclass(frozen=True, slots=True, eq=False)
class CellProbabilities:
    """Probabilities of joint groups of cells, one dimension per axis; they sum to 1."""

    axes: tuple[Axis, ...]
    probabilities: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Dependence of two columns that the model holds by itself.

    `information` ≥ 0 is their mutual information over coarse cells in nats, `share` in [0, 1] the same as
    a share of the smaller of their entropies. Where `is_function`, the second column is all but a function
    of the first.
    """

    columns: tuple[str, str]
    information: float
    share: float
    is_function: bool


@runtime_checkable
class ExplicitModel(FittedModel, Protocol):
    """A fitted model whose distribution can be computed."""

    def log_prob(self, data: EncodedTable) -> Floats:
        """Natural log of the probability of every row, (n_rows,), -inf where it is zero; a density off lattices."""
        ...

    def marginal(self, columns: Sequence[int], *, coarse: bool) -> CellProbabilities:
        """The joint distribution of the columns at these positions, by fine cells or by coarse ones.

        Raises `UsageError` where it would have too many cells.
        """
        ...

    def edges(self) -> tuple[Edge, ...]:
        """Pairs of columns that the model joins directly, the strongest first."""
        ...
