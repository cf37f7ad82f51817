"""JSON files that hold one object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tabsynth.errors import InputError


def read_json_object(path: str | Path) -> dict[str, Any]:
    """The object in a JSON file; `InputError` where it cannot be read or holds something else."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON: {type(error).__name__}") from None
    if not isinstance(data, dict):
        raise InputError(f"expected an object in {path}, found {type(data).__name__}")
    return data
