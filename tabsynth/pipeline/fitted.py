"""A fitted pipeline: as many synthetic rows as are wanted, saved and loaded."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.arguments import mapping_fault, refuse, whole_number_fault
from tabsynth.encode import Surrogate, decode_table, encode_table
from tabsynth.encode.table import variables_of
from tabsynth.errors import InputError, ModelFileError, UsageError
from tabsynth.io import Layout, to_layout
from tabsynth.model_folder import privacy_from_data, read_folder, require_fields, write_folder
from tabsynth.models.base import BLOCK_ROWS, Condition, FittedModel, Progress, Synthesizer, no_progress
from tabsynth.models.marginal_frame import marginal_frame, positions_of
from tabsynth.models.registry import engine_class, explicit, make_engine, settings_of
from tabsynth.models.stored import require_names
from tabsynth.privacy import Budget, Charge, Privacy, guarantee
from tabsynth.privacy.ledger import LedgerCopy, copy_from_data, copy_to_data
from tabsynth.randomness import Streams
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.files import schema_from_dict, schema_to_dict
from tabsynth.schema.types import Schema, TableSchema
from tabsynth.source import as_table
from tabsynth.table import Table
from tabsynth.where import conditions_of

_BATCH_BLOCKS = 16


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedPipeline:
    """A fitted engine with everything needed to write rows: schema, surrogates, layout, ledger.

    It holds parameters only; `sample` may be called any number of times, at no further cost in privacy.
    `n_rows` is a noisy number where privacy was asked for, `ledger` a copy of the one that was charged. Made
    by `fit` or `load`.
    """

    schema: TableSchema
    engine: Synthesizer
    model: FittedModel
    n_rows: int
    privacy: Privacy
    ledger: LedgerCopy
    layout: Layout
    surrogates: tuple[Surrogate, ...] = field(default=())

    @property
    def guarantee(self) -> str:
        """One sentence on the privacy of what it samples."""
        return guarantee(self.privacy, self.schema.unit)

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What this fit read of the private table."""
        return self.ledger.charges

    def sample(
        self, n_rows: int | None = None, *, seed: int | None = None, where: Mapping[str, Any] | None = None
    ) -> Any:
        """Synthetic rows, as the kind of table that was fitted (pandas, polars or Arrow).

        `n_rows` defaults to the source's number of rows, as far as the model knows it. The same `seed` gives the same rows, bit for
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

    def log_prob(self, data: Any) -> npt.NDArray[np.float64]:
        """How probable each row's modelled columns are under the model: natural logarithms, (n_rows,).

        Exact. Whole numbers, decimals, times and levels count their probability, numbers without declared
        decimals their density per unit (or their probability, where single values have one). A text or
        identifier counts as present or missing. -inf says that the model never makes such a row. Raises
        `UsageError` for an engine that cannot say, `InputError` for data of another structure or type.
        """
        model = explicit(self.model, self.engine.name, what="probabilities of rows")
        rows = as_table(data.frame if isinstance(data, Table) else data, self.schema)[0]
        return model.log_prob(encode_table(rows))

    def marginal(self, *columns: str, coarse: bool = False) -> Any:
        """The joint distribution of 1 to 3 columns under the model, exact and without sampling.

        A table of the kind that was fitted, with a row for each joint cell: its level or interval of each
        column, and its `probability`. `coarse` takes the few cells between which dependence was learnt.
        Raises `UsageError` for an engine that cannot say, for columns it does not model, and for more than
        4 million cells.
        """
        model = explicit(self.model, self.engine.name, what="marginals")
        found = model.marginal(positions_of(columns, model, self.schema), coarse=coarse)
        frame = marginal_frame(found, [self.schema[name] for name in columns])
        stored = {column.name: polars_dtype(column) for column in self.schema.columns}
        as_they_are = tuple(
            column for column in self.layout.columns if frame.schema.get(column.name) == stored[column.name]
        )
        return to_layout(frame, replace(self.layout, columns=as_they_are))

    def draw(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a drawing of which columns the model joins and how strongly, .html or .svg, and return the path.

        Raises `UsageError` for an engine without a network and for any other ending, `OutputExistsError`
        where `path` exists and `overwrite` is not set.
        """
        from tabsynth.report.network import Network, write_network

        model = explicit(self.model, self.engine.name, what="a drawing of its network")
        network = Network(
            title=self.schema.name,
            columns=tuple(variable.name for variable in model.variables),
            edges=model.edges(),
            guarantee=self.guarantee,
            is_given=isinstance(self.privacy, Budget),
        )
        return write_network(network, path, overwrite=overwrite)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write a model folder (`tabsynth.model_folder`); raises `OutputExistsError` unless `overwrite`."""
        document = {
            "engine": self.engine.name,
            "settings": settings_of(self.engine),
            "privacy": asdict(self.privacy) if isinstance(self.privacy, Budget) else "none",
            "n_rows": self.n_rows,
            "schema": schema_to_dict(Schema(tables=(self.schema,))),
            "layout": self.layout.to_dict(),
            "distinct_shares": {
                surrogate.column.name: surrogate.distinct_share for surrogate in self.surrogates
            },
            "parameters": dict(self.model.parameters()),
            "ledger": copy_to_data(self.ledger),
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
                privacy=privacy_from_data(document["privacy"]),
                ledger=copy_from_data(document["ledger"]),
                layout=layout,
                surrogates=tuple(Surrogate(schema[name], share) for name, share in shares.items()),
            )
        except (ModelFileError, InputError, UsageError) as fault:
            raise ModelFileError(f"{path}: not a model this release can read: {fault}") from None
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as fault:
            what = type(fault).__name__
            raise ModelFileError(f"{path}: not a model this release can read ({what})") from None
