"""The risk of groups of people: one attack's rates within each level of a few columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tabsynth.audit.figures import accusation, best_threshold
from tabsynth.audit.rates import Rate
from tabsynth.audit.split import Candidates
from tabsynth.encode import EncodedColumn, EncodedTable
from tabsynth.encode.discrete import declared_levels
from tabsynth.schema.types import TableSchema

MIN_ROWS = 50
"""Evaluated members, and non-members, that a group must have; smaller ones are pooled, or left out."""
MAX_COLUMNS = 5
MAX_LEVELS = 12
QUARTERS = ("lowest quarter", "second quarter", "third quarter", "highest quarter")
POOLED, MISSING, OTHER = "all other levels", "missing", "not a declared level"

Mask = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgroup:
    """What one attack flags among members and non-members of one group; no part of the verdict.

    `level` is a level that the schema declares, "missing", a quarter of the reference's numbers, or "all other
    levels". `p_value` is Fisher's exact, one-sided, times the number of groups that were tested.
    """

    column: str
    level: str
    attack_name: str
    attack: Rate
    control: Rate
    risk: float
    p_value: float


def subgroups_of(
    scores: Mapping[str, Scores],
    candidates: Candidates,
    reference: EncodedTable,
    schema: TableSchema,
    *,
    roles: tuple[str, ...],
) -> tuple[Subgroup, ...]:
    """Groups by the columns with a role, or else by those of few levels; `MAX_COLUMNS` of them at most.

    The attack and its threshold are those with the largest lead on the validation part; rates are of the rest.
    """
    name, limit = _leading(scores, candidates)
    flagged, evaluated = scores[name] > limit, ~candidates.is_validation
    found = []
    for column in _columns(candidates.rows, roles):
        for level, inside in _groups(schema, column, candidates, reference):
            members, others = (
                flagged[inside & evaluated & side] for side in (candidates.is_member, ~candidates.is_member)
            )
            rates = accusation("best", members, others, n_rates=1)
            found.append(
                Subgroup(
                    column=column,
                    level=level,
                    attack_name=name,
                    attack=rates.attack,
                    control=rates.control,
                    risk=rates.risk,
                    p_value=rates.p_value,
                )
            )
    return tuple(replace(group, p_value=min(1.0, group.p_value * len(found))) for group in found)


def _leading(scores: Mapping[str, Scores], candidates: Candidates) -> tuple[str, float]:
    """The attack and threshold that tell the validation part best."""
    best = []
    for name, score in scores.items():
        members, others = (
            np.sort(score[candidates.is_validation & side])
            for side in (candidates.is_member, ~candidates.is_member)
        )
        limit = best_threshold(members, others)
        best.append((float((members > limit).mean() - (others > limit).mean()), name, limit))
    _, name, limit = max(best)
    return name, limit


def _columns(people: EncodedTable, roles: tuple[str, ...]) -> list[str]:
    if roles:
        return [name for name in people.columns if name in roles][:MAX_COLUMNS]
    few = [
        name
        for name, column in people.columns.items()
        if not column.variable.is_continuous and 2 <= column.variable.n_levels <= MAX_LEVELS
    ]
    return few[:MAX_COLUMNS]


def _groups(
    schema: TableSchema, name: str, candidates: Candidates, reference: EncodedTable
) -> Iterator[tuple[str, Mask]]:
    """Each group large enough on both sides, and the small ones as one if they are so together."""
    column = candidates.rows.columns[name]
    place, labels = (
        _quarters(column, reference.columns[name])
        if column.variable.is_continuous
        else _levels(schema, column)
    )
    pooled = np.zeros(len(place), dtype=np.bool_)
    for k, label in enumerate(labels):
        inside = place == k
        if _is_large(inside, candidates):
            yield label, inside
        else:
            pooled |= inside
    if _is_large(pooled, candidates):
        yield POOLED, pooled


def _is_large(inside: Mask, candidates: Candidates) -> bool:
    evaluated = inside & ~candidates.is_validation
    return all(
        int((evaluated & side).sum()) >= MIN_ROWS for side in (candidates.is_member, ~candidates.is_member)
    )


def _levels(schema: TableSchema, column: EncodedColumn) -> tuple[npt.NDArray[np.intp], list[str]]:
    """The group of each row, and the groups' names: declared levels, null, anything else."""
    variable = column.variable
    labels = [str(level) for level in declared_levels(schema[variable.name])]
    if not labels and variable.n_levels:  # of text and identifiers only their presence is modelled
        labels = ["present"]
    if variable.null_code is not None:
        labels.append(MISSING)
    return column.codes.astype(np.intp), [*labels, OTHER]


def _quarters(column: EncodedColumn, known: EncodedColumn) -> tuple[npt.NDArray[np.intp], list[str]]:
    """The same by quarters of the reference's numbers; whatever is no number is one group."""
    assert column.values is not None
    assert known.values is not None
    numbers = known.values[known.codes == 0]
    edges = np.quantile(numbers, [0.25, 0.5, 0.75]) if len(numbers) else np.zeros(3)
    place = np.searchsorted(edges, column.values, side="left")
    return np.where(column.codes == 0, place, len(QUARTERS)), [*QUARTERS, MISSING]
