"""The machine that networks without privacy are trained on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from tabsynth.errors import UsageError


def chosen_device(name: str, *, engine: str) -> torch.device:
    """The device of that name, "auto" being a GPU where there is one; raises `UsageError` for a GPU that is not there."""
    has_gpu = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if has_gpu else "cpu")
    if name == "cuda" and not has_gpu:
        raise UsageError(
            f"engine {engine!r}: device=cuda, but PyTorch {torch.__version__} finds no GPU here, so nothing was read: take "
            "device=cpu or auto, or install a PyTorch built for this machine's CUDA driver"
        )
    return torch.device(name)


@contextlib.contextmanager
def on_threads(device: torch.device, *, threads: int) -> Iterator[None]:
    """While the block runs: at most `threads` of torch's, 0 for as many as it takes; TF32 products on a GPU."""
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(threads or before[0])
    torch.set_float32_matmul_precision("high" if device.type == "cuda" else before[1])
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.set_float32_matmul_precision(before[1])
