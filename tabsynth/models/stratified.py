"""Normal draws whose every column is spread evenly, with their dependence kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Floats = npt.NDArray[np.float64]


def stratified(normals: Floats, rng: np.random.Generator) -> Floats:
    """The same rows with column k's i-th smallest value moved into the i-th of n equal strata, (n, p).

    Latin hypercube sampling of dependent variables (Stein 1987): ranks, and so the copula, stay as they
    are, while the share of draws in any interval of one column is off by at most 1/n instead of about
    1/√n. Columns of the input are standard normal; so is each column of the result.
    """
    n, p = normals.shape
    spread = np.empty_like(normals)
    for k in range(p):
        spread[np.argsort(normals[:, k], kind="stable"), k] = ndtri((np.arange(n) + rng.random(n)) / n)
    return np.clip(spread, -38, 38)
