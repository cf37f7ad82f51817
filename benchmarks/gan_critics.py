"""Critics of `dp_ctgan` and ways to train them that are no settings: what was tried beside it (`gan_parts.py`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from tabsynth.models.neural.networks import Critic, initialise, probabilities, sampled
from tabsynth.models.neural.training import Rows, Training

BETAS = (0.5, 0.99)
STRIDE, PENALTY = 0.1, 1.0
OFTEN, SMALL = 3.0, 1e-4  # the most that a ratio's logarithm counts; the least probability in one


class WithoutLayerNorm(Critic):
    def __init__(self, *, n_cells: int, width: int) -> None:
        super().__init__(n_cells=n_cells, width=width)
        self.layers[1] = nn.Identity()


class UsualAdam(Training):
    """Adam as torch sets it, which remembers further back."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        for optimiser in (self.to_generator, self.to_critic):
            optimiser.param_groups[0]["betas"] = (0.9, 0.999)


class SlopeOfRows(Training):
    """A gradient penalty in each real row's own loss, clipped with it.

    The slope is that along the line from a generated row to the real one, at a place on it (Gulrajani et al. 2017), by a difference
    of two scores: then each layer sees a row three times and its gradient is still one row's. Which generated row
    and which place are drawn by chance that belongs to the real row.
    """

    def _loss_of_rows(self, rows: Rows, chance: np.random.Generator) -> torch.Tensor:
        cells = rows.astype(np.intp) + self.starts
        condition = self.conditions.of_rows(cells, chance)
        real = torch.zeros((len(rows), 2 * self.n_cells), device=self.device)
        at = torch.from_numpy(np.c_[cells, condition + self.n_cells]).to(self.device)
        real.scatter_(1, at, 1.0)
        with torch.no_grad():
            logits, asked = self._generate()
            made = torch.cat([sampled(logits, self.sizes, self.draws), asked], dim=1)
            partner = made[torch.from_numpy(chance.integers(0, len(made), len(rows))).to(self.device)]
            along = nn.functional.normalize(real - partner, dim=1)
            share = torch.from_numpy(chance.random((len(rows), 1))).float().to(self.device)
            place = torch.lerp(partner, real, share)
        three = torch.stack([real, place + STRIDE * along, place - STRIDE * along], dim=1)
        scores = self._judged(three).squeeze(-1)
        slope = (scores[:, 1] - scores[:, 2]) / (2 * STRIDE)
        return nn.functional.softplus(-scores[:, 0]) + PENALTY * slope**2


class SlopeOfMade(Training):
    """A gradient penalty at generated rows alone, which costs no privacy (Mescheder, Geiger and Nowozin 2018)."""

    def _loss_of_made(self) -> torch.Tensor:
        with torch.no_grad():
            logits, condition = self._generate()
            fake = sampled(logits, self.sizes, self.draws)
        inputs = torch.cat([fake, condition], dim=1).requires_grad_()
        scores = self._judged(inputs)
        (slopes,) = torch.autograd.grad(scores.sum(), inputs, create_graph=True)
        return nn.functional.softplus(scores).mean() + PENALTY * slopes.pow(2).sum(dim=1).mean()


class CriticOfPairs(Critic):
    """Beside a row and its condition the critic is shown, for each column, how much more often than by chance the
    row's cell goes with its others, by the noisy counts of pairs: the mean logarithm of p(a, b) / (p(a) p(b))."""

    def __init__(self, *, ratios: torch.Tensor, columns: torch.Tensor, width: int) -> None:
        n_cells, n_columns = columns.shape
        super().__init__(n_cells=n_cells, width=width)
        self.layers[0] = nn.utils.skip_init(nn.Linear, 2 * n_cells + n_columns, width)
        self.ratios, self.columns = (
            ratios,
            columns,
        )  # released: no weights, and no buffers, which Opacus refuses

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        cells = rows[:, : len(self.ratios)]
        told = ((cells @ self.ratios) * cells) @ self.columns
        return super().forward(torch.cat([rows, told / self.columns.shape[1]], dim=1))


class SeeingPairs(Training):
    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        known = self.marginals
        target, own = known.target.clamp(min=0.0), known.own.clamp(min=0.0)  # noise can make shares negative
        lift = torch.log((target + SMALL) / (own[:, None] * own[None, :] + SMALL))
        ratios = known.weight * lift.clamp(-OFTEN, OFTEN)
        columns = torch.block_diag(*[torch.ones((size, 1)) for size in self.sizes]).to(self.device)
        self.critic = CriticOfPairs(
            ratios=ratios + ratios.T, columns=columns, width=self.recipe.critic_width
        ).to(self.device)
        initialise(self.critic, self.draws)
        rate = self.recipe.critic_learning_rate
        self.to_critic = torch.optim.Adam(self.critic.parameters(), lr=rate, betas=BETAS)


class CriticAlone(Training):
    """Hereafter the generator's loss has no word of the counts: that a row has the cell it was asked for, and the critic's."""

    def _public_loss(self, logits: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        found = probabilities(logits, self.sizes)
        return -torch.log((found * condition).sum(dim=1).clamp(min=1e-6)).mean()


class StartedOnCounts(Training):
    """Counts are learnt before the critic comes in, and not looked at any more from then on."""

    def learn_marginals(self, *arguments: Any, **settings: Any) -> None:
        super().learn_marginals(*arguments, **settings)
        self.is_started = True

    def _public_loss(self, logits: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        if getattr(self, "is_started", False):
            return super()._public_loss(logits, condition)
        return Training._public_loss(self, logits, condition)  # noqa: SLF001
