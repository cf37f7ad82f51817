"""A fitted pipeline: as many synthetic rows as are wanted, saved and loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from tabsynth.arguments import mapping_fault, refuse, share_fault, whole_number_fault
from tabsynth.caller import warn
from tabsynth.constraints.held import Held, held_at
from tabsynth.constraints.outcome import RuleOutcome, Tally
from tabsynth.constraints.plan import RulePlan, plan_rules
from tabsynth.encode import Surrogate, encode_table
from tabsynth.encode.table import variables_of
from tabsynth.errors import ConstraintError, InputError, ModelFileError, PrivacyError, UsageError
from tabsynth.io import Layout, Provenance, to_layout
from tabsynth.io.layout import schema_layout
from tabsynth.model_folder import privacy_from_data, read_folder, require_fields, write_folder
from tabsynth.models.base import FittedModel, Progress, Synthesizer, no_progress
from tabsynth.models.condition import Condition
from tabsynth.models.marginal_frame import marginal_frame, positions_of
from tabsynth.models.registry import engine_class, explicit, make_engine, settings_of
from tabsynth.models.stored import require_names
from tabsynth.pipeline.completing import Completed, read_partial
from tabsynth.pipeline.histories import History, context_of, describe_lone, history_from
from tabsynth.pipeline.persons import Persons
from tabsynth.pipeline.requests import Request, Shares, Where
from tabsynth.pipeline.sampling import Sampler
from tabsynth.pipeline.shares import shares_of
from tabsynth.privacy import Budget, Charge, Privacy, guarantee
from tabsynth.privacy.domains import describe_constants, describe_placeholders
from tabsynth.privacy.ledger import LedgerCopy, copy_from_data, copy_to_data
from tabsynth.randomness import Streams
from tabsynth.schema.dtypes import polars_dtype
from tabsynth.schema.files import schema_from_dict, schema_to_dict
from tabsynth.schema.types import Origin, Schema, TableSchema
from tabsynth.source import as_table
from tabsynth.table import Table
from tabsynth.where import conditions_of

_MASKS = 64
"""Patterns of kept cells in rows near given ones: a pattern is drawn at once, so few of them are quick."""


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
    generation: int = 1
    """1 where it was fitted to rows that bear no mark, one more than the table's where it was fitted to synthetic ones."""
    real_share: float | None = None
    """Of the rows that it was fitted to, fresh real ones, where these were marked as synthetic and that is known."""
    n_public: int = 0
    """Public rows that a private fit took beside the table; nothing is promised to anybody in them."""
    history: History | None = None
    """How rows of persons follow one another, where the schema's unit has an `order_by`."""
    placeholders: tuple[str, ...] = ()
    """Columns whose range noise hid: their bounds are none of the table's, and nor is what is sampled there."""

    @cached_property
    def plan(self) -> RulePlan:
        """How the rules of the schema that was learnt are met."""
        return plan_rules(self._learnt, is_private=isinstance(self.privacy, Budget))

    @cached_property
    def _learnt(self) -> TableSchema:
        """The schema with the context of its rows, where it has histories."""
        return self.schema if self.history is None else context_of(self.history, self.schema).schema

    @property
    def guarantee(self) -> str:
        """One sentence on the privacy of what it samples."""
        return guarantee(self.privacy, self.schema.unit, n_public=self.n_public)

    @property
    def notes(self) -> tuple[str, ...]:
        """What noise hid of the table, or too few persons, so that rows cannot show it: sentences that name columns."""
        if not isinstance(self.privacy, Budget):
            return (
                ()
                if self.history is None
                else tuple(filter(None, (describe_lone(self.history, self.schema, self.n_rows),)))
            )
        said = (describe_constants(self.schema), describe_placeholders(self.placeholders))
        return tuple(filter(None, said))

    @property
    def provenance(self) -> Provenance:
        """The mark of a file of what it samples."""
        return Provenance(
            engine=self.engine.name,
            generation=self.generation,
            no_privacy=not isinstance(self.privacy, Budget),
        )

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What this fit read of the private table."""
        return self.ledger.charges

    def sample(
        self,
        n_rows: int | None = None,
        *,
        seed: int | None = None,
        where: Mapping[str, Any] | None = None,
        rebalance: Mapping[str, Any] | None = None,
        oversample: Mapping[str, Any] | None = None,
        tally: Tally | None = None,
    ) -> Any:
        """Synthetic rows, as the kind of table that was fitted (pandas, polars or Arrow).

        Where the schema's unit has an `order_by` they are whole persons, the rows of each beside one another and in order (the last
        person's as many as there is room for); under conditions and shares each is a person's only one.
        `n_rows` defaults to the source's number of rows, as far as the model knows it. The same `seed` gives the same rows, bit for
        bit, on any number of cores; None takes a fresh one. `where` holds columns at cells: at one (`{"sex": "Female"}`; None
        means null), at any of a list, or within comparisons (`{"age": {">=": 18, "<": 65}, "cost": {"!=": None}}`).
        `rebalance` gives groups of columns shares of the rows (`{"income": {">50K": 0.5}, "sex": "even"}`), `oversample`
        makes the share of groups so many times that under the model (`{"race": {"Other": 4}}`: from .05 to .2); groups of numbers and times are texts such as
        `">=18 <65"`. `tally` counts what was done for conditions and rules. Raises
        `ConditionError` for conditions that no row can meet, `UsageError` for arguments of another kind,
        `ConstraintError` where rows cannot be made to meet the rules of the schema within the tries allowed.
        """
        tally = Tally(compares=False) if tally is None else tally
        frames = list(
            self.sample_batches(
                n_rows, seed=seed, where=where, rebalance=rebalance, oversample=oversample, tally=tally
            )
        )
        if tally.cut_short:
            warn(tally.cut_short)
        return to_layout(pl.concat(frames) if len(frames) > 1 else frames[0], self.layout, schema=self.schema)

    def sample_reported(
        self, n_rows: int | None = None, *, seed: int | None = None, where: Mapping[str, Any] | None = None
    ) -> tuple[Any, tuple[RuleOutcome, ...]]:
        """The same rows as `sample`, and of each rule how it was met and how many rows that took."""
        tally = Tally()
        return self.sample(n_rows, seed=seed, where=where, tally=tally), tally.outcomes

    def sample_batches(
        self,
        n_rows: int | None = None,
        *,
        seed: int | None = None,
        where: Mapping[str, Any] | None = None,
        rebalance: Mapping[str, Any] | None = None,
        oversample: Mapping[str, Any] | None = None,
        progress: Progress = no_progress,
        tally: Tally | None = None,
    ) -> Iterator[pl.DataFrame]:
        """The same rows as `sample`, as polars frames of bounded size; at least one, possibly empty.

        `tally` counts, as batches are taken, what was done so that conditions and the rules of the schema hold.
        """
        n_rows = self.n_rows if n_rows is None else n_rows
        refuse(
            (
                whole_number_fault(n_rows, "the number of rows"),
                None if seed is None else whole_number_fault(seed, "the seed"),
                *(
                    None if value is None else mapping_fault(value, name)
                    for name, value in (
                        ("where", where),
                        ("rebalance", rebalance),
                        ("oversample", oversample),
                    )
                ),
            )
        )
        streams = Streams.from_seed(seed)
        conditions = conditions_of(where or {}, self.schema)
        request: Request | None = None
        if rebalance or oversample:
            request = self._in_shares(rebalance or {}, oversample or {}, conditions, int(n_rows), streams)
        elif conditions:
            request = Where(held_at(conditions, self.plan))
        if self.history is not None and request is None:
            return self._persons(self.history, int(n_rows), streams, tally).batches(progress)
        return self._sampled(n_rows, streams, request, progress, tally)

    def _persons(self, history: History, n_rows: int, streams: Streams, tally: Tally | None) -> Persons:
        return Persons(
            schema=self.schema,
            context=context_of(history, self.schema),
            lengths=history.lengths,
            is_strict=history.is_strict,
            model=self.model,
            plan=self.plan,
            surrogates=self.surrogates,
            streams=streams,
            n_rows=n_rows,
            tally=Tally(compares=False) if tally is None else tally,
        )

    def _in_shares(
        self,
        rebalance: Mapping[str, Any],
        oversample: Mapping[str, Any],
        where: tuple[Condition, ...],
        n_rows: int,
        streams: Streams,
    ) -> Shares:
        def pilot(held: Held, n: int, number: tuple[int, ...]) -> pl.DataFrame:
            own = Streams(int(streams.generator("shares.pilot", *number).integers(2**63)))
            plan = replace(self.plan, constraints=self.plan.per_row, forms=self.plan.forms_per_row)
            return pl.concat(self._sampled(n, own, Where(held), no_progress, None, plan=plan))

        return shares_of(
            rebalance,
            oversample,
            where=where,
            schema=self.schema,
            plan=self.plan,
            n_rows=n_rows,
            pilot=pilot,
            rng=streams.generator("shares.rows"),
        )

    def _sampled(
        self,
        n_rows: int,
        streams: Streams,
        request: Request | None,
        progress: Progress,
        tally: Tally | None,
        *,
        plan: RulePlan | None = None,
    ) -> Iterator[pl.DataFrame]:
        sampler = Sampler(
            schema=self._learnt,
            model=self.model,
            plan=self.plan if plan is None else plan,
            is_pilot=plan is not None,
            surrogates=self.surrogates,
            streams=streams,
            n_rows=n_rows,
            request=request,
            tally=Tally(compares=False) if tally is None else tally,
        )
        batches = sampler.batches(progress)
        if self.history is None or plan is not None:
            return batches
        return (batch.select(self.schema.column_names) for batch in batches)

    def complete(
        self,
        data: Any,
        *,
        seed: int | None = None,
        nulls: Sequence[str] = (),
        tally: Tally | None = None,
        progress: Progress = no_progress,
    ) -> Any:
        """The rows of `data` with everything that is missing drawn given what is there, in their order.

        `data` is a table of any kind with some of the columns, and comes back as one of that kind with all of them (a path as a
        polars frame). Null cells are missing, but for those of the columns `nulls`, in which null is a value; what is drawn may be
        null itself. Given cells stay as they are. `tally` counts what that took.

        The guarantee of the model is about what it adds: given cells are passed on as they came. Raises `StructureError` and
        `DataError` for rows that do not fit the schema, `ConstraintError` where given cells break rules, or others cannot be found
        that keep them.
        """
        frame, layout = read_partial(data, self.schema)
        self._require_columns(nulls, frame.columns, "nulls")
        request = Completed.of(frame, self.plan, nulls=nulls, filled=())
        return self._completed(request, data, layout, seed, progress, tally)

    def impute(
        self,
        data: Any,
        *,
        columns: Sequence[str] | None = None,
        seed: int | None = None,
        tally: Tally | None = None,
        progress: Progress = no_progress,
    ) -> Any:
        """The rows of `data` with their null cells filled: drawn given the other cells of the row, and never null.

        `columns` names those to fill, all of `data` unless said; in others null stays. One draw is one of many possible tables:
        fill several with other seeds for an analysis that has to know how uncertain they are (Rubin 1987). Raises as `complete`
        does.
        """
        frame, layout = read_partial(data, self.schema)
        wanted = frame.columns if columns is None else columns
        self._require_columns(wanted, frame.columns, "columns")
        others = [name for name in frame.columns if name not in wanted]
        nulls = [name for name in others if self.schema[name].nullable]
        request = Completed.of(frame, self.plan, nulls=nulls, filled=wanted)
        left = {name: frame[name].is_null() for name in others if name not in nulls}
        rows = self._completed(request, data, layout, seed, progress, tally, left=left)
        return rows[list(frame.columns)] if hasattr(rows, "iloc") else rows.select(frame.columns)

    def near(
        self,
        seeds: Any,
        n_rows: int,
        *,
        keep: float = 0.5,
        seed: int | None = None,
        tally: Tally | None = None,
        progress: Progress = no_progress,
    ) -> Any:
        """Rows near given ones: each is a row of `seeds`, drawn evenly, of which every cell is kept with probability `keep`.

        Which cells are kept is one of 64 patterns drawn so, evenly. The other cells are drawn from the model given those that are kept, so at `keep` = 0 nothing is left of the seeds, and
        at 1 all is. Cells of identifiers and texts are never kept; null is a cell like others. What is kept is passed on as it came: near rows
        of persons are data of these persons, and no guarantee of the model covers them. Raises as `complete` does, `UsageError` for a `keep` outside [0, 1].
        """
        refuse((whole_number_fault(n_rows, "the number of rows"), share_fault(keep, "keep")))
        frame, layout = read_partial(seeds, self.schema)
        frame = frame.select([name for name in frame.columns if self.schema[name].kind.is_modelled])
        if not frame.height or not frame.width:
            raise UsageError("seeds need a row and a column that is modelled")
        streams = Streams.from_seed(seed)
        rng = streams.generator("near.seeds")
        chosen = frame[rng.integers(0, frame.height, n_rows)]
        masks = rng.random((_MASKS, frame.width)) < keep
        of_row = masks[rng.integers(0, _MASKS, n_rows)]
        kept = {
            name: of_row[:, k] & (self.schema[name].nullable | chosen[name].is_not_null().to_numpy())
            for k, name in enumerate(frame.columns)
        }
        request = Completed(frame=chosen, known=kept, filled=frozenset(), plan=self.plan)
        request.require()
        frames = list(self._sampled(n_rows, streams, request, progress, tally))
        return to_layout(pl.concat(frames), self._layout_like(layout), schema=self.schema)

    def _completed(
        self,
        request: Completed,
        data: Any,
        layout: Layout,
        seed: int | None,
        progress: Progress,
        tally: Tally | None,
        *,
        left: Mapping[str, pl.Series] | None = None,
    ) -> Any:
        """The rows of a request, as the kind of table that `data` is; null where `left` says that a cell stays null."""
        refuse((None if seed is None else whole_number_fault(seed, "the seed"),))
        n_rows = request.frame.height
        frames = list(self._sampled(n_rows, Streams.from_seed(seed), request, progress, tally))
        made = pl.concat(frames).with_columns(
            pl.when(~is_null).then(pl.col(name)).alias(name) for name, is_null in (left or {}).items()
        )
        rows = to_layout(made, self._layout_like(layout), schema=self.schema)
        if layout.kind == "pandas":
            rows.index = data.index  # type: ignore[union-attr]
        return rows

    def _layout_like(self, layout: Layout) -> Layout:
        """The layout of whole rows as the kind of table that part of them came in."""
        if layout.kind == self.layout.kind:
            return replace(self.layout, lazy=layout.lazy)
        return schema_layout(layout, self.schema)

    def _require_columns(self, names: Sequence[str], there: Sequence[str], what: str) -> None:
        unknown = [] if isinstance(names, str) else [name for name in names if name not in there]
        if isinstance(names, str) or unknown:
            raise UsageError(f"{what} must be a list of columns of the rows, found {unknown or names!r}")

    def log_prob(self, data: Any) -> npt.NDArray[np.float64]:
        """How probable each row's modelled columns are under the model: natural logarithms, (n_rows,).

        Exact, but for what repairing rows for rules changes. Whole numbers, decimals, times and levels count their probability, numbers without declared
        decimals their density per unit (or their probability, where single values have one). A text or
        identifier counts as present or missing. -inf says that the model never makes such a row. Raises
        `UsageError` for an engine that cannot say, `InputError` for data of another structure or type.
        """
        if self.history is not None:
            raise UsageError(
                "a model of histories knows rows by those before them: it has no probability for one by itself"
            )
        model = explicit(self.model, self.engine.name, what="probabilities of rows")
        rows = as_table(data.frame if isinstance(data, Table) else data, self.schema)[0]
        broken = [one.violations(rows.frame) for one in self.plan.per_row]
        found = model.log_prob(encode_table(self.plan.apply(rows)))
        return np.where(np.any(broken, axis=0), -np.inf, found) if broken else found

    def marginal(self, *columns: str, coarse: bool = False) -> Any:
        """The joint distribution of 1 to 3 columns under the model, exact and without sampling.

        A table of the kind that was fitted, with a row for each joint cell: its level or interval of each
        column, and its `probability`. `coarse` takes the few cells between which dependence was learnt.
        Raises `UsageError` for an engine that cannot say, for columns it does not model, and for more than
        4 million cells.
        """
        model = explicit(self.model, self.engine.name, what="marginals")
        found = model.marginal(positions_of(columns, model, self.plan.working), coarse=coarse)
        frame = marginal_frame(found, [self.plan.working[name] for name in columns])
        stored = {column.name: polars_dtype(column) for column in self.plan.working.columns}
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
            "generation": self.generation,
            "real_share": self.real_share,
            "public_rows": self.n_public,
            "placeholders": list(self.placeholders),
            "schema": schema_to_dict(Schema(tables=(self.schema,))),
            "layout": self.layout.to_dict(),
            "history": None if self.history is None else self.history.to_data(),
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
            privacy = privacy_from_data(document["privacy"])
            _require_able(engine, privacy)
            history = history_from(document["history"], schema)
            learnt = schema if history is None else context_of(history, schema).schema
            plan = plan_rules(learnt, is_private=isinstance(privacy, Budget))
            model = engine_class(document["engine"]).restore(
                variables_of(plan.working), arrays, document["parameters"]
            )
            shares = document["distinct_shares"]
            made = [column.name for column in schema.columns if not column.kind.is_modelled]
            require_names(shares, made, what="distinct_shares")
            placeholders = tuple(document["placeholders"])
            _require_bought(placeholders, schema)
            layout = Layout.from_dict(document["layout"])
            no_rows = pl.DataFrame(schema={column.name: polars_dtype(column) for column in schema.columns})
            to_layout(no_rows, layout, schema=schema)  # so that rows can be given back as the layout says
            return cls(
                schema=schema,
                engine=engine,
                model=model,
                n_rows=document["n_rows"],
                generation=document["generation"],
                real_share=document["real_share"],
                n_public=document["public_rows"],
                placeholders=placeholders,
                history=history,
                privacy=privacy,
                ledger=copy_from_data(document["ledger"]),
                layout=layout,
                surrogates=tuple(Surrogate(schema[name], share) for name, share in shares.items()),
            )
        except (ModelFileError, InputError, UsageError, ConstraintError, PrivacyError) as fault:
            raise ModelFileError(f"{path}: not a model this release can read: {fault}") from None
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as fault:
            what = type(fault).__name__
            raise ModelFileError(f"{path}: not a model this release can read ({what})") from None


def _require_bought(names: Sequence[Any], schema: TableSchema) -> None:
    """Raise `ModelFileError` where columns are said to have placeholders for a range that no fit looked for."""
    bought = [c.name for c in schema.columns if c.kind.is_continuous and c.domain.origin is Origin.CHARGED]
    if list(names) != [name for name in bought if name in names]:
        raise ModelFileError("the placeholders are not columns whose range was bought, in their order")


def _require_able(engine: Synthesizer, privacy: Privacy) -> None:
    """Raise `ModelFileError` where a model states privacy that its engine cannot give."""
    if isinstance(privacy, Budget) and "dp" not in engine.guarantees:
        raise ModelFileError(f"engine {engine.name!r} cannot give the privacy that the model states")
