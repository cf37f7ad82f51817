"""Which latent axes a column has, and how its cells stand on them.

A column of numbers beside which null or special values stand has two axes: one for which of them it is
("level"), one for the number ("value"), so that missingness depends on the other columns in its own way.
Every other column has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable, Variable
from tabsynth.models.marginal import Family, Marginal
from tabsynth.models.stored import require_names, stored_families, stored_marginal

Pieces = npt.NDArray[np.unsignedinteger]


class Part(StrEnum):
    LEVEL = "level"
    VALUE = "value"


@dataclass(frozen=True, eq=False)
class Latent:
    """One latent axis: a part of a column and that part's marginal."""

    variable: Variable
    part: Part
    marginal: Marginal
    family: Family | None = None

    @property
    def is_nominal(self) -> bool:
        """Levels whose order along the axis is free to choose."""
        if self.part is Part.VALUE or len(self.marginal.mass) < 3:
            return False
        return (
            self.variable.is_continuous or not self.variable.is_ordered or self.variable.null_code is not None
        )

    @cached_property
    def _rank_of_code(self) -> Pieces:
        ranks = np.empty(len(self.marginal.lower), dtype=np.min_scalar_type(len(self.marginal.lower)))
        ranks[self.marginal.lower] = np.arange(len(ranks))
        return ranks

    def pieces(self, column: EncodedColumn) -> Pieces:
        """The piece of every row, shape (n_rows,); meaningless where `present` is False."""
        if self.part is Part.VALUE:
            assert column.values is not None
            return self.marginal.pieces_of(column.values)
        return self._rank_of_code[np.minimum(column.codes, len(self._rank_of_code) - 1)]

    def present(self, column: EncodedColumn) -> npt.NDArray[np.bool_] | None:
        """Rows that have this part at all; None for all of them."""
        has_levels = self.part is Part.VALUE and self.variable.n_levels > 1
        return column.codes == 0 if has_levels else None

    def level_interval(self, code: int) -> tuple[float, float] | None:
        """The latent interval of a level; None where its probability is zero."""
        rank = int(self._rank_of_code[code])
        if self.marginal.mass[rank] <= 0:
            return None
        return float(self.marginal.cuts[rank]), float(self.marginal.cuts[rank + 1])

    def reordered(self, order: npt.NDArray[np.int64]) -> Latent:
        """The same axis with its levels in another order: `order` lists present ranks."""
        marginal = self.marginal
        codes = marginal.lower[order]
        return replace(self, marginal=Marginal(codes, codes, marginal.mass[order], is_lattice=True))


def parts_of(variable: Variable) -> tuple[Part, ...]:
    """The axes of a column, in order."""
    if not variable.is_continuous:
        return (Part.LEVEL,)
    return (Part.LEVEL, Part.VALUE) if variable.n_levels > 1 else (Part.VALUE,)


def variables_on(latents: Sequence[Latent]) -> tuple[Variable, ...]:
    """The columns that the axes belong to, in order."""
    return tuple({latent.variable.name: latent.variable for latent in latents}.values())


def store_latents(latents: Sequence[Latent]) -> dict[str, npt.NDArray[Any]]:
    """Arrays of the latents' marginals, keyed by position."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for index, latent in enumerate(latents):
        arrays[f"marginal.{index}.lower"] = latent.marginal.lower
        arrays[f"marginal.{index}.upper"] = latent.marginal.upper
        arrays[f"marginal.{index}.mass"] = latent.marginal.mass
    return arrays


def families_of(latents: Sequence[Latent]) -> dict[str, Any]:
    """The parametric choices that were made, keyed by position, as JSON data."""
    return {str(k): asdict(latent.family) for k, latent in enumerate(latents) if latent.family is not None}


def restore_latents(
    variables: Sequence[Variable],
    arrays: Mapping[str, npt.NDArray[Any]],
    parameters: Mapping[str, Any],
    *,
    beside: Sequence[str] = (),
) -> tuple[Latent, ...]:
    """The latents that `store_latents` and `families_of` stored, for the same variables.

    `beside` names the engine's other arrays. Raises `ModelFileError` unless the arrays are exactly those
    and the latents', each with the contents that `tabsynth.models.stored` asks for.
    """
    axes = [(variable, part) for variable in variables for part in parts_of(variable)]
    ends = [f"marginal.{index}.{end}" for index in range(len(axes)) for end in ("lower", "upper", "mass")]
    require_names(arrays, [*ends, *beside], what="arrays")
    families = stored_families(
        parameters, [str(index) for index, (_, part) in enumerate(axes) if part is Part.VALUE]
    )
    return tuple(
        Latent(
            variable,
            part,
            stored_marginal(
                arrays,
                index,
                is_lattice=part is Part.LEVEL or variable.is_lattice,
                n_levels=variable.n_levels if part is Part.LEVEL else None,
            ),
            families.get(str(index)),
        )
        for index, (variable, part) in enumerate(axes)
    )


def columns_at(latents: Sequence[Latent], normals: npt.NDArray[np.float64]) -> EncodedTable:
    """Encoded rows from positions on every axis, `normals` of shape (n_rows, n_latents)."""
    columns: dict[str, EncodedColumn] = {}
    for index, latent in enumerate(latents):
        variable, at = latent.variable, latent.marginal.values_at(normals[:, index])
        if latent.part is Part.LEVEL:
            codes = at.astype(np.min_scalar_type(variable.n_levels))
            columns[variable.name] = EncodedColumn(variable, codes)
            continue
        levels = columns.get(variable.name)
        codes = np.zeros(len(at), dtype=np.uint8) if levels is None else levels.codes
        at[codes != 0] = 0
        columns[variable.name] = EncodedColumn(variable, codes, at)
    return EncodedTable(len(normals), columns)
