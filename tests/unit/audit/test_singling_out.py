"""Predicates by hand, and whom they isolate by brute force."""

from __future__ import annotations

import numpy as np

from tabsynth.audit import singling_out as module
from tabsynth.audit.singling_out import isolated_by, singling_out
from tabsynth.audit.split import Candidates, stack
from tabsynth.encode import encode_table
from tests.unit.audit.tables import drawn
from tests.unit.metrics.tables import category, number, schema_of, table_of

SCHEMA = schema_of(number("x"), category("c", "abcdef"), category("d", "pq"))


def table(x: list[float], c: str, d: str):
    return encode_table(table_of(SCHEMA, {"x": x, "c": list(c), "d": list(d)}))


def people(members, others) -> Candidates:
    n = members.n_rows + others.n_rows
    is_member = np.repeat([True, False], [members.n_rows, others.n_rows])
    return Candidates(stack([members, others]), is_member, np.zeros(n, dtype=np.bool_))


def test_a_predicate_isolates_whom_it_fits_alone():
    found = isolated_by(np.array([1, 2, 7]), np.array([0, 1, 2, 2, 3, 9]))
    assert found.tolist() == [False, True, False, False, False, False]


def test_one_attribute_by_hand():
    # alone in the release: 3.0, 9.0, level c, level q. Extremes: at least 9, at most 1
    release = table([1.0, 1.0, 3.0, 9.0], "aaac", "pppq")
    members = table([3.0, 5.0, 12.0, 2.0], "abac", "pppp")
    others = table([5.0, 2.0, 2.0], "aac", "ppp")
    found, _ = singling_out(release, release, people(members, others), seed=0)
    # 3.0 is the first member's alone, and nobody but the third is at 9 or above; two people have level c
    assert (found.attack.hits, found.attack.n) == (2, 4)
    assert (found.control.hits, found.control.n) == (0, 3)


def test_lowest_numbers_isolate_too():
    release = table([4.0, 4.0, 9.0, 9.0], "aaaa", "pppp")
    found, _ = singling_out(
        release, release, people(table([5.0, 6.0], "ab", "pp"), table([4.0, 7.0], "ab", "pq")), seed=0
    )
    assert (found.attack.hits, found.control.hits) == (0, 1)


def test_several_attributes_by_hand(monkeypatch):
    # three rows share each level, and one row alone is (b, q): its predicate isolates whoever is that alone
    monkeypatch.setattr(module, "N_ORDERS", 1)
    schema = schema_of(category("c", "ab"), category("d", "pq"))

    def of(c: str, d: str):
        return encode_table(table_of(schema, {"c": list(c), "d": list(d)}))

    release = of("aaabbb", "pqqppq")  # (a, p) and (b, q) are held once
    _, found = singling_out(release, release, people(of("abb", "qqp"), of("aaa", "ppq")), seed=0)
    assert (found.attack.hits, found.control.hits) == (1, 0)  # two are (a, p), one is (b, q)


def test_several_attributes_are_brute_force(monkeypatch):
    monkeypatch.setattr(module, "N_ORDERS", 1)
    rng = np.random.default_rng(1)
    schema = schema_of(*(category(name, "abc") for name in "uvw"))

    def of(n: int):
        return encode_table(table_of(schema, {name: list(rng.choice(list("abc"), n)) for name in "uvw"}))

    release, members, others = of(25), of(12), of(12)
    asked = people(members, others)
    _, found = singling_out(release, release, asked, seed=3)
    order = [list("uvw")[k] for k in np.random.default_rng(3).permutation(3)]
    rows, persons = (
        np.stack([t.columns[name].codes for name in order], axis=1) for t in (release, asked.rows)
    )
    isolated = set()
    for row in rows:
        for size in (2, 3):
            if (rows[:, :size] == row[:size]).all(axis=1).sum() == 1:
                fits = np.flatnonzero((persons[:, :size] == row[:size]).all(axis=1))
                isolated |= set(fits.tolist()) if len(fits) == 1 else set()
                break
    assert isolated
    assert found.attack.hits == sum(person < 12 for person in isolated)
    assert found.control.hits == sum(person >= 12 for person in isolated)


def test_copies_are_singled_out_and_others_are_not():
    train, holdout = (encode_table(drawn(200, seed)) for seed in (1, 2))
    one, several = singling_out(train, train, people(train, holdout), seed=1)
    # every x of train is alone in it; the two extremes may isolate one of the holdout each, and so may a k
    assert one.attack.hits == 200
    assert one.control.hits <= 6
    assert one.baseline.hits <= 20
    assert several.attack.hits > several.control.hits + 20
    assert several.baseline.hits < several.attack.hits


def test_one_column_cannot_be_combined():
    table = encode_table(table_of(schema_of(category("c")), {"c": list("abc")}))
    one, several = singling_out(table, table, people(table, table), seed=0)
    assert one.was_put
    assert (several.was_put, several.reason) == (False, "needs two columns that are modelled")


def test_columns_without_a_number_are_no_obstacle():
    schema = schema_of(number("x", nullable=True), category("c"))
    table = encode_table(table_of(schema, {"x": [None] * 4, "c": list("abca")}))
    one, _ = singling_out(table, table, people(table, table), seed=0)
    assert (one.attack.hits, one.control.hits) == (0, 0)
