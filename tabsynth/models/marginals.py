"""Marginals of every latent axis, from one-way counts alone."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.models.latent import Latent, Part, parts_of
from tabsynth.models.marginal import Family, Marginal, empirical_marginal, level_marginal
from tabsynth.models.parametric import parametric_marginal
from tabsynth.privacy.queries import Queries

MarginalKind = Literal["empirical", "parametric"]


def fit_latents(
    data: EncodedTable, *, queries: Queries, marginals: MarginalKind, min_group: int
) -> tuple[Latent, ...]:
    """One latent per part of every column, in order, each with its marginal."""
    axes = [(column, part) for column in data.columns.values() for part in parts_of(column.variable)]

    def fit(axis: tuple[EncodedColumn, Part]) -> Latent:
        column, part = axis
        marginal, family = _marginal(column, part, queries, marginals, min_group)
        return Latent(column.variable, part, marginal, family)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return tuple(pool.map(fit, axes))


def _marginal(
    column: EncodedColumn, part: Part, queries: Queries, marginals: MarginalKind, min_group: int
) -> tuple[Marginal, Family | None]:
    variable = column.variable
    if part is Part.LEVEL:
        counts = queries.level_counts(column.codes, variable.n_levels, column=variable.name)
        return level_marginal(counts), None
    assert column.values is not None
    values = column.values if variable.n_levels == 1 else column.values[column.codes == 0]
    distinct, counts = queries.value_counts(values, column=variable.name)
    if marginals == "parametric":
        return parametric_marginal(distinct, counts, variable=variable)
    bounds = (variable.lower, variable.upper)
    is_lattice = variable.is_lattice
    return empirical_marginal(
        distinct, counts, is_lattice=is_lattice, bounds=bounds, min_group=min_group
    ), None
