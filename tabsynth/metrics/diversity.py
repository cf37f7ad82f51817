"""How many different combinations a table holds: what a collapsed model loses first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tabsynth.metrics.base import Detail, Direction, EvalData, MetricInfo, MetricResult
from tabsynth.metrics.cells import Ids, joint_ids, joint_keys, not_applicable, unusable
from tabsynth.metrics.fidelity_pairs import choose_triples
from tabsynth.metrics.pair_view import binnings_of
from tabsynth.metrics.sampling import affordable_rows, draw_rows
from tabsynth.randomness import Streams

MAX_ROWS = 50_000
MAX_CELLS_READ = 2_000_000
MAX_TRIPLES = 100
MAX_PARTS = 5

_CAVEAT = (
    "Above the floor is not better: independent columns, or much noise, make combinations that the real table does not "
    "have. It counts how many there are, not which: coverage of support asks that. Figures of other numbers of rows "
    "are not comparable."
)
INFOS = COMBINATIONS, ROWS = (
    MetricInfo(
        name="distinct_combinations",
        title="Distinct combinations",
        group="fidelity",
        direction=Direction.HIGHER,
        meaning=(
            "How many different combinations of three columns the synthetic table holds, over those of as many train "
            f"rows; the mean over at most {MAX_TRIPLES} random triples, numbers cut at train's deciles. From 0 upwards: "
            "well under the floor, which is the holdout's, is mode collapse."
        ),
        caveat=_CAVEAT,
    ),
    MetricInfo(
        name="distinct_rows",
        title="Distinct rows",
        group="fidelity",
        direction=Direction.HIGHER,
        secondary=True,
        meaning=(
            "How many different rows the synthetic table holds over all modelled columns, numbers cut at train's "
            "deciles, over those of as many train rows: from 0 upwards. The floor is the holdout's."
        ),
        caveat=_CAVEAT,
    ),
)


@dataclass(frozen=True, slots=True)
class Diversity:
    """Distinct combinations of three columns, and distinct rows; as many rows are read of every table."""

    max_rows: int = MAX_ROWS
    max_triples: int = MAX_TRIPLES

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return INFOS

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:
        """One row each; the parts of the first are the triples that lost most."""
        tables = (data.encoded_train, data.encoded_synthetic, data.encoded_holdout)
        names = list(tables[0].columns)
        if fault := unusable(data):
            return not_applicable(fault, *(info.name for info in INFOS))
        most = affordable_rows(len(names), most=self.max_rows, cells=MAX_CELLS_READ)
        n = min(most, *(table.n_rows for table in tables if table.n_rows))
        binnings = binnings_of(tables[0])
        cells = []
        for side, table in enumerate(tables):
            drawn = draw_rows(table, n, streams.generator("metrics/diversity/rows", min(side, 1)))
            cells.append(
                {
                    name: binning.cells(drawn.columns[name]).astype(np.intp)
                    for name, binning in binnings.items()
                }
            )
        rows = _row(ROWS, [[len(np.unique(joint_ids(list(side.values()))))] for side in cells], n)
        if len(names) < 3:
            reason = f"needs three columns, found {len(names)}"
            return (*not_applicable(reason, COMBINATIONS.name), rows)
        triples = choose_triples(names, self.max_triples, streams)
        counts = [[_distinct([side[name] for name in triple]) for triple in triples] for side in cells]
        return (_row(COMBINATIONS, counts, n, labels=[" × ".join(triple) for triple in triples]), rows)


def _distinct(columns: list[Ids]) -> int:
    """How many different rows the columns make."""
    return int(np.count_nonzero(np.bincount(joint_keys(columns)))) if len(columns[0]) else 0


def _row(info: MetricInfo, counts: list[list[int]], n: int, labels: list[str] | None = None) -> MetricResult:
    """Mean ratios to train from the counts of train, synthetic and holdout, one per set of columns."""
    of_train = np.array(counts[0], dtype=np.float64)
    made, real = (np.array(side) / of_train for side in counts[1:])
    has_floor = any(counts[2])
    worst = np.argsort(made - real, kind="stable")[:MAX_PARTS]
    return MetricResult(
        metric=info.name,
        value=float(made.mean()),
        floor=float(real.mean()) if has_floor else None,
        reason=f"{n:,} rows of each table"
        + (f"; {len(labels):,} triples" if labels else f"; {counts[0][0]:,} different rows in train"),
        details=tuple(
            Detail(label=labels[i], value=float(made[i]), floor=float(real[i]) if has_floor else None)
            for i in worst
            if labels and math.isfinite(made[i])
        ),
    )
