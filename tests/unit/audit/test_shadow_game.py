"""Who is attacked, and what the shadow tables are made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tabsynth.audit.shadow.game import Game
from tabsynth.audit.shadow.targets import choose, isolation
from tabsynth.encode import encode_table
from tabsynth.errors import DataError, UsageError
from tabsynth.metrics.proximity import Space
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind
from tabsynth.table import Table
from tests.unit.audit.tables import PERSONS, drawn, persons
from tests.unit.metrics.tables import schema_of


def game(n_rows: int | None = 200, seed: int = 0, n_each: int = 3) -> Game:
    return Game.of(drawn(400, 1), drawn(300, 2), n_rows=n_rows, n_each=n_each, streams=Streams(seed))


def test_isolation_is_the_mean_distance_to_five_others():
    table = encode_table(drawn(60, 4))
    rows = Space.of(table, [table]).embed(table)
    apart = np.sqrt(((rows[:, None] - rows[None]) ** 2).sum(axis=2))
    np.fill_diagonal(apart, np.inf)
    wanted = np.sort(apart, axis=1)[:, :5].mean(axis=1)
    assert isolation(table, np.arange(60), streams=Streams(0)) == pytest.approx(wanted, abs=1e-6)


def test_rows_of_the_same_person_are_no_neighbours():
    table = encode_table(persons(np.repeat(np.arange(12), 5), 1))
    units = np.repeat(np.arange(12), 5)
    rows = Space.of(table, [table]).embed(table)
    apart = np.sqrt(((rows[:, None] - rows[None]) ** 2).sum(axis=2))
    apart[units[:, None] == units] = np.inf
    wanted = np.sort(apart, axis=1)[:, :5].mean(axis=1)
    assert isolation(table, units, streams=Streams(0)) == pytest.approx(wanted, abs=1e-6)


def test_the_most_isolated_come_first_and_nobody_twice():
    far = np.array([0.5, 9.0, 1.0, 7.0, 8.0, np.nan, 2.0, 3.0, 0.1, 0.2])
    units = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 8])
    chosen = choose(far, units, n_each=2, streams=Streams(0))
    assert chosen.targets[:2].tolist() == [1, 4]
    assert chosen.nulls[:2].tolist() == [3, 7]
    assert len({*chosen.targets, *chosen.nulls}) == 8
    person = choose(far, np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 1]), n_each=1, streams=Streams(0))
    assert person.targets[0] == 1


def test_a_shadow_table_is_pool_rows_and_the_targets_whose_coin_says_so():
    played = game()
    assert all(unit < 400 for unit in (*played.chosen.targets, *played.chosen.nulls))
    for fit in range(30):
        rows = played.rows(fit)
        labels = played.labels(fit)
        assert len(set(rows.tolist())) == len(rows) == 200 - 6 // 2 + labels.sum()
        assert [target[0] in rows for target in played.targets] == labels.tolist()
        assert not set(played.chosen.nulls) & set(rows)
        assert played.table(fit).frame.equals(played.real.frame[rows])
    labels = np.array([played.labels(fit) for fit in range(400)])
    # 400 fair coins for each of 6: a share beyond .5 ± .125 has a probability of 6 × 6e-7
    assert np.abs(labels.mean(axis=0) - 0.5).max() < 0.125
    assert np.abs(np.corrcoef(labels.T) - np.eye(6)).max() < 0.25  # five errors of .05


def test_the_rest_of_a_table_does_not_hang_on_any_coin(monkeypatch: pytest.MonkeyPatch):
    played, target = game(), game().targets[0]
    before = set(played.rows(3).tolist())
    flipped = played.labels(3).copy()
    flipped[0] = not flipped[0]
    monkeypatch.setattr(Game, "labels", lambda _self, _fit: flipped)
    assert before ^ set(game().rows(3).tolist()) == set(target.tolist())


def test_tables_and_seeds_follow_from_the_seed_alone():
    assert game().rows(5).tolist() == game().rows(5).tolist()
    assert game().rows(5).tolist() != game().rows(6).tolist()
    assert game().rows(5).tolist() != game(seed=1).rows(5).tolist()
    assert game().seed(5) == game().seed(5) != game().seed(6)
    assert game().null_labels(5).tolist() != game().labels(5).tolist()  # equal with 2^-6; the seed is fixed


def test_persons_are_in_or_out_with_all_their_rows():
    ids = np.repeat(np.arange(300), 2)
    nobody = persons(ids, 1).frame.with_columns(
        p=pl.when(pl.int_range(pl.len()) < 20).then(None).otherwise("p")
    )
    train, holdout = Table(PERSONS, nobody), persons(np.repeat(np.arange(300, 600), 2), 2)
    played = Game.of(train, holdout, n_rows=300, n_each=3, streams=Streams(0))
    assert all(len(target) == 2 and target.min() >= 20 for target in played.targets)
    for fit in range(5):
        rows = played.rows(fit)
        assert abs(len(rows) - (300 - 6 + 2 * played.labels(fit).sum())) <= 1
        named = played.real.frame["p"][rows].drop_nulls()
        assert set(named.value_counts()["count"]) == {2}


def test_the_size_is_trains_or_half_of_the_pool():
    assert game(None).n_rows == (700 - 12) // 2
    whole = Game.of(drawn(300, 1), drawn(900, 2), n_rows=None, n_each=3, streams=Streams(0))
    assert whole.n_rows == 300


@pytest.mark.parametrize("n_rows", [99, 345])
def test_other_sizes_are_refused(n_rows: int):
    with pytest.raises(UsageError, match=f"100 to 344 rows.*found {n_rows}"):
        game(n_rows)


def test_too_few_rows_or_persons_on_both_sides_are_refused():
    with pytest.raises(DataError, match="train: 150 rows, needs 200"):
        Game.of(drawn(150, 1), drawn(300, 2), n_rows=None, n_each=3, streams=Streams(0))
    with pytest.raises(DataError, match="needs 241"):
        game(n_each=60) and Game.of(drawn(240, 1), drawn(300, 2), n_rows=None, n_each=60, streams=Streams(0))
    both = persons(np.arange(250), 1), persons(np.arange(249, 500), 2)
    with pytest.raises(DataError, match="1 persons are in both"):
        Game.of(*both, n_rows=None, n_each=3, streams=Streams(0))


def test_a_table_without_modelled_columns_is_refused():
    schema = schema_of(Column(name="note", kind=Kind.TEXT, dtype="string", format="sentence"))
    schema = replace(schema, columns=tuple(replace(column, nullable=False) for column in schema.columns))
    table = Table.conform(pl.DataFrame({"note": [f"n{k}" for k in range(250)]}), schema)
    with pytest.raises(UsageError, match="no column that is modelled"):
        Game.of(table, table, n_rows=None, n_each=3, streams=Streams(0))
