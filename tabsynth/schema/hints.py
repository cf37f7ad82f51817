"""Words for faults: paths into a schema, and what a misspelt name may have meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

_PLAIN = re.compile(r"\w+(?:-\w+)*")
_LONGEST_LIST = 12


def path_of(*parts: str | int) -> str:
    """`tables.patients.columns.age.bounds[0]`; names that would be ambiguous are quoted.

    >>> path_of("tables", "my table", "columns", "d.time", "categories", 2)
    'tables."my table".columns."d.time".categories[2]'
    """
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _PLAIN.fullmatch(part) else '"' + part.replace('"', '\\"') + '"'
            text += f".{name}" if text else name
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the known word closest to `word`, or all of them where none is close.

    >>> did_you_mean("intger", ["integer", "number"])
    "did you mean 'integer'?"
    >>> did_you_mean("zzz", ["integer", "number"])
    'one of: integer, number'
    """
    names = list(dict.fromkeys(known))
    folded = {name.casefold(): name for name in names}
    close = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    close = close or [name for name in folded if len(word) > 2 and name.startswith(word.casefold())]
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    if not names:
        return ""
    listed = ", ".join(names[:_LONGEST_LIST])
    return f"one of: {listed}" + (
        f" and {len(names) - _LONGEST_LIST} more" if len(names) > _LONGEST_LIST else ""
    )


def counted(n: int, noun: str) -> str:
    """`1 fault`, `2 faults`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
