"""Normal draws whose every column is spread evenly, with their dependence kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, ndtr, ndtri

Floats = npt.NDArray[np.float64]

_FEW = 32
_MANY = 1024


def stratified(normals: Floats, rng: np.random.Generator) -> Floats:
    """The same rows with column k's i-th smallest value moved into the i-th of n equal strata, (n, p).

    Latin hypercube sampling of dependent variables (Stein 1987): ranks stay as they are, while the share
    of draws in any interval of one column is off by at most 1/n instead of about 1/√n. Columns of the
    input are independent draws of a standard normal; each column of the result is standard normal too.

    Within its stratum a value takes the place that its own probability has among all i-th smallest of n
    (a beta distribution), so that dependence within a stratum is kept too; beyond 1,024 rows, where
    places within strata no longer matter, it takes a random one. Fewer than 32 rows stay as they are.
    """
    n, p = normals.shape
    if n < _FEW:
        return normals
    spread = np.empty_like(normals)
    stratum = np.arange(n)
    for k in range(p):
        order = np.argsort(normals[:, k], kind="stable")
        if n > _MANY:
            place = rng.random(n)
        else:
            place = betainc(stratum + 1.0, n - stratum + 0.0, ndtr(normals[order, k]))
        spread[order, k] = ndtri((stratum + place) / n)
    return np.clip(spread, -38, 38)
