import numpy as np
import polars as pl
import pytest

from tabsynth.encode.surrogate import Surrogate, pool_size
from tabsynth.errors import UsageError
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Generator, Kind


def test_unique_identifiers_never_repeat_across_blocks():
    surrogate = Surrogate(Column(name="id", kind=Kind.IDENTIFIER, dtype="int64", unique=True))
    parts = [
        surrogate.make(30, start, 10, streams=Streams(1), block=b) for b, start in enumerate((0, 10, 20))
    ]
    assert pl.concat(parts).to_list() == list(range(1, 31))


def test_masks_count_through_digits_and_letters():
    surrogate = Surrogate(Column(name="id", kind=Kind.IDENTIFIER, dtype="string", unique=True, format="P-?#"))
    assert surrogate.make(12, 0, 12, streams=Streams(1), block=0).to_list() == [
        *(f"P-A{digit}" for digit in range(10)),
        "P-B0",
        "P-B1",
    ]


def test_a_mask_that_is_too_short_is_refused():
    surrogate = Surrogate(Column(name="id", kind=Kind.IDENTIFIER, dtype="string", unique=True, format="#"))
    with pytest.raises(UsageError, match="holds 10 identifiers, 11 are needed"):
        surrogate.make(11, 0, 11, streams=Streams(1), block=0)


def test_a_stored_type_that_is_too_small_is_refused():
    surrogate = Surrogate(Column(name="id", kind=Kind.IDENTIFIER, dtype="uint8", unique=True))
    with pytest.raises(UsageError, match="uint8 cannot hold identifiers up to 300"):
        surrogate.make(300, 0, 300, streams=Streams(1), block=0)


def test_persons_with_several_rows_repeat_about_as_often_as_asked():
    column = Column(name="patient", kind=Kind.IDENTIFIER, dtype="int64")
    made = Surrogate(column, 0.7).make(20_000, 0, 20_000, streams=Streams(5), block=0)
    # distinct share has standard deviation below 0.003; ten of them
    assert made.n_unique() / 20_000 == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("n_distinct", [1, 50, 99])
def test_pool_size_by_simulation(n_distinct):
    pool = pool_size(n_distinct, 100)
    rng = np.random.default_rng(0)
    mean = np.mean([len(np.unique(rng.integers(pool, size=100))) for _ in range(2000)])
    assert mean == pytest.approx(n_distinct, abs=0.6)


def test_a_text_is_masked_until_its_generator_writes_it():
    surrogate = Surrogate(Column(name="t", kind=Kind.TEXT, dtype="string", format="email"))
    assert surrogate.make(3, 0, 3, streams=Streams(3), block=0).to_list() == ["***"] * 3


def test_an_identifier_with_a_generator_gets_its_number():
    column = Column(
        name="i", kind=Kind.IDENTIFIER, dtype="string", unique=True, generator=Generator(make="uuid")
    )
    assert Surrogate(column).make(9, 4, 2, streams=Streams(3), block=0).to_list() == ["5", "6"]


def test_numbers_are_those_that_cells_are_made_of():
    for surrogate in (
        Surrogate(Column(name="id", kind=Kind.IDENTIFIER, dtype="string", unique=True, format="P-###")),
        Surrogate(Column(name="id", kind=Kind.IDENTIFIER, dtype="string", format="P-###"), 0.5),
    ):
        where = {"streams": Streams(4), "block": 2}
        numbers = surrogate.numbers(200, 40, 30, **where)
        assert surrogate.make(200, 40, 30, **where).to_list() == [f"P-{number - 1:03}" for number in numbers]
    counted = Surrogate(Column(name="id", kind=Kind.IDENTIFIER, dtype="int64"))  # all distinct
    assert counted.numbers(200, 40, 3, **where).tolist() == [41, 42, 43]
    assert counted.numbered(np.array([7, 7, 9])).to_list() == [7, 7, 9]
