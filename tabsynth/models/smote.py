"""SMOTE: rows drawn on the lines between rows of one class and their nearest neighbours.

Chawla et al. 2002 ("SMOTE: synthetic minority over-sampling technique"), by the `imbalanced-learn` library (extra
`smote`): SMOTE-NC for tables of numbers and levels, SMOTE for numbers, SMOTEN for levels. It is the baseline that
others are held against where a model is to learn a rare class.

It gives no privacy whatever: the model is the real rows, and what it makes gives these away. From enough rows on the
lines through a real row that row is computed exactly, without the model (Ganev et al. 2025, "SMOTE and Mirrors:
Exposing Privacy Leakage from Synthetic Minority Oversampling"); docs/explanation/smote.md does so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from tabsynth.encode import EncodedColumn, EncodedTable, Variable
from tabsynth.errors import ConditionError, DataError, UsageError
from tabsynth.models.base import NOTHING_GIVEN, Progress, no_progress, require_modelled
from tabsynth.models.condition import Condition, Conditioned, Given, pinned
from tabsynth.models.smote_samples import Axes, Rows, between, decoded, in_danger, require_library
from tabsynth.models.spans import snapped
from tabsynth.privacy.plan import Part
from tabsynth.privacy.queries import AnyQueries, Queries
from tabsynth.randomness import Streams

_NEAREST = 50  # rows that stand for those with a number that is held
Shares = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FittedSmote:
    """The rows that are kept, the class of each, and how often classes occurred, (n_classes,).

    `is_base`, (n_rows,), marks the rows that others are made between: all of them, or those at the border of their
    class.
    """

    rows: EncodedTable
    target: str
    neighbours: int
    shares: Shares
    is_base: npt.NDArray[np.bool_]

    @property
    def variables(self) -> tuple[Variable, ...]:
        return self.rows.variables

    @cached_property
    def axes(self) -> Axes:
        return Axes.of(self.rows, without=self.target)

    @cached_property
    def classes(self) -> npt.NDArray[np.int64]:
        """The class of each row; 0 for all of them where there is no target."""
        return _classes(self.rows, self.target)

    def sample_block(self, block: int, *, n_rows: int, streams: Streams) -> EncodedTable:
        """Block number `block` of `n_rows` rows."""
        return self._between(block, n_rows, streams, ())

    def conditional_block(
        self,
        block: int,
        *,
        n_rows: int,
        streams: Streams,
        conditions: tuple[Condition, ...] = (),
        given: Given = NOTHING_GIVEN,
    ) -> Conditioned:
        """Block number `block` between rows that meet the conditions, or are nearest to the numbers asked for.

        Raises `ConditionError` where fewer than two rows do, `UsageError` for given cells.
        """
        if given:
            raise UsageError("smote cannot complete rows: it knows no distribution of cells given others")
        rows = pinned(self._between(block, n_rows, streams, conditions), conditions)
        return Conditioned(rows=rows, effective=float(min(n_rows, self._n_between(conditions))))

    def _n_between(self, conditions: tuple[Condition, ...]) -> int:
        """Real rows that others are made between: what is made of them is worth no more rows than they are."""
        if not self.rows.columns:
            return self.rows.n_rows
        return sum(map(len, self._groups(conditions)[0].values()))

    def _between(
        self, block: int, n_rows: int, streams: Streams, conditions: tuple[Condition, ...]
    ) -> EncodedTable:
        if not self.rows.columns:
            return EncodedTable(n_rows, {})
        require_library()
        rng = streams.generator("smote.sample", block)
        groups, shares = self._groups(conditions)
        parts = []
        for (code, group), n in zip(groups.items(), rng.multinomial(n_rows, shares), strict=True):
            seed = int(rng.integers(2**31))
            parts.append((code, between(self.axes, group, int(n), neighbours=self.neighbours, seed=seed)))
        numbers = np.concatenate([found[0] for _, found in parts])
        levels = np.concatenate([found[1] for _, found in parts])
        order = rng.permutation(n_rows)
        columns = decoded(self.axes, numbers[order], levels[order], self.rows)
        if self.target:
            like = self.rows.columns[self.target]
            drawn = np.repeat([code for code, _ in parts], [len(found[0]) for _, found in parts])[order]
            columns[self.target] = EncodedColumn(like.variable, drawn.astype(like.codes.dtype))
        return EncodedTable(n_rows, {name: columns[name] for name in self.rows.columns})

    def _groups(self, conditions: tuple[Condition, ...]) -> tuple[dict[int, Rows], Shares]:
        """Of each class the rows to make others between, and its share of the rows to make."""
        meets = np.ones(self.rows.n_rows, dtype=np.bool_)
        for condition in conditions:
            meets &= np.isin(self.rows.columns[condition.column].codes, condition.codes)
        n_met = int(meets.sum())
        kept = np.bincount(self.classes, minlength=len(self.shares))
        groups, weights = dict[int, Rows](), list[float]()
        for code in np.unique(self.classes[meets]).tolist():
            whole = np.flatnonzero(meets & (self.classes == code))
            group = self._near(whole, [condition for condition in conditions if condition.spans])
            group = group[self.is_base[group]] if self.is_base[group].sum() > 1 else group
            if len(group) > 1:
                groups[code] = group
                weights.append(float(self.shares[code]) * len(whole) / kept[code])
        if not groups:
            raise ConditionError(
                f"{n_met} of the rows that the model keeps meet the condition: SMOTE makes rows between two at least"
            )
        return groups, np.array(weights) / sum(weights)

    def _near(self, rows: Rows, held: list[Condition]) -> Rows:
        """Of these rows those whose numbers are asked for, and at least the `_NEAREST` nearest to them."""
        if not held or len(rows) <= _NEAREST:
            return rows
        distance = np.zeros(len(rows))
        for condition in held:
            column = self.rows.columns[condition.column]
            assert column.values is not None
            values = column.values[rows]
            away = values.astype(np.float64) - snapped(values, condition.spans).astype(np.float64)
            away = np.where(column.codes[rows] == 0, np.abs(away), 0.0)
            distance += away / self.axes.scale[condition.column]
        n_inside = int((distance == 0).sum())
        return np.sort(rows[np.argsort(distance, kind="stable")[: max(_NEAREST, n_inside)]])

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        found: dict[str, npt.NDArray[Any]] = {"shares": self.shares, "is_base": self.is_base}
        for index, column in enumerate(self.rows.columns.values()):
            found[f"codes.{index}"] = column.codes
            if column.values is not None:
                found[f"values.{index}"] = column.values
        return found

    def parameters(self) -> Mapping[str, Any]:
        return {"target": self.target, "neighbours": self.neighbours}


def _classes(rows: EncodedTable, target: str) -> npt.NDArray[np.int64]:
    return rows.columns[target].codes.astype(np.int64) if target else np.zeros(rows.n_rows, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Smote:
    """Recipe of SMOTE.

    `target`: the column whose classes rows are made within, each as often as it occurs; "" for the whole table as
    one class. `neighbours` ≥ 1: how many nearest rows of its class a row is joined with. `variant`: "plain", or
    "borderline" for rows at the border of their class alone, where a class has two such. `max_rows` ≥ 2: the most rows
    of a class that the model keeps, drawn at random.
    """

    name: ClassVar[str] = "smote"
    guarantees: ClassVar[frozenset[str]] = frozenset({"none"})
    retains_rows: ClassVar[bool] = True
    summary: ClassVar[str] = "rows between real rows of a class; keeps the rows, and gives them away"

    target: str = ""
    neighbours: int = 5
    variant: Literal["plain", "borderline"] = "plain"
    max_rows: int = 10_000

    def __post_init__(self) -> None:
        if self.neighbours < 1 or self.max_rows < 2:
            raise UsageError("smote needs 1 or more neighbours, and a max_rows of 2 or more")
        if self.variant == "borderline" and not self.target:
            raise UsageError(
                "smote's variant 'borderline' needs a target: without classes there is no border"
            )

    def parts(self, variables: tuple[Variable, ...]) -> tuple[Part, ...]:  # noqa: ARG002
        return ()

    def fit(
        self, data: EncodedTable, *, queries: AnyQueries, streams: Streams, progress: Progress = no_progress
    ) -> FittedSmote:
        assert isinstance(queries, Queries)  # no other guarantee than "none", and the pipeline has seen to it
        require_library()
        progress("rows", 0.0)
        self._require_target(data)
        if data.n_rows < 2:
            raise DataError("the table has 1 row: SMOTE makes rows between two at least")
        n_classes = data.columns[self.target].variable.n_levels if self.target else 1
        counts = np.array([float(data.n_rows)])
        if self.target:
            counts = queries.level_counts(data.columns[self.target].codes, n_classes, column=self.target)()
        classes, rng = _classes(data, self.target), streams.generator("smote.keep")
        chosen = np.sort(np.concatenate([self._kept(classes, code, rng) for code in range(n_classes)]))
        columns = {}
        for name, column in data.columns.items():
            codes, values = queries.rows_as_they_are((column.codes, column.values), chosen, columns=(name,))
            columns[name] = EncodedColumn(column.variable, codes, values)
        rows = EncodedTable(len(chosen), columns)
        is_base = self._bases(rows, progress)
        return FittedSmote(rows, self.target, self.neighbours, counts / counts.sum(), is_base)

    def _require_target(self, data: EncodedTable) -> None:
        has_numbers = any(column.values is not None for column in data.columns.values())
        if not self.target:
            if data.columns and not has_numbers:
                raise UsageError(
                    "smote needs a target where no column holds numbers: levels are compared by what they say of it"
                )
            return
        require_modelled(self.name, "target", self.target, data.columns)
        if data.columns[self.target].variable.is_continuous:
            raise UsageError(f"smote's target {self.target!r} holds numbers: it takes a column of classes")

    def _kept(self, classes: npt.NDArray[np.int64], code: int, rng: np.random.Generator) -> Rows:
        rows = np.flatnonzero(classes == code)
        return rows if len(rows) <= self.max_rows else rng.permutation(rows)[: self.max_rows]

    def _bases(self, rows: EncodedTable, progress: Progress) -> npt.NDArray[np.bool_]:
        is_base = np.ones(rows.n_rows, dtype=np.bool_)
        if self.variant == "plain":
            return is_base
        classes, axes = _classes(rows, self.target), Axes.of(rows, without=self.target)
        for code in np.unique(classes):
            progress("borders", 0.5)
            group = np.flatnonzero(classes == code)
            is_base[group] = in_danger(axes, group, neighbours=2 * self.neighbours)
        return is_base

    @classmethod
    def restore(
        cls,
        variables: tuple[Variable, ...],
        arrays: Mapping[str, npt.NDArray[Any]],
        parameters: Mapping[str, Any],
    ) -> FittedSmote:
        from tabsynth.models.smote_stored import restore_smote

        return restore_smote(variables, arrays, parameters)
