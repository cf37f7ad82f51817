"""A model folder with sound hashes and hostile content is refused with `ModelFileError`, nothing else."""

import numpy as np
import polars as pl
import pytest

from tabsynth.errors import InputError, ModelFileError
from tabsynth.evaluate.results import Results
from tabsynth.model_folder import write_folder
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.privacy import NO_PRIVACY
from tabsynth.schema.types import Column, Kind, TableSchema
from tests.unit.hostile import parts_of, put

SCHEMA = TableSchema(
    name="t",
    columns=(
        Column(name="person", kind=Kind.IDENTIFIER, dtype="int64"),
        Column(name="note", kind=Kind.TEXT, dtype="string", format="sentence"),
        Column(name="level", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b", "c")),
        Column(name="count", kind=Kind.INTEGER, dtype="int64", bounds=(0, 1000), nullable=True),
        Column(name="amount", kind=Kind.NUMBER, dtype="float64", bounds=(-10.0, 10.0)),
    ),
)
LEVEL, MISSING, COUNT, AMOUNT = (f"marginal.{index}" for index in range(4))


@pytest.fixture(scope="module", params=["gaussian_copula", "independent"])
def sound(request, tmp_path_factory):
    """The document and arrays of a sound model."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "person": np.arange(300) // 3,
            "note": ["x"] * 300,
            "level": rng.choice(["a", "b", "c"], 300),
            "count": pl.Series([None if k % 5 == 0 else k for k in rng.integers(0, 1000, 300).tolist()]),
            "amount": rng.normal(size=300),
        }
    )
    return parts(fit(frame, schema=SCHEMA, engine=request.param, privacy=NO_PRIVACY), tmp_path_factory)


@pytest.fixture(scope="module")
def copula(tmp_path_factory):
    frame = pl.DataFrame({"x": np.arange(100) % 13, "y": np.arange(100) % 7})
    return parts(fit(frame, engine="gaussian_copula", privacy=NO_PRIVACY), tmp_path_factory)


def parts(pipeline, tmp_path_factory):
    return parts_of(pipeline, tmp_path_factory.mktemp("model") / "sound")


def refused(tmp_path, document, arrays, match):
    write_folder(tmp_path / "hostile", document, arrays)
    with pytest.raises(ModelFileError, match=f"not a model this release can read: {match}"):
        FittedPipeline.load(tmp_path / "hostile")


def test_the_sound_model_is_read(sound, copula, tmp_path):
    for number, (document, arrays) in enumerate((sound, copula)):
        write_folder(tmp_path / str(number), document, arrays)
        assert FittedPipeline.load(tmp_path / str(number)).sample(50, seed=1).height == 50


def test_an_engine_that_cannot_be_private_is_not_believed_to_have_been(tmp_path, tmp_path_factory):
    """With a ledger that another, private fit has paid for."""
    frame = pl.DataFrame({"x": np.arange(100) % 13, "y": np.arange(100) % 7})
    paid, _ = parts(fit(frame, engine="independent"), tmp_path_factory)
    exact = fit(frame, engine="sequential_trees", privacy=NO_PRIVACY)
    document, arrays = parts(exact, tmp_path_factory)
    boast = {**document, "privacy": paid["privacy"], "ledger": paid["ledger"]}
    refused(tmp_path, boast, arrays, "engine 'sequential_trees' cannot give the privacy")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("n_rows", value) for value in (-3, 0, True, "5", 5.0, None, 2**60)],
        *[("generation", value) for value in (0, -1, True, 1.0, "1", None, 2**60)],
        *[("real_share", value) for value in (-0.5, 1.5, True, 1, "1", 0.5)],  # of real rows, too
        *[("engine", value) for value in ("nonsense", ["gaussian_copula"], None)],
        *[("settings", value) for value in ([], None, {"unknown": 1}, {"min_group": []}, {"min_group": True})],
        *[("settings", {"marginals": value}) for value in ([], {}, "nonsense")],
        *[("privacy", value) for value in ("dp", None, 1, {}, {"epsilon": 1.0}, {"epsilon": 0.0, "delta": 0.1})],
        *[("privacy", value) for value in ({"epsilon": "1", "delta": 0.1}, {"epsilon": 1.0, "delta": 1.0})],
        ("privacy", {"epsilon": 1.0, "delta": 1e-6}),  # what its ledger belies
        *[("schema", value) for value in ([], {}, None, "x", {"version": 1, "tables": {}})],
        *[("layout", value) for value in ([], {}, None)],
        *[("distinct_shares", value) for value in ([], None, {}, {"person": 0.5}, {"amount": 0.5})],
        *[
            ("distinct_shares", {"person": share, "note": 1.0})
            for share in ("x", None, True, 1, 0.0, -0.5, 1.5, [0.5])
        ],
        ("distinct_shares", {"person": 1.0, "note": 1.0, "nobody": 1.0}),
        ("distinct_shares", {"person": 1.0, "note": 1.0, "amount": 1.0}),
        *[("parameters", value) for value in ([], None, {}, {"families": {}, "more": 1})],
        *[("ledger", value) for value in ([], {}, None, 1, "row count", {"kind": "copy"})],
        ("surprise", 1),
    ],
)  # fmt: skip
def test_a_field_of_another_type_or_range_is_refused(sound, tmp_path, field, value):
    document, arrays = sound
    refused(tmp_path, {**document, field: value}, arrays, "")


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "tabsynth ledger 1"},
        {"charges": []},
        {"charges": [1]},
        {"former": {}},
        {"cap": 1},
        {"series": 1},
        {"more": 1},
        *(
            {"charges": [{"statistic": "s", "columns": [], "mechanism": {"name": "exact"}, **part}]}
            for part in (
                {"statistic": 1},
                {"columns": "ab"},
                {"columns": [1]},
                {"mechanism": "none"},
                {"x": 1},
            )
        ),
    ],
)
def test_a_ledger_of_another_form_is_refused(sound, tmp_path, change):
    document, arrays = sound
    refused(tmp_path, {**document, "ledger": {**document["ledger"], **change}}, arrays, ".*'ledger'")


@pytest.mark.parametrize("key", ["name", "dtype", "stored", "format"])
@pytest.mark.parametrize("value", [1, True, [], {}, 1.5])
def test_a_layout_of_other_types_is_refused(sound, tmp_path, key, value):
    document, arrays = sound
    columns = [{**column, key: value} for column in document["layout"]["columns"]]
    refused(
        tmp_path, {**document, "layout": {**document["layout"], "columns": columns}}, arrays, ".*'layout'"
    )


@pytest.mark.parametrize("source", ["pandas", "arrow"])
def test_a_layout_that_no_rows_can_take_is_refused(sound, tmp_path, source):
    document, arrays = sound
    columns = [{**column, "dtype": "nonsense"} for column in document["layout"]["columns"]]
    write_folder(
        tmp_path / "hostile",
        {**document, "layout": {**document["layout"], "kind": source, "columns": columns}},
        arrays,
    )
    with pytest.raises(ModelFileError, match="not a model"):
        FittedPipeline.load(tmp_path / "hostile")


@pytest.mark.parametrize("field", ["engine", "n_rows", "schema", "ledger", "parameters"])
def test_a_missing_field_is_refused(sound, tmp_path, field):
    document, arrays = sound
    refused(tmp_path, {name: document[name] for name in document.keys() - {field}}, arrays, f".*'{field}'")


@pytest.mark.parametrize("depth", [10, 100, 300])
@pytest.mark.parametrize(
    ("field", "path"),
    [("settings", ["min_group"]), ("schema", ["version", "tables", "t", "columns"]), ("layout", ["columns"]), ("parameters", ["families"])],
)  # fmt: skip
def test_deep_fields_are_refused(sound, tmp_path, field, path, depth):
    value = 1
    for _ in range(depth):
        value = {**dict.fromkeys(path[:-1], 1), path[-1]: [value]}
    document, arrays = sound
    refused(tmp_path, {**document, field: value}, arrays, "")


FAMILY = {"name": "LogLaplace", "aic": {"LogLaplace": 1.5}, "failed": {"GammaUnivariate": "ValueError"}}


def test_families_as_they_are_stored_are_read(sound, tmp_path):
    document, arrays = sound
    write_folder(tmp_path / "model", {**document, "parameters": {"families": {"3": FAMILY}}}, arrays)
    assert FittedPipeline.load(tmp_path / "model").model.latents[3].family.aic == {"LogLaplace": 1.5}


@pytest.mark.parametrize(
    "families",
    [
        [],
        None,
        {"3": []},
        {"3": {"name": "x"}},
        {"0": FAMILY},
        {"4": FAMILY},
        {"x": FAMILY},
        {"3": {**FAMILY, "more": 1}},
        {"3": {**FAMILY, "name": 1}},
        {"3": {**FAMILY, "aic": []}},
        {"3": {**FAMILY, "aic": {"a": "1"}}},
        {"3": {**FAMILY, "aic": {"a": True}}},
        {"3": {**FAMILY, "failed": ["a"]}},
        {"3": {**FAMILY, "failed": {"a": 1}}},
    ],
)
def test_families_of_another_shape_are_refused(sound, tmp_path, families):
    document, arrays = sound
    refused(tmp_path, {**document, "parameters": {"families": families}}, arrays, "parameters: ")


def astype(dtype):
    return lambda array: array.astype(dtype)


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        (f"{LEVEL}.lower", put(0, 99), "not every level once"),
        (f"{LEVEL}.lower", put(0, -5), "not every level once"),
        (f"{LEVEL}.lower", np.zeros_like, "not every level once"),
        (f"{LEVEL}.upper", lambda array: array[::-1], "not the same levels"),
        (f"{LEVEL}.lower", astype(bool), "expected int64 of shape \\(3,\\), found bool"),
        (f"{LEVEL}.lower", astype(np.float64), "expected int64"),
        (f"{LEVEL}.lower", astype(np.int32), "expected int64"),
        (f"{LEVEL}.lower", lambda array: array[:-1], "found int64 of shape \\(2,\\)"),
        (f"{LEVEL}.mass", lambda array: array[:-1], "found float64 of shape \\(2,\\)"),
        (f"{LEVEL}.mass", lambda array: array[:, None], "found float64 of shape \\(3, 1\\)"),
        (f"{LEVEL}.mass", astype(np.float32), "expected float64"),
        (f"{LEVEL}.mass", lambda array: array * 5, "not a distribution"),
        (f"{LEVEL}.mass", lambda array: array * 0, "not a distribution"),
        (f"{LEVEL}.mass", put(0, -0.1), "not a distribution"),
        (f"{LEVEL}.mass", lambda _: np.array([-1.0, 1.0, 1.0]), "not a distribution"),
        (f"{LEVEL}.mass", put(0, 1e308), "not a distribution"),
        (f"{LEVEL}.mass", put(0, np.nan), "not finite"),
        (f"{LEVEL}.mass", put(0, np.inf), "not finite"),
        (f"{MISSING}.lower", put(0, 2), "not every level once"),
        (f"{COUNT}.lower", lambda array: array[::-1], ""),
        (f"{COUNT}.lower", astype(np.float64), "expected int64"),
        (f"{COUNT}.lower", astype(np.uint64), "expected int64"),
        (f"{COUNT}.upper", lambda array: array[:-1], "expected int64 of shape"),
        (f"{COUNT}.upper", put(-1, -1), "pieces that end before they start"),
        (f"{COUNT}.mass", lambda array: array[:0], "expected float64 of shape"),
        (f"{AMOUNT}.lower", lambda array: array.reshape(1, -1), "expected float64 of shape"),
        (f"{AMOUNT}.lower", astype(np.int64), "expected float64"),
        (f"{AMOUNT}.lower", put(0, -np.inf), "not finite"),
        (f"{AMOUNT}.upper", put(-1, np.inf), "not finite"),
        (f"{AMOUNT}.upper", put(-1, np.nan), "not finite"),
        (f"{AMOUNT}.lower", put(3, -9e9), "overlap or are not in ascending order"),
        (
            f"{AMOUNT}.upper",
            lambda array: np.r_[array[1], array[1:]],
            "overlap or are not in ascending order",
        ),
    ],
)
def test_a_hostile_marginal_is_refused(sound, tmp_path, name, change, fault):
    document, arrays = sound
    part = name.rsplit(".", 1)[0]
    refused(tmp_path, document, {**arrays, name: change(arrays[name])}, f"array '{part}.*{fault}")


def test_a_marginal_of_no_pieces_is_refused(sound, tmp_path):
    document, arrays = sound
    nothing = {name: array[:0] for name, array in arrays.items() if name.startswith(AMOUNT)}
    refused(tmp_path, document, {**arrays, **nothing}, f"array '{AMOUNT}")


@pytest.mark.parametrize("categories", [[], ["a", "b"], ["a", "b", "c", "d"]])
def test_more_or_fewer_categories_than_masses_are_refused(sound, tmp_path, categories):
    document, arrays = sound
    table = document["schema"]["tables"]["t"]
    level = {**table["columns"]["level"], "categories": categories}
    table = {**table, "columns": {**table["columns"], "level": level}}
    refused(tmp_path, {**document, "schema": {"version": 1, "tables": {"t": table}}}, arrays, "")


@pytest.mark.parametrize("name", [f"{LEVEL}.lower", f"{AMOUNT}.mass"])
def test_a_missing_array_is_refused(sound, tmp_path, name):
    document, arrays = sound
    fewer = {known: arrays[known] for known in arrays if known != name}
    refused(tmp_path, document, fewer, rf"arrays: 1 missing \({name}")


@pytest.mark.parametrize("name", ["marginal.4.lower", "surprise"])
def test_an_unknown_array_is_refused(sound, tmp_path, name):
    document, arrays = sound
    refused(tmp_path, document, {**arrays, name: np.zeros(1)}, "arrays: 0 missing, 1 unknown")


@pytest.mark.parametrize(
    ("name", "array", "fault"),
    [
        ("covariance", -np.eye(2), "not positive definite"),
        ("covariance", np.ones((2, 2)), "not positive definite"),
        ("covariance", np.array([[1.0, 2.0], [2.0, 1.0]]), "not positive definite"),
        ("covariance", np.array([[1.0, 0.5], [0.0, 1.0]]), "not symmetric"),
        ("covariance", np.array([[1.0, 1.7e308], [-1.7e308, 1.0]]), "not symmetric"),
        ("covariance", np.eye(3), "expected float64 of shape"),
        ("covariance", np.eye(2)[:1], "expected float64 of shape"),
        ("covariance", np.ones(2), "expected float64 of shape"),
        ("covariance", np.eye(2, dtype=np.int64), "expected float64"),
        ("covariance", np.full((2, 2), np.nan), "not finite"),
        ("mean", np.zeros(1), "expected float64 of shape"),
        ("mean", np.zeros((2, 1)), "expected float64 of shape"),
        ("mean", np.zeros(2, dtype=np.float32), "expected float64"),
        ("mean", np.array([0.0, np.nan]), "not finite"),
        ("mean", np.array([0.0, np.inf]), "not finite"),
    ],
)
def test_a_hostile_normal_is_refused(copula, tmp_path, name, array, fault):
    document, arrays = copula
    refused(tmp_path, document, {**arrays, name: array}, f"array '{name}': .*{fault}")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"notes": ' + "[" * 100_000])
def test_deep_results_are_refused(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(InputError, match="cannot be read as JSON: RecursionError"):
        Results.read_json(tmp_path / "results.json")
