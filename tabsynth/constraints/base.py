"""What a rule is, once it is held against a table: a mask of the rows that break it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.errors import ConstraintError
from tabsynth.schema.rules import AnyRule, title_of

Mask = npt.NDArray[np.bool_]


@contextmanager
def computing(what: str) -> Iterator[None]:
    """Say of what cannot be computed which rule it is, and nothing of the cells: polars' own words hold them."""
    try:
        yield
    except pl.exceptions.PolarsError:
        raise ConstraintError(
            f"{what} cannot be computed for every row: a cast or a function in it does not take some cells "
            "(TRY_CAST gives null for those)"
        ) from None


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
        with computing(f"rule {title_of(self.rule)!r}"):
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
    try:
        found = frame.select(**told) if told else frame
    except pl.exceptions.PolarsError:  # one by one, to name the rule
        return [one.violations(frame) for one in constraints]
    return [
        np.broadcast_to(found[f"{at}"].to_numpy().astype(np.bool_), frame.height)
        if isinstance(one, RowConstraint)
        else one.violations(frame)
        for at, one in enumerate(constraints)
    ]
