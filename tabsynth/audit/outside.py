"""Engines seen from outside: a table and a budget in, rows out. One of ours, a Python function, a command.

Only built-in public tables are given to them.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Protocol

import polars as pl

from tabsynth.audit.gaussian import gaussian_epsilon, gaussian_mu
from tabsynth.audit.neighbouring import N_ROWS
from tabsynth.audit.released import FAULTS, with_noise_of
from tabsynth.encode.table import decode_table
from tabsynth.errors import TabsynthError
from tabsynth.models.base import BLOCK_ROWS, Synthesizer
from tabsynth.privacy import Budget, Ledger
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.private_fit import fit_privately, plan_fit
from tabsynth.randomness import Streams
from tabsynth.refit import TIMEOUT, CommandRefit, FunctionRefit, NamedFunction, command_refit
from tabsynth.table import Table


class Outside(Protocol):
    """An engine of which only rows are seen."""

    @property
    def title(self) -> str: ...

    @property
    def can_be_weakened(self) -> bool:
        """Whether it can be asked for a share of its noise."""
        ...

    def rows(self, table: Table, *, budget: Budget, share: float = 1.0) -> pl.DataFrame | str:
        """Synthetic rows of a fit of `table`, or in words how it ended; with `share` of its noise."""
        ...


@dataclass(frozen=True, slots=True)
class Registered:
    """One of the registered engines, whose rows alone are looked at."""

    recipe: Synthesizer

    @property
    def title(self) -> str:
        return self.recipe.name

    @property
    def can_be_weakened(self) -> bool:
        return True

    def rows(self, table: Table, *, budget: Budget, share: float = 1.0) -> pl.DataFrame | str:
        plan = plan_fit(table.schema, self.recipe, budget)
        queries = NoisyQueries(Ledger(), plan if share == 1.0 else with_noise_of(plan, share))
        streams = Streams.from_seed(None)
        try:
            fitted = fit_privately(table, self.recipe, queries=queries, streams=streams)
            n_rows = min(fitted.n_rows, BLOCK_ROWS)
            return decode_table(fitted.model.sample_block(0, n_rows=n_rows, streams=streams), fitted.schema)
        except FAULTS as fault:
            return type(fault).__name__


@dataclass(frozen=True, slots=True)
class OwnEngine:
    """A user's command or function, whose rows are taken as they come.

    Each fit has another seed, and is asked for the same number of rows, as one that follows the table would tell
    of the unit.
    """

    refit: CommandRefit | FunctionRefit

    @property
    def title(self) -> str:
        return self.refit.name

    @property
    def can_be_weakened(self) -> bool:
        return self.refit.takes_budget

    def rows(self, table: Table, *, budget: Budget, share: float = 1.0) -> pl.DataFrame | str:
        try:
            refit = replace(self.refit, budget=weaker(budget, share))
            return refit.rows(table, secrets.randbelow(2**31))
        except TabsynthError as fault:
            return str(fault)
        except FAULTS as fault:
            return type(fault).__name__


def own_command(
    line: str, claimed: Budget, *, file_format: str = "csv", timeout: float = TIMEOUT
) -> OwnEngine:
    """A user's command line; raises `UsageError` as `command_refit` does."""
    return OwnEngine(
        command_refit(line, n_rows=N_ROWS, file_format=file_format, timeout=timeout, budget=claimed)
    )


def own_function(name: str) -> OwnEngine:
    """The user's function "module:function" or "file.py:function"; raises `UsageError` where there is none."""
    return OwnEngine(FunctionRefit(function=NamedFunction(name), n_rows=N_ROWS))


def weaker(budget: Budget, share: float) -> Budget:
    """The budget at which a Gaussian mechanism has `share` of the noise: 1/share times its μ."""
    if share == 1.0:
        return budget
    mu = gaussian_mu(budget.epsilon, budget.delta) / share
    return Budget(epsilon=gaussian_epsilon(mu, budget.delta), delta=budget.delta)
