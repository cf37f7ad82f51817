"""Keys that repeat and exchange cells: every column keeps its cells, and no key is given twice."""

from collections import Counter

import numpy as np
import polars as pl
import pytest

from tabsynth.constraints.key_exchange import Listed, exchanged

KEY = Listed(
    (
        pl.Series("year", [2010, 2011, 2012]),
        pl.Series("town", ["u", "v", "w", "x"]),
        pl.Series("hour", list(range(24))),
    )
)
NAMES = list(KEY.names)


def rows(n, seed=0):
    """Rows with independent cells: of 288 keys many are given twice."""
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "year": rng.choice([2010, 2011, 2012], n, p=[0.5, 0.3, 0.2]),
            "town": rng.choice(list("uvwx"), n),
            "hour": rng.integers(0, 24, n),
            "heat": rng.random(n),
        }
    )


def repeats(frame, is_free=None):
    """Rows that have the key of one before them, or one that is not free."""
    found = ~frame.select(pl.struct(NAMES).is_first_distinct()).to_series().to_numpy()
    if is_free is not None:
        found |= ~is_free[KEY.numbers(KEY.positions(frame))]
    return np.flatnonzero(found)


def cells(frame):
    return {name: Counter(frame[name].to_list()) for name in frame.columns}


def hold(frame, is_free, able=NAMES, seed=0):
    return exchanged(KEY, frame, repeats(frame, is_free), is_free, able=able, rng=np.random.default_rng(seed))


def test_a_key_is_one_number():
    every = pl.DataFrame(KEY.values[0]).join(pl.DataFrame(KEY.values[1]), how="cross").join(pl.DataFrame(KEY.values[2]), how="cross")  # fmt: skip
    assert KEY.numbers(KEY.positions(every)).tolist() == list(range(288))
    assert KEY.free(every[[3, 200]]).nonzero()[0].tolist() == [3, 200]
    strange = pl.DataFrame({"year": [2010, None, 1999], "town": ["u", "v", "z"], "hour": [0, 1, 2]})
    assert KEY.positions(strange).tolist() == [[0, -1, -1], [0, 1, -1], [0, 1, 2]]


@pytest.mark.parametrize("n", [40, 120])
def test_all_repeats_go_and_every_column_keeps_its_cells(n):
    """Up to two fifths of all keys are used, so there is always room."""
    frame, is_free = rows(n), np.ones(288, dtype=np.bool_)
    made, left = hold(frame, is_free)
    assert len(repeats(frame)) > 0
    assert len(left) == len(repeats(made)) == 0
    assert cells(made) == cells(frame)
    assert made["heat"].equals(frame["heat"])


def test_keys_that_are_not_free_are_not_given():
    is_free = np.random.default_rng(3).random(288) < 0.7
    frame = rows(60)
    made, left = hold(frame, is_free)
    assert len(repeats(frame, is_free)) > 15
    assert len(left) == len(repeats(made, is_free)) == 0
    assert cells(made) == cells(frame)


def test_columns_that_are_fixed_stay():
    frame = rows(60)
    made, left = hold(frame, np.ones(288, dtype=np.bool_), able=["hour"])
    assert made.drop("hour").equals(frame.drop("hour"))
    assert len(left) == len(repeats(made)) == 0
    same, left = hold(frame, np.ones(288, dtype=np.bool_), able=[])
    assert same.equals(frame)
    assert len(left) == len(repeats(frame))


def test_what_has_no_room_is_given_back():
    """Nothing but keys of one year and town: 24 of them, for 30 rows."""
    frame = rows(30).with_columns(year=pl.lit(2010), town=pl.lit("u"))
    made, left = hold(frame, np.ones(288, dtype=np.bool_))
    assert cells(made) == cells(frame)
    assert set(left.tolist()) == set(repeats(frame).tolist())
    same, left = hold(frame, np.ones(288, dtype=np.bool_), able=["hour"])  # whose turn comes every time
    assert cells(same) == cells(frame)
    assert len(left) == len(repeats(frame))


def test_rows_with_a_missing_cell_have_no_key_and_stay():
    frame = rows(50).with_columns(hour=pl.when(pl.int_range(pl.len()) < 9).then(None).otherwise("hour"))
    left = repeats(frame[9:]) + 9
    is_free = np.ones(288, dtype=np.bool_)
    made, left = exchanged(KEY, frame, left, is_free, able=NAMES, rng=np.random.default_rng(0))
    assert made[:9].equals(frame[:9])
    assert len(left) == len(repeats(made[9:])) == 0
