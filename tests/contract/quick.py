"""Engines whose contract does not depend on how long they are trained, set up to be trained in a moment."""

import importlib.util

import pytest

from tabsynth.models import registry

_NETWORK = {"epochs": 3, "batch_size": 100, "width": 32, "n_noise": 8, "number_cells": 12, "threads": 1}
QUICK = {
    "ctgan": {**_NETWORK, "critic_width": 32, "pac": 5},
    "tvae": {**_NETWORK, "encoder_width": 32},
}
"""Settings by name of the engine; other engines take their defaults."""
EXTRAS = {"smote": ("imblearn", "smote"), "ctgan": ("torch", "gan"), "tvae": ("torch", "gan")}
"""The module that an engine's extra brings, and the extra."""


def named(name):
    """The engine's name as a parameter, skipped where its extra is not installed."""
    module, extra = EXTRAS.get(name, ("numpy", ""))
    is_missing = importlib.util.find_spec(module) is None
    return pytest.param(name, marks=pytest.mark.skipif(is_missing, reason=f"needs the extra {extra}"))


def quick(name, **settings):
    return registry.make_engine(name, {**QUICK.get(name, {}), **settings})
