"""Private fits that keep a checkpoint: of which fit it is, and which fits can have one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tabsynth.errors import UsageError
from tabsynth.models.base import Synthesizer
from tabsynth.models.registry import TRAINED_ENGINES, settings_of
from tabsynth.privacy.checkpoint import Checkpoint, opened_checkpoint
from tabsynth.privacy.ledger import Ledger
from tabsynth.privacy.ledger_file import LedgerFile
from tabsynth.privacy.mechanisms import mechanism_to_data
from tabsynth.privacy.plan import BudgetPlan
from tabsynth.schema.files import schema_to_dict
from tabsynth.schema.types import Schema, TableSchema

MACHINE = ("device", "most_at_once", "threads")
"""Settings that say where a fit runs, not what it computes: it may be continued with others."""


def require_resumable(recipe: Synthesizer, *, is_known: bool) -> None:
    """Raise `UsageError` for engines that train nothing, and where the schema would be drafted from the table."""
    if recipe.name not in TRAINED_ENGINES:
        raise UsageError(
            f"engine {recipe.name!r} keeps no checkpoint: it is not trained step by step. Those that are: "
            f"{', '.join(TRAINED_ENGINES)}"
        )
    if not is_known:
        raise UsageError("a fit with a checkpoint takes a schema: one that is drafted anew follows the table")


@contextmanager
def checkpoint_of(
    folder: Path, schema: TableSchema, recipe: Synthesizer, plan: BudgetPlan, *, ledger: Ledger, seed: int
) -> Iterator[Checkpoint]:
    """The fit's checkpoint (`tabsynth.privacy.checkpoint`), told from others by what is public or stated of it."""
    if not isinstance(ledger, LedgerFile):
        raise UsageError("a fit with a checkpoint is charged to a ledger file, or to none of yours")
    of = fit_identity(schema, recipe, plan, seed=seed)
    with opened_checkpoint(folder, of=of, ledger=ledger) as checkpoint:
        yield checkpoint


def fit_identity(
    schema: TableSchema, recipe: Synthesizer, plan: BudgetPlan, *, seed: int
) -> Mapping[str, Any]:
    """What a fit must share with the one that it continues, by the name that an error gives it."""
    text = json.dumps(schema_to_dict(Schema(tables=(schema,))), sort_keys=True, default=str)
    settings = {
        f"setting {name!r}": value for name, value in settings_of(recipe).items() if name not in MACHINE
    }
    return {
        "the release of tabsynth": version("tabsynth"),
        "the schema": hashlib.sha256(text.encode()).hexdigest(),
        "the engine": recipe.name,
        **settings,
        "epsilon": plan.budget.epsilon,
        "delta": plan.budget.delta,
        "the seed": seed,
        "the noise": [
            [planned.part.statistic, mechanism_to_data(planned.mechanism)] for planned in plan.parts
        ],
    }
