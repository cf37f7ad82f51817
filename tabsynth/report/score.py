"""One figure of a report: what it is, what was found, and the verdict on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from tabsynth.metrics.base import MetricInfo, MetricResult
from tabsynth.report import text
from tabsynth.report.verdict import Verdict, excess, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A metric's result beside its description, with the texts that a report prints."""

    info: MetricInfo
    result: MetricResult
    verdict: Verdict
    excess: float | None  # how much worse than the floor; None without a value

    @classmethod
    def of(cls, result: MetricResult, info: MetricInfo) -> Self:
        return cls(info=info, result=result, verdict=judge(result, info), excess=excess(result, info))

    @property
    def value_text(self) -> str:
        return self._figure(self.result.value)

    @property
    def floor_text(self) -> str:
        return self._figure(self.result.floor)

    @property
    def interval_text(self) -> str:
        """Such as 0.935 to 0.947; empty where there is no interval."""
        if self.result.interval is None:
            return ""
        lower, upper = self.result.interval
        return f"{self._figure(lower)} to {self._figure(upper)}"

    def _figure(self, value: float | None) -> str:
        return "–" if value is None else text.figure(value, as_percent=self.info.percent)
