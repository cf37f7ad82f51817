"""Why a column or a pair falls short, in one line each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol

from tabsynth.evaluate import Associations, Distribution
from tabsynth.report import text
from tabsynth.report.score import Score
from tabsynth.report.verdict import Level

_KEPT = 0.03  # of a coefficient
_SMALLEST_GAP = 0.005  # shares closer than this are not worth a sentence


def of_distribution(distribution: Distribution) -> str:
    """Where the synthetic shares leave train most: one level, or one run of bins.

    Names that level or those values. Empty where the gap is below half a percent of the rows or below twice what holdout shows.
    """
    if not any(distribution.synthetic) or not any(distribution.train):
        return ""
    n_bins = max(0, len(distribution.edges) - 1)
    candidates = [(index, index + 1) for index in range(n_bins, len(distribution.train))]
    if n_bins:
        gaps = _differences(distribution.synthetic, distribution.train)[:n_bins]
        candidates += [_largest_run(gaps), _largest_run([-gap for gap in gaps])]
    if not candidates:
        return ""
    first, last = max(
        candidates, key=lambda span: abs(_gap(distribution.synthetic, distribution.train, span))
    )
    gap = _gap(distribution.synthetic, distribution.train, (first, last))
    noise = abs(_gap(distribution.holdout, distribution.train, (first, last)))
    if abs(gap) < max(_SMALLEST_GAP, 2 * noise):
        return ""
    real, made = sum(distribution.train[first:last]), sum(distribution.synthetic[first:last])
    word = "too common" if gap > 0 else "too rare"
    where = _span_name(distribution, first, last)
    return f"{where} {word}: {text.percent(made)} of the rows, {text.percent(real)} in train"


class Binned(Protocol):
    """The bins and levels that shares are shares of, as in `Distribution`."""

    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def edges(self) -> tuple[float, ...]: ...
    @property
    def edge_labels(self) -> tuple[str, ...]: ...


def level_or_bin_name(distribution: Binned, index: int) -> str:
    """What the share at `index` is a share of: "40 to 45", or a level's name."""
    n_bins = max(0, len(distribution.edges) - 1)
    if index >= n_bins:
        return text.level(distribution.labels[index - n_bins])
    return _span_name(distribution, index, index + 1)


def _span_name(distribution: Binned, first: int, last: int) -> str:
    """The bins `first` … `last` − 1, or the level at `first` in quotes."""
    n_bins = max(0, len(distribution.edges) - 1)
    if first >= n_bins:
        return f"“{text.shorten(text.level(distribution.labels[first - n_bins]), 60)}”"
    edges = distribution.edges
    if distribution.edge_labels:
        ends = (text.time(distribution.edge_labels[first]), text.time(distribution.edge_labels[last]))
    elif all(edge % 1 == 0.5 for edge in edges):  # between whole numbers: name those inside
        ends = (text.edge(edges[first] + 0.5), text.edge(edges[last] - 0.5))
    else:
        ends = (text.edge(edges[first]), text.edge(edges[last]))
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def of_association(
    columns: tuple[str, ...], associations: Associations, scores: Sequence[Score] = ()
) -> list[str]:
    """How the association of a pair has changed; of two numbers, whose is that of ranks, also where values far out went together less or more."""
    positions = {name: i for i, name in enumerate(associations.columns)}
    if columns[0] not in positions or columns[1] not in positions:
        return []
    i, j = positions[columns[0]], positions[columns[1]]
    real, made = associations.train[i][j], associations.synthetic[i][j]
    if real is None or made is None:
        return []
    said = f"association {made:.2f}, {real:.2f} in train"
    if _is_reversed(scores):
        return [f"{said}: reversed, one falls where it rose with the other, or rises where it fell"]
    if abs(made - real) < _KEPT:
        return [_far_out(scores) or f"{said}: kept; {_what_differs(scores)}"]
    if made > real:
        return [f"{said}: stronger than real"]
    return [f"{said}: {'mostly lost' if made < real / 2 else 'weaker than real'}"]


def _far_out(scores: Sequence[Score]) -> str:
    """What to say of two numbers whose ranks go together as they did and whose values do not; "" of others."""
    ranks, values = (_coefficients(scores, of) for of in ("spearman_difference", "pearson_difference"))
    if ranks is None or values is None or abs(ranks[1] - ranks[0]) >= _KEPT:
        return ""
    real, made = values
    if abs(made - real) < _KEPT:
        return ""
    said = f"Pearson correlation {made:.2f}, {real:.2f} in train, by rank as in train"
    if made * real <= 0:
        return f"{said}: values far out go together otherwise"
    return f"{said}: values far out go together {'less' if abs(made) < abs(real) else 'more'}"


def _what_differs(scores: Sequence[Score]) -> str:
    """What the trend of a pair is measured by, where the association is as it was: of two numbers Pearson's correlation."""
    values = _coefficients(scores, "pearson_difference")
    if values is None:
        return "the joint counts differ"
    return f"Pearson correlation {values[1]:.3f}, {values[0]:.3f} in train"


def _is_reversed(scores: Sequence[Score]) -> bool:
    """Whether one number of two falls with the other that rose with it, by rank."""
    ranks = _coefficients(scores, "spearman_difference")
    return ranks is not None and ranks[0] * ranks[1] < 0 and min(map(abs, ranks)) >= _KEPT


def _coefficients(scores: Sequence[Score], metric: str) -> tuple[float, float] | None:
    """Of train and synthetic, signed; None where a figure was not computed or has none."""
    results = (score.result for score in scores if score.info.name == metric)
    told = {detail.label: detail.value for result in results for detail in result.details}
    return (told["train"], told["synthetic"]) if {"train", "synthetic"} <= told.keys() else None


def of_scores(scores: Sequence[Score], *, leading: str) -> list[str]:
    """Other figures that are off, with the part that is worst; and what a value leaves out.

    Disclosure, and what a learner makes of groups, are no reason why a column is unlike the real one.
    """
    said = []
    for score in scores:
        if score.info.group in ("disclosure", "utility"):
            continue
        title = text.printable(score.info.title)
        if score.info.name != leading and score.verdict.level in (Level.OFF, Level.FAR):
            part = _worst_detail(score)
            said.append(f"{title} {score.value_text}, floor {score.floor_text}{part}")
        if score.result.value is not None and score.result.reason:
            said.append(f"{title}: {text.printable(score.result.reason)}")
    return said


def _worst_detail(score: Score) -> str:
    """The part that is furthest beyond its own floor; parts without one are no errors."""
    errors = [detail for detail in score.result.details if detail.floor is not None]
    if not errors:
        return ""
    worst = max(errors, key=lambda detail: abs(detail.value) - abs(detail.floor or 0.0))
    value = text.figure(worst.value, as_percent=score.info.percent)
    return f" (mostly {text.printable(worst.label)}: {value})"


def _differences(a: Sequence[float], b: Sequence[float]) -> list[float]:
    return [x - y for x, y in zip(a, b, strict=True)]


def _gap(a: Sequence[float], b: Sequence[float], span: tuple[int, int]) -> float:
    first, last = span
    return sum(a[first:last]) - sum(b[first:last])


def _largest_run(values: Sequence[float]) -> tuple[int, int]:
    """The shortest run of consecutive values with the largest sum, as (first, last + 1)."""
    sums = [0.0, *accumulate(values)]
    best, span, lowest = float("-inf"), (0, 1), 0
    for end in range(1, len(sums)):
        if sums[end - 1] <= sums[lowest]:
            lowest = end - 1
        if sums[end] - sums[lowest] > best:
            best, span = sums[end] - sums[lowest], (lowest, end)
    return span
