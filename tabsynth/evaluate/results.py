"""What an evaluation found, as plain data.

`Results` is plain data: it goes to JSON and back without loss, and the report is drawn from it alone.
Everything in it was computed from private rows, so it is private output: not for publication.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tabsynth.metrics.base import MetricInfo, MetricResult, RocCurve


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One column in the three tables, over shared bins or levels.

    Discrete columns: `labels` name the levels (rare ones pooled as the last, "other levels (k)").
    Continuous columns: `edges` has one entry more than there are bins, in natural units (times as text
    in `edge_labels`); bins are closed on the left, and `labels` names the special levels and null that
    follow them. The share arrays are n_bins + n_labels long; each sums to 1, or is all 0 where the table
    has no rows. `scale` is "linear", "log" or "symlog".
    """

    column: str
    kind: str
    labels: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    edge_labels: tuple[str, ...] = ()
    scale: str = "linear"
    train: tuple[float, ...] = ()
    holdout: tuple[float, ...] = ()
    synthetic: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Associations:
    """Association of every pair, in [0, 1] (|Spearman|, Cramér's V or correlation ratio by kind).

    Square matrices, rows and columns in the order of `columns`; None where it is undefined.
    """

    columns: tuple[str, ...]
    train: tuple[tuple[float | None, ...], ...]
    holdout: tuple[tuple[float | None, ...], ...]
    synthetic: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything an evaluation found, as plain data."""

    title: str
    n_train: int
    n_holdout: int
    n_synthetic: int
    n_columns: int
    target: str | None
    seed: int
    guarantee: str  # one sentence: the privacy guarantee of the synthetic table, if known
    infos: tuple[MetricInfo, ...]
    metrics: tuple[MetricResult, ...]
    distributions: tuple[Distribution, ...] = ()
    associations: Associations | None = None
    roc_curves: tuple[RocCurve, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    version: str = ""
    private_output: bool = True
    notes: tuple[str, ...] = ()  # what a reader must know of the whole comparison
