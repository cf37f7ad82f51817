"""Every metric, in the order in which they are computed and reported."""

from __future__ import annotations

from tabsynth.metrics.attribute_inference import AttributeInference
from tabsynth.metrics.base import Metric, MetricInfo
from tabsynth.metrics.detection import TwoSampleTest
from tabsynth.metrics.differences import ColumnDifferences
from tabsynth.metrics.disclosure import Attribution
from tabsynth.metrics.divergence import ColumnDivergence
from tabsynth.metrics.diversity import Diversity
from tabsynth.metrics.fidelity_columns import ColumnFidelity
from tabsynth.metrics.fidelity_pairs import PairFidelity
from tabsynth.metrics.histories import PersonHistories
from tabsynth.metrics.mmd import KernelTwoSample
from tabsynth.metrics.patterns import Dependencies, MissingnessPatterns, Tails
from tabsynth.metrics.proximity import ExactCopies, NearestRows
from tabsynth.metrics.rare import RareCombinations
from tabsynth.metrics.support import SupportOverlap
from tabsynth.metrics.syntactic import SyntacticAnonymity
from tabsynth.metrics.typical import TypicalRows
from tabsynth.metrics.utility import Utility
from tabsynth.metrics.utility_suite import UtilitySuite
from tabsynth.metrics.workload import Workload
from tabsynth.schema.types import TableSchema

METRICS: tuple[Metric, ...] = (
    ColumnFidelity(),
    PairFidelity(),
    ColumnDivergence(),
    SupportOverlap(),
    Diversity(),
    KernelTwoSample(),
    TypicalRows(),
    MissingnessPatterns(),
    Dependencies(),
    ColumnDifferences(),
    PersonHistories(),
    Tails(),
    TwoSampleTest(),
    Utility(),
    UtilitySuite(),
    Workload(),
    ExactCopies(),
    NearestRows(),
    SyntacticAnonymity(),
    Attribution(),
    RareCombinations(),
    AttributeInference(),
)


def all_infos() -> tuple[MetricInfo, ...]:
    """What every figure is, in the order of the metrics."""
    return tuple(info for metric in METRICS for info in metric.infos)


def metrics_of(schema: TableSchema) -> tuple[Metric, ...]:
    """Those that a table of `schema` is evaluated by: histories only where it orders the rows of a person."""
    if schema.unit.order_by is not None:
        return METRICS
    return tuple(metric for metric in METRICS if not isinstance(metric, PersonHistories))
