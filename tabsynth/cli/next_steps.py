"""What to type next, where more than one command says it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tabsynth.models.base import Synthesizer

TRAIN, HOLDOUT = "train.parquet", "holdout.parquet"
"""The files of `split`."""

Step = list[str | Path]


def after_schema(data: Path, schema: Path) -> Step:
    """With a table and its schema at hand: to cut it in two, or, where that is done, to learn from its first part."""
    if data.name == TRAIN and data.with_name(HOLDOUT).exists():
        return ["tabsynth", "fit", data, "--schema", schema, "--out", "model"]
    return ["tabsynth", "split", data, "--schema", schema, "--out", "parts"]


def after_sample(out: Path, engine: Synthesizer) -> Step:
    """To measure synthetic rows, by the target that the engine was told of."""
    target = getattr(engine, "target", "")
    files = ["--train", "TRAIN", "--holdout", "HOLDOUT", "--schema", "SCHEMA"]
    asked = ["--target", target] if target else []
    return ["tabsynth", "evaluate", "--synthetic", out, *files, *asked, "--out", "report"]
