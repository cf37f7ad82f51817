"""Small tables of which nothing but the draw tells one from another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from tabsynth.schema.types import PrivacyUnit
from tabsynth.table import Table
from tests.unit.metrics.tables import category, integer, number, schema_of

SCHEMA = schema_of(number("x"), number("y"), integer("k"), category("c"))


def drawn(n: int, seed: int) -> Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    cells = {"x": x, "y": x + rng.normal(size=n), "k": rng.poisson(5, n), "c": rng.choice(list("abc"), n)}
    return Table.conform(pl.DataFrame(cells), SCHEMA)


def joined(*frames: pl.DataFrame, schema=SCHEMA) -> Table:
    return Table.conform(pl.concat(frames), schema)


PERSONS = replace(
    schema_of(integer("p"), number("x"), category("c")), unit=PrivacyUnit(column="p", max_rows=5)
)


def persons(ids, seed: int) -> Table:
    """Rows of the persons `ids`, one for each time they are named."""
    rng = np.random.default_rng(seed)
    cells = {"p": np.asarray(ids), "x": rng.normal(size=len(ids)), "c": rng.choice(list("abc"), len(ids))}
    return Table.conform(pl.DataFrame(cells), PERSONS)
