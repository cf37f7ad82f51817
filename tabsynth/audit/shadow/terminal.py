"""An audit by shadow models in a terminal: the verdict, what could be seen, the attack, the records, the bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabsynth.audit.figures import Accusation
from tabsynth.audit.shadow.controls import ShadowControl
from tabsynth.audit.shadow.figures import ShadowBattery, TargetFigures
from tabsynth.audit.shadow.results import ShadowResults
from tabsynth.audit.shadow.targets import GROUPS
from tabsynth.audit.terminal import STYLES, figure_table
from tabsynth.audit.verdict import Outcome, p_words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_SENTENCES = {
    Outcome.PASS: "what this engine makes does not tell, or hardly, whose rows it was given.",
    Outcome.FAIL: "what this engine makes betrays whose rows it was given.",
    Outcome.INCONCLUSIVE: "neither a leak nor its absence is shown.",
}


def render_shadow(results: ShadowResults, console: Console) -> None:
    """Print the audit to `console`; reads well at 80 columns and without colour. No cell is shown."""
    from rich.text import Text

    outcome, counts = results.outcome, results.counts
    console.print(Text(f"{outcome.value.upper()}: {_SENTENCES[outcome]}", style=STYLES[outcome]))
    for reason in results.verdict.reasons:
        console.print(Text(f"  {reason}"))
    console.print(Text("\nCould this audit have seen a leak?", style="bold"))
    console.print(_control_table(results.controls))
    console.print(
        Text(
            f"{counts.fits:,} fits of {counts.rows:,} rows, half to teach the attack, half to judge it. They tell "
            f"{results.power.words}, where the attack finds what there is. An engine that ignores these records is "
            f"flagged with at most {results.alpha:.0%}.",
            style="dim",
        )
    )
    console.print(Text(f"\nThe attack on the engine ({results.title.partition(' of ')[2]})", style="bold"))
    console.print(_mean_table(results.engine))
    console.print(_record_table(results.engine))
    console.print(
        Text(
            f"Each record is a {results.unit} of train: the most isolated, by rank, and some at random. AUC: 0.5 tells "
            "nothing. TPR: tables with the record recognised at that share of false alarms. p of one record: "
            "corrected for all of them (Holm).",
            style="dim",
        )
    )
    if results.bound is not None:
        bound = results.bound
        console.print(
            Text(
                f"\nAt ε = {bound.epsilon:g}, δ = {bound.delta:g} the best of all attackers could reach an AUC of "
                f"{bound.auc:.3f} for any record, and a TPR of {bound.tpr_at_1:.1%} at 1% false alarms."
            )
        )
    for note in results.notes:
        console.print(Text(note))
    console.print(
        Text(
            "Private output: computed from the real tables, not covered by any guarantee. Not for publication. No ledger "
            "was charged, since nothing of these fits is released. A pass speaks of this attack alone; p-values "
            "computed on differentially private rows do not hold as they stand.",
            style="bold yellow",
        )
    )


def _control_table(controls: tuple[ShadowControl, ...]) -> Table:
    table = figure_table("Generator with a known answer", "mean AUC", "p", "flagged", "should be")
    for known in controls:
        table.add_row(
            known.title,
            f"{known.battery.mean('all').auc:.3f}",
            p_words(known.battery.p_value).removeprefix("= "),
            "yes" if known.battery.flagged else "no",
            "yes" if known.is_leak else "no",
        )
    return table


def _mean_table(battery: ShadowBattery) -> Table:
    table = figure_table("Records", "mean AUC", "95 %", "p", "TPR at 1 %", "TPR at 0.1 %")
    for mean in battery.means:
        low, high = mean.auc_interval
        table.add_row(
            f"{mean.n_targets} {mean.group}" if mean.group in GROUPS else f"all {mean.n_targets}",
            f"{mean.auc:.3f}",
            f"{low:.3f}-{high:.3f}",
            p_words(mean.p_value).removeprefix("= "),
            _tpr(mean.at("fpr_1")),
            _tpr(mean.at("fpr_01")),
        )
    return table


def _record_table(battery: ShadowBattery) -> Table:
    table = figure_table("Rank", *(head for group in GROUPS for head in (f"{group}: AUC", "95 %", "p")))
    sides = [[target for target in battery.targets if target.group == group] for group in GROUPS]
    for pair in zip(*sides, strict=True):
        table.add_row(str(pair[0].rank), *(cell for target in pair for cell in _record_cells(target)))
    return table


def _record_cells(target: TargetFigures) -> tuple[str, str, str]:
    low, high = target.auc_interval
    p_value = p_words(target.p_corrected).removeprefix("= ")
    return f"{target.auc:.2f}", f"{low:.2f}-{high:.2f}", p_value


def _tpr(found: Accusation | None) -> str:
    if found is None:
        return "–"
    low, high = found.attack.interval
    return f"{found.attack.value:.1%} ({low:.1%}-{high:.1%})"
