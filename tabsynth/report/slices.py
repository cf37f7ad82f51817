"""Slices that are thin or where a model fails, as a table in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabsynth.augment.find import MOST_TRIED, Finding, SliceResults
from tabsynth.augment.trial import MIN_POSITIVE
from tabsynth.report import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

_PRIVATE = "Private output: computed from the real tables, not covered by any guarantee. Not for publication."


def lead_of_slices(results: SliceResults) -> str:
    """One sentence: how many slices are thin, fail, or both."""
    failing = sum(one.fails for one in results.findings)
    thin = sum(one.is_thin for one in results.findings)
    if not failing and not thin:
        return f"No slice of {results.table} is thin, and a model of {results.target} fails in none by more than chance."
    both = sum(one.is_thin and one.fails for one in results.findings)
    if not thin:
        return f"A model of {results.target} fails in {failing} of the slices looked at; none that is shown is thin."
    first = results.proposals[:1]
    hint = ": try there first" if first and first[0].is_thin and first[0].fails else ""
    last = "none is both" if not both else f"{both} {'is' if both == 1 else 'are'} both{hint}"
    return (
        f"A model of {results.target} fails in {failing} of the {len(results.findings)} slices shown, {thin} "
        f"{'is' if thin == 1 else 'are'} thin (under 5 % of the rows), {last}."
    )


def name_of(finding: Finding) -> str:
    """`ward = surgery, age >= 80, sex = null`, printable."""
    said = [
        f"{name} {sign} {'null' if value is None else value}"
        for name, asked in finding.where.items()
        for sign, value in (asked.items() if isinstance(asked, dict) else (("=", asked),))
    ]
    return text.printable(", ".join(said))


def proposed_for(proposals: Sequence[Finding], *, n_found: int) -> str:
    """Why these of the slices found are proposed; "" where all of them are thin and fail, or none was found."""
    if not n_found:
        return ""
    if not proposals:
        return f"No trial is proposed: one needs a slice of {MIN_POSITIVE} rows of the class, and of {MOST_TRIED:.0%} of all rows at most."
    words = {
        (True, True): "thin and failing",
        (False, True): "failing, not thin",
        (True, False): "thin, not failing",
    }
    said = [words[one.is_thin, one.fails] for one in proposals]
    if set(said) == {words[True, True]}:
        return ""
    return f"Proposed, in this order: a slice that is {'; '.join(said)}."


def render_slices(results: SliceResults, console: Console) -> None:
    """Print the slices to `console`: levels that at least 11 rows share, and counts from 11 on."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console.print(Text(text.printable(lead_of_slices(results))))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("slice", overflow="fold", header_style="dim")
    for head in ("rows", "of the class", "loss", "times all"):
        table.add_column(head, justify="right", header_style="dim", no_wrap=True)
    table.add_column("", header_style="dim")
    for one in results.findings:
        words = [word for word, holds in (("thin", one.is_thin), ("fails", one.fails)) if holds]
        table.add_row(
            Text(name_of(one)),
            f"{one.n_rows:,}",
            "< 11" if one.n_class is None else f"{one.n_class:,}",
            f"{one.loss:.3f}",
            f"{one.loss / results.loss:.1f}" if results.loss else "–",
            Text(", ".join(words), style="red" if one.fails else ""),
        )
    if results.findings:
        console.print(table)
    looked = (
        f"{results.n_examined:,} slices of 11 rows or more were looked at, {results.n_small:,} smaller ones were not. A "
        "slice fails where the loss of a model that did not see its rows is above the others' by more than chance."
    )
    for note in (looked, *results.notes):
        console.print(Text(note, style="dim"))
    console.print(Text(_PRIVATE, style="bold yellow"))
