"""Training TVAE's decoder (Xu et al. 2019, section 4.4): a variational autoencoder of rows of cells, without privacy.

The encoder places a row in a normal distribution over codes, the decoder gives back a softmax for every column
(Kingma and Welling 2014). Numbers are cells as levels are, so one likelihood serves all columns and no
spread has to be learnt beside it. Rows are sampled by the decoder from standard normal codes. It is normalised within
each row, so that sampling is the function that was trained; what is kept is an average of its weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tabsynth.models.base import Progress
from tabsynth.models.neural.networks import LEAK, Generator, initialise
from tabsynth.models.neural.observed import Observed

if TYPE_CHECKING:
    from tabsynth.models.tvae import Tvae


class Encoder(nn.Module):
    """Rows of cells, one-hot, (n, n_cells), to the mean and log-variance of their codes, both (n, n_noise)."""

    def __init__(self, *, n_cells: int, width: int, n_noise: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.utils.skip_init(nn.Linear, n_cells, width),
            nn.LeakyReLU(LEAK),
            nn.utils.skip_init(nn.Linear, width, width),
            nn.LeakyReLU(LEAK),
            nn.utils.skip_init(nn.Linear, width, 2 * n_noise),
        )

    def forward(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, spread = self.layers(rows).chunk(2, dim=1)
        return mean, spread.clamp(-12, 4)


class Autoencoder:
    """An encoder, a decoder with its average, their optimiser, and real rows to show them."""

    def __init__(self, observed: Observed, recipe: Tvae, *, device: torch.device, seed: int) -> None:
        self.recipe, self.device, self.sizes, self.rows = recipe, device, observed.sizes, observed.rows
        self.n_cells = sum(self.sizes)
        self.starts = np.cumsum([0, *self.sizes[:-1]]).astype(np.intp)
        self.rng = np.random.default_rng(seed)
        self.draws = torch.Generator(device=device).manual_seed(seed)
        self.encoder = Encoder(n_cells=self.n_cells, width=recipe.encoder_width, n_noise=recipe.n_noise).to(
            device
        )
        self.decoder = Generator(
            n_noise=recipe.n_noise,
            n_cells=self.n_cells,
            width=recipe.width,
            depth=recipe.depth,
            is_conditional=False,
        ).to(device)
        initialise(self.encoder, self.draws)
        initialise(self.decoder, self.draws)
        self.average = {name: tensor.clone() for name, tensor in self.decoder.state_dict().items()}
        self.parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.optimiser = torch.optim.Adam(self.parameters, lr=recipe.learning_rate)

    def train(self, progress: Progress) -> None:
        """All epochs: each once over the rows in a random order."""
        done = 0
        for epoch in range(self.recipe.epochs):
            progress(f"epoch {epoch + 1} of {self.recipe.epochs}", 0.05 + 0.9 * epoch / self.recipe.epochs)
            order = self.rng.permutation(len(self.rows))
            for start in range(0, len(order), self.recipe.batch_size):
                self._step(order[start : start + self.recipe.batch_size])
                self._keep(min(self.recipe.averaging, done / (done + 10)))
                done += 1

    def weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """The averaged decoder's, by the names of its parameters."""
        return {name: tensor.cpu().numpy().astype(np.float32) for name, tensor in self.average.items()}

    def _step(self, taken: npt.NDArray[np.intp]) -> None:
        cells = torch.from_numpy(self.rows[taken].astype(np.intp) + self.starts).to(self.device)
        rows = torch.zeros((len(taken), self.n_cells), device=self.device).scatter_(1, cells, 1.0)
        mean, spread = self.encoder(rows)
        chance = torch.randn(mean.shape, generator=self.draws, device=self.device)
        logits = self.decoder(mean + chance * torch.exp(spread / 2))
        log_shares = torch.cat(
            [torch.log_softmax(own, dim=1) for own in logits.split(self.sizes, dim=1)], dim=1
        )
        missed = -(log_shares * rows).sum(dim=1).mean()
        loss = self.recipe.row_weight * missed + from_normal(mean, spread).mean()
        gradients = torch.autograd.grad(loss, self.parameters)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimiser.step()

    def _keep(self, averaging: float) -> None:
        with torch.no_grad():
            for name, tensor in self.decoder.state_dict().items():
                self.average[name].mul_(averaging).add_(tensor, alpha=1 - averaging)


def from_normal(mean: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
    """Relative entropy, (n,), of normal distributions to the standard one, by means and log-variances, (n, n_noise)."""
    return 0.5 * (mean**2 + spread.exp() - 1 - spread).sum(dim=1)
