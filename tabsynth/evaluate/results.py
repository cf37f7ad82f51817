"""What an evaluation found, as plain data.

`Results` is plain data: it goes to JSON and back without loss, and the report is drawn from it alone.
Everything in it was computed from private rows, so it is private output: not for publication.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, TypedDict

from tabsynth.constraints.outcome import RuleOutcome
from tabsynth.metrics.base import MetricInfo, MetricResult, RocCurve
from tabsynth.plain_results import PlainResults

FORMAT = "tabsynth-results/1"

HEADLINES = (
    "shape_error",
    "trend_error",
    "pair_tvd",
    "triple_tvd",
    "history_error",
    "tail_error",
    "c2st_auc",
    "tstr_auc",
    "tstr_f1",
    "tstr_r2",
    "exact_copies",
    "nearest_row_share",
)


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
class PairDistribution:
    """What lies between two `columns` in the three tables, and the `metric` that says how far apart they are."""

    columns: tuple[str, str]
    metric: str
    distribution: Distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Histories:
    """The columns by which rows make up persons and follow one another, and the metrics that say how well they do.

    `distance_metric` and `stay_metric` have a row for the whole table and for each column, `rows_metric` for the whole
    table; `rows` are the shares of persons by how many rows they have.
    """

    person: str
    order_by: str
    distance_metric: str
    stay_metric: str
    rows_metric: str
    rows: Distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Associations:
    """Association of every pair, in [0, 1] (|Spearman|, Cramér's V or correlation ratio by kind).

    Square matrices, rows and columns in the order of `columns`; None where it is undefined.
    """

    columns: tuple[str, ...]
    train: tuple[tuple[float | None, ...], ...]
    holdout: tuple[tuple[float | None, ...], ...]
    synthetic: tuple[tuple[float | None, ...], ...]


class Headline(TypedDict):
    """A figure of the whole table beside its floor; `reason` is empty where nothing needs saying."""

    value: float | None
    floor: float | None
    interval: tuple[float, float] | None
    status: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Results(PlainResults):
    """Everything an evaluation found, as plain data.

    `metrics` holds one row per figure and scope: the whole table (no columns), a column, a pair. `released` is the digest
    of the synthetic table that they are of (`Table.digest`), "" where that is not known.
    """

    format_name: ClassVar[str] = FORMAT
    made_by: ClassVar[str] = "tabsynth evaluate"
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
    differences: tuple[PairDistribution, ...] = ()  # of pairs of columns, the worst first
    histories: Histories | None = None  # where the schema orders the rows of a person
    associations: Associations | None = None
    roc_curves: tuple[RocCurve, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    released: str = ""
    version: str = ""
    private_output: bool = True
    notes: tuple[str, ...] = ()  # what a reader must know of the whole comparison
    steered: tuple[str, ...] = ()  # columns that the synthetic rows were asked to have other than the source
    rules: tuple[
        RuleOutcome, ...
    ] = ()  # the declared rules, and what they did to the rows where those were made with this

    def find(self, metric: str, columns: tuple[str, ...] = ()) -> MetricResult | None:
        """The row of a figure for the whole table, a column or a pair; None where there is none."""
        rows = (row for row in self.metrics if row.metric == metric and row.columns == columns)
        return next(rows, None)

    def value(self, metric: str, columns: tuple[str, ...] = ()) -> float | None:
        """The value of that row; None where it is missing or could not be computed."""
        row = self.find(metric, columns)
        return None if row is None else row.value

    def floor(self, metric: str, columns: tuple[str, ...] = ()) -> float | None:
        """The same figure of the real holdout."""
        row = self.find(metric, columns)
        return None if row is None else row.floor

    def info(self, metric: str) -> MetricInfo:
        """What a figure is; KeyError for a name that no metric has."""
        for info in self.infos:
            if info.name == metric:
                return info
        raise KeyError(metric)

    def worst(self, metric: str, n: int = 5) -> tuple[MetricResult, ...]:
        """The `n` columns or pairs with the worst values of a figure, worst first."""
        sign = -1.0 if self.info(metric).direction == "higher" else 1.0
        rows = [row for row in self.metrics if row.metric == metric and row.columns]
        rows = [row for row in rows if row.value is not None]
        return tuple(sorted(rows, key=lambda row: -sign * (row.value or 0.0))[:n])

    def summary(self) -> dict[str, Headline]:
        """The figures of the whole table that a reader looks at first, each beside its floor."""
        rows = {name: self.find(name) for name in HEADLINES}
        return {
            name: Headline(
                value=row.value,
                floor=row.floor,
                interval=row.interval,
                status=row.status.value,
                reason=row.reason,
            )
            for name, row in rows.items()
            if row is not None
        }
