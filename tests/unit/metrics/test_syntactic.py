"""k, l and t of tables that can be counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tabsynth.metrics.base import Status
from tabsynth.metrics.cells import cell_ids, joint_ids
from tabsynth.metrics.syntactic import Classes, SyntacticAnonymity
from tabsynth.randomness import Streams
from tests.unit.metrics.tables import (
    category,
    eval_data,
    integer,
    number_column,
    rows_of,
    schema_of,
)

SCHEMA = schema_of(category("q", "xyz"), integer("age", nullable=True), category("s", "abc"))
NAMED = {"quasi_identifiers": ("q",), "sensitive": ("s", "age")}


def compute(synthetic, holdout, named=NAMED):
    data = replace(eval_data(SCHEMA, synthetic, holdout, holdout), **named)
    return rows_of(SyntacticAnonymity().compute(data, streams=Streams(0)))


RELEASE = {
    "q": list("xxxyyyyy"),
    "age": [1, 1, 2, 2, 2, 2, 2, None],
    "s": list("aabbbbbb"),
}
UNIFORM = {"q": list("xxyy"), "age": [1, 2, 1, 2], "s": list("abab")}


def test_a_release_counted_by_hand():
    rows = compute(RELEASE, UNIFORM)
    assert rows["k_anonymity",].value == 3  # x thrice, y five times
    assert rows["k_anonymity",].floor == 2
    # of s, class x holds {a, b}, class y holds b alone; of age, both hold two values
    assert rows["l_diversity_distinct", "s"].value == 1
    assert rows["l_diversity_distinct", "age"].value == 2
    assert rows["l_diversity_distinct",].value == 1
    assert rows["l_diversity_distinct",].floor == 2
    # of age, y's entropy is that of (4/5, 1/5), below x's of (2/3, 1/3)
    entropy = -(0.8 * np.log(0.8) + 0.2 * np.log(0.2))
    assert rows["l_diversity_entropy", "age"].value == pytest.approx(np.exp(entropy))
    assert rows["l_diversity_entropy", "s"].value == 1
    assert rows["l_diversity_entropy",].floor == pytest.approx(2)
    # s overall: (2/8, 6/8); x has (2/3, 1/3): 5/12; y has (0, 1): 1/4
    assert rows["t_closeness", "s"].value == pytest.approx(5 / 12)
    # age overall: 1, 2, null are (2, 5, 1)/8, so F = (1/4, 7/8); x has F = (2/3, 1): (5/12 + 1/8) / 2
    assert rows["t_closeness", "age"].value == pytest.approx((5 / 12 + 1 / 8) / 2)
    assert rows["t_closeness",].value == pytest.approx(5 / 12)
    assert rows["t_closeness",].floor == 0


def test_the_salaries_of_the_paper():
    """Li et al. 2007, section 5: 3k … 11k evenly; {3, 4, 5} is 0.375 away and {6, 8, 11} 0.167."""
    values = np.arange(9)
    classes = np.array([0, 0, 0, 1, 2, 1, 2, 2, 1])
    found = Classes.of(classes, values)
    distances = found._ordered_distances()
    assert distances[0] == pytest.approx(0.375)
    assert distances[1] == pytest.approx(1 / 6)
    assert found.diversity(is_ordered=True).closeness == pytest.approx(0.375)
    # unordered, every class of three among nine values is 2/3 away
    assert found.diversity(is_ordered=False).closeness == pytest.approx(2 / 3)


def test_distances_are_those_of_the_definition():
    rng = np.random.default_rng(3)
    for _ in range(20):
        values = np.unique(rng.integers(0, 12, 40), return_inverse=True)[1]
        classes = np.unique(rng.integers(0, 6, 40), return_inverse=True)[1]
        found = Classes.of(classes, values)
        m = values.max() + 1
        whole = np.bincount(values, minlength=m) / 40
        for k in range(classes.max() + 1):
            part = np.bincount(values[classes == k], minlength=m) / (classes == k).sum()
            ordered = np.abs(np.cumsum(part - whole)).sum() / (m - 1)
            assert found._ordered_distances()[k] == pytest.approx(ordered)
            assert found._total_variations()[k] == pytest.approx(0.5 * np.abs(part - whole).sum())


def test_without_names_the_rows_say_so():
    rows = compute(RELEASE, UNIFORM, {})
    assert len(rows) == 4
    for row in rows.values():
        assert row.status is Status.NOT_APPLICABLE
        assert row.reason == "not applicable: no quasi-identifiers were named"
    rows = compute(RELEASE, UNIFORM, {"quasi_identifiers": ("q", "age")})
    # x with 1, x with 2, y with 2, y without: 2, 1, 4, 1 rows
    assert rows["k_anonymity",].value == 1
    assert rows["t_closeness",].reason == "not applicable: no sensitive column was named"


def test_an_empty_release_has_no_classes():
    rows = compute({"q": [], "age": [], "s": []}, UNIFORM)
    assert {row.reason for row in rows.values()} == {"the synthetic table has no rows"}


def test_cells_are_equal_where_codes_and_numbers_are():
    first = number_column(np.array([5, 3, 0, 0]), [0, 0, 1, 2])
    second = number_column(np.array([0, 5, 9]), [1, 0, 0])
    # numbers 3, 5, 9 ascending, then the two levels
    ids = cell_ids([first, second])
    assert [part.tolist() for part in ids] == [[1, 0, 3, 4], [3, 1, 2]]
    assert joint_ids([np.array([0, 0, 1, 1]), np.array([7, 7, 7, 0])]).tolist() == [0, 0, 2, 1]


def test_many_columns_of_many_cells_do_not_overflow():
    rng = np.random.default_rng(0)
    columns = [rng.permutation(2_000) for _ in range(8)]
    twice = [np.concatenate([column, column]) for column in columns]
    ids = joint_ids(twice)
    assert len(np.unique(ids)) == 2_000
    np.testing.assert_array_equal(ids[:2_000], ids[2_000:])
