"""What a private training asks of a table beside gradients: one-way counts, and counts of pairs of columns.

All of it is noisy and charged. Columns are cut into the same fine and coarse cells as those of the Bayesian
network; a row of coarse cells is what generator and critic see of a real row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedTable, Variable
from tabsynth.models.frequent_values import FREQUENT, cells_with_frequent, frequent_parts
from tabsynth.models.network.choice import all_pairs
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.network.measuring import PAIRS, Counted, count_columns
from tabsynth.models.network.rounds import SCORES, score_pairs
from tabsynth.models.noisy_marginals import ONE_WAY
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import Part

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.unsignedinteger]
Pair = tuple[int, int]

PAIRS_PER_COLUMN = 8
_SHARES = {ONE_WAY: 0.15, FREQUENT: 0.07, SCORES: 0.03, PAIRS: 0.75}


@dataclass(frozen=True, eq=False)
class Released:
    """Columns with denoised counts; of each measured pair, unbiased shares of the rows and their variance.

    `total` ≥ 1 is the noisy number of rows.
    """

    columns: tuple[NetworkColumn, ...]
    pairs: tuple[Pair, ...]
    shares: tuple[Floats, ...]
    variance: float
    total: float


def released_parts(variables: Sequence[Variable], *, share: float) -> tuple[Part, ...]:
    """The counts that will be asked for, worth `share` of a budget in all; () without columns."""
    n = len(variables)
    if n == 0:
        return ()
    parts = [Part(statistic=ONE_WAY, share=_SHARES[ONE_WAY], count=n)]
    parts += frequent_parts(variables, share=_SHARES[FREQUENT])
    if n > 1:
        n_pairs = n * (n - 1) // 2
        if n_pairs > PAIRS_PER_COLUMN * n:
            parts.append(Part(statistic=SCORES, share=_SHARES[SCORES], count=n_pairs))
        n_measured = min(n_pairs, PAIRS_PER_COLUMN * n)
        parts.append(Part(statistic=PAIRS, share=_SHARES[PAIRS], count=n_measured))
    whole = math.fsum(part.share for part in parts)
    return tuple(replace(part, share=share * part.share / whole) for part in parts)


def ask(data: EncodedTable, queries: NoisyQueries) -> tuple[Released, npt.NDArray[np.uint16]]:
    """The counts, and of every row its coarse cells, (n_rows, n_columns): these are private, and stay here."""
    names = tuple(data.columns)
    cells = [cells_with_frequent(column, queries) for column in data.columns.values()]
    fine = [cell.cells_of(column) for cell, column in zip(cells, data.columns.values(), strict=True)]
    columns, _ = count_columns(names, cells, fine, queries, most_coarse=0)
    rows = np.stack(
        [column.coarse.astype(np.uint16)[codes] for column, codes in zip(columns, fine, strict=True)], axis=1
    )
    total = max(float(columns[0].counts.sum()), 1.0)
    table = Counted(names, columns, tuple(fine), tuple(rows.T))
    pairs = _chosen(table, queries)
    wanted = [table.pair(*pair) for pair in pairs]
    found = queries.marginals(PAIRS, wanted) if wanted else []
    variance = found[0].variance / total**2 if found else 1.0
    shares = tuple(each.values / total for each in found)
    return Released(columns, pairs, shares, variance, total), rows


def _chosen(table: Counted, queries: NoisyQueries) -> tuple[Pair, ...]:
    """All pairs of few columns, else those that noisy scores find most dependent."""
    pairs = all_pairs(len(table.columns))
    most = PAIRS_PER_COLUMN * len(table.columns)
    if len(pairs) <= most:
        return tuple(pairs)
    above = score_pairs(table, queries).excess
    chosen = sorted(pairs, key=lambda pair: -above[pair])[:most]
    return tuple(sorted(chosen))
