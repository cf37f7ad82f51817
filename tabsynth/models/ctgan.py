"""CTGAN's conditional generator of rows, without privacy.

After Xu, Skoularidou, Cuesta-Infante and Veeramachaneni 2019 ("Modeling Tabular data using Conditional GAN"), written
anew: training by sampling, a conditional generator, a critic of packed rows with gradient penalty. Instead of
modes of a mixture, numbers stand in cells of their own distribution (`tabsynth.models.neural.observed`); conditions
of sampled rows follow true frequencies; nothing is normalised over a batch; and after training the output's bias is
set so that every column's shares are those of the table.

It gives no privacy guarantee: weights are learnt from rows, without bound or noise, and can hold something of
single ones. `dp_ctgan` is the engine with a guarantee.
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
from tabsynth.models.neural.exposure import ExposureKind
from tabsynth.models.neural.fitted import NOTHING, FittedGenerator, weights_of
from tabsynth.models.neural.observed import observe
from tabsynth.models.neural.settings import require_settings
from tabsynth.models.neural.stored import restore_generator
from tabsynth.privacy.plan import Part
from tabsynth.privacy.queries import AnyQueries, Queries
from tabsynth.randomness import Streams


@dataclass(frozen=True, slots=True, kw_only=True)
class Ctgan:
    """Recipe of CTGAN.

    Training: `epochs` times over the rows in batches of `batch_size`, `critic_steps` of the critic for each of the generator; Adam
    at `learning_rate` for the generator and `critic_learning_rate` for the critic. `exposure`: cells to condition on
    are drawn in training by "log" frequency, as published, or by "frequency". `pac` ≥ 1 rows are
    judged together; `gradient_penalty` ≥ 0 is the weight of the critic's slope. `pair_weight` ≥ 0: the say
    of pairs of columns beside the critic's; 0 is the published loss. `averaging` in [0, 1): of the generator's weights.

    Networks: `n_noise` numbers of noise, `depth` layers of `width` in the generator, two of `critic_width` in the critic.

    The table: `number_cells` ≥ 2 for the numbers of a column, about; `level_cells` ≥ 2, the most for its levels.
    `min_group` ≥ 1: the fewest rows that share a published value or stretch.

    The machine: `device` is "auto" (a GPU where there is one), "cpu" or "cuda"; `threads` of torch, 0 for as many as it
    takes.
    """

    name: ClassVar[str] = "ctgan"
    guarantees: ClassVar[frozenset[str]] = frozenset({"none"})
    retains_rows: ClassVar[bool] = False
    summary: ClassVar[str] = (
        "a conditional GAN (extra gan); for comparison: sequential_trees is more faithful"
    )

    epochs: int = 100
    batch_size: int = 500
    critic_steps: int = 1
    learning_rate: float = 0.001
    critic_learning_rate: float = 0.001
    exposure: ExposureKind = "log"
    pac: int = 10
    gradient_penalty: float = 10.0
    pair_weight: float = 10.0
    averaging: float = 0.99
    n_noise: int = 128
    depth: int = 2
    width: int = 256
    critic_width: int = 256
    number_cells: int = 20
    level_cells: int = 128
    min_group: int = MIN_GROUP
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = 0

    def __post_init__(self) -> None:
        require_group_size(self.min_group)
        require_settings(
            self,
            counts=(
                "epochs", "batch_size", "critic_steps", "pac", "n_noise", "depth", "width", "critic_width",
            ),
            positive=("learning_rate", "critic_learning_rate"),
            from_zero=("gradient_penalty", "pair_weight", "threads"),
            shares=("averaging",),
        )  # fmt: skip

    @property
    def n_batch(self) -> int:
        """Rows of a batch: `batch_size`, in whole packs."""
        return max(self.batch_size // self.pac, 1) * self.pac

    def parts(self, variables: tuple[Variable, ...]) -> tuple[Part, ...]:  # noqa: ARG002
        return ()

    def fit(
        self, data: EncodedTable, *, queries: AnyQueries, streams: Streams, progress: Progress = no_progress
    ) -> FittedGenerator:
        from tabsynth.models.neural.adversarial import Adversaries
        from tabsynth.models.neural.devices import chosen_device, working_on

        assert isinstance(queries, Queries)  # no other guarantee than "none", and the pipeline has seen to it
        device = chosen_device(self.device)
        progress("cells", 0.0)
        observed = observe(
            data,
            queries,
            min_group=self.min_group,
            number_cells=self.number_cells,
            level_cells=self.level_cells,
            rng=streams.generator("ctgan.cells"),
        )
        if not observed.columns:
            return FittedGenerator((), NOTHING)
        seed = int(streams.generator("ctgan.fit").integers(2**63))
        with working_on(device, threads=self.threads):
            adversaries = Adversaries(observed, self, device=device, seed=seed)
            adversaries.train(progress)
            model = FittedGenerator(observed.columns, weights_of(adversaries.weights(), depth=self.depth))
        progress("shares", 0.97)
        return calibrated(model, streams.generator("ctgan.calibrate"))

    @classmethod
    def restore(
        cls,
        variables: tuple[Variable, ...],
        arrays: Mapping[str, npt.NDArray[Any]],
        parameters: Mapping[str, Any],
    ) -> FittedGenerator:
        return restore_generator(variables, arrays, parameters)
