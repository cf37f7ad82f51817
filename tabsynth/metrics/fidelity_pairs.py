"""How far pairs and triples of columns lie from those of train."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tabsynth.encode import EncodedTable
from tabsynth.metrics.base import Detail, Direction, EvalData, MetricInfo, MetricResult, Status
from tabsynth.metrics.fidelity_columns import table_mean
from tabsynth.metrics.pair_view import PairView, binnings_of, cramers_v, total_variation
from tabsynth.metrics.sampling import affordable_rows, draw_rows
from tabsynth.randomness import Streams

MAX_PAIRS = 2_000
MAX_TRIPLES = 200
MAX_ROWS = 200_000
MAX_CELLS_READ = 10_000_000  # rows times columns, per table
MAX_PAIR_ROWS = 200_000_000  # rows times pairs, per table
DENSE_CELLS = 2_000_000

_NOISE = (
    "Joint cells are many and rows few, so some distance is sampling noise: read it against the floor, "
    "and mind that a table of other size than the holdout has other noise."
)
_COEFFICIENT = "The mean absolute difference between the two tables' coefficients, over pairs of its kind."

INFOS = (
    MetricInfo(
        name="trend_error",
        title="Pair trends",
        group="fidelity",
        direction=Direction.LOWER,
        percent=True,
        meaning=(
            "How badly pairs of columns are reproduced: half the difference in Pearson correlation where "
            "both are numbers, else the total variation distance of their joint table (deciles of train). "
            "The headline is the mean over pairs."
        ),
        caveat=(
            "For two number columns it sees linear trend only: a curve, a gap or a dependence in the tails "
            "can be lost at no cost. The joint distance of pairs sees those."
        ),
    ),
    MetricInfo(
        name="pair_tvd",
        title="Pair distance",
        group="fidelity",
        direction=Direction.LOWER,
        percent=True,
        meaning=(
            "The share of rows that would have to change for the joint table of two columns to agree; "
            "numbers are cut at train's deciles, nulls and special values have cells of their own."
        ),
        caveat=_NOISE,
    ),
    MetricInfo(
        name="triple_tvd",
        title="Triple distance",
        group="fidelity",
        direction=Direction.LOWER,
        percent=True,
        meaning=f"The same for three columns at a time, over at most {MAX_TRIPLES} triples drawn at random.",
        caveat=_NOISE,
    ),
    MetricInfo(
        name="pearson_difference",
        title="Pearson correlation",
        group="fidelity",
        direction=Direction.LOWER,
        secondary=True,
        meaning=f"{_COEFFICIENT} Two number columns, over rows in which both are numbers.",
        caveat="Linear trend only, and one extreme row can carry it: read it beside Spearman's.",
    ),
    MetricInfo(
        name="spearman_difference",
        title="Spearman correlation",
        group="fidelity",
        direction=Direction.LOWER,
        secondary=True,
        meaning=f"{_COEFFICIENT} Two number columns, by rank; each column is ranked over all its numbers.",
        caveat="Sees only whether one rises with the other; a U-shaped dependence counts as none.",
    ),
    MetricInfo(
        name="cramers_v_difference",
        title="Cramér's V",
        group="fidelity",
        direction=Direction.LOWER,
        secondary=True,
        meaning=f"{_COEFFICIENT} Two discrete columns; missing is a level of its own.",
        caveat="With many levels and few rows V is well above 0 even for unrelated columns, in all tables.",
    ),
    MetricInfo(
        name="correlation_ratio_difference",
        title="Correlation ratio",
        group="fidelity",
        direction=Direction.LOWER,
        secondary=True,
        meaning=(
            f"{_COEFFICIENT} A number and a discrete column: how much of the number's spread the levels "
            "explain (η)."
        ),
        caveat="About means only, and drawn up by many rare levels; it does not see differences in spread.",
    ),
)

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class PairFidelity:
    """Every pair of columns, or as many as the budget allows; at most 200 triples."""

    max_pairs: int = MAX_PAIRS
    max_rows: int = MAX_ROWS

    @property
    def infos(self) -> tuple[MetricInfo, ...]:
        return INFOS

    def compute(self, data: EvalData, *, streams: Streams) -> tuple[MetricResult, ...]:
        """The means over pairs and triples first, then one row per pair and figure."""
        tables = [data.encoded_train, data.encoded_synthetic, data.encoded_holdout]
        names = list(data.encoded_train.columns)
        for name, table in zip(("train", "synthetic"), tables, strict=False):
            if table.n_rows == 0:
                return _not_applicable(f"the {name} table has no rows")
        if len(names) < 2:
            return _not_applicable(f"needs two columns, found {len(names)}")
        views, row_note = self._views(tables, streams)
        pairs = choose_pairs(names, self._budget(views), streams)
        rows: dict[str, list[MetricResult]] = {info.name: [] for info in INFOS if info.name != "triple_tvd"}
        for pair in pairs:
            for result in _pair_results(pair, views):
                rows[result.metric].append(result)
        n_all = math.comb(len(names), 2)
        drawn = f"{len(pairs):,} of {n_all:,} pairs, drawn at random" if len(pairs) < n_all else ""
        note = "; ".join(part for part in (row_note, drawn) if part)
        means = [table_mean(name, results, of="pairs", note=note) for name, results in rows.items()]
        triple = _triple_result(names, views, streams, note=row_note)
        return (*means, triple, *(result for results in rows.values() for result in results))

    def _views(self, tables: Sequence[EncodedTable], streams: Streams) -> tuple[list[PairView], str]:
        n_columns = len(tables[0].columns)
        most = affordable_rows(n_columns, most=self.max_rows, cells=MAX_CELLS_READ)
        binnings = binnings_of(tables[0])
        drawn = [
            draw_rows(table, most, streams.generator("metrics/pairs/rows", side))
            for side, table in enumerate(tables)
        ]
        views = [PairView.of(table, binnings) for table in drawn]
        cut = any(table.n_rows > most for table in tables)
        return views, f"at most {most:,} rows of each table, drawn at random" if cut else ""

    def _budget(self, views: Sequence[PairView]) -> int:
        return min(self.max_pairs, MAX_PAIR_ROWS // max(view.n_rows for view in views))


def _not_applicable(reason: str) -> tuple[MetricResult, ...]:
    return tuple(
        MetricResult(metric=info.name, status=Status.NOT_APPLICABLE, reason=reason) for info in INFOS
    )


def choose_pairs(names: Sequence[str], most: int, streams: Streams) -> list[Pair]:
    """Every pair of names, or `most` distinct ones drawn at random; in the order of the names."""
    n = len(names)
    n_all = math.comb(n, 2)
    if n_all <= most:
        return list(itertools.combinations(names, 2))
    chosen = streams.generator("metrics/pairs/choice").choice(n_all, most, replace=False)
    upper, lower = np.triu_indices(n, 1)
    return [(names[upper[k]], names[lower[k]]) for k in np.sort(chosen)]


def choose_triples(names: Sequence[str], most: int, streams: Streams) -> list[tuple[str, str, str]]:
    """Every triple of names, or `most` distinct ones drawn at random."""
    n = len(names)
    if math.comb(n, 3) <= most:
        return list(itertools.combinations(names, 3))
    rng, found = streams.generator("metrics/triples/choice"), set[tuple[int, ...]]()
    while len(found) < most:
        found.add(tuple(sorted(rng.choice(n, 3, replace=False).tolist())))
    return [(names[i], names[j], names[k]) for i, j, k in sorted(found)]


def association(view: PairView, pair: Pair) -> tuple[str, float | None]:
    """The figure that measures this pair's kind of dependence, and the pair's signed coefficient."""
    a, b = pair
    if a in view.ranks and b in view.ranks:
        return "spearman_difference", view.spearman(a, b)
    joint = view.joint(a, b)
    if a in view.ranks:
        return "correlation_ratio_difference", view.correlation_ratio(a, b, joint)
    if b in view.ranks:
        return "correlation_ratio_difference", view.correlation_ratio(b, a, joint.T)
    return "cramers_v_difference", cramers_v(joint)


def _pair_results(pair: Pair, views: Sequence[PairView]) -> Iterator[MetricResult]:
    """Figures of one pair; `views` are those of train, synthetic and holdout."""
    a, b = pair
    joints = [view.joint(a, b) for view in views]
    distances = [total_variation(joints[0], joint) if joint.sum() else None for joint in joints]
    distance = _difference(pair, "pair_tvd", (0.0, distances[1], distances[2]))
    yield distance
    train = views[0]
    if a in train.ranks and b in train.ranks:
        pearson = _difference(pair, "pearson_difference", [view.pearson(a, b) for view in views], named=True)
        yield pearson
        yield _difference(pair, "spearman_difference", [view.spearman(a, b) for view in views], named=True)
        yield _linear_trend(pearson, distance)
        return
    if a in train.ranks or b in train.ranks:
        number, level = (a, b) if a in train.ranks else (b, a)
        turned = joints if number == a else [joint.T for joint in joints]
        coefficients = [
            view.correlation_ratio(number, level, joint) for view, joint in zip(views, turned, strict=True)
        ]
        yield _difference(pair, "correlation_ratio_difference", coefficients, named=True)
    else:
        coefficients = [cramers_v(joint) for joint in joints]
        yield _difference(pair, "cramers_v_difference", coefficients, named=True)
    yield MetricResult(metric="trend_error", columns=pair, value=distance.value, floor=distance.floor)


def _linear_trend(pearson: MetricResult, distance: MetricResult) -> MetricResult:
    """Half the difference in correlation; the joint distance where a side has no correlation."""
    floor = distance.floor if pearson.floor is None else pearson.floor / 2
    if pearson.value is None:
        reason = f"the joint distance, because {pearson.reason}"
        return MetricResult(
            metric="trend_error",
            columns=pearson.columns,
            value=distance.value,
            floor=distance.floor,
            reason=reason,
        )
    return MetricResult(metric="trend_error", columns=pearson.columns, value=pearson.value / 2, floor=floor)


def _difference(
    pair: Pair, metric: str, coefficients: Sequence[float | None], *, named: bool = False
) -> MetricResult:
    """|synthetic - train| and, as its floor, |holdout - train|."""
    train, synthetic, holdout = coefficients
    tables = zip(("train", "synthetic", "holdout"), coefficients, strict=True)
    details = tuple(Detail(label=label, value=value) for label, value in tables if value is not None)
    if train is None or synthetic is None:
        which = "train" if train is None else "synthetic"
        return MetricResult(
            metric=metric,
            columns=pair,
            status=Status.NOT_APPLICABLE,
            reason=f"undefined in {which}: a column does not vary there",
            details=details if named else (),
        )
    return MetricResult(
        metric=metric,
        columns=pair,
        value=abs(synthetic - train),
        floor=None if holdout is None else abs(holdout - train),
        details=details if named else (),
    )


def _triple_result(
    names: Sequence[str], views: Sequence[PairView], streams: Streams, *, note: str
) -> MetricResult:
    triples = choose_triples(names, MAX_TRIPLES, streams)
    if not triples:
        return MetricResult(
            metric="triple_tvd",
            status=Status.NOT_APPLICABLE,
            reason=f"needs three columns, found {len(names)}",
        )
    distances = [triple_distances(triple, views) for triple in triples]
    values, floors = [d[0] for d in distances], [d[1] for d in distances if d[1] is not None]
    worst = sorted(range(len(triples)), key=lambda k: -values[k])[:5]
    n_all = math.comb(len(names), 3)
    chosen = f"{len(triples):,} of {n_all:,} triples, drawn at random" if len(triples) < n_all else ""
    return MetricResult(
        metric="triple_tvd",
        value=float(np.mean(values)),
        floor=float(np.mean(floors)) if floors else None,
        reason="; ".join(part for part in (note, chosen) if part),
        details=tuple(
            Detail(label=" × ".join(triples[k]), value=values[k], floor=distances[k][1]) for k in worst
        ),
    )


def triple_distances(triple: tuple[str, str, str], views: Sequence[PairView]) -> tuple[float, float | None]:
    """Total variation of the joint of three columns: synthetic against train, holdout against train."""
    shape = tuple(views[0].binnings[name].n_cells for name in triple)
    keys = [np.ravel_multi_index([view.cells[name] for name in triple], shape) for view in views]
    size = math.prod(shape)
    if size > DENSE_CELLS:
        _, inverse = np.unique(np.concatenate(keys), return_inverse=True)
        keys = np.split(inverse, np.cumsum([len(key) for key in keys])[:-1])
        size = int(inverse.max()) + 1
    train, synthetic, holdout = (np.bincount(key, minlength=size) for key in keys)
    floor = total_variation(train, holdout) if len(keys[2]) else None
    return total_variation(train, synthetic), floor
