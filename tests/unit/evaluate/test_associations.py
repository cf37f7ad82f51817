"""Association matrices, against coefficients computed one by one."""

import numpy as np
import pytest
import scipy.stats

from tabsynth.evaluate.associations import MAX_COLUMNS, associations
from tabsynth.metrics.fidelity_pairs import PairFidelity
from tabsynth.randomness import Streams
from tests.unit.metrics.tables import category, eval_data, integer, number, schema_of

SCHEMA = schema_of(number("x"), category("c"), number("y"), category("d"), integer("constant"))


def make(seed, n=200):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return {
        "x": x.tolist(),
        "c": np.array(list("abc"))[np.digitize(x + rng.normal(size=n), [-0.5, 0.5])].tolist(),
        "y": (rng.normal(size=n) - x).tolist(),
        "d": rng.choice(list("abc"), n).tolist(),
        "constant": [1] * n,
    }


@pytest.mark.parametrize("known", [True, False])
def test_matrices_hold_absolute_associations_whether_read_off_or_computed(known):
    tables = make(0), make(1), make(2)
    data = eval_data(SCHEMA, *tables)
    results = PairFidelity().compute(data, streams=Streams(0)) if known else ()
    found = associations(data, results, streams=Streams(0))
    assert found.columns == SCHEMA.column_names
    sides = zip((found.synthetic, found.train, found.holdout), tables, strict=True)
    for matrix, cells in sides:
        correlation = scipy.stats.spearmanr(cells["x"], cells["y"]).statistic
        assert correlation < 0
        assert matrix[0][2] == matrix[2][0] == pytest.approx(-correlation, abs=1e-5)
        counts = [
            [sum(p == a and q == b for p, q in zip(cells["c"], cells["d"], strict=True)) for b in "abc"]
            for a in "abc"
        ]
        assert matrix[1][3] == pytest.approx(scipy.stats.contingency.association(counts, method="cramer"))
        groups = [[v for v, k in zip(cells["x"], cells["c"], strict=True) if k == a] for a in "abc"]
        between = sum(len(g) * (np.mean(g) - np.mean(cells["x"])) ** 2 for g in groups)
        assert matrix[0][1] == pytest.approx(np.sqrt(between / (np.var(cells["x"]) * 200)), abs=1e-5)
        assert [row[k] for k, row in enumerate(matrix)] == [1.0] * 5
        assert matrix[4][:4] == (None,) * 4


def test_wide_tables_keep_the_columns_that_differ_most():
    rng = np.random.default_rng(3)
    schema = schema_of(*(number(f"c{k:02}") for k in range(70)))

    def draw():
        return {name: rng.normal(size=300) for name in schema.column_names}

    synthetic, train, holdout = draw(), draw(), draw()
    train["c69"] = train["c01"] + 0.1 * rng.normal(size=300)
    data = eval_data(
        schema, *({k: v.tolist() for k, v in side.items()} for side in (synthetic, train, holdout))
    )
    found = associations(
        data, PairFidelity(max_pairs=10_000).compute(data, streams=Streams(0)), streams=Streams(0)
    )
    assert len(found.columns) == len(found.train) == MAX_COLUMNS
    assert {"c01", "c69"} <= set(found.columns)
    assert list(found.columns) == sorted(found.columns)
    # of pairs that were drawn at random, the others are computed for the matrix
    partly = associations(
        data, PairFidelity(max_pairs=100).compute(data, streams=Streams(0)), streams=Streams(0)
    )
    assert all(cell is not None for row in partly.train for cell in row)


def test_too_little_for_a_matrix():
    one = eval_data(schema_of(number("x")), {"x": [1.0]}, {"x": [1.0]}, {"x": [1.0]})
    assert associations(one, (), streams=Streams(0)) is None
    none = {name: [] for name in SCHEMA.column_names}
    found = associations(eval_data(SCHEMA, none, none, none), (), streams=Streams(0))
    assert found.train[0] == (1.0, None, None, None, None)
    some = associations(eval_data(SCHEMA, make(0), make(1), none), (), streams=Streams(0))
    assert some.synthetic[0][2] is not None
    assert some.holdout[0][2] is None
