"""Metrics over synthetic, train and holdout tables, gathered into `Results`."""

from tabsynth.evaluate.results import (
    Associations,
    Distribution,
    Headline,
    Histories,
    PairDistribution,
    Results,
)
from tabsynth.evaluate.run import evaluate
from tabsynth.metrics.base import Detail, MetricInfo, MetricResult, RocCurve
from tabsynth.metrics.roles import roles_of

__all__ = [
    "Associations",
    "Detail",
    "Distribution",
    "Headline",
    "Histories",
    "MetricInfo",
    "MetricResult",
    "PairDistribution",
    "Results",
    "RocCurve",
    "evaluate",
    "roles_of",
]
