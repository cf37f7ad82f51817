"""An audit of an engine's noise in a terminal: the verdict, the bounds, and what half the noise would have shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabsynth.audit.noise_results import NoiseResults, PairFigures
from tabsynth.audit.terminal import STYLES, figure_table
from tabsynth.audit.verdict import Outcome

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_SENTENCES = {
    Outcome.PASS: "no attack proves more than {what} gives away by its account.",
    Outcome.FAIL: "{what} does not keep its promise.",
    Outcome.INCONCLUSIVE: "too little noise is neither shown nor excluded for {what}.",
}
_NONE = "–"


def render_noise_audit(results: NoiseResults, console: Console) -> None:
    """Print the audit to `console`; reads well at 80 columns and without colour."""
    from rich.text import Text

    sentence = _SENTENCES[results.outcome].format(what=results.engine)
    console.print(Text(f"{results.outcome.value.upper()}: {sentence}", style=STYLES[results.outcome]))
    for reason in results.reasons:
        console.print(Text(f"  {reason}"))
    console.print(Text(f"\nClaimed: {_claim(results)}", style="bold"))
    console.print(_bounds(results))
    console.print(Text(_legend(results), style="dim"))
    if any(found.noise for found in results.pairs):
        console.print(Text("\nNoise that was seen, as a share of what was charged", style="bold"))
        console.print(_noise(results))
    for found in results.pairs:
        if found.ended:
            console.print(Text(f"{found.name}: {found.ended:,} fits gave no rows."))
    console.print(
        Text(
            "All tables are built in and public: no user's data was read. A pass speaks of these attacks on "
            "these tables; what happens beside the releases (time, memory, messages) is not seen.",
            style="bold yellow",
        )
    )


def _claim(results: NoiseResults) -> str:
    unit = "a row" if results.rows_of_unit == 1 else f"a person of at most {results.rows_of_unit} rows"
    said = f"ε = {results.epsilon:g}, δ = {results.delta:g} for {unit}"
    if results.accounted_mu is None:
        return f"{said} (one Gaussian release of that: μ = {results.gaussian_mu:.3f})"
    return f"{said}; accounted μ = {results.accounted_mu:.3f}"


def _bounds(results: NoiseResults) -> Table:
    table = figure_table("Tables", "fits", "μ seen", "μ ≥", "ε ≥", "half: seen", "≥", "")
    for found in results.pairs:
        table.add_row(
            found.name,
            f"2 × {found.runs:,}",
            _number(found.mu),
            f"{max(found.mu_lower, found.counts_mu_lower):.3f}",
            f"{max(found.epsilon_lower, found.counts_epsilon_lower):.2f}",
            _number(found.half_mu),
            _half(found, results),
            _word(found),
        )
    return table


def _half(found: PairFigures, results: NoiseResults) -> str:
    if found.half_mu_lower is None or found.half_epsilon_lower is None:
        return _NONE
    if results.accounted_mu is None:
        return f"ε {found.half_epsilon_lower:.2f}"
    return f"{found.half_mu_lower:.3f}"


def _word(found: PairFigures) -> str:
    if found.faults or found.exceeds:
        return "FAIL"
    return "ok" if found.sees_half else "blind"


def _legend(results: NoiseResults) -> str:
    attacks = " or ".join(dict.fromkeys(found.attack for found in results.pairs))
    powers = [found.power for found in results.pairs if found.power is not None]
    lines = [f"{found.name}: {found.title}" for found in results.pairs]
    rate = 100 * results.false_alarm_rate
    lines += [
        f"Attack on {results.attack_on}: {attacks}.",
        f"≥: lower bounds, all at once with {100 - rate:g} %: a promise that is kept fails in at most {rate:g} %.",
        "half: the same attack on half the noise; it has to come out above what is claimed, or the audit is blind.",
        f"So many fits could certify, by counts, at most μ = {results.highest_mu:.2f}, ε = {results.highest_epsilon:.2f}.",
    ]
    if powers:
        lines.append(f"With so many fits half the noise is seen with probability {min(powers):.3f}.")
    return "\n".join(lines)


def _noise(results: NoiseResults) -> Table:
    statistics = sorted({one.statistic for found in results.pairs for one in found.noise})
    table = figure_table("Statistic", *(found.name for found in results.pairs))
    for statistic in statistics:
        shares = [
            next((f"{one.share:.3f}" for one in found.noise if one.statistic == statistic), _NONE)
            for found in results.pairs
        ]
        table.add_row(statistic, *shares)
    return table


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3f}"
