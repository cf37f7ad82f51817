"""Noisy queries: right but for their noise, charged before they read, and never beyond their plan.

Statistical tests fail by chance with probability 1e-7 each.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest
from scipy.stats import chi2

from tabsynth.errors import PrivacyError
from tabsynth.privacy import Budget, Ledger, noise
from tabsynth.privacy.mechanisms import DiscreteGaussian, ThresholdedDiscreteGaussian
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import BudgetPlan, Part, PlannedPart
from tabsynth.privacy.queries import Marginal, Queries

SILENT = 1e-3  # a scale whose noise is 0 but with probability below 1e-200000
NEVER = 1e-7


def plan(*, scale=SILENT, count=10, threshold=3, sensitivity=1):
    """One part of each kind: `histograms` and `unknown`."""
    plain = DiscreteGaussian(scale=scale, sensitivity=sensitivity, count=count)
    thresholded = ThresholdedDiscreteGaussian(
        scale=scale, threshold=threshold, sensitivity=sensitivity, count=count
    )
    return BudgetPlan(
        budget=Budget(epsilon=1),
        sensitivity=sensitivity,
        parts=(
            PlannedPart(part=Part(statistic="histograms", share=1, count=count), mechanism=plain),
            PlannedPart(
                part=Part(statistic="unknown", share=1, count=count, is_thresholded=True),
                mechanism=thresholded,
            ),
        ),
    )


def noisy(**how):
    return NoisyQueries(Ledger(), plan(**how))


def table(n=500, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, size, n).astype(np.uint8) for size in (2, 5, 7)]


def marginals(codes):
    a, b, c = codes
    return [
        Marginal(("a",), (a,), (2,)),
        Marginal(("b", "c"), (b, c), (5, 7)),
        Marginal(("a", "b", "c"), (a, b, c), (2, 5, 7)),
    ]


def brute(marginal):
    counts = np.zeros(marginal.shape)
    for row in zip(*marginal.codes, strict=True):
        counts[tuple(int(code) for code in row)] += 1
    return counts


@pytest.mark.parametrize("queries", [Queries(Ledger()), noisy()], ids=["exact", "private"])
@pytest.mark.parametrize("n", [0, 1, 500])
def test_marginals_are_the_counts_of_a_loop(queries, n):
    wanted = marginals(table(n))
    for found, marginal in zip(queries.marginals("histograms", wanted), wanted, strict=True):
        assert found.values.dtype == np.float64
        assert found.values.tolist() == brute(marginal).tolist()


@pytest.mark.parametrize("shape", [(256, 1), (1, 256), (16, 16), (300, 300), (255,), (256,), (70_000,)])
def test_joint_codes_fit_their_type(shape):
    """Shapes at the ends of uint8 and uint16, every corner of them hit; over several blocks of rows."""
    n = 200_000
    rng = np.random.default_rng(1)
    codes = [rng.integers(0, size, n).astype(np.min_scalar_type(size)) for size in shape]
    for code, size in zip(codes, shape, strict=True):
        code[:2] = 0, size - 1
    marginal = Marginal(tuple("abc"[: len(shape)]), tuple(codes), shape)
    [found] = Queries(Ledger()).marginals("s", [marginal])
    wanted = np.zeros(shape)
    np.add.at(wanted, tuple(codes), 1)
    assert (found.values == wanted).all()


def test_codes_beyond_the_shape_are_a_bug():
    with pytest.raises(AssertionError, match="beyond the shape"):
        noisy().marginals("histograms", [Marginal(("a",), (np.array([0, 2], np.uint8),), (2,))])


@pytest.mark.parametrize(
    "codes", [(np.array([0], np.int64),), (), (np.array([0], np.uint8), np.array([0, 1], np.uint8))]
)
def test_a_marginal_has_unsigned_codes_of_one_length(codes):
    with pytest.raises(AssertionError):
        Marginal(tuple("ab"[: len(codes)]), codes, (2,) * len(codes))


@pytest.mark.parametrize("queries", [Queries(Ledger()), noisy()], ids=["exact", "private"])
@pytest.mark.parametrize("n", [0, 1, 500])
def test_scores_are_distances_to_the_references(queries, n):
    pairs = marginals(table(n))[1:]
    references = [np.full(pair.shape, 3, np.int64) for pair in pairs]
    found = queries.dependence_scores("histograms", pairs, references)
    assert found.values.tolist() == [abs(brute(pair) - 3).sum() for pair in pairs]


@pytest.mark.parametrize("queries", [Queries(Ledger()), noisy()], ids=["exact", "private"])
def test_single_numbers(queries):
    assert queries.total("histograms", 0).values == 0
    assert queries.total("histograms", 12).values.shape == ()
    ids = pl.Series("id", ["x", "y", None, "x"])
    assert queries.distinct_count("histograms", ids, ["id"]).values == 2
    assert queries.distinct_count("histograms", ids.head(0), ["id"]).values == 0


def test_frequent_levels_are_those_at_the_threshold_or_above():
    cells = pl.Series("c", ["b"] * 3 + ["a"] * 4 + ["z"] * 2 + [None] * 2)
    found = noisy(threshold=3).frequent_levels("unknown", cells, ["c"])
    assert found.values.to_list() == ["a", "b"]
    assert found.counts.tolist() == [4, 3]
    assert found.n_null == 2
    assert found.variance == SILENT**2


@pytest.mark.parametrize("k", [1, 3])
def test_values_of_no_more_rows_than_a_unit_are_passed_over(monkeypatch, k):
    """Whatever the threshold, and without noise for them: a column of 100,000 values costs no more than its spikes."""
    asked, drawn = [], noise.discrete_gaussian

    def listening(counts, *, scale):
        asked.append(counts.tolist())
        return drawn(counts, scale=scale)

    monkeypatch.setattr(noise, "discrete_gaussian", listening)
    values = [*range(100_000), *[-1] * k, *[100_001] * (k + 1), None, None]
    found = noisy(threshold=1, sensitivity=k).frequent_levels("unknown", pl.Series("c", values), ["c"])
    assert found.values.to_list() == [100_001]
    assert found.counts.tolist() == [k + 1]
    assert asked == [[2, k + 1]]


@pytest.mark.parametrize("values", [["b", "a", "ü", "B"], [3, -5, 2**40], [0.5, -1.0], [True, False]])
def test_the_order_of_rows_leaves_no_trace(values):
    cells = pl.Series("c", values * 5)
    found = [
        noisy(threshold=1).frequent_levels(
            "unknown", cells.sample(fraction=1, shuffle=True, seed=seed), ["c"]
        )
        for seed in range(5)
    ]
    for one in found:
        assert one.values.to_list() == sorted(values)


def test_zeros_of_either_sign_are_one_level():
    for cells in ([0.0, -0.0], [-0.0, 0.0]):
        found = noisy(threshold=1).frequent_levels("unknown", pl.Series("c", cells), ["c"])
        assert [str(value) for value in found.values] == ["0.0"]


@pytest.mark.parametrize("cells", [[], [None, None], [float("nan")]])
def test_levels_of_nothing(cells):
    series = pl.Series("c", cells, dtype=pl.Float64)
    for queries in (noisy(threshold=1), Queries(Ledger())):
        found = queries.frequent_levels("unknown", series, ["c"])
        assert found.values.to_list() == found.counts.tolist() == []
        assert found.n_null == len(cells)


@pytest.mark.parametrize("queries", [Queries(Ledger()), noisy(threshold=1)], ids=["exact", "private"])
def test_frequent_values_of_numbers(queries):
    values, counts = queries.frequent_values("unknown", np.array([5, -2, 5, -2, 5]), ["v"])
    assert values.tolist() == [-2, 5]
    assert counts.tolist() == [2, 3]
    values, counts = queries.frequent_values("unknown", np.array([0.1, -0.0, 0.1, 0.0]), ["v"])
    assert values.tolist() == [0.0, 0.1]
    assert counts.tolist() == [2, 2]


def spread(noise, variance):
    """Whether noise has that variance, by the chi-square distribution of its sum of squares."""
    n = np.size(noise)
    return chi2.ppf(NEVER, n) < (np.asarray(noise) ** 2).sum() / variance < chi2.isf(NEVER, n)


def charged_variance(queries):
    [scale] = {charge.mechanism.scale for charge in queries.ledger.charges}
    return scale**2


def test_a_threshold_is_held_against_noisy_counts():
    """A value of exactly `threshold` rows comes back where its noise is ≥ 0: in a little more than half of 400 draws, within six deviations."""
    cells = pl.Series("c", [0.25] * 60)
    found = [
        len(noisy(scale=20.0, threshold=60).frequent_levels("unknown", cells, ["c"]).values)
        for _ in range(400)
    ]
    share = 0.5 + 0.5 / (20 * np.sqrt(2 * np.pi))  # half of what is left beside P(noise = 0)
    assert abs(np.mean(found) - share) < 6 * 0.5 / 20


def test_marginals_have_the_noise_that_was_charged():
    queries = noisy(scale=20.0)
    empty = Marginal(("a",), (np.empty(0, np.uint8),), (3000,))
    once, often = queries.marginals("histograms", [empty, empty], [1, 4])
    assert spread(once.values, charged_variance(queries))
    assert spread(often.values, charged_variance(queries) / 4)
    assert (once.variance, often.variance) == (400, 100)


def test_scores_have_the_noise_that_was_charged():
    queries = noisy(scale=20.0, count=800)
    pairs = [Marginal(("a",), (np.zeros(5, np.uint8),), (2,))] * 800
    found = queries.dependence_scores("histograms", pairs, [np.array([5, 0])] * 800)
    assert spread(found.values, charged_variance(queries))
    assert found.variance == 400


@pytest.mark.parametrize(
    "ask",
    [
        lambda queries: queries.total("histograms", 0),
        lambda queries: queries.distinct_count("histograms", pl.Series([], dtype=pl.String), ["id"]),
    ],
)
def test_single_numbers_have_the_noise_that_was_charged(ask):
    queries = noisy(scale=20.0, count=300)
    found = [ask(queries) for _ in range(300)]
    assert spread([one.values for one in found], charged_variance(queries))
    assert {one.variance for one in found} == {400.0}


def test_levels_have_the_noise_that_was_charged():
    queries = noisy(scale=20.0, threshold=1)
    found = queries.frequent_levels("unknown", pl.Series("c", np.repeat(np.arange(1500), 300)), ["c"])
    assert spread(found.counts - 300, charged_variance(queries))
    assert found.variance == 400


def test_null_of_levels_has_noise():
    queries = noisy(scale=20.0, count=300)
    found = [queries.frequent_levels("unknown", pl.Series("c", [None]), ["c"]).n_null - 1 for _ in range(300)]
    assert spread(found, charged_variance(queries))


def test_every_release_is_charged_with_its_mechanism():
    queries, codes = noisy(sensitivity=4), table()
    one, two, three = marginals(codes)
    queries.marginals("histograms", [one, two], [1, 3])
    queries.dependence_scores("histograms", [three, two], [np.zeros((2, 5, 7), int), np.zeros((5, 7), int)])
    queries.total("histograms", 5)
    queries.frequent_levels("unknown", pl.Series("x", [1]), ["x"])

    def plain(count):
        return DiscreteGaussian(scale=SILENT, sensitivity=4, count=count)

    assert [(c.statistic, c.columns, c.mechanism) for c in queries.ledger.charges] == [
        ("histograms", ("a", "b", "c"), plain(4)),
        ("histograms", ("a", "b", "c"), plain(2)),
        ("histograms", (), plain(1)),
        (
            "unknown",
            ("x",),
            ThresholdedDiscreteGaussian(scale=SILENT, threshold=3, sensitivity=4, count=1),
        ),
    ]
    assert queries.left("histograms") == 3
    assert queries.left("unknown") == 9


BAD = Marginal(("a",), (np.array([9], np.uint8),), (2,))


@pytest.mark.parametrize(
    ("ask", "fault"),
    [
        (lambda q: q.marginals("histograms", [BAD]), AssertionError),
        (lambda q: q.dependence_scores("histograms", [BAD], [np.zeros(2, int)]), AssertionError),
        (lambda q: q.total("histograms", "many"), ValueError),
        (lambda q: q.distinct_count("histograms", "none", ["id"]), AttributeError),
        (lambda q: q.frequent_levels("unknown", "none", ["c"]), AttributeError),
    ],
)
def test_what_fails_while_it_reads_is_charged_already(ask, fault):
    queries = noisy()
    with pytest.raises(fault):
        ask(queries)
    assert len(queries.ledger.charges) == 1
    assert queries.left("histograms") + queries.left("unknown") == 19


class Refusing(Ledger):
    """A ledger whose cap allows nothing."""

    def charge(self, *_):
        raise PrivacyError("over the cap")


@pytest.mark.parametrize(
    "ask",
    [
        lambda q: q.marginals("histograms", [BAD]),
        lambda q: q.dependence_scores("histograms", [BAD], [np.zeros(2, int)]),
        lambda q: q.total("histograms", "many"),
        lambda q: q.distinct_count("histograms", "none", ["id"]),
        lambda q: q.frequent_levels("unknown", "none", ["c"]),
    ],
)
def test_what_the_ledger_refuses_is_not_even_read(ask):
    with pytest.raises(PrivacyError, match="over the cap"):
        ask(NoisyQueries(Refusing(), plan()))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda q: q.marginals("histograms", marginals(table()), [1, 9, 1]),
            "11 releases asked for, 10 left",
        ),
        (lambda q: q.marginals("histograms", marginals(table()), [1, 0, 1]), "from 1"),
        (lambda q: q.marginals("histograms", marginals(table()), [1]), "from 1"),
        (lambda q: q.dependence_scores("histograms", [BAD] * 11, [np.zeros(2, int)] * 11), "11 releases"),
        (lambda q: q.total("row count", 3), "not part of the budget plan"),
        (lambda q: q.left("row count"), "not part of the budget plan"),
        (lambda q: q.total("unknown", 3), "another kind"),
        (lambda q: q.frequent_levels("histograms", pl.Series([1]), ["x"]), "another kind"),
    ],
)
def test_what_the_plan_does_not_hold_is_refused_whole(ask, message):
    queries = noisy()
    with pytest.raises(PrivacyError, match=message):
        ask(queries)
    assert queries.ledger.charges == ()
    queries.marginals("histograms", marginals(table()), [1, 8, 1])  # all that was planned is still there
    with pytest.raises(PrivacyError, match="0 left"):
        queries.total("histograms", 3)


def test_threads_cannot_overdraw_a_part():
    queries = noisy(count=20)

    def ask(_):
        try:
            return queries.total("histograms", 3) is not None
        except PrivacyError:
            return False

    with ThreadPoolExecutor(max_workers=16) as pool:
        assert sum(pool.map(ask, range(100))) == 20
    assert sum(charge.mechanism.count for charge in queries.ledger.charges) == 20


def test_asking_for_nothing_is_free():
    queries = noisy()
    assert queries.marginals("histograms", []) == []
    assert queries.dependence_scores("histograms", [], []).values.tolist() == []
    assert queries.ledger.charges == ()


def test_they_say_whether_they_are_private():
    assert noisy().is_private
    assert not Queries(Ledger()).is_private


def test_two_fits_differ():
    wanted = marginals(table())
    one, other = (noisy(scale=30.0).marginals("histograms", wanted) for _ in range(2))
    assert (one[2].values != other[2].values).any()  # 70 cells: equal with probability below 1e-100


def test_exact_queries_charge_what_they_read():
    queries, codes = Queries(Ledger()), table()
    queries.marginals("histograms", marginals(codes), [1, 2, 3])
    queries.total("row count", 5)
    queries.distinct_count("persons", pl.Series(["x"]), ["id"])
    queries.dependence_scores("scores", marginals(codes)[:1], [np.zeros(2, int)])
    queries.frequent_levels("levels", pl.Series(["x"]), ["c"])
    assert [(charge.statistic, charge.columns) for charge in queries.ledger.charges] == [
        ("histograms", ("a", "b", "c")),
        ("row count", ()),
        ("persons", ("id",)),
        ("scores", ("a",)),
        ("levels", ("c",)),
    ]
