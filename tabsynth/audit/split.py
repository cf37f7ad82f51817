"""Who is a candidate, what the attacker may know, and what is kept for calibration: all drawn by unit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from tabsynth.audit.sizes import Sizes
from tabsynth.encode import EncodedTable
from tabsynth.metrics.samples import Numbers
from tabsynth.metrics.sampling import take_rows
from tabsynth.randomness import Streams

Rows = npt.NDArray[np.intp]
Units = npt.NDArray[np.int64]

VALIDATION_SHARE = 1 / 3


@dataclass(frozen=True, slots=True)
class Candidates:
    """One row of each unit that is attacked; `is_member` and `is_validation` have shape (n_rows,).

    Thresholds are set on the validation part, and every figure is computed on the rest.
    """

    rows: EncodedTable
    is_member: npt.NDArray[np.bool_]
    is_validation: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cut:
    """Row numbers: members are of train; non-members, reference and spare are disjoint units of holdout.

    `asked_members` and `asked_others` are whom guesses are made about, which need no reference: one row of
    each unit of train, and of the units of non-members and reference.
    """

    members: Rows
    non_members: Rows
    reference: Rows
    spare: Rows
    asked_members: Rows
    asked_others: Rows


def cut(train_units: Units, holdout_units: Units, *, sizes: Sizes, streams: Streams) -> Cut:
    """Thirds of the holdout's units: non-members, the attacker's reference, rows for calibration.

    `train_units` and `holdout_units`, shapes (n_train,) and (n_holdout,), say whose each row is. One row of
    each candidate unit is drawn, so candidates are independent; the other parts take all rows of a unit.
    """
    rng = streams.generator("audit/split")
    units = rng.permutation(np.unique(holdout_units))
    asked, known, spare = np.array_split(units, 3)
    return Cut(
        members=_one_each(train_units, np.unique(train_units), rng)[: sizes.candidates],
        non_members=_one_each(holdout_units, asked, rng)[: sizes.candidates],
        reference=rng.permutation(np.flatnonzero(np.isin(holdout_units, known)))[: sizes.reference],
        spare=rng.permutation(np.flatnonzero(np.isin(holdout_units, spare)))[: sizes.release],
        asked_members=_one_each(train_units, np.unique(train_units), rng)[: sizes.asked],
        asked_others=_one_each(holdout_units, np.concatenate([asked, known]), rng)[: sizes.asked],
    )


def _one_each(units: Units, wanted: Units, rng: np.random.Generator) -> Rows:
    """One row of each wanted unit, drawn at random, in random order."""
    order = rng.permutation(np.flatnonzero(np.isin(units, wanted)))
    _, first = np.unique(units[order], return_index=True)
    return rng.permutation(order[first])


def candidates_of(train: EncodedTable, holdout: EncodedTable, parts: Cut, *, streams: Streams) -> Candidates:
    """The candidates' rows, members first, a third of either side for validation."""
    rng = streams.generator("audit/validation")
    sides = [len(parts.members), len(parts.non_members)]
    validation = [rng.permutation(n) < round(VALIDATION_SHARE * n) for n in sides]
    return Candidates(
        stack([take_rows(train, parts.members), take_rows(holdout, parts.non_members)]),
        np.repeat([True, False], sides),
        np.concatenate(validation),
    )


def asked_of(train: EncodedTable, holdout: EncodedTable, parts: Cut) -> Candidates:
    """Whom guesses are made about, members first; no threshold is set, so none is kept for validation."""
    sides = [len(parts.asked_members), len(parts.asked_others)]
    return Candidates(
        stack([take_rows(train, parts.asked_members), take_rows(holdout, parts.asked_others)]),
        np.repeat([True, False], sides),
        np.zeros(sum(sides), dtype=np.bool_),
    )


def stack(tables: list[EncodedTable]) -> EncodedTable:
    """The rows of the tables, which share their columns, one after the other."""
    columns = {}
    for name, column in tables[0].columns.items():
        parts = [table.columns[name] for table in tables]
        codes = np.concatenate([part.codes for part in parts])
        numbers = [part.values for part in parts if part.values is not None]
        values = cast("Numbers", np.concatenate(numbers)) if numbers else None
        columns[name] = replace(column, codes=codes, values=values)
    return EncodedTable(sum(table.n_rows for table in tables), columns)
