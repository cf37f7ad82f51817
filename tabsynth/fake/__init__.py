"""Names, addresses, numbers and texts that were never anyone's, made from a seed and nothing of the source."""

from tabsynth.fake.columns import FakeColumns, fresh_cells
from tabsynth.fake.people import TEXTS

__all__ = ["TEXTS", "FakeColumns", "fresh_cells"]
