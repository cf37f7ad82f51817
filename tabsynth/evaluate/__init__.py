"""Metrics over synthetic, train and holdout tables, gathered into `Results`."""

from tabsynth.evaluate.results import Associations, Distribution, Results
from tabsynth.metrics.base import Detail, MetricInfo, MetricResult, RocCurve

__all__ = [
    "Associations",
    "Detail",
    "Distribution",
    "MetricInfo",
    "MetricResult",
    "Results",
    "RocCurve",
]
