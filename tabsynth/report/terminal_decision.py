"""A decision in a terminal: the answer, and every rule with what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabsynth.decision import Answer, Decision, Reason
from tabsynth.report import text
from tabsynth.report.share import share_sentence

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_STYLES = {Answer.ALLOW: "bold green", Answer.SIGN_OFF: "bold yellow", Answer.DENY: "bold red"}


def render_decision(decision: Decision, console: Console) -> None:
    """Print the decision to `console`; reads well at 80 columns and without colour."""
    from rich.text import Text

    heads = {Answer.ALLOW: "ALLOWED", Answer.SIGN_OFF: "NEEDS SIGN-OFF", Answer.DENY: "DENIED"}
    console.print(
        Text(f"{heads[decision.outcome]}: {share_sentence(decision)}", style=_STYLES[decision.outcome])
    )
    console.print(_table(decision))
    if decision.sign_off is not None:
        signed = (
            ", ".join(reason.title for reason in decision.signed) or "nothing: a rule denies, or none asks"
        )
        note = f"Signed by {text.printable(decision.sign_off.name)} for: {signed}."
        console.print(Text(note))
    console.print(
        Text(
            "Private output: an audit's figures come from the real tables. Not for publication.",
            style="bold yellow",
        )
    )


def _table(decision: Decision) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("rule", "answer", "required", "found"):
        table.add_column(head, overflow="fold", header_style="dim", no_wrap=head == "answer")
    met = [reason for reason in decision.reasons if reason.answer is Answer.ALLOW]
    for reason in (*decision.unmet, *met):
        table.add_row(
            Text(reason.title),
            Text(reason.answer.value, style=_STYLES[reason.answer]),
            Text(reason.required),
            Text(_found(reason)),
        )
    return table


def _found(reason: Reason) -> str:
    where = f" ({text.printable(reason.evidence)})" if reason.evidence else ""
    return text.printable(reason.found) + where
