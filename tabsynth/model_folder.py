"""A fitted pipeline on disk: safetensors for arrays, JSON for the rest, hashes over both.

    model.json          format version, engine, settings, schema, ledger, layout
    arrays.safetensors  what the engine learnt
    manifest.json       SHA-256 of the other two, and of itself

No pickle. A folder of another format version, or one in which a byte was changed, is refused. The
hashes detect damage and careless editing; they are not a signature, and whoever can write the folder
can write new hashes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tabsynth.errors import ModelFileError
from tabsynth.io import atomic_folder

FORMAT_VERSION = 1
_MODEL, _ARRAYS, _MANIFEST = "model.json", "arrays.safetensors", "manifest.json"
_MAX_JSON_BYTES = 1 << 30


def write_folder(
    path: Path,
    document: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
    *,
    overwrite: bool = False,
) -> None:
    """Write a model folder, whole or not at all; raises `OutputExistsError` unless `overwrite`."""
    from safetensors.numpy import save

    parts = {
        _MODEL: _json_bytes({"format_version": FORMAT_VERSION, **document}),
        _ARRAYS: save({name: np.ascontiguousarray(array) for name, array in arrays.items()}),
    }
    manifest = _manifest({name: _digest(content) for name, content in parts.items()})
    with atomic_folder(path, overwrite=overwrite) as folder:
        for name, content in {**parts, _MANIFEST: _json_bytes(manifest)}.items():
            (folder / name).write_bytes(content)


def read_folder(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The document and arrays of a model folder; raises `ModelFileError` for anything amiss."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if not path.is_dir():
        raise ModelFileError(f"{path}: no model folder there")
    contents = {name: _read(path / name) for name in (_MANIFEST, _MODEL, _ARRAYS)}
    manifest = _json_object(contents[_MANIFEST], path / _MANIFEST)
    digests = {name: _digest(contents[name]) for name in (_MODEL, _ARRAYS)}
    if manifest != _manifest(digests):
        altered = [name for name, digest in digests.items() if manifest.get(name) != digest]
        raise ModelFileError(
            f"{path}: {', '.join(altered) or _MANIFEST} was altered or damaged since it was written; "
            "take the model from where it was made"
        )
    document = _json_object(contents[_MODEL], path / _MODEL)
    version = document.get("format_version")
    if version != FORMAT_VERSION:
        raise ModelFileError(
            f"{path}: format version {version!r} is unknown here (this release reads {FORMAT_VERSION}); "
            "install a release of tabsynth that knows it, or fit again"
        )
    try:
        return document, load(contents[_ARRAYS])
    except SafetensorError:
        raise ModelFileError(f"{path}: {_ARRAYS} is not a safetensors file") from None


def _read(path: Path) -> bytes:
    try:
        if path.suffix == ".json" and path.stat().st_size > _MAX_JSON_BYTES:
            raise ModelFileError(f"{path}: larger than any model's JSON")
        return path.read_bytes()
    except OSError as fault:
        raise ModelFileError(f"{path}: cannot be read ({fault.strerror})") from None


def _manifest(digests: Mapping[str, str]) -> dict[str, str]:
    return {**digests, "self": _digest(_json_bytes(dict(digests)))}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _json_bytes(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False).encode()


def _json_object(content: bytes, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError:
        raise ModelFileError(f"{path}: not JSON") from None
    if not isinstance(document, dict):
        raise ModelFileError(f"{path}: not a JSON object")
    return document
