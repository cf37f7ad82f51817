"""One-way marginals of every column in cells of its public domain: released with noise, then denoised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable, Variable
from tabsynth.models.denoise import common_total, denoised
from tabsynth.models.frequent_values import cells_with_frequent, frequent_parts
from tabsynth.models.latent import Latent, parts_of
from tabsynth.models.latent import Part as LatentPart
from tabsynth.models.public_cells import PublicCells
from tabsynth.privacy.plan import Part
from tabsynth.privacy.queries import AnyQueries, Marginal

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.unsignedinteger]

ONE_WAY = "one-way marginals"
_FREQUENT_SHARE = 0.06  # of what one-way counts get


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
        of_part = {LatentPart.LEVEL: levels, LatentPart.VALUE: numbers}
        found = [(part, of_part[part]) for part in parts_of(variable)]
        return tuple(Latent(variable, part, marginal) for part, marginal in found if marginal is not None)


def one_way_parts(variables: Sequence[Variable], *, share: float) -> tuple[Part, ...]:
    """What `cells_and_codes` and `one_ways` ask for, worth `share` of a budget together; () without columns."""
    if not variables:
        return ()
    frequent = frequent_parts(variables, share=_FREQUENT_SHARE * share)
    left = share - sum(part.share for part in frequent)
    return (*frequent, Part(statistic=ONE_WAY, share=left, count=len(variables)))


def cells_and_codes(data: EncodedTable, *, queries: AnyQueries) -> tuple[list[PublicCells], list[Codes]]:
    """Each column's cells, its frequent values among them, and row by row which of them it is in."""
    columns = data.columns.values()
    cells = [cells_with_frequent(column, queries) for column in columns]
    return cells, [cell.cells_of(column) for cell, column in zip(cells, columns, strict=True)]


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
