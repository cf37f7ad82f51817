"""What each part of `dp_ctgan` buys: Adult, halved, with one part at a time left out, made larger or put in.

    python benchmarks/gan_parts.py --data DIR [--epsilon 3] [--seeds 0 1] [--critic-alone] [--parts averaging ...]
        [--columns age ...] [--steps N] [--out FILE.json]

DIR holds train.parquet and holdout.parquet of Adult, halved. δ = 1e-5, public domain, one thread; noise is fresh in every
fit, whatever its seed. `--critic-alone` leaves the noisy counts out of the generator's loss, so that what it learns of pairs
comes from the critic, which nine tenths of the budget go to. `--columns` and `--steps` make it a smaller table and a shorter
training of the critic. Parts that are no settings stand in `gan_critics.py`. Measured as in `gans.py`, whose figures these
can be held against.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gan_critics as critics
import polars as pl
import torch
from gans import measures
from private_tables import schema_of

import tabsynth
from tabsynth.models.dp_ctgan import DpCtgan
from tabsynth.models.neural import training as trainings
from tabsynth.models.neural.networks import Critic


@dataclass(frozen=True, kw_only=True)
class Part:
    """Settings that differ from the defaults, or a training or a critic in the place of the engine's."""

    settings: dict[str, Any] = field(default_factory=dict)
    training: type[trainings.Training] = trainings.Training
    critic: type[Critic] = Critic


COMMON = {
    "defaults": Part(),
    "generator_steps": Part(settings={"generator_steps": 3}),
    "averaging": Part(settings={"averaging": 0.0}),
    "batches": Part(settings={"sampling_rate": 0.24}),  # three times as large, a third as many
    "spectra": Part(settings={"steepness": 1e6}),  # no weight comes near it: no cap
    "spectra of 1": Part(settings={"steepness": 1.0}),
    "layernorm": Part(critic=critics.WithoutLayerNorm),
    "adam": Part(training=critics.UsualAdam),
    "rate": Part(settings={"critic_learning_rate": 0.003}),
    "slope of rows": Part(training=critics.SlopeOfRows),
    "slope of made": Part(training=critics.SlopeOfMade),
    "pairs seen": Part(training=critics.SeeingPairs),
}
PARTS = COMMON | {
    "no critic": Part(settings={"critic_share": 0.0}),
    "share": Part(settings={"critic_share": 0.3}),
    "start": Part(settings={"marginal_steps": 1}),  # the generator meets the critic without having learnt counts
}  # fmt: skip
ALONE: dict[str, Any] = {
    "critic_share": 0.9,
    "marginal_steps": 1,
    "steps": 120,
    "learning_rate": 0.02,  # a tenth of it beside the critic
    "critic_width": 32,
}
PARTS_ALONE = COMMON | {
    "untrained": Part(settings={"steps": 1}),
    "start": Part(settings={"marginal_steps": 1000}, training=critics.StartedOnCounts),
    "start, untrained": Part(settings={"marginal_steps": 1000, "steps": 1}, training=critics.StartedOnCounts),
}
SHOWN = ("fit_cpu_s", "shape_error", "tvd1", "tvd2", "c2st", "tstr")


@contextmanager
def changed(part: Part, *, is_alone: bool) -> Iterator[None]:
    before = trainings.Critic, trainings.Training
    trainings.Critic, trainings.Training = part.critic, part.training  # type: ignore[misc]
    if is_alone:
        bases = () if part.training is before[1] else (part.training,)
        trainings.Training = type("Alone", (*bases, critics.CriticAlone), {})  # type: ignore[misc]
    try:
        yield
    finally:
        trainings.Critic, trainings.Training = before  # type: ignore[misc]


def settings_of(part: Part, basis: dict[str, Any], *, steps: int | None) -> dict[str, Any]:
    """A part's larger samples have as many rows in all, in fewer steps."""
    found = basis | ({} if steps is None else {"steps": steps}) | part.settings
    if "sampling_rate" in part.settings:
        found["steps"] = max(round(found["steps"] * DpCtgan().sampling_rate / found["sampling_rate"]), 1)
    return found


def fitted(arguments: argparse.Namespace, settings: dict[str, Any], seed: int) -> dict[str, float]:
    table = schema_of("adult_half").only_table
    wanted = arguments.columns
    columns = tuple(column for column in table.columns if wanted is None or column.name in wanted)
    names = [column.name for column in columns]
    train = pl.read_parquet(arguments.data / "train.parquet").select(names)
    holdout = pl.read_parquet(arguments.data / "holdout.parquet").select(names)
    cpu = time.process_time()
    model = tabsynth.fit(
        train,
        schema=replace(table, columns=columns),
        engine=DpCtgan(threads=1, device="cpu", **settings),
        privacy=tabsynth.Budget(epsilon=arguments.epsilon, delta=1e-5),
        seed=seed,
    )
    seconds = time.process_time() - cpu
    made = model.sample(train.height, seed=seed).select(train.columns).cast(dict(train.schema))
    found: dict[str, Any] = {
        "fit_cpu_s": seconds,
        **measures(train, holdout, made, has_c2st="c2st" in shown(arguments)),
    }
    return {name: round(float(found[name]), 4) for name in shown(arguments)}


def shown(arguments: argparse.Namespace) -> list[str]:
    """A critic alone is far from the table: to tell its rows apart says nothing."""
    return [name for name in SHOWN if name != "c2st" or not arguments.critic_alone]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epsilon", type=float, default=3.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--critic-alone", action="store_true")
    parser.add_argument("--parts", nargs="+", choices={**PARTS, **PARTS_ALONE})
    parser.add_argument("--columns", nargs="+")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    parts, basis = (PARTS_ALONE, ALONE) if arguments.critic_alone else (PARTS, {})
    found: dict[str, object] = {
        "table": "adult_half",
        "columns": arguments.columns,
        "epsilon": arguments.epsilon,
        "delta": 1e-5,
        "basis": basis,
    }
    for name in arguments.parts or parts:
        part = parts[name]
        settings = settings_of(part, {"steps": DpCtgan().steps} | basis, steps=arguments.steps)
        with changed(part, is_alone=arguments.critic_alone):
            runs = [fitted(arguments, settings, seed) for seed in arguments.seeds]
        mean = {each: round(statistics.fmean(run[each] for run in runs), 4) for each in shown(arguments)}
        found[name] = {"settings": settings, "mean": mean, "runs": runs}
        print(name, mean, flush=True)
        if arguments.out:
            arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
