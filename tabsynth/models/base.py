"""What an engine is: a recipe that fits, and a fitted model that samples.

A `Synthesizer` is a frozen dataclass of hyperparameters. `fit` asks `queries` for statistics of the encoded
table, each charged to a ledger, and returns a `FittedModel`: parameters only, no random state, no ledger,
and no rows unless `retains_rows` says so. What an engine that can be private will ask for is said by
`parts` before any data are read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy.typing as npt

from tabsynth.encode import EncodedTable, Variable
from tabsynth.errors import UsageError
from tabsynth.models.condition import Condition, Conditioned, Given
from tabsynth.privacy.plan import Part
from tabsynth.privacy.queries import AnyQueries
from tabsynth.randomness import Streams
from tabsynth.schema.hints import did_you_mean

BLOCK_ROWS = 32_768
"""Rows are drawn in blocks of this many, each from a stream of its own, so that they do not depend on
how sampling is cut into batches or over cores."""

NOTHING_GIVEN: Given = {}

Progress = Callable[[str, float], None]
"""Called with what is being done and the share of it that is done, in [0, 1]."""


def no_progress(_stage: str, _share: float) -> None:
    """Report to nobody."""


def require_modelled(engine: str, setting: str, name: str, known: Collection[str]) -> None:
    """Raise `UsageError` where the column `name`, which a setting of an engine names, is not one that it learns."""
    if name not in known:
        raise UsageError(
            f"{engine}: the {setting} {name!r} is not a column that is modelled; "
            + did_you_mean(name, tuple(known))
        )


class FittedModel(Protocol):
    """Parameters of a fitted engine."""

    @property
    def variables(self) -> tuple[Variable, ...]: ...

    def sample_block(self, block: int, *, n_rows: int, streams: Streams) -> EncodedTable:
        """Block number `block` of `n_rows` ≤ `BLOCK_ROWS` rows, a function of the arguments alone."""
        ...

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        """Everything that was learnt, for safetensors."""
        ...

    def parameters(self) -> Mapping[str, Any]:
        """What is not an array, as JSON data."""
        ...


@runtime_checkable
class ConditionalModel(FittedModel, Protocol):
    """A fitted model that draws rows under conditions, instead of waiting for them to turn up."""

    def conditional_block(
        self,
        block: int,
        *,
        n_rows: int,
        streams: Streams,
        conditions: tuple[Condition, ...] = (),
        given: Given = NOTHING_GIVEN,
    ) -> Conditioned:
        """Rows that keep to all conditions and have the given cells, a function of the arguments alone.

        No column is in both. Given cells are the domain's, all rows' in a column. Raises `ConditionError` where the conditions
        have probability zero under the model.
        """
        ...


class Synthesizer(Protocol):
    """Hyperparameters of an engine."""

    name: ClassVar[str]
    guarantees: ClassVar[frozenset[str]]
    """Which guarantees it can give: "none", "dp"."""
    retains_rows: ClassVar[bool]
    summary: ClassVar[str]

    def parts(self, variables: tuple[Variable, ...]) -> tuple[Part, ...]:
        """The statistics a private fit of these columns asks for; () where it cannot be private."""
        ...

    def fit(
        self, data: EncodedTable, *, queries: AnyQueries, streams: Streams, progress: Progress = no_progress
    ) -> FittedModel:
        """Where `queries.is_private`, all of `data` lies inside its domain: the pipeline has seen to it."""
        ...

    @classmethod
    def restore(
        cls,
        variables: tuple[Variable, ...],
        arrays: Mapping[str, npt.NDArray[Any]],
        parameters: Mapping[str, Any],
    ) -> FittedModel:
        """A fitted model from what `arrays` and `parameters` gave."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """What an engine is told of columns that rows are given when they are drawn.

    `given`: columns that all rows are given, in an order in which they may be learnt. `kept`: columns that some rows are given, too, and
    others not. `step`: a given column of numbers or times, and one that lies above it, never below; None where there is none. `before`: for other columns
    of numbers or times a given one that held the same at an earlier time.
    """

    given: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    step: tuple[str, str] | None = None
    before: tuple[tuple[str, str], ...] = ()

    @property
    def context(self) -> tuple[str, ...]:
        """All of these columns, in the order in which drawing rows given them is easiest."""
        return (*self.given, *self.kept)


NOTHING_TOLD = Told()


@runtime_checkable
class ContextualSynthesizer(Protocol):
    """Hyperparameters of an engine that can be told which columns rows will be given when they are drawn.

    Its models are `ConditionalModel`s. No cell that fewer than `min_group` rows have is told apart.
    """

    takes_context: ClassVar[bool]

    @property
    def min_group(self) -> int: ...

    def fit(
        self,
        data: EncodedTable,
        *,
        queries: AnyQueries,
        streams: Streams,
        progress: Progress = no_progress,
        told: Told = NOTHING_TOLD,
    ) -> FittedModel: ...


@runtime_checkable
class InformedSynthesizer(Protocol):
    """Hyperparameters of an engine that public rows can inform where it is fitted privately."""

    takes_public_rows: ClassVar[bool]

    def fit(
        self,
        data: EncodedTable,
        *,
        queries: AnyQueries,
        streams: Streams,
        progress: Progress = no_progress,
        public: EncodedTable | None = None,
    ) -> FittedModel:
        """`public`: rows of the same columns, inside their domains, that no promise covers."""
        ...
