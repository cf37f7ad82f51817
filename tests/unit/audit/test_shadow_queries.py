"""Counts of rows that agree with a target: by hand, and by looking at every row for every question."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tabsynth.audit.shadow.queries import NEAR_SHARE, WORD, Questions, agreement, n_words
from tabsynth.encode import EncodedTable, encode_table
from tabsynth.metrics.sampling import take_rows
from tests.unit.audit.tables import drawn
from tests.unit.metrics.tables import category, discrete_column, number, number_column, schema_of, table_of


def asked(table: EncodedTable, rows: list[list[int]], **options) -> Questions:
    targets = tuple(take_rows(table, np.array(those, dtype=np.intp)) for those in rows)
    return Questions.of(targets, table, rng=np.random.default_rng(1), **options)


def test_agreement_by_hand():
    levels = discrete_column([0, 1, 2, 1], 2)
    target = discrete_column([1], 2)
    assert [found.tolist() for found in agreement(levels, target, None)] == [[False, True, False, True]]
    numbers = number_column([1.0, 1.5, 2.0, 1.0, 9.0], codes=[0, 0, 0, 1, 0])
    equal, near = agreement(numbers, number_column([1.0]), 0.5)
    assert equal.tolist() == [True, False, False, False, False]
    assert near.tolist() == [True, True, False, False, False]
    missing = number_column([0.0], codes=[1], n_levels=2)
    assert [found.tolist() for found in agreement(numbers, missing, 0.5)] == [
        [False, False, False, True, False]
    ] * 2


def test_counts_by_hand():
    schema = schema_of(number("x"), category("c"))
    rows = encode_table(table_of(schema, {"x": [0.0, 1.0, 100.0], "c": ["a", "b", "b"]}))
    release = encode_table(
        table_of(schema, {"x": [1.0, 1.0, 1.5, 3.0, 90.0], "c": ["b", "b", "b", "a", "b"]})
    )
    # rows of x lie in 0 … 100: near is within .05 × (98.02 - .02)
    questions = asked(rows, [[1], [0]], n_queries=2)
    assert questions.tolerances["x"] == pytest.approx(NEAR_SHARE * (98.02 - 0.02))
    # equal everywhere: twice 1.0, b; near everywhere: those and 1.5, b. Of 0.0, a: none, and 3.0, a
    assert questions.counts(release).tolist() == [[2, 3], [0, 1]]


def test_a_person_counts_by_all_rows():
    table = encode_table(drawn(50, 1))
    alone, together = asked(table, [[3], [4]]), asked(table, [[3, 4]])
    release = encode_table(drawn(200, 2))
    assert together.counts(release)[0].tolist() == alone.counts(release).sum(axis=0).tolist()


@pytest.mark.parametrize("n_columns", [0, 80])
def test_counts_are_those_of_looking_at_every_row(n_columns: int):
    # 80 more columns take two words of bits
    rng = np.random.default_rng(5)
    more = {f"d{k}": rng.choice(list("ab"), 160) for k in range(n_columns)}
    schema = schema_of(*drawn(1, 0).schema.columns, *(category(name, "ab") for name in more))
    frame = drawn(160, 3).frame.with_columns(**{name: pl.Series(cells) for name, cells in more.items()})
    table = encode_table(table_of(schema, {name: frame[name].to_list() for name in frame.columns}))
    assert n_words(table) == (1 if n_columns == 0 else 2)
    questions = asked(table, [[7], [20]], n_queries=40)
    names = list(table.columns)
    for k, target in enumerate((7, 20)):
        wanted = []
        for words in questions.wanted:
            met = np.ones(160, dtype=bool)
            bit = 0
            for name in names:
                column = table.columns[name]
                for is_near in range(2 if column.variable.is_continuous else 1):
                    if int(words[bit // WORD]) >> (bit % WORD) & 1:
                        if column.values is None:
                            met &= column.codes == column.codes[target]
                        elif is_near:
                            met &= np.abs(column.values - column.values[target]) <= questions.tolerances[name]
                        else:
                            met &= column.values == column.values[target]
                    bit += 1
            wanted.append(int(met.sum()))
        assert questions.counts(table)[k].tolist() == wanted
        some = np.array([7, 7, 20, 3])
        found = questions.patterns(k, table)[0].counts(some)
        assert found.tolist() == questions.counts(take_rows(table, some))[k].tolist()


def test_the_first_questions_are_all_columns_equal_and_near():
    table = encode_table(drawn(50, 1))  # x, y, k are numbers, c is not: bits xx yy kk c
    questions = asked(table, [[0]])
    assert [int(words[0]) for words in questions.wanted[:2]] == [0b1010101, 0b1101010]
    sizes = {int(words[0]).bit_count() for words in questions.wanted}
    assert sizes == {1, 2, 3, 4}  # each missed by 254 even draws with (3/4)^254


def test_an_empty_release_meets_nothing():
    table = encode_table(drawn(50, 1))
    assert asked(table, [[0]]).counts(encode_table(drawn(0, 1))).sum() == 0
