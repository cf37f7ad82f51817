"""An attack on released numbers that is as strong as there can be, and what it says of the noise.

    nice -n 19 python -m benchmarks.audit [--out benchmarks/results/audit_bayesian_network.json]

The attacker knows two tables that differ in one unit, and the recipe, and sees every number that a private
fit of one of them released. By Neyman and Pearson nothing tells the two apart better than the likelihood
ratio: the sum over releases of (difference of the exact counts) · (released - midpoint) / scale². The exact
counts of the other table are had by fitting it with the released numbers played back.

A Gaussian mechanism of total precision μ² moves this statistic by μ standard deviations. A lower confidence
bound of μ above what was accounted is a proof of too little noise; one below it proves nothing by itself,
so the same attack is run against noise that is too small, which it has to see.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.encode import EncodedTable, encode_table
from tabsynth.models.base import Synthesizer
from tabsynth.models.registry import make_engine
from tabsynth.privacy import Budget, noise
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import BudgetPlan
from tabsynth.private_fit import plan_fit
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Domain, Kind, Origin, PrivacyUnit, TableSchema
from tabsynth.table import Table
from tests.privacy.tape import PlayedToTheEndError, Tape, TapedLedger, listening

Floats = npt.NDArray[np.float64]
PUBLIC = Domain(origin=Origin.PUBLIC, by="the benchmark", source="the benchmark")
FALSE_ALARM = 1e-6


@dataclass(frozen=True)
class Audit:
    """One attack: what was accounted, what was seen, and whether it proves too little noise."""

    epsilon: float
    delta: float
    rows_of_unit: int
    noise: float
    runs_of_each_table: int
    accounted_mu: float
    estimated_mu: float
    lower_bound_normal: float
    lower_bound_counts: float
    alarm: bool
    false_alarm_rate: float
    power_against_half: float
    releases: int
    seconds: float


def schema_of(k: int) -> TableSchema:
    columns = (
        Column(name="a", kind=Kind.CATEGORICAL, dtype="string", categories=tuple("pqr"), domain=PUBLIC),
        Column(name="b", kind=Kind.INTEGER, dtype="int64", bounds=(0, 5), domain=PUBLIC),
        Column(name="c", kind=Kind.BOOLEAN, dtype="bool", domain=PUBLIC),
        Column(name="person", kind=Kind.IDENTIFIER, dtype="int64", unique=True, domain=PUBLIC),
    )
    unit = PrivacyUnit() if k == 1 else PrivacyUnit(column="person", max_rows=k)
    return TableSchema(name="t", columns=columns, unit=unit)


def neighbours(k: int, n: int = 600) -> tuple[EncodedTable, EncodedTable]:
    """Two tables: `n` rows that hang together, so that pairs are measured, and `k` equal rows more."""
    rng = np.random.default_rng(0)
    b = rng.integers(0, 6, n)
    frame = pl.DataFrame(
        {
            "a": np.array(list("pqr"))[np.where(rng.random(n) < 0.8, b // 2, rng.integers(0, 3, n))],
            "b": b,
            "c": (b > 2) ^ (rng.random(n) < 0.1),
            "person": np.arange(n),
        }
    )
    extra = pl.DataFrame({"a": ["p"] * k, "b": [5] * k, "c": [False] * k, "person": [n] * k})
    one, two = (Table.conform(rows, schema_of(k)) for rows in (frame, pl.concat([frame, extra])))
    return encode_table(one), encode_table(two)


def asked(data: EncodedTable, recipe: Synthesizer, plan: BudgetPlan, tape: Tape) -> Tape:
    """A fit as far as it reads the table, on tape."""

    def progress(stage: str, _share: float) -> None:
        if stage == "network":
            raise PlayedToTheEndError

    queries = NoisyQueries(TapedLedger(tape), plan)
    with listening(tape), contextlib.suppress(PlayedToTheEndError):
        recipe.fit(data, queries=queries, streams=Streams(0), progress=progress)
    return tape


def likelihood_ratio(told: Tape, other: Tape, *, sign: int) -> tuple[float, float, int]:
    """The statistic, the precision Σ (difference / scale)² that it rests on, and the number of releases."""
    ratio = precision = 0.0
    for draw, there in zip(told.draws, other.draws, strict=True):
        assert draw.charge is not None
        difference = sign * (there.exact - draw.exact)
        middle = (there.exact + draw.exact) / 2
        scale = draw.charge.mechanism.scale
        ratio += float(difference @ (draw.told.reshape(-1) - middle)) / scale**2
        precision += float(difference @ difference) / scale**2
    return ratio, precision, sum(len(draw.releases) for draw in told.draws)


def lower_bound_normal(without: Floats, beside: Floats, alpha: float) -> tuple[float, float]:
    """The difference of means in standard deviations, and its lower bound at level `alpha`.

    Exact for normal statistics of one variance: Student's t is then noncentral with μ √(m/2).
    """
    from scipy.optimize import brentq
    from scipy.stats import nct, norm

    m = len(without)
    spread = math.sqrt((without.var(ddof=1) + beside.var(ddof=1)) / 2)
    found = float(beside.mean() - without.mean()) / spread
    t, freedom = found * math.sqrt(m / 2), 2 * m - 2
    reach = (-norm.ppf(alpha) + 3) * math.sqrt(1 + t**2 / (2 * freedom))
    centre = brentq(lambda ncp: nct.sf(t, freedom, ncp) - alpha, t - reach, t, xtol=1e-4)
    return found, float(centre) / math.sqrt(m / 2)


def power(mu: float, runs: int, *, share: float) -> float:
    """How likely noise of `share` of its scale raises the alarm: normal approximation of the noncentral t."""
    from scipy.stats import norm

    def error(of: float) -> float:
        return math.sqrt(2 / runs + of**2 / (4 * runs))

    critical = mu - norm.ppf(FALSE_ALARM) * error(mu)
    return float(norm.cdf((mu / share - critical) / error(mu / share)))


def lower_bound_counts(without: Floats, beside: Floats, alpha: float) -> float:
    """The same from error rates alone, whatever the statistic's distribution.

    The threshold that parts the first halves best is tried on the second ones; of both rates there the
    Clopper-Pearson bounds of level `alpha` / 2. Any μ-GDP mechanism has Φ⁻¹(TPR) - Φ⁻¹(FPR) ≤ μ.
    """
    from scipy.stats import beta, norm

    half = len(without) // 2
    candidates = np.quantile(np.r_[without[:half], beside[:half]], np.linspace(0.05, 0.95, 19))
    shares = [((beside[:half] > cut).mean(), (without[:half] > cut).mean()) for cut in candidates]
    cut = candidates[int(np.argmax([true - false for true, false in shares]))]
    n_true, n_false = int((beside[half:] > cut).sum()), int((without[half:] > cut).sum())
    n = len(without) - half
    least = beta.ppf(alpha / 2, n_true, n - n_true + 1) if n_true else 0.0
    most = beta.isf(alpha / 2, n_false + 1, n - n_false) if n_false < n else 1.0
    return float(norm.ppf(least) - norm.ppf(most))


@contextlib.contextmanager
def scaled(share: float) -> Iterator[None]:
    """Noise of `share` of the scale that is asked for: the fault to be seen."""
    whole: Callable[..., npt.NDArray[np.int64]] = noise._released  # noqa: SLF001
    noise._released = lambda counts, scale: whole(counts, scale * share)  # noqa: SLF001
    try:
        yield
    finally:
        noise._released = whole  # noqa: SLF001


def audit(epsilon: float, *, runs: int, k: int = 1, share: float = 1.0, delta: float = 1e-6) -> Audit:
    """Attack `runs` fits of each of two neighbouring tables, with noise of `share` of what is charged."""
    start = time.perf_counter()
    recipe = make_engine("bayesian_network", {"iterations": 1, "coarse_cells": 4})
    plan = plan_fit(schema_of(k), recipe, Budget(epsilon=epsilon, delta=delta))
    tables = neighbours(k)
    found: list[list[float]] = [[], []]
    releases = 0
    accounted = math.sqrt(sum(p.mechanism.count * (k / p.mechanism.scale) ** 2 for p in plan.parts))
    with scaled(share):
        for _ in range(runs):
            for here in (0, 1):
                told = asked(tables[here], recipe, plan, Tape())
                other = asked(tables[1 - here], recipe, plan, Tape(source=told, stops=True))
                ratio, precision, n = likelihood_ratio(told, other, sign=1 - 2 * here)
                assert precision <= accounted**2 * (1 + 1e-9)
                found[here].append(ratio)
                releases = max(releases, n)
    without, beside = np.array(found[0]), np.array(found[1])
    estimate, normal = lower_bound_normal(without, beside, FALSE_ALARM)
    return Audit(
        epsilon=epsilon,
        delta=delta,
        rows_of_unit=k,
        noise=share,
        runs_of_each_table=runs,
        accounted_mu=accounted,
        estimated_mu=estimate,
        lower_bound_normal=normal,
        lower_bound_counts=lower_bound_counts(without, beside, FALSE_ALARM),
        alarm=normal > accounted,
        false_alarm_rate=FALSE_ALARM,
        power_against_half=power(accounted, runs, share=1 / 2),
        releases=releases,
        seconds=time.perf_counter() - start,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/audit_bayesian_network.json"))
    arguments = parser.parse_args()
    wanted = [
        {"epsilon": 1.0, "runs": 1500},
        {"epsilon": 1.0, "runs": 1800, "share": 1 / 2},
        {"epsilon": 1.0, "runs": 600, "share": 1 / 3},
        {"epsilon": 5.0, "runs": 200, "k": 3},
        {"epsilon": 5.0, "runs": 200, "k": 3, "share": 1 / 2},
    ]
    audits = [audit(**how) for how in wanted]  # type: ignore[arg-type]
    rounded = [
        {key: round(value, 4) if isinstance(value, float) and abs(value) > 1e-4 else value for key, value in asdict(one).items()}
        for one in audits
    ]  # fmt: skip
    arguments.out.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
    for one in rounded:
        print(one)


if __name__ == "__main__":
    main()
