"""`evaluate` as a whole: rows for everything, notes, progress, and errors that hide cells."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tabsynth.errors import StructureError, UsageError
from tabsynth.evaluate import Results, evaluate
from tabsynth.evaluate.run import compute_safely
from tabsynth.metrics.base import Detail, Direction, MetricInfo, MetricResult, Status
from tabsynth.metrics.detection import TwoSampleTest
from tabsynth.metrics.divergence import ColumnDivergence
from tabsynth.metrics.fidelity_columns import ColumnFidelity
from tabsynth.metrics.fidelity_pairs import PairFidelity
from tabsynth.metrics.patterns import Dependencies, MissingnessPatterns, Tails
from tabsynth.metrics.proximity import ExactCopies, NearestRows
from tabsynth.metrics.support import SupportOverlap
from tabsynth.metrics.utility import Utility
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind, PrivacyUnit
from tabsynth.table import Table
from tests.unit.metrics.tables import category, eval_data, integer, number, schema_of, table_of

SCHEMA = schema_of(
    number("x", decimals=2, nullable=True),
    category("c"),
    category("target", "pq"),
    Column(name="id", kind=Kind.IDENTIFIER, dtype="string"),
)
QUICK = (
    ColumnFidelity(),
    PairFidelity(),
    ColumnDivergence(),
    SupportOverlap(),
    MissingnessPatterns(),
    Dependencies(),
    Tails(),
    TwoSampleTest(n_rounds=10),
    Utility(n_rounds=10),
    ExactCopies(),
    NearestRows(),
)
CANARY = "CANARY-7391"


def rows(n, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "x": [None if k % 9 == 0 else round(float(value), 2) for k, value in enumerate(rng.normal(size=n))],
        "c": rng.choice(list("abc"), n).tolist(),
        "target": rng.choice(["p", "q"], n).tolist(),
        "id": [f"{seed}-{k}" for k in range(n)],
    }


def run(synthetic, train, holdout, schema=SCHEMA, metrics=QUICK, **options):
    tables = [table_of(schema, cells) for cells in (synthetic, train, holdout)]
    return evaluate(*tables, schema=schema, metrics=metrics, **options)


@pytest.fixture(scope="module")
def results():
    return run(
        rows(120, 1), rows(200, 2), rows(150, 3), target="target", title="A table", guarantee="none", seed=5
    )


def test_everything_is_there(results):
    assert (results.n_synthetic, results.n_train, results.n_holdout, results.n_columns) == (120, 200, 150, 4)
    assert (results.title, results.guarantee, results.seed, results.target) == (
        "A table",
        "none",
        5,
        "target",
    )
    assert results.private_output
    assert results.version
    assert {info.name for info in results.infos} >= {row.metric for row in results.metrics}
    assert {row.status for row in results.metrics if row.columns == () and row.metric != "triple_tvd"} == {
        Status.OK,
        Status.NOT_APPLICABLE,
    }
    assert [d.column for d in results.distributions] == ["x", "c", "target"]
    assert results.associations.columns == ("x", "c", "target")
    assert [curve.name for curve in results.roc_curves] == [
        "synthetic against holdout",
        "train against holdout",
    ]
    assert all(row.roc == () for row in results.metrics)
    assert set(results.seconds) == {"encode", "charts"} | {metric.infos[0].name for metric in QUICK}


def test_the_title_defaults_to_the_tables_name():
    cells = rows(12)
    assert run(cells, cells, cells, metrics=(ColumnFidelity(),)).title == "Synthetic t"


def test_the_same_seed_gives_the_same_results():
    tables = rows(60, 1), rows(60, 2), rows(60, 3)
    one, two = (run(*tables, target="target", seed=9) for _ in range(2))
    assert one.metrics == two.metrics
    assert one.roc_curves == two.roc_curves


def test_notes_tell_of_sizes_and_of_what_is_left_out(results):
    small, left_out = results.notes
    assert small.startswith("Few rows in synthetic (120), train (200), holdout (150): every figure is noisy")
    assert left_out == "Text and identifiers are not compared, at most whether they are missing: id."
    cells = rows(1200)
    strange = cells | {"c": ["z", *cells["c"][1:]]}
    notes = run(strange, cells, rows(2000, 1), metrics=(ColumnFidelity(),)).notes
    assert notes[0].startswith("The synthetic table has 1,200 rows and the holdout 2,000:")
    assert notes[-1] == "Cells outside the declared domain occur in synthetic: c."
    assert run(cells, cells, cells, schema=schema_of(category("c")), metrics=(ColumnFidelity(),)).notes == ()


@pytest.mark.parametrize("n_persons", [60, 120])
def test_a_note_says_that_intervals_take_rows_as_independent(n_persons):
    schema = replace(SCHEMA, unit=PrivacyUnit(column="id", max_rows=2))
    cells = {**rows(120), "id": [f"{k % n_persons}" for k in range(120)]}
    notes = run(cells, cells, cells, schema=schema, metrics=(ColumnFidelity(),)).notes
    assert any(note.startswith("Persons have several rows") for note in notes) == (n_persons == 60)


def test_progress_rises_to_one():
    heard = []
    cells = rows(15)
    run(cells, cells, cells, progress=lambda label, share: heard.append((label, share)))
    shares = [share for _, share in heard]
    assert shares == sorted(shares)
    assert (shares[0], heard[-1]) == (0.0, ("Done", 1.0))
    assert [label for label, _ in heard[1:4]] == ["Column shapes", "Pair trends", "Jensen-Shannon"]


def test_tables_of_another_schema_are_conformed():
    cells = rows(15)
    wider = Table(
        schema_of(*SCHEMA.columns, integer("extra")),
        table_of(SCHEMA, cells).frame.with_columns(extra=pl.lit(1, dtype=pl.Int64)),
    )
    narrow = table_of(SCHEMA, cells)
    found = evaluate(wider, narrow, narrow, schema=SCHEMA, metrics=(ColumnFidelity(),))
    assert found.value("shape_error") == 0.0
    with pytest.raises(StructureError, match="'extra'"):
        evaluate(wider, narrow, narrow, schema=wider.schema)


def test_an_unknown_target_is_refused():
    cells = rows(5)
    with pytest.raises(UsageError, match="'nothing' is not a column"):
        run(cells, cells, cells, target="nothing")


class Broken:
    """A metric that meets an error whose message quotes a cell."""

    infos = tuple(
        MetricInfo(name=name, title=name, group="fidelity", direction=Direction.LOWER)
        for name in ("one", "two")
    )

    def __init__(self, error):
        self.error = error

    def compute(self, data, *, streams):  # noqa: ARG002
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        ValueError(CANARY),
        np.linalg.LinAlgError(CANARY),
        ZeroDivisionError(CANARY),
        pytest.param("lightgbm", id="lightgbm"),
    ],
)
def test_numerical_errors_become_failed_rows_without_the_message(error):
    if error == "lightgbm":
        from lightgbm.basic import LightGBMError

        error = LightGBMError(CANARY)
    cells = rows(5)
    found = run(cells, cells, cells, metrics=(Broken(error), ColumnFidelity()))
    for name in ("one", "two"):
        row = found.find(name)
        assert (row.status, row.value) == (Status.FAILED, None)
        assert row.reason == f"{type(error).__name__} while it was computed"
    assert found.value("shape_error") == 0.0
    assert CANARY not in json.dumps(found.to_dict())


def test_other_errors_are_not_hidden():
    cells = rows(5)
    with pytest.raises(KeyError):
        run(cells, cells, cells, metrics=(Broken(KeyError("x")),))


class Infinite:
    infos = (MetricInfo(name="one", title="one", group="fidelity", direction=Direction.LOWER),)

    def __init__(self, row):
        self.row = row

    def compute(self, data, *, streams):  # noqa: ARG002
        return (self.row,)


def test_figures_that_are_not_finite_fail():
    data = eval_data(SCHEMA, *[rows(5)] * 3)
    inf = float("inf")
    (row,) = compute_safely(
        Infinite(MetricResult(metric="one", value=inf, floor=inf, interval=(0, inf))),
        data,
        streams=Streams(0),
    )
    assert row == MetricResult(
        metric="one",
        status=Status.FAILED,
        reason="the figure is not finite: the numbers span too wide a range",
    )
    details = Detail(label="a", value=inf), Detail(label="b", value=1.0, floor=float("nan"))
    (row,) = compute_safely(
        Infinite(MetricResult(metric="one", value=1.0, floor=inf, interval=(0, inf), details=details)),
        data,
        streams=Streams(0),
    )
    assert row == MetricResult(metric="one", value=1.0, details=(Detail(label="b", value=1.0),))


def test_no_row_of_any_table_and_no_column_to_compare():
    none = {name: [] for name in rows(1)}
    found = run(none, none, none, target="target")
    assert Counter(row.status for row in found.metrics)[Status.OK] == 0
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))
    identifiers = schema_of(SCHEMA["id"])
    cells = {"id": ["1", "2"]}
    found = run(cells, cells, cells, schema=identifiers)
    assert {row.value for row in found.metrics} == {None}
    assert (found.distributions, found.associations) == ((), None)


def test_huge_numbers_leave_strict_json():
    schema = schema_of(number("x"), integer("k"))
    cells = {"x": [-1.7e308, 1.7e308, 0.0, 5e-324] * 10, "k": [2**63 - 1, -(2**63) + 1, 0, 1] * 10}
    found = run(cells, cells, cells, schema=schema)
    assert Results.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found
