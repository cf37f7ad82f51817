"""CTGAN's conditional generator, learnt from noisy marginals and against a differentially private critic.

The generator and the way rows are conditioned follow Xu, Skoularidou, Cuesta-Infante and Veeramachaneni 2019
("Modeling Tabular Data using Conditional GAN"). Of the real rows it sees noisy counts of columns and pairs,
which it is trained to match (Liu, Vietri and Wu 2021), and a critic whose gradients are clipped row by row
and noisy (`tabsynth.privacy.dpsgd`). Everything is charged before it is read: counts as they are asked for,
all of the critic's steps before the first. Columns are cut into cells by their public domain and released
counts; dependence is learnt between few coarse cells, and values follow their column's own counts inside
them.

It cannot be had without privacy, and it protects rows: a person of several is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy.typing as npt

from tabsynth.encode import EncodedTable, Variable
from tabsynth.errors import PrivacyError, UsageError
from tabsynth.models.base import Progress, no_progress
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.neural.fitted import NOTHING, FittedGenerator
from tabsynth.models.neural.released import Released, ask, released_parts
from tabsynth.models.neural.stored import restore_generator
from tabsynth.privacy.accountant import epsilon_of
from tabsynth.privacy.mechanisms import SampledGaussian
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import BudgetPlan, Part
from tabsynth.privacy.queries import AnyQueries
from tabsynth.randomness import Streams

if TYPE_CHECKING:
    from tabsynth.models.neural.training import Training
    from tabsynth.privacy.checkpoint import Checkpoint
    from tabsynth.privacy.dpsgd import PrivateSteps

CRITIC = "gradients of the critic"
_TOLD = 10  # times that progress is told while the critic is trained


@dataclass(frozen=True, slots=True, kw_only=True)
class DpCtgan:
    """Recipe of the private conditional GAN.

    Privacy: `critic_share` of the budget, in [0, 1), goes to the critic, which is trained in `steps` ≥ 1 steps, each on a Poisson sample at
    `sampling_rate` in (0, 1]; `max_grad_norm` > 0 bounds the norm of a row's gradient. With a share of 0 there is no
    critic. All of them are public: none follows the number of rows.

    The generator has `depth` layers of `width`, `n_noise` numbers of noise, and makes `batch` rows at a time. It
    learns the released marginals in `marginal_steps` and takes `generator_steps` for each of the critic's, at
    `learning_rate`; `adversarial_weight` ≥ 0 is the critic's say beside the marginals; `averaging` in [0, 1) is that
    of the generator's weights. The critic has layers of `critic_width`, learns at
    `critic_learning_rate`, and no weight matrix of it has a singular value above `steepness`.

    The machine: `device` is "auto" (a GPU where there is one), "cpu" or "cuda"; `precision` is that of the networks'
    products, "float32" (TF32 on a GPU) or "bfloat16"; at most `most_at_once` real rows have
    their gradients in memory at a time; `threads` of torch, 0 for as many as it takes.
    """

    name: ClassVar[str] = "dp_ctgan"
    guarantees: ClassVar[frozenset[str]] = frozenset({"dp"})
    retains_rows: ClassVar[bool] = False
    summary: ClassVar[str] = (
        "a GAN trained privately (extra gan); for comparison: bayesian_network is more faithful at every ε tried"
    )

    critic_share: float = 0.1
    steps: int = 100
    sampling_rate: float = 0.08
    max_grad_norm: float = 0.5
    depth: int = 2
    width: int = 128
    n_noise: int = 64
    batch: int = 500
    marginal_steps: int = 2000
    generator_steps: int = 1
    learning_rate: float = 0.003
    adversarial_weight: float = 0.5
    averaging: float = 0.99
    critic_width: int = 64
    critic_learning_rate: float = 0.001
    steepness: float = 2.0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    most_at_once: int = 512
    threads: int = 0

    def __post_init__(self) -> None:
        counts = ("steps", "depth", "width", "n_noise", "batch", "marginal_steps", "generator_steps", "critic_width", "most_at_once")  # fmt: skip
        positive = ("max_grad_norm", "learning_rate", "critic_learning_rate", "steepness")
        faults = [f"{name} of 1 or more" for name in counts if getattr(self, name) < 1]
        faults += [f"a positive {name}" for name in positive if not 0 < getattr(self, name) < float("inf")]
        for name, low, high, words in (
            ("critic_share", self.critic_share >= 0, self.critic_share < 1, "in [0, 1)"),
            ("sampling_rate", self.sampling_rate > 0, self.sampling_rate <= 1, "in (0, 1]"),
            ("averaging", self.averaging >= 0, self.averaging < 1, "in [0, 1)"),
            ("adversarial_weight", self.adversarial_weight >= 0, self.adversarial_weight < float("inf"), "of 0 or more"),
            ("threads", self.threads >= 0, True, "of 0 or more"),
        ):  # fmt: skip
            if not (low and high):
                faults.append(f"{name} {words}")
        if faults:
            raise UsageError(f"dp_ctgan needs {', '.join(faults)}")

    def parts(self, variables: tuple[Variable, ...]) -> tuple[Part, ...]:
        counts = released_parts(variables, share=1 - self.critic_share)
        if len(variables) < 2 or not self.critic_share:
            return counts
        critic = Part(
            statistic=CRITIC, share=self.critic_share, count=self.steps, sampling_rate=self.sampling_rate
        )
        return (*counts, critic)

    def fit(
        self, data: EncodedTable, *, queries: AnyQueries, streams: Streams, progress: Progress = no_progress
    ) -> FittedGenerator:
        from tabsynth.models.neural.devices import chosen_device, working_on
        from tabsynth.models.neural.training import Training

        if not isinstance(queries, NoisyQueries):
            raise PrivacyError("dp_ctgan is trained with privacy alone; nothing was read")
        progress("counts", 0.0)
        if not data.columns:
            return FittedGenerator((), NOTHING)
        multiplier = self._multiplier(queries.plan)
        released, rows = ask(data, queries)
        seed = int(streams.generator("dp_ctgan.fit").integers(2**63))
        device = chosen_device(self.device)
        with working_on(device, threads=self.threads):
            training = Training(released, self, device=device, seed=seed)
            keep = _continued(queries.checkpoint, training)
            training.learn_marginals(progress, until=0.4, keep=keep)
            if self.critic_share and len(data.columns) > 1:
                steps = self._steps(training, released, data, queries, multiplier)
                began = steps.done  # told whatever it is: of steps that were lost, too
                while True:
                    is_last = steps.done == self.steps
                    is_tenth = steps.done % max(self.steps // _TOLD, 1) == 0 and not is_last
                    if is_tenth or steps.done == began:
                        lost = steps.done - training.taken
                        progress(_spent(queries.plan, steps.done, lost), 0.4 + 0.6 * steps.done / self.steps)
                    if is_last:
                        break
                    training.criticise(steps, rows)
                    if queries.checkpoint is not None and steps.done == queries.checkpoint.begun:
                        keep()
        columns = tuple(NetworkColumn(c.cells, c.counts / released.total, c.coarse) for c in released.columns)
        return FittedGenerator(columns, training.weights())

    def _multiplier(self, plan: BudgetPlan) -> float:
        """The noise of gradients that both accountants agree to; asked before anything is released."""
        from tabsynth.privacy.dpsgd import agreed_multiplier

        planned = {part.part.statistic: part.mechanism for part in plan.parts}.get(CRITIC)
        return agreed_multiplier(planned, plan.budget.delta) if isinstance(planned, SampledGaussian) else 0.0

    def _steps(
        self,
        training: Training,
        released: Released,
        data: EncodedTable,
        queries: NoisyQueries,
        multiplier: float,
    ) -> PrivateSteps:
        """All of the critic's steps, charged."""
        from tabsynth.privacy.dpsgd import PrivateSteps

        mechanism = queries.training(CRITIC, tuple(data.columns))
        checkpoint = queries.checkpoint
        return PrivateSteps(
            training.critic,
            training.to_critic,
            mechanism=mechanism,
            multiplier=multiplier,
            n_rows=data.n_rows,
            expected_rows=max(mechanism.sampling_rate * released.total, 1.0),
            max_grad_norm=self.max_grad_norm,
            most_at_once=self.most_at_once,
            done=0 if checkpoint is None else checkpoint.begun,
            before_step=None if checkpoint is None else checkpoint.before_step,
        )

    @classmethod
    def restore(
        cls,
        variables: tuple[Variable, ...],
        arrays: Mapping[str, npt.NDArray[Any]],
        parameters: Mapping[str, Any],
    ) -> FittedGenerator:
        return restore_generator(variables, arrays, parameters)


def _continued(checkpoint: Checkpoint | None, training: Training) -> Callable[[], None]:
    """Set the training to where a checkpoint left it; what is returned keeps it there as it stands when called."""
    if checkpoint is None:
        return lambda: None
    from tabsynth.models.neural.state import keep, restore

    restore(checkpoint, training)
    return lambda: keep(checkpoint, training, done=checkpoint.begun)


@lru_cache(maxsize=64)
def _spent(plan: BudgetPlan, done: int, lost: int = 0) -> str:
    """What the fit has released after that many of the critic's steps, all of which are charged by then.

    `lost` of them were begun by a process that was interrupted: they are spent, and shaped nothing.
    """
    mechanisms = [planned.mechanism for planned in plan.parts if planned.part.statistic != CRITIC]
    critic = plan[CRITIC].mechanism
    assert isinstance(critic, SampledGaussian)
    if done:
        mechanisms.append(replace(critic, count=done))
    spent = epsilon_of(mechanisms, plan.budget.delta)
    told = f"critic: ε {spent:.3g} of {plan.budget.epsilon:.3g} released"
    return told if not lost else f"{told}, {lost} of {done} steps lost to interruptions"
