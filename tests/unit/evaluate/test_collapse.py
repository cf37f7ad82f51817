"""Generations by a generator whose answer is known, and by a registered engine."""

import numpy as np
import polars as pl
import pytest

import tabsynth
from tabsynth.errors import DataError, InputError, OutputExistsError, PrivacyError, StructureError, UsageError
from tabsynth.evaluate.collapse import CollapseResults, collapse
from tabsynth.metrics.diversity import Diversity
from tabsynth.metrics.fidelity_columns import ColumnFidelity
from tabsynth.metrics.utility import Utility
from tabsynth.privacy import DEFAULT_BUDGET, NO_PRIVACY
from tabsynth.refit import engine_box, function_box
from tabsynth.table import Table
from tests.unit.metrics.tables import category, number, schema_of, table_of

SCHEMA = schema_of(number("x"), category("c"), category("d"))
QUICK = (ColumnFidelity(), Diversity())


def drawn(n, seed):
    rng = np.random.default_rng(seed)
    return table_of(
        SCHEMA,
        {"x": rng.normal(size=n).tolist(), **{name: rng.choice(list("abc"), n).tolist() for name in "cd"}},
    )


def forgetful(frame, n_rows, _seed):
    """Keeps the first half of the distinct rows it was shown: 1/2, 1/4, 1/8 … of train."""
    kept = frame.head(max(1, frame.unique().height // 2))
    return pl.concat([kept] * (n_rows // kept.height + 1)).head(n_rows)


FORGETFUL = function_box(forgetful)


def watch(box=FORGETFUL, **options):
    options = {"generations": 3, "metrics": QUICK} | options
    return collapse(drawn(400, 1), drawn(400, 2), schema=SCHEMA, box=box, **options)


def test_each_generation_is_made_from_the_one_before():
    asked = []

    def generate(frame, n_rows, seed):
        asked.append((frame.height, n_rows, seed, frame["x"][0]))
        return frame.with_columns(pl.col("x") + 1).head(n_rows)

    results = watch(function_box(generate), rows=100, seed=7)
    first = drawn(400, 1).frame["x"][0]
    assert asked == [(400, 100, 8, first), (100, 100, 9, first + 1), (100, 100, 10, first + 2)]
    assert [generation.n_rows for generation in results.generations] == [100] * 3
    assert any("100 rows and train 400" in note for note in results.notes)


def test_what_is_lost_adds_up_beside_one_floor():
    results = watch(generations=6)
    rows = [generation.find("distinct_rows") for generation in results.generations]
    values = [row.value for row in rows]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.1  # 400 / 2⁶ = 6 rows are left of them
    assert len({row.floor for row in rows}) == 1
    assert [info.name for info in results.watched] == [
        "shape_error",
        "distinct_combinations",
        "distinct_rows",
    ]


def test_progress_goes_from_begin_to_end():
    heard = []
    watch(generations=2, progress=lambda stage, share: heard.append((stage, share)))
    assert heard[0] == ("Generation 1: fitting", 0.0)
    assert heard[-1] == ("Done", 1.0)
    assert [share for _, share in heard] == sorted(share for _, share in heard)


def test_an_engine_keeps_what_it_models_and_the_seed_repeats_it():
    box = engine_box("independent", privacy=NO_PRIVACY)
    results = watch(box, generations=2)
    assert results.generator == "independent"
    assert results.generations[-1].find("shape_error").value < 0.1
    again = watch(box, generations=2)
    assert [g.figures for g in again.generations] == [g.figures for g in results.generations]


def test_a_private_engine_runs_on_its_own_output():
    box = engine_box("bayesian_network", privacy=DEFAULT_BUDGET)
    assert watch(box, generations=2).generations[-1].find("shape_error").value is not None


def test_results_survive_json(tmp_path):
    results = watch()
    assert CollapseResults.from_dict(results.to_dict()) == results
    path = tmp_path / "collapse.json"
    results.write_json(path)
    with pytest.raises(OutputExistsError):
        results.write_json(path)
    with pytest.raises(InputError, match="expected results of format"):
        CollapseResults.from_dict({"format": "other"})
    with pytest.raises(InputError, match="damaged"):
        CollapseResults.from_dict({"format": "tabsynth-collapse/1", "title": 3})


def test_a_figure_without_a_value_keeps_its_reason():
    results = watch(generations=1, metrics=(Utility(),))
    (figure,) = results.generations[0].figures
    assert (figure.value, figure.reason) == (None, "no target was named")
    assert results.watched == ()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"generations": 0}, "from 1 to 100 generations"),
        ({"generations": 101}, "from 1 to 100 generations"),
        ({"rows": 0}, "at least 1 row"),
        ({"target": "z"}, "'z' is not a column"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_cannot_be_watched_is_refused(options, said):
    with pytest.raises(UsageError, match=said):
        watch(**options)


def test_tables_without_rows_are_refused():
    empty = Table(SCHEMA, drawn(3, 0).frame.clear())
    with pytest.raises(DataError, match="nothing to learn from"):
        collapse(empty, drawn(5, 0), schema=SCHEMA, box=FORGETFUL)
    with pytest.raises(StructureError, match="made a table without rows"):
        watch(function_box(lambda _frame, _rows, _seed: empty.frame))


def test_an_engine_that_cannot_be_private_is_refused():
    from tests.unit.test_private_fit import Bare

    with pytest.raises(PrivacyError, match="cannot give differential privacy"):
        engine_box(Bare())


def test_from_frames_with_an_engine_or_a_function():
    train, holdout = (drawn(200, seed).frame.to_pandas() for seed in (1, 2))
    results = tabsynth.collapse(
        train, holdout, schema=SCHEMA, engine="independent", privacy=tabsynth.NO_PRIVACY, generations=1
    )
    assert "not anonymous" in results.guarantee.lower()

    def resample(frame, n_rows, seed):
        return frame.sample(n_rows, seed=seed, with_replacement=True)

    results = tabsynth.collapse(train, holdout, schema=SCHEMA, engine=resample, generations=2, target="c")
    assert (results.generator, results.guarantee) == ("resample", "")
    assert results.generations[1].find("distinct_rows").value < 1
    with pytest.raises(UsageError, match="settings belong to an engine's name"):
        tabsynth.collapse(train, holdout, schema=SCHEMA, engine=resample, settings={"min_group": 3})
