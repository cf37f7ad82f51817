"""Synthetic rows beside real ones, so that a model has more of a rare class to learn from; and whether that helped."""

from tabsynth.augment.mixing import Augmented, augment
from tabsynth.augment.results import TrialResults
from tabsynth.augment.slices import Ratio, Slice, read_ratio, slice_of
from tabsynth.augment.trial import trial

__all__ = ["Augmented", "Ratio", "Slice", "TrialResults", "augment", "read_ratio", "slice_of", "trial"]
