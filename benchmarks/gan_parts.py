"""What each part of `dp_ctgan` buys: Adult, halved, with one part at a time left out or made larger.

    python benchmarks/gan_parts.py --data DIR [--epsilon 3] [--seeds 0 1] [--critic-alone] [--parts averaging ...] [--out FILE.json]

DIR holds train.parquet and holdout.parquet of Adult, halved. δ = 1e-5, public domain, one thread; noise is fresh in every
fit, whatever its seed. `--critic-alone` leaves the noisy counts out of the generator's loss, so that what it learns of pairs
comes from the critic, which nine tenths of the budget go to. Measured as in `gans.py`, whose figures these can be held against.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import torch
from gans import measures
from private_tables import schema_of

import tabsynth
from tabsynth.models.dp_ctgan import DpCtgan
from tabsynth.models.neural import training as trainings
from tabsynth.models.neural.networks import probabilities

PLAIN, ADAM = "layernorm", "adam"  # parts that are no settings
PARTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "no critic": {"critic_share": 0.0},
    "share": {"critic_share": 0.3},
    "generator_steps": {"generator_steps": 3},
    "averaging": {"averaging": 0.0},
    "spectra": {"steepness": 1e6},  # no weight comes near it: no cap
    "batches": {"sampling_rate": 0.24, "steps": 33},  # three times as large, as many rows in all
    "start": {"marginal_steps": 1},  # the generator meets the critic without having learnt counts
}
ALONE: dict[str, Any] = {"critic_share": 0.9, "marginal_steps": 1, "steps": 300, "learning_rate": 0.02}
PARTS_ALONE: dict[str, dict[str, Any]] = {
    "defaults": {},
    "generator_steps": {"generator_steps": 3},
    "averaging": {"averaging": 0.0},
    "spectra": {"steepness": 1e6},
    "batches": {"sampling_rate": 0.24, "steps": 100},
    PLAIN: {},
    ADAM: {},
    "rate": {"critic_learning_rate": 0.003},
}
SHOWN = ("fit_cpu_s", "shape_error", "tvd1", "tvd2", "c2st", "tstr")


class WithoutLayerNorm(trainings.Critic):
    def __init__(self, *, n_cells: int, width: int) -> None:
        super().__init__(n_cells=n_cells, width=width)
        self.layers[1] = torch.nn.Identity()


class UsualAdam(trainings.Training):
    """Adam as torch sets it, which remembers further back."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        for optimiser in (self.to_generator, self.to_critic):
            optimiser.param_groups[0]["betas"] = (0.9, 0.999)


def condition_alone(
    training: trainings.Training, logits: torch.Tensor, condition: torch.Tensor
) -> torch.Tensor:
    """The generator's loss without a word of the counts: that a row has the cell it was asked for."""
    found = probabilities(logits, training.sizes)
    return -torch.log((found * condition).sum(dim=1).clamp(min=1e-6)).mean()


@contextmanager
def changed(part: str, *, is_alone: bool) -> Iterator[None]:
    before = trainings.Critic, trainings.Training, trainings.Training._public_loss  # noqa: SLF001
    if is_alone:
        trainings.Training._public_loss = condition_alone  # type: ignore[method-assign]  # noqa: SLF001
    if part == PLAIN:
        trainings.Critic = WithoutLayerNorm  # type: ignore[misc]
    if part == ADAM:
        trainings.Training = UsualAdam  # type: ignore[misc]
    try:
        yield
    finally:
        trainings.Critic, trainings.Training, trainings.Training._public_loss = before  # type: ignore[misc, method-assign]  # noqa: SLF001


def run(data: Path, settings: dict[str, Any], epsilon: float, seed: int) -> dict[str, float]:
    train = pl.read_parquet(data / "train.parquet")
    holdout = pl.read_parquet(data / "holdout.parquet").select(train.columns)
    cpu = time.process_time()
    model = tabsynth.fit(
        train,
        schema=schema_of("adult_half"),
        engine=DpCtgan(threads=1, device="cpu", **settings),
        privacy=tabsynth.Budget(epsilon=epsilon, delta=1e-5),
        seed=seed,
    )
    seconds = time.process_time() - cpu
    made = model.sample(train.height, seed=seed).select(train.columns).cast(dict(train.schema))
    found: dict[str, Any] = {"fit_cpu_s": seconds, **measures(train, holdout, made)}
    return {name: round(float(found[name]), 4) for name in SHOWN}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epsilon", type=float, default=3.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--critic-alone", action="store_true")
    parser.add_argument("--parts", nargs="+", choices={**PARTS, **PARTS_ALONE})
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    parts, basis = (PARTS_ALONE, ALONE) if arguments.critic_alone else (PARTS, {})
    found: dict[str, object] = {
        "table": "adult_half",
        "epsilon": arguments.epsilon,
        "delta": 1e-5,
        "basis": basis,
    }
    for part in arguments.parts or parts:
        with changed(part, is_alone=arguments.critic_alone):
            settings = {**basis, **parts[part]}
            runs = [run(arguments.data, settings, arguments.epsilon, seed) for seed in arguments.seeds]
        mean = {name: round(statistics.fmean(each[name] for each in runs), 4) for name in SHOWN}
        found[part] = {"settings": parts[part], "mean": mean, "runs": runs}
        print(part, mean, flush=True)
        if arguments.out:
            arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
