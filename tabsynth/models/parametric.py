"""Parametric marginals: the family of the `copulas` library with the smallest AIC.

Needs the extra `parametric`. Every family is tried, and the choice is on record with each family's AIC
or the reason why it could not be fitted; when none can, that is an error, never another kind of marginal.
Values that hold at least 5 % of the numbers (the zeros of an amount), and `min_group` rows, stand as atoms
of their own and the family is fitted to the rest, as to at most 10,000 evenly spaced order statistics.

Families whose support is the span of the data (uniform, beta) are left out: they would write the
smallest and largest value down. The truncated normal is tried where bounds are declared, between them.
The location of a gamma or log-Laplace may still come to lie close to the smallest value.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.special import ndtr

from tabsynth.encode import Variable
from tabsynth.errors import DataError, UsageError
from tabsynth.models.empirical import MIN_GROUP, cut_at_atoms, empirical_marginal, split_atoms
from tabsynth.models.marginal import Family, Floats, Marginal, Values

FAMILIES = ("GaussianUnivariate", "GammaUnivariate", "StudentTUnivariate", "LogLaplace", "TruncatedGaussian")
_ATOM_SHARE = 0.05
_MAX_FITTED = 10_000
_GRID = np.linspace(-5.0, 5.0, 801)  # quantiles from 3e-7 to 1 - 3e-7 of the fitted family
_MOST = 2.0**53


def parametric_marginal(
    values: Values, counts: Floats, *, variable: Variable, min_group: int = MIN_GROUP
) -> tuple[Marginal, Family]:
    """Pieces of the best family's quantiles, with atoms kept; and the record of the choice.

    `values` are distinct and ascending, `counts` their rows. Raises `UsageError` without the extra,
    `DataError` when no family can be fitted to the column.
    """
    total = counts.sum()
    if total < min_group:
        marginal = empirical_marginal(
            values,
            counts,
            is_lattice=variable.is_lattice,
            bounds=(variable.lower, variable.upper),
            are_declared=variable.is_bounded,
            min_group=min_group,
        )
        return marginal, Family(name="no family: fewer numbers than a group")
    is_atom = counts >= max(min_group, _ATOM_SHARE * total)
    atoms, atom_counts, rest, rest_counts = split_atoms(values, counts, is_atom, min_group)
    if len(rest) == 0:
        marginal = Marginal(atoms, atoms, atom_counts / atom_counts.sum(), variable.is_lattice)
        return marginal, Family(name="no family: atoms only")
    quantiles, family = _best_family(_order_statistics(rest, rest_counts), variable)
    lower, upper, mass = _pieces(quantiles, variable)
    lower, upper, mass = cut_at_atoms(lower, upper, mass * rest_counts.sum(), atoms, variable.is_lattice)
    lower, upper, mass = np.r_[lower, atoms], np.r_[upper, atoms], np.r_[mass, atom_counts]
    order = np.lexsort((upper, lower))
    return Marginal(lower[order], upper[order], mass[order] / mass.sum(), variable.is_lattice), family


def _order_statistics(values: Values, counts: Floats) -> Floats:
    """At most 10,000 order statistics at evenly spaced ranks, shape (n,)."""
    cumulative = np.cumsum(counts)
    n = int(min(cumulative[-1], _MAX_FITTED))
    ranks = (np.arange(n) + 0.5) / n * cumulative[-1]
    chosen: Floats = values[np.searchsorted(cumulative, ranks)].astype(np.float64)
    return chosen


def _best_family(sample: Floats, variable: Variable) -> tuple[Floats, Family]:
    """Quantiles of the family with the smallest AIC at the grid's probabilities, and the record."""
    try:
        from copulas import univariate
    except ImportError:
        raise UsageError(
            "parametric marginals need the copulas library: pip install 'tabsynth[parametric]'"
        ) from None
    aic, failed, quantiles = {}, {}, {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # optimisers step through invalid parameters
        for name in FAMILIES:
            if name == "TruncatedGaussian":
                if not variable.is_bounded:
                    failed[name] = "no bounds declared"
                    continue
                fitted = univariate.TruncatedGaussian(minimum=variable.lower, maximum=variable.upper)
            else:
                fitted = getattr(univariate, name)()
            try:
                fitted.fit(sample)
                log_density = np.log(np.maximum(fitted.probability_density(sample), 1e-300)).sum()
                at = np.asarray(fitted.percent_point(ndtr(_GRID)), dtype=np.float64)
            except (ValueError, ArithmeticError, RuntimeError, TypeError) as fault:
                failed[name] = type(fault).__name__
                continue
            n_parameters = sum(key not in ("type", "dataset") for key in fitted.to_dict())
            if not np.isfinite(log_density) or not np.isfinite(at).all():
                failed[name] = "not finite"
                continue
            aic[name], quantiles[name] = float(2 * n_parameters - 2 * log_density), at
    if not aic:
        raise DataError(
            f"column {variable.name!r}: none of the parametric families could be fitted; use empirical marginals"
        )
    best = min(aic, key=aic.__getitem__)
    return quantiles[best], Family(name=best, aic=aic, failed=failed)


def _pieces(quantiles: Floats, variable: Variable) -> tuple[Values, Values, Floats]:
    """Stretches between the family's quantiles, held within the bounds; masses sum to 1."""
    lower = -_MOST if variable.lower is None else variable.lower
    upper = _MOST if variable.upper is None else variable.upper
    edges = np.maximum.accumulate(np.clip(quantiles, lower, upper))
    mass = np.diff(ndtr(_GRID))
    if variable.is_lattice:
        edges = np.floor(edges + 0.5)
        edges[-1] += 1
        starts, first = np.unique(edges[:-1], return_index=True)
        mass = np.add.reduceat(mass, first)
        ends = np.r_[starts[1:], max(edges[-1], starts[-1] + 1)] - 1
        return starts.astype(np.int64), np.minimum(ends, upper).astype(np.int64), mass / mass.sum()
    return edges[:-1], edges[1:], mass / mass.sum()
