"""Groups whose share is multiplied: the shares that come of it, and what is said where there are none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.errors import ConditionError, UsageError

Floats = npt.NDArray[np.float64]
_CLOSE = 1e-9


def label_of(name: str, value: Any) -> str:
    """A group as it is written on the command line."""
    text = "" if value is None else str(value)
    return f"{name}{text}" if text.startswith(("<", ">")) else f"{name}={text}"


def multiplied(name: str, factors: Floats, now: Floats) -> Floats:
    """The shares of groups, (n + 1,): those with factors, (n,), so many times what is `now`; the last has what is left.

    Raises `ConditionError` where a group has no share now, `UsageError` for factors that ask for more than all rows.
    """
    n = len(factors)
    if not now[:n].all():
        raise ConditionError(
            f"a group of {name!r} has probability zero under the model: no factor makes it more frequent"
        )
    wanted = factors * now[:n]
    total = float(wanted.sum())
    if total > 1:
        most = f"the largest factor possible is about {_floored(1 / now[0])}"
        if n > 1:
            most = f"all of them times {_floored(1 / total)} would be about the most"
        raise UsageError(
            f"the factors of {name!r} ask for more than all rows ({total:.3g} times as many): {most}"
        )
    if not now[n] and total < 1 - _CLOSE:
        raise ConditionError(
            f"the shares of {name!r} cannot be met: the model makes no rows outside the groups"
        )
    return np.append(wanted, 1 - total)


def _floored(number: float) -> str:
    """To three digits, never more than it is."""
    step = 10.0 ** (math.floor(math.log10(number)) - 2)
    return f"{math.floor(number / step) * step:.3g}"
