"""Answers as arrays: the same when read again, and whatever else is in the arrays refused without a panic."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from tabsynth.privacy.kept_answers import levels, measurements, of_levels, of_measurements
from tabsynth.privacy.marginals import Levels, Measurement

DAY, FIRST, LAST = (
    dt.datetime.fromisoformat(f"{day}.999999")
    for day in ("2020-02-29T23:59:59", "0001-01-01T00:00:00", "9999-12-31T23:59:59")
)
VALUES = {
    "text": pl.Series(["", "b", "ä\n", "\U0001f600"]),
    "no text": pl.Series([], dtype=pl.String),
    "whole": pl.Series([-(2**62), 3]),
    "small": pl.Series([0, 255], dtype=pl.UInt8),
    "largest": pl.Series([1, 2**64 - 1], dtype=pl.UInt64),
    "number": pl.Series([-0.5, 1e300]),
    "single": pl.Series([0.1, 0.2], dtype=pl.Float32),
    "boolean": pl.Series([False, True]),
    "date": pl.Series([dt.date.min, dt.date(2020, 2, 29), dt.date.max]),
    "datetime": pl.Series([FIRST, DAY, LAST]),
    "milliseconds": pl.Series([DAY], dtype=pl.Datetime("ms")),
    "nanoseconds": pl.Series([DAY], dtype=pl.Datetime("ns")),
    "zone": pl.Series([DAY], dtype=pl.Datetime("us", "Pacific/Auckland")),
    "duration": pl.Series([-dt.timedelta(days=3), dt.timedelta(microseconds=1)]),
}
EACH = pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)


def found(values):
    return Levels(values, np.arange(len(values)) + 0.5, n_null=-1.25, variance=3.0)


@EACH
def test_levels_of_any_type_are_kept_as_they_are(values):
    again = levels(of_levels(found(values)), values.dtype)
    assert again.values.equals(values)
    assert again.values.dtype == values.dtype
    assert again.counts.tolist() == found(values).counts.tolist()
    assert (again.n_null, again.variance) == (-1.25, 3.0)


def test_measurements_are_kept_as_they_are():
    kept = [Measurement(np.array(4.5), 2.0), Measurement(np.array([[1.0, -2.0]]), 0.0)]
    again = measurements(of_measurements(kept), [(), (1, 2)])
    assert all(np.array_equal(one.values, two.values) for one, two in zip(kept, again, strict=True))
    assert [one.variance for one in again] == [2.0, 0.0]


def changed(arrays, rng):
    """The arrays with one byte of one of them changed."""
    name = rng.choice([name for name, array in arrays.items() if array.size])
    content = bytearray(arrays[name].tobytes())
    content[rng.integers(len(content))] ^= int(rng.integers(1, 256))
    array = np.frombuffer(bytes(content), arrays[name].dtype).reshape(arrays[name].shape)
    return {**arrays, name: array}


@EACH
def test_forged_bytes_are_an_answer_or_refused(values):
    """Never a panic, which is no `Exception`; what is taken can be written down by whoever asked."""
    arrays, rng, n_refused = of_levels(found(values)), np.random.default_rng(0), 0
    for _ in range(400):
        try:
            read = levels(changed(arrays, rng), values.dtype)
        except ValueError:
            n_refused += 1
            continue
        assert (read.values.dtype, len(read.values)) == (values.dtype, len(values))
        assert len(str(read.values.to_list())) > 0
        assert np.isfinite([*read.counts, read.n_null, read.variance]).all()
    assert n_refused > 0


@pytest.mark.parametrize(
    ("dtype", "numbers"),
    [
        (pl.Date(), [2**31 - 1]),
        (pl.Date(), [-719_163]),
        (pl.Datetime("us"), [2**63 - 1]),
        (pl.Datetime("us"), [-(2**63)]),
        (pl.Datetime("us", "Asia/Tokyo"), [2**63 - 1]),
        (pl.Datetime("us", "Asia/Tokyo"), [253_402_300_799_999_999]),  # the year 10000 in Tokyo
        (pl.Datetime("ms"), [2**62]),
        (pl.Duration("ms"), [2**63 - 1]),
        (pl.Duration("us"), [-(2**63)]),
    ],
    ids=str,
)
def test_times_that_no_calendar_names_are_refused(dtype, numbers):
    kind = np.int32 if dtype == pl.Date else np.int64
    arrays = of_levels(found(pl.Series([0] * len(numbers))))
    with pytest.raises(ValueError, match=r"^$"):
        levels({**arrays, "values": np.array(numbers, kind)}, dtype)


@pytest.mark.parametrize(
    "change",
    [
        {"lengths": np.array([0, 1, 3, 5])},
        {"lengths": np.array([-1, 2, 3, 4])},
        {"lengths": np.array([2**62, 2**62, 2**62, 2**62])},
        {"lengths": np.array([[0, 1, 3, 4]])},
        {"lengths": np.array([0.0, 1.0, 3.0, 4.0])},
        {"lengths": np.array([0, 2, 2, 4])},  # in the middle of a letter
        {"lengths": np.array([1, 0, 3, 4])},  # not ascending
        {"lengths": np.array([0, 0, 4, 4])},  # one text twice
        {"values": np.full(8, 255, np.uint8)},
        {"values": np.zeros(8)},
        {"counts": np.zeros(3)},
        {"counts": np.zeros(4, np.float32)},
        {"counts": np.full(4, np.nan)},
        {"numbers": np.zeros(3)},
        {"numbers": np.array([0.0, -1.0])},
        {"more": np.zeros(1)},
    ],
    ids=str,
)
def test_arrays_that_are_no_levels_are_refused(change):
    with pytest.raises(ValueError, match=r"^$|codec can't decode"):
        levels({**of_levels(found(VALUES["text"])), **change}, pl.String())


def test_numbers_are_those_of_the_column_and_not_of_the_file():
    for dtype in (pl.Int32(), pl.UInt64(), pl.Float64(), pl.Boolean()):
        with pytest.raises(ValueError, match=r"^$"):
            levels(of_levels(found(VALUES["whole"])), dtype)
    with pytest.raises(ValueError, match=r"^$"):
        levels(of_levels(found(pl.Series([0.5, np.inf]))), pl.Float64())
    with pytest.raises(ValueError, match=r"^$"):
        levels({**of_levels(found(VALUES["whole"])), "values": np.zeros((2, 1), np.int64)}, pl.Int64())


@pytest.mark.parametrize("name", ["values", "lengths", "counts", "numbers"])
def test_no_array_may_be_missing(name):
    arrays = of_levels(found(VALUES["text"]))
    del arrays[name]
    with pytest.raises((KeyError, ValueError), match=f"{name}|^$"):
        levels(arrays, pl.String())


@pytest.mark.parametrize(
    "change",
    [
        {"values.0": np.zeros(2)},
        {"values.0": np.zeros(3, np.int64)},
        {"values.0": np.full(3, np.inf)},
        {"variances": np.array([-1.0])},
        {"variances": np.array(1.0)},
        {"values.1": np.zeros(3)},
    ],
    ids=str,
)
def test_arrays_that_are_no_measurements_are_refused(change):
    arrays = of_measurements([Measurement(np.zeros(3), 1.0)])
    with pytest.raises(ValueError, match=r"^$"):
        measurements({**arrays, **change}, [(3,)])
