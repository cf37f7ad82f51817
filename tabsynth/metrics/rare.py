"""Rare combinations of a few rows of train that a release repeats: counts and shares, never a value.

A combination that few rows hold is where a person stands out (Skinner & Elliot 2002, JRSS B 64:855, of
sample uniques; here of at most three rows, over single columns, pairs and triples).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tabsynth.metrics.base import Direction, EvalData, MetricInfo, MetricResult
from tabsynth.metrics.cells import Ids, cell_ids, joint_keys, not_applicable, split_ids
from tabsynth.metrics.pair_view import Binning
from tabsynth.metrics.sampling import draw_rows
from tabsynth.randomness import Streams

MAX_ROWS = 100_000  # of each table in which rare combinations are counted
RARE = 3  # rows of train that hold a rare combination, at most
MAX_SETS = (10_000, 150, 100)  # sets of one, two and three columns that are counted

_RARE_CAVEAT = (
    "No evidence of privacy: a rare combination may appear by chance, or because the columns imply it, and what was "
    "memorised may stand in combinations that were not counted. Combinations overlap, so there is no interval."
)
INFOS = tuple(
    MetricInfo(
        name=f"rare_{what}_exposure",
        title=f"Rare {what} exposed",
        group="disclosure",
        direction=Direction.LOWER,
        percent=True,
        meaning=(
            f"Of the {said} that at least one and at most {RARE} rows of train hold, the share that appears in the "
            f"synthetic table. {how} The floor is the share that appears in as many holdout rows."
        ),
        caveat=_RARE_CAVEAT,
        smoke_test=True,
    )
    for what, said, how in (
        ("values", "values of single columns", "Values are compared exactly, numbers too."),
        ("pairs", "pairs of values of two columns", "Numbers are cut at train's deciles."),
        ("triples", "triples of values of three columns", "Numbers are cut at train's deciles."),
    )
)


def exposed(train: Ids, others: Sequence[Ids]) -> tuple[int, list[int]]:
    """How many combinations are rare in train, and how many of those occur in each of the others."""
    counts = np.bincount(train, minlength=1 + max(int(ids.max(initial=0)) for ids in (train, *others)))
    rare = (counts > 0) & (counts <= RARE)
    found = []
    for ids in others:
        present = np.zeros(len(counts), dtype=np.bool_)
        present[ids] = True
        found.append(int((rare & present).sum()))
    return int(rare.sum()), found


@dataclass(frozen=True, slots=True)
class RareCombinations:
    """How many of the combinations that few rows of train hold are repeated by the synthetic table."""

    max_sets: tuple[int, int, int] = MAX_SETS

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return INFOS

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:
        """One row each for single columns, pairs and triples; counts and shares, never a value."""
        rng = streams.generator("metrics/rare/rows")
        n_compared = min(MAX_ROWS, data.encoded_synthetic.n_rows, data.encoded_holdout.n_rows)
        train = draw_rows(data.encoded_train, MAX_ROWS, rng)
        others = [
            draw_rows(table, n_compared, rng) for table in (data.encoded_synthetic, data.encoded_holdout)
        ]
        tables = (train, *others)
        lengths = [table.n_rows for table in tables]
        if not all(lengths) or not train.columns:
            return not_applicable(
                "needs rows in every table, and a modelled column", *(i.name for i in INFOS)
            )
        exact = {
            name: np.concatenate(cell_ids([table.columns[name] for table in tables]))
            for name in train.columns
        }
        cut = {
            name: np.concatenate([b.cells(table.columns[name]).astype(np.intp) for table in tables])
            for name, b in ((name, Binning.of(column)) for name, column in train.columns.items())
        }
        results = []
        for size, (info, most) in enumerate(zip(INFOS, self.max_sets, strict=True), start=1):
            sets = list(combinations(train.columns, size))
            if len(sets) > most:
                sets = [sets[k] for k in np.sort(rng.permutation(len(sets))[:most])]
            ids = exact if size == 1 else cut
            totals = np.zeros(3, dtype=np.int64)
            for names in sets:
                of_train, *of_others = split_ids(joint_keys([ids[name] for name in names]), lengths)
                n_rare, found = exposed(of_train, of_others)
                totals += (n_rare, *found)
            results.append(_rare_row(info, totals.tolist(), n_sets=len(sets), n_compared=n_compared))
        return tuple(results)


def _rare_row(info: MetricInfo, totals: Sequence[int], *, n_sets: int, n_compared: int) -> MetricResult:
    n_rare, in_synthetic, in_holdout = totals
    if not n_rare:
        said = f"no combination is held by at most {RARE} rows" if n_sets else "too few columns"
        return not_applicable(said, info.name)[0]
    return MetricResult(
        metric=info.name,
        value=in_synthetic / n_rare,
        floor=in_holdout / n_rare,
        reason=f"{n_rare:,} rare ones in {n_sets:,} sets of columns, looked up in {n_compared:,} rows of each table",
    )
