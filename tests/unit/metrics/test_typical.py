"""α-precision, β-recall and authenticity by hand and against brute force."""

import numpy as np
import pytest

from tabsynth.metrics.base import Status
from tabsynth.metrics.typical import N_LEVELS, TypicalRows, typicality
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind
from tests.unit.metrics.tables import category, eval_data, number, rows_of, schema_of

SCHEMA = schema_of(number("x"), category("c"))
LEVELS = np.arange(1, N_LEVELS + 1) / N_LEVELS


def points(*numbers):
    return np.array(numbers, dtype=np.float64)[:, np.newaxis]


def brute_force(train, other, k):
    """As the paper has it, one α, one β and one row at a time."""
    apart = np.linalg.norm(train - train.mean(axis=0), axis=1)
    of_other = np.linalg.norm(other - train.mean(axis=0), axis=1)
    inside = []
    for alpha in LEVELS:
        radius = np.sort(apart)[int(np.ceil(alpha * len(train))) - 1]
        inside.append(abs((of_other <= radius + 1e-12).mean() - (apart <= radius + 1e-12).mean()))
    typical = np.argsort(np.linalg.norm(other - other.mean(axis=0), axis=1), kind="stable")
    covered = []
    for beta in LEVELS:
        kept = other[typical[: int(np.ceil(beta * len(other)))]]
        hits = 0
        for row in train:
            reach = sorted(np.linalg.norm(train - row, axis=1))[k]  # its own 0 comes first
            hits += np.linalg.norm(kept - row, axis=1).min() <= reach
        covered.append(abs(hits / len(train) - beta))
    far = 0
    for row in other:
        distances = np.linalg.norm(train - row, axis=1)
        nearest = int(distances.argmin())
        far += distances.min() > sorted(np.linalg.norm(train - train[nearest], axis=1))[1]
    return 1 - 2 * np.mean(inside), 1 - 2 * np.mean(covered), far / len(other)


@pytest.mark.parametrize("k", [1, 5])
def test_figures_are_those_of_brute_force_across_blocks(k, monkeypatch):
    monkeypatch.setattr("tabsynth.metrics.support.CHUNK", 7)
    rng = np.random.default_rng(1)
    train, other = rng.normal(size=(60, 2)), rng.normal(0.4, 1.4, size=(50, 2))
    (found,) = typicality(train, [other], k=k)
    assert tuple(found) == pytest.approx(brute_force(train, other, k))


def test_figures_by_hand():
    train = points(-3, -1, 1, 3)  # mean 0; radii 1, 1, 3, 3; nearest neighbours 2 away
    copy, centre, far = typicality(train, [train, points(0, 0, 0, 0), points(9, 9, 9, 9)], k=1)
    assert (copy.precision, copy.authenticity) == (1.0, 0.0)
    # all at the centre: the ball of α ≤ 1/2 holds half of train and all of them; beyond, both hold all
    n_small = sum(np.ceil(LEVELS * 4) <= 2)
    assert centre.precision == pytest.approx(1 - 2 * 0.5 * n_small / N_LEVELS)
    assert centre.authenticity == 0.0  # 1 from the nearest row, which is 2 from its own
    # none in any ball: half of the α miss .5, half miss 1
    assert far.precision == pytest.approx(1 - 2 * min(0.5, (0.5 * n_small + N_LEVELS - n_small) / N_LEVELS))
    assert far.authenticity == 1.0
    # no train row has a far row in its ball: the mean of β over the levels is missed
    assert far.recall == pytest.approx(1 - 2 * min(0.5, LEVELS.mean()))


def draw(rng, n, levels="abc"):
    return {"x": rng.normal(size=n).tolist(), "c": rng.choice(list(levels), n).tolist()}


def compute(synthetic, train, holdout):
    return rows_of(TypicalRows().compute(eval_data(SCHEMA, synthetic, train, holdout), streams=Streams(0)))


def test_a_copy_is_not_authentic_and_a_fresh_table_is_at_the_floor():
    rng = np.random.default_rng(2)
    train, holdout = draw(rng, 400), draw(rng, 400)
    assert compute(train, train, holdout)[("authenticity",)].value == 0.0
    fresh = compute(draw(rng, 400), train, holdout)
    # shares of 400 rows differ by .035 in one deviation: .18 is five (chance below 1e-6)
    for row in fresh.values():
        assert row.value == pytest.approx(row.floor, abs=0.18)
    assert fresh[("authenticity",)].interval[0] < fresh[("authenticity",)].value


def test_too_few_rows_and_no_columns_are_reasons():
    rng = np.random.default_rng(3)
    found = compute(draw(rng, 5), draw(rng, 20), draw(rng, 20))
    assert {row.reason for row in found.values()} == {"needs 6 rows of the synthetic table, found 5"}
    assert {row.floor for row in compute(draw(rng, 20), draw(rng, 20), draw(rng, 3)).values()} == {None}
    schema = schema_of(Column(name="t", kind=Kind.TEXT, dtype="string"))
    cells = {"t": ["u"] * 10}
    (row, *_) = TypicalRows().compute(eval_data(schema, cells, cells, cells), streams=Streams(0))
    assert (row.status, row.reason) == (Status.NOT_APPLICABLE, "no column is modelled")
