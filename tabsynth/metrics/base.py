"""What every metric takes and gives.

A metric compares one synthetic table with the real train table, and computes the same figure for the
real holdout against train: its *floor*, what two real samples differ by. A metric that cannot be
computed is a row with its reason; it never vanishes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tabsynth.encode import EncodedTable
from tabsynth.randomness import Streams
from tabsynth.table import Table


class Direction(StrEnum):
    """Which values of a figure are good."""

    LOWER = "lower"
    HIGHER = "higher"
    HALF = "half"  # 0.5 is best: nothing can be told apart


class Status(StrEnum):
    OK = "ok"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricInfo:
    """What a figure is, for people: how to read it and when it misleads."""

    name: str
    title: str
    group: str  # "fidelity", "detection", "utility", "proximity", "disclosure"
    direction: Direction
    percent: bool = False  # value is a share in [0, 1] that reads best in percent
    meaning: str = ""
    caveat: str = ""
    smoke_test: bool = False  # a cheap alarm, not evidence of privacy
    chance: float | None = None  # what knowing nothing scores, where that is one number
    secondary: bool = False  # for who looks closer: reports fold it away, and terminals leave it out


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """A named part of a figure: a quantile's own error, a column's share in giving the table away."""

    label: str
    value: float
    floor: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RocCurve:
    """A ROC curve, at most 200 points: false and true positive rates in [0, 1], ascending."""

    name: str
    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]
    auc: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricResult:
    """One figure, its floor, and whether it could be computed.

    `columns` is empty for the whole table, one name for a column, two for a pair. `interval` is a 95 %
    interval of `value` where one is known. `reason` says why there is no value, or what a value leaves
    out. `details` are the parts of the figure; `roc` the curves behind an area under one.
    """

    metric: str
    columns: tuple[str, ...] = ()
    value: float | None = None
    floor: float | None = None
    interval: tuple[float, float] | None = None
    status: Status = Status.OK
    reason: str = ""
    details: tuple[Detail, ...] = ()
    roc: tuple[RocCurve, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalData:
    """The three tables of an evaluation, under one schema, and their encodings.

    Train and holdout are real and disjoint; synthetic was made from train. What disclosure figures take as
    known of a person, and as sensitive, are names of columns.
    """

    synthetic: Table
    train: Table
    holdout: Table
    encoded_synthetic: EncodedTable
    encoded_train: EncodedTable
    encoded_holdout: EncodedTable
    target: str | None = None
    quasi_identifiers: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()


class Metric(Protocol):
    """A family of figures that are computed together."""

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        """One entry for each figure name that `compute` may return."""
        ...

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]: ...
