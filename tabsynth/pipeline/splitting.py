"""Train and holdout rows, cut between privacy units; and the bound on the rows of one."""

from __future__ import annotations

import secrets

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.arguments import refuse, whole_number_fault
from tabsynth.encode.successions import in_succession, places_in
from tabsynth.errors import UsageError
from tabsynth.randomness import Streams
from tabsynth.schema.hints import did_you_mean
from tabsynth.table import Table, person_codes


def split(table: Table, *, holdout: float = 0.5, seed: int | None = None) -> tuple[Table, Table]:
    """Train and holdout rows, each in the source's order, cut at random between privacy units.

    `holdout` in (0, 1) is the share of units (persons, or rows where the unit is the row) held out; all
    rows of one person fall on the same side, and a row that names no person is a unit of its own. Neither
    side is empty. Raises `UsageError` for any other `holdout` and for fewer than two units.
    """
    held = _held_out(table.unit_codes(), holdout=holdout, seed=seed)
    return Table(table.schema, table.frame.filter(~held)), Table(table.schema, table.frame.filter(held))


def split_rows(
    frame: pl.DataFrame, *, unit: str | None = None, holdout: float = 0.5, seed: int | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """As `split`, by the row or by the persons of the column `unit`, for a table that nothing is stated of yet.

    A schema drafted from train alone then holds no bound and no category of the holdout's rows. Raises `UsageError` where there is no such column.
    """
    if unit is not None and (not isinstance(unit, str) or unit not in frame.columns):
        raise UsageError(f"no column {unit!r} to split by; {did_you_mean(str(unit), frame.columns)}")
    codes = np.arange(frame.height) if unit is None else person_codes(frame[unit])
    held = _held_out(codes, holdout=holdout, seed=seed)
    return frame.filter(~held), frame.filter(held)


def _held_out(unit_of_row: npt.NDArray[np.int64], *, holdout: float, seed: int | None) -> pl.Series:
    """Mask of the rows whose unit is held out."""
    refuse((None if seed is None else whole_number_fault(seed, "the seed"),))
    if not 0 < holdout < 1:
        raise UsageError(f"holdout must lie strictly between 0 and 1, found {holdout}")
    units = np.unique(unit_of_row)
    if len(units) < 2:
        raise UsageError(
            f"a split needs at least 2 privacy units (persons, or rows where the unit is the row), found {len(units)}"
        )
    n_held = min(max(round(holdout * len(units)), 1), len(units) - 1)
    held = Streams.from_seed(seed).generator("split").permutation(units)[:n_held]
    return pl.Series(np.isin(unit_of_row, held), dtype=pl.Boolean)


def split_by_coin(
    frame: pl.DataFrame, unit_of_row: npt.NDArray[np.int64], *, holdout: float
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Train and holdout rows for a private fit: a coin of the system's entropy decides for each unit.

    One unit more changes train by that unit's rows at most. A seed that others know, or a number held out
    that depends on the number of units, would change it by other units' rows too. Either side may be empty.
    """
    _, position = np.unique(unit_of_row, return_inverse=True)
    n_units = int(position.max(initial=-1)) + 1
    held = pl.Series(Streams(secrets.randbits(128)).generator("split").random(n_units)[position] < holdout)
    return frame.filter(~held), frame.filter(held)


def bound_rows(table: Table, streams: Streams) -> Table:
    """At most `max_rows` rows of each person, chosen at random; rows that name nobody are kept.

    Where the unit has an `order_by`, they are the person's first, so that they still follow one another.
    """
    unit = table.schema.unit
    if unit.column is None or unit.max_rows is None or table.n_rows == 0:
        return table
    if unit.order_by is not None:
        order = in_succession(table)
        _, place = places_in(table.unit_codes()[order])
        return Table(table.schema, table.frame[np.sort(order[place < unit.max_rows])])
    shuffled = pl.Series("_order", streams.generator("bound rows").permutation(table.n_rows))
    persons = table.frame[unit.column].alias("_person")
    rank = (
        pl.DataFrame([persons, shuffled]).select(pl.col("_order").rank("ordinal").over("_person")).to_series()
    )
    return Table(table.schema, table.frame.filter((rank <= unit.max_rows) | persons.is_null()))
