"""Warnings at the caller's own line, however many calls of this package lie between."""

from __future__ import annotations

import inspect
import warnings


def warn(message: str) -> None:
    """A `UserWarning` that points at the first frame outside this package."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and _is_ours(str(frame.f_globals.get("__name__", ""))):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, UserWarning, stacklevel=level)


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "tabsynth"
