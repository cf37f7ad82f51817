"""Attribution of a sensitive value to real rows by looking their keys up in the release.

CAP is the correct attribution probability of Elliot (2014, "Final report on the disclosure risk associated
with the synthetic data produced by the SYLLS team"), generalised to keys without a match as in Taub,
Elliot, Pampaka & Smith (2018, "Differential correct attribution probability for synthetic data", PSD) and
in its targeted form as in Taub & Elliot (2019, "The synthetic data challenge", UNECE).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.metrics.base import Direction, EvalData, MetricInfo, MetricResult
from tabsynth.metrics.cells import (
    NO_KEYS,
    NO_SENSITIVE,
    Ids,
    joint_ids,
    named_columns,
    not_applicable,
    sensitive_or_target,
    split_ids,
)
from tabsynth.metrics.intervals import Z_95, wilson_interval
from tabsynth.metrics.pair_view import Binning
from tabsynth.metrics.sampling import drawn_rows
from tabsynth.randomness import Streams

MAX_ASKED = 1_000  # real rows of each side whose CAP is computed
MAX_KNOWN = 50_000  # synthetic rows that the attacker looks at

_CAP_CAVEAT = (
    "One attacker, who matches and counts: a better one may attribute more. High on both sides only says that the "
    "keys predict the sensitive column for everybody; what was learnt of train's people is the excess over the "
    "floor. The interval covers the real rows that were asked."
)
CAP, TCAP = CAP_INFOS = (
    MetricInfo(
        name="cap",
        title="Correct attribution (CAP)",
        group="disclosure",
        direction=Direction.LOWER,
        percent=True,
        meaning=(
            "Somebody who knows the quasi-identifiers of a train row looks up the synthetic rows that agree with "
            "them, or agree in the most of them, and draws one: the mean probability that it has the right sensitive "
            "value. Numbers are cut at train's deciles. The floor asks the same of holdout rows."
        ),
        caveat=_CAP_CAVEAT,
        smoke_test=True,
    ),
    MetricInfo(
        name="tcap",
        title="Targeted attribution (TCAP)",
        group="disclosure",
        direction=Direction.LOWER,
        percent=True,
        meaning=(
            "Of the train rows whose quasi-identifiers occur in the synthetic table with one sensitive value only, "
            "the share that has that value: how often an attacker who dares to be certain is right. The floor asks "
            "the same of holdout rows."
        ),
        caveat=_CAP_CAVEAT,
        smoke_test=True,
    ),
)


def cap_of(
    asked_keys: npt.NDArray[np.uint16],
    asked_values: Ids,
    known_keys: npt.NDArray[np.uint16],
    known_values: Ids,
) -> npt.NDArray[np.float64]:
    """For each asked row, the share of its nearest known rows, by keys that differ, with its value.

    Keys have shape (n, n_keys), values (n,); there is at least one known row. In [0, 1], shape (n_asked,).
    """
    shares = np.empty(len(asked_keys))
    columns = [np.ascontiguousarray(known_keys[:, k]) for k in range(known_keys.shape[1])]
    for row, (keys, value) in enumerate(zip(asked_keys, asked_values, strict=True)):
        differ = np.zeros(len(known_keys), dtype=np.uint16)
        for column, key in zip(columns, keys, strict=True):
            differ += column != key
        nearest = differ == differ.min()
        shares[row] = np.count_nonzero(nearest & (known_values == value)) / np.count_nonzero(nearest)
    return shares


def targeted(asked: Sequence[Ids], known: Sequence[Ids]) -> tuple[int, int]:
    """How many asked rows were attributed for certain, and how many of those rightly.

    Both are (key ids, value ids), ids shared between them. A key is certain where every known row of it
    has one value.
    """
    n_keys = 1 + max(int(asked[0].max(initial=0)), int(known[0].max(initial=0)))
    lowest = np.full(n_keys, np.iinfo(np.intp).max, dtype=np.intp)
    highest = np.full(n_keys, -1, dtype=np.intp)
    np.minimum.at(lowest, known[0], known[1])
    np.maximum.at(highest, known[0], known[1])
    certain = (lowest == highest)[asked[0]]
    right = certain & (highest[asked[0]] == asked[1])
    return int(certain.sum()), int(right.sum())


@dataclass(frozen=True, slots=True)
class Attribution:
    """CAP and TCAP of each sensitive column, of train rows beside holdout rows."""

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return CAP_INFOS

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:
        """For each figure, the sensitive column with the largest value speaks for the table."""
        keys, _ = named_columns(data)
        sensitive = [name for name in sensitive_or_target(data) if name not in keys]
        reason = NO_KEYS if not keys else "" if sensitive else NO_SENSITIVE
        if not reason and not (data.encoded_synthetic.n_rows and data.encoded_train.n_rows):
            reason = "the synthetic or the train table has no rows"
        if reason:
            return not_applicable(reason, CAP.name, TCAP.name)
        tables = (data.encoded_train, data.encoded_holdout, data.encoded_synthetic)
        binnings = {name: Binning.of(tables[0].columns[name]) for name in (*keys, *sensitive)}
        cells = [{name: b.cells(table.columns[name]) for name, b in binnings.items()} for table in tables]
        matrices = [np.stack([side[name] for name in keys], axis=1) for side in cells]
        lengths = [table.n_rows for table in tables]
        joined = joint_ids(
            [np.concatenate([matrix[:, k] for matrix in matrices]).astype(np.intp) for k in range(len(keys))]
        )
        ids = split_ids(joined, lengths)
        rng = streams.generator("metrics/disclosure/cap")
        drawn = [
            drawn_rows(n, most, rng)
            for n, most in zip(lengths, (MAX_ASKED, MAX_ASKED, MAX_KNOWN), strict=True)
        ]
        results: list[MetricResult] = []
        for name in sensitive:
            values = [side[name].astype(np.intp) for side in cells]
            results.append(_cap_row(name, matrices, values, drawn))
            results.append(_tcap_row(name, ids, values))
        return (*_headlines(results), *results)


def _cap_row(
    name: str,
    keys: Sequence[npt.NDArray[np.uint16]],
    values: Sequence[Ids],
    drawn: Sequence[Ids],
) -> MetricResult:
    known = keys[2][drawn[2]], values[2][drawn[2]]
    train, holdout = (cap_of(keys[k][drawn[k]], values[k][drawn[k]], *known) for k in (0, 1))
    mean = float(train.mean())
    half = Z_95 * float(train.std(ddof=1)) / len(train) ** 0.5 if len(train) > 1 else 1.0
    return MetricResult(
        metric=CAP.name,
        columns=(name,),
        value=mean,
        floor=float(holdout.mean()) if len(holdout) else None,
        interval=(max(0.0, mean - half), min(1.0, mean + half)),
    )


def _tcap_row(name: str, keys: Sequence[Ids], values: Sequence[Ids]) -> MetricResult:
    known = keys[2], values[2]
    (n, right), (n_floor, right_floor) = (targeted((keys[k], values[k]), known) for k in (0, 1))
    if not n:
        (row,) = not_applicable("no train row meets a key that has one sensitive value alone", TCAP.name)
        return MetricResult(metric=row.metric, columns=(name,), status=row.status, reason=row.reason)
    return MetricResult(
        metric=TCAP.name,
        columns=(name,),
        value=right / n,
        floor=right_floor / n_floor if n_floor else None,
        interval=wilson_interval(right / n, n),
    )


def _headlines(rows: Sequence[MetricResult]) -> list[MetricResult]:
    headlines = []
    for info in CAP_INFOS:
        found = [row for row in rows if row.metric == info.name]
        worst = max(found, key=lambda row: -1.0 if row.value is None else row.value - (row.floor or 0.0))
        reason = worst.reason or f"the sensitive column that is furthest beyond its floor: {worst.columns[0]}"
        headlines.append(
            MetricResult(
                metric=info.name,
                value=worst.value,
                floor=worst.floor,
                interval=worst.interval,
                status=worst.status,
                reason=reason,
            )
        )
    return headlines
