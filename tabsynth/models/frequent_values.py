"""Single values that many rows share, in columns too wide for a cell per value.

Amounts pile up on round figures, caps and codes (15,024; 99,999; -1), and so do measurements without a limit of
decimals, where a missing one was replaced by a mean. Cells of a wide column blur them. A
thresholded histogram of the values that occur releases those that stand out from noise, and each gets a
cell of its own before the one-way marginals are counted. What is rarer stays in the stretches.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tabsynth.encode import EncodedColumn, Variable
from tabsynth.models.public_cells import MOST_SINGLE, PublicCells
from tabsynth.privacy.plan import Part
from tabsynth.privacy.queries import AnyQueries

FREQUENT = "frequent values"
_MOST_VALUES = 64


def frequent_parts(variables: Sequence[Variable], *, share: float) -> tuple[Part, ...]:
    """One release for each column that is, or may turn out to be, too wide for a cell per value; () without any."""
    count = sum(_may_be_wide(variable) for variable in variables)
    return (Part(statistic=FREQUENT, share=share, count=count, is_thresholded=True),) if count else ()


def cells_with_frequent(column: EncodedColumn, queries: AnyQueries) -> PublicCells:
    """The public cells of a column, with single cells for its 64 most frequent values, as far as released."""
    variable = column.variable
    cells = PublicCells.of(variable)
    if column.values is None or not _may_be_wide(variable):
        return cells
    numbers = column.values[column.codes == 0].astype(np.int64 if variable.is_lattice else np.float64)
    found, counts = queries.frequent_values(FREQUENT, numbers, (variable.name,))
    most = np.argsort(-counts, kind="stable")[:_MOST_VALUES]
    return cells.with_single(np.sort(found[most]))


def _may_be_wide(variable: Variable) -> bool:
    if not variable.is_continuous:
        return False
    if variable.lower is None or variable.upper is None:
        return True
    if not variable.is_lattice:
        return bool(variable.lower < variable.upper)
    return int(variable.upper) - int(variable.lower) >= MOST_SINGLE
