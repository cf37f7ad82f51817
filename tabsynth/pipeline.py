"""From a real table to a fitted pipeline, and from that to as many synthetic rows as are wanted."""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
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
from tabsynth.io import Layout, schema_layout, to_layout
from tabsynth.model_folder import privacy_from_data, read_folder, require_fields, write_folder
from tabsynth.models.base import BLOCK_ROWS, Condition, FittedModel, Progress, Synthesizer, no_progress
from tabsynth.models.marginal_frame import marginal_frame, positions_of
from tabsynth.models.registry import DEFAULT_ENGINE, engine_class, explicit, make_engine, settings_of
from tabsynth.models.stored import require_names
from tabsynth.privacy import DEFAULT_BUDGET, NO_PRIVACY, Budget, Charge, Ledger, NoPrivacy, Privacy, guarantee
from tabsynth.privacy.ledger import LedgerCopy, copy_from_data, copy_to_data, rows_per_unit
from tabsynth.privacy.ledger_file import open_ledger_file, read_ledger_file
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import BudgetPlan
from tabsynth.privacy.queries import Queries
from tabsynth.private_fit import fit_privately, plan_fit, require_guarantee
from tabsynth.randomness import Streams
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.files import schema_from_dict, schema_to_dict
from tabsynth.schema.types import Kind, Origin, Schema, TableSchema
from tabsynth.source import as_table, only_table
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


def split_by_coin(
    frame: pl.DataFrame, unit_of_row: npt.NDArray[np.int64], *, holdout: float
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Train and holdout rows for a private fit: a coin of the system's entropy decides for each unit.

    One unit more changes train by that unit's rows at most. A seed that others know, or a number held out
    that depends on the number of units, would change it by other units' rows too. Either side may be empty.
    """
    _, position = np.unique(unit_of_row, return_inverse=True)
    n_units = int(position.max(initial=-1)) + 1
    held = pl.Series(Streams(secrets.randbits(128)).generator("split").random(n_units)[position] < holdout)
    return frame.filter(~held), frame.filter(held)


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


def fit(
    data: Any,
    *,
    schema: TableSchema | Schema | None = None,
    engine: str | Synthesizer = DEFAULT_ENGINE,
    settings: Mapping[str, Any] | None = None,
    privacy: Privacy | None = None,
    ledger: Ledger | str | Path | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> FittedPipeline:
    """Fit an engine to a table: pandas, polars, Arrow, a path, or a `Table`.

    Differentially private at ε = 1 and δ = 1e-6 where `privacy` says nothing else; `tabsynth.NO_PRIVACY`
    asks for none. Without a `schema` one is drafted from the data, and every domain in it is bought; the
    names, kinds and types of columns are taken as public, whoever stated them.
    `engine` is a name, with `settings` as its hyperparameters, or a recipe. `ledger`, a ledger file or an
    open one, is continued: the whole fit must fit under its cap. `seed` decides what little is random in
    fitting beside noise, which no seed reaches.

    A private fit raises for what is asked (`UsageError`, `PrivacyError`, `BudgetError` where the ledger has
    too little left) and for the structure of the data (`StructureError`: names, types, a file that cannot
    be read), never for a cell: one that is not of its column's domain becomes one that is. Without
    privacy, `DataError` lists the cells that contradict the schema, or says that there are no rows.
    """
    refuse((whole_number_fault(seed, "the seed"),))
    recipe = make_engine(engine, settings) if isinstance(engine, str) else engine
    if not isinstance(engine, str) and settings:
        raise UsageError("settings belong to an engine's name; set them on the recipe itself")
    privacy = DEFAULT_BUDGET if privacy is None else privacy
    if not isinstance(privacy, (Budget, NoPrivacy)):
        raise UsageError(
            f"privacy is a tabsynth.Budget or tabsynth.NO_PRIVACY, found {type(privacy).__name__}"
        )
    require_guarantee(privacy, recipe)
    if isinstance(privacy, Budget):
        with _opened(ledger, privacy) as opened:
            return _fit_within(
                privacy, data, schema, recipe, ledger=opened, streams=Streams(int(seed)), progress=progress
            )
    if ledger is not None:
        raise PrivacyError("a fit without privacy has no place under a ledger's cap; nothing was read")
    return _fit_exactly(data, schema, recipe, streams=Streams(int(seed)), progress=progress)


def _fit_within(
    budget: Budget,
    data: Any,
    schema: TableSchema | Schema | None,
    recipe: Synthesizer,
    *,
    ledger: Ledger,
    streams: Streams,
    progress: Progress,
) -> FittedPipeline:
    """A private fit: planned, and reserved in the ledger, before a row is looked at where a schema is given."""
    plan = None
    if schema is not None or isinstance(data, Table):
        known = data.schema if isinstance(data, Table) else only_table(schema)  # type: ignore[arg-type]
        _require_purchase(ledger, known)
        plan = plan_fit(known, recipe, budget)
        _require_one_unit(ledger, plan)
        ledger.reserve(planned.mechanism for planned in plan.parts)
    n_former = len(ledger.charges)
    try:
        table, layout = as_table(data, schema, strict=False)
        if plan is None:
            plan = plan_fit(table.schema, recipe, budget)
            _require_one_unit(ledger, plan)
            ledger.reserve(planned.mechanism for planned in plan.parts)
        table = bound_rows(_naming_somebody(table), Streams(secrets.randbits(128)))  # never by a known seed
        fitted = fit_privately(
            table, recipe, queries=NoisyQueries(ledger, plan), streams=streams, progress=progress
        )
    finally:
        ledger.free()
    progress("done", 1.0)
    copy = ledger.copy()
    former, own = (*copy.former, *copy.charges[:n_former]), copy.charges[n_former:]
    return FittedPipeline(
        schema=fitted.schema,
        engine=recipe,
        model=fitted.model,
        n_rows=fitted.n_rows,
        privacy=budget,
        ledger=replace(copy, former=former, charges=own),
        layout=schema_layout(layout, fitted.schema),
        surrogates=fitted.surrogates,
    )


def _require_purchase(ledger: Ledger, schema: TableSchema) -> None:
    """Raise `PrivacyError` for domains that an earlier fit bought where the ledger knows of no earlier fit.

    They came out of the table at a cost, which would be missing from what the release is said to give.
    """
    bought = [column.name for column in schema.columns if column.domain.origin is Origin.CHARGED]
    if bought and not ledger.former and not ledger.charges:
        raise PrivacyError(
            f"the domains of {', '.join(bought)} were bought by an earlier fit, and this ledger holds none: continue "
            "the ledger of that fit, or mark them as drafts to have them bought anew; nothing was read"
        )


def _require_one_unit(ledger: Ledger, plan: BudgetPlan) -> None:
    """Raise `PrivacyError` where earlier fits of the ledger protect units of another number of rows.

    Their charges would be added as if they protected the same units, which is worth nothing to a person of
    several rows. Persons of one row each and rows cannot be told apart here: for both, the sum is right.
    """
    earlier = (*ledger.former, *ledger.charges)
    rows = rows_per_unit(earlier)
    if earlier and rows != plan.sensitivity:
        raise PrivacyError(
            f"earlier fits of this ledger protect units of up to {rows} rows, this one of up to {plan.sensitivity}: "
            "what they spend cannot be added up, so nothing was read or charged. Declare the same unit and "
            "max_rows in the schema, or begin a ledger for a series of its own"
        )


def _naming_somebody(table: Table) -> Table:
    """The rows that name a person, where the unit is one.

    A name that cannot be read as its column's type is null by now, so rows that name nobody may all be of
    one person, and no bound would hold for them.
    """
    unit = table.schema.unit.column
    return table if unit is None else Table(table.schema, table.frame.filter(pl.col(unit).is_not_null()))


@contextmanager
def _opened(ledger: Ledger | str | Path | None, budget: Budget) -> Iterator[Ledger]:
    """The ledger to charge: one of this fit alone, the one that is given, or the file at a path, until the end."""
    if ledger is None:
        yield Ledger(budget)
    elif isinstance(ledger, Ledger):
        yield ledger
    else:
        source = read_ledger_file(ledger).source
        with open_ledger_file(ledger, source=source) as opened:
            yield opened


def _fit_exactly(
    data: Any,
    schema: TableSchema | Schema | None,
    recipe: Synthesizer,
    *,
    streams: Streams,
    progress: Progress,
) -> FittedPipeline:
    table, layout = as_table(data, schema)
    table = bound_rows(table, streams)
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
    model = recipe.fit(encoded, queries=queries, streams=streams, progress=progress)
    progress("done", 1.0)
    return FittedPipeline(
        schema=table.schema,
        engine=recipe,
        model=model,
        n_rows=n_rows,
        privacy=NO_PRIVACY,
        ledger=ledger.copy(),
        layout=layout,
        surrogates=surrogates,
    )
