"""`ctgan` and `tvae`: what their networks learn, and the defects of other implementations that they must not have.

Tables are made here, with shares and dependence that are known. Statistical tests say how often they fail by chance; seeds
are fixed, and the same seed gives the same model on a CPU.
"""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tabsynth.models import registry
from tabsynth.models.neural.conditions import Conditions
from tabsynth.models.neural.fitted import Weights
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.privacy import NO_PRIVACY
from tabsynth.schema.types import Column, Domain, Kind, Origin, TableSchema
from tests.contract.quick import QUICK

torch = pytest.importorskip("torch", reason="needs the extra gan")

PUBLIC = Domain(origin=Origin.PUBLIC, by="a test", source="a test")
BOTH = pytest.mark.parametrize("name", ["ctgan", "tvae"])
SCHEMA = TableSchema(
    name="t",
    columns=(
        Column(name="flag", kind=Kind.CATEGORICAL, dtype="string", categories=("no", "yes"), domain=PUBLIC),
        Column(name="a", kind=Kind.CATEGORICAL, dtype="string", categories=tuple("pqrs"), domain=PUBLIC),
        Column(name="b", kind=Kind.CATEGORICAL, dtype="string", categories=tuple("wxyz"), domain=PUBLIC),
        Column(name="x", kind=Kind.NUMBER, dtype="float64", bounds=(-50.0, 50.0), domain=PUBLIC),
    ),
)


def table(n=3000):
    """2 % flags; b goes with a in 90 % of the rows; x has two modes, by a."""
    rng = np.random.default_rng(3)
    a = rng.choice(4, n, p=[0.4, 0.3, 0.2, 0.1])
    b = np.where(rng.random(n) < 0.9, a, rng.integers(0, 4, n))
    return pl.DataFrame(
        {
            "flag": np.where(np.arange(n) % 50 == 0, "yes", "no"),
            "a": np.array(list("pqrs"))[a],
            "b": np.array(list("wxyz"))[b],
            "x": np.where(a < 2, -10, 10) + rng.normal(0, 1.5, n),
        }
    )


@pytest.fixture(scope="module")
def models():
    """Each engine fitted once, for all tests of the module."""
    settings = {"batch_size": 100, "width": 48, "n_noise": 8, "number_cells": 10, "threads": 1}
    own = {"ctgan": {"epochs": 40, "critic_width": 48, "pac": 5}, "tvae": {"epochs": 60, "encoder_width": 48}}
    return {
        name: fit(table(), schema=SCHEMA, engine=registry.make_engine(name, settings | own[name]), privacy=NO_PRIVACY)
        for name in own
    }  # fmt: skip


def check_flags(pipeline):
    """Five standard errors of 40,000 rows are .0035, and .004 is left to the generator."""
    made = pipeline.sample(40_000, seed=1)
    assert (made["flag"] == "yes").mean() == pytest.approx(0.02, abs=0.0075)
    return made


@BOTH
def test_rare_levels_stay_as_rare_as_they_are(models, name):
    """60 of 3,000 rows. The package's own conditions, by log-frequency, made ten times as many of such a flag.

    Of the other levels five standard errors are .0125.
    """
    made = check_flags(models[name])
    for column in ("a", "b"):
        for level, share in table()[column].value_counts(normalize=True).iter_rows():
            assert (made[column] == level).mean() == pytest.approx(share, abs=0.014), (column, level)
    assert models[name].model.conditions.shares[0] == pytest.approx([0.98, 0.02]), (
        "conditions of sampled rows"
    )


@BOTH
def test_dependence_is_learnt(models, name):
    """b is a's partner in 92.5 % of the rows, 32 % if they were independent; x is of a's mode in all, 58 %.

    The networks are small and trained for less than 2,000 steps: how near they come is not the matter here.
    """
    made = models[name].sample(20_000, seed=2)
    partner = made["a"].replace_strict(dict(zip("pqrs", "wxyz", strict=True)))
    assert 0.7 < (made["b"] == partner).mean() < 0.99
    is_low = made["a"].is_in(["p", "q"])
    assert ((made["x"] < 0) == is_low).mean() > 0.9
    low = made.filter(pl.col("x") < 0)["x"]
    assert low.mean() == pytest.approx(-10, abs=0.4)
    assert low.std() == pytest.approx(1.5, abs=0.5)


def check_conditions(model, *, starts=None):
    """Where a row is conditioned on a frequent cell, at the place where conditions stand, it has it."""
    rng = np.random.default_rng(0)
    begin = np.cumsum([0, *model.sizes])
    for v, shares in enumerate(model.conditions.shares):
        for cell in np.flatnonzero(shares > 0.05).tolist():
            inputs = model.inputs(200, rng)
            inputs[:, -sum(model.sizes) :] = 0.0
            inputs[:, -sum(model.sizes) + int((begin if starts is None else starts)[v]) + cell] = 1.0
            logits = model.weights.logits(inputs)[:, begin[v] : begin[v + 1]]
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            kept = (odds / odds.sum(axis=1, keepdims=True))[:, cell].mean()
            assert kept > 0.6, (model.variables[v].name, cell, kept)


def test_every_column_s_condition_is_kept_by_the_generator(models):
    """Not the first discrete one's alone; and conditions that are drawn stand where these do."""
    model = models["ctgan"].model
    check_conditions(model)
    check_conditions(model, starts=model.conditions.starts)


def check_rows_alone(model):
    """One by one and all together the generator says the same."""
    inputs = model.inputs(64, np.random.default_rng(0))
    together = model.weights.logits(inputs)
    alone = np.concatenate([model.weights.logits(inputs[k : k + 1]) for k in range(64)])
    assert np.allclose(together, alone, atol=1e-4)


@BOTH
def test_a_row_does_not_depend_on_the_rows_drawn_with_it(models, name):
    check_rows_alone(models[name].model)


def test_conditions_by_log_frequency_are_caught(models):
    """Planted in a finished model: how the package draws conditions of sampled rows."""
    model = models["ctgan"].model
    logs = [np.log1p(3000 * shares) for shares in model.conditions.shares]
    planted = replace(model)
    planted.__dict__["conditions"] = Conditions(
        [log / log.sum() for log in logs]
    )  # in the place of the cached ones
    with pytest.raises(AssertionError):
        check_flags(replace(models["ctgan"], model=planted))


def test_conditions_in_wrong_places_are_caught(models):
    """Planted: right for the first column, and for each other one as if cells began anew at that."""
    model = models["ctgan"].model
    with pytest.raises(AssertionError):
        check_conditions(model, starts=np.zeros(len(model.sizes), dtype=int))


def test_statistics_of_a_batch_are_caught(models, monkeypatch):
    """Planted: BatchNorm in training mode, in the generator's last layer."""
    real = Weights.logits

    def normed(self, inputs):
        found = real(self, inputs)
        return (found - found.mean(axis=0)) / (found.std(axis=0) + 1e-3)

    monkeypatch.setattr(Weights, "logits", normed)
    with pytest.raises(AssertionError):
        check_rows_alone(models["ctgan"].model)


@BOTH
def test_conditions_follow_what_was_learnt(models, name):
    """Of one row in 500: without the conditions z is a quarter of b, or less, and numbers above 0 are 30 %."""
    made = models[name].sample(4000, seed=3, where={"flag": "yes", "a": "s"})
    assert (made["flag"] == "yes").all()
    assert (made["a"] == "s").all()
    assert (made["b"] == "z").mean() > 0.6
    assert (made["x"] > 0).mean() > 0.6


@BOTH
def test_the_artefact_grows_with_columns_and_never_with_rows(name):
    """Twice the table, each row twice: the same arrays but for the pieces of numbers."""
    once, twice = (
        fit(frame, schema=SCHEMA, engine=registry.make_engine(name, QUICK[name]), privacy=NO_PRIVACY).model.arrays()
        for frame in (table(600), pl.concat([table(600)] * 2))
    )  # fmt: skip
    assert once.keys() == twice.keys()
    for key in once:
        if not key.startswith("column."):
            assert once[key].ndim == twice[key].ndim
            assert not any(size in (600, 1200) for size in twice[key].shape), key
    allowed = ("column.", "layer.", "out.")
    assert all(key.startswith(allowed) for key in once)


@BOTH
def test_a_hundred_thousand_levels_fit(name):
    """As few cells as 128; every level can be drawn, as often as it occurred; the model is small."""
    n, n_levels = 120_000, 100_000
    rng = np.random.default_rng(0)
    names = [f"c{k:06}" for k in range(n_levels)]
    code = np.where(rng.random(n) < 0.3, rng.integers(0, 20, n), rng.integers(0, n_levels, n))
    frame = pl.DataFrame({"code": np.array(names)[code], "group": np.where(code < 50_000, "low", "high")})
    schema = TableSchema(
        name="codes",
        columns=(
            Column(name="code", kind=Kind.CATEGORICAL, dtype="string", categories=tuple(names), domain=PUBLIC),
            Column(name="group", kind=Kind.CATEGORICAL, dtype="string", categories=("low", "high"), domain=PUBLIC),
        ),
    )  # fmt: skip
    recipe = registry.make_engine(name, {**QUICK[name], "epochs": 1, "batch_size": 1000})
    model = fit(frame, schema=schema, engine=recipe, privacy=NO_PRIVACY)
    assert max(model.model.sizes) <= 128
    assert sum(array.nbytes for key, array in model.model.arrays().items() if "column" not in key) < 1e6
    made = model.sample(n, seed=1)
    assert made["code"].n_unique() > 40_000
    frequent = made["code"].is_in(names[:20]).mean()
    assert frequent == pytest.approx(0.3, abs=0.02)


def test_training_is_told_epoch_by_epoch():
    told = []
    for name in ("ctgan", "tvae"):
        fit(table(200), schema=SCHEMA, engine=registry.make_engine(name, QUICK[name]), privacy=NO_PRIVACY, progress=lambda stage, share: told.append((stage, share)))  # fmt: skip
        stages = [stage for stage, _ in told]
        assert [stage for stage in stages if stage.startswith("epoch")] == [
            f"epoch {k} of 3" for k in (1, 2, 3)
        ]
        shares = [share for stage, share in told if stage.startswith("epoch")]
        assert shares == sorted(shares)
        assert all(0 <= share <= 1 for share in shares)
        told.clear()


@BOTH
def test_another_seed_is_another_model(name):
    recipe = registry.make_engine(name, QUICK[name])
    one, two, other = (
        fit(table(200), schema=SCHEMA, engine=recipe, privacy=NO_PRIVACY, seed=seed) for seed in (0, 0, 1)
    )
    assert all((array == two.model.arrays()[key]).all() for key, array in one.model.arrays().items())
    assert not (one.model.arrays()["out.weight"] == other.model.arrays()["out.weight"]).all()


@BOTH
def test_saved_weights_are_safetensors_and_need_no_torch_to_be_sampled(models, name, tmp_path):
    models[name].save(tmp_path / "model")
    files = {path.name for path in (tmp_path / "model").iterdir()}
    assert not any(file.endswith((".pkl", ".pt", ".pth")) for file in files)
    again = FittedPipeline.load(tmp_path / "model")
    assert again.sample(300, seed=4).equals(models[name].sample(300, seed=4))
    assert again.model.is_conditional == (name == "ctgan")
