"""Histories by hand and against brute force: faults planted between the rows of a person, where single rows look right."""

import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tabsynth.metrics.base import Status
from tabsynth.metrics.histories import PersonHistories
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind, PrivacyUnit
from tests.unit.metrics.tables import category, eval_data, integer, number, rows_of, schema_of

MAX_ROWS = 4
PERSON = Column(name="person", kind=Kind.IDENTIFIER, dtype="string", nullable=True)
VISIT = Column(name="visit", kind=Kind.IDENTIFIER, dtype="int64")


def ordered(*columns, order_by="visit", max_rows=MAX_ROWS):
    unit = PrivacyUnit(column="person", max_rows=max_rows, order_by=order_by)
    return replace(schema_of(PERSON, *columns), unit=unit)


SCHEMA = ordered(VISIT, category("c", nullable=True))


def visits(**histories):
    """One person a keyword, whose cells are given in their order; `_` is a null."""
    people = [(name, k, cell) for name, cells in histories.items() for k, cell in enumerate(cells)]
    return {
        "person": [name for name, _, _ in people],
        "visit": [k for _, k, _ in people],
        "c": [None if cell == "_" else cell for _, _, cell in people],
    }


def compute(synthetic, train, holdout, schema=SCHEMA, **options):
    metric = PersonHistories(**options)
    return rows_of(metric.compute(eval_data(schema, synthetic, train, holdout), streams=Streams(0)))


def parts(row):
    return {part.label: part.value for part in row.details}


def test_by_hand():
    """Train goes on aa, ab, a→null, null→null; synthetic aa, ab, ab, bb."""
    train = visits(ann="aab", bob="a__")
    made = visits(cid="aab", dan="abb")
    rows = compute(made, train, train)
    history = rows["history_error", "c"]
    assert history.value == pytest.approx(
        0.5
    )  # aa 1/4 in both, ab 1/4 and 2/4, and 2/4 of train occur nowhere
    assert history.floor == 0.0
    stay = rows["stay_error", "c"]
    assert parts(stay) == pytest.approx({"train": 0.5, "synthetic": 0.5, "holdout": 0.5})
    assert (stay.value, stay.floor) == (0.0, 0.0)
    assert rows["history_error",].value == history.value
    assert rows["rows_per_person_error",].value == 0.0


def test_floors_are_of_the_holdout():
    train, holdout = visits(ann="aa", bob="ab"), visits(eve="aa", fay="a")
    rows = compute(train, train, holdout)
    assert (rows["history_error", "c"].value, rows["history_error", "c"].floor) == (0.0, 0.5)
    assert (rows["stay_error", "c"].value, rows["stay_error", "c"].floor) == (0.0, 0.5)
    assert (rows["rows_per_person_error",].value, rows["rows_per_person_error",].floor) == (0.0, 0.5)


def test_rows_follow_one_another_by_the_order_and_not_as_they_stand():
    train = visits(ann="abc", bob="cab")
    turned = {name: cells[::-1] for name, cells in train.items()}
    assert compute(turned, train, train)["history_error", "c"].value == 0.0
    times = {"visit": [(2, 0, 1)[k] for k in train["visit"]]}  # bca and abc: bc twice, for ab
    assert compute(train | times, train, train)["history_error", "c"].value == 0.25


def test_rows_that_tie_stay_in_their_order():
    train = visits(ann="abc", bob="cab")
    tied = train | {"visit": [7] * 6}
    assert compute(tied, train, train)["history_error", "c"].value == 0.0


def test_identifiers_that_are_text_are_ordered_by_the_number_they_end_in():
    text = Column(name="visit", kind=Kind.IDENTIFIER, dtype="string", nullable=True)
    schema = ordered(text, category("c", nullable=True))
    train = visits(ann="abc") | {"visit": ["10", "2", "9"]}
    as_text, as_numbers = (visits(ann=cells) | {"visit": ["1", "2", "3"]} for cells in ("abc", "bca"))
    assert compute(as_text, train, train, schema)["history_error", "c"].value == 0.5
    assert compute(as_numbers, train, train, schema)["history_error", "c"].value == 0.0
    last = visits(ann="abc") | {"visit": [None, "1", "2"]}  # a null comes last
    assert compute(last, train, train, schema)["history_error", "c"].value == 0.0


def test_dates_that_are_stored_as_text_are_ordered_in_time():
    day = Column(name="visit", kind=Kind.DATE, dtype="string", format="%d.%m.%Y", nullable=True)
    schema = ordered(day, category("c", nullable=True))
    train = visits(ann="abc") | {"visit": ["28.02.2023", "01.03.2023", "02.01.2024"]}
    plain = visits(ann="abc") | {"visit": ["01.01.2024", "02.01.2024", None]}
    assert compute(plain, train, train, schema)["history_error", "c"].value == 0.0


def test_rows_whose_person_is_null_are_persons_of_their_own():
    train = visits(ann="aa", bob="b")
    made = visits(ann="aa", bob="bcb")
    made["person"] = ["x", "x", None, None, None]
    rows = compute(made, train, train)
    assert rows["history_error", "c"].value == 0.0
    assert rows["rows_per_person_error",].value == pytest.approx(abs(3 / 4 - 1 / 2))


def test_more_rows_than_max_rows_count_as_max_rows():
    train = visits(ann="aaaaaaa", bob="a")
    assert compute(visits(cid="aaaa", dan="a"), train, train)["rows_per_person_error",].value == 0.0
    assert compute(visits(cid="aaa", dan="a"), train, train)["rows_per_person_error",].value == 0.5


def test_numbers_are_cut_at_deciles_of_train_and_stay_only_if_they_are_equal():
    """Against brute force, with nulls and a special value as cells of their own."""
    rng = np.random.default_rng(0)
    schema = ordered(VISIT, integer("k", nullable=True, special_values=(-1,)))

    def table(n, step):
        people = [f"p{k}" for k in rng.integers(0, n // 3, n)]
        cells = np.cumsum(rng.integers(-step, step + 1, n)) % 400
        k = [
            None if u < 0.1 else -1 if u < 0.2 else int(x) for u, x in zip(rng.random(n), cells, strict=True)
        ]
        return {"person": people, "visit": rng.permutation(n).tolist(), "k": k}

    def pairs(cells):
        rows = sorted(zip(cells["person"], cells["visit"], cells["k"], strict=True), key=lambda row: row[:2])
        return [(one[2], two[2]) for one, two in pairwise(rows) if one[0] == two[0]]

    train, made, holdout = table(600, 5), table(500, 90), table(550, 5)
    numbers = [k for k in train["k"] if k is not None and k >= 0]
    edges = np.unique(np.quantile(numbers, np.arange(1, 10) / 10, method="inverted_cdf"))

    def cell(k):
        return str(k) if k is None or k == -1 else int(np.searchsorted(edges, k, side="right"))

    def shares(cells):
        found = Counter((cell(one), cell(two)) for one, two in pairs(cells))
        return {key: n / found.total() for key, n in found.items()}

    def distance(cells):
        real, other = shares(train), shares(cells)
        return sum(abs(real.get(key, 0) - other.get(key, 0)) for key in real | other) / 2

    rows = compute(made, train, holdout, schema)
    assert rows["history_error", "k"].value == pytest.approx(distance(made))
    assert rows["history_error", "k"].floor == pytest.approx(distance(holdout))
    rates = [np.mean([one == two for one, two in pairs(cells)]) for cells in (train, made, holdout)]
    assert parts(rows["stay_error", "k"]) == pytest.approx(
        dict(zip(("train", "synthetic", "holdout"), rates, strict=True))
    )


def chains(n_people, seed, *, stay=0.9):
    """Persons with three rows, whose level stays with the probability `stay`, and whose number grows."""
    rng = np.random.default_rng(seed)
    people = {"person": [], "visit": [], "c": [], "x": []}
    for person in range(n_people):
        level, x = rng.choice(list("abc")), rng.normal()
        for visit in range(3):
            people["person"].append(f"{seed}-{person}")
            people["visit"].append(visit)
            people["c"].append(str(level))
            people["x"].append(float(x))
            level = level if rng.random() < stay else rng.choice(list("abc"))
            x += abs(rng.normal())
    return people


CHAINS = ordered(VISIT, category("c"), number("x"))


def test_rows_that_are_exchanged_between_persons_are_caught_though_every_row_is_real():
    train, holdout = chains(400, 1), chains(400, 2)
    rng = np.random.default_rng(3)
    exchanged = holdout | {"person": rng.permutation(holdout["person"]).tolist()}
    real, made = (compute(table, train, holdout, CHAINS) for table in (chains(400, 4), exchanged))
    for name in ("c", "x"):
        floor = real["history_error", name].floor
        assert real["history_error", name].value < 1.5 * floor
        assert made["history_error", name].value > 2.5 * floor
    assert real["stay_error", "c"].value < 0.05
    assert made["stay_error", "c"].value > 0.4
    persons = made["rows_per_person_error",]
    assert persons.value == persons.floor == 0.0


def test_persons_without_a_second_row_have_no_history_and_that_is_the_finding():
    train = visits(ann="aab", bob="ab", eve="c")
    rows = compute(visits(a="a", b="b", c="c"), train, train)
    assert rows["history_error", "c"].value == rows["history_error",].value == 1.0
    assert rows["history_error",].status is Status.OK
    assert rows["history_error",].reason == (
        "no person of the synthetic table has a second row: its rows are independent of one another, and there is no history"
    )
    assert rows["history_error",].floor == 0.0
    for row in (rows["stay_error",], rows["stay_error", "c"]):
        assert (row.status, row.value) == (Status.NOT_APPLICABLE, None)
        assert row.reason == "no person of the synthetic table has a second row"
    assert parts(rows["stay_error", "c"]).keys() == {"train", "holdout"}
    assert rows["rows_per_person_error",].value == pytest.approx(2 / 3)


def test_nothing_is_computed_where_train_has_no_history():
    alone = visits(a="a", b="b")
    rows = compute(visits(ann="aab"), alone, alone)
    for name in ("history_error", "stay_error"):
        assert rows[name,].status is Status.NOT_APPLICABLE
        assert rows[name,].reason == "no person of train has a second row"
    assert rows["rows_per_person_error",].value == 1.0
    assert set(rows) == {("history_error",), ("stay_error",), ("rows_per_person_error",)}


def test_a_holdout_without_history_gives_no_floor():
    train = visits(ann="aab")
    rows = compute(train, train, visits(eve="a"))
    assert (rows["history_error", "c"].floor, rows["stay_error", "c"].floor) == (None, None)
    nobody = compute(train, train, visits())
    assert nobody["rows_per_person_error",].floor is None


@pytest.mark.parametrize("which", ["train", "synthetic"])
def test_tables_without_rows(which):
    sides = [visits() if which == name else visits(ann="ab") for name in ("synthetic", "train")]
    rows = compute(*sides, visits(eve="ab"))
    assert {row.reason for row in rows.values()} == {f"the {which} table has no rows"}


def test_other_schemas_have_no_histories():
    cells = visits(ann="ab")
    by_person = replace(SCHEMA, unit=PrivacyUnit(column="person", max_rows=2))
    for row in compute(cells, cells, cells, by_person).values():
        assert row.status is Status.NOT_APPLICABLE
        assert row.reason.endswith("(unit: order_by)")


def test_the_person_is_no_column_of_a_history():
    named = replace(PERSON, kind=Kind.CATEGORICAL, categories=("ann",))
    schema = replace(schema_of(named, VISIT), unit=SCHEMA.unit)
    cells = {"person": ["ann", "ann"], "visit": [1, 2]}
    rows = compute(cells, cells, cells, schema)
    assert rows["history_error",].reason == "no columns it applies to"
    assert ("history_error", "person") not in rows


def test_a_reader_is_told_where_noise_differs_and_rows_are_drawn():
    train, holdout = chains(400, 1), chains(400, 2)
    reason = compute(chains(40, 3), train, holdout, CHAINS)["history_error",].reason
    assert reason == (
        "80 synthetic rows have a row before, and 800 of the holdout: the fewer, the more sampling noise"
    )
    drawn = compute(chains(400, 3), train, holdout, CHAINS, max_rows=300)
    assert drawn["history_error",].reason == "at most 300 rows of each table, drawn at random"
    assert compute(chains(400, 3), train, holdout, CHAINS)["history_error",].reason == ""


def test_a_hundred_thousand_rows_of_fifty_columns_take_no_time():
    rng = np.random.default_rng(0)
    n = 100_000
    schema = ordered(VISIT, *(integer(f"k{k}") for k in range(50)), max_rows=20)
    data = {
        "person": [f"{k}" for k in rng.integers(0, n // 2, n)],
        "visit": list(range(n)),
        **{f"k{k}": rng.integers(0, 1000, n) for k in range(50)},
    }
    tables = eval_data(schema, data, data, data)
    started = time.process_time()
    PersonHistories().compute(tables, streams=Streams(0))
    assert time.process_time() - started < 4
