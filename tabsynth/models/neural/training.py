"""Training a generator on released marginals and against a private critic.

Only the critic's gradients touch real rows, and they go through `tabsynth.privacy.dpsgd`. The generator sees
the critic and released counts: post-processing, which costs no privacy however often it is done. Nothing that
is computed from a real row is kept, shown or told: no loss, no score, no early stop.

First the generator learns the released one- and two-way marginals alone, as in GEM (Liu, Vietri and Wu 2021):
those of a mixture of products are means of products of softmaxes, without sampling a cell. Then critic and
generator take turns, the marginals staying in the generator's loss. What is kept is an exponential average
of the generator's weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tabsynth.models.base import Progress
from tabsynth.models.neural.conditions import Conditions
from tabsynth.models.neural.fitted import Weights, shares_of
from tabsynth.models.neural.networks import (
    Critic,
    Generator,
    cap_spectra,
    initialise,
    probabilities,
    sampled,
)
from tabsynth.models.neural.released import Released
from tabsynth.privacy.dpsgd import PrivateSteps

if TYPE_CHECKING:
    from tabsynth.models.dp_ctgan import DpCtgan

Rows = npt.NDArray[np.uint16]
_MARGINALS, _CRITIC = 0, 1  # phases
_PARTS = 10  # of the steps on marginals, after which a training can be continued


class Marginals:
    """Released shares of cells and of pairs of cells, on one matrix of all cells against all."""

    def __init__(self, released: Released, device: torch.device) -> None:
        sizes = [column.n_coarse for column in released.columns]
        starts = np.cumsum([0, *sizes])
        n = int(starts[-1])
        target, weight = np.zeros((n, n), np.float32), np.zeros((n, n), np.float32)
        for (i, j), shares in zip(released.pairs, released.shares, strict=True):
            block = np.s_[starts[i] : starts[i + 1], starts[j] : starts[j + 1]]
            target[block], weight[block] = shares, 1.0
        self.own = torch.tensor(
            np.concatenate([shares_of(column) for column in released.columns]),
            dtype=torch.float32,
            device=device,
        )
        self.target, self.weight = torch.tensor(target, device=device), torch.tensor(weight, device=device)
        self.n_pair_cells, self.variance = max(float(weight.sum()), 1.0), max(released.variance, 1e-12)

    def loss(self, found: torch.Tensor) -> torch.Tensor:
        """Mean squared error of probabilities, (n, n_cells), in variances of the released noise."""
        joint = found.T @ found / len(found)
        of_pairs = (self.weight * (joint - self.target) ** 2).sum() / self.n_pair_cells
        of_columns = ((found.mean(dim=0) - self.own) ** 2).mean()
        return (of_pairs + of_columns) / self.variance


class Training:
    """A generator with its average, a critic, their optimisers, and how far they have come."""

    def __init__(self, released: Released, recipe: DpCtgan, *, device: torch.device, seed: int) -> None:
        self.recipe, self.device = recipe, device
        self.conditions = Conditions([shares_of(column) for column in released.columns])
        self.sizes = [column.n_coarse for column in released.columns]
        self.n_cells = sum(self.sizes)
        self.marginals = Marginals(released, device)
        self.draws, self._seed = torch.Generator(device=device).manual_seed(seed), seed
        self.rng = np.random.default_rng(seed)  # of generated rows: what it draws protects nobody
        self.learnt = self.taken = 0  # steps on marginals, and those of the critic that shaped these networks
        self.generator = Generator(
            n_noise=recipe.n_noise, n_cells=self.n_cells, width=recipe.width, depth=recipe.depth
        ).to(device)
        self.critic = Critic(n_cells=self.n_cells, width=recipe.critic_width).to(device)
        initialise(self.generator, self.draws)
        initialise(self.critic, self.draws)
        self.average = {name: tensor.clone() for name, tensor in self.generator.state_dict().items()}
        self.to_generator = torch.optim.Adam(
            self.generator.parameters(), lr=recipe.learning_rate, betas=(0.5, 0.99)
        )
        self.to_critic = torch.optim.Adam(
            self.critic.parameters(), lr=recipe.critic_learning_rate, betas=(0.5, 0.99)
        )

    @cached_property
    def starts(self) -> npt.NDArray[np.intp]:
        return self.conditions.starts

    def reseed(self, phase: int, step: int) -> None:
        """Draw generated rows as a training that is continued here does: by the seed and the step alone."""
        self.rng = np.random.default_rng([self._seed, phase, step])
        self.draws.manual_seed(int(self.rng.integers(2**63)))

    def learn_marginals(
        self, progress: Progress, *, until: float, keep: Callable[[], None] = lambda: None
    ) -> None:
        """What is left of `marginal_steps` steps on released marginals alone, the rate falling to a tenth.

        `keep` is called at every tenth of them, where the networks may be kept and continued.
        """
        n_steps, began = self.recipe.marginal_steps, self.learnt
        for step in range(began, n_steps):
            if step % max(n_steps // _PARTS, 1) == 0:
                if step > began:
                    keep()
                self.reseed(_MARGINALS, step)
            share = step / n_steps
            self._set_rate(self.recipe.learning_rate * 0.1**share)
            logits, condition = self._generate()
            loss = self._public_loss(logits, condition)
            self._update(loss, averaging=min(self.recipe.averaging, step / (step + 10)))
            self.learnt = step + 1
            if step % 50 == 0:
                progress("marginals", until * share)
        self._set_rate(self.recipe.learning_rate * 0.1)
        if began < n_steps:
            keep()

    def criticise(self, steps: PrivateSteps, rows: Rows) -> None:
        """One private step of the critic and `generator_steps` of the generator."""
        self.reseed(_CRITIC, steps.done)
        steps.step(lambda taken, chance: self._loss_of_rows(rows[taken], chance), self._loss_of_made)
        cap_spectra(self.critic, self.recipe.steepness)
        for _ in range(self.recipe.generator_steps):
            logits, condition = self._generate()
            fake = sampled(logits, self.sizes, self.draws)
            judged = nn.functional.softplus(-self._judged(torch.cat([fake, condition], dim=1))).mean()
            loss = self._public_loss(logits, condition) + self.recipe.adversarial_weight * judged
            self._update(loss, averaging=self.recipe.averaging)
        self.taken += 1

    def _loss_of_rows(self, rows: Rows, chance: np.random.Generator) -> torch.Tensor:
        """The critic's loss of each of some real rows, (n,): a function of that row, and of chance that is its own."""
        cells = rows.astype(np.intp) + self.starts
        condition = self.conditions.of_rows(cells, chance)
        inputs = torch.zeros((len(rows), 2 * self.n_cells), device=self.device)
        at = torch.from_numpy(np.c_[cells, condition + self.n_cells]).to(self.device)
        return nn.functional.softplus(-self._judged(inputs.scatter_(1, at, 1.0)))

    def _loss_of_made(self) -> torch.Tensor:
        """The critic's mean loss of generated rows, which no real row has a part in."""
        with torch.no_grad():
            logits, condition = self._generate()
            fake = sampled(logits, self.sizes, self.draws)
        return nn.functional.softplus(self._judged(torch.cat([fake, condition], dim=1))).mean()

    def weights(self) -> Weights:
        """The averaged generator's, for numpy."""
        arrays = {name: tensor.cpu().numpy().astype(np.float32) for name, tensor in self.average.items()}
        layers = tuple(
            (
                arrays[f"linear.{k}.weight"],
                arrays[f"linear.{k}.bias"],
                arrays[f"norm.{k}.weight"],
                arrays[f"norm.{k}.bias"],
            )
            for k in range(self.recipe.depth)
        )
        return Weights(layers, (arrays["out.weight"], arrays["out.bias"]))

    def _generate(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of `batch` rows and their conditions, both (n, n_cells): as many, whatever sample was drawn."""
        n = self.recipe.batch
        noise = torch.randn((n, self.recipe.n_noise), generator=self.draws, device=self.device)
        at = torch.from_numpy(self.conditions.draw(n, self.rng)).to(self.device)
        condition = torch.zeros((n, self.n_cells), device=self.device)
        condition[torch.arange(n, device=self.device), at] = 1.0
        with self._cast():
            logits = self.generator(torch.cat([noise, condition], dim=1))
        return logits.float(), condition

    def _judged(self, rows: torch.Tensor) -> torch.Tensor:
        with self._cast():
            scores = self.critic(rows)
        return scores.float()

    def _cast(self) -> torch.autocast:
        """Products of both networks in 16 bits where `precision` says so; their sums, losses and weights have 32."""
        is_on = self.recipe.precision == "bfloat16"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=is_on)

    def _public_loss(self, logits: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """How far released marginals, and the condition, are missed."""
        found = probabilities(logits, self.sizes)
        missed = -torch.log((found * condition).sum(dim=1).clamp(min=1e-6)).mean()
        return self.marginals.loss(found) + missed

    def _update(self, loss: torch.Tensor, *, averaging: float) -> None:
        self.to_generator.zero_grad(set_to_none=True)
        gradients = torch.autograd.grad(loss, list(self.generator.parameters()))
        for parameter, gradient in zip(self.generator.parameters(), gradients, strict=True):
            parameter.grad = gradient
        self.to_generator.step()
        with torch.no_grad():
            for name, tensor in self.generator.state_dict().items():
                self.average[name].mul_(averaging).add_(tensor, alpha=1 - averaging)

    def _set_rate(self, rate: float) -> None:
        for group in self.to_generator.param_groups:
            group["lr"] = rate
