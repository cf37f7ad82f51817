"""A training as arrays, to be kept and continued: networks, their average, and what Adam remembers.

All of it is a function of released counts, noisy gradients and the fit's seed. No generator of noise or samples is
in it, nor anything of a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tabsynth.errors import InputError, PrivacyError
from tabsynth.models.neural.training import Training
from tabsynth.privacy.checkpoint import STATE, Checkpoint

Arrays = Mapping[str, npt.NDArray[Any]]
_REMEMBERED = ("step", "exp_avg", "exp_avg_sq")  # by Adam, of each parameter


def keep(checkpoint: Checkpoint, training: Training, *, done: int) -> None:
    """Put the training in the place of what was kept before; `done` steps of the critic lie behind it."""
    found = {name: tensor.detach().cpu().numpy() for name, tensor in _tensors(training).items()}
    checkpoint.keep_state(found, learnt=training.learnt, taken=training.taken, done=done)


def restore(checkpoint: Checkpoint, training: Training) -> None:
    """Set `training` to what was kept, where something was.

    Raises `InputError` for arrays that are not those of such a training, and `PrivacyError` where it holds more steps than the
    ledger knows of.
    """
    kept = checkpoint.state()
    if kept is None:
        return
    arrays, numbers = kept
    damaged = InputError(f"{Path(checkpoint.folder) / STATE} is damaged: the fit cannot be continued")
    if numbers.keys() != {"learnt", "taken", "done"} or numbers["learnt"] > training.recipe.marginal_steps:
        raise damaged
    if not numbers["taken"] <= numbers["done"] <= checkpoint.begun:
        raise PrivacyError(
            f"the networks in {checkpoint.folder} have seen more steps than the ledger holds: it was set back, so the "
            "fit cannot be continued"
        )
    optimisers = {"to_generator": training.to_generator, "to_critic": training.to_critic}
    for name, optimiser in optimisers.items():
        if any(key.startswith(f"{name}.") for key in arrays):
            _give_memory(optimiser)
    wanted = _tensors(training)
    if wanted.keys() != arrays.keys() or not all(_is_like(wanted[name], arrays[name]) for name in wanted):
        raise damaged
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(torch.from_numpy(arrays[name]))
    training.learnt, training.taken = numbers["learnt"], numbers["taken"]


def _tensors(training: Training) -> dict[str, torch.Tensor]:
    """Everything that a training changes, by name; writing to these tensors changes it."""
    parts = {
        "generator": training.generator.state_dict(),
        "average": training.average,
        "critic": training.critic.state_dict(),
    }
    found = {f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}
    for name, optimiser in (("to_generator", training.to_generator), ("to_critic", training.to_critic)):
        for at, parameter in enumerate(optimiser.param_groups[0]["params"]):
            for key, tensor in optimiser.state[parameter].items() if parameter in optimiser.state else ():
                found[f"{name}.{at}.{key}"] = tensor
    return found


def _give_memory(optimiser: torch.optim.Adam) -> None:
    """The memory that Adam makes at its first step, of nothing yet."""
    for parameter in optimiser.param_groups[0]["params"]:
        first, second = torch.zeros_like(parameter), torch.zeros_like(parameter)
        optimiser.state[parameter] = dict(zip(_REMEMBERED, (torch.tensor(0.0), first, second), strict=True))


def _is_like(tensor: torch.Tensor, array: npt.NDArray[Any]) -> bool:
    is_float = array.dtype == np.float32 and tensor.dtype == torch.float32
    return is_float and array.shape == tuple(tensor.shape) and bool(np.isfinite(array).all())
