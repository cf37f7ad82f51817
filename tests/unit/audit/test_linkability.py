"""Links by hand and by brute force; halves by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tabsynth.audit import linkability as module
from tabsynth.audit.linkability import Halves, halves_of, linkability, mutual_information
from tabsynth.audit.split import Candidates, stack
from tabsynth.encode import encode_table
from tests.unit.audit.tables import drawn
from tests.unit.metrics.tables import category, number, schema_of, table_of

NUMBERS = schema_of(number("x"), number("y"))
XY = Halves(("x",), ("y",), "by hand")


def of(x: list[float], y: list[float]):
    return encode_table(table_of(NUMBERS, {"x": x, "y": y}))


def people(members, others) -> Candidates:
    is_member = np.repeat([True, False], [members.n_rows, others.n_rows])
    return Candidates(stack([members, others]), is_member, np.zeros(len(is_member), dtype=np.bool_))


def test_links_by_hand():
    release = of([0.0, 1.0, 2.0], [0.0, 1.0, 2.0])
    # (0.1, 0.2): row 0 is nearest by both; (0.9, 2.1): rows 1 and 2; (1.6, 1.7): row 2 by both; (0.1, 1.1): 0 and 1
    asked = people(of([0.1, 0.9], [0.2, 2.1]), of([1.6, 0.1], [1.7, 1.1]))
    (found,) = linkability(release, asked, XY, seed=0)
    assert (found.attack.hits, found.attack.n) == (1, 2)
    assert (found.control.hits, found.control.n) == (1, 2)
    assert (found.known, found.columns, found.reason) == (("x",), ("y",), "by hand")


def test_equally_near_rows_all_count():
    release = of([0.0, 0.0, 5.0], [3.0, 1.0, 3.0])
    (found,) = linkability(release, people(of([0.0], [1.0]), of([0.0], [3.0])), XY, seed=0)
    assert (found.attack.hits, found.control.hits) == (1, 1)


def test_links_are_brute_force_across_blocks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_CELLS", 150)
    rng = np.random.default_rng(1)
    release, members, others = (rng.normal(size=(n, 2)) for n in (40, 30, 20))
    tables = [of(list(rows[:, 0]), list(rows[:, 1])) for rows in (release, members, others)]
    (found,) = linkability(tables[0], people(*tables[1:]), XY, seed=0)
    for rows, tally in ((members, found.attack), (others, found.control)):
        # one column each, so nearest in position is nearest in number where none lies in the outer hundredths
        nearest = [np.abs(release[:, k] - rows[:, None, k]).argmin(axis=1) for k in (0, 1)]
        assert abs(int((nearest[0] == nearest[1]).sum()) - tally.hits) <= 1


def test_copies_are_linked_and_shuffled_halves_are_not():
    train, holdout = (encode_table(drawn(300, seed)) for seed in (1, 2))
    halves = halves_of(stack([train, holdout]), ())
    (found,) = linkability(train, people(train, holdout), halves, seed=1)
    assert found.attack.hits == 300
    assert found.control.hits < 150
    assert found.baseline.hits < 150


def test_quasi_identifiers_are_one_half():
    table = encode_table(drawn(50, 1))
    halves = halves_of(table, ("k", "c"))
    assert (halves.first, halves.second) == (("k", "c"), ("x", "y"))
    assert "quasi-identifiers" in halves.how


def test_other_columns_are_dealt_by_dependence():
    table = encode_table(drawn(2_000, 1))  # x and y hang together, k and c on nothing
    halves = halves_of(table, ())
    assert {halves.first[0], halves.second[0]} == {"x", "y"}
    assert halves_of(table, ("x", "y", "k", "c")).how == halves.how  # no other column is left to be linked


def test_mutual_information_by_hand():
    one = np.array([0, 0, 1, 1])
    assert mutual_information(one, one) == pytest.approx(np.log(2))
    assert mutual_information(one, np.array([0, 1, 0, 1])) == pytest.approx(0.0)
    assert mutual_information(one, np.array([0, 0, 0, 1])) == pytest.approx(
        0.5 * np.log(0.5 / (0.5 * 0.75))
        + 0.25 * np.log(0.25 / (0.5 * 0.75))
        + 0.25 * np.log(0.25 / (0.5 * 0.25))
    )


def test_one_column_has_no_halves():
    table = encode_table(table_of(schema_of(category("c")), {"c": list("abc")}))
    (found,) = linkability(table, people(table, table), halves_of(table, ()), seed=0)
    assert (found.was_put, found.reason) == (False, "needs two columns that are modelled")
