"""What a command says beside its result."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tabsynth.cli.session import Session

if TYPE_CHECKING:
    import polars as pl

    from tabsynth.config.types import CsvOptions
    from tabsynth.io import Provenance
    from tabsynth.models.base import Synthesizer
    from tabsynth.pipeline import FittedPipeline
    from tabsynth.plan_report import PlanReport
    from tabsynth.privacy import Budget
    from tabsynth.schema.types import TableSchema

_MOST_NAMED = 8
USUAL_EPSILON, USUAL_DELTA = 10, 1e-4


def note_left_out(
    session: Session, paths: Iterable[Path], schema: TableSchema, *, csv: CsvOptions
) -> list[str]:
    """The columns of the files that the schema does not know, with a line for every file that has some."""
    from tabsynth.config.steps import left_out

    every: dict[str, None] = {}
    for path in dict.fromkeys(paths):
        names = left_out(path, schema, csv=csv)
        if names:
            session.note(f"{path.name}: left out is {what_is_left_out(names)}")
        every |= dict.fromkeys(names)
    return list(every)


def what_is_left_out(names: Iterable[str]) -> str:
    """`1 column that the schema does not know: 'zz'`."""
    every = list(names)
    listed = ", ".join(repr(name) for name in every[:_MOST_NAMED])
    more = f" and {len(every) - _MOST_NAMED:,} more" if len(every) > _MOST_NAMED else ""
    columns = "1 column" if len(every) == 1 else f"{len(every):,} columns"
    return f"{columns} that the schema does not know: {listed}{more}"


def note_mark(session: Session, path: Path, real_share: float | None) -> Provenance | None:
    """The mark of a synthetic table, with a line that says what that means; None where it bears none.

    Raises `UsageError` where the share of fresh real rows must be stated and is not.
    """
    from tabsynth.io import read_provenance
    from tabsynth.pipeline.synthetic import next_generation, outdated_mark, warning_of

    mark = read_provenance(path)
    next_generation(mark, real_share)
    if warning := outdated_mark(path) if mark is None else warning_of(mark):
        session.note(f"Warning: {warning}")
    return mark


def note_not_real(session: Session, paths: Iterable[Path]) -> None:
    """A line for every file that should hold real rows and is marked as synthetic, or was."""
    from tabsynth.pipeline.synthetic import not_real

    for path in dict.fromkeys(paths):
        if warning := not_real(path):
            session.note(f"Warning: {warning}")


def note_kept_rows(session: Session, engine: Synthesizer) -> str:
    """What a fitted model of the engine is, with a warning where it holds real rows."""
    if not engine.retains_rows:
        return "the model"
    session.note(
        f"Warning: {engine.name} keeps real rows, cells and all. They lie in the model, and can be reconstructed from what it makes: both are as private as the table"
    )
    return "the model; private: it holds real rows"


def fit_notes(pipeline: FittedPipeline, plan: PlanReport | None) -> tuple[str, ...]:
    """What a private fit bought and what its unit cost, if there is a plan, which every private fit follows; and what rows cannot show."""
    from tabsynth.schema.unit import unit_cost

    if plan is None:
        return pipeline.notes
    bought = plan.purchase or "All domains are public: none had to be bought."
    return tuple(filter(None, (bought, unit_cost(pipeline.schema.unit), *pipeline.notes)))


def history_note(pipeline: FittedPipeline) -> str:
    """How many persons a model of histories has learnt, in a line; "" of any other."""
    history = pipeline.history
    if history is None:
        return ""
    persons, constant = history.lengths.n_persons, len(history.constant)
    who = f"{persons:,} person{'' if persons == 1 else 's'}, {pipeline.n_rows / persons:.3g} rows each on average"
    columns = f"{constant:,} column{' never varies' if constant == 1 else 's never vary'} within a person"
    return f"Histories of {who}; {columns}."


def history_data(pipeline: FittedPipeline) -> dict[str, float] | None:
    """The same as JSON; None where no histories were learnt."""
    history = pipeline.history
    if history is None:
        return None
    persons = history.lengths.n_persons
    return {
        "persons": persons,
        "rows_per_person": pipeline.n_rows / persons,
        "constant_columns": len(history.constant),
    }


def note_public(session: Session, path: Path, schema: TableSchema, *, csv: CsvOptions) -> pl.DataFrame:
    """Public rows of a file, with a line on how many they are and which columns they lack."""
    from dataclasses import replace

    from tabsynth.pipeline.informing import doubt_of, read_public

    if doubt := doubt_of(path):
        session.note(f"Warning: {doubt}")
    rows = read_public(path, replace(schema, csv=csv.over(schema.csv)))
    lacking = [c.name for c in schema.columns if c.kind.is_modelled and c.name not in rows.columns]
    without = f", without {', '.join(map(repr, lacking[:_MOST_NAMED]))}" if lacking else ""
    more = f" and {len(lacking) - _MOST_NAMED:,} more columns" if len(lacking) > _MOST_NAMED else ""
    session.note(f"{path.name}: {rows.height:,} public rows{without}{more}.")
    return rows


def note_weak(session: Session, budget: Budget) -> None:
    """A line for each number of a budget that leaves little of its guarantee."""
    if budget.epsilon > USUAL_EPSILON:
        session.note(
            f"ε = {budget.epsilon:g} is a weak guarantee: one unit may make an outcome e^{budget.epsilon:g} times as "
            f"likely. Seldom is more than {USUAL_EPSILON} asked for."
        )
    if budget.delta > USUAL_DELTA:
        session.note(
            f"δ = {budget.delta:g} is a weak guarantee: keep it far below one over the number of rows, by a "
            "round number."
        )


def note_new_folder(session: Session, path: Path) -> None:
    """A line where writing `path` makes its folder first."""
    if not path.parent.exists():
        session.note(f"{path.parent} is not there: it is made.")
