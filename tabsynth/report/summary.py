"""`Results` → what a report says: plain frozen data, from which HTML and terminal output are drawn.

Nothing here knows a metric by name. Figures are sorted by their `MetricInfo` (group, direction) and by
how many columns they speak of, so a new metric appears in the report without a change to it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tabsynth.evaluate import Associations, Distribution, MetricInfo, MetricResult, Results, RocCurve
from tabsynth.metrics.base import Direction, Status
from tabsynth.report import reasons, text
from tabsynth.report.lead import Guarantee, alarm_sentence, lead_sentence, read_guarantee, steered_sentence
from tabsynth.report.score import Score
from tabsynth.report.verdict import Level

_GROUPS = {
    "fidelity": ("Fidelity", "How close are the distributions to the real ones?"),
    "detection": ("Detection", "Can a classifier tell the rows from real ones?"),
    "utility": ("Utility", "Is a model trained on it as good as one trained on real rows?"),
    "proximity": ("Proximity", "Do the rows sit too close to the rows they were made from?"),
    "disclosure": ("Disclosure", "What does the release say of the people behind the real rows?"),
}
_BELOW = frozenset({"disclosure"})  # groups that have no card on the first screen


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The table-level figures of one group; the first leading one that applies leads its card, also where it failed."""

    name: str
    title: str
    question: str
    scores: tuple[Score, ...]
    smoke_test: bool
    has_card: bool = True  # on the first screen
    pair_metric: str = ""  # the metric that leads the pairs, where it is of this group

    @property
    def headline(self) -> Score:
        """No other figure stands in for one that failed: it would answer another question, and mostly more kindly."""
        applying = [score for score in self.scores if score.result.status is not Status.NOT_APPLICABLE]
        valued = [score for score in applying if score.result.value is not None]
        leading = (score for score in applying if not score.info.secondary)
        return next(leading, (*valued, self.scores[0])[0])

    @property
    def others(self) -> tuple[Score, ...]:
        return tuple(score for score in self.scores if score is not self.headline)

    @property
    def leading(self) -> tuple[Score, ...]:
        """The figures that are shown without being asked for, in their order; the headline is one of them."""
        return tuple(score for score in self.scores if not score.info.secondary or score is self.headline)

    @property
    def folded(self) -> tuple[Score, ...]:
        """The secondary figures, worst first; those without a value last."""
        rest = [score for score in self.others if score.info.secondary]
        return tuple(sorted(rest, key=lambda score: (-score.verdict.level.rank, -_badness(score))))

    @property
    def telling(self) -> tuple[Score, ...]:
        """The other leading figures that have a value: that of the pairs first, then from worst to best level."""
        leading = (score for score in self.leading if score is not self.headline)
        valued = [score for score in leading if score.result.value is not None]
        return tuple(
            sorted(valued, key=lambda score: (score.info.name != self.pair_metric, -score.verdict.level.rank))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A column, pair or triple: its leading figure, its other figures, and why it falls short."""

    columns: tuple[str, ...]
    score: Score
    others: tuple[Score, ...]
    reasons: tuple[str, ...]
    where: str = ""  # names levels or values of the private table: for the page alone, never for a terminal
    kind: str = ""
    position: int = 0  # in the table's own order
    distribution: Distribution | None = None

    @property
    def title(self) -> str:
        return " × ".join(text.printable(column) for column in self.columns)

    @property
    def scores(self) -> tuple[Score, ...]:
        return (self.score, *self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Figures of one metric that have no value, and why."""

    title: str
    status: Status
    reason: str
    subjects: tuple[str, ...]  # empty for a figure of the whole table


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything a report says, in the order in which it is said; subjects are sorted worst first."""

    title: str
    alarm: str  # what goes before everything else; mostly empty
    steered: str  # why differences may be meant; mostly empty
    finding: str
    guarantee: Guarantee
    groups: tuple[Group, ...]
    columns: tuple[Subject, ...]
    pairs: tuple[Subject, ...]
    triples: tuple[Subject, ...]
    differences: tuple[Subject, ...]  # of pairs, with the distribution of what lies between their columns
    failed: tuple[Gap, ...]
    not_applicable: tuple[Gap, ...]
    roc_curves: tuple[RocCurve, ...]
    associations: Associations | None
    notes: tuple[str, ...]
    results: Results

    @property
    def lead(self) -> str:
        """What is read first: the alarm and why differences may be meant, where there are such, and the finding."""
        return " ".join(part for part in (self.alarm, self.steered, self.finding) if part)


def summarise(results: Results) -> Report:
    """What the report of `results` says."""
    infos = {info.name: info for info in results.infos}
    columns = _subjects(results, infos, n_columns=1)
    pairs = _subjects(results, infos, n_columns=2)
    groups = _groups(results, infos, pair_metric=pairs[0].score.info.name if pairs else "")
    guarantee = read_guarantee(results.guarantee)
    return Report(
        title=text.printable(results.title) or "Synthetic table",
        alarm=alarm_sentence(score for group in groups if group.has_card for score in group.scores),
        steered=steered_sentence(results.steered),
        finding=lead_sentence(
            column_score=_whole_table_score(groups, columns),
            pair_score=_whole_table_score(groups, pairs),
            headlines={group.name: group.headline for group in groups},
            target=results.target,
            guarantee=guarantee,
        ),
        guarantee=guarantee,
        groups=groups,
        columns=columns,
        pairs=pairs,
        triples=_subjects(results, infos, n_columns=3),
        differences=_differences(results, infos),
        failed=_gaps(results, infos, Status.FAILED),
        not_applicable=_gaps(results, infos, Status.NOT_APPLICABLE),
        roc_curves=_roc_curves(results),
        associations=results.associations,
        notes=results.notes,
        results=results,
    )


def _info(infos: Mapping[str, MetricInfo], metric: str) -> MetricInfo:
    """The metric's info; a metric that nobody described is shown under its own name."""
    known = infos.get(metric)
    if known is not None:
        return known
    return MetricInfo(name=metric, title=metric, group="other", direction=Direction.LOWER)


def _groups(results: Results, infos: Mapping[str, MetricInfo], *, pair_metric: str) -> tuple[Group, ...]:
    order = {name: i for i, name in enumerate(infos)}
    scores: defaultdict[str, list[Score]] = defaultdict(list)
    for result in results.metrics:
        if not result.columns:
            info = _info(infos, result.metric)
            scores[info.group].append(Score.of(result, info))
    names = [*_GROUPS, *sorted(set(scores) - set(_GROUPS))]
    groups = []
    for name in names:
        if name not in scores:
            continue
        title, question = _GROUPS.get(name, (text.sentence(name).rstrip("."), ""))
        ordered = sorted(scores[name], key=lambda score: order.get(score.info.name, len(order)))
        groups.append(
            Group(
                name=name,
                title=title,
                question=question,
                scores=tuple(ordered),
                smoke_test=any(score.info.smoke_test for score in ordered),
                has_card=name not in _BELOW,
                pair_metric=pair_metric,
            )
        )
    return tuple(groups)


def _subjects(results: Results, infos: Mapping[str, MetricInfo], *, n_columns: int) -> tuple[Subject, ...]:
    """Columns (1), pairs (2) or triples (3) with at least one figure, worst first.

    The leading figure is that of the metric which most of them have (the first described, of equals).
    """
    found: defaultdict[tuple[str, ...], list[Score]] = defaultdict(list)
    for result in results.metrics:
        if len(result.columns) == n_columns and result.status is not Status.NOT_APPLICABLE:
            found[result.columns].append(Score.of(result, _info(infos, result.metric)))
    leading = _leading_metric((score for scores in found.values() for score in scores), infos)
    distributions = {distribution.column: distribution for distribution in results.distributions}
    positions = {name: i for i, name in enumerate(distributions)}
    subjects = [
        _subject(columns, scores, leading, distributions, positions, results.associations)
        for columns, scores in found.items()
    ]
    return tuple(sorted(subjects, key=lambda subject: (-_badness(subject.score), subject.position)))


def _leading_metric(scores: Iterable[Score], infos: Mapping[str, MetricInfo]) -> str:
    counts = Counter(score.info.name for score in scores if score.result.value is not None)
    order = {name: i for i, name in enumerate(infos)}
    return min(counts, key=lambda name: (-counts[name], order.get(name, len(order))), default="")


def _subject(
    columns: tuple[str, ...],
    scores: Sequence[Score],
    leading: str,
    distributions: Mapping[str, Distribution],
    positions: Mapping[str, int],
    associations: Associations | None,
) -> Subject:
    score = next((score for score in scores if score.info.name == leading), scores[0])
    others = tuple(other for other in scores if other is not score)
    distribution = distributions.get(columns[0]) if len(columns) == 1 else None
    is_short = score.verdict.level is not Level.MET
    said = []
    if len(columns) == 2 and associations is not None:
        said += reasons.of_association(columns, associations, scores)
    said += reasons.of_scores(scores, leading=leading)
    return Subject(
        columns=columns,
        score=score,
        others=others,
        reasons=tuple(said),
        where=reasons.of_distribution(distribution) if distribution is not None and is_short else "",
        kind=distribution.kind if distribution is not None else "",
        position=max((positions.get(column, len(positions)) for column in columns), default=0),
        distribution=distribution,
    )


def _differences(results: Results, infos: Mapping[str, MetricInfo]) -> tuple[Subject, ...]:
    """Pairs whose difference is drawn, in their order."""
    subjects = []
    for position, found in enumerate(results.differences):
        result = results.find(found.metric, found.columns)
        if result is None:
            continue
        score = Score.of(result, _info(infos, found.metric))
        is_short = score.verdict.level is not Level.MET
        subject = Subject(
            columns=found.columns,
            score=score,
            others=(),
            reasons=(),
            where=reasons.of_distribution(found.distribution) if is_short else "",
            kind=found.distribution.kind,
            position=position,
            distribution=found.distribution,
        )
        subjects.append(subject)
    return tuple(subjects)


def _badness(score: Score) -> float:
    """What worst-first sorts by; figures without a value come last."""
    return float("-inf") if score.excess is None else score.excess


def _whole_table_score(groups: Sequence[Group], subjects: Sequence[Subject]) -> Score | None:
    """The table-level figure of the metric that leads `subjects`."""
    if not subjects:
        return None
    leading = subjects[0].score.info.name
    scores = (score for group in groups for score in group.scores)
    return next((score for score in scores if score.info.name == leading), None)


def _gaps(results: Results, infos: Mapping[str, MetricInfo], status: Status) -> tuple[Gap, ...]:
    """Figures with `status`, gathered by metric and reason."""
    gathered: defaultdict[tuple[str, str], list[MetricResult]] = defaultdict(list)
    for result in results.metrics:
        if result.status is status:
            gathered[result.metric, result.reason].append(result)
    return tuple(
        Gap(
            title=_info(infos, metric).title,
            status=status,
            reason=text.printable(reason) or "no reason given",
            subjects=tuple(
                " × ".join(text.printable(column) for column in result.columns)
                for result in found
                if result.columns
            ),
        )
        for (metric, reason), found in gathered.items()
    )


def _roc_curves(results: Results) -> tuple[RocCurve, ...]:
    """The curves of the whole table, else those that the figures carry."""
    carried = tuple(curve for result in results.metrics for curve in result.roc)
    return results.roc_curves or carried
