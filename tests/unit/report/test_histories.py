"""The section on the rows of one person."""

from __future__ import annotations

from dataclasses import replace

from tabsynth.evaluate import Distribution, Histories, Results
from tabsynth.metrics.base import Detail, MetricResult, Status
from tabsynth.metrics.histories import HISTORIES, ROWS_PER_PERSON, STAYS
from tabsynth.report import render_html

from .sample_results import make_results
from .test_html import Page


def with_histories(stay: float | None = 0.1, reason: str = "") -> Results:
    """The results of a table whose persons have one or two rows, of which a cell of `age` stays in half of train's."""
    rows = Distribution(
        column="rows per person",
        kind="integer",
        labels=("1", "2+"),
        train=(0.75, 0.25),
        holdout=(0.7, 0.3),
        synthetic=(1.0, 0.0) if stay is None else (0.6, 0.4),
    )
    plain = make_results()
    figures = []
    for columns in ((), ("age",), ("income",)):
        rates = (("train", 0.5), *(() if stay is None else (("synthetic", stay),)))
        value = None if stay is None else abs(stay - 0.5)
        figures += [
            MetricResult(
                metric=HISTORIES.name,
                columns=columns,
                value=1.0 if stay is None else 0.3,
                floor=0.2 if columns == ("income",) else 0.04,
                reason="" if columns else reason,
            ),
            MetricResult(
                metric=STAYS.name,
                columns=columns,
                value=value,
                floor=None if stay is None else 0.4 if columns == ("income",) else 0.001,
                status=Status.NOT_APPLICABLE if stay is None else Status.OK,
                reason="no second row" if stay is None else "",
                details=tuple(Detail(label=label, value=rate) for label, rate in rates) if columns else (),
            ),
        ]
    figures.append(MetricResult(metric=ROWS_PER_PERSON.name, value=0.15, floor=0.05))
    return replace(
        plain,
        infos=(*plain.infos, HISTORIES, STAYS, ROWS_PER_PERSON),
        metrics=(*plain.metrics, *figures),
        histories=Histories(
            person="patient\u202e",
            order_by="visit",
            distance_metric=HISTORIES.name,
            stay_metric=STAYS.name,
            rows_metric=ROWS_PER_PERSON.name,
            rows=rows,
        ),
    )


def history_section(results: Results) -> str:
    page = Page(render_html(results))
    assert page.open == []
    _, _, found = page.text.partition("The rows of one person")
    return found.partition("Fidelity")[0]


def test_the_rows_of_one_person_are_shown_with_what_stays() -> None:
    found = history_section(with_histories())
    assert (
        "Rows with the same patient\ufffd are those of one person, and follow one another by visit." in found
    )
    assert "Rows per person 15.0%" in found
    assert "2+: train 25.0%, holdout 30.0%, synthetic 40.0%" in found
    assert found.index("age") < found.index("income")  # the worst first
    assert "10.0%" in found
    assert "50.0%" in found
    assert "In this run" not in found
    assert "The other" not in found


def test_a_table_without_any_second_row_says_so_and_shows_what_train_does() -> None:
    found = history_section(with_histories(None, "no person of the synthetic table has a second row"))
    assert "In this run. No person of the synthetic table has a second row." in found
    assert "Histories 100%" in found
    assert "How it is in train: 2 columns" in found


def test_beyond_twelve_columns_histories_are_folded() -> None:
    results = with_histories()
    row, stay = (results.find(name, ("age",)) for name in (HISTORIES.name, STAYS.name))
    assert row is not None
    assert stay is not None
    more = [replace(one, columns=(f"column {k}",)) for k in range(11) for one in (row, stay)]
    assert "The other column" not in history_section(results)
    found = history_section(replace(results, metrics=(*results.metrics, *more)))
    assert "The other 1 column" in found
    assert found.index("The other 1 column") < found.index("income")  # at its floor


def test_without_histories_there_is_no_section() -> None:
    results = with_histories()
    assert "The rows of one person" in Page(render_html(results)).text
    kept = tuple(row for row in results.metrics if row.metric not in (HISTORIES.name, STAYS.name))
    for other in (make_results(), replace(results, metrics=kept)):
        assert "The rows of one person" not in Page(render_html(other)).text
    failed = replace(results.metrics[-1], value=None, status=Status.FAILED, reason="why")
    found = history_section(replace(results, metrics=(*results.metrics[:-1], failed)))
    assert "How many rows a person has" not in found
