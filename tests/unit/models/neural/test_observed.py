"""Cells of a table, training by sampling and the last step of a training: against hand calculation and brute force."""

import numpy as np
import polars as pl
import pytest

from tabsynth.encode import Variable, encode_table
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.neural.calibration import calibrated
from tabsynth.models.neural.exposure import Exposure
from tabsynth.models.neural.fitted import FittedGenerator, Weights
from tabsynth.models.neural.observed import level_positions, many_levels, observe
from tabsynth.models.public_cells import PublicCells
from tabsynth.privacy import Ledger
from tabsynth.privacy.queries import Queries
from tabsynth.privacy.splits import count_by_leaf
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.table import Table


def test_conditions_are_drawn_by_frequency_or_its_logarithm():
    """Counts of 90 and 10, and of 98, 1 and 1; 60,000 draws: five standard errors are .0105 at most."""
    rows = np.stack([np.r_[[0] * 90, [1] * 10], np.r_[[0] * 98, 1, 2]], axis=1).astype(np.uint16)
    wanted = {
        "frequency": np.array([0.9, 0.1, 0.98, 0.01, 0.01]) / 2,
        "log": np.r_[np.log([91, 11]) / np.log([91, 11]).sum(), np.log([99, 2, 2]) / np.log([99, 2, 2]).sum()] / 2,
    }  # fmt: skip
    for kind, shares in wanted.items():
        at, taken = Exposure(rows, [2, 3], kind).draw(60_000, np.random.default_rng(0))
        assert np.abs(np.bincount(at, minlength=5) / 60_000 - shares).max() < 0.0105
        cells = rows.astype(int) + np.array([0, 2])
        assert ((cells[taken, 0] == at) | (cells[taken, 1] == at)).all(), "the row has what it stands for"
        first = taken[at == 0]
        assert np.bincount(first, minlength=100)[:90].min() > 0, "any row that has it may be drawn"


def test_many_levels_share_cells_by_what_they_say_and_where_they_are_declared():
    """Ten levels in six cells; groups of 5. Three frequent ones are alone; d to g are known, the rest is too rare."""
    counts = np.array([50.0, 40, 30, 10, 10, 10, 10, 1, 1, 2])
    positions = np.array([0, 0, 0, 0.9, 0.1, 0.8, 0.2, 0.5, 0.1, 0.9])
    cells = many_levels(counts, positions, most=6, min_group=5)
    assert len(set(cells[:3])) == 3
    assert not set(cells[:3]) & set(cells[3:])
    assert cells[3] == cells[5] != cells[4] == cells[6], "those that stand together"
    assert set(cells[7:]) & set(cells[3:7]) == set(), "rare ones are by themselves, whatever their positions"
    assert sorted(set(cells)) == list(range(len(set(cells))))
    assert len(set(cells)) <= 6


@pytest.mark.parametrize("most", [2, 3, 8, 128])
def test_many_levels_never_take_more_cells_than_they_may(most):
    rng = np.random.default_rng(most)
    for n in (most + 1, 500, 3000):
        for counts in (rng.poisson(2.0, n), rng.poisson(50, n), np.zeros(n), np.r_[900, np.zeros(n - 1)]):
            cells = many_levels(counts.astype(float), rng.random(n), most=most, min_group=11)
            assert len(cells) == n
            assert sorted(set(cells)) == list(range(cells.max() + 1))
            assert cells.max() < most


def test_levels_stand_by_the_column_that_tells_most_of_them_and_not_by_chance():
    """Levels 0 to 39 go with two cells of one column; another of 500 cells, and no order, says nothing.

    Plain mutual information is greater with the latter: 2,000 rows leave hardly two in a pair of cells.
    """
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 40, 2000).astype(np.uint8)
    tells, says_nothing = levels % 2, rng.integers(0, 500, 2000)
    for others in ([says_nothing, tells], [tells, says_nothing]):
        at = level_positions(levels, others, n_levels=40, count=count_by_leaf, rng=np.random.default_rng(1))
        assert (at == np.arange(40) % 2).all()
    none = level_positions(levels, [], n_levels=40, count=count_by_leaf, rng=rng)
    assert (none == 0).all()
    nobody = level_positions(levels[:0], [tells[:0]], n_levels=40, count=count_by_leaf, rng=rng)
    assert (nobody == 0).all()


LEVELS = tuple(f"l{k:03}" for k in range(300))
SCHEMA = TableSchema(
    name="t",
    columns=(
        Column(name="code", kind=Kind.CATEGORICAL, dtype="string", categories=LEVELS),
        Column(name="part", kind=Kind.CATEGORICAL, dtype="string", categories=("u", "v")),
        Column(name="x", kind=Kind.NUMBER, dtype="float64", bounds=(0.0, 100.0), nullable=True),
    ),
)


def test_codes_that_go_with_one_part_share_cells_with_no_code_of_another():
    """Even codes are of part u, odd ones of v; all 300 are about as frequent, 20 rows each."""
    rng = np.random.default_rng(0)
    code = rng.permutation(np.repeat(np.arange(300), 20))
    frame = pl.DataFrame(
        {
            "code": np.array(LEVELS)[code],
            "part": np.where(code % 2 == 0, "u", "v"),
            "x": pl.Series(np.where(rng.random(6000) < 0.2, np.nan, rng.random(6000) * 100)).fill_nan(None),
        }
    )
    data, ledger = encode_table(Table.conform(frame, SCHEMA)), Ledger()
    rng = np.random.default_rng(1)
    found = observe(data, Queries(ledger), min_group=11, number_cells=10, level_cells=40, rng=rng)
    by_cell = [
        set((np.flatnonzero(found.columns[0].coarse == c) % 2).tolist()) for c in range(found.sizes[0])
    ]
    mixed = sum(len(parts) > 1 for parts in by_cell)
    assert mixed <= 1, "one run may lie across the border"
    assert found.sizes[0] <= 40
    assert found.sizes[1] == 2
    assert 9 <= found.sizes[2] <= 12  # numbers, and null by itself
    assert found.rows.shape == (6000, 3)
    assert (found.rows[:, 1] == (code % 2)).all()
    assert "gradients of rows" in {charge.statistic for charge in ledger.charges}
    null_share = found.columns[2].counts[-1]
    assert null_share == pytest.approx(frame["x"].null_count() / 6000)


def test_calibration_gives_every_column_its_shares_and_leaves_the_rest():
    """From a random generator, on fresh inputs: 50,000 of them, five standard errors are below .01."""
    rng = np.random.default_rng(0)
    a = Variable(name="a", is_continuous=False, n_levels=3)
    b = Variable(name="b", is_continuous=False, n_levels=2)
    columns = (
        NetworkColumn(PublicCells.of(a), np.array([0.9, 0.1, 0.0]), np.arange(3)),
        NetworkColumn(PublicCells.of(b), np.array([0.02, 0.98]), np.arange(2)),
    )

    def some(*shape):
        return rng.normal(size=shape).astype(np.float32)

    weights = Weights(((some(6, 9), some(6), some(6), some(6)),), (some(5, 15), some(5)))
    before = FittedGenerator(columns, weights)
    after = calibrated(before, np.random.default_rng(1))
    logits = after.weights.logits(after.inputs(50_000, np.random.default_rng(2))).astype(float)
    for part, wanted in ((slice(0, 3), [0.9, 0.1, 0.0]), (slice(3, 5), [0.02, 0.98])):
        odds = np.exp(logits[:, part])
        assert np.abs((odds / odds.sum(axis=1, keepdims=True)).mean(axis=0) - wanted).max() < 0.01
    assert after.weights.layers is weights.layers
    assert after.weights.out[0] is weights.out[0]
