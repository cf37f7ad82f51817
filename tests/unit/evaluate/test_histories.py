"""Histories in results: only where the schema orders the rows of a person, and how many rows persons have."""

from dataclasses import replace

from tabsynth.evaluate import Results, evaluate
from tabsynth.evaluate.histories import MAX_ROWS, rows_distribution
from tabsynth.metrics.fidelity_columns import ColumnFidelity
from tabsynth.metrics.histories import PersonHistories
from tabsynth.metrics.registry import METRICS, metrics_of
from tabsynth.schema.types import Column, Kind, PrivacyUnit
from tests.unit.metrics.tables import category, eval_data, integer, schema_of, table_of

PLAIN = replace(
    schema_of(Column(name="person", kind=Kind.IDENTIFIER, dtype="string"), integer("year"), category("c")),
    unit=PrivacyUnit(column="person", max_rows=20),
)
SCHEMA = replace(PLAIN, unit=PrivacyUnit(column="person", max_rows=20, order_by="year"))
FIGURES = {"history_error", "stay_error", "rows_per_person_error"}


def persons(*n_rows):
    """Persons with so many rows each."""
    cells = [(f"p{k}", 2000 + year, "abc"[year % 3]) for k, n in enumerate(n_rows) for year in range(n)]
    return dict(zip(("person", "year", "c"), map(list, zip(*cells, strict=True)), strict=True))


def run(schema, *sides):
    tables = [table_of(schema, cells) for cells in sides]
    return evaluate(*tables, schema=schema, metrics=(ColumnFidelity(), PersonHistories()))


def test_an_evaluation_asks_for_histories_only_where_the_schema_orders_the_rows_of_a_person():
    asked = {info.name for metric in metrics_of(SCHEMA) for info in metric.infos}
    not_asked = {info.name for metric in metrics_of(PLAIN) for info in metric.infos}
    assert asked - not_asked == FIGURES
    assert metrics_of(SCHEMA) == METRICS


def test_results_of_other_schemas_hold_nothing_of_them():
    sides = persons(3, 1, 2), persons(2, 2, 4), persons(1, 2, 3)
    plain, found = (
        evaluate(*(table_of(schema, side) for side in sides), schema=schema) for schema in (PLAIN, SCHEMA)
    )
    assert plain.histories is None
    assert not FIGURES & {info.name for info in plain.infos}
    assert "history_error" not in plain.summary()
    others = [row for row in found.metrics if row.metric not in FIGURES]
    assert [(row.metric, row.columns, row.value) for row in others] == [
        (row.metric, row.columns, row.value) for row in plain.metrics
    ]
    assert found.summary()["history_error"]["value"] == found.value("history_error")


def test_persons_by_their_rows():
    results = run(SCHEMA, persons(1, 1), persons(3, 1, 1, 2), persons(2, 2))
    found = results.histories
    assert (found.person, found.order_by) == ("person", "year")
    assert (found.distance_metric, found.stay_metric, found.rows_metric) == (
        "history_error",
        "stay_error",
        "rows_per_person_error",
    )
    assert found.rows.labels == ("1", "2", "3")
    assert found.rows.train == (0.5, 0.25, 0.25)
    assert found.rows.holdout == (0.0, 1.0, 0.0)
    assert found.rows.synthetic == (1.0, 0.0, 0.0)
    assert Results.from_dict(results.to_dict()) == results


def test_long_histories_share_a_level():
    data = eval_data(SCHEMA, persons(1), persons(MAX_ROWS + 3, MAX_ROWS, 11, 1), persons(1))
    found = rows_distribution(data)
    assert found.labels == (*map(str, range(1, MAX_ROWS)), "12+")
    assert found.train[-2:] == (0.25, 0.5)
    exactly = rows_distribution(eval_data(SCHEMA, persons(1), persons(MAX_ROWS), persons(1)))
    assert exactly.labels[-1] == "12"


def test_rows_beyond_max_rows_are_in_the_last_level():
    schema = replace(SCHEMA, unit=replace(SCHEMA.unit, max_rows=3))
    found = rows_distribution(eval_data(schema, persons(3, 1), persons(9, 2), persons(1)))
    assert found.labels == ("1", "2", "3+")
    assert (found.train, found.synthetic) == ((0.0, 0.5, 0.5), (0.5, 0.0, 0.5))
