"""From a real table to a fitted pipeline, and from that to as many synthetic rows as are wanted."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.arguments import mapping_fault, refuse, whole_number_fault
from tabsynth.check import require_valid
from tabsynth.encode import Surrogate, decode_table, encode_table
from tabsynth.encode.table import variables_of
from tabsynth.errors import DataError, InputError, ModelFileError, PrivacyError, UsageError
from tabsynth.io import Layout, to_layout
from tabsynth.model_folder import read_folder, require_fields, write_folder
from tabsynth.models.base import BLOCK_ROWS, Condition, FittedModel, Progress, Synthesizer, no_progress
from tabsynth.models.registry import DEFAULT_ENGINE, engine_class, make_engine, settings_of
from tabsynth.models.stored import require_names
from tabsynth.privacy import NO_PRIVACY, Charge, Ledger, NoPrivacy, Privacy
from tabsynth.privacy.ledger import charges_from_data, charges_to_data
from tabsynth.privacy.queries import Queries
from tabsynth.randomness import Streams
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.files import schema_from_dict, schema_to_dict
from tabsynth.schema.types import Kind, Origin, Schema, TableSchema
from tabsynth.source import as_table
from tabsynth.table import Table
from tabsynth.where import conditions_of

_BATCH_BLOCKS = 16


def split(table: Table, *, holdout: float = 0.5, seed: int | None = None) -> tuple[Table, Table]:
    """Train and holdout rows, each in the source's order, cut at random between privacy units.

    `holdout` in (0, 1) is the share of units (persons, or rows where the unit is the row) held out; all
    rows of one person fall on the same side, and a row that names no person is a unit of its own. Neither
    side is empty. Raises `UsageError` for any other `holdout` and for fewer than two units.
    """
    held = _held_out(table.unit_codes(), holdout=holdout, seed=seed)
    return Table(table.schema, table.frame.filter(~held)), Table(table.schema, table.frame.filter(held))


def split_rows(
    frame: pl.DataFrame, *, holdout: float = 0.5, seed: int | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """As `split`, by the row, for a table that nothing is stated of yet.

    A schema drafted from train alone then holds no bound and no category of the holdout's rows.
    """
    held = _held_out(np.arange(frame.height), holdout=holdout, seed=seed)
    return frame.filter(~held), frame.filter(held)


def _held_out(unit_of_row: npt.NDArray[np.int64], *, holdout: float, seed: int | None) -> pl.Series:
    """Mask of the rows whose unit is held out."""
    refuse((None if seed is None else whole_number_fault(seed, "the seed"),))
    if not 0 < holdout < 1:
        raise UsageError(f"holdout must lie strictly between 0 and 1, found {holdout}")
    units = np.unique(unit_of_row)
    if len(units) < 2:
        raise UsageError(
            f"a split needs at least 2 privacy units (persons, or rows where the unit is the row), found {len(units)}"
        )
    n_held = min(max(round(holdout * len(units)), 1), len(units) - 1)
    held = Streams.from_seed(seed).generator("split").permutation(units)[:n_held]
    return pl.Series(np.isin(unit_of_row, held), dtype=pl.Boolean)


def bound_rows(table: Table, streams: Streams) -> Table:
    """At most `max_rows` rows of each person, chosen at random; rows that name nobody are kept."""
    unit = table.schema.unit
    if unit.column is None or unit.max_rows is None or table.n_rows == 0:
        return table
    shuffled = pl.Series("_order", streams.generator("bound rows").permutation(table.n_rows))
    persons = table.frame[unit.column].alias("_person")
    rank = (
        pl.DataFrame([persons, shuffled]).select(pl.col("_order").rank("ordinal").over("_person")).to_series()
    )
    return Table(table.schema, table.frame.filter((rank <= unit.max_rows) | persons.is_null()))


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedPipeline:
    """A fitted engine with everything needed to write rows: schema, surrogates, layout, ledger.

    It holds parameters only; `sample` may be called any number of times. Made by `fit` or `load`.
    """

    schema: TableSchema
    engine: Synthesizer
    model: FittedModel
    n_rows: int
    privacy: Privacy
    charges: tuple[Charge, ...]
    layout: Layout
    surrogates: tuple[Surrogate, ...] = field(default=())

    @property
    def guarantee(self) -> str:
        """One sentence on the privacy of what it samples."""
        return self.privacy.statement

    def sample(
        self, n_rows: int | None = None, *, seed: int | None = None, where: Mapping[str, Any] | None = None
    ) -> Any:
        """Synthetic rows, as the kind of table that was fitted (pandas, polars or Arrow).

        `n_rows` defaults to the source's number of rows. The same `seed` gives the same rows, bit for
        bit, on any number of cores; None takes a fresh one. `where` holds columns at values
        (`{"sex": "Female", "age": 40}`; None means null): exact under the model. Raises
        `ConditionError` for conditions that no row can meet, `UsageError` for arguments of another kind.
        """
        frames = list(self.sample_batches(n_rows, seed=seed, where=where))
        return to_layout(pl.concat(frames) if len(frames) > 1 else frames[0], self.layout)

    def sample_batches(
        self,
        n_rows: int | None = None,
        *,
        seed: int | None = None,
        where: Mapping[str, Any] | None = None,
        progress: Progress = no_progress,
    ) -> Iterator[pl.DataFrame]:
        """The same rows as `sample`, as polars frames of bounded size; at least one, possibly empty."""
        n_rows = self.n_rows if n_rows is None else n_rows
        refuse(
            (
                whole_number_fault(n_rows, "the number of rows"),
                None if seed is None else whole_number_fault(seed, "the seed"),
                None if where is None else mapping_fault(where, "where"),
            )
        )
        streams = Streams.from_seed(seed)
        conditions = conditions_of(where or {}, self.schema)
        n_blocks = max(1, math.ceil(n_rows / BLOCK_ROWS))

        def draw(block: int) -> pl.DataFrame:
            return self._block(block, n_rows, streams, conditions)

        return self._batches(draw, n_blocks, progress)

    @staticmethod
    def _batches(draw: Any, n_blocks: int, progress: Progress) -> Iterator[pl.DataFrame]:
        n_workers = os.cpu_count() or 1
        with ThreadPoolExecutor(max_workers=n_workers) as pool:
            for start in range(0, n_blocks, _BATCH_BLOCKS):
                blocks = range(start, min(start + _BATCH_BLOCKS, n_blocks))
                batch = pl.concat(list(pool.map(draw, blocks)))
                progress("sampling", blocks.stop / n_blocks)
                yield batch

    def _block(
        self, block: int, n_total: int, streams: Streams, conditions: tuple[Condition, ...]
    ) -> pl.DataFrame:
        start = block * BLOCK_ROWS
        n_rows = min(BLOCK_ROWS, n_total - start)
        encoded = self.model.sample_block(block, n_rows=n_rows, streams=streams, conditions=conditions)
        columns = {series.name: series for series in decode_table(encoded, self.schema)}
        for surrogate in self.surrogates:
            name = surrogate.column.name
            cells = surrogate.make(n_total, start, n_rows, streams=streams, block=block)
            if name in encoded.columns:
                missing = pl.Series(encoded.columns[name].codes != 0)
                cells = pl.select(pl.when(~missing).then(cells)).to_series()
            columns[name] = cells.alias(name)
        return pl.DataFrame([columns[name] for name in self.schema.column_names])

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write a model folder (`tabsynth.model_folder`); raises `OutputExistsError` unless `overwrite`."""
        document = {
            "engine": self.engine.name,
            "settings": settings_of(self.engine),
            "privacy": "none",
            "n_rows": self.n_rows,
            "schema": schema_to_dict(Schema(tables=(self.schema,))),
            "layout": self.layout.to_dict(),
            "distinct_shares": {
                surrogate.column.name: surrogate.distinct_share for surrogate in self.surrogates
            },
            "parameters": dict(self.model.parameters()),
            "ledger": charges_to_data(self.charges),
        }
        write_folder(Path(path), document, self.model.arrays(), overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a model folder; raises `ModelFileError` where it is unknown, damaged or altered."""
        document, arrays = read_folder(Path(path))
        try:
            require_fields(document)
            schema = schema_from_dict(document["schema"]).only_table
            engine = make_engine(document["engine"], document["settings"])
            model = engine_class(document["engine"]).restore(
                variables_of(schema), arrays, document["parameters"]
            )
            shares = document["distinct_shares"]
            made = [column.name for column in schema.columns if not column.kind.is_modelled]
            require_names(shares, made, what="distinct_shares")
            layout = Layout.from_dict(document["layout"])
            no_rows = pl.DataFrame(schema={column.name: polars_dtype(column) for column in schema.columns})
            to_layout(no_rows, layout)  # so that rows can be given back as the layout says
            return cls(
                schema=schema,
                engine=engine,
                model=model,
                n_rows=document["n_rows"],
                privacy=NO_PRIVACY,
                charges=charges_from_data(document["ledger"]),
                layout=layout,
                surrogates=tuple(Surrogate(schema[name], share) for name, share in shares.items()),
            )
        except (ModelFileError, InputError, UsageError) as fault:
            raise ModelFileError(f"{path}: not a model this release can read: {fault}") from None
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as fault:
            what = type(fault).__name__
            raise ModelFileError(f"{path}: not a model this release can read ({what})") from None


def fit(
    data: Any,
    *,
    schema: TableSchema | Schema | None = None,
    engine: str | Synthesizer = DEFAULT_ENGINE,
    settings: Mapping[str, Any] | None = None,
    privacy: Privacy | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> FittedPipeline:
    """Fit an engine to a table: pandas, polars, Arrow, a path, or a `Table`.

    Without a `schema` one is drafted from the data. `engine` is a name, with `settings` as its
    hyperparameters, or a recipe. `privacy` must be said: `tabsynth.NO_PRIVACY` for none. `seed` decides
    what little is random in fitting (which rows a subsample holds).

    Raises `PrivacyError` when privacy is not stated or the engine cannot give it, `StructureError` when
    the data lacks the schema's columns or types, `DataError` (not under differential privacy) when cells
    contradict the schema or there are no rows, `UsageError` for unknown engines and settings.
    """
    refuse((whole_number_fault(seed, "the seed"),))
    recipe = make_engine(engine, settings) if isinstance(engine, str) else engine
    if not isinstance(engine, str) and settings:
        raise UsageError("settings belong to an engine's name; set them on the recipe itself")
    require_guarantee(privacy, recipe)
    table, layout = as_table(data, schema)
    table = bound_rows(table, Streams(int(seed)))
    progress("reading cells", 0.0)
    encoded = encode_table(table)
    require_valid(table, encoded)
    if table.n_rows == 0:
        raise DataError(f"table {table.schema.name!r} has no rows: there is nothing to learn from")
    ledger = Ledger()
    for column in table.schema.columns:
        if column.domain.origin is Origin.DRAFT:
            ledger.charge("drafted domain", (column.name,))
    queries = Queries(ledger)
    n_rows = queries.row_count(table.n_rows)
    surrogates = tuple(
        Surrogate(
            column,
            queries.distinct_share(table.frame[column.name], column=column.name)
            if column.kind is Kind.IDENTIFIER and not column.unique
            else 1.0,
        )
        for column in table.schema.columns
        if not column.kind.is_modelled
    )
    model = recipe.fit(encoded, queries=queries, streams=Streams(int(seed)), progress=progress)
    progress("done", 1.0)
    return FittedPipeline(
        schema=table.schema,
        engine=recipe,
        model=model,
        n_rows=n_rows,
        privacy=NO_PRIVACY,
        charges=ledger.charges,
        layout=layout,
        surrogates=surrogates,
    )


def require_guarantee(privacy: Privacy | None, recipe: Synthesizer) -> None:
    """Raise `PrivacyError` where privacy is not stated or `recipe` cannot give it; reads no data."""
    if privacy is None:
        raise PrivacyError(
            "say what privacy the result shall have: this release fits without differential privacy only, "
            "and does so when asked for it in words (privacy=tabsynth.NO_PRIVACY, or --no-privacy)"
        )
    if not isinstance(privacy, NoPrivacy):
        raise PrivacyError(
            f"engine {recipe.name!r} cannot give differential privacy (it gives: {', '.join(sorted(recipe.guarantees))}); "
            "nothing was read"
        )
