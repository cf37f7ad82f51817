"""The kernel two-sample statistic by hand, against scikit-learn's kernel, and on tables whose answer is known."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics.pairwise import rbf_kernel

from tabsynth.metrics.base import Status
from tabsynth.metrics.mmd import Discrepancy, KernelTwoSample, block_mmd, median_square, signed_root
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind
from tests.unit.metrics.tables import category, eval_data, number, rows_of, schema_of

SCHEMA = schema_of(number("x"), category("c"))


def compute(synthetic, train, holdout, **options):
    data = eval_data(SCHEMA, synthetic, train, holdout)
    return rows_of(KernelTwoSample(**options).compute(data, streams=Streams(0)))[("mmd",)]


def draw(rng, n, shift=0.0):
    return {"x": (shift + rng.normal(size=n)).tolist(), "c": rng.choice(list("abc"), n).tolist()}


def test_one_block_by_hand():
    # five blocks of two rows: x = (0, 2), y = (0, 0) in each; the kernel is exp(-d² / 2)
    left = np.array([0.0, 2.0] * 5)[:, np.newaxis]
    right = np.zeros((10, 1))
    found = block_mmd(left, right, width=1.0, block=2)
    far = np.exp(-2.0)
    # within x: k(0, 2); within y: 1; between, i ≠ j: k(x1, y2) = 1 and k(x2, y1) = e^-2, their mean twice
    assert found.blocks == pytest.approx([far + 1 - (1 + far)] * 5)
    right = np.ones((10, 1))
    near = np.exp(-0.5)
    assert block_mmd(left, right, width=1.0, block=2).value == pytest.approx(far + 1 - 2 * near)


def test_blocks_are_the_mean_over_pairs_of_another_library():
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(60, 3)), rng.normal(0.5, 1, size=(60, 3))
    found = block_mmd(left, right, width=2.0, block=12).blocks
    for block in range(5):
        x, y = left[12 * block : 12 * block + 12], right[12 * block : 12 * block + 12]
        kernels = [rbf_kernel(a, b, gamma=0.25) for a, b in ((x, x), (y, y), (x, y))]
        off = [(k.sum() - np.trace(k)) / (12 * 11) for k in kernels]
        assert found[block] == pytest.approx(off[0] + off[1] - 2 * off[2])


def test_the_width_is_the_median_of_rows_that_differ():
    # squared distances of 0, 0, 1, 3: 0, 1, 9, 1, 9, 4; without the equal pair the median is 4
    assert median_square(np.array([[0.0], [0.0], [1.0], [3.0]])) == pytest.approx(4.0)
    assert median_square(np.zeros((5, 1))) == 1.0


def test_interval_and_p_value_are_students():
    blocks = np.array([0.1, 0.3, 0.2, 0.4, 0.25])
    found = Discrepancy(blocks)
    known = stats.ttest_1samp(blocks, 0.0, alternative="greater")
    assert found.p_value == pytest.approx(known.pvalue)
    wanted = stats.ttest_1samp(blocks, 0.0).confidence_interval(0.95)
    assert found.interval == pytest.approx((wanted.low, wanted.high))
    assert Discrepancy(np.zeros(5)).p_value == 1.0
    assert Discrepancy(np.ones(5)).p_value == 0.0


def test_the_root_keeps_the_sign():
    assert signed_root(0.04) == pytest.approx(0.2)
    assert signed_root(-0.04) == pytest.approx(-0.2)


def test_a_shift_is_seen_and_fresh_rows_are_not():
    # fresh rows: the t interval of 20 blocks misses 0 in 5 % of seeds; this seed is fixed. The shift of half
    # a deviation lies more than ten standard errors away.
    rng = np.random.default_rng(1)
    train, holdout = draw(rng, 2_000), draw(rng, 2_000)
    fresh = compute(draw(rng, 2_000), train, holdout, block=100)
    assert fresh.interval[0] <= 0 <= fresh.interval[1]
    moved = compute(draw(rng, 2_000, shift=0.5), train, holdout, block=100)
    assert moved.interval[0] > 0.05 > abs(moved.floor)
    assert "20 blocks" in moved.reason


def test_the_size_of_the_test_is_what_it_says():
    # 200 tests of equal tables at 5 %: rejections are Binomial(200, .05); above 24 has chance below 1e-4
    rng = np.random.default_rng(2)
    rejected = sum(
        block_mmd(rng.normal(size=(200, 2)), rng.normal(size=(200, 2)), width=2.0, block=20).p_value < 0.05
        for _ in range(200)
    )
    assert rejected <= 24


def test_a_sorted_table_is_shuffled_first():
    rng = np.random.default_rng(3)
    train = draw(rng, 1_000)
    train["x"] = sorted(train["x"])
    # blocks of a sorted train would differ from blocks of the others by construction: MMD near .8
    assert abs(compute(draw(rng, 1_000), train, draw(rng, 1_000), block=100).value) < 0.1


def test_too_few_rows_and_no_columns_are_reasons():
    rng = np.random.default_rng(4)
    row = compute(draw(rng, 9), draw(rng, 20), draw(rng, 20))
    assert (row.status, row.reason) == (
        Status.NOT_APPLICABLE,
        "needs 10 rows of the synthetic table, found 9",
    )
    row = compute(draw(rng, 20), draw(rng, 20), draw(rng, 9))
    assert (row.status, row.floor) == (Status.OK, None)
    schema = schema_of(Column(name="t", kind=Kind.TEXT, dtype="string"))
    cells = {"t": ["u"] * 10}
    (row,) = KernelTwoSample().compute(eval_data(schema, cells, cells, cells), streams=Streams(0))
    assert row.reason == "no column is modelled"
