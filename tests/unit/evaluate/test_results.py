"""Look-ups, and JSON that comes back as it went out."""

import json
from dataclasses import replace

import pytest

from tabsynth.errors import InputError, OutputExistsError, UsageError
from tabsynth.evaluate import Associations, Distribution, Results
from tabsynth.metrics.base import Detail, Direction, MetricInfo, MetricResult, RocCurve, Status

ROWS = (
    MetricResult(metric="shape_error", value=0.1, floor=0.05),
    MetricResult(metric="shape_error", columns=("a",), value=0.05, floor=0.04),
    MetricResult(metric="shape_error", columns=("b",), value=0.2),
    MetricResult(metric="shape_error", columns=("ü 🙂",), status=Status.FAILED, reason="no numbers"),
    MetricResult(
        metric="trend_error", columns=("a", "b"), value=0.3, details=(Detail(label="x", value=1.0),)
    ),
    MetricResult(metric="c2st_auc", value=0.6, floor=0.5, interval=(0.55, 0.65), reason="20 rows"),
    MetricResult(metric="category_coverage", columns=("a",), value=0.4),
    MetricResult(metric="category_coverage", columns=("b",), value=0.9),
    MetricResult(metric="tstr_auc", status=Status.NOT_APPLICABLE, reason="no target was named"),
)
RESULTS = Results(
    title="t",
    n_train=3,
    n_holdout=4,
    n_synthetic=5,
    n_columns=2,
    target=None,
    seed=2**62,
    guarantee="",
    infos=tuple(
        MetricInfo(name=name, title=name, group="fidelity", direction=direction)
        for name, direction in (
            ("shape_error", Direction.LOWER),
            ("category_coverage", Direction.HIGHER),
            ("c2st_auc", Direction.HALF),
        )
    ),
    metrics=ROWS,
    distributions=(
        Distribution(
            column="a",
            kind="integer",
            labels=("(missing)",),
            edges=(0.0, 1.0),
            train=(1.0, 0.0),
            holdout=(0.5, 0.5),
            synthetic=(0.0, 1.0),
        ),
    ),
    associations=Associations(
        columns=("a", "b"),
        train=((1.0, None), (None, 1.0)),
        holdout=((1.0, 0.5), (0.5, 1.0)),
        synthetic=((1.0, 0.1), (0.1, 1.0)),
    ),
    roc_curves=(RocCurve(name="r", false_positive_rate=(0.0, 1.0), true_positive_rate=(0.0, 1.0), auc=0.5),),
    seconds={"encode": 0.5},
    version="1",
    notes=("few rows",),
)


def test_look_ups():
    assert RESULTS.value("shape_error") == 0.1
    assert RESULTS.floor("shape_error") == 0.05
    assert RESULTS.value("shape_error", ("b",)) == 0.2
    assert RESULTS.value("shape_error", ("ü 🙂",)) is None
    assert RESULTS.find("trend_error") is None
    assert (RESULTS.value("nothing"), RESULTS.floor("nothing")) == (None, None)
    assert RESULTS.info("shape_error").direction is Direction.LOWER
    with pytest.raises(KeyError):
        RESULTS.info("nothing")


def test_the_worst_come_first_whichever_way_is_good():
    assert [row.columns for row in RESULTS.worst("shape_error")] == [("b",), ("a",)]
    assert [row.columns for row in RESULTS.worst("shape_error", n=1)] == [("b",)]
    assert [row.columns for row in RESULTS.worst("category_coverage")] == [("a",), ("b",)]


def test_the_summary_holds_figures_of_the_whole_table_beside_their_floors():
    summary = RESULTS.summary()
    assert list(summary) == ["shape_error", "c2st_auc", "tstr_auc"]
    assert summary["c2st_auc"] == {
        "value": 0.6,
        "floor": 0.5,
        "interval": (0.55, 0.65),
        "status": "ok",
        "reason": "20 rows",
    }
    assert summary["tstr_auc"]["reason"] == "no target was named"
    json.dumps(summary, allow_nan=False)


def test_json_round_trip(tmp_path):
    text = json.dumps(RESULTS.to_dict(), allow_nan=False)
    assert Results.from_dict(json.loads(text)) == RESULTS
    path = tmp_path / "results.json"
    RESULTS.write_json(path)
    assert Results.read_json(path) == RESULTS
    assert list(tmp_path.iterdir()) == [path]
    assert json.loads(path.read_text(encoding="utf-8"))["format"] == "tabsynth-results/1"


def test_without_associations():
    plain = replace(RESULTS, associations=None)
    assert Results.from_dict(plain.to_dict()) == plain


def test_an_existing_file_is_kept_unless_it_may_be_replaced(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("precious")
    with pytest.raises(OutputExistsError, match="overwrite"):
        RESULTS.write_json(path)
    assert path.read_text() == "precious"
    RESULTS.write_json(path, overwrite=True)
    assert Results.read_json(path) == RESULTS


def test_nothing_is_written_where_a_figure_is_not_finite(tmp_path):
    broken = replace(RESULTS, seconds={"encode": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        broken.write_json(tmp_path / "results.json")
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_file_does_not_stay(tmp_path):
    blocked = tmp_path / "folder"
    blocked.mkdir()
    with pytest.raises(UsageError, match="folder"):
        RESULTS.write_json(blocked, overwrite=True)
    assert list(tmp_path.iterdir()) == [blocked]


def test_faults_of_a_file_are_listed_without_their_values():
    data = RESULTS.to_dict()
    data["n_train"] = "CANARY"
    del data["title"]
    data["metrics"][0]["status"] = "CANARY"
    with pytest.raises(InputError) as caught:
        Results.from_dict(data)
    assert {fault.where for fault in caught.value.faults} == {"n_train", "title", "metrics.0.status"}
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("found", [None, "tabsynth-results/2"])
def test_another_format_is_refused(found):
    with pytest.raises(InputError, match=r"expected results of format.*give what `tabsynth evaluate` wrote"):
        Results.from_dict({"format": found})


@pytest.mark.parametrize(("text", "problem"), [("{", "JSONDecodeError"), ("[]", "found list")])
def test_files_that_hold_no_results(tmp_path, text, problem):
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(InputError, match=problem):
        Results.read_json(path)
    with pytest.raises(InputError, match="FileNotFoundError"):
        Results.read_json(tmp_path / "nowhere.json")
