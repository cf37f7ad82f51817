"""How many bits torch's products of matrices of 32-bit numbers have, while a block runs.

torch has an older setting for all of them (`set_float32_matmul_precision`) and a newer one for each backend, and reading
the older raises where the newer was used. Products follow the newer alone, which can be read and set whichever was
used before, so that is what is done here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal


@contextmanager
def products_of(precision: Literal["ieee", "tf32"]) -> Iterator[None]:
    """While the block runs: all 32 bits ("ieee"), or TF32 where there is such a thing; the caller's own settings afterwards."""
    import torch

    backends = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)
    before = [backend.fp32_precision for backend in backends]
    for backend in backends:
        backend.fp32_precision = precision
    try:
        yield
    finally:
        for backend, found in zip(backends, before, strict=True):
            backend.fp32_precision = "none"  # as a wider setting has it
            if backend.fp32_precision != found:
                backend.fp32_precision = found
