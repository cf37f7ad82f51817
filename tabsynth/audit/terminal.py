"""An audit in a terminal: the verdict, what could be seen, the attacks, the bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabsynth.audit.attacks import TITLES
from tabsynth.audit.figures import Accusation, Battery
from tabsynth.audit.results import AuditResults
from tabsynth.audit.verdict import POWER, Calibrated, Outcome, p_words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_STYLES = {Outcome.PASS: "bold green", Outcome.FAIL: "bold red", Outcome.INCONCLUSIVE: "bold yellow"}
_SENTENCES = {
    Outcome.PASS: "none of these attacks tells who is in train; each leak planted below was seen.",
    Outcome.FAIL: "the synthetic table betrays who is in train.",
    Outcome.INCONCLUSIVE: "neither a leak nor its absence is shown.",
}
_NONE = "–"


def render_audit(results: AuditResults, console: Console) -> None:
    """Print the audit to `console`; reads well at 80 columns and without colour. No cell is shown."""
    from rich.text import Text

    outcome, counts = results.outcome, results.counts
    console.print(Text(f"{outcome.value.upper()}: {_SENTENCES[outcome]}", style=_STYLES[outcome]))
    for reason in results.verdict.reasons:
        console.print(Text(f"  {reason}"))
    console.print(Text("\nCould this audit have seen a leak?", style="bold"))
    console.print(_calibration_table(results.calibration))
    console.print(Text(_power_line(results), style="dim"))
    console.print(Text("\nAttacks on the release", style="bold"))
    console.print(_area_table(results.release))
    console.print(_rate_table(results.release))
    console.print(
        Text(
            f"{counts.evaluated_members:,} members against {counts.evaluated_non_members:,} non-members, "
            f"each a {results.unit}. AUC: 0.5 tells nothing. TPR: members found at that share of false alarms. "
            "Attack: members flagged; control: non-members flagged; guess: what a blind guess would flag. "
            "Risk: (attack - control)/(1 - control); its bound holds for all attacks at once (95 %).",
            style="dim",
        )
    )
    if results.bound is not None:
        bound = results.bound
        console.print(
            Text(
                f"\nAt ε = {bound.epsilon:g}, δ = {bound.delta:g} the best of all attackers could reach an AUC "
                f"of {bound.auc:.3f}, and {bound.tpr_at_1:.1%} of members at 1% false alarms "
                f"({bound.tpr_at_01:.2%} at 0.1%)."
            )
        )
    for note in results.notes:
        console.print(Text(note))
    console.print(
        Text(
            "Private output: computed from the real tables, not covered by any guarantee. Not for publication. "
            "A pass speaks of these attacks alone; p-values computed on differentially private rows do not "
            "hold as they stand.",
            style="bold yellow",
        )
    )


def _power_line(results: AuditResults) -> str:
    share = results.detectable_share
    if share is None:
        return "No share of copied rows is sure enough to be caught by matching at this size."
    return (
        f"At this size matching alone catches a copy of {share:.2%} of train with {POWER:.0%} probability; "
        "verbatim copies of fewer people, however exposed, can pass unseen. "
        f"A release made without train is flagged with at most {results.alpha:.0%}."
    )


def _calibration_table(calibration: tuple[Calibrated, ...]) -> Table:
    table = _table("Release with a known answer", "AUC", "p", "flagged", "should be")
    for known in calibration:
        table.add_row(
            known.title,
            f"{known.battery.max_auc:.3f}",
            p_words(known.battery.p_value).removeprefix("= "),
            "yes" if known.battery.flagged else "no",
            "yes" if known.is_leak else "no",
        )
    return table


def _area_table(battery: Battery) -> Table:
    table = _table("Attack", "AUC", "95 %", "TPR at 1 % FPR", "TPR at 0.1 %")
    for figures in battery.attacks:
        low, high = figures.auc_interval
        table.add_row(
            TITLES[figures.attack],
            f"{figures.auc:.3f}",
            f"{low:.3f}-{high:.3f}",
            _tpr(figures.at("fpr_1")),
            _tpr(figures.at("fpr_01")),
        )
    return table


def _rate_table(battery: Battery) -> Table:
    table = _table("At the best threshold", "attack", "control", "guess", "risk", "at most")
    for figures in battery.attacks:
        best = figures.accusations[0]
        table.add_row(
            TITLES[figures.attack],
            f"{best.attack.value:.1%}",
            f"{best.control.value:.1%}",
            f"{best.baseline:.1%}",
            f"{best.risk:.3f}",
            f"{best.risk_upper:.3f}",
        )
    return table


def _tpr(found: Accusation | None) -> str:
    if found is None:
        return _NONE
    low, high = found.attack.interval
    return f"{found.attack.value:.1%} ({low:.1%}-{high:.1%})"


def _table(first: str, *heads: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column(first)
    for head in heads:
        table.add_column(head, justify="right")
    return table
