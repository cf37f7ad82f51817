"""From a real table to a fitted pipeline, and from that to as many synthetic rows as are wanted."""

from tabsynth.pipeline.fitted import FittedPipeline
from tabsynth.pipeline.fitting import fit
from tabsynth.pipeline.splitting import bound_rows, split, split_by_coin, split_rows

__all__ = ["FittedPipeline", "bound_rows", "fit", "split", "split_by_coin", "split_rows"]
