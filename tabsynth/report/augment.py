"""A trial of augmentation as people read it: one sentence, a table in a terminal, and one HTML page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tabsynth.augment.results import FIGURES, NOTHING, PRIMARY, Gain, TrialResults
from tabsynth.report import text
from tabsynth.report.charts.forest import ForestRow, Guide, forest_chart
from tabsynth.report.lead import read_guarantee

if TYPE_CHECKING:
    from rich.console import Console

_PRIVATE = "Private output: computed from the real tables, not covered by any guarantee. Not for publication."
_SHORT = {"logistic regression": "logistic", "random forest": "forest"}
_MEANINGS = {
    "pr_auc": "How much of what is called positive is, averaged over all thresholds: what counts where the class is rare.",
    "recall": "How much of the class is found where so much of what is called positive must be.",
    "roc_auc": "How often a row of the class scores above another row. It looks fine for rare classes even where few are found.",
    "brier": "How far predicted probabilities are from what happened; lower is better. Adding rows of a class moves "
    "probabilities away from its true frequency, which this figure shows and the others hide.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureView:
    """One figure: gains over nothing as a chart, and the means behind them."""

    title: str
    meaning: str
    svg: str
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def verdict_of(results: TrialResults) -> str:
    """`beyond simple remedies`, `no more than simple remedies`, `no difference seen` or `harmed`, by PR-AUC."""
    over_nothing = [results.gain(results.engine, NOTHING, learner) for learner in results.learners]
    if any(
        gain.is_better and results.gain(results.engine, results.best_simple(learner), learner).is_better
        for gain, learner in zip(over_nothing, results.learners, strict=True)
    ):
        return "beyond simple remedies"
    if any(gain.is_better for gain in over_nothing):
        return "no more than simple remedies"
    return "harmed" if any(gain.is_worse for gain in over_nothing) else "no difference seen"


def lead_of(results: TrialResults) -> str:
    """One sentence: whether synthetic rows helped, over nothing and over what costs nothing."""
    gains = {learner: results.gain(results.engine, NOTHING, learner) for learner in results.learners}
    helped = [learner for learner, gain in gains.items() if gain.is_better]
    harmed = [learner for learner, gain in gains.items() if gain.is_worse]
    beyond = [
        learner
        for learner in helped
        if results.gain(results.engine, results.best_simple(learner), learner).is_better
    ]
    n, rows = len(results.learners), f"Synthetic rows of {results.engine}"
    least = f"; the others did not change by more than chance in {results.n_splits} splits"
    if beyond:
        best = max(beyond, key=lambda learner: gains[learner].mean)
        return (
            f"{rows} helped: PR-AUC rose for {len(helped)} of {n} learners over doing nothing, and for {len(beyond)} beyond "
            f"what class weights or random oversampling give ({best}: {gain_text(gains[best])} over nothing)."
        )
    if helped:
        best = max(helped, key=lambda learner: gains[learner].mean)
        return (
            f"{rows} raised PR-AUC for {len(helped)} of {n} learners over doing nothing ({best}: {gain_text(gains[best])}), "
            "but for none beyond class weights or random oversampling, which make no row up."
        )
    if harmed:
        worst = min(harmed, key=lambda learner: gains[learner].mean)
        rest = least if len(harmed) < n else ""
        return f"{rows} did not help: PR-AUC fell for {len(harmed)} of {n} learners ({worst}: {gain_text(gains[worst])}){rest}."
    best = max(gains, key=lambda learner: gains[learner].mean)
    return (
        f"{rows} did not help as far as {results.n_splits} splits can show: PR-AUC changed for none of {n} learners by "
        f"more than chance ({best}: {gain_text(gains[best])})."
    )


def gain_text(gain: Gain) -> str:
    """`+.012 [−.003, +.027]`."""
    return f"{_signed(gain.mean)} [{_signed(gain.lower)}, {_signed(gain.upper)}]"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−").replace("0.", ".", 1)


def _plain(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1)


def figure_title(results: TrialResults, figure: str) -> str:
    """`Recall at precision .50`, `PR-AUC`, …"""
    return f"Recall at precision {results.precision:.2f}" if figure == "recall" else FIGURES[figure]


def render_augment(results: TrialResults, console: Console) -> None:
    """Print the trial to `console`: the sentence, then PR-AUC and recall by learner and arm; no cell is shown."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console.print(Text(text.printable(results.title), style="bold"))
    console.print(Text(text.printable(lead_of(results))))
    for figure in (PRIMARY, "recall", "brier"):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column(figure_title(results, figure), header_style="dim", no_wrap=True)
        for learner in results.learners:
            table.add_column(learner, justify="right", header_style="dim")
        for arm in results.arms:
            cells = [Text(_cell(results, arm, learner, figure), style=_style(results, arm, learner, figure)) for learner in results.learners]  # fmt: skip
            table.add_row(Text(text.printable(arm), style="bold" if arm == results.engine else ""), *cells)
        console.print(table)
    console.print(
        Text("In brackets: gain over nothing with its 95 % interval; positive is better.", style="dim")
    )
    for note in results.notes:
        console.print(Text(text.printable(note), style="dim"))
    console.print(Text(_PRIVATE, style="bold yellow"))


def _cell(results: TrialResults, arm: str, learner: str, figure: str) -> str:
    mean = _plain(results.find(arm, learner, figure).mean)
    return mean if arm == NOTHING else f"{mean} ({gain_text(results.gain(arm, NOTHING, learner, figure))})"


def _style(results: TrialResults, arm: str, learner: str, figure: str) -> str:
    gain = results.gain(arm, NOTHING, learner, figure)
    return "green" if gain.is_better else "red" if gain.is_worse else ""


def _figure_view(results: TrialResults, figure: str) -> FigureView:
    rows, cells = [], []
    for learner in results.learners:
        for arm in results.arms:
            mean = results.find(arm, learner, figure).mean
            gain = results.gain(arm, NOTHING, learner, figure)
            said = "–" if arm == NOTHING else gain_text(gain)
            over = "–" if arm != results.engine else gain_text(results.gain(arm, results.best_simple(learner, figure), learner, figure))  # fmt: skip
            cells.append((text.printable(f"{learner}, {arm}"), (_plain(mean), said, over)))
            if arm != NOTHING:
                level = "met" if gain.is_better else "far" if gain.is_worse else "none"
                rows.append(
                    ForestRow(
                        label=f"{_SHORT.get(learner, learner)}, {arm}",
                        value=gain.mean,
                        lower=gain.lower,
                        upper=gain.upper,
                        words=_signed(gain.mean),
                        level=level,
                    )
                )
    title = figure_title(results, figure)
    svg = forest_chart(
        rows,
        label=f"{title}: gain over nothing",
        guides=[Guide(value=0.0, label="nothing")],
        axis=(-0.02, 0.02),
    )
    return FigureView(title=title, meaning=_MEANINGS[figure], svg=svg, rows=tuple(cells))


def render_augment_html(results: TrialResults) -> str:
    """The trial as one HTML document without a network, every name escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("tabsynth.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("augment.html").render(
        title=text.printable(results.title),
        lead=text.printable(lead_of(results)),
        guarantee=read_guarantee(results.guarantee),
        facts=[
            ("Engine", text.printable(results.engine)),
            ("Target", text.printable(results.target)),
            ("Made more of", text.printable(results.slice_label)),
            ("Up to", results.to),
            ("Splits", text.count(results.n_splits)),
            ("Train rows", text.count(round(results.n_train))),
            ("Rows added", text.count(round(results.n_added))),
            ("Test rows", text.count(round(results.n_test))),
            ("Of the class", text.count(round(results.n_positive))),
            ("Seed", str(results.seed)),
        ],
        figures=[_figure_view(results, figure) for figure in FIGURES],
        notes=[text.printable(note) for note in results.notes],
        version=results.version,
    )


def write_augment(results: TrialResults, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write the page to `path`, whole or not at all, and return the path.

    Raises `OutputExistsError` where `path` exists and `overwrite` is not set.
    """
    from tabsynth.io.atomic import atomic_path

    page = render_augment_html(results)
    with atomic_path(Path(path), overwrite=overwrite) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(path)
