"""Marginals of every latent axis, from one-way counts alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable, Variable
from tabsynth.errors import DataError, Fault, UsageError
from tabsynth.models.empirical import empirical_marginal
from tabsynth.models.latent import Latent, Part, parts_of
from tabsynth.models.marginal import Family, Floats, Marginal, Values, level_marginal
from tabsynth.models.parametric import parametric_marginal
from tabsynth.privacy.queries import Queries

MarginalKind = Literal["empirical", "parametric"]


def require_group_size(min_group: int) -> None:
    """Raise `UsageError` unless a group may have that many rows."""
    if min_group < 1:
        raise UsageError(f"min_group must be 1 or more, found {min_group}")


def require_cells(marginals: MarginalKind, *, engine: str) -> None:
    """Raise `UsageError` for marginals that are not made of counts, which is all that noise is added to."""
    if marginals != "empirical":
        raise UsageError(
            f"engine {engine!r}: {marginals} marginals cannot be fitted with differential privacy; take "
            "marginals=empirical, or ask for no privacy in words"
        )


def fit_latents(
    data: EncodedTable, *, queries: Queries, marginals: MarginalKind, min_group: int
) -> tuple[Latent, ...]:
    """One latent per part of every column, in order, each with its marginal.

    Raises `DataError` for a table of fewer rows than `min_group`, and listing the columns with some
    numbers, but fewer than that, and no bounds between which to spread them.
    """
    if data.columns and data.n_rows < min_group:
        raise DataError(
            f"the table has {data.n_rows} row{'' if data.n_rows == 1 else 's'}, fewer than min_group = {min_group}: a model of so few would "
            "write single rows down; take more rows, or say so with --set min_group=1"
        )
    axes = [(column, part) for column in data.columns.values() for part in parts_of(column.variable)]
    # Charged here, in order, before threads race; each returns the work that is left.
    counted = [_counts(column, part, queries) for column, part in axes]

    def fit(axis: tuple[EncodedColumn, Part], count: Callable[[], tuple[Values, Floats]]) -> Latent | Fault:
        column, part = axis
        values, counts = count()
        if part is Part.LEVEL:
            return Latent(column.variable, part, level_marginal(counts))
        try:
            marginal, family = _number_marginal(values, counts, column.variable, marginals, min_group)
        except ValueError:
            what = f"{int(counts.sum())} numbers, fewer than min_group = {min_group}, and no bounds"
            return Fault(f"column {column.variable.name!r}", what, "declare bounds, or lower min_group")
        return Latent(column.variable, part, marginal, family)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        fitted = list(pool.map(fit, axes, counted))
    faults = [entry for entry in fitted if isinstance(entry, Fault)]
    if faults:
        raise DataError("some columns have too few numbers to learn from", faults)
    return tuple(entry for entry in fitted if isinstance(entry, Latent))


def _counts(column: EncodedColumn, part: Part, queries: Queries) -> Callable[[], tuple[Values, Floats]]:
    """The charged counting of one axis: distinct values and their counts."""
    variable = column.variable
    if part is Part.LEVEL:
        levels: npt.NDArray[np.int64] = np.arange(variable.n_levels)
        counting = queries.level_counts(column.codes, variable.n_levels, column=variable.name)
        return lambda: (levels, counting())
    assert column.values is not None
    values = column.values if variable.n_levels == 1 else column.values[column.codes == 0]
    return queries.value_counts(values, column=variable.name)


def _number_marginal(
    values: Values, counts: Floats, variable: Variable, marginals: MarginalKind, min_group: int
) -> tuple[Marginal, Family | None]:
    if marginals == "parametric":
        return parametric_marginal(values, counts, variable=variable, min_group=min_group)
    marginal = empirical_marginal(
        values,
        counts,
        is_lattice=variable.is_lattice,
        bounds=(variable.lower, variable.upper),
        are_declared=variable.is_bounded,
        min_group=min_group,
    )
    return marginal, None
