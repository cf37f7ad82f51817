"""TVAE's decoder of rows, without privacy.

After Xu, Skoularidou, Cuesta-Infante and Veeramachaneni 2019 ("Modeling Tabular data using Conditional GAN"), written
anew. Numbers stand in cells of their own distribution (`tabsynth.models.neural.observed`) instead of modes with a
spread, and after training the output's bias is set so that every column's shares are those of the table.

It gives no privacy guarantee: weights are learnt from rows, without bound or noise, and can hold something of
single ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy.typing as npt

from tabsynth.encode import EncodedTable, Variable
from tabsynth.models.base import Progress, no_progress
from tabsynth.models.empirical import MIN_GROUP
from tabsynth.models.marginals import require_group_size
from tabsynth.models.neural.calibration import calibrated
from tabsynth.models.neural.fitted import NOTHING, FittedGenerator, weights_of
from tabsynth.models.neural.observed import observe
from tabsynth.models.neural.settings import require_settings
from tabsynth.models.neural.stored import restore_generator
from tabsynth.privacy.plan import Part
from tabsynth.privacy.queries import AnyQueries, Queries
from tabsynth.randomness import Streams


@dataclass(frozen=True, slots=True, kw_only=True)
class Tvae:
    """Recipe of TVAE.

    Training: `epochs` times over the rows in batches of `batch_size`, by Adam at `learning_rate`. `row_weight` > 0 is that of the
    rows given back, against codes that follow the normal distribution they are sampled from. `averaging` in [0, 1): of the decoder's weights.

    Networks: `n_noise` numbers in a code, `depth` layers of `width` in the decoder, two of `encoder_width` in the encoder.

    The table: `number_cells` ≥ 2 for the numbers of a column, about; `level_cells` ≥ 2, the most for its levels.
    `min_group` ≥ 1: the fewest rows that share a published value or stretch.

    The machine: `device` is "auto" (a GPU where there is one), "cpu" or "cuda"; `threads` of torch, 0 for as many as it
    takes.
    """

    name: ClassVar[str] = "tvae"
    guarantees: ClassVar[frozenset[str]] = frozenset({"none"})
    retains_rows: ClassVar[bool] = False
    summary: ClassVar[str] = (
        "a variational autoencoder (extra gan); for comparison: sequential_trees is more faithful"
    )

    epochs: int = 100
    batch_size: int = 500
    learning_rate: float = 0.001
    row_weight: float = 2.0
    averaging: float = 0.99
    n_noise: int = 128
    depth: int = 2
    width: int = 128
    encoder_width: int = 128
    number_cells: int = 20
    level_cells: int = 128
    min_group: int = MIN_GROUP
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 0

    def __post_init__(self) -> None:
        require_group_size(self.min_group)
        require_settings(
            self,
            counts=("epochs", "batch_size", "n_noise", "depth", "width", "encoder_width"),
            positive=("learning_rate", "row_weight"),
            from_zero=("threads",),
            shares=("averaging",),
        )

    def parts(self, variables: tuple[Variable, ...]) -> tuple[Part, ...]:  # noqa: ARG002
        return ()

    def fit(
        self, data: EncodedTable, *, queries: AnyQueries, streams: Streams, progress: Progress = no_progress
    ) -> FittedGenerator:
        from tabsynth.models.neural.devices import chosen_device, working_on
        from tabsynth.models.neural.variational import Autoencoder

        assert isinstance(queries, Queries)  # no other guarantee than "none", and the pipeline has seen to it
        device = chosen_device(self.device)
        progress("cells", 0.0)
        observed = observe(
            data,
            queries,
            min_group=self.min_group,
            number_cells=self.number_cells,
            level_cells=self.level_cells,
            rng=streams.generator("tvae.cells"),
        )
        if not observed.columns:
            return FittedGenerator((), NOTHING, is_conditional=False)
        seed = int(streams.generator("tvae.fit").integers(2**63))
        with working_on(device, threads=self.threads):
            autoencoder = Autoencoder(observed, self, device=device, seed=seed)
            autoencoder.train(progress)
        weights = weights_of(autoencoder.weights(), depth=self.depth)
        progress("shares", 0.97)
        model = FittedGenerator(observed.columns, weights, is_conditional=False)
        return calibrated(model, streams.generator("tvae.calibrate"))

    @classmethod
    def restore(
        cls,
        variables: tuple[Variable, ...],
        arrays: Mapping[str, npt.NDArray[Any]],
        parameters: Mapping[str, Any],
    ) -> FittedGenerator:
        return restore_generator(variables, arrays, parameters, is_conditional=False)
