"""`policy init` and `policy check`: what must hold before rows leave, and whether it does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tabsynth.cli.options import (
    AudienceOption,
    DebugOption,
    JsonOption,
    LedgerSinceOption,
    NoiseOption,
    OverwriteOption,
    PolicyOption,
    QuietOption,
    ShadowOption,
)
from tabsynth.cli.session import DENIED, DONE, INCONCLUSIVE, Session

if TYPE_CHECKING:
    from tabsynth.decision import Decision


def init(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it here instead of to stdout.")
    ] = None,
    overwrite: OverwriteOption = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Print the default policy as a file, with comments: for you to change."""
    with Session(command="policy init", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.io import atomic_path
        from tabsynth.release.files import default_policy, default_text

        audiences = {name: found.description for name, found in default_policy().audiences.items()}
        if out is None:
            if json_output:
                session.finish("", data={"policy": default_text(), "audiences": audiences})
            else:
                sys.stdout.write(default_text())
            return
        with atomic_path(out, overwrite=overwrite) as temporary:
            temporary.write_text(default_text(), encoding="utf-8")
        session.finish(
            f"Wrote the default policy for {', '.join(audiences)}",
            data={"audiences": audiences},
            files={out: "the policy: change it to your rules"},
            next_steps=[["tabsynth", "policy", "check", "--model", "MODEL", "--policy", out]],
        )


def check(
    model: Annotated[Path, typer.Option("--model", metavar="MODEL", help="The folder of the model.")],
    audit: Annotated[
        Path | None,
        typer.Option("--audit", metavar="FILE", help="What tabsynth audit --json wrote of its rows."),
    ] = None,
    shadow: ShadowOption = None,
    noise: NoiseOption = None,
    synthetic: Annotated[
        Path | None,
        typer.Option(
            "--synthetic", metavar="FILE", help="The rows that are to leave: the audit must be of them."
        ),
    ] = None,
    ledger: LedgerSinceOption = None,
    policy: PolicyOption = None,
    audience: AudienceOption = "outsiders",
    sign_off: Annotated[
        str | None,
        typer.Option("--sign-off", metavar="NAME", help="Who answers for what may be signed off."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; needed for a sign-off.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Keep the decision as JSON, for the reports; private."),
    ] = None,
    overwrite: OverwriteOption = False,
    json_output: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """May these rows leave? One reason for every rule; evidence that is missing never allows.

    Exit code 0: allowed; 3: denied; 4: needs a sign-off. The output is private.
    """
    with Session(command="policy check", json_output=json_output, quiet=quiet, debug=debug) as session:
        from tabsynth.cli.release_input import day_of, signed_off
        from tabsynth.config.steps import dialect_of, read_real, require_free
        from tabsynth.config.types import CsvOptions
        from tabsynth.constraints.check import check_rules
        from tabsynth.pipeline import FittedPipeline
        from tabsynth.release import default_policy, evaluate, evidence_of, model_digest, read_policy
        from tabsynth.release.rows import rows_evidence

        if out is not None:
            inputs = (model, audit, shadow, noise, synthetic, ledger, policy)
            require_free(out, inputs=inputs, overwrite=overwrite)
        signed = signed_off(sign_off, reason, on=day_of(None))
        rules = default_policy() if policy is None else read_policy(policy)
        rules.audience(audience)
        pipeline = FittedPipeline.load(model)
        rows = None if synthetic is None else read_real(synthetic, pipeline.schema)
        given = {"release": audit, "shadow": shadow, "noise": noise}
        evidence = evidence_of(
            pipeline,
            model=model_digest(model),
            where=str(model),
            audits={kind: path for kind, path in given.items() if path is not None},
            n_synthetic=None if rows is None else rows.n_rows,
            rows="" if rows is None else rows.digest(),
            rules=None if rows is None else check_rules(rows.frame, pipeline.schema),
            ledger=ledger,
            file=None
            if synthetic is None
            else rows_evidence(
                synthetic, pipeline, dialect=dialect_of(synthetic, pipeline.schema, CsvOptions())
            ),
        )
        decision = evaluate(rules, evidence, audience=audience, sign_off=signed)
        if out is not None:
            decision.write_json(out, overwrite=overwrite)
        show_decision(decision, session)
        code = exit_code(decision)
        session.finish(
            f"Checked against the policy {decision.policy!r}",
            data={"exit_code": code, **decision.to_dict()},
            ok=code == DONE,
            files={} if out is None else {out: "the decision; private"},
        )
    raise typer.Exit(code)


def exit_code(decision: Decision) -> int:
    """0 allowed, 3 denied, 4 needs a sign-off."""
    return {"allow": DONE, "deny": DENIED, "needs sign-off": INCONCLUSIVE}[decision.outcome.value]


def show_decision(decision: Decision, session: Session) -> None:
    """The decision for people, on stdout; nothing with `json_output` or `quiet`."""
    if session.json_output or session.quiet:
        return
    from rich.console import Console

    from tabsynth.report.terminal_decision import render_decision

    render_decision(decision, Console(highlight=False))
