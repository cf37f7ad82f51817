"""DP-SGD: noisy gradients of Poisson samples of the rows (Abadi et al. 2016). The only file that imports Opacus.

A step takes every row by itself with the sampling rate, clips each row's gradient to a norm, adds Gaussian
noise of multiplier × norm to their sum, and divides by the *expected* number of rows: a sample of no row is
a step like any other. What needs no row (a generator's rows, penalties on weights) may add to the
gradient afterwards. Samples and noise come from generators of their own, seeded by the operating system: the
seed of a fit and torch's global one reach neither.

It does not protect against what floating point gives away: noise is drawn in 32-bit floats by generators
that are not cryptographic (Opacus' `secure_mode` cannot be had with current torch). How long a step takes
tells how many rows it took.
"""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tabsynth.errors import PrivacyError
from tabsynth.privacy.accountant import epsilon_of
from tabsynth.privacy.mechanisms import SampledGaussian
from tabsynth.privacy.products import products_of

if TYPE_CHECKING:
    import torch

Rows = npt.NDArray[np.intp]
_DISAGREEMENT = 0.02  # relative, of the two accountants
_GRID = 0.002  # of ε: how finely Opacus' accountant computes
_TWISTER_STARTS, _TWISTER_WORDS = 24, 624  # bytes before the words of its state, in eight bytes each
_SMALLEST = 0.02  # ε below which accountants differ by rounding alone


class PrivateSteps:
    """At most `mechanism.count` steps of training a module on `n_rows` private rows.

    `expected_rows` > 0 comes from a released number of rows. `max_grad_norm` bounds the norm of each row's gradient;
    `multiplier` is the noise's, at least `mechanism.scale`. At most `most_at_once` rows are in memory at a time.
    `done` steps were made before, in a training that is continued. `before_step` is called with the number of each step, from
    1, before a row is sampled for it: there a checkpoint marks it as spent.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        mechanism: SampledGaussian,
        multiplier: float,
        n_rows: int,
        expected_rows: float,
        max_grad_norm: float,
        most_at_once: int,
        done: int = 0,
        before_step: Callable[[int], None] | None = None,
    ) -> None:
        import torch
        from opacus import GradSampleModule
        from opacus.optimizers import DPOptimizer

        _refuse_batch_norm(module)
        if multiplier < mechanism.scale:
            raise PrivacyError("the noise is less than what was charged; no gradient was released")
        self.mechanism, self.done = mechanism, done
        self._before_step = before_step
        self._n_rows, self._most_at_once = n_rows, most_at_once
        self._expected = expected_rows
        self._samples, self._chance = (np.random.default_rng(secrets.randbits(128)) for _ in range(2))
        self._module = GradSampleModule(module, loss_reduction="sum")
        self._module.disable_hooks()
        self._parameters = [found for found in module.parameters() if found.requires_grad]
        if any(found.dtype != torch.float32 for found in self._parameters):
            raise PrivacyError("a private training is of weights with 32 bits; no gradient was released")
        noise = _own_generator(self._parameters[0].device)
        self._optimizer = DPOptimizer(
            optimizer,
            noise_multiplier=multiplier,
            max_grad_norm=max_grad_norm,
            expected_batch_size=1,
            loss_reduction="sum",
            generator=noise,
        )

    def step(
        self,
        loss_of_rows: Callable[[Rows, np.random.Generator], torch.Tensor],
        public_loss: Callable[[], torch.Tensor],
    ) -> None:
        """One step: `loss_of_rows` gives the loss of each of some rows, `public_loss` one number without any row.

        What chance decides of a real row's loss must come from the generator that `loss_of_rows` is given: draws that
        are known would tie rows together, as one more row would move those of all that follow it.
        Raises `PrivacyError` once all steps that were charged have been made: before any row is taken.
        """
        import torch

        if self.done >= self.mechanism.count:
            raise PrivacyError(f"all {self.mechanism.count} steps that were charged have been made")
        if self._before_step is not None:
            self._before_step(self.done + 1)
        self.done += 1
        taken = np.flatnonzero(self._samples.random(self._n_rows) < self.mechanism.sampling_rate)
        self._optimizer.zero_grad(set_to_none=True)
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="Full backward hook is firing"
            )  # of inputs without gradients
            self._add_up(taken, loss_of_rows)
            added = torch.autograd.grad(public_loss(), self._parameters)
        for parameter, gradient in zip(self._parameters, added, strict=True):
            parameter.grad.div_(self._expected).add_(gradient)
        self._optimizer.original_optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    def _add_up(self, taken: Rows, loss_of_rows: Callable[[Rows, np.random.Generator], torch.Tensor]) -> None:
        """Leave the noisy sum of clipped gradients in `grad`, from as many rows at a time as memory allows."""
        self._module.enable_hooks()
        parts = np.array_split(taken, max(1, -(-len(taken) // self._most_at_once)))
        for at, rows in enumerate(parts):
            losses = loss_of_rows(rows, self._chance)
            if losses.shape != rows.shape:  # of several rows together: clipping would bound nothing
                raise PrivacyError("each row is to have a loss of its own; no gradient was released")
            losses.sum().backward()
            self._in_full_precision()
            is_last = at == len(parts) - 1
            self._optimizer.signal_skip_step(do_skip=not is_last)
            with _in_32_bits(self._parameters[0].device):
                self._optimizer.pre_step()
            if not is_last:
                self._optimizer.zero_grad(set_to_none=True)  # which keeps the sum so far
        self._module.disable_hooks()

    def _in_full_precision(self) -> None:
        """Norms are taken, and rows clipped and added up, in 32 bits, whatever gradients were made in.

        A row whose gradient is not finite would escape clipping: such entries count as 0.
        """
        import torch

        for parameter in self._parameters:
            gradients = parameter.grad_sample.float()
            parameter.grad_sample = torch.nan_to_num_(gradients, nan=0.0, posinf=0.0, neginf=0.0)


@contextmanager
def _in_32_bits(device: torch.device) -> Iterator[None]:
    """While the block runs, products are of 32 bits, whatever the caller allows: clipping and adding up is one product."""
    import torch

    with products_of("ieee"), torch.autocast(device.type, enabled=False):
        yield


@lru_cache(maxsize=16)
def agreed_multiplier(mechanism: SampledGaussian, delta: float) -> float:
    """The noise multiplier at which Opacus, too, finds no more ε at `delta` than the ledger for `mechanism`.

    At least `mechanism.scale`: where Opacus' accountant (PRV, Gopi, Lee and Wutschitz 2021) finds more than
    dp-accounting's, the difference is paid in noise, so that the larger of the two is what is charged.
    Raises `PrivacyError` where they differ by more than 2 %. Reads no data.
    """
    charged = epsilon_of((mechanism,), delta)
    if charged < _SMALLEST:
        return mechanism.scale
    found = opacus_epsilon(mechanism, delta)
    if abs(found / charged - 1) > _DISAGREEMENT:
        raise PrivacyError(
            f"two accountants disagree: ε = {charged:.4g} and {found:.4g} for the same {mechanism.count} steps; "
            "nothing was read"
        )
    scale = mechanism.scale
    while found > charged:
        scale *= 1.0 + max(found / charged - 1, 5e-4)
        found = opacus_epsilon(replace(mechanism, scale=scale), delta)
    return scale


def opacus_epsilon(mechanism: SampledGaussian, delta: float) -> float:
    """ε of the steps at `delta`, from above, by Opacus' accountant of privacy random variables."""
    from opacus.accountants import PRVAccountant

    rough = max(epsilon_of((mechanism,), delta), 1e-3)
    accountant = PRVAccountant()
    accountant.history = [(mechanism.scale, mechanism.sampling_rate, mechanism.count)]
    with warnings.catch_warnings(), np.errstate(divide="ignore"):  # of log(1 - rate), where that is 1
        warnings.simplefilter("ignore", UserWarning)  # on a rough bound that it starts from
        try:
            return float(accountant.get_epsilon(delta, eps_error=_GRID * rough, delta_error=delta / 1000))
        except (RuntimeError, ValueError) as error:
            raise PrivacyError(
                f"Opacus cannot account for these steps, so nothing was read: {error}"
            ) from None


def _own_generator(device: torch.device) -> torch.Generator:
    """A generator of noise that only the operating system has seeded, with all of its state on a CPU."""
    import torch

    generator = torch.Generator(device=device).manual_seed(secrets.randbits(63))
    if generator.device.type == "cpu":  # a Mersenne twister, which takes 32 bits of a seed and no more
        words = np.frombuffer(secrets.token_bytes(4 * _TWISTER_WORDS), dtype=np.uint32)
        state = generator.get_state().numpy().copy()
        state[_TWISTER_STARTS : _TWISTER_STARTS + 8 * _TWISTER_WORDS] = words.astype(np.uint64).view(np.uint8)
        generator.set_state(torch.from_numpy(state))
    return generator


def _refuse_batch_norm(module: torch.nn.Module) -> None:
    """Raise `PrivacyError` for layers that mix rows: no gradient is of one row then, and clipping bounds nothing."""
    from torch.nn.modules.batchnorm import _NormBase

    mixing = sorted({type(layer).__name__ for layer in module.modules() if isinstance(layer, _NormBase)})
    if mixing:
        raise PrivacyError(f"layers that mix rows cannot be trained privately: {', '.join(mixing)}")
