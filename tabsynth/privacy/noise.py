"""Discrete Gaussian noise from OpenDP: the one place where noise is drawn, and the only one that knows OpenDP.

The noise is exact (Canonne, Kamath and Steinke 2020: no floating point decides a draw) and comes from the
operating system's entropy; no seed of this package reaches it. Counts and noise are 64-bit integers that
saturate rather than wrap, which is a function of the released number alone. How long a draw takes is not
protected.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
_CHUNK = 8192
_LARGEST_SCALE = 2.0**53


def discrete_gaussian(counts: Integers, *, scale: float) -> Integers:
    """`counts` with independent discrete Gaussian noise of parameter `scale` in every cell; same shape.

    `scale` in (0, 2**53] is σ of exp(-x²/2σ²); the noise's variance is at most σ². Counts below 2**53 in
    absolute value never meet the ends of int64. Raises `ValueError` for any other scale, and `TypeError`
    for counts that are not int64: nothing is released then.
    """
    if not 0 < scale <= _LARGEST_SCALE:
        raise ValueError("the scale of noise must be positive and at most 2**53")
    if counts.dtype != np.int64:
        raise TypeError(f"noise is added to int64 counts, found {counts.dtype}")
    flat = np.ascontiguousarray(counts).reshape(-1)
    pieces = [flat[start : start + _CHUNK] for start in range(0, len(flat), _CHUNK)]
    if len(pieces) < 2:
        return _released(flat, float(scale)).reshape(counts.shape)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:  # OpenDP works outside the GIL
        noisy = pool.map(lambda piece: _released(piece, float(scale)), pieces)
        return np.concatenate(list(noisy)).reshape(counts.shape)


def averages(
    histograms: Sequence[Integers], *, scale: float, repeats: Sequence[int]
) -> list[npt.NDArray[np.float64]]:
    """Each histogram released `repeats` ≥ 1 times with noise of its own, averaged; same shapes.

    The variance of a cell of histogram i is at most scale²/repeats[i].
    """
    released = discrete_gaussian(
        np.concatenate(
            [
                np.empty(0, np.int64),
                *(np.tile(counts.reshape(-1), n) for counts, n in zip(histograms, repeats, strict=True)),
            ]
        ),
        scale=scale,
    )
    found, start = [], 0
    for counts, n in zip(histograms, repeats, strict=True):
        end = start + n * counts.size
        releases = released[start:end].reshape(n, *counts.shape)
        found.append(np.asarray(releases.mean(axis=0, dtype=np.float64)))
        start = end
    return found


def _released(counts: Integers, scale: float) -> Integers:
    # Not opendp.prelude: it takes ten times as long to load.
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_gaussian
    from opendp.metrics import l2_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    measurement = make_gaussian(vector_domain(atom_domain(T="i64")), l2_distance(T="f64"), scale)
    return np.array(measurement(counts.tolist()), dtype=np.int64)
