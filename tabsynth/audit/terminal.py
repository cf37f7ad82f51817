"""An audit in a terminal: the verdict, what could be seen, the attacks, the bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabsynth.audit.attacks import TITLES
from tabsynth.audit.bound import Bound
from tabsynth.audit.figures import Accusation, Battery
from tabsynth.audit.inference import TOLERANCE
from tabsynth.audit.linkability import NAME as LINKABILITY
from tabsynth.audit.results import AuditResults
from tabsynth.audit.subgroups import MIN_ROWS as MIN_GROUP
from tabsynth.audit.verdict import POWER, Calibrated, Outcome, p_words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

STYLES = {Outcome.PASS: "bold green", Outcome.FAIL: "bold red", Outcome.INCONCLUSIVE: "bold yellow"}
_SENTENCES = {
    Outcome.PASS: "no attack below tells who is in train, or more of them; each planted leak was seen.",
    Outcome.FAIL: "the synthetic table betrays who is in train.",
    Outcome.INCONCLUSIVE: "neither a leak nor its absence is shown.",
}
_NONE = "–"


def render_audit(results: AuditResults, console: Console) -> None:
    """Print the audit to `console`; reads well at 80 columns and without colour. No cell is shown."""
    from rich.text import Text

    outcome, counts = results.outcome, results.counts
    console.print(Text(f"{outcome.value.upper()}: {_SENTENCES[outcome]}", style=STYLES[outcome]))
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
    _print_guesses(results, console)
    _print_people(results, console)
    if results.bound is not None:
        console.print(Text(f"\n{_bound_line(results.bound)}"))
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


def _bound_line(bound: Bound) -> str:
    said = (
        f"At ε = {bound.epsilon:g}, δ = {bound.delta:g} the best of all attackers could reach an AUC of "
        f"{bound.auc:.3f}, and {bound.tpr_at_1:.1%} of members at 1% false alarms ({bound.tpr_at_01:.2%} at 0.1%)."
    )
    if bound.gaussian is None:
        return said
    found = bound.gaussian
    return (
        f"{said} Against one Gaussian mechanism of just this guarantee (μ = {found.mu:.3f}): an AUC of "
        f"{found.auc:.3f}, and {found.tpr_at_1:.1%} ({found.tpr_at_01:.2%})."
    )


def _power_line(results: AuditResults) -> str:
    share, few, isolated = results.detectable_share, results.detectable_isolated, results.isolated
    by_match = (
        "At this size no share of copied rows is caught for sure by matching"
        if share is None
        else f"At this size matching alone catches a copy of {share:.2%} of train with {POWER:.0%} probability"
    )
    rare = (
        f"; copies of the {isolated:,} most isolated members are not"
        if few is None
        else f"; of the {isolated:,} most isolated members {few:,} copied are caught"
    )
    return (
        f"{by_match}{rare}. Verbatim copies of fewer people, however exposed, can pass unseen. "
        f"A release made without train is flagged with at most {results.alpha:.0%}."
    )


def _calibration_table(calibration: tuple[Calibrated, ...]) -> Table:
    table = figure_table("Release with a known answer", "AUC", "p", "flagged", "should be")
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
    table = figure_table("Attack", "AUC", "95 %", "TPR at 1 % FPR", "TPR at 0.1 %")
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
    table = figure_table("At the best threshold", "attack", "control", "guess", "risk", "at most")
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


def _print_guesses(results: AuditResults, console: Console) -> None:
    """What was asked beside membership, and how often it was answered rightly."""
    from rich.text import Text

    counts = results.counts
    console.print(Text("\nWhat the release says of people", style="bold"))
    table = figure_table("Right guesses", "attack", "control", "without", "risk", "at most", "p")
    for guess in results.release.guesses:
        if guess.attack is None or guess.control is None or guess.baseline is None:
            table.add_row(f"{guess.title}: {guess.reason}", *[_NONE] * 6)
            continue
        table.add_row(
            guess.title,
            f"{guess.attack.value:.1%}",
            f"{guess.control.value:.1%}",
            f"{guess.baseline.value:.1%}",
            f"{guess.risk:.3f}",
            f"{guess.risk_upper:.3f}",
            p_words(guess.p_value or 0.0).removeprefix("= "),
        )
    console.print(table)
    halves = next((guess for guess in results.release.guesses if guess.attack_name == LINKABILITY), None)
    dealt = f" Halves linked: {halves.reason}." if halves is not None and halves.attack is not None else ""
    console.print(
        Text(
            f"{counts.asked_members:,} people of train against {counts.asked_non_members:,} of the holdout. "
            "Without: right without the release, by chance or the commonest answer; of the most isolated: all "
            "who were hit. A column, by nearest row or by learner: its cell is guessed from all others. A number is right within "
            f"{TOLERANCE:.0%} of its column's range.{dealt} p is before correction; the risk of the isolated "
            "is theirs alone and not part of the verdict's.",
            style="dim",
        )
    )


def _print_people(results: AuditResults, console: Console) -> None:
    """How the risk is spread: the most exposed ranks, and groups where one stands out."""
    from rich.text import Text

    top = results.exposure.top
    console.print(Text("\nWho bears the risk", style="bold"))
    table = figure_table("Rank of exposure", *(str(found.rank) for found in top))
    table.add_row("members, bits", *(f"{found.bits:.1f}" for found in top))
    table.add_row("non-members", *(f"{found.bits_non_member:.1f}" for found in top))
    console.print(table)
    bands = "; ".join(
        f"of the most exposed {band.share:.1%} {band.members.value:.0%} are members"
        for band in results.exposure.bands
    )
    chance = results.exposure.bands[0].chance if results.exposure.bands else None
    said = f"{bands} ({chance:.0%} by chance). " if chance is not None else ""
    console.print(
        Text(
            f"{said[:1].upper()}{said[1:]}One bit: half of the non-members score so high, "
            f"{results.exposure.most_bits:.1f} bits: none.",
            style="dim",
        )
    )
    console.print(Text(_group_line(results), style="dim"))


def _group_line(results: AuditResults) -> str:
    groups = results.subgroups
    if not groups:
        return f"No column has groups of {MIN_GROUP} or more members and non-members."
    n_columns = len({group.column for group in groups})
    title = TITLES[groups[0].attack_name].lower()
    of = f"{n_columns} column{'s' if n_columns > 1 else ''}"
    said = f"{len(groups)} groups of {of}, attacked by {title}"
    found = sorted((group for group in groups if group.p_value <= results.alpha), key=lambda g: g.p_value)
    if not found:
        return f"{said}: in none are members told from non-members (corrected p above {results.alpha:g})."
    named = "; ".join(
        f"{group.column} = {group.level} (attack {group.attack.value:.1%}, control {group.control.value:.1%}, "
        f"p {p_words(group.p_value)})"
        for group in found[:3]
    )
    return f"{said}: members are told in {len(found)}, foremost {named}. All groups are in the JSON."


def _tpr(found: Accusation | None) -> str:
    if found is None:
        return _NONE
    low, high = found.attack.interval
    return f"{found.attack.value:.1%} ({low:.1%}-{high:.1%})"


def figure_table(first: str, *heads: str) -> Table:
    """A table of figures: names on the left, numbers on the right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column(first)
    for head in heads:
        table.add_column(head, justify="right")
    return table
