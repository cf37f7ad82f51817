"""A fitted pipeline on disk: safetensors for arrays, JSON for the rest, hashes over both.

    model.json          format version, engine, settings, schema, ledger, layout
    arrays.safetensors  what the engine learnt
    manifest.json       SHA-256 of the other two, and of itself

No pickle. A folder of another format version, or one in which a byte was changed, is refused. The
hashes detect damage and careless editing; they are not a signature, and whoever can write the folder
can write new hashes. So nothing in it is believed: the three are regular files, not links, of at most
64 MiB, 1 GiB and 4 KiB; the JSON is byte for byte what writing its content gives, so neither NaN nor a
name that stands twice is in it; and every field and array is checked before a model is built on it.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.errors import ModelFileError
from tabsynth.io import atomic_folder
from tabsynth.privacy import NO_PRIVACY, Privacy
from tabsynth.privacy.ledger import budget_from_data, copy_from_data
from tabsynth.privacy.mechanisms import Exact

FORMAT_VERSION = 7
_MODEL, _ARRAYS, _MANIFEST = MODEL_PARTS = "model.json", "arrays.safetensors", "manifest.json"
_MOST_BYTES = {_MODEL: 64 << 20, _ARRAYS: 1 << 30, _MANIFEST: 4 << 10}
_MOST_ROWS = 2**53
_MOST_GENERATIONS = 1_000_000
_FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "format_version": int,
    "engine": str,
    "settings": dict,
    "privacy": (str, dict),
    "n_rows": int,
    "generation": int,
    "real_share": (float, type(None)),
    "public_rows": int,
    "placeholders": list,
    "history": (dict, type(None)),
    "schema": dict,
    "layout": dict,
    "distinct_shares": dict,
    "parameters": dict,
    "ledger": dict,
}


def write_folder(
    path: Path,
    document: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
    *,
    overwrite: bool = False,
) -> None:
    """Write a model folder, whole or not at all.

    Raises `OutputExistsError` unless `overwrite`, and `ModelFileError` for more than could be read back.
    """
    from safetensors.numpy import save

    parts = {
        _MODEL: _json_bytes({"format_version": FORMAT_VERSION, **document}),
        _ARRAYS: save({name: np.ascontiguousarray(array) for name, array in arrays.items()}),
    }
    for name, content in parts.items():
        if len(content) > _MOST_BYTES[name]:
            raise ModelFileError(
                f"{path}: the model is too large: {name} holds {_MOST_BYTES[name]} bytes at most"
            )
    parts[_MANIFEST] = _manifest(parts)
    with atomic_folder(path, overwrite=overwrite) as folder:
        for name, content in parts.items():
            (folder / name).write_bytes(content)


def read_folder(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The document and arrays of a model folder; raises `ModelFileError` for anything amiss."""
    if not _is_folder(path):
        raise ModelFileError(f"{path}: no model folder there")
    manifest, model, arrays = (_read(path / name) for name in (_MANIFEST, _MODEL, _ARRAYS))
    parts = {_MODEL: model, _ARRAYS: arrays}
    if manifest != _manifest(parts):
        altered = [name for name, content in parts.items() if _digest(content).encode() not in manifest]
        raise ModelFileError(
            f"{path}: {', '.join(altered) or _MANIFEST} was altered or damaged since it was written; "
            "take the model from where it was made"
        )
    document = _json_object(model, path / _MODEL)
    version = document.get("format_version")
    if type(version) is not int or version != FORMAT_VERSION:
        raise ModelFileError(
            f"{path}: format version {version!r:.20} is unknown here (this release reads {FORMAT_VERSION}); "
            "install a release of tabsynth that knows it, or fit again"
        )
    if not _is_canonical(document, model):
        raise ModelFileError(f"{path / _MODEL}: not in the form in which models are written")
    return document, _arrays(arrays, path / _ARRAYS)


def require_fields(document: Mapping[str, Any]) -> None:
    """Raise `ModelFileError` naming every field of the document that is missing, of a wrong type or range."""
    names = {*_FIELDS, *document}
    wrong = sorted(
        name for name in names if name not in document or not _is_of(document[name], _FIELDS.get(name, ()))
    )
    if not wrong:
        shares = document["distinct_shares"].values()
        sound = {
            "privacy": _is_read(privacy_from_data, document["privacy"]),
            "n_rows": 1 <= document["n_rows"] <= _MOST_ROWS,
            "generation": 1 <= document["generation"] <= _MOST_GENERATIONS,
            "real_share": document["real_share"] is None
            or (document["generation"] > 1 and 0 <= document["real_share"] <= 1),
            "public_rows": 0
            <= document["public_rows"]
            <= (0 if document["privacy"] == "none" else _MOST_ROWS),
            "distinct_shares": all(type(share) is float and 0 < share <= 1 for share in shares),
            "layout": _is_layout(document["layout"]),
            "ledger": _is_ledger(document["ledger"], is_private=document["privacy"] != "none"),
        }
        wrong = [name for name, is_sound in sound.items() if not is_sound]
    if wrong:
        raise ModelFileError(f"{_MODEL}: missing, unknown or wrong: {', '.join(map(repr, wrong[:10]))}")


def privacy_from_data(data: object) -> Privacy:
    """What a model says of its privacy: "none" or a budget; raises `ValueError` for anything else."""
    return NO_PRIVACY if data == "none" else budget_from_data(data)


def _is_of(value: object, types: type | tuple[type, ...]) -> bool:
    return type(value) in (types if isinstance(types, tuple) else (types,))


def _is_ledger(data: object, *, is_private: bool) -> bool:
    """Whether it is a copy with charges, none of them exact where the model says that it is private."""
    if not _is_read(copy_from_data, data):
        return False
    charges = copy_from_data(data).charges
    return len(charges) > 0 and not (is_private and any(isinstance(c.mechanism, Exact) for c in charges))


def _is_read(read: Callable[[object], object], data: object) -> bool:
    try:
        read(data)
    except ValueError:
        return False
    return True


def _is_layout(data: Mapping[str, Any]) -> bool:
    """Whether the columns are named by text alone; `Layout.from_dict` checks what the texts say."""
    columns = data.get("columns")
    return isinstance(columns, list) and all(
        isinstance(column, dict)
        and all(isinstance(column.get(key), str) for key in ("name", "dtype", "stored"))
        and isinstance(column.get("format"), str | None)
        for column in columns
    )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name too long, a parent that may not be entered
        return False


def _read(path: Path) -> bytes:
    """A regular file's bytes: a link or a device could hang, or never end."""
    most = _MOST_BYTES[path.name]
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise ModelFileError(f"{path}: cannot be read (not a regular file)")
        if found.st_size > most:
            raise ModelFileError(f"{path}: cannot be read (more than {most} bytes)")
        with path.open("rb") as file:
            return file.read(found.st_size)
    except OSError as fault:
        raise ModelFileError(f"{path}: cannot be read ({fault.strerror})") from None


def _manifest(parts: Mapping[str, bytes]) -> bytes:
    digests = {name: _digest(content) for name, content in parts.items()}
    return _json_bytes({**digests, "self": _digest(_json_bytes(digests))})


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _json_bytes(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False).encode()


def _json_object(content: bytes, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise ModelFileError(f"{path}: not JSON, or nested too deeply") from None
    if not isinstance(document, dict):
        raise ModelFileError(f"{path}: not a JSON object")
    return document


def _is_canonical(document: Mapping[str, Any], content: bytes) -> bool:
    try:
        return _json_bytes(document) == content
    except (ValueError, RecursionError):  # NaN, an infinity, half a surrogate pair; deep nesting
        return False


def _arrays(content: bytes, path: Path) -> dict[str, npt.NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(content)
    except (SafetensorError, KeyError, ValueError, OverflowError):  # KeyError: a type that NumPy lacks
        raise ModelFileError(f"{path}: not a safetensors file of NumPy's types") from None
