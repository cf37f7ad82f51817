"""Training CTGAN's generator against a critic of packed rows (Xu et al. 2019), without privacy.

The critic is that of a Wasserstein GAN with gradient penalty (Gulrajani et al. 2017) and judges `pac` rows at a time
(PacGAN: Lin et al. 2018). It sees rows of cells, and which column each was conditioned on: the cell is in the
row. The generator is normalised within each row, not over a batch, so that sampling is the function that was
trained. Beside the critic's verdict it is told how far the cells of pairs of columns are from those of
the real batch, a distance that needs no opponent. What is kept is an average of its weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tabsynth.models.base import Progress
from tabsynth.models.neural.exposure import Exposure
from tabsynth.models.neural.networks import LEAK, Generator, initialise, probabilities, sampled
from tabsynth.models.neural.observed import Observed

if TYPE_CHECKING:
    from tabsynth.models.ctgan import Ctgan

_BETAS = (0.5, 0.9)
_LEAST = 1e-9  # probability of a condition
_PAIRED = 32  # columns whose pairs a step looks at


@dataclass(frozen=True, eq=False)
class Batch:
    """Real rows, one-hot, (n, n_cells), the column each was conditioned on, (n, n_columns), and the condition, (n, n_cells)."""

    rows: torch.Tensor
    column: torch.Tensor
    condition: torch.Tensor


class PackedCritic(nn.Module):
    """`pac` rows beside each other, (n, pac · n_inputs), to how real they look, (n,)."""

    def __init__(self, *, n_inputs: int, width: int, pac: int) -> None:
        super().__init__()
        self.n_packed = n_inputs * pac
        self.layers = nn.Sequential(
            nn.utils.skip_init(nn.Linear, self.n_packed, width),
            nn.LeakyReLU(LEAK),
            nn.utils.skip_init(nn.Linear, width, width),
            nn.LeakyReLU(LEAK),
            nn.utils.skip_init(nn.Linear, width, 1),
        )

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.layers(rows.reshape(-1, self.n_packed)).squeeze(1)


class Adversaries:
    """A generator with its average, a critic, their optimisers, and real rows to show them."""

    def __init__(self, observed: Observed, recipe: Ctgan, *, device: torch.device, seed: int) -> None:
        self.recipe, self.device, self.sizes = recipe, device, observed.sizes
        self.n_cells, self.n_columns = sum(self.sizes), len(self.sizes)
        self.exposure = Exposure(observed.rows, self.sizes, recipe.exposure)
        self.starts = self.exposure.conditions.starts
        self.rng = np.random.default_rng(seed)
        self.draws = torch.Generator(device=device).manual_seed(seed)
        self.generator = Generator(
            n_noise=recipe.n_noise, n_cells=self.n_cells, width=recipe.width, depth=recipe.depth
        ).to(device)
        self.critic = PackedCritic(
            n_inputs=self.n_cells + self.n_columns, width=recipe.critic_width, pac=recipe.pac
        ).to(device)
        initialise(self.generator, self.draws)
        initialise(self.critic, self.draws)
        self.average = {name: tensor.clone() for name, tensor in self.generator.state_dict().items()}
        self.to_generator = torch.optim.Adam(
            self.generator.parameters(), lr=recipe.learning_rate, betas=_BETAS
        )
        self.to_critic = torch.optim.Adam(
            self.critic.parameters(), lr=recipe.critic_learning_rate, betas=_BETAS
        )

    def train(self, progress: Progress) -> None:
        """All epochs: each as many steps as batches make up the rows."""
        n_steps = max(1, len(self.exposure.rows) // self.recipe.batch_size)
        for epoch in range(self.recipe.epochs):
            progress(f"epoch {epoch + 1} of {self.recipe.epochs}", 0.05 + 0.9 * epoch / self.recipe.epochs)
            for step in range(n_steps):
                done = epoch * n_steps + step
                for _ in range(self.recipe.critic_steps):
                    self._teach_critic()
                self._teach_generator(averaging=min(self.recipe.averaging, done / (done + 10)))

    def weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """The averaged generator's, by the names of its parameters."""
        return {name: tensor.cpu().numpy().astype(np.float32) for name, tensor in self.average.items()}

    def _batch(self) -> Batch:
        n = self.recipe.n_batch
        at, taken = self.exposure.draw(n, self.rng)
        cells = self.exposure.rows[taken].astype(np.intp) + self.starts
        column = np.searchsorted(self.starts, at, side="right") - 1
        return Batch(
            rows=self._one_hot(cells, self.n_cells),
            column=self._one_hot(column[:, None], self.n_columns),
            condition=self._one_hot(at[:, None], self.n_cells),
        )

    def _one_hot(self, at: npt.NDArray[np.intp], size: int) -> torch.Tensor:
        empty = torch.zeros((len(at), size), device=self.device)
        return empty.scatter_(1, torch.from_numpy(at).to(self.device), 1.0)

    def _logits(self, batch: Batch) -> torch.Tensor:
        noise = torch.randn((len(batch.rows), self.recipe.n_noise), generator=self.draws, device=self.device)
        return self.generator(torch.cat([noise, batch.condition], dim=1))

    def _teach_critic(self) -> None:
        batch = self._batch()
        with torch.no_grad():
            fake = sampled(self._logits(batch), self.sizes, self.draws)
        real, made = (torch.cat([rows, batch.column], dim=1) for rows in (batch.rows, fake))
        loss = self.critic(made).mean() - self.critic(real).mean()
        loss = loss + self.recipe.gradient_penalty * self._penalty(real, made)
        _step(self.to_critic, self.critic, loss)

    def _penalty(self, real: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
        """How far the critic's slope is from 1 between packs of real and generated rows."""
        real, made = (rows.reshape(-1, self.critic.n_packed) for rows in (real, made))
        share = torch.rand((len(real), 1), generator=self.draws, device=self.device)
        between = (share * real + (1 - share) * made).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        return ((slope.norm(dim=1) - 1) ** 2).mean()

    def _teach_generator(self, *, averaging: float) -> None:
        batch = self._batch()
        logits = self._logits(batch)
        fake = sampled(logits, self.sizes, self.draws)
        found = probabilities(logits, self.sizes)
        missed = -torch.log((found * batch.condition).sum(dim=1) + _LEAST).mean()
        loss = missed - self.critic(torch.cat([fake, batch.column], dim=1)).mean()
        if self.recipe.pair_weight:
            loss = loss + self.recipe.pair_weight * self._pairs_missed(found, batch.rows)
        _step(self.to_generator, self.generator, loss)
        with torch.no_grad():
            for name, tensor in self.generator.state_dict().items():
                self.average[name].mul_(averaging).add_(tensor, alpha=1 - averaging)

    def _pairs_missed(self, found: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Mean over columns of the squared distance of its pairs' shares, made against real; of 32 columns drawn evenly at most."""
        kept = range(self.n_columns)
        parts = found.split(self.sizes, dim=1), rows.split(self.sizes, dim=1)
        if self.n_columns > _PAIRED:
            kept = np.sort(self.rng.permutation(self.n_columns)[:_PAIRED]).tolist()
            found, rows = (torch.cat([part[v] for v in kept], dim=1) for part in parts)
        both = (found.T @ found - rows.T @ rows) / len(rows)
        own = [parts[0][v].T @ parts[0][v] - parts[1][v].T @ parts[1][v] for v in kept]
        within = sum((each**2).sum() for each in own) / len(rows) ** 2
        return ((both**2).sum() - within) / len(kept)


def _step(optimiser: torch.optim.Optimizer, network: nn.Module, loss: torch.Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    parameters = list(network.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimiser.step()
