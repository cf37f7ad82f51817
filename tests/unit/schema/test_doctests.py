"""The examples in docstrings hold."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from tabsynth.schema import foreign, hints
from tabsynth.schema.guess import names, strings


@pytest.mark.parametrize("module", [foreign, hints, names, strings], ids=lambda module: module.__name__)
def test_examples(module: ModuleType):
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0
