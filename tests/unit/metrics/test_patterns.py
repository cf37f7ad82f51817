"""Missingness, dependencies and tails, by hand and against brute force."""

import itertools
from collections import Counter

import numpy as np
import pytest

from tabsynth.metrics.base import Status
from tabsynth.metrics.patterns import (
    Dependencies,
    Labelled,
    MissingnessPatterns,
    Tails,
    determines,
    g3_error,
    outlier_errors,
    pattern_counts,
)
from tabsynth.metrics.samples import Sample
from tabsynth.randomness import Streams
from tests.unit.metrics.tables import (
    category,
    discrete_column,
    eval_data,
    integer,
    number,
    number_column,
    rows_of,
    schema_of,
)

NULLABLE = schema_of(number("x", nullable=True), category("c", nullable=True), integer("k"))
CODED = schema_of(category("code", "pqrs"), category("region", "nz"), integer("k"))


def compute(metric, schema, synthetic, train, holdout):
    return rows_of(metric.compute(eval_data(schema, synthetic, train, holdout), streams=Streams(0)))


def with_nulls(pattern):
    """`x`, `c`, or both (`b`) null in a row; `.` for none."""
    return {
        "x": [None if p in "xb" else 1.0 for p in pattern],
        "c": [None if p in "cb" else "a" for p in pattern],
        "k": [1] * len(pattern),
    }


def labels(*found):
    return Labelled.of(discrete_column(found, max(found) + 1))


# missing together


def test_cells_missing_together_are_told_from_cells_missing_apart():
    together, apart = with_nulls("bb.."), with_nulls("xxcc")
    row = compute(MissingnessPatterns(), NULLABLE, apart, together, with_nulls("b...")).pop(
        ("missingness_tvd",)
    )
    assert row.value == 1.0  # though every column is null in as many rows
    assert row.floor == pytest.approx(0.25)
    assert row.reason == "4 patterns over 2 columns"
    assert {(part.label, part.value, part.floor) for part in row.details} == {
        ("nothing missing", 0.5, 0.25),
        ("missing: x, c", 0.5, 0.25),
        ("missing: x", 0.5, 0.0),
        ("missing: c", 0.5, 0.0),
    }


def test_patterns_are_counted_as_brute_force_does():
    rng = np.random.default_rng(0)
    flags = [rng.random((n, 11)) < 0.2 for n in (60, 40)]
    patterns, counts = pattern_counts(flags)
    for side, count in zip(flags, counts, strict=True):
        found = {tuple(p.tolist()): n for p, n in zip(patterns, count.tolist(), strict=True) if n}
        assert found == Counter(tuple(row.tolist()) for row in side)


def test_long_patterns_are_named_in_short():
    schema = schema_of(*(number(name, nullable=True) for name in "abcde"))
    full, empty = {name: [1.0] for name in "abcde"}, {name: [None] for name in "abcde"}
    row = compute(MissingnessPatterns(), schema, empty, full, full)[("missingness_tvd",)]
    assert {part.label for part in row.details} == {"nothing missing", "missing: a, b, c and 2 more"}


def test_without_nulls_there_is_nothing_to_compare():
    whole = with_nulls("...")
    row = compute(MissingnessPatterns(), NULLABLE, whole, whole, whole)[("missingness_tvd",)]
    assert (row.status, row.reason) == (Status.NOT_APPLICABLE, "no cell is null in any of the tables")


# dependencies


def coded(n, broken=0):
    """`code` determines `region` but in the last `broken` rows, which are n in place of z or the reverse."""
    codes = [("p", "n"), ("q", "n"), ("r", "z"), ("s", "z")]
    rows = [codes[i % 4] for i in range(n - broken)]
    rows += [(code, "nz"[region == "n"]) for code, region in (codes[i % 4] for i in range(broken))]
    return {"code": [c for c, _ in rows], "region": [r for _, r in rows], "k": list(range(n))}


def test_a_broken_dependency_is_counted_and_measured():
    train = coded(200)
    whole = compute(Dependencies(), CODED, coded(80), train, coded(80))[("dependencies_kept",)]
    assert (whole.value, whole.floor) == (1.0, 1.0)
    assert whole.reason == "1 dependency; 80 rows compared"
    assert whole.details == ()
    row = compute(Dependencies(), CODED, coded(80, broken=8), train, coded(80, broken=1))[
        ("dependencies_kept",)
    ]
    assert (row.value, row.floor) == (0.0, 0.0)
    (part,) = row.details
    assert part.label == "code → region"
    assert (part.value, part.floor) == (pytest.approx(8 / 80), pytest.approx(1 / 80))


def test_rows_that_nothing_repeats_and_constants_make_no_dependency():
    # k never repeats, so that it determines all in vain; 103 rows repeat a code 99 times
    train = coded(103)
    row = compute(Dependencies(), CODED, train, train, train)[("dependencies_kept",)]
    assert (row.status, row.reason) == (
        Status.NOT_APPLICABLE,
        "no column determines another in 103 rows of train",
    )
    assert compute(Dependencies(min_support=99), CODED, train, train, train)[
        ("dependencies_kept",)
    ].value == (1.0)
    constant = {**coded(200), "region": ["n"] * 200}
    assert (
        compute(Dependencies(), CODED, constant, constant, constant)[("dependencies_kept",)].status
        is Status.NOT_APPLICABLE
    )


def test_as_many_rows_are_read_of_synthetic_as_of_holdout():
    train = coded(200)
    rows = compute(Dependencies(), CODED, coded(400), train, coded(50))
    assert rows[("dependencies_kept",)].reason.endswith("; 50 rows compared")
    nothing = {name: [] for name in train}
    row = compute(Dependencies(), CODED, coded(400), train, nothing)[("dependencies_kept",)]
    assert (row.value, row.floor) == (1.0, None)
    assert row.reason.endswith("; 400 rows compared")


def test_many_dependencies_are_drawn_from():
    schema = schema_of(*(category(f"c{i}", "ab") for i in range(16)))
    cells = {f"c{i}": ["a", "b"] * 60 for i in range(16)}
    row = compute(Dependencies(), schema, cells, cells, cells)[("dependencies_kept",)]
    assert row.reason == "200 of 240 dependencies, drawn at random; 120 rows compared"


def test_g3_and_holding_are_those_of_brute_force():
    rng = np.random.default_rng(1)
    for n_a, n_b in itertools.product((2, 5, 30), (2, 4)):
        a, b = rng.integers(0, n_a, 40), rng.integers(0, n_b, 40)
        kept = sum(max(Counter(b[a == level].tolist()).values()) for level in np.unique(a))
        found = labels(*a.tolist()), labels(*b.tolist())
        assert g3_error(*found) == pytest.approx(1 - kept / 40)
        assert determines(*found) == (kept == 40)


def test_a_dependency_that_breaks_late_is_seen():
    a, b = np.zeros(3_000, dtype=int), np.zeros(3_000, dtype=int)
    assert determines(labels(*a.tolist()), labels(*b.tolist()))
    b[2_999] = 1
    assert not determines(labels(*a.tolist()), labels(*b.tolist()))


def test_numbers_nulls_and_special_values_are_different_cells():
    column = number_column([0, 7, 0, 7, 0], codes=[0, 0, 1, 0, 2])
    found = Labelled.of(column)
    assert found.n == 4
    assert found.labels[1] == found.labels[3]
    assert len({int(found.labels[i]) for i in (0, 1, 2, 4)}) == 4


# tails


def test_tails_that_are_lost_score_one_and_doubled_ones_too():
    train = Sample.of(np.arange(1_000))  # quantiles 4.995 and 994.005: five rows beyond on each side
    assert outlier_errors(train, train).tolist() == [0.0, 0.0]
    assert outlier_errors(train, Sample.of(np.arange(100, 900))) == pytest.approx([1.0, 1.0])
    doubled = np.concatenate([np.arange(5), np.arange(1_000)[:995]])
    assert outlier_errors(train, Sample.of(doubled)) == pytest.approx([1.0, 1.0])


def test_tails_are_read_off_each_number_column():
    schema = schema_of(integer("k"), number("x", nullable=True), category("c"))

    def cells(numbers):
        return {"k": numbers, "x": [None] * len(numbers), "c": ["a"] * len(numbers)}

    train = cells(list(range(1_000)))
    upper = cells([*range(995), *[10**6] * 25])
    found = compute(Tails(), schema, upper, train, train)
    row = found["outlier_error", "k"]
    below, above = abs(5 / 1_020 - 0.005) / 0.005, (25 / 1_020 - 0.005) / 0.005
    assert [part.value for part in row.details] == pytest.approx([below, above])
    assert row.value == pytest.approx((below + above) / 2)
    assert row.floor == 0.0
    assert found[("outlier_error",)].value == pytest.approx(row.value)
    assert found["outlier_error", "x"].reason == "train has no numbers in this column"
    assert ("outlier_error", "c") not in found
    no_numbers = compute(Tails(), schema, {"k": [], "x": [], "c": []}, train, train)[("outlier_error",)]
    assert no_numbers.reason == "the synthetic table has no rows"


def test_a_column_without_synthetic_numbers_has_no_value():
    schema = schema_of(number("x", nullable=True))
    found = compute(Tails(), schema, {"x": [None]}, {"x": [1.0, 2.0]}, {"x": [None]})
    assert found["outlier_error", "x"].reason == "the compared table has no numbers in this column"
    assert (
        compute(Tails(), schema, {"x": [1.0]}, {"x": [1.0, 2.0]}, {"x": [None]})["outlier_error", "x"].floor
        is None
    )


@pytest.mark.parametrize("metric", [MissingnessPatterns(), Dependencies(), Tails()])
def test_tables_without_rows_are_reasons(metric):
    some, none = with_nulls("b."), {"x": [], "c": [], "k": []}
    for tables, which in (((none, some), "synthetic"), ((some, none), "train")):
        (row,) = compute(metric, NULLABLE, *tables, some).values()
        assert (row.status, row.reason) == (Status.NOT_APPLICABLE, f"the {which} table has no rows")


def test_no_cell_is_in_what_is_said():
    schema = schema_of(number("x", nullable=True), category("c", nullable=True), integer("k"))
    rng = np.random.default_rng(2)

    def cells(n):
        k = rng.integers(0, 4, n)
        return {
            "x": [7_654_321.5 if i else None for i in rng.integers(0, 3, n)],
            "c": ["abc"[i % 3] for i in k],
            "k": (k + 9_876_543).tolist(),
        }

    train = cells(400)
    train["c"] = [None if c == "a" else c for c in train["c"]]
    for metric in (MissingnessPatterns(), Dependencies(), Tails()):
        said = repr(compute(metric, schema, cells(400), train, cells(400)))
        assert "7654321" not in said
        assert "9876543" not in said
        assert "987654" not in said
