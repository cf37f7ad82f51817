"""Whole trainings of `dp_ctgan` on neighbouring tables, attacked by the likelihood ratio of all that they release.

    nice -n 19 python -m benchmarks.training_audit [--runs 1000] [--out benchmarks/results/audit_training.json]

One table holds a row, the other none. The attacker sees every noisy count and every noisy sum of gradients, and knows
the weights that each sum was made at, so the likelihood ratio is exact, and no attack on these two tables is better
(Neyman and Pearson). What the row adds to a sum is known but for two draws that nobody is told: whether the row was
sampled, and which of its columns it was conditioned on; the ratio is the mean over both.

"There is a row" is said where the ratio is above 1, which is the best guess. How much more often that is said of the
table with the row is bounded by the ledger's δ at ε = 0. The planted fault is less noise of gradients than is charged,
beneath everything.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import multiprocessing
import resource
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from opacus.optimizers import optimizer
from scipy.stats import beta

from tabsynth.audit.gaussian import counts_bound
from tabsynth.models import dp_ctgan
from tabsynth.models.dp_ctgan import DpCtgan
from tabsynth.models.neural.released import Released
from tabsynth.models.neural.training import Training
from tabsynth.privacy import Budget, Ledger, noise
from tabsynth.privacy.accountant import delta_of
from tabsynth.privacy.dpsgd import PrivateSteps
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import BudgetPlan
from tabsynth.private_fit import fit_privately, plan_fit
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Domain, Kind, Origin, TableSchema
from tabsynth.table import Table

RESULTS = Path("benchmarks/results/audit_training.json")
ALPHA = 0.001
BUDGET = Budget(epsilon=4.0, delta=1e-5)
PUBLIC = Domain(origin=Origin.PUBLIC, by="A", source="B")
SCHEMA = TableSchema(
    name="t",
    columns=tuple(Column(name=name, kind=Kind.BOOLEAN, dtype="bool", domain=PUBLIC) for name in "ab"),
)
RECIPE = DpCtgan(
    critic_share=0.9, steps=4, sampling_rate=0.5, max_grad_norm=0.05, marginal_steps=1, batch=16, width=8,
    n_noise=4, critic_width=8, threads=1, device="cpu",
)  # fmt: skip
SHARES = (1.0, 0.5)
Floats = npt.NDArray[np.float64]


@dataclass
class Ratio:
    """The log likelihood ratio of one training, row against no row, as it goes on; `share`: of the charged noise."""

    share: float
    told: list[tuple[Floats, float]] = field(default_factory=list)  # noisy counts and their scale
    log: float = 0.0
    released: Released | None = None

    def count(self, answer: npt.NDArray[np.int64], scale: float) -> None:
        self.told.append((np.atleast_1d(answer).reshape(-1).astype(np.float64), scale))

    def step(self, noisy: torch.Tensor, of_row: Sequence[torch.Tensor], steps: PrivateSteps) -> None:
        scale = steps._optimizer.noise_multiplier * steps._optimizer.max_grad_norm * self.share  # noqa: SLF001
        ratios = [float((noisy @ one - (one @ one) / 2) / scale**2) for one in of_row]
        taken = math.log(sum(map(math.exp, ratios)) / len(ratios))
        q = steps.mechanism.sampling_rate
        self.log += math.log(1 - q + q * math.exp(taken))

    def counts(self, adds: Sequence[Floats]) -> None:
        """Noisy counts: the row adds 1 to a cell of each, to which is public but for pairs, of cells that noise has joined."""
        assert self.released is not None
        pair = np.zeros([column.n_coarse for column in self.released.columns])
        pair[tuple(true_cells(self.released))] = 1.0
        for (answer, scale), add in zip(self.told, (*adds[:-1], pair.reshape(-1)), strict=True):
            self.log += float(answer @ add - (add @ add) / 2) / scale**2


def true_cells(released: Released) -> list[int]:
    """The coarse cell of `true` in each column."""
    return [int(column.coarse[1]) for column in released.columns]


def of_one_row(training: Training, released: Released) -> list[torch.Tensor]:
    """What the row (true, true) adds to a sum where it is sampled, for each column that it may be conditioned on."""
    cells = torch.tensor(true_cells(released)) + torch.from_numpy(training.starts)
    found = []
    for column in range(len(training.sizes)):
        inputs = torch.zeros((1, 2 * training.n_cells))
        inputs[0, cells] = 1.0
        inputs[0, training.n_cells + cells[column]] = 1.0
        loss = torch.nn.functional.softplus(-training.critic(inputs.requires_grad_())).sum()
        flat = torch.cat(
            [g.reshape(-1) for g in torch.autograd.grad(loss, list(training.critic.parameters()))]
        )
        found.append(flat * min(1.0, RECIPE.max_grad_norm / float(flat.norm())))
    return found


@contextlib.contextmanager
def watched(ratio: Ratio) -> Iterator[None]:
    """Trainings report what they release to `ratio`; noise of gradients is `ratio.share` of what it should be."""
    draw, add_up, criticise = noise.discrete_gaussian, PrivateSteps._add_up, Training.criticise  # noqa: SLF001
    real_noise: Callable[..., torch.Tensor] = optimizer._generate_noise  # noqa: SLF001
    of_row: list[list[torch.Tensor]] = []
    ask = dp_ctgan.ask

    def drawn(counts: npt.NDArray[np.int64], *, scale: float) -> npt.NDArray[np.int64]:
        found = draw(counts, scale=scale)
        ratio.count(found, scale)
        return found

    def asked(*arguments: Any) -> Any:
        found = ask(*arguments)
        ratio.released = found[0]
        return found

    def judged(training: Training, steps: PrivateSteps, rows: npt.NDArray[np.uint16]) -> None:
        assert ratio.released is not None
        of_row.append(of_one_row(training, ratio.released))
        criticise(training, steps, rows)

    def added(steps: PrivateSteps, *arguments: Any) -> None:
        add_up(steps, *arguments)
        noisy = torch.cat([parameter.grad.reshape(-1) for parameter in steps._parameters])  # noqa: SLF001
        ratio.step(noisy, of_row[-1], steps)

    noise.discrete_gaussian, PrivateSteps._add_up, Training.criticise = drawn, added, judged  # type: ignore[assignment, method-assign]  # noqa: SLF001
    dp_ctgan.ask = asked
    optimizer._generate_noise = lambda *, std, **how: real_noise(std=std * ratio.share, **how)  # noqa: SLF001
    try:
        yield
    finally:
        noise.discrete_gaussian, PrivateSteps._add_up, Training.criticise = draw, add_up, criticise  # type: ignore[method-assign]  # noqa: SLF001
        optimizer._generate_noise = real_noise  # noqa: SLF001
        dp_ctgan.ask = ask


def table(n_rows: int) -> Table:
    values = pl.Series([True] * n_rows, dtype=pl.Boolean)
    return Table.conform(pl.DataFrame({"a": values, "b": values}), SCHEMA)


def trained(n_rows: int, plan: BudgetPlan, *, share: float, seed: int) -> Ratio:
    """One whole private fit of the table with a row, or of the one without."""
    ratio = Ratio(share)
    with watched(ratio):
        fit_privately(table(n_rows), RECIPE, queries=NoisyQueries(Ledger(), plan), streams=Streams(seed))
    return ratio


def exact_counts(plan: BudgetPlan) -> list[Floats]:
    """What the row adds to every count, in the order in which they are drawn: 1 in one cell of each."""
    found: list[list[Floats]] = []
    for n_rows in (1, 0):
        ratio, draw = Ratio(1.0), noise.discrete_gaussian
        noise.discrete_gaussian = lambda counts, *, scale: counts.copy()  # type: ignore[assignment]  # noqa: ARG005
        try:
            with watched(ratio):
                fit_privately(table(n_rows), RECIPE, queries=NoisyQueries(Ledger(), plan), streams=Streams(0))
        finally:
            noise.discrete_gaussian = draw
        found.append([answer for answer, _ in ratio.told])
    return [one - other if one.shape == other.shape else one for one, other in zip(*found, strict=True)]


def scores(n_rows: int, *, runs: int, share: float) -> Floats:
    """Log likelihood ratios of so many trainings, (runs,)."""
    plan = plan_fit(SCHEMA, RECIPE, BUDGET)
    adds = exact_counts(plan)
    found = []
    for run in range(runs):
        ratio = trained(n_rows, plan, share=share, seed=run)
        ratio.counts(adds)
        found.append(ratio.log)
    return np.array(found)


@dataclass(frozen=True, kw_only=True)
class Audit:
    """How often the likelihood ratio says "there is a row", of the table with one (`tpr`) and without (`fpr`).

    `proven`: the least that their difference is, at level `ALPHA`; `allowed`: the ledger's δ at ε = 0, which bounds it.
    `epsilon_lower` is what the scores prove of ε at the stated δ by a threshold that half of them chose, at level `ALPHA`.
    """

    tpr: float
    fpr: float
    proven: float
    allowed: float
    epsilon_lower: float

    @property
    def exceeds(self) -> bool:
        """Whether more was released than charged: said wrongly of a sound engine in at most 2 `ALPHA` of audits."""
        return self.proven > self.allowed or self.epsilon_lower > BUDGET.epsilon


def audited(without: Floats, beside: Floats) -> Audit:
    """Log likelihood ratios of as many trainings on each table, (runs,) each; bounds of Clopper and Pearson."""
    n, n_true, n_false = len(without), int((beside > 0).sum()), int((without > 0).sum())
    least = float(beta.ppf(ALPHA / 2, n_true, n - n_true + 1)) if n_true else 0.0
    most = float(beta.isf(ALPHA / 2, n_false + 1, n - n_false)) if n_false < n else 1.0
    mechanisms = [planned.mechanism for planned in plan_fit(SCHEMA, RECIPE, BUDGET).parts]
    return Audit(
        tpr=n_true / n,
        fpr=n_false / n,
        proven=least - most,
        allowed=delta_of(mechanisms, 0.0),
        epsilon_lower=counts_bound(without, beside, alpha=ALPHA, delta=BUDGET.delta).epsilon,
    )


def _timed(how: tuple[int, int, float]) -> tuple[Floats, float]:
    n_rows, runs, share = how
    torch.set_num_threads(1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    found = scores(n_rows, runs=runs, share=share)
    return found, resource.getrusage(resource.RUSAGE_SELF).ru_utime - before


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1000, help="of each table and share of the noise")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    wanted = [(n_rows, arguments.runs, share) for share in SHARES for n_rows in (0, 1)]
    with ProcessPoolExecutor(arguments.workers, multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(_timed, wanted))
    lines = []
    for at, share in enumerate(SHARES):
        (without, first), (beside, second) = found[2 * at], found[2 * at + 1]
        audit = audited(without, beside)
        lines.append({
            "noise": share, "stated_epsilon": BUDGET.epsilon, "delta": BUDGET.delta, "steps": RECIPE.steps,
            "sampling_rate": RECIPE.sampling_rate, "trainings_of_each_table": arguments.runs, "alpha": ALPHA,
            **{name: round(value, 4) for name, value in asdict(audit).items()},
            "exceeds": audit.exceeds, "cpu_seconds": round(first + second, 1),
        })  # fmt: skip
        print(lines[-1], flush=True)
    arguments.out.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
