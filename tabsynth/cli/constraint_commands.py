"""`constraints check` and `constraints suggest`: rules held against a real table, and rules mined from one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from tabsynth.cli.columns import count
from tabsynth.cli.options import (
    DataArgument,
    DebugOption,
    DecimalOption,
    DelimiterOption,
    EncodingOption,
    JsonOption,
    NullMarkOption,
    OverwriteOption,
    QuietOption,
    SchemaOption,
    SchemaOutOption,
    TableOption,
)
from tabsynth.cli.session import BAD_INPUT, Session
from tabsynth.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tabsynth.constraints.outcome import RuleOutcome

_PRIVATE = "This output is private: it was computed from the data, and no guarantee covers it."


def check(
    data: DataArgument,
    schema: SchemaOption,
    table: TableOption = None,
    delimiter: DelimiterOption = None,
    decimal: DecimalOption = None,
    encoding: EncodingOption = None,
    null_mark: NullMarkOption = None,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Count the rows that break each rule; exit code 2 if any does. The output is private."""
    with Session(command="constraints check", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.config.steps import read_real, table_of
        from tabsynth.config.types import csv_options
        from tabsynth.constraints.check import check_rules
        from tabsynth.constraints.plan import plan_rules
        from tabsynth.schema import read_schema

        chosen = table_of(read_schema(schema), table)
        if not chosen.constraints:
            raise UsageError(
                f"table {chosen.name!r} has no rules: write them under constraints: in the schema"
            )
        plan_rules(chosen, is_private=False)  # rules that contradict each other
        csv = csv_options(delimiter=delimiter, decimal=decimal, encoding=encoding, null_marks=null_mark)
        with session.progress() as report:
            report("reading", 0.0)
            real = read_real(data, chosen, csv=csv)
            report("checking", 0.5)
            outcomes = check_rules(real.frame, chosen)
        broken = sum(one.n_violations > 0 for one in outcomes)
        show_rules(session, outcomes)
        session.show(_PRIVATE)
        verdict = f"{count(broken, 'rule')} of {len(outcomes)} broken" if broken else "all rules hold"
        session.finish(
            f"{data.name}: {real.n_rows:,} rows, {verdict}",
            ok=not broken,
            data={"private_output": True, "rows": real.n_rows, "rules": rule_data(outcomes)},
        )
        if broken:
            raise typer.Exit(BAD_INPUT)


def suggest(
    data: DataArgument,
    schema: SchemaOption,
    out: SchemaOutOption,
    table: TableOption = None,
    delimiter: DelimiterOption = None,
    decimal: DecimalOption = None,
    encoding: EncodingOption = None,
    null_mark: NullMarkOption = None,
    overwrite: OverwriteOption = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Propose rules that a table seems to keep, as drafts in a copy of the schema. The output is private."""
    with Session(command="constraints suggest", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.config.steps import read_real, require_free, table_of
        from tabsynth.config.types import csv_options
        from tabsynth.constraints.suggest import suggest_rules, with_suggestions
        from tabsynth.schema import read_schema, write_schema
        from tabsynth.schema.rules import title_of

        require_free(out, inputs=(data, schema), overwrite=overwrite)
        whole = read_schema(schema)
        chosen = table_of(whole, table)
        csv = csv_options(delimiter=delimiter, decimal=decimal, encoding=encoding, null_marks=null_mark)
        with session.progress() as report:
            report("reading", 0.0)
            real = read_real(data, chosen, csv=csv)
            report("mining", 0.3)
            found = suggest_rules(real)
        write_schema(whole.with_table(with_suggestions(chosen, found)), out, private_note=True)
        for one in found:
            session.show(
                f"  {title_of(one.rule)}  ({one.support:,} rows, {count(one.exceptions, 'exception')})"
            )
        session.show(_PRIVATE)
        session.show(
            "Each is a draft: a rule may hold by chance, or say something of one person. Remove draft: true (and note:) "
            "from those that are public knowledge, and delete the others; a private fit refuses drafts."
        )
        session.finish(
            f"Found {count(len(found), 'candidate')} in {real.n_rows:,} rows",
            data={
                "private_output": True,
                "rows": real.n_rows,
                "rules": [
                    {"rule": title_of(one.rule), "support": one.support, "exceptions": one.exceptions}
                    for one in found
                ],
            },
            files={out: "the schema with the drafts; private"},
            next_steps=[["tabsynth", "constraints", "check", data, "--schema", out]],
        )


def show_rules(session: Session, outcomes: Sequence[RuleOutcome]) -> None:
    """A line for each rule: how many rows break it, how it was met, and how many rows that took."""
    width = max((len(f"{one.n_violations:,}") for one in outcomes), default=1)
    for one in outcomes:
        touched = one.n_swapped + one.n_redrawn
        how = f" · {one.form}" if one.form else ""
        if one.form and one.n_broken:
            how += (
                f": {count(one.n_swapped, 'row')} by exchange, {one.n_redrawn:,} drawn anew"
                if touched
                else ""
            )
        if one.change is not None and one.change.trend is not None:
            how += f", pairs with other columns changed by {100 * one.change.trend:.2f} %"
        session.show(f"  {one.n_violations:>{width},} violations  {one.rule}{how}")


def rule_data(outcomes: Sequence[RuleOutcome]) -> list[dict[str, object]]:
    """The outcomes as JSON."""
    return [
        {
            "rule": one.rule,
            "violations": one.n_violations,
            "met_by": one.form or None,
            "rows_swapped": one.n_swapped if one.is_counted else None,
            "rows_redrawn": one.n_redrawn if one.is_counted else None,
            "shape_change": None if one.change is None else one.change.shape,
            "pair_change": None if one.change is None else one.change.trend,
            "rows_compared": None if one.change is None else one.change.n_rows,
        }
        for one in outcomes
    ]
