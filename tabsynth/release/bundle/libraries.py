"""Versions of the libraries that a release rests on, where they are installed: a model is sampled without what trained it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

ABSENT = "not installed where the release was made"
BASE = ("tabsynth", "numpy", "polars", "pyarrow", "opendp", "dp-accounting", "faker", "cryptography")
OF_ENGINES = {
    "ctgan": ("torch",),
    "tvae": ("torch",),
    "dp_ctgan": ("torch", "opacus"),
    "smote": ("scikit-learn",),
}
"""What fits an engine's models beside the libraries of `BASE`."""


def installed(*names: str) -> dict[str, str]:
    """The version of each library, once, or that it is not installed."""
    return {name: _version(name) for name in names}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ABSENT
