"""What a rule is, once it is held against a table: a mask of the rows that break it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.schema.rules import AnyRule

Mask = npt.NDArray[np.bool_]


class Constraint(Protocol):
    """A rule and the columns that it reads."""

    @property
    def rule(self) -> AnyRule: ...

    @property
    def columns(self) -> tuple[str, ...]: ...

    def violations(self, frame: pl.DataFrame) -> Mask:
        """The rows that break the rule, shape (n_rows,); `frame` has at least `columns`, in their stored types."""
        ...


@dataclass(frozen=True, eq=False)
class RowConstraint:
    """A rule of single rows: `broken` is true where a row breaks it, and null or false elsewhere."""

    rule: AnyRule
    columns: tuple[str, ...]
    broken: pl.Expr

    def violations(self, frame: pl.DataFrame) -> Mask:
        found = frame.select(self.broken.fill_null(value=False).alias("broken"))["broken"]
        return found.to_numpy().astype(np.bool_)


@dataclass(frozen=True, eq=False)
class ComputedConstraint:
    """A rule of single rows that no expression says."""

    rule: AnyRule
    columns: tuple[str, ...]
    broken: Callable[[pl.DataFrame], Mask]

    def violations(self, frame: pl.DataFrame) -> Mask:
        return self.broken(frame)


@dataclass(frozen=True, eq=False)
class TableConstraint:
    """A rule of all rows together, such as a key; `broken` sees the whole table."""

    rule: AnyRule
    columns: tuple[str, ...]
    broken: Callable[[pl.DataFrame], Mask]

    def violations(self, frame: pl.DataFrame) -> Mask:
        return self.broken(frame)


def masks_of(constraints: Sequence[Constraint], frame: pl.DataFrame) -> list[Mask]:
    """The violations of several rules; those that are expressions are computed together."""
    told = {
        f"{at}": one.broken.fill_null(value=False)
        for at, one in enumerate(constraints)
        if isinstance(one, RowConstraint)
    }
    found = frame.select(**told) if told else frame
    return [
        np.broadcast_to(found[f"{at}"].to_numpy().astype(np.bool_), frame.height)
        if isinstance(one, RowConstraint)
        else one.violations(frame)
        for at, one in enumerate(constraints)
    ]
