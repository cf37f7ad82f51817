"""Does an engine add the noise that it claims? Many fits of neighbouring tables, attacked as well as can be.

All tables are built in: no user's data is read. Engines of this package are attacked on everything their
fits release, by the likelihood ratio; any other engine on its rows. A lower bound above what was accounted
is a proof of too little noise. One below proves nothing by itself, so the same attack has to see half the
noise in the same run before the audit may say "pass". What happens beside the releases (time, memory) is
not looked at.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

from tabsynth.arguments import refuse, whole_number_fault
from tabsynth.audit.gaussian import gaussian_mu, highest
from tabsynth.audit.many_fits import Job, Limits, cores, run_all
from tabsynth.audit.neighbouring import PAIR_NAMES, Pair, pairs_of
from tabsynth.audit.noise_figures import (
    ALPHA,
    WEAKENED,
    Claim,
    decide_noise,
    figures_of_releases,
    figures_of_rows,
)
from tabsynth.audit.noise_results import NoiseResults, PairFigures
from tabsynth.audit.outside import Outside, Registered
from tabsynth.audit.released import Attacked, accounted_mu, attack_fits, check_fits
from tabsynth.audit.rows_attack import Releases, release_rows
from tabsynth.errors import UsageError
from tabsynth.models.base import Progress, Synthesizer, no_progress
from tabsynth.models.registry import settings_of
from tabsynth.privacy import Budget
from tabsynth.privacy.mechanisms import SampledGaussian
from tabsynth.privacy.plan import BudgetPlan
from tabsynth.private_fit import plan_fit

CHECKS = 2
LEAST = 50
"""Runs of each table below which no bound is computed."""
ROWS_ONLY_PAIRS = tuple(name for name in PAIR_NAMES if name != "empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How long fits are made, in seconds, and the most runs of each table."""

    seconds: float
    runs: int


BUDGETS = {
    "2m": Size(seconds=105, runs=2_000),
    "20m": Size(seconds=1_140, runs=20_000),
    "4h": Size(seconds=14_000, runs=200_000),
}


def audit_noise(
    recipe: Synthesizer,
    claimed: Budget,
    *,
    rows_of_unit: int = 1,
    runs: int | None = None,
    budget: str = "2m",
    workers: int | None = None,
    alpha: float = ALPHA,
    progress: Progress = no_progress,
) -> NoiseResults:
    """Audit an engine of this package on every number its private fits release.

    `runs` fits of each table of each pair, or as many as `budget` ("2m", "20m", "4h") allows; `rows_of_unit`
    is how many rows a person may have; an engine that keeps its promise fails with a probability of `alpha`
    at most. Raises `UsageError` for fewer runs than 50 or an unknown budget, and
    `PrivacyError` for an engine that cannot be private.
    """
    limits, began = _limits(runs, budget, rows_of_unit, chunk=10), time.perf_counter()
    pairs = pairs_of(rows_of_unit)
    plans = {pair.name: plan_fit(pair.schema, recipe, claimed) for pair in pairs}
    _require_counts(recipe, plans.values())
    progress("Whole fits", 0.0)
    found = {pair.name: Attacked() for pair in pairs}
    for pair in pairs:
        found[pair.name].faults.update(check_fits(pair, recipe, plans[pair.name], n=CHECKS))
    jobs = [
        Job(pair.name, partial(_attack, pair.name, rows_of_unit, recipe, plans[pair.name])) for pair in pairs
    ]
    for name, part in run_all(
        jobs, limits=limits, workers=workers or cores(), report=lambda share: progress("Fits", share)
    ):
        found[name].add(part)
    progress("Done", 1.0)
    claim = Claim(budget=claimed, mu=_accounted(plans.values()), n_pairs=len(pairs), alpha=alpha)
    figures = tuple(
        figures_of_releases(pair, found[pair.name], claim, mu=accounted_mu(plans[pair.name]))
        for pair in pairs
    )
    return _results(
        figures,
        claim,
        engine=recipe.name,
        settings=settings_of(recipe),
        attack_on="statistics",
        rows_of_unit=rows_of_unit,
        budget=budget if runs is None else None,
        seconds=time.perf_counter() - began,
    )


def audit_rows(
    engine: Outside,
    claimed: Budget,
    *,
    mu: float | None = None,
    rows_of_unit: int = 1,
    runs: int | None = None,
    budget: str = "2m",
    workers: int | None = None,
    alpha: float = ALPHA,
    progress: Progress = no_progress,
) -> NoiseResults:
    """Audit any engine on the rows that its fits give. `mu`: what it claims beside (ε, δ), if anything.

    Raises `UsageError` as `audit_noise` does, and where a first fit gives no rows.
    """
    limits, began = _limits(runs, budget, rows_of_unit, chunk=2), time.perf_counter()
    pairs = pairs_of(rows_of_unit, names=PAIR_NAMES if isinstance(engine, Registered) else ROWS_ONLY_PAIRS)
    progress("A first fit", 0.0)
    first = engine.rows(pairs[0].without, budget=claimed)
    if isinstance(first, str):
        raise UsageError(f"the engine gave no rows for a table of {pairs[0].without.n_rows} rows: {first}")
    shares = (1.0, WEAKENED) if engine.can_be_weakened else (1.0,)
    jobs = [
        Job(f"{pair.name}/{share}", partial(_release, pair.name, rows_of_unit, engine, claimed, share))
        for pair in pairs
        for share in shares
    ]
    found = {job.name: Releases() for job in jobs}
    for name, part in run_all(
        jobs, limits=limits, workers=workers or cores(), report=lambda share: progress("Fits", share)
    ):
        found[name].add(part)
    progress("Done", 1.0)
    if mu is None and isinstance(engine, Registered):
        mu = _accounted(plan_fit(pair.schema, engine.recipe, claimed) for pair in pairs)
    claim = Claim(budget=claimed, mu=mu, n_pairs=len(pairs), alpha=alpha)
    figures = tuple(
        figures_of_rows(pair, found[f"{pair.name}/1.0"], found.get(f"{pair.name}/{WEAKENED}"), claim)
        for pair in pairs
    )
    return _results(
        figures,
        claim,
        engine=engine.title,
        settings=settings_of(engine.recipe) if isinstance(engine, Registered) else {},
        attack_on="rows",
        rows_of_unit=rows_of_unit,
        budget=budget if runs is None else None,
        seconds=time.perf_counter() - began,
    )


def _limits(runs: int | None, budget: str, rows_of_unit: int, *, chunk: int) -> Limits:
    if budget not in BUDGETS:
        raise UsageError(f"the budget {budget!r} is not one of {', '.join(BUDGETS)}")
    refuse(
        _too_few(*it) for it in ((rows_of_unit, "the rows of a unit", 1), (runs, "the number of runs", LEAST))
    )
    if runs is None:
        size = BUDGETS[budget]
        return Limits(runs=size.runs, seconds=size.seconds, least=LEAST, chunk=chunk)
    return Limits(runs=runs, seconds=None, least=runs, chunk=chunk)


def _too_few(value: int | None, name: str, least: int) -> str | None:
    if value is None:
        return None
    return whole_number_fault(value, name) or (f"{name} must be at least {least}" if value < least else None)


def _require_counts(recipe: Synthesizer, plans: Iterable[BudgetPlan]) -> None:
    """Raise `UsageError` for an engine that releases gradients too, of which this attack would see nothing."""
    if any(isinstance(planned.mechanism, SampledGaussian) for plan in plans for planned in plan.parts):
        raise UsageError(
            f"engine {recipe.name!r} releases noisy gradients, which the attack on statistics does not read: audit its "
            "rows (--rows-only)"
        )


def _accounted(plans: Iterable[BudgetPlan]) -> float | None:
    """The largest μ of the plans; None where one of them has none."""
    found = [accounted_mu(plan) for plan in plans]
    known = [mu for mu in found if mu is not None]
    return max(known) if len(known) == len(found) else None


def _pair(name: str, rows_of_unit: int) -> Pair:
    return pairs_of(rows_of_unit, names=(name,))[0]


def _attack(name: str, rows_of_unit: int, recipe: Synthesizer, plan: BudgetPlan, n: int) -> Attacked:
    return attack_fits(_pair(name, rows_of_unit), recipe, plan, n=n, weakened=WEAKENED)


def _release(
    name: str, rows_of_unit: int, engine: Outside, claimed: Budget, share: float, n: int
) -> Releases:
    return release_rows(_pair(name, rows_of_unit), engine, claimed, n=n, share=share)


def _results(
    figures: tuple[PairFigures, ...],
    claim: Claim,
    *,
    engine: str,
    settings: dict[str, object],
    attack_on: str,
    rows_of_unit: int,
    budget: str | None,
    seconds: float,
) -> NoiseResults:
    outcome, reasons = decide_noise(figures, claim)
    runs = min(found.runs for found in figures)
    most = highest(runs, alpha=claim.level(2), delta=claim.budget.delta)
    return NoiseResults(
        engine=engine,
        settings=settings,
        attack_on=attack_on,
        epsilon=claim.budget.epsilon,
        delta=claim.budget.delta,
        rows_of_unit=rows_of_unit,
        accounted_mu=claim.mu,
        gaussian_mu=gaussian_mu(claim.budget.epsilon, claim.budget.delta),
        outcome=outcome,
        reasons=reasons,
        pairs=figures,
        runs=runs,
        highest_mu=most.mu,
        highest_epsilon=most.epsilon,
        false_alarm_rate=claim.alpha,
        weakened=WEAKENED,
        budget=budget,
        seconds=seconds,
        version=version("tabsynth"),
    )
