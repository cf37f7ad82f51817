"""Ranks of exposure and groups of people, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tabsynth.audit.exposure import exposure_of
from tabsynth.audit.split import Candidates
from tabsynth.audit.subgroups import MIN_ROWS, OTHER, POOLED, subgroups_of
from tabsynth.encode import EncodedTable, encode_table
from tests.unit.metrics.tables import category, number, schema_of, table_of


def candidates(n_members: int, n_others: int) -> Candidates:
    n = n_members + n_others
    return Candidates(
        EncodedTable(n, {}), np.repeat([True, False], [n_members, n_others]), np.zeros(n, dtype=np.bool_)
    )


def test_bits_by_hand():
    # two members and three others; a member above all others: 1 of 4; the second above one: (2 + 1) of 4
    scores = np.array([9.0, 2.0, 1.0, 3.0, 5.0])
    found = exposure_of({"a": scores}, candidates(2, 3))
    assert [exposed.bits for exposed in found.top] == pytest.approx([2.0, np.log2(4 / 3)])
    # the others: 5 is one of three, 3 the second
    assert [exposed.bits_non_member for exposed in found.top] == pytest.approx([np.log2(3), np.log2(3 / 2)])
    assert found.most_bits == 2.0
    assert found.bands == ()  # too few for a band of ten


def test_the_attack_in_which_somebody_stands_out_most_is_named():
    told, blind = np.array([9.0, 0.0, 1.0, 3.0]), np.array([0.0, 4.0, 1.0, 3.0])
    found = exposure_of({"told": told, "blind": blind}, candidates(2, 2))
    assert [exposed.attack for exposed in found.top] == ["told", "blind"]


def test_bands_count_members_among_the_most_exposed():
    n = 1_000
    scores = np.concatenate([np.full(20, 100.0), np.zeros(n - 20), np.linspace(-1, 1, n)])
    found = exposure_of({"a": scores}, candidates(n, n))
    band = next(band for band in found.bands if band.share == 0.01)
    assert (band.members.hits, band.members.n, band.chance) == (20, 20, 0.5)
    assert found.top[0].n_attacks == 1
    assert [exposed.rank for exposed in found.top] == list(range(1, 11))


@pytest.mark.parametrize("n_values", [40, None], ids=["equal scores", "no equal scores"])
def test_bands_of_scores_that_tell_nothing_hold_members_by_chance(n_values: int | None):
    """40 batteries of 8 attacks: 400 people in the bands of ten, 4,000 in those of a hundred, half of them members.

    Four standard errors either way: missed by chance with 1e-4.
    """
    hits: dict[float, int] = {}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        scores = {
            f"a{k}": rng.normal(size=10_000)
            if n_values is None
            else rng.integers(n_values, size=10_000) * 1.0
            for k in range(8)
        }
        for band in exposure_of(scores, candidates(5_000, 5_000)).bands:
            hits[band.share] = hits.get(band.share, 0) + band.members.hits
    assert hits[0.001] == pytest.approx(200, abs=40)
    assert hits[0.01] == pytest.approx(2_000, abs=127)


def test_validation_rows_take_no_part():
    side = candidates(3, 3)
    side = Candidates(side.rows, side.is_member, np.array([True, False, False] * 2))
    found = exposure_of({"a": np.array([99.0, 1.0, 2.0, 98.0, 0.0, 5.0])}, side)
    assert len(found.top) == 2
    assert found.most_bits == pytest.approx(np.log2(3))


SCHEMA = schema_of(category("c", "abr"), number("x"), category("many", [f"l{k}" for k in range(20)]))


def people(n: int = 900) -> Candidates:
    """Either side: 400 of level a, then b, and 20 of r; x rises by row."""
    cells = {
        "c": (["a"] * 400 + ["b"] * (n - 420) + ["r"] * 20) * 2,
        "x": list(np.arange(float(n))) * 2,
        "many": ["l0"] * 2 * n,
    }
    table = encode_table(table_of(SCHEMA, cells))
    is_member = np.repeat([True, False], n)
    return Candidates(table, is_member, np.tile(np.arange(n) % 3 == 0, 2))


def test_groups_by_hand():
    side = people()
    in_a = side.rows.columns["c"].codes == 0
    told = np.where(side.is_member & in_a, 1.0, 0.0)  # of level a all members are told, of others none
    found = subgroups_of({"told": told, "blind": np.zeros(len(told))}, side, side.rows, SCHEMA, roles=())
    assert [(group.column, group.level) for group in found] == [
        ("c", "a"),
        ("c", "b"),
    ]  # r is too small to be pooled
    first, second = found
    assert (first.attack.value, first.control.value, first.risk) == (1.0, 0.0, 1.0)
    assert second.attack.value == 0.0
    n, m = first.attack.n, first.control.n
    assert (n, m) == (266, 266)
    wanted = stats.fisher_exact([[n, 0], [0, m]], alternative="greater").pvalue
    assert first.p_value == pytest.approx(2 * wanted)
    assert first.attack_name == "told"
    assert second.p_value == 1.0


def test_columns_with_a_role_come_first_and_numbers_fall_in_quarters():
    side = people()
    scores = {"blind": np.random.default_rng(1).normal(size=side.rows.n_rows)}
    found = subgroups_of(scores, side, side.rows, SCHEMA, roles=("x", "many"))
    assert [group.level for group in found] == [
        "lowest quarter",
        "second quarter",
        "third quarter",
        "highest quarter",
        "l0",
    ]
    assert all(group.attack.n == 150 for group in found[:4])


def test_small_levels_are_pooled_where_they_suffice_together():
    n = 600
    levels = ["a"] * 200 + [f"b{k}" for k in range(4) for _ in range(100)]
    schema = schema_of(category("c", ["a", "b0", "b1", "b2", "b3"]))
    table = encode_table(table_of(schema, {"c": levels * 2}))
    kept = np.tile(np.arange(n) % 3 == 0, 2)
    side = Candidates(table, np.repeat([True, False], n), ~kept)  # 66 of a, 33 or 34 of each other
    found = subgroups_of({"s": np.zeros(2 * n)}, side, table, schema, roles=())
    assert [group.level for group in found] == ["a", POOLED]
    assert all(group.control.n >= MIN_ROWS for group in found)


def test_null_and_undeclared_levels_are_named_without_a_cell():
    schema = schema_of(category("c", "a", nullable=True))
    table = encode_table(table_of(schema, {"c": (["a"] * 100 + [None] * 100 + ["zanzibar"] * 100) * 2}))
    side = Candidates(table, np.repeat([True, False], 300), np.tile(np.arange(300) % 3 == 0, 2))
    found = subgroups_of({"s": np.zeros(600)}, side, table, schema, roles=("c",))
    assert [group.level for group in found] == ["a", "missing", OTHER]
