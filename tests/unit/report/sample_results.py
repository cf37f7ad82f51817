"""Hand-made `Results` for the report: columns of every kind, nulls, tails, many levels, failures.

The shares come from small closed formulas, not from a metric of ours, so the report can be tested alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tabsynth.evaluate import Associations, Distribution, Results, RocCurve
from tabsynth.metrics.base import Detail, Direction, MetricInfo, MetricResult, Status
from tabsynth.privacy.budget import NOT_ANONYMOUS

Shares = tuple[float, ...]

INFOS = (
    MetricInfo(
        name="shape_error",
        title="Shape error",
        group="fidelity",
        direction=Direction.LOWER,
        percent=True,
        meaning="How far a column's distribution is from train: Kolmogorov-Smirnov or total variation.",
        caveat="Blind to how columns go together, and to a tail of a few rows.",
    ),
    MetricInfo(
        name="trend_error",
        title="Trend error",
        group="fidelity",
        direction=Direction.LOWER,
        percent=True,
        meaning="How far the association of two columns is from the one in train.",
        caveat="Two joint distributions may differ and still have the same association.",
    ),
    MetricInfo(
        name="pair_tvd",
        title="Pair total variation",
        group="fidelity",
        direction=Direction.LOWER,
        percent=True,
        meaning="Total variation of the joint counts of two columns.",
        caveat="Grows with the number of cells: compare it with the floor only.",
    ),
    MetricInfo(
        name="null_rate_difference",
        title="Null rate difference",
        group="fidelity",
        direction=Direction.LOWER,
        percent=True,
        meaning="Difference of the share of nulls.",
        caveat="Says nothing of which rows are null.",
    ),
    MetricInfo(
        name="tail_error",
        title="Tail error",
        group="fidelity",
        direction=Direction.LOWER,
        meaning="Distance of the outer quantiles, in units of the train spread.",
        caveat="Noisy below a few thousand rows.",
    ),
    MetricInfo(
        name="c2st_auc",
        title="Two-sample test AUC",
        group="detection",
        direction=Direction.HALF,
        meaning="How well a boosted classifier tells synthetic rows from real ones.",
        caveat="One impossible value in one column is enough to give rows away.",
    ),
    MetricInfo(
        name="tstr_auc",
        title="TSTR AUC",
        group="utility",
        direction=Direction.HIGHER,
        meaning="A model trained on synthetic rows, tested on real holdout rows.",
        caveat="One target and one learner; another question may fare worse.",
    ),
    MetricInfo(
        name="exact_copy_share",
        title="Exact copies",
        group="proximity",
        direction=Direction.LOWER,
        percent=True,
        meaning="Share of synthetic rows that equal a train row.",
        caveat="Misses near copies.",
        smoke_test=True,
    ),
    MetricInfo(
        name="nearest_row_share",
        title="Nearest-row share",
        group="proximity",
        direction=Direction.HALF,
        percent=True,
        meaning="Share of synthetic rows closer to train than to holdout.",
        caveat="Cannot see what graphical models memorise.",
        smoke_test=True,
    ),
    MetricInfo(
        name="triple_tvd",
        title="Triple total variation",
        group="fidelity",
        direction=Direction.LOWER,
        percent=True,
        meaning="Total variation of the joint counts of three columns.",
        caveat="A sample of the triples.",
    ),
)


def normal(weights: Iterable[float]) -> Shares:
    """Weights scaled to sum to 1."""
    weights = tuple(weights)
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def bell(n_bins: int, centre: float, width: float) -> list[float]:
    return [math.exp(-0.5 * ((i + 0.5 - centre * n_bins) / (width * n_bins)) ** 2) for i in range(n_bins)]


def wobble(shares: Sequence[float], *, amount: float, phase: float, rate: float = 2.3) -> Shares:
    """The same shares with a deterministic ripple: quick as another sample's, or slow as a model's."""
    return normal(share * (1 + amount * math.sin(phase + rate * i)) for i, share in enumerate(shares))


def discrete(
    column: str, kind: str, labels: Sequence[str], weights: Sequence[float], off: float
) -> Distribution:
    train = normal(weights)
    return Distribution(
        column=column,
        kind=kind,
        labels=tuple(labels),
        train=train,
        holdout=wobble(train, amount=0.02, phase=1.0),
        synthetic=wobble(train, amount=off, phase=0.4, rate=0.6),
    )


def continuous(
    column: str,
    kind: str,
    edges: Sequence[float],
    weights: Sequence[float],
    off: float,
    *,
    labels: Sequence[str] = (),
    scale: str = "linear",
    edge_labels: Sequence[str] = (),
) -> Distribution:
    train = normal(weights)
    assert len(train) == len(edges) - 1 + len(labels)
    return Distribution(
        column=column,
        kind=kind,
        labels=tuple(labels),
        edges=tuple(edges),
        edge_labels=tuple(edge_labels),
        scale=scale,
        train=train,
        holdout=wobble(train, amount=0.03, phase=0.5),
        synthetic=wobble(train, amount=off, phase=2.1, rate=0.25),
    )


def line(lower: float, upper: float, n_bins: int) -> list[float]:
    return [lower + (upper - lower) * i / n_bins for i in range(n_bins + 1)]


def decades(lower: float, upper: float, n_bins: int) -> list[float]:
    return [10**exponent for exponent in line(lower, upper, n_bins)]


def standard_distributions() -> list[Distribution]:
    months = [f"{2014 + i // 12}-{i % 12 + 1:02d}-01" for i in range(37)]
    days = [float(i * 30) for i in range(37)]
    hours = [f"2021-03-{1 + i:02d}T00:00:00" for i in range(29)]
    symlog = [-1000.0, -100.0, -10.0, -1.0, 0.0, 1.0, 10.0, 100.0, 1000.0, 10000.0]
    countries = ("United-States", "Mexico", "Philippines", "Germany", "Canada", "Puerto-Rico", "India")
    jobs = tuple(f"occupation {chr(65 + i)} in a long-winded classification" for i in range(26))
    return [
        continuous("age", "integer", line(17, 90, 36), bell(36, 0.3, 0.2), 0.05),
        continuous("annual_income_eur", "number", decades(2, 6, 40), bell(40, 0.55, 0.12), 0.25, scale="log"),
        continuous(
            "balance",
            "number",
            symlog,
            [0.5, 2, 5, 7, 9, 14, 22, 17, 4],
            0.4,
            scale="symlog",
        ),
        continuous(
            "capital_gain",
            "integer",
            [0.0, 1.0, *decades(1, 5, 30)],
            [920, 0.5, *[1.8 * weight for weight in bell(30, 0.6, 0.12)]],
            0.6,
            scale="symlog",
        ),
        continuous(
            "days_since_contact",
            "integer",
            line(0, 400, 32),
            [*[0.4 * weight for weight in bell(32, 0.35, 0.2)], 14.0, 1.5, 2.0],
            0.2,
            labels=("-1", "> 89", "null"),
        ),
        continuous("opened_on", "date", days, [1 + i / 12 for i in range(36)], 0.1, edge_labels=months),
        continuous(
            "admitted_at",
            "datetime",
            [86400.0 * i for i in range(29)],
            [*[3 + 2 * math.sin(i * 0.9) for i in range(28)], 6.0],
            0.15,
            labels=("null",),
            edge_labels=hours,
        ),
        continuous("length_of_stay", "duration", decades(0, 4, 24), bell(24, 0.4, 0.15), 0.1, scale="log"),
        discrete("workclass", "categorical", ("Private", "Self-emp", "Local-gov", "?"), (70, 11, 7, 5), 0.1),
        discrete("sex", "boolean", ("false", "true"), (67, 33), 0.01),
        discrete(
            "education",
            "ordinal",
            ("none", "primary", "lower secondary", "upper secondary", "bachelor", "master", "doctorate"),
            (1, 4, 12, 42, 24, 13, 2),
            0.3,
        ),
        discrete(
            "native_country",
            "categorical",
            (*countries, "other levels (34)"),
            (895, 20, 6, 4, 4, 4, 3, 30),
            0.7,
        ),
        discrete("occupation", "categorical", jobs, [40 / (i + 2) for i in range(26)], 0.5),
        discrete("diagnosis code 🏥", "categorical", ("E11.9", "I10", "J45", "null"), (30, 42, 12, 16), 0.05),
        discrete("in_hospital_death", "boolean", ("no", "yes", "null"), (80, 17, 3), 0.25),
        discrete("income", "categorical", ("<=50K", ">50K"), (76, 24), 0.02),
    ]


def shape_error(shares: Sequence[float], reference: Sequence[float]) -> float:
    return 0.5 * sum(abs(a - b) for a, b in zip(shares, reference, strict=True))


def association(i: int, j: int, off: float) -> float:
    """Smooth in the distance of two columns, so that the maps show bands."""
    return (
        1.0 if i == j else max(0.0, 0.85 * math.exp(-0.35 * abs(i - j)) + off * math.sin(1.7 * i * j + 0.3))
    )


def matrix(n_columns: int, off: float) -> tuple[tuple[float | None, ...], ...]:
    undefined = {(2, 5), (5, 2)}
    return tuple(
        tuple(
            None if (i, j) in undefined else min(1.0, association(min(i, j), max(i, j), off))
            for j in range(n_columns)
        )
        for i in range(n_columns)
    )


def curve(name: str, power: float) -> RocCurve:
    """TPR = FPR**power, whose area is 1 / (1 + power)."""
    rates = tuple(i / 60 for i in range(61))
    return RocCurve(
        name=name,
        false_positive_rate=rates,
        true_positive_rate=tuple(rate**power for rate in rates),
        auc=1 / (1 + power),
    )


def table_metrics() -> list[MetricResult]:
    return [
        MetricResult(metric="shape_error", value=0.0312, floor=0.0060),
        MetricResult(metric="trend_error", value=0.0514, floor=0.0160),
        MetricResult(metric="pair_tvd", value=0.0330, floor=0.0171),
        MetricResult(metric="triple_tvd", value=0.1130, floor=0.0352),
        MetricResult(metric="null_rate_difference", value=0.0021, floor=0.0024),
        MetricResult(
            metric="c2st_auc",
            value=0.941,
            floor=0.502,
            interval=(0.935, 0.947),
            reason="10,000 rows of each table",
            details=(
                Detail(label="occupation", value=0.41, floor=0.07),
                Detail(label="balance", value=0.22, floor=0.05),
                Detail(label="annual_income_eur", value=0.12, floor=0.09),
                Detail(label="age", value=0.03, floor=0.08),
            ),
        ),
        MetricResult(metric="tstr_auc", value=0.9021, floor=0.9245, interval=(0.897, 0.907)),
        MetricResult(metric="exact_copy_share", value=0.0004, floor=0.0002, interval=(0.0002, 0.0008)),
        MetricResult(metric="nearest_row_share", value=0.505, floor=0.5, interval=(0.498, 0.512)),
    ]


def column_metrics(distributions: Sequence[Distribution]) -> list[MetricResult]:
    found = []
    for distribution in distributions:
        columns = (distribution.column,)
        found.append(
            MetricResult(
                metric="shape_error",
                columns=columns,
                value=shape_error(distribution.synthetic, distribution.train),
                floor=shape_error(distribution.holdout, distribution.train),
            )
        )
        if "null" in distribution.labels:
            null = distribution.labels.index("null") - len(distribution.labels)
            found.append(
                MetricResult(
                    metric="null_rate_difference",
                    columns=columns,
                    value=abs(distribution.synthetic[null] - distribution.train[null]),
                    floor=abs(distribution.holdout[null] - distribution.train[null]),
                )
            )
        if distribution.edges:
            found.append(MetricResult(metric="tail_error", columns=columns, value=0.062, floor=0.031))
        else:
            found.append(
                MetricResult(
                    metric="tail_error",
                    columns=columns,
                    status=Status.NOT_APPLICABLE,
                    reason="the column is discrete",
                )
            )
    return found


def pair_metrics(associations: Associations) -> list[MetricResult]:
    found = []
    names = associations.columns
    for i in range(len(names)):
        for j in range(i):
            train, holdout = associations.train[i][j], associations.holdout[i][j]
            synthetic = associations.synthetic[i][j]
            if train is None or holdout is None or synthetic is None:
                found.append(
                    MetricResult(
                        metric="trend_error",
                        columns=(names[j], names[i]),
                        status=Status.FAILED,
                        reason="too few rows in which both columns have a number",
                    )
                )
                continue
            error, floor = abs(synthetic - train), abs(holdout - train)
            found.append(
                MetricResult(metric="trend_error", columns=(names[j], names[i]), value=error, floor=floor)
            )
            found.append(
                MetricResult(
                    metric="pair_tvd", columns=(names[j], names[i]), value=0.02 + error / 2, floor=0.017
                )
            )
    return found


def make_results(
    distributions: Sequence[Distribution] | None = None,
    *,
    title: str = "customers",
    guarantee: str = NOT_ANONYMOUS,
    has_pairs: bool = True,
) -> Results:
    """Results over `distributions` (the sixteen standard columns unless given)."""
    distributions = standard_distributions() if distributions is None else distributions
    n_columns = len(distributions)
    associations = None
    if has_pairs:
        associations = Associations(
            columns=tuple(distribution.column for distribution in distributions),
            train=matrix(n_columns, 0.0),
            holdout=matrix(n_columns, 0.01),
            synthetic=matrix(n_columns, 0.16),
        )
    return Results(
        title=title,
        n_train=24403,
        n_holdout=24699,
        n_synthetic=24403,
        n_columns=n_columns,
        target=distributions[-1].column,
        seed=20240229,
        guarantee=guarantee,
        infos=INFOS,
        metrics=(
            *table_metrics(),
            *column_metrics(distributions),
            *(pair_metrics(associations) if associations else ()),
        ),
        distributions=tuple(distributions),
        associations=associations,
        roc_curves=(curve("synthetic against train", 0.0627), curve("holdout against train", 0.99)),
        seconds={"fidelity": 1.21, "detection": 4.63, "utility": 3.02, "proximity": 2.4},
        version="0.1.0",
    )


def wide_results(n_columns: int, *, has_pairs: bool = True) -> Results:
    """Results over as many columns as asked, the standard ones repeated under numbered names."""
    standard = standard_distributions()
    return make_results(
        [
            replace(standard[i % len(standard)], column=f"{standard[i % len(standard)].column}_{i}")
            for i in range(n_columns)
        ],
        has_pairs=has_pairs,
    )
