"""Synthetic rows beside real ones, so that a model has more of a rare class to learn from; and whether that helped."""

from tabsynth.augment.mixing import Augmented, augment, plan_rows
from tabsynth.augment.recipes import recipe_for
from tabsynth.augment.results import TrialResults
from tabsynth.augment.slices import Amount, Ratio, Share, Slice, read_amount, read_ratio, slice_of
from tabsynth.augment.trial import trial

__all__ = [
    "Amount",
    "Augmented",
    "Ratio",
    "Share",
    "Slice",
    "TrialResults",
    "augment",
    "plan_rows",
    "read_amount",
    "read_ratio",
    "recipe_for",
    "slice_of",
    "trial",
]
