"""One-way marginals of every column in cells of its public domain: released with noise, then denoised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable
from tabsynth.models.denoise import common_total, denoised
from tabsynth.models.latent import Latent, Part, parts_of
from tabsynth.models.public_cells import PublicCells
from tabsynth.privacy.queries import AnyQueries, Marginal

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.unsignedinteger]

ONE_WAY = "one-way marginals"


@dataclass(frozen=True, slots=True, eq=False)
class OneWay:
    """Denoised counts of one column's cells, `counts` ≥ 0 of shape (n_cells,)."""

    cells: PublicCells
    counts: Floats

    @property
    def latents(self) -> tuple[Latent, ...]:
        """The column's latent axes, with the orders of its levels those of their codes."""
        variable = self.cells.variable
        levels, numbers = self.cells.marginals(self.counts)
        of_part = {Part.LEVEL: levels, Part.VALUE: numbers}
        found = [(part, of_part[part]) for part in parts_of(variable)]
        return tuple(Latent(variable, part, marginal) for part, marginal in found if marginal is not None)


def cells_and_codes(data: EncodedTable) -> tuple[list[PublicCells], list[Codes]]:
    """Each column's cells and, row by row, which of them it is in."""
    cells = [PublicCells.of(variable) for variable in data.variables]
    return cells, [cell.cells_of(column) for cell, column in zip(cells, data.columns.values(), strict=True)]


def one_ways(
    cells: list[PublicCells], codes: list[Codes], *, queries: AnyQueries, statistic: str = ONE_WAY
) -> tuple[OneWay, ...]:
    """Every column's counts, asked for at once; all of them sum to one number of rows."""
    wanted = [
        Marginal((cell.variable.name,), (code,), (cell.n_cells,))
        for cell, code in zip(cells, codes, strict=True)
    ]
    released = queries.marginals(statistic, wanted) if wanted else []
    total = common_total([each.values for each in released], [each.variance for each in released])
    return tuple(
        OneWay(
            cell,
            denoised(
                each.values,
                each.variance,
                total=total,
                is_ordered=cell.variable.is_ordered,
                n_numbers=cell.n_numbers,
            ),
        )
        for cell, each in zip(cells, released, strict=True)
    )
