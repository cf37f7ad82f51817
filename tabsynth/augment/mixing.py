"""Real rows with synthetic ones of a thin slice beside them, each marked by where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.augment.slices import Amount, Share, Slice, rows_wanted, slice_of
from tabsynth.constraints.outcome import RuleOutcome, Tally
from tabsynth.encode import Surrogate, encode_table
from tabsynth.errors import UsageError
from tabsynth.fake import fresh_cells
from tabsynth.io import Provenance
from tabsynth.models.base import Progress, Synthesizer, no_progress
from tabsynth.pipeline import fit
from tabsynth.privacy import NO_PRIVACY, Privacy
from tabsynth.randomness import Streams
from tabsynth.schema.generators import can_be_unique, is_counted
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.table import Table

ORIGIN = "origin"
REAL, SYNTHETIC = "real", "synthetic"
NO_GUARANTEE = (
    "Not anonymous by construction, no formal guarantee: how many rows are added is an exact figure of the source, and so "
    "may be which slice they are of"
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Augmented:
    """Rows with a column that says which are real; private, as the real rows are.

    `n_slice` real rows of the slice and `n_rest` others were in the table; `n_real` real rows are in `rows`, and
    `n_synthetic` made-up ones of the slice. `rules` says how each rule of the schema was met by them.
    """

    rows: Any
    origin: str
    slice_label: str
    n_slice: int
    n_rest: int
    n_real: int
    n_synthetic: int
    engine: str
    rules: tuple[RuleOutcome, ...] = ()
    made_from: Provenance | None = None

    @property
    def guarantee(self) -> str:
        """Why no guarantee covers the rows, whatever the engine."""
        if not self.n_real:
            return f"{NO_GUARANTEE}."
        return f"{NO_GUARANTEE}; real rows are in it, and identifiers of synthetic ones are compared with the real ones."

    @property
    def provenance(self) -> Provenance:
        """The mark of a file of these rows; what the source's mark says is not real does not count as such."""
        found = self.made_from
        generation = 1 if found is None else found.generation + 1
        given = found is not None and found.real_share is None and self.n_real > 0
        before = 1.0 if found is None or found.real_share is None else found.real_share
        return Provenance(
            engine=self.engine,
            generation=generation,
            real_share=None if given else self.real_share * before,
            given_cells=given,
            augmented=True,
        )

    @property
    def real_share(self) -> float:
        """The share of the rows that are real; 1 where there are none."""
        n_rows = self.n_real + self.n_synthetic
        return self.n_real / n_rows if n_rows else 1.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """What is added to what: `kept` are the real rows that stay, `n_wanted` rows of the slice join them."""

    thin: Slice
    n_slice: int
    n_rest: int
    kept: pl.DataFrame
    n_wanted: int


def plan_rows(
    table: Table,
    *,
    to: Amount,
    target: str | None = None,
    where: Mapping[str, Any] | None = None,
    keep_real: float = 1.0,
    origin: str = ORIGIN,
    seed: int = 0,
) -> Plan:
    """What `augment` would add, before anything is fitted; raises what it raises but for the fit and the sampling."""
    if not 0 <= keep_real <= 1:
        raise UsageError(f"the share of real rows to keep lies in [0, 1], found {keep_real}")
    require_free_name(origin, table.schema)
    encoded = encode_table(table)
    thin = slice_of(encoded, table.schema, target=target, where=where)
    is_thin = thin.mask(encoded)
    stays = _kept(table.n_rows, keep_real, Streams(seed))
    if isinstance(to, Share) and not len(stays):
        raise UsageError(
            "a share of synthetic rows is one beside real rows, and none are kept: keep some, or ask for a ratio"
        )
    counted = is_thin[stays] if len(stays) else is_thin  # without real rows the whole table says how many
    n_thin = int(counted.sum())
    return Plan(
        thin=thin,
        n_slice=int(is_thin.sum()),
        n_rest=int((~is_thin).sum()),
        kept=table.frame if len(stays) == table.n_rows else table.frame[stays],
        n_wanted=rows_wanted(
            to,
            label=thin.label,
            n_thin=n_thin,
            n_rest=len(counted) - n_thin,
            among="kept " if 0 < len(stays) < table.n_rows else "",
        ),
    )


def augment(
    table: Table,
    *,
    to: Amount,
    recipe: Synthesizer,
    target: str | None = None,
    where: Mapping[str, Any] | None = None,
    keep_real: float = 1.0,
    origin: str = ORIGIN,
    seed: int = 0,
    made_from: Provenance | None = None,
    progress: Progress = no_progress,
) -> Augmented:
    """Add synthetic rows of a slice until the result is as `to` says: the slice to its other rows, or the share of synthetic rows.

    The slice are the rows that meet `where`, or those of the rarest class of `target`. The engine is fitted to the
    whole table and sampled under the slice's conditions. `made_from` is the mark of the table where it has synthetic rows
    already. `keep_real` in [0, 1] is the share of the real rows that are kept, drawn at random: 1 for all, 0 for synthetic rows
    alone, as many as the whole table would need. Real rows come first, in their order. Where any are kept, identifiers of
    synthetic rows are ones that no real row has; else they are made without a look at the real ones, and some real row may have
    the same.

    Raises `UsageError` where the slice is not thinner than `to` asks, for more than ten million rows, for an impossible share and
    for a name of the provenance column that is taken, and whatever `slice_of`, the fit and the sampling raise.
    """
    plan = plan_rows(table, to=to, target=target, where=where, keep_real=keep_real, origin=origin, seed=seed)
    made, rules = synthetic_rows(
        table, plan.thin, plan.n_wanted, recipe=recipe, privacy=NO_PRIVACY, seed=seed, progress=progress
    )
    real = plan.kept
    if real.height:
        made = _with_new_identifiers(made, table)
    progress("Done", 1.0)
    return Augmented(
        rows=pl.concat([_marked(real, origin, REAL), _marked(made, origin, SYNTHETIC)]),
        origin=origin,
        slice_label=plan.thin.label,
        n_slice=plan.n_slice,
        n_rest=plan.n_rest,
        n_real=real.height,
        n_synthetic=made.height,
        engine=recipe.name,
        rules=rules,
        made_from=made_from,
    )


def synthetic_rows(
    table: Table,
    thin: Slice,
    n_rows: int,
    *,
    recipe: Synthesizer,
    privacy: Privacy,
    seed: int,
    progress: Progress = no_progress,
) -> tuple[pl.DataFrame, tuple[RuleOutcome, ...]]:
    """`n_rows` of the slice from an engine fitted to the table, and how rules were met."""
    fitted = fit(
        table,
        engine=recipe,
        privacy=privacy,
        seed=seed,
        progress=lambda stage, share: progress(f"Fitting: {stage}", 0.6 * share),
    )
    tally = Tally()
    batches = fitted.sample_batches(
        n_rows,
        seed=seed,
        where=thin.where,
        progress=lambda _stage, share: progress("Sampling", 0.6 + 0.4 * share),
        tally=tally,
    )
    rows = Table.conform(pl.concat(list(batches)), table.schema, strict=False).frame
    return rows, tally.outcomes


def require_free_name(origin: str, schema: TableSchema) -> None:
    """Raise `UsageError` where a column of the table has the name of the provenance column."""
    if not origin or origin in schema:
        raise UsageError(
            f"the column {origin!r} is to say where rows came from: name one that the table does not have"
        )


def _kept(n_rows: int, share: float, streams: Streams) -> npt.NDArray[np.intp]:
    """Indices of the rows that stay, ascending."""
    chosen = streams.generator("augment.keep").permutation(n_rows)[: round(share * n_rows)]
    return np.sort(chosen)


def _marked(frame: pl.DataFrame, origin: str, mark: str) -> pl.DataFrame:
    return frame.with_columns(pl.lit(mark, dtype=pl.String).alias(origin))


def _with_new_identifiers(rows: pl.DataFrame, table: Table) -> pl.DataFrame:
    """The rows with identifiers that no real row has: they are counted from 1, as real ones often are."""
    for column in table.schema.columns:
        if column.kind is not Kind.IDENTIFIER:
            continue
        mine, real = (
            rows[column.name].drop_nulls().unique(maintain_order=True),
            table.frame[column.name].unique(),
        )
        if not is_counted(column):
            rows = rows.with_columns(_apart(rows[column.name], mine, real, column))
            continue
        n_made = len(mine) + len(real)
        fresh = Surrogate(column).make(n_made, 0, n_made, streams=Streams(0), block=0)
        fresh = fresh.filter(~fresh.is_in(real.implode()))[: len(mine)]
        rows = rows.with_columns(
            pl.col(column.name).replace_strict(mine, fresh, default=None).alias(column.name)
        )
    return rows


def _apart(cells: pl.Series, mine: pl.Series, real: pl.Series, column: Column) -> pl.Series:
    """Cells of a generator, with other ones of it in the place of those that some real row has."""
    taken = mine.filter(mine.is_in(real.implode()))
    if taken.is_empty() or not can_be_unique(column):
        return cells
    fresh = fresh_cells(column, n=len(taken), taken=pl.concat([real, mine]))
    return cells.replace(taken, fresh)
