"""A `Report` as the flat values that the HTML template prints; the template itself decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tabsynth.evaluate import Distribution
from tabsynth.metrics.base import Detail, Direction, MetricInfo
from tabsynth.report import text
from tabsynth.report.charts import Strip, distribution_chart, strip_chart
from tabsynth.report.reasons import level_or_bin_name
from tabsynth.report.score import Score
from tabsynth.report.summary import Gap, Subject

MAX_CHARTS = 40
MAX_COLUMN_ROWS = 500
MAX_PAIR_ROWS = 100
_MAX_LEVEL_ROWS = 60
_MAX_PARTS = 12
_N_WORST = 8
_MAX_REASONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreView:
    title: str
    value: str
    floor: str
    interval: str
    level: str
    words: str
    meaning: str
    caveat: str
    reason: str
    smoke_test: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PartView:
    name: str
    value: str
    width: int  # percent of the longest
    floor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """A figure with its dot chart and its parts."""

    score: ScoreView
    strip: str
    details: tuple[PartView, ...]
    more_details: bool = False  # whether there are parts beyond `details`


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstRow:
    title: str
    anchor: str  # of the column's own figure; empty where there is none
    strip: str
    score: ScoreView
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstBlock:
    title: str
    note: str
    what: str
    metric: str
    rows: tuple[WorstRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRow:
    name: str
    train: str
    holdout: str
    synthetic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnCard:
    anchor: str
    title: str
    kind: str
    position: int
    score: ScoreView
    reasons: tuple[str, ...]
    svg: str
    table_head: str
    table: tuple[ShareRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    value: str = ""
    floor: str = ""
    level: str = ""
    words: str = ""
    sort: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRow:
    title: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectTable:
    """All figures of columns, pairs or triples, one row each."""

    title: str = ""
    what: str = ""
    heads: tuple[str, ...] = ()
    rows: tuple[SubjectRow, ...] = ()
    open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnsView:
    cards: tuple[ColumnCard, ...] = ()
    cut: str = ""
    table: SubjectTable = field(default_factory=SubjectTable)


@dataclass(frozen=True, slots=True, kw_only=True)
class GapView:
    title: str
    subjects: str
    reason: str


def score_view(score: Score) -> ScoreView:
    info = score.info
    return ScoreView(
        title=text.printable(info.title) or info.name,
        value=score.value_text,
        floor=score.floor_text,
        interval=score.interval_text,
        level=score.verdict.level.value,
        words=score.verdict.words,
        meaning=info.meaning or "Not described.",
        caveat=info.caveat or "Not described.",
        reason=text.printable(score.result.reason),
        smoke_test=info.smoke_test,
    )


def score_row(score: Score) -> ScoreRow:
    return ScoreRow(
        score=score_view(score),
        strip=strip_chart(_strip(score, *_axis([score]))),
        details=_parts(score.result.details, info=score.info),
        more_details=len(score.result.details) > _MAX_PARTS,
    )


def _parts(details: Sequence[Detail], *, info: MetricInfo) -> tuple[PartView, ...]:
    """The parts that weigh most; of a figure that ought to be high, those furthest behind their floor."""
    worst = sorted(details, key=lambda detail: -_weight(detail, info))[:_MAX_PARTS]
    longest = max((abs(detail.value) for detail in worst), default=0.0) or 1.0
    return tuple(
        PartView(
            name=text.printable(detail.label),
            value=text.figure(detail.value, as_percent=info.percent),
            floor="" if detail.floor is None else text.figure(detail.floor, as_percent=info.percent),
            width=round(100 * abs(detail.value) / longest),
        )
        for detail in worst
    )


def _weight(detail: Detail, info: MetricInfo) -> float:
    if info.direction is Direction.HIGHER and detail.floor is not None:
        return detail.floor - detail.value
    return abs(detail.value)


def _strip(score: Score, lower: float, upper: float) -> Strip:
    spoken = f"{score.info.title}: {score.value_text}, floor {score.floor_text}, {score.verdict.words}"
    return Strip(
        label=spoken,
        value=score.result.value,
        floor=score.result.floor,
        interval=score.result.interval,
        lower=lower,
        upper=upper,
        level=score.verdict.level.value,
        best=0.5 if score.info.direction is Direction.HALF else None,
    )


def _axis(scores: Sequence[Score]) -> tuple[float, float]:
    """Ends of an axis that holds all of `scores` (of one metric): from 0, or within [0, 1] about 0.5."""
    ends = [
        end
        for score in scores
        for end in (score.result.value, score.result.floor, *(score.result.interval or ()))
        if end is not None
    ]
    if not ends:
        return 0.0, 1.0
    lower, upper = min(ends), max(ends)
    direction = scores[0].info.direction
    if direction is Direction.HALF:
        return min(0.4, lower), max(0.6, 1.0 if upper > 0.6 else upper)
    if direction is Direction.HIGHER and lower >= 0.5 and upper <= 1:
        return 0.5, 1.0
    lower, upper = min(0.0, lower), 1.05 * max(0.0, upper)
    return (lower, upper) if upper > lower else (lower, lower + 1.0)


def worst_block(
    subjects: Sequence[Subject], *, title: str, what: str, anchors: dict[str, str]
) -> WorstBlock | None:
    """The worst few subjects that are off or far; None where there are no subjects."""
    scored = [subject for subject in subjects if subject.score.result.value is not None]
    if not scored:
        return None
    short = [subject for subject in scored if subject.score.verdict.level.rank > 0]
    shown = short[:_N_WORST]
    axis = _axis([subject.score for subject in shown])
    metric = score_view(scored[0].score).title
    note = f"All {text.count(len(scored))} are at the floor."
    if short:
        n_met = len(scored) - len(short)
        note = f"{text.count(n_met)} of {text.count(len(scored))} are at the floor"
        if len(short) > len(shown):
            note += f"; the worst {len(shown)} of the other {text.count(len(short))} are shown"
        note += f". Sorted by {metric.lower()}, furthest beyond the floor first."
    rows = tuple(
        WorstRow(
            title=subject.title,
            anchor=anchors.get(subject.columns[0], "") if len(subject.columns) == 1 else "",
            strip=strip_chart(_strip(subject.score, *axis)),
            score=score_view(subject.score),
            reasons=_reasons(subject),
        )
        for subject in shown
    )
    return WorstBlock(
        title=title,
        note=note,
        what=what,
        metric=metric,
        rows=rows,
    )


def _reasons(subject: Subject) -> tuple[str, ...]:
    return tuple(reason for reason in (subject.where, *subject.reasons) if reason)[:_MAX_REASONS]


def columns_view(subjects: Sequence[Subject]) -> ColumnsView:
    """Charts of at most 40 columns, worst first, and the figures of all of them."""
    drawn = [(subject, subject.distribution) for subject in subjects if subject.distribution is not None]
    cards = tuple(_column_card(subject, distribution) for subject, distribution in drawn[:MAX_CHARTS])
    cut = ""
    if len(drawn) > MAX_CHARTS:
        cut = (
            f"The worst {MAX_CHARTS} of {text.count(len(drawn))} columns are drawn; "
            "the table below has the figures of all of them."
        )
    return ColumnsView(
        cards=cards, cut=cut, table=subject_table(subjects, what="column", limit=MAX_COLUMN_ROWS)
    )


def difference_cards(subjects: Sequence[Subject]) -> tuple[ColumnCard, ...]:
    """Charts of what lies between two columns."""
    drawn = [(subject, subject.distribution) for subject in subjects if subject.distribution is not None]
    return tuple(
        replace(
            _column_card(subject, distribution),
            anchor=f"difference-{subject.position}",
            title=text.printable(distribution.column),
        )
        for subject, distribution in drawn
    )


def _column_card(subject: Subject, distribution: Distribution) -> ColumnCard:
    return ColumnCard(
        anchor=f"column-{subject.position}",
        title=subject.title,
        kind=subject.kind,
        position=subject.position,
        score=score_view(subject.score),
        reasons=_reasons(subject),
        svg=distribution_chart(distribution),
        table_head="from – to" if distribution.edges else "level",
        table=share_rows(distribution),
    )


def share_rows(distribution: Distribution) -> tuple[ShareRow, ...]:
    """The shares behind a chart, of the first 60 bins or levels."""
    n_rows = len(distribution.train)
    rows = [
        ShareRow(
            name=level_or_bin_name(distribution, i),
            train=text.percent(distribution.train[i]),
            holdout=text.percent(distribution.holdout[i]),
            synthetic=text.percent(distribution.synthetic[i]),
        )
        for i in range(min(n_rows, _MAX_LEVEL_ROWS))
    ]
    return tuple(rows)


def subject_table(subjects: Sequence[Subject], *, what: str, limit: int) -> SubjectTable:
    """Every figure of the worst `limit` subjects."""
    metrics: dict[str, str] = {}
    for subject in subjects:
        for score in subject.scores:
            metrics.setdefault(score.info.name, score_view(score).title)
    if not subjects:
        return SubjectTable()
    shown = subjects[:limit]
    rows = tuple(SubjectRow(title=subject.title, cells=_cells(subject, tuple(metrics))) for subject in shown)
    whole = f"All {text.count(len(subjects))} {what}s" if len(subjects) > 1 else f"The {what}"
    title = f"{whole}, every figure"
    if len(subjects) > limit:
        title = (
            f"The worst {limit} of {text.count(len(subjects))} {what}s, every figure (results.json has all)"
        )
    return SubjectTable(title=title, what=what, heads=tuple(metrics.values()), rows=rows)


def _cells(subject: Subject, metrics: Sequence[str]) -> tuple[Cell, ...]:
    by_metric = {score.info.name: score for score in subject.scores}
    cells = []
    for metric in metrics:
        score = by_metric.get(metric)
        if score is None:
            cells.append(Cell())
            continue
        value = score.result.value
        cells.append(
            Cell(
                value=score.verdict.words if value is None else score.value_text,
                floor="" if value is None else score.floor_text,
                level=score.verdict.level.value,
                words=score.verdict.words,
                sort="" if value is None else f"{value:.6g}",
            )
        )
    return tuple(cells)


def gap_view(gap: Gap) -> GapView:
    subjects = text.enumerate_names(gap.subjects, limit=8) if gap.subjects else "the whole table"
    return GapView(title=gap.title, subjects=subjects, reason=gap.reason)
