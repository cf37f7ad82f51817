"""The first sentence: how faithful, how useful, can it be told from real, and what is guaranteed.

Where a smoke test alarms, the alarm goes before all of it: a copy of the real table is faithful and useful.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tabsynth.metrics.base import Direction
from tabsynth.report import text
from tabsynth.report.score import Score
from tabsynth.report.verdict import Level

_FAITHFUL = {
    Level.MET: "as faithful to the real table as a second real sample",
    Level.NEAR: "close to the real table",
    Level.OFF: "only roughly like the real table",
    Level.FAR: "far from the real table",
}
_IN_COLUMNS = {
    Level.MET: "faithful in its single columns",
    Level.NEAR: "close in its single columns",
    Level.OFF: "off in its single columns",
    Level.FAR: "far off in its single columns",
}
_IN_PAIRS = {
    Level.MET: "faithful in how columns go together",
    Level.NEAR: "close in how columns go together",
    Level.OFF: "off in how columns go together",
    Level.FAR: "far off in how columns go together",
}


_MOST_NAMED = 5
_LITTLE = 0.2  # of the way from chance to the best: below it, real rows hardly predict the target
_CLEARLY = 0.05  # of the floor


@dataclass(frozen=True, slots=True)
class Guarantee:
    """The guarantee as the results state it, whether they state that there is none, or state nothing."""

    text: str
    is_none: bool
    is_stated: bool

    @property
    def is_given(self) -> bool:
        return self.is_stated and not self.is_none


def read_guarantee(stated: str) -> Guarantee:
    """`Results.guarantee` as a whole sentence; an empty one is said to be missing."""
    stated = text.printable(stated).strip()
    if not stated:
        return Guarantee(
            "No privacy guarantee is stated: treat these rows as private.", is_none=False, is_stated=False
        )
    is_none = "not anonymous by construction" in stated.lower()
    return Guarantee(text.sentence(stated), is_none=is_none, is_stated=True)


def alarm_sentence(scores: Iterable[Score]) -> str:
    """The smoke tests that alarm, worst first and second opinions last, as one sentence; empty where none does."""
    alarms = sorted(
        (score for score in scores if _alarms(score)),
        key=lambda score: (-score.verdict.level.rank, score.info.secondary),
    )
    if not alarms:
        return ""
    found = " and ".join(
        f"{text.printable(score.info.title).lower()} {score.value_text} (real rows {score.floor_text})"
        for score in alarms
    )
    words = text.sentence(alarms[0].verdict.words).rstrip(".")
    return f"{words}: {found}. The synthetic rows repeat or hug the rows they were made from: find out why before anyone else sees them."


def _alarms(score: Score) -> bool:
    return score.info.smoke_test and score.verdict.level in (Level.OFF, Level.FAR)


def steered_sentence(columns: Sequence[str]) -> str:
    """Why the table may differ from the real one on purpose; empty where nothing was asked of its rows."""
    if not columns:
        return ""
    more = f" and {len(columns) - _MOST_NAMED:,} more" if len(columns) > _MOST_NAMED else ""
    names = ", ".join(text.printable(name) for name in columns[:_MOST_NAMED]) + more
    return (
        f"These rows were asked for under conditions or in shares of {names}: there, and in what goes along, they differ from the real "
        "table on purpose, and the figures below count that as error."
    )


def lead_sentence(
    *,
    column_score: Score | None,
    pair_score: Score | None,
    headlines: Mapping[str, Score],
    target: str | None,
    guarantee: Guarantee,
) -> str:
    """One sentence in answer to the reader's question; what was not measured is said so."""
    clauses = [_faithful(column_score, pair_score), _useful(headlines.get("utility"), target)]
    clauses.append(_told(headlines.get("detection")))
    said = f"The synthetic table is {clauses[0]}, {clauses[1]}, and {clauses[2]}; "
    if guarantee.is_none:
        return said + "it carries no privacy guarantee and is not anonymous by construction."
    if not guarantee.is_stated:
        return said + "no privacy guarantee is stated."
    return said + f"its guarantee: {guarantee.text}"


def _faithful(columns: Score | None, pairs: Score | None) -> str:
    in_columns = columns.verdict.level if columns is not None else Level.NONE
    in_pairs = pairs.verdict.level if pairs is not None else Level.NONE
    if in_columns is Level.NONE and in_pairs is Level.NONE:
        return "of unknown fidelity"
    if Level.NONE in (in_columns, in_pairs):
        return _IN_PAIRS[in_pairs] if in_columns is Level.NONE else _IN_COLUMNS[in_columns]
    if in_columns is in_pairs:
        return _FAITHFUL[in_columns]
    joint = "but" if abs(in_columns.rank - in_pairs.rank) > 1 or in_pairs.rank > 1 else "and"
    return f"{_IN_COLUMNS[in_columns]} {joint} {_IN_PAIRS[in_pairs]}"


def _useful(score: Score | None, target: str | None) -> str:
    if score is None or score.verdict.level is Level.NONE:
        return "of unmeasured use for training"
    purpose = f"for predicting {text.printable(target)}" if target else "for training"
    if score.result.value is None:
        reason = text.printable(score.result.reason) or "no reason given"
        return f"{score.verdict.words} {purpose} ({reason}; real rows: {_measure(score)} {score.floor_text})"
    figures = f"{_measure(score)} {score.value_text}, real rows {score.floor_text}"
    return f"{score.verdict.words} {purpose} ({figures}{_caution(score)})"


def _measure(score: Score) -> str:
    """What the figure is called for short: the R² of "Utility (R²)"."""
    title = text.printable(score.info.title)
    _, opened, inner = title.rpartition("(")
    return inner.rstrip(") ") if opened and title.endswith(")") else title


def _caution(score: Score) -> str:
    """What keeps a good-looking figure from meaning much."""
    value, floor, chance = score.result.value, score.result.floor, score.info.chance
    if value is None or floor is None or score.info.direction is not Direction.HIGHER:
        return ""
    lower = score.result.interval[0] if score.result.interval is not None else value
    if lower > floor and value - floor > _CLEARLY * abs(floor):
        return "; better than real rows is suspect: chance, or a pattern drawn too strong"
    if chance is not None and max(value, floor) < chance + _LITTLE * (1 - chance):
        return "; real rows hardly predict it either, so this says little"
    return ""


def _told(score: Score | None) -> str:
    if score is None or score.verdict.level is Level.NONE:
        return "not tested against a classifier"
    return f"{score.verdict.words} by a classifier (AUC {score.value_text}, chance 0.5)"
