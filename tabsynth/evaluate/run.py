"""Runs every metric over three tables and gathers what they found."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version

import numpy as np

from tabsynth.arguments import refuse, whole_number_fault
from tabsynth.encode import EncodedTable, encode_table
from tabsynth.errors import UsageError
from tabsynth.evaluate.associations import MAX_COLUMNS, associations
from tabsynth.evaluate.distributions import difference_distributions, distributions
from tabsynth.evaluate.histories import histories
from tabsynth.evaluate.results import Results
from tabsynth.metrics.base import EvalData, Metric, MetricResult, Status
from tabsynth.metrics.registry import metrics_of
from tabsynth.metrics.roles import roles_of
from tabsynth.randomness import Streams
from tabsynth.schema.types import TableSchema
from tabsynth.table import Table

Progress = Callable[[str, float], None]

SMALL = 1_000  # rows below which a reader is told that noise is large


def evaluate(
    synthetic: Table,
    train: Table,
    holdout: Table,
    *,
    schema: TableSchema,
    target: str | None = None,
    quasi_identifiers: Sequence[str] | None = None,
    sensitive: Sequence[str] | None = None,
    seed: int = 0,
    title: str = "",
    guarantee: str = "",
    steered: Sequence[str] = (),
    progress: Progress | None = None,
    metrics: Sequence[Metric] | None = None,
) -> Results:
    """Compare a synthetic table with the train table it was made from, beside real holdout rows.

    Train and holdout are real and disjoint. Every figure is computed for the holdout too: its floor. A
    figure that cannot be computed is a row with its reason. `progress` hears what is being done and the
    share that is done, in [0, 1]; `seed` fixes every subsample, fold and learner. `quasi_identifiers` and
    `sensitive` are for the disclosure figures; without them the roles in the schema count. `steered` columns are those that the synthetic
    rows were asked for, by conditions or in shares: the report says that they differ on purpose. `metrics` are by default all
    that apply to the schema. The result is private output, for it was computed from private rows.

    Raises `StructureError` where a table lacks the schema's columns, `UsageError` for an unknown target,
    or for named columns that are unknown, not compared, or named as both.
    """
    refuse((whole_number_fault(seed, "the seed"),))
    if target is not None and target not in schema:
        raise UsageError(f"the target {target!r} is not a column of table {schema.name!r}")
    roles = roles_of(schema, quasi_identifiers=quasi_identifiers, sensitive=sensitive)
    streams, seconds = Streams(seed), dict[str, float]()
    metrics = metrics_of(schema) if metrics is None else metrics
    steps = len(metrics) + 2

    def begin(step: int, label: str) -> None:
        if progress is not None:
            progress(label, step / steps)

    begin(0, "Reading the tables")
    started = time.perf_counter()
    data = _eval_data(synthetic, train, holdout, schema=schema, target=target)
    data = replace(data, quasi_identifiers=roles[0], sensitive=roles[1])
    seconds["encode"] = time.perf_counter() - started
    found: list[MetricResult] = []
    for step, metric in enumerate(metrics, start=1):
        begin(step, metric.infos[0].title)
        started = time.perf_counter()
        found.extend(compute_safely(metric, data, streams=streams))
        seconds[metric.infos[0].name] = time.perf_counter() - started
    begin(steps - 1, "Charts")
    started = time.perf_counter()
    results = Results(
        title=title or f"Synthetic {schema.name}",
        n_train=train.n_rows,
        n_holdout=holdout.n_rows,
        n_synthetic=synthetic.n_rows,
        n_columns=len(schema.columns),
        target=target,
        seed=seed,
        guarantee=guarantee,
        infos=tuple(info for metric in metrics for info in metric.infos),
        metrics=tuple(replace(result, roc=()) for result in found),
        distributions=distributions(data),
        differences=difference_distributions(data, found),
        histories=histories(data),
        associations=associations(data, found, streams=streams),
        roc_curves=tuple(curve for result in found for curve in result.roc),
        seconds=seconds,
        released=data.synthetic.digest(),
        version=version("tabsynth"),
        notes=_notes(data),
        steered=tuple(steered),
    )
    seconds["charts"] = time.perf_counter() - started
    if progress is not None:
        progress("Done", 1.0)
    return results


def _eval_data(
    synthetic: Table, train: Table, holdout: Table, *, schema: TableSchema, target: str | None
) -> EvalData:
    tables = [
        table if table.schema == schema else Table.conform(table.frame, schema)
        for table in (synthetic, train, holdout)
    ]
    encoded = [encode_table(table) for table in tables]
    return EvalData(
        synthetic=tables[0],
        train=tables[1],
        holdout=tables[2],
        encoded_synthetic=encoded[0],
        encoded_train=encoded[1],
        encoded_holdout=encoded[2],
        target=target,
    )


def compute_safely(metric: Metric, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:
    """The metric's rows; one failed row per figure where it meets a numerical error.

    The reason names the kind of error only, for its message may quote cells. Figures that are not finite
    fail too.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # numbers near the largest double
            results = metric.compute(data, streams=streams)
    except _numerical_errors() as error:
        reason = f"{type(error).__name__} while it was computed"
        return tuple(
            MetricResult(metric=info.name, status=Status.FAILED, reason=reason) for info in metric.infos
        )
    return tuple(_finite(result) for result in results)


def _numerical_errors() -> tuple[type[Exception], ...]:
    from lightgbm.basic import LightGBMError

    return (ValueError, ArithmeticError, np.linalg.LinAlgError, LightGBMError)


def _finite(result: MetricResult) -> MetricResult:
    """The result without infinities and NaN, which strict JSON does not know."""
    if result.value is not None and not np.isfinite(result.value):
        return replace(
            result,
            value=None,
            interval=None,
            floor=_finite_or_none(result.floor),
            status=Status.FAILED,
            reason="the figure is not finite: the numbers span too wide a range",
            details=(),
        )
    details = tuple(
        replace(part, floor=_finite_or_none(part.floor)) for part in result.details if np.isfinite(part.value)
    )
    interval = result.interval if result.interval is None or np.isfinite(result.interval).all() else None
    return replace(result, floor=_finite_or_none(result.floor), interval=interval, details=details)


def _finite_or_none(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _notes(data: EvalData) -> tuple[str, ...]:
    """What a reader must know of the whole comparison."""
    notes = []
    tables = {
        "synthetic": data.encoded_synthetic,
        "train": data.encoded_train,
        "holdout": data.encoded_holdout,
    }
    rows = {name: table.n_rows for name, table in tables.items()}
    if max(rows["synthetic"], rows["holdout"]) > 1.25 * min(rows["synthetic"], rows["holdout"]):
        notes.append(
            f"The synthetic table has {rows['synthetic']:,} rows and the holdout {rows['holdout']:,}: figures "
            "and floors that read all rows carry different sampling noise."
        )
    small = [f"{name} ({n:,})" for name, n in rows.items() if n < SMALL]
    if small:
        notes.append(
            f"Few rows in {', '.join(small)}: every figure is noisy, so look at intervals and floors."
        )
    if any(len(np.unique(table.unit_codes())) < table.n_rows for table in (data.train, data.holdout)):
        notes.append(
            "Persons have several rows: the two-sample test keeps the rows of a person in one fold, but all "
            "intervals take rows as independent and are too narrow."
        )
    left_out = [column.name for column in data.train.schema.columns if not column.kind.is_modelled]
    if left_out:
        notes.append(
            f"Text and identifiers are not compared, at most whether they are missing: {', '.join(left_out)}."
        )
    notes.extend(
        f"Cells outside the declared domain occur in {name}: {', '.join(outside)}."
        for name, table in tables.items()
        if (outside := _outside(table))
    )
    if len(data.encoded_train.columns) > MAX_COLUMNS:
        notes.append(
            f"Associations are drawn for the {MAX_COLUMNS} columns whose associations differ most from train's."
        )
    return tuple(notes)


def _outside(table: EncodedTable) -> list[str]:
    return [
        name for name, column in table.columns.items() if (column.codes == column.variable.n_levels).any()
    ]
