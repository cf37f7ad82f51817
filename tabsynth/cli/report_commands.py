"""`report internal` and `report publishable`: two pages for two readers, from different things."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli.options import (
    DebugOption,
    DecimalOption,
    DelimiterOption,
    EncodingOption,
    JsonOption,
    NullMarkOption,
    OverwriteOption,
    QuietOption,
)
from tabsynth.cli.session import Session
from tabsynth.errors import PolicyError

if TYPE_CHECKING:
    from tabsynth.decision import Decision
    from tabsynth.evaluate import Results
    from tabsynth.pipeline import FittedPipeline

DecisionOption = Annotated[
    Path | None,
    typer.Option("--decision", metavar="FILE", help="What tabsynth policy check --out wrote."),
]
OutOption = Annotated[Path, typer.Option("--out", metavar="FILE", help="The page (HTML).")]


def internal(
    results: Annotated[
        Path, typer.Option("--results", metavar="FILE", help="What tabsynth evaluate wrote (results.json).")
    ],
    out: OutOption,
    audit: Annotated[
        Path | None,
        typer.Option("--audit", metavar="FILE", help="What tabsynth audit --json wrote of the same rows."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", metavar="MODEL", help="Adds the model's ledger.")
    ] = None,
    decision: DecisionOption = None,
    overwrite: OverwriteOption = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Everything on one page: figures, audit, ledger and decision. Private.

    What is not of one release is refused with code 2.
    """
    with Session(command="report internal", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.audit import AuditResults
        from tabsynth.config.steps import require_free
        from tabsynth.decision import Decision
        from tabsynth.evaluate import Results
        from tabsynth.pipeline import FittedPipeline
        from tabsynth.release.together import require_one_release
        from tabsynth.report import share_sentence, write_report

        require_free(out, inputs=(results, audit, model, decision), overwrite=overwrite)
        decided = None if decision is None else Decision.read_json(decision)
        if decided is not None and model is not None:
            _require_same_model(decided, model)
        pipeline = None if model is None else FittedPipeline.load(model)
        found = Results.read_json(results)
        attacked = None if audit is None else AuditResults.read_json(audit)
        require_one_release(found, audit=attacked, pipeline=pipeline, decision=decided)
        write_report(
            _told_of(found, pipeline),
            out,
            overwrite=overwrite,
            ledger=None if pipeline is None else pipeline.ledger,
            audit=attacked,
            decision=decided,
        )
        session.show(share_sentence(decided))
        session.finish(
            "Drew the internal report",
            data={"private_output": True, "outcome": None if decided is None else decided.outcome.value},
            files={out: "the report: open it in a browser; private"},
        )


def _told_of(results: Results, pipeline: FittedPipeline | None) -> Results:
    """The results with the model's guarantee and with what noise hid of its table."""
    from dataclasses import replace

    if pipeline is None:
        return results
    notes = tuple(note for note in pipeline.notes if note not in results.notes)
    return replace(results, guarantee=pipeline.guarantee, notes=(*results.notes, *notes))


def publishable(
    model: Annotated[Path, typer.Option("--model", metavar="MODEL", help="The folder of the model.")],
    synthetic: Annotated[
        Path,
        typer.Option("--synthetic", metavar="FILE", help="The rows that it made and that are handed out."),
    ],
    out: OutOption,
    decision: DecisionOption = None,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="The same as plain data.", rich_help_panel="Output"),
    ] = None,
    delimiter: DelimiterOption = None,
    decimal: DecimalOption = None,
    encoding: EncodingOption = None,
    null_mark: NullMarkOption = None,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """What may be told to those who get the rows: made from the model and the rows alone.

    No real row is read, and no figure that was computed from one.
    Ends with code 3 where the decision does not allow the release.
    """
    with Session(command="report publishable", quiet=quiet, debug=debug) as session:
        from tabsynth.config.steps import read_real, require_distinct, require_free
        from tabsynth.config.types import csv_options
        from tabsynth.constraints.check import check_rules
        from tabsynth.decision import Decision
        from tabsynth.pipeline import FittedPipeline
        from tabsynth.report import publishable as make
        from tabsynth.report import release_sentence, write_publishable

        for path in (out, json_file):
            if path is not None:
                require_free(path, inputs=(model, synthetic, decision), overwrite=overwrite)
        require_distinct(out, json_file)
        decided = None if decision is None else Decision.read_json(decision)
        if decided is not None:
            _require_same_model(decided, model)
        pipeline = FittedPipeline.load(model)
        csv = csv_options(delimiter=delimiter, decimal=decimal, encoding=encoding, null_marks=null_mark)
        rows = read_real(synthetic, pipeline.schema, csv=csv)
        outcomes = zip(check_rules(rows.frame, pipeline.schema), pipeline.schema.constraints, strict=True)
        declared = [outcome for outcome, rule in outcomes if not rule.draft]  # a draft is private by itself
        release = make(pipeline, rows, rules=declared, decision=decided)
        write_publishable(release, out, overwrite=overwrite)
        if json_file is not None:
            release.write_json(json_file, overwrite=overwrite)
        session.show(release_sentence(release))
        session.finish(
            "Drew the publishable report",
            data={},
            files={
                out: "the page for those who get the rows",
                **({} if json_file is None else {json_file: "the same as plain data"}),
            },
        )


def _require_same_model(decision: Decision, model: Path) -> None:
    """`PolicyError` where the decision was made for another model than that in the folder."""
    from tabsynth.release import model_digest

    if decision.model != model_digest(model):
        raise PolicyError(f"the decision was made for another model than {model}: check this one")
