"""Arguments that callers pass: what they must be, said before they do harm."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

from tabsynth.errors import UsageError


def whole_number_fault(value: Any, name: str) -> str | None:
    """What keeps `value` from being a whole number of 0 or more; None where it is one, of whatever library.

    Booleans and floats are none, 2.0 included: a float where a number of rows or a seed is meant has
    mostly lost digits on its way.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is not None and number >= 0 and type(value).__name__ not in ("bool", "bool_"):
        return None
    return f"{name} must be a whole number of 0 or more, found {_found(value, number)}"


def share_fault(value: Any, name: str) -> str | None:
    """What keeps `value` from being a number in [0, 1]; None where it is one."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
        return None
    return f"{name} must be a number from 0 to 1, found {_found(value, None)}"


def mapping_fault(
    value: Any, name: str, *, of: str = "columns", example: str = '{"sex": "Female"}'
) -> str | None:
    """What keeps `value` from being a mapping of names, those of columns unless said; None where it is one."""
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return None
    found = "keys that are not names" if isinstance(value, Mapping) else type(value).__name__
    return f"{name} must be a mapping of {of} to values, such as {example}, found {found}"


def refuse(faults: Iterable[str | None]) -> None:
    """Raise `UsageError` with every fault there is."""
    found = [fault for fault in faults if fault is not None]
    if found:
        raise UsageError("; ".join(found))


def _found(value: Any, number: int | None) -> str:
    if number is not None and not isinstance(value, bool):
        return str(number)
    return repr(value) if isinstance(value, (bool, float)) else type(value).__name__
