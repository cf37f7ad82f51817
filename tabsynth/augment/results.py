"""What came of a trial: every figure of every split, and what they come to together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tabsynth.plain_results import PlainResults

FORMAT = "tabsynth-augment/1"

NOTHING, WEIGHTS, OVERSAMPLED, SMOTE = "nothing", "class weights", "random oversampling", "smote"
SIMPLE = (NOTHING, WEIGHTS, OVERSAMPLED)
"""What costs nothing and makes no row up: an engine has to beat the best of these."""

PRIMARY = "pr_auc"
FIGURES = {
    PRIMARY: "PR-AUC",
    "recall": "recall at the precision",
    "roc_auc": "ROC-AUC",
    "brier": "Brier score",
}
"""The figures by name; the first decides. Brier's score is better where it is lower, the others where higher."""
LOWER_IS_BETTER = frozenset({"brier"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One figure of one learner that was taught one way, over all splits: (n_splits,) values in their order."""

    arm: str
    learner: str
    figure: str
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """The mean of differences between two ways on the same splits, positive where better, and its 95 % interval."""

    mean: float
    lower: float
    upper: float

    @property
    def is_better(self) -> bool:
        return self.lower > 0

    @property
    def is_worse(self) -> bool:
        return self.upper < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResults(PlainResults):
    """Learners that were taught in several ways and asked about the same held-out rows; private output.

    `engine` is the arm that was tried, `arms` all of them. `n_train` and `n_test` are rows of a split, `n_positive` the
    test rows of the class, all on average; `n_added` rows were added to each train part, on average. Holds no cell.
    """

    format_name: ClassVar[str] = FORMAT
    made_by: ClassVar[str] = "tabsynth augment --evaluate"
    title: str
    target: str
    slice_label: str
    to: str
    engine: str
    arms: tuple[str, ...]
    learners: tuple[str, ...]
    precision: float
    n_rows: int
    n_train: float
    n_test: float
    n_positive: float
    n_added: float
    seed: int
    outcomes: tuple[Outcome, ...]
    guarantee: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    version: str = ""
    private_output: bool = field(default=True)

    @property
    def n_splits(self) -> int:
        return len(self.outcomes[0].values) if self.outcomes else 0

    def find(self, arm: str, learner: str, figure: str) -> Outcome:
        """That outcome; KeyError where there is none."""
        for found in self.outcomes:
            if (found.arm, found.learner, found.figure) == (arm, learner, figure):
                return found
        raise KeyError((arm, learner, figure))

    def gain(self, arm: str, over: str, learner: str, figure: str = PRIMARY) -> Gain:
        """How much better `arm` was than `over` on the same splits, with the corrected resampled t interval."""
        first, second = (self.find(name, learner, figure) for name in (arm, over))
        sign = -1.0 if figure in LOWER_IS_BETTER else 1.0
        differences = sign * (np.array(first.values) - np.array(second.values))
        return gain_of(differences.tolist(), test_share=self.n_test / max(1.0, self.n_train))

    def best_simple(self, learner: str, figure: str = PRIMARY) -> str:
        """The best on average of the ways that make nothing up."""
        sign = 1.0 if figure in LOWER_IS_BETTER else -1.0
        simple = [arm for arm in SIMPLE if arm in self.arms]
        return min(simple, key=lambda arm: sign * self.find(arm, learner, figure).mean)


def gain_of(differences: Sequence[float], *, test_share: float) -> Gain:
    """The mean of paired differences over splits, with a 95 % t interval that allows for splits sharing rows.

    The variance of the mean is s² (1/J + n_test/n_train) for J splits (Nadeau and Bengio 2003, "Inference for the
    generalization error", Machine Learning 52:239); `test_share` is n_test/n_train. One split says nothing of the
    spread: its interval is infinite.
    """
    from scipy.stats import t

    n = len(differences)
    mean = float(np.mean(differences))
    if n < 2:
        return Gain(mean=mean, lower=-math.inf, upper=math.inf)
    half = float(t.ppf(0.975, n - 1)) * math.sqrt(float(np.var(differences, ddof=1)) * (1 / n + test_share))
    return Gain(mean=mean, lower=mean - half, upper=mean + half)
