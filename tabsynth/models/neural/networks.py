"""A generator and a critic of rows of cells, in torch; what they learn about privacy is said where they are trained.

The generator is CTGAN's (Xu et al. 2019): noise and a condition go through residual layers, each of which
hands its input on beside its output, to one softmax per column. Layers are normalised within each row
(Ba, Kiros and Hinton 2016), not over a batch, so that training and sampling are the same function. The
critic judges one row at a time (pac = 1) and its condition, and nothing in it mixes rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

LEAK = 0.2


class Generator(nn.Module):
    """Noise and condition, (n, n_noise + n_cells), or noise alone, to logits of every column's cells, (n, n_cells)."""

    def __init__(
        self, *, n_noise: int, n_cells: int, width: int, depth: int, is_conditional: bool = True
    ) -> None:
        super().__init__()
        n_inputs = [n_noise + n_cells * is_conditional + k * width for k in range(depth + 1)]
        self.linear = nn.ModuleList(nn.utils.skip_init(nn.Linear, n, width) for n in n_inputs[:-1])
        self.norm = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.out = nn.utils.skip_init(nn.Linear, n_inputs[-1], n_cells)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        for linear, norm in zip(self.linear, self.norm, strict=True):
            inputs = torch.cat([torch.relu(norm(linear(inputs))), inputs], dim=1)
        return self.out(inputs)


class Critic(nn.Module):
    """One row and its condition, (n, 2 · n_cells), to how real it looks, (n,)."""

    def __init__(self, *, n_cells: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.utils.skip_init(nn.Linear, 2 * n_cells, width),
            nn.LayerNorm(width),
            nn.LeakyReLU(LEAK),
            nn.utils.skip_init(nn.Linear, width, width),
            nn.LeakyReLU(LEAK),
            nn.utils.skip_init(nn.Linear, width, 1),
        )

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.layers(rows).squeeze(1)


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Uniform weights of the usual size (He et al. 2015), from a generator of their own."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            reach = layer.in_features**-0.5
            with torch.no_grad():
                layer.weight.uniform_(-reach, reach, generator=generator)
                layer.bias.uniform_(-reach, reach, generator=generator)


def probabilities(logits: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """One softmax per column, (n, n_cells)."""
    return torch.cat([torch.softmax(part, dim=1) for part in logits.split(list(sizes), dim=1)], dim=1)


def sampled(logits: torch.Tensor, sizes: Sequence[int], generator: torch.Generator) -> torch.Tensor:
    """A cell of every column, one-hot, (n, n_cells); gradients are those of the softened choice.

    Gumbel-softmax, straight through (Jang, Gu and Poole 2017), at temperature 0.2 as in CTGAN.
    """
    noise = torch.empty_like(logits).exponential_(generator=generator).clamp_(min=1e-20).log_().neg_()
    soft = torch.cat(
        [torch.softmax(part / 0.2, dim=1) for part in (logits + noise).split(list(sizes), dim=1)], dim=1
    )
    hard = torch.cat(
        [
            nn.functional.one_hot(part.argmax(dim=1), size).to(logits.dtype)
            for part, size in zip(soft.split(list(sizes), dim=1), sizes, strict=True)
        ],
        dim=1,
    )
    return hard + soft - soft.detach()


@torch.no_grad()
def cap_spectra(critic: Critic, most: float) -> None:
    """Scale down every weight matrix whose largest singular value exceeds `most`.

    A bound on how steep the critic is that looks at weights alone (Miyato et al. 2018 normalise instead). Singular values of
    such small matrices are found on the CPU, wherever the critic is.
    """
    for layer in critic.layers:
        if isinstance(layer, nn.Linear):
            largest = float(torch.linalg.matrix_norm(layer.weight.cpu(), ord=2))
            if largest > most:
                layer.weight.mul_(most / largest)
