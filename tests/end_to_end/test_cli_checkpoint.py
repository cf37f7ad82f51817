"""`fit --checkpoint` and `--device` as they are typed: interrupted, continued, listed, removed."""

import json

import numpy as np
import polars as pl
import pytest

from tabsynth.schema import write_schema
from tabsynth.schema.types import Column, Domain, Kind, Origin, Schema, TableSchema
from tests.end_to_end.commands import tabsynth_here

torch = pytest.importorskip("torch", reason="needs the extra gan")
pytest.importorskip("opacus", reason="needs the extra gan")

from tabsynth.models.neural.training import Training  # noqa: E402
from tests.privacy.test_checkpoint import counted  # noqa: E402

PUBLIC = Domain(origin=Origin.PUBLIC, by="A", source="B")
SCHEMA = TableSchema(
    name="t",
    columns=(
        Column(name="a", kind=Kind.BOOLEAN, dtype="bool", domain=PUBLIC),
        Column(name="b", kind=Kind.INTEGER, dtype="int64", bounds=(0, 9), domain=PUBLIC),
    ),
)
QUICK = [
    word
    for setting in ("steps=6", "marginal_steps=12", "batch=32", "width=16", "critic_width=8", "threads=1")
    for word in ("--set", setting)
]
FIT = ["fit", "t.csv", "--schema", "t.yaml", "--engine", "dp_ctgan", "--epsilon", "3", "--checkpoint", "fitting", "--out", "model"]  # fmt: skip


@pytest.fixture
def here(tmp_path):
    rng = np.random.default_rng(0)
    pl.DataFrame({"a": rng.random(60) < 0.5, "b": rng.integers(0, 10, 60)}).write_csv(tmp_path / "t.csv")
    write_schema(Schema(tables=(SCHEMA,)), tmp_path / "t.yaml", private_note=False)
    return tmp_path


@pytest.fixture
def interrupt(monkeypatch):
    """Have Ctrl-C come before a step of the critic, once."""

    def at(step):
        real = Training.criticise

        def criticise(self, steps, private):
            if steps.done == step - 1:
                monkeypatch.setattr(Training, "criticise", real)
                raise KeyboardInterrupt
            real(self, steps, private)

        monkeypatch.setattr(Training, "criticise", criticise)

    return at


def test_a_fit_goes_on_after_ctrl_c_and_leaves_nothing_behind(here, interrupt):
    interrupt(4)
    with counted() as steps:
        stopped = tabsynth_here(*FIT, *QUICK, cwd=here)
        assert (
            stopped.code,
            "no model was written. The same command goes on from fitting." in stopped.err,
        ) == (130, True)
        listed = tabsynth_here("clean", ".", "--json", cwd=here).json["found"]
        of_fit = [each["path"] for each in listed if each["what"] == "the checkpoint of a fit"]
        assert sorted(path.rpartition("/")[2] for path in of_fit) == sorted(
            path.name for path in (here / "fitting").iterdir()
        )
        done = tabsynth_here(*FIT, *QUICK, cwd=here)
    assert done.code == 0, done.err
    assert "Going on with the fit in fitting." in done.err
    assert steps == [1, 2, 3, 4, 5, 6]
    assert not (here / "fitting").exists()
    assert tabsynth_here("sample", "model", "--rows", "5", "--out", "s.csv", cwd=here).code == 0


def test_a_ledger_of_yours_holds_the_marks_and_room_is_not_asked_twice(here, interrupt):
    """The cap has room for one such fit: the one that is continued is in it already."""
    assert (
        tabsynth_here("ledger", "create", "ledger", "--source", "s", "--epsilon", "3.05", cwd=here).code == 0
    )
    interrupt(3)
    assert tabsynth_here(*FIT, *QUICK, "--ledger", "ledger", cwd=here).code == 130
    assert not (here / "fitting" / "ledger.jsonl").exists()
    shown = tabsynth_here("ledger", "show", "ledger", "--json", cwd=here).json
    assert tabsynth_here(*FIT, *QUICK, "--ledger", "ledger", cwd=here).code == 0
    again = tabsynth_here("ledger", "show", "ledger", "--json", cwd=here).json
    assert {**shown, "seconds": 0} == {**again, "seconds": 0}
    refused = tabsynth_here(*FIT[:-1], "other", *QUICK, "--ledger", "ledger", cwd=here)
    assert refused.code == 3  # a new fit, for which there is no room


def test_another_fit_in_the_folder_is_refused(here, interrupt):
    interrupt(3)
    assert tabsynth_here(*FIT, *QUICK, cwd=here).code == 130
    refused = tabsynth_here(*FIT, *QUICK, "--seed", "5", cwd=here)
    assert (refused.code, "is of another fit: the seed differs" in refused.err) == (2, True)


def test_engines_that_are_not_trained_have_no_checkpoint_and_no_device(here):
    of_network = ["fit", "no.csv", "--schema", "t.yaml", "--out", "model"]
    refused = tabsynth_here(*of_network, "--checkpoint", "c", cwd=here)
    assert (refused.code, "'bayesian_network' keeps no checkpoint" in refused.err) == (2, True)
    refused = tabsynth_here(*of_network, "--device", "cpu", cwd=here)
    assert (refused.code, "unknown setting 'device'" in refused.err) == (2, True)
    twice = tabsynth_here(*FIT, "--device", "cpu", "--set", "device=cpu", cwd=here)
    assert (twice.code, "say the same" in twice.err) == (2, True)
    unknown = tabsynth_here(*FIT, "--device", "tpu", cwd=here)
    assert (unknown.code, "expected one of 'auto', 'cpu', 'cuda'" in unknown.err) == (2, True)


def test_a_gpu_that_is_not_there_is_said_before_anything_is_read(here, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (here / "t.csv").unlink()
    for has_cuda, words in ((None, "is built without CUDA"), ("12.8", "finds no GPU with CUDA")):
        monkeypatch.setattr(torch.version, "cuda", has_cuda)
        refused = tabsynth_here(*FIT, *QUICK, "--device", "cuda", cwd=here)
        assert (refused.code, words in refused.err, "nothing was read" in refused.err) == (2, True, True)
    assert not (here / "fitting").exists()


def test_settings_of_the_machine_are_used(here):
    done = tabsynth_here(*FIT, *QUICK, "--device", "cpu", "--set", "precision=bfloat16", "--json", cwd=here)
    assert done.code == 0, done.err
    assert (done.json["settings"]["device"], done.json["settings"]["precision"]) == ("cpu", "bfloat16")
    assert json.loads((here / "model" / "model.json").read_text())["settings"]["precision"] == "bfloat16"
