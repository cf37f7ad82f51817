"""Likelihood ratios by hand on tables of few cells; what they need to know, and what they see."""

from __future__ import annotations

import math
import sys
from itertools import product

import numpy as np
import polars as pl
import pytest

import tabsynth
from tabsynth.audit.likelihood import (
    Cut,
    Likelihood,
    cliques_of,
    learnable,
    log_density,
    log_ratio,
    strongest_pairs,
)
from tabsynth.encode import encode_table
from tabsynth.errors import UsageError
from tabsynth.metrics.intervals import delong_auc
from tabsynth.source import as_table
from tabsynth.table import Table
from tests.unit.audit.tables import SCHEMA, drawn
from tests.unit.metrics.tables import category, number, schema_of, table_of

LEVELS = schema_of(category("a"), category("b"))


def levels(a: str, b: str):
    return encode_table(table_of(LEVELS, {"a": list(a), "b": list(b)}))


def test_cells_of_cliques_by_hand():
    """Release (a,a) ×3, (b,b) ×1; reference (a,a) ×1, (a,b) ×1; every count has the candidate's own on top."""
    candidates = levels("aba", "abb")
    attack = Likelihood.of(candidates, levels("aa", "ab"), cliques=(("a", "b"), ("b",)))
    found = attack.of_cliques(levels("aaab", "aaab"))
    joint = [(4 / 5) / (2 / 3), (2 / 5) / (1 / 3), (1 / 5) / (2 / 3)]
    single = [(4 / 5) / (2 / 3), (2 / 5) / (2 / 3), (2 / 5) / (2 / 3)]
    assert found == pytest.approx(np.log(joint) + np.log(single))


def test_the_strongest_pairs_are_those_of_the_largest_information():
    """b is a; c is independent of both, so any pair with it has no information (exactly, by design)."""
    cells = {"a": list("aabb"), "b": list("ccdd"), "c": list("efef")}
    table = encode_table(table_of(schema_of(*map(category, "abc")), cells))
    binned = Cut.of(table).cells(table)
    assert strongest_pairs(binned)[0] == ("a", "b")
    assert set(strongest_pairs(binned)) == {("a", "b"), ("a", "c"), ("b", "c")}


def test_a_single_column_is_its_own_clique():
    table = encode_table(table_of(schema_of(category("a")), {"a": list("aab")}))
    assert strongest_pairs(Cut.of(table).cells(table)) == (("a",),)


def test_what_lies_outside_the_domain_is_one_more_level():
    """Of 220 rows one has an undeclared level and one a number that is none: tables of others have such cells."""
    frame = drawn(220, 1).frame
    at = pl.int_range(pl.len())
    made = frame.with_columns(
        c=pl.when(at == 3).then(pl.lit("undeclared")).otherwise(pl.col("c")),
        x=pl.when(at == 5).then(float("nan")).otherwise(pl.col("x")),
    )
    release, known = encode_table(Table.conform(made, SCHEMA)), encode_table(drawn(220, 2))
    assert release.columns["c"].codes[3] == release.columns["c"].variable.n_levels
    attack = Likelihood.of(release, known)
    assert np.isfinite(attack.generative(release)).all()
    inside = np.arange(220) != 3
    assert log_density(release, release)[3] < log_density(release, release)[inside].max()


def test_numbers_on_an_edge_have_a_cell_of_their_own():
    schema = schema_of(number("x", nullable=True))
    reference = encode_table(table_of(schema, {"x": [0.0, 1.0, 1.0, 1.0, 2.0]}))
    cut = Cut({"x": np.array([1.0])})
    asked = encode_table(table_of(schema, {"x": [0.5, 1.0, 1.5, None]}))
    cells, n = cut.cells(asked)["x"]
    assert len(set(cells.tolist())) == 4
    assert cells.max() < n
    assert Cut.of(reference).edges["x"].tolist() == sorted(set(Cut.of(reference).edges["x"].tolist()))


def test_the_density_is_one():
    """All cells of a domain of 3 × 3 levels: their probabilities sum to 1, and follow the rows."""
    rows = levels("aaabbb" * 50, "aababb" * 50)
    cells = list(product("abc", "abc"))
    found = np.exp(log_density(rows, levels("".join(a for a, _ in cells), "".join(b for _, b in cells))))
    assert found.sum() == pytest.approx(1, abs=1e-6)
    assert found[[0, 1, 3, 4]] == pytest.approx([2 / 6, 1 / 6, 1 / 6, 2 / 6], abs=0.02)


def test_the_impossible_is_the_least_likely():
    found = log_ratio(np.array([-math.inf, -1.0, -3.0]), np.array([-2.0, -math.inf, -3.0]))
    assert found.tolist() == [-3 + 2, -1 + 3, 0]
    assert log_ratio(np.array([-math.inf]), np.array([-math.inf])).tolist() == [0.0]


def test_members_of_a_small_network_are_told_from_others():
    """A network fitted to 60 rows of 12 columns: both attacks find its rows."""
    names = [f"c{i}" for i in range(12)]
    few = schema_of(*map(category, names))

    def table(n: int, seed: int):
        rng = np.random.default_rng(seed)
        return table_of(few, {name: list(rng.choice(list("abc"), n)) for name in names})

    train, others, reference = table(60, 1), table(60, 2), table(2_000, 3)
    model = tabsynth.fit(train.frame, schema=few, engine="bayesian_network", privacy=tabsynth.NO_PRIVACY)
    release = encode_table(as_table(model.sample(2_000, seed=1), few)[0])
    attacks = [Likelihood.of(encode_table(side), encode_table(reference)) for side in (train, others)]
    for score in (Likelihood.generative, Likelihood.of_cliques):
        assert delong_auc(*(score(attack, release) for attack in attacks)).value > 0.7


def test_columns_of_few_numbers_and_tables_of_few_rows_are_no_fault():
    schema = schema_of(number("x", nullable=True), number("y"), category("c"))

    def table(n: int, n_numbers: int):
        x = [float(i) if i < n_numbers else None for i in range(n)]
        return encode_table(
            table_of(schema, {"x": x, "y": [float(i) for i in range(n)], "c": ["a", "b"] * (n // 2)})
        )

    assert learnable(table(40, 5)) == ("y", "c")
    assert learnable(table(40, 0)) == learnable(table(40, 11)) == ("x", "y", "c")
    assert learnable(table(10, 0)) == ()
    attack = Likelihood.of(table(20, 3), table(40, 20))
    few, fewest = attack.generative(table(40, 5)), attack.generative(table(10, 5))
    assert np.isfinite(few).all()
    assert (fewest == 0).all()
    without = Likelihood.of(table(20, 3), table(40, 5))
    assert few == pytest.approx(without.generative(table(40, 20)))


def test_a_model_tells_what_it_joins():
    network, independent = (
        tabsynth.fit(drawn(400, 1).frame, schema=SCHEMA, engine=engine, privacy=tabsynth.NO_PRIVACY)
        for engine in ("bayesian_network", "independent")
    )
    assert ("x", "y") in {tuple(sorted(pair)) for pair in cliques_of(network)}
    assert cliques_of(independent) is None
    table = encode_table(drawn(100, 2))
    with pytest.raises(UsageError, match="not modelled: z"):
        Likelihood.of(table, table, cliques=(("x", "z"),))


def test_cliques_too_large_to_count_are_left_out(monkeypatch):
    monkeypatch.setattr(sys.modules["tabsynth.audit.likelihood"], "MOST_CELLS", 3)
    table = levels("ab", "ab")
    assert Likelihood.of(table, table, cliques=(("a", "b"),)).of_cliques(table).tolist() == [0, 0]
    assert strongest_pairs(Cut.of(table).cells(table)) == (("a",), ("b",))
