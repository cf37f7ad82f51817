"""Train and test rows, again and again, with as many of the rare rows in each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.randomness import Streams
from tabsynth.table import Table

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of rows, ascending."""

    train: Rows
    test: Rows


def stratified_splits(
    table: Table, is_rare: npt.NDArray[np.bool_], *, n: int, test_share: float, seed: int
) -> Iterator[Split]:
    """`n` splits between privacy units; those with a rare row and those without are cut apart from each other.

    Of both kinds `test_share` of the units, rounded and at least one where there are two, are test.
    """
    _, unit = np.unique(table.unit_codes(), return_inverse=True)
    has_rare = np.bincount(unit, weights=is_rare) > 0
    for number in range(n):
        rng = Streams(seed).generator("augment.split", number)
        is_test = np.zeros(len(has_rare), dtype=np.bool_)
        for kind in (True, False):
            units = rng.permutation(np.flatnonzero(has_rare == kind))
            n_test = min(max(round(test_share * len(units)), 1), max(len(units) - 1, 0))
            is_test[units[:n_test]] = True
        yield Split(np.flatnonzero(~is_test[unit]), np.flatnonzero(is_test[unit]))
