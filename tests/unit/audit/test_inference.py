"""Guesses of secrets by hand, and a planted secret that only members share."""

from __future__ import annotations

import numpy as np
import pytest

from tabsynth.audit.inference import MAX_NAMED, MAX_UNNAMED, Guess, Secret, inferences, secrets_of
from tabsynth.audit.split import Candidates, stack
from tabsynth.encode import EncodedTable, encode_table
from tests.unit.metrics.tables import category, integer, number, schema_of, table_of

SCHEMA = schema_of(number("x", nullable=True), category("s", "abc"))


def of(x: list[float | None], s: str) -> EncodedTable:
    return encode_table(table_of(SCHEMA, {"x": x, "s": list(s)}))


def people(members: EncodedTable, others: EncodedTable) -> Candidates:
    is_member = np.repeat([True, False], [members.n_rows, others.n_rows])
    return Candidates(stack([members, others]), is_member, np.zeros(len(is_member), dtype=np.bool_))


def asked(release: EncodedTable, persons: Candidates, name: str):
    secret = Secret.of(name, persons.rows)
    return [call()[0] for call in inferences(release, persons, secret, seed=1)]


def test_the_nearest_row_tells_the_level_by_hand():
    release = of([0.0, 5.0, 9.0], "abc")
    members, others = of([1.0, 6.0, 8.0], "abb"), of([4.0, 9.0], "ca")
    nearest, _ = asked(release, people(members, others), "s")
    assert (nearest.attack.hits, nearest.attack.n) == (2, 3)  # a and b are right, c is not
    assert (nearest.control.hits, nearest.control.n) == (0, 2)  # b for c, c for a
    assert nearest.baseline.hits == 1  # the commonest, and first, of a a b b c is a
    assert (nearest.columns, nearest.known) == (("s",), ("x",))


def test_a_number_is_right_within_the_tolerance_and_a_null_is_a_level():
    rows = of([0.0, 100.0, 50.0, None, None], "aaaaa")
    secret = Secret("x", 2.0, Secret.of("x", rows).blind, Secret.of("x", rows).labels)
    guess = Guess(np.array([0, 0, 0, 1, 0]), np.array([2.0, 97.9, 52.0, 0.0, 0.0]))
    assert secret.is_right(guess, rows.columns["x"]).tolist() == [True, False, True, True, False]
    assert secret.is_right(secret.blind, rows.columns["x"]).tolist() == [False, False, True, False, False]


def test_the_tolerance_is_a_share_of_the_inner_range():
    rows = of(list(np.linspace(0, 100, 101)), "a" * 101)
    assert Secret.of("x", rows).tolerance == pytest.approx(0.05 * 98)


def test_learners_guess_what_depends_and_no_more_of_members():
    rng = np.random.default_rng(1)

    def drawn(n: int) -> EncodedTable:
        x = rng.normal(size=n)
        return of(list(x), "".join("abc"[int(k)] for k in (x > -0.4).astype(int) + (x > 0.4)))

    _, level = asked(drawn(600), people(drawn(300), drawn(300)), "s")
    _, value = asked(drawn(600), people(drawn(300), drawn(300)), "x")
    assert level.attack.hits > 280
    assert level.control.hits > 280
    assert level.baseline.hits < 150
    assert value.attack.hits > value.baseline.hits  # the median of a third against that of all


def test_a_memorised_secret_is_guessed_of_members_alone():
    # the secret is pure chance, 1 of 3: of 200 others 67 are expected, of variance 44; the release is train
    rng = np.random.default_rng(2)

    def drawn(n: int) -> EncodedTable:
        return of(list(rng.normal(size=n)), "".join(rng.choice(list("abc"), n)))

    train, holdout = drawn(200), drawn(200)
    nearest, _ = asked(train, people(train, holdout), "s")
    assert nearest.attack.hits == 200
    assert nearest.control.hits < 100


def test_secrets_are_the_named_ones_or_the_hardest_to_guess():
    columns = [category(f"c{k}", "ab") for k in range(8)]
    cells = {f"c{k}": ["a"] * (40 - 2 * k) + ["b"] * (2 * k) for k in range(8)}
    table = encode_table(table_of(schema_of(*columns), cells))
    assert [secret.name for secret in secrets_of(table, ())] == ["c7", "c6", "c5"][:MAX_UNNAMED]
    named = tuple(f"c{k}" for k in range(8))
    # the first column is the same for all, so nobody's secret
    assert [secret.name for secret in secrets_of(table, named)] == ["c1", "c2", "c3", "c4", "c5"][:MAX_NAMED]


def test_what_cannot_be_asked_says_why():
    levels = [f"l{k}" for k in range(30)]
    schema = schema_of(category("s", levels), number("x"))
    cells = {"s": levels * 2, "x": list(np.arange(60.0))}
    table = encode_table(table_of(schema, cells))
    _, learner = asked(table, people(table, table), "s")
    assert (learner.was_put, learner.reason) == (False, "30 levels in the release; up to 20 can be learnt")
    empty = of([None] * 3, "abc")
    _, learner = asked(empty, people(of([1.0, 2.0], "ab"), of([1.0], "a")), "x")
    assert learner.reason == "the release has no number in this column"
    alone = encode_table(table_of(schema_of(integer("k")), {"k": [1, 2, 3]}))
    assert inferences(alone, people(alone, alone), Secret.of("k", alone), seed=0) == []
