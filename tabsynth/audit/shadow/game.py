"""The game: shadow tables from real rows, each target in or out by a fair coin of its own.

One fit serves all targets. The pool is every real unit, of train and of the holdout, but the targets and the
null units; a shadow table is a fresh draw of its units without replacement, and the targets whose coin says
so. What the pool's rows are does not hang on any coin, so the tables with and without one target are
neighbours by adding or removing one unit, and the bound of a stated (ε, δ) holds for the attack as it
stands. The attacker knows the population and the target, not the other rows of a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.audit.shadow.targets import Chosen, Rows, Units, choose, isolation
from tabsynth.encode import EncodedTable, encode_table
from tabsynth.errors import DataError, Fault, UsageError
from tabsynth.metrics.sampling import take_rows
from tabsynth.randomness import Streams
from tabsynth.schema.types import TableSchema
from tabsynth.table import Table

MIN_UNITS = 200
"""Units of train, and of the pool, below which nothing is attacked."""

Labels = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Game:
    """`real` holds train, then the holdout, and `encoded` the same; `units`, (n_real,), whose each row is.

    `n_rows` is how many rows a shadow table has on average, and how many are released of each.
    """

    real: Table
    encoded: EncodedTable
    units: Units
    n_train: int
    chosen: Chosen
    n_rows: int
    streams: Streams

    @classmethod
    def of(cls, train: Table, holdout: Table, *, n_rows: int | None, n_each: int, streams: Streams) -> Self:
        """Without `n_rows`, as many as train has, at most half of the pool.

        Raises `UsageError` for a table without modelled columns or more rows than half of the pool,
        `DataError` for too few units, or persons on both sides.
        """
        real = Table(train.schema, pl.concat([train.frame, holdout.frame]))
        units = real.unit_codes()
        _require_apart(units[: train.n_rows], units[train.n_rows :], train.schema, n_each)
        encoded = encode_table(real)
        if not encoded.columns:
            raise UsageError(
                f"table {train.schema.name!r} has no column that is modelled: nothing can be attacked"
            )
        own = take_rows(encoded, np.arange(train.n_rows, dtype=np.intp))
        far = isolation(own, units[: train.n_rows], streams=streams)
        named = _named(train)
        chosen = choose(far[named], units[: train.n_rows][named], n_each=n_each, streams=streams)
        half = int((~np.isin(units, np.concatenate([chosen.targets, chosen.nulls]))).sum()) // 2
        if n_rows is not None and not MIN_UNITS // 2 <= n_rows <= half:
            raise UsageError(
                f"a shadow table can have {MIN_UNITS // 2:,} to {half:,} rows, half of the real rows that are "
                f"not attacked; found {n_rows:,}"
            )
        wanted = min(train.n_rows, half) if n_rows is None else n_rows
        return cls(real, encoded, units, train.n_rows, chosen, wanted, streams)

    @cached_property
    def pool(self) -> Rows:
        """The rows that no target and no null unit has."""
        kept = np.concatenate([self.chosen.targets, self.chosen.nulls])
        return np.flatnonzero(~np.isin(self.units, kept))

    @cached_property
    def _pool_units(self) -> tuple[Rows, Rows]:
        """Of each row of the pool, its unit's number from 0; and how many rows each such unit has."""
        _, unit_of_row, sizes = np.unique(self.units[self.pool], return_inverse=True, return_counts=True)
        return unit_of_row.reshape(-1), sizes

    @cached_property
    def train(self) -> EncodedTable:
        """The rows of train."""
        return take_rows(self.encoded, np.arange(self.n_train, dtype=np.intp))

    def rows_of(self, units: Units) -> tuple[Rows, ...]:
        """The rows of each of the units."""
        return tuple(np.flatnonzero(self.units == unit) for unit in units)

    @cached_property
    def targets(self) -> tuple[Rows, ...]:
        """The rows of each target."""
        return self.rows_of(self.chosen.targets)

    def labels(self, fit: int) -> Labels:
        """Which targets shadow table `fit` holds, shape (n_targets,): a fair coin each."""
        return self._coins("shadow/labels", fit)

    def null_labels(self, fit: int) -> Labels:
        """Coins of the null units, which decide nothing."""
        return self._coins("shadow/null labels", fit)

    def _coins(self, name: str, fit: int) -> Labels:
        return self.streams.generator(name, fit).integers(0, 2, len(self.chosen.targets)).astype(np.bool_)

    def rows(self, fit: int) -> Rows:
        """The rows of shadow table `fit` in random order."""
        rng = self.streams.generator("shadow/rows", fit)
        unit_of_row, sizes = self._pool_units
        n_base = self.n_rows - sum(map(len, self.targets)) // 2
        order = rng.permutation(len(sizes))
        drawn = np.zeros(len(sizes), dtype=np.bool_)
        drawn[order[: int(np.searchsorted(np.cumsum(sizes[order]), n_base)) + 1]] = True
        included = [rows for rows, is_in in zip(self.targets, self.labels(fit), strict=True) if is_in]
        return rng.permutation(np.concatenate([self.pool[drawn[unit_of_row]], *included]))

    def table(self, fit: int) -> Table:
        """Shadow table `fit`."""
        return Table(self.real.schema, self.real.frame[self.rows(fit)])

    def seed(self, fit: int) -> int:
        """The seed that the engine is given for that table."""
        return int(self.streams.generator("shadow/seed", fit).integers(2**31))


def _named(train: Table) -> npt.NDArray[np.bool_]:
    """Rows that say whose they are; private fits leave the others out."""
    unit = train.schema.unit.column
    return np.ones(train.n_rows, np.bool_) if unit is None else train.frame[unit].is_not_null().to_numpy()


def _require_apart(train: Units, holdout: Units, schema: TableSchema, n_each: int) -> None:
    sides = {"train": train, "holdout": holdout}
    by_person = schema.unit.column is not None
    least = max(MIN_UNITS, 4 * n_each + 1)
    faults = [
        Fault(name, f"{n} {'persons' if by_person else 'rows'}, needs {least}")
        for name, units in sides.items()
        if (n := len(np.unique(units))) < least
    ]
    if n := len(np.intersect1d(train, holdout)):
        hint = "split by person, so that all rows of one fall on the same side"
        faults.append(Fault("train and holdout", f"{n} persons are in both", hint))
    if faults:
        raise DataError("these tables cannot be audited", faults)
