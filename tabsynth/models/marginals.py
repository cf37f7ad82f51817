"""Marginals of every latent axis, from one-way counts alone."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.models.latent import Latent, Part, parts_of
from tabsynth.models.marginal import Marginal, empirical_marginal, level_marginal
from tabsynth.privacy.queries import Queries

MarginalKind = Literal["empirical", "parametric"]


def fit_latents(
    data: EncodedTable, *, queries: Queries, marginals: MarginalKind, min_group: int
) -> tuple[Latent, ...]:
    """One latent per part of every column, in order, each with its marginal."""
    axes = [(column, part) for column in data.columns.values() for part in parts_of(column.variable)]

    def fit(axis: tuple[EncodedColumn, Part]) -> Latent:
        column, part = axis
        return Latent(column.variable, part, _marginal(column, part, queries, marginals, min_group))

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return tuple(pool.map(fit, axes))


def _marginal(
    column: EncodedColumn, part: Part, queries: Queries, marginals: MarginalKind, min_group: int
) -> Marginal:
    variable = column.variable
    if part is Part.LEVEL:
        return level_marginal(queries.level_counts(column.codes, variable.n_levels, column=variable.name))
    assert column.values is not None
    values = column.values if variable.n_levels == 1 else column.values[column.codes == 0]
    distinct, counts = queries.value_counts(values, column=variable.name)
    if marginals == "parametric":
        from tabsynth.models.parametric import parametric_marginal

        return parametric_marginal(distinct, counts, variable=variable)
    return empirical_marginal(
        distinct,
        counts,
        is_lattice=variable.is_lattice,
        bounds=(variable.lower, variable.upper),
        min_group=min_group,
    )
