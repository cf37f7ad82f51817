"""The machine that networks are trained on, privately or not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from tabsynth.errors import UsageError
from tabsynth.privacy.products import products_of


def chosen_device(name: str) -> torch.device:
    """The device of that name; "auto" is a GPU where there is one. Raises `UsageError` for a GPU that is not there."""
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        why = "is built without CUDA" if torch.version.cuda is None else "finds no GPU with CUDA"
        raise UsageError(
            f"device 'cuda' was asked for, and the PyTorch here ({torch.__version__}) {why}, so nothing was read: "
            "device 'auto' takes a GPU where there is one, and 'cpu' none"
        )
    return torch.device("cuda" if has_gpu and name != "cpu" else "cpu")


@contextlib.contextmanager
def working_on(device: torch.device, *, threads: int) -> Iterator[None]:
    """While the block runs: at most `threads` of torch's, 0 for as many as it takes; TF32 products on a GPU, 32 bits on a CPU.

    What the caller has set decides nothing of a fit, and stands again afterwards.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        with products_of("tf32" if device.type == "cuda" else "ieee"):
            yield
    finally:
        torch.set_num_threads(before)
