"""Model collapse: what is left when a generator is fitted on its own output, again and again.

Generation 1 is made from train, generation g from generation g - 1 (Shumailov et al. 2024, "AI models collapse
when trained on recursively generated data", Nature 631:755). Every generation is held against the same train
and holdout, so what a generator loses in each step adds up before the eye.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import ClassVar

from tabsynth.arguments import refuse, whole_number_fault
from tabsynth.encode import encode_table
from tabsynth.errors import DataError, UsageError
from tabsynth.evaluate.run import compute_safely
from tabsynth.metrics.base import EvalData, Metric, MetricInfo, MetricResult
from tabsynth.metrics.detection import TwoSampleTest
from tabsynth.metrics.diversity import Diversity
from tabsynth.metrics.fidelity_columns import ColumnFidelity
from tabsynth.metrics.fidelity_pairs import PairFidelity
from tabsynth.metrics.utility import Utility
from tabsynth.models.base import Progress, no_progress
from tabsynth.plain_results import PlainResults
from tabsynth.privacy import guarantee
from tabsynth.randomness import Streams
from tabsynth.refit import BlackBox
from tabsynth.schema.types import TableSchema
from tabsynth.table import Table

FORMAT = "tabsynth-collapse/1"
MAX_GENERATIONS = 100
WATCHED = (
    "shape_error",
    "trend_error",
    "c2st_auc",
    "tstr_auc",
    "tstr_f1",
    "tstr_r2",
    "distinct_combinations",
    "distinct_rows",
)
METRICS: tuple[Metric, ...] = (ColumnFidelity(), PairFidelity(), TwoSampleTest(), Utility(), Diversity())


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """The watched figures of one generation; 1 was made from train, each other from the one before."""

    number: int
    n_rows: int
    figures: tuple[MetricResult, ...]
    seconds: float

    def find(self, metric: str) -> MetricResult | None:
        """The figure of that name."""
        return next((figure for figure in self.figures if figure.metric == metric), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollapseResults(PlainResults):
    """Every generation's figures, each with its floor, the same for all; private output.

    Holds no cell and no row.
    """

    format_name: ClassVar[str] = FORMAT
    title: str
    generator: str
    target: str | None
    n_train: int
    n_holdout: int
    seed: int
    infos: tuple[MetricInfo, ...]
    generations: tuple[Generation, ...]
    guarantee: str = ""
    notes: tuple[str, ...] = ()
    version: str = ""
    private_output: bool = field(default=True)

    @property
    def watched(self) -> tuple[MetricInfo, ...]:
        """The figures that some generation has a value of, in the order of `WATCHED`."""
        valued = {
            figure.metric
            for generation in self.generations
            for figure in generation.figures
            if figure.value is not None
        }
        by_name = {info.name: info for info in self.infos}
        return tuple(by_name[name] for name in WATCHED if name in valued)


def collapse(
    train: Table,
    holdout: Table,
    *,
    schema: TableSchema,
    box: BlackBox,
    generations: int = 5,
    rows: int | None = None,
    target: str | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
    metrics: tuple[Metric, ...] = METRICS,
) -> CollapseResults:
    """Fit a generator on train, then on its own output, and watch the figures of every generation.

    Each generation has `rows` rows, by default as many as train; its seed is `seed` + its number. `progress`
    hears what is being done and the share that is done. The result is private output.

    Raises `UsageError` for an unknown target, fewer than 1 or more than 100 generations, and no rows;
    `StructureError` where a table lacks the schema's columns, `DataError` for an empty train table, and
    whatever the generator raises.
    """
    faults = (
        whole_number_fault(seed, "the seed"),
        whole_number_fault(generations, "the number of generations"),
    )
    refuse((*faults, None if rows is None else whole_number_fault(rows, "the number of rows")))
    if not 1 <= generations <= MAX_GENERATIONS:
        raise UsageError(f"from 1 to {MAX_GENERATIONS} generations can be watched, found {generations}")
    if target is not None and target not in schema:
        raise UsageError(f"the target {target!r} is not a column of table {schema.name!r}")
    train, holdout = (_conformed(table, schema) for table in (train, holdout))
    n_rows = train.n_rows if rows is None else rows
    if train.n_rows == 0:
        raise DataError("the train table has no rows: there is nothing to learn from")
    if n_rows < 1:
        raise UsageError("each generation needs at least 1 row")
    encoded = encode_table(train), encode_table(holdout)
    refit, streams, made, found = box.make(n_rows), Streams(seed), train, list[Generation]()
    for number in range(1, generations + 1):
        started = time.perf_counter()
        progress(f"Generation {number}: fitting", (number - 1) / generations)
        made = refit(made, seed + number)
        progress(f"Generation {number}: measuring", (number - 0.5) / generations)
        data = EvalData(
            synthetic=made,
            train=train,
            holdout=holdout,
            encoded_synthetic=encode_table(made),
            encoded_train=encoded[0],
            encoded_holdout=encoded[1],
            target=target,
        )
        figures = tuple(
            result
            for metric in metrics
            for result in compute_safely(metric, data, streams=streams)
            if result.metric in WATCHED and not result.columns
        )
        seconds = time.perf_counter() - started
        found.append(Generation(number=number, n_rows=made.n_rows, figures=_bare(figures), seconds=seconds))
    progress("Done", 1.0)
    return CollapseResults(
        title=f"Collapse of synthetic {schema.name}",
        generator=box.name,
        target=target,
        n_train=train.n_rows,
        n_holdout=holdout.n_rows,
        seed=seed,
        infos=tuple(info for metric in metrics for info in metric.infos if info.name in WATCHED),
        generations=tuple(found),
        guarantee="" if box.privacy is None else guarantee(box.privacy, schema.unit),
        notes=_notes(n_rows, train.n_rows),
        version=version("tabsynth"),
    )


def _conformed(table: Table, schema: TableSchema) -> Table:
    return table if table.schema == schema else Table.conform(table.frame, schema)


def _bare(figures: tuple[MetricResult, ...]) -> tuple[MetricResult, ...]:
    """Without curves and parts, which nobody reads of every generation."""
    return tuple(replace(figure, roc=(), details=()) for figure in figures)


def _notes(n_rows: int, n_train: int) -> tuple[str, ...]:
    notes = [
        "Fits draw anew: figures of neighbouring generations differ by chance, so look at the whole line."
    ]
    if n_rows != n_train:
        notes.append(
            f"Each generation has {n_rows:,} rows and train {n_train:,}: generators learn less from fewer rows."
        )
    return tuple(notes)
