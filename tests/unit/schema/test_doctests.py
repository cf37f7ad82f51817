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


def test_no_hint_where_nothing_is_known():
    assert hints.did_you_mean("x", []) == ""
    assert hints.did_you_mean("zzz", [f"name{i}" for i in range(20)]).endswith("name11 and 8 more")
