"""The rows of one person as the page shows them: how many there are, and how often a cell stays what it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tabsynth.evaluate import Distribution, Histories, MetricResult, Results
from tabsynth.metrics.base import Status
from tabsynth.report import text
from tabsynth.report.charts import Strip, distribution_chart, strip_chart
from tabsynth.report.score import Score
from tabsynth.report.views import Cell, ColumnCard, ColumnsView, ScoreView, score_view, share_rows

_N_WORST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One column: how often a cell is what it was, drawn and in words, and how far its histories are from train's."""

    title: str
    anchor: str  # of the column's own figure; empty where there is none
    strip: str
    synthetic: str
    train: str
    level: str
    words: str
    distance: Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryView:
    """Columns worst first: the first 12, and the others, folded; all of them where no synthetic row follows another."""

    note: str
    reason: str  # what a reader must know of all of it; mostly empty
    card: ColumnCard | None
    scores: tuple[ScoreView, ...]
    rows: tuple[HistoryRow, ...]
    others: tuple[HistoryRow, ...]
    others_title: str


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    distance: Score
    stay: Score

    @property
    def badness(self) -> tuple[int, float, float]:
        """What worst-first sorts by: the worse of the two verdicts, then by how much cells stay otherwise than in train."""
        ranks = (self.distance.verdict.level.rank, self.stay.verdict.level.rank)
        return max(ranks), self.stay.excess or 0.0, self.distance.excess or 0.0


def history_view(results: Results, columns: ColumnsView) -> HistoryView | None:
    """What the section on histories prints; None where the schema asks for none, or none was computed."""
    found = results.histories
    whole = None if found is None else results.find(found.distance_metric)
    if found is None or whole is None:
        return None
    anchors = {card.title: card.anchor for card in columns.cards}
    rows = tuple(_row(column, anchors) for column in _columns(results, found))
    stay = results.find(found.stay_metric)
    shown = _N_WORST if stay is not None and stay.value is not None else 0
    return HistoryView(
        note=_note(found),
        reason=text.sentence(text.printable(whole.reason)) if whole.reason else "",
        card=_card(results, found),
        scores=tuple(_score_view(results, mean) for mean in (whole, stay) if mean is not None),
        rows=rows[:shown],
        others=rows[shown:],
        others_title=_others_title(len(rows) - shown, is_compared=shown > 0),
    )


def _others_title(n: int, *, is_compared: bool) -> str:
    columns = f"{text.count(n)} column{'' if n == 1 else 's'}"
    return f"The other {columns}" if is_compared else f"How it is in train: {columns}"


def _note(found: Histories) -> str:
    person, order = text.printable(found.person), text.printable(found.order_by)
    return (
        f"Rows with the same {person} are those of one person, and follow one another by {order}. A row that holds what is "
        "usual may still be no sequel to the one before."
    )


def _score_view(results: Results, result: MetricResult) -> ScoreView:
    return score_view(Score.of(result, results.info(result.metric)))


def _card(results: Results, found: Histories) -> ColumnCard | None:
    """Persons by how many rows they have."""
    result = results.find(found.rows_metric)
    if result is None or result.status is not Status.OK:
        return None
    rows: Distribution = found.rows
    return ColumnCard(
        anchor="rows-per-person",
        title="How many rows a person has",
        kind="shares of persons",
        position=0,
        score=_score_view(results, result),
        reasons=(),
        svg=distribution_chart(rows),
        table_head="rows",
        table=share_rows(rows),
    )


def _columns(results: Results, found: Histories) -> list[_Column]:
    """Every column with both figures, worst first, those that are alike in the table's order."""
    columns = []
    for row in results.metrics:
        if row.metric != found.distance_metric or not row.columns:
            continue
        stay = results.find(found.stay_metric, row.columns)
        if stay is not None:
            scores = (Score.of(one, results.info(one.metric)) for one in (row, stay))
            columns.append(_Column(row.columns[0], *scores))
    return sorted(columns, key=lambda column: column.badness, reverse=True)


def _row(column: _Column, anchors: Mapping[str, str]) -> HistoryRow:
    """The verdict is that of cells that stay; of the histories where no synthetic row follows another."""
    rates = {part.label: part.value for part in column.stay.result.details}
    train, synthetic = rates.get("train"), rates.get("synthetic")
    said = column.distance if synthetic is None else column.stay
    title = text.printable(column.name)
    made, real = ("–" if rate is None else text.percent(rate) for rate in (synthetic, train))
    strip = Strip(
        label=f"How often a cell of {title} stays what it was: synthetic {made}, train {real}",
        value=synthetic,
        floor=train,
        interval=None,
        lower=0.0,
        upper=1.0,
        level=said.verdict.level.value,
    )
    return HistoryRow(
        title=title,
        anchor=anchors.get(title, ""),
        strip=strip_chart(strip),
        synthetic=made,
        train=real,
        level=said.verdict.level.value,
        words=said.verdict.words,
        distance=Cell(
            value=column.distance.value_text,
            floor=column.distance.floor_text,
            level=column.distance.verdict.level.value,
            words=column.distance.verdict.words,
        ),
    )
