"""`ctgan` and `tvae`: what they refuse, and what of the machine they leave as it was."""

import pytest

from tabsynth.errors import PrivacyError, UsageError
from tabsynth.models import registry
from tabsynth.pipeline import fit
from tabsynth.privacy import NO_PRIVACY, Budget
from tests.contract.quick import QUICK

torch = pytest.importorskip("torch", reason="needs the extra gan")

from tests.unit.models.neural.test_trained import BOTH, SCHEMA, table  # noqa: E402


@BOTH
def test_a_budget_is_refused(name):
    with pytest.raises(PrivacyError, match=name):
        fit(table(200), schema=SCHEMA, engine=name, privacy=Budget(epsilon=1.0))


@BOTH
def test_precision_that_a_caller_set_stands(name):
    """By torch's newer settings, beside which the older cannot be read."""
    matmul = torch.backends.cuda.matmul
    try:
        matmul.fp32_precision = "tf32"
        fit(table(200), schema=SCHEMA, engine=registry.make_engine(name, QUICK[name]), privacy=NO_PRIVACY)
        assert matmul.fp32_precision == "tf32"
    finally:
        matmul.fp32_precision = "none"


@BOTH
def test_a_gpu_that_is_not_there_is_said(name):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(UsageError, match=r"device 'cuda' was asked for, .* so nothing was read"):  # fmt: skip
        fit(table(200), schema=SCHEMA, engine=registry.make_engine(name, {**QUICK[name], "device": "cuda"}), privacy=NO_PRIVACY)  # fmt: skip


@BOTH
@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"epochs": 0, "batch_size": 0}, "epochs of 1 or more, batch_size of 1 or more"),
        ({"learning_rate": 0.0}, "a positive learning_rate"),
        ({"learning_rate": float("inf")}, "a positive learning_rate"),
        ({"averaging": 1.0}, r"averaging in \[0, 1\)"),
        ({"threads": -1}, "threads of 0 or more"),
        (
            {"number_cells": 1, "level_cells": 40_000},
            "number_cells from 2 to 32767, level_cells from 2 to 32767",
        ),
    ],
)
def test_settings_outside_their_ranges_are_named(name, settings, fault):
    with pytest.raises(UsageError, match=f"{name} needs {fault}"):
        registry.make_engine(name, settings)


@pytest.mark.parametrize(
    ("name", "settings", "fault"),
    [
        ("ctgan", {"pac": 0, "critic_steps": 0}, "critic_steps of 1 or more, pac of 1 or more"),
        ("ctgan", {"gradient_penalty": -1.0}, "gradient_penalty of 0 or more"),
        ("ctgan", {"pair_weight": float("inf")}, "pair_weight of 0 or more"),
        ("tvae", {"row_weight": 0.0}, "a positive row_weight"),
    ],
)
def test_settings_of_one_engine_alone_are_named(name, settings, fault):
    with pytest.raises(UsageError, match=f"{name} needs {fault}"):
        registry.make_engine(name, settings)


def test_exposure_is_one_of_two():
    with pytest.raises(UsageError, match="setting 'exposure': expected one of 'frequency', 'log'"):
        registry.make_engine("ctgan", {"exposure": "even"})


@BOTH
def test_missing_libraries_are_said_before_anything_is_read(name, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=rf"engine '{name}' is fitted with torch, which is not installed, .* 'tabsynth\[gan\]'"):  # fmt: skip
        registry.require_libraries(registry.make_engine(name))
