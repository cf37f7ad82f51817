"""Settings of the networks that are trained without privacy, checked all at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tabsynth.errors import UsageError

_MOST_CELLS = (1 << 15) - 1  # of a column, which 16 bits hold beside null and special values


def require_settings(
    recipe: Any,
    *,
    counts: Sequence[str],
    positive: Sequence[str],
    from_zero: Sequence[str] = (),
    shares: Sequence[str] = (),
) -> None:
    """Raise `UsageError` that names every setting out of its range.

    `counts` are 1 or more, `positive` above 0 and finite, `from_zero` 0 or more and finite, `shares` in [0, 1).
    """
    faults = [f"{name} of 1 or more" for name in counts if getattr(recipe, name) < 1]
    faults += [f"a positive {name}" for name in positive if not 0 < getattr(recipe, name) < math.inf]
    faults += [f"{name} of 0 or more" for name in from_zero if not 0 <= getattr(recipe, name) < math.inf]
    faults += [f"{name} in [0, 1)" for name in shares if not 0 <= getattr(recipe, name) < 1]
    faults += [
        f"{name} from 2 to {_MOST_CELLS}"
        for name in ("number_cells", "level_cells")
        if not 2 <= getattr(recipe, name) <= _MOST_CELLS
    ]
    if faults:
        raise UsageError(f"{recipe.name} needs {', '.join(faults)}")
