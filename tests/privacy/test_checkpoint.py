"""Fits that are interrupted and continued: charged once, no noisy sum more than was charged, and nothing of a row kept."""

import contextlib
import json
import secrets
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from tabsynth.errors import PrivacyError, UsageError
from tabsynth.models.bayesian_network import BayesianNetwork
from tabsynth.models.dp_ctgan import CRITIC
from tabsynth.pipeline import fit
from tabsynth.privacy import NO_PRIVACY, Budget, Ledger
from tabsynth.privacy.checkpoint import CHECKPOINT, LEDGER, Checkpoint, opened_checkpoint, opened_ledger_of
from tabsynth.privacy.ledger_file import create_ledger_file, read_ledger_file
from tests.privacy import tape as tapes

torch = pytest.importorskip("torch", reason="needs the extra gan")
pytest.importorskip("opacus", reason="needs the extra gan")

from tabsynth.privacy.dpsgd import PrivateSteps  # noqa: E402
from tests.privacy.test_dp_ctgan import BUDGET, QUICK, SCHEMA, rows  # noqa: E402

HOW = {"schema": SCHEMA, "engine": QUICK, "privacy": BUDGET}


class StopError(Exception):
    """What ends a fit in the middle here."""


@contextlib.contextmanager
def counted():
    """The numbers of the steps whose noisy sums are drawn, in their order."""
    found, real = [], PrivateSteps._add_up

    def add_up(self, *arguments):
        found.append(self.done)
        real(self, *arguments)

    PrivateSteps._add_up = add_up
    try:
        yield found
    finally:
        PrivateSteps._add_up = real


def stop_at(number, *, stage="critic"):
    """A place to report to that ends the fit at the stage's so many-th report."""
    seen = []

    def report(said, _share):
        seen.append(said)
        if sum(each.startswith(stage) for each in seen) == number:
            raise StopError

    return report


def interrupted(folder, *, at=4, table=None, stage="critic", **how):
    with pytest.raises(StopError):
        fit(
            (table or rows()).frame,
            checkpoint=folder,
            progress=stop_at(at, stage=stage),
            **{**HOW, **how},
        )


def resumed(folder, *, table=None, **how):
    return fit((table or rows()).frame, checkpoint=folder, **{**HOW, **how})


# Kills


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """What was drawn in fits that were killed by SIGKILL, as `killed_fits` tells it."""
    seed = secrets.randbits(32)
    command = [sys.executable, "-m", "tests.privacy.killed_fits", tmp_path_factory.mktemp("kills"), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-3000:]}"
    return json.loads(done.stdout)


def test_a_kill_at_a_step_costs_that_step_and_no_other(killed):
    """Between its mark and its sample, between its noise and what is kept of it, and while that is written."""
    every = list(range(1, 13))
    assert killed["whole"]["steps"] == every
    assert killed["marked"]["steps"] == [step for step in every if step != 5]  # spent, and never taken
    assert killed["drawn"]["steps"] == every  # taken once; what it told is lost
    assert killed["written"]["steps"] == every
    for point in ("marked", "drawn", "written"):
        assert killed[point]["charges"] == killed["whole"]["charges"]
        assert killed[point]["draws"] == killed["whole"]["draws"]


def test_kills_at_any_moment_lose_no_accounting(killed):
    """Moments are random: what is asserted holds at all of them."""
    for one in killed["anytime"]:
        if one.get("lost"):  # killed between the charge of a count and its answer: nothing can go on
            continue
        assert len(set(one["steps"])) == len(one["steps"]) <= 12
        assert len(one["steps"]) >= 12 - one["kills"]
        assert one["charges"] == killed["whole"]["charges"]
        assert one["draws"] == killed["whole"]["draws"]


# What is spent


def test_an_interrupted_fit_goes_on_where_it_was_and_is_charged_once(tmp_path):
    whole = fit(rows().frame, **HOW)
    with counted() as steps:
        interrupted(tmp_path / "c")
        told = []
        model = fit(rows().frame, checkpoint=tmp_path / "c", progress=lambda *say: told.append(say[0]), **HOW)
    assert steps == [1, 2, 3, 4, 5, 6]
    assert model.ledger.charges == whole.ledger.charges
    assert model.ledger == replace(whole.ledger, cap=model.ledger.cap)
    assert model.ledger.epsilon(BUDGET.delta) == whole.ledger.epsilon(BUDGET.delta)
    assert next(said for said in told if "critic" in said).endswith("released")
    assert "marginals" not in told  # learnt before
    assert model.sample(20, seed=1).height == 20
    assert (
        fit(rows().frame, checkpoint=tmp_path / "c", **HOW).model.arrays().keys()
        == model.model.arrays().keys()
    )


def test_a_finished_fit_gives_its_model_again_and_spends_nothing(tmp_path):
    one = resumed(tmp_path / "c")
    with counted() as steps:
        two = resumed(tmp_path / "c")
    assert steps == []
    first, second = one.model.arrays(), two.model.arrays()
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    assert one.ledger == two.ledger


def test_a_folder_that_was_set_back_finds_its_steps_spent(tmp_path):
    """Of a copy and its original together no sum more is drawn than was charged, and a ledger of all knows it."""
    create_ledger_file(tmp_path / "ledger", source="s", cap=Budget(epsilon=3.1))
    ledger = {"ledger": tmp_path / "ledger"}
    with counted() as steps:
        interrupted(tmp_path / "c", **ledger)
        shutil.copytree(tmp_path / "c", tmp_path / "copy")
        resumed(tmp_path / "c", **ledger)
        spent = read_ledger_file(tmp_path / "ledger")
        shutil.rmtree(tmp_path / "c")
        shutil.copytree(tmp_path / "copy", tmp_path / "c")
        told = []
        model = resumed(tmp_path / "c", progress=lambda *say: told.append(say[0]), **ledger)
        resumed(tmp_path / "copy", **ledger)
    assert steps == [1, 2, 3, 4, 5, 6]
    assert read_ledger_file(tmp_path / "ledger").charges == spent.charges
    assert model.ledger.former == ()
    assert {begun.steps for begun in spent.trainings.values()} == {6}


def test_steps_lost_are_told_of(tmp_path):
    create_ledger_file(tmp_path / "ledger", source="s", cap=Budget(epsilon=3.1))
    ledger, told = {"ledger": tmp_path / "ledger"}, []
    interrupted(tmp_path / "c", at=2, **ledger)
    shutil.copytree(tmp_path / "c", tmp_path / "copy")
    interrupted(tmp_path / "c", at=3, **ledger)  # steps 2 and 3
    with counted() as steps:
        resumed(tmp_path / "copy", progress=lambda *say: told.append(say[0]), **ledger)
    assert steps == [4, 5, 6]
    assert any(said.endswith("released, 2 of 3 steps lost to interruptions") for said in told)


def test_a_last_step_that_was_lost_is_told_of(tmp_path, monkeypatch):
    real, told = Checkpoint.keep_state, []

    def keep_state(self, arrays, **numbers):
        if numbers["done"] == QUICK.steps:
            raise StopError
        real(self, arrays, **numbers)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "keep_state", keep_state)
        with pytest.raises(StopError):
            resumed(tmp_path / "c")
    with counted() as steps:
        resumed(tmp_path / "c", progress=lambda *say: told.append(say[0]))
    assert steps == []
    assert sum(said.endswith("released, 1 of 6 steps lost to interruptions") for said in told) == 1


def test_a_copy_of_a_folder_with_its_own_ledger_is_refused(tmp_path):
    interrupted(tmp_path / "c")
    shutil.copytree(tmp_path / "c", tmp_path / "copy")
    with counted() as steps, pytest.raises(PrivacyError, match="copy of a ledger"):
        resumed(tmp_path / "copy")
    assert steps == []


def test_steps_are_marked_on_disk_before_a_row_is_sampled(tmp_path, monkeypatch):
    real = PrivateSteps._add_up

    def add_up(self, *arguments):
        record = read_ledger_file(tmp_path / "c" / LEDGER)
        assert [begun.steps for begun in record.trainings.values()] == [self.done], (
            "taken before it was marked"
        )
        real(self, *arguments)

    monkeypatch.setattr(PrivateSteps, "_add_up", add_up)
    resumed(tmp_path / "c")
    with monkeypatch.context() as patch:
        patch.setattr("tabsynth.privacy.checkpoint.Checkpoint.before_step", lambda *_: None)
        with pytest.raises(AssertionError, match="taken before it was marked"):
            resumed(tmp_path / "d")


def test_long_trainings_are_marked_by_the_hundredth(tmp_path):
    """One line for each portion, not for each step, and none beyond what was charged."""
    with (
        opened_ledger_of(tmp_path / "c", BUDGET) as ledger,
        opened_checkpoint(tmp_path / "c", of={}, ledger=ledger) as kept,
    ):
        kept.plan_steps(255)
        for number in range(1, 256):
            kept.before_step(number)
            assert number <= kept.begun <= min(number + 1, 255)
    marks = [
        json.loads(line)["begun"]
        for line in (tmp_path / "c" / LEDGER).read_text().splitlines()
        if '"begun":' in line
    ]
    assert marks == [0, *range(2, 255, 2), 255]


def test_other_fits_of_a_ledger_stay_apart(tmp_path):
    """Fits before, in between and after are no charges of the one that is continued."""
    create_ledger_file(tmp_path / "ledger", source="s", cap=Budget(epsilon=9.0))
    ledger = {"ledger": tmp_path / "ledger"}
    other = {"schema": SCHEMA, "engine": "independent", "privacy": Budget(epsilon=0.5), **ledger}
    fit(rows().frame, **other)
    interrupted(tmp_path / "c", **ledger)
    between = fit(rows().frame, **other)
    model = resumed(tmp_path / "c", **ledger)
    after = fit(rows().frame, **other)
    charges = {charge.statistic for charge in model.charges}
    assert CRITIC in charges
    assert len(model.ledger.former) == 2 * len(between.charges)
    assert len(after.ledger.former) == 2 * len(between.charges) + len(model.charges)
    assert after.ledger.epsilon(1e-6) == read_epsilon(tmp_path / "ledger")


def read_epsilon(path):
    ledger = Ledger(former=[charge for _, charge in read_ledger_file(path).charges])
    return ledger.epsilon(1e-6)


# Whose fit it is


OTHER_SCHEMA = replace(
    SCHEMA, columns=(SCHEMA.columns[0], replace(SCHEMA.columns[1], bounds=(0, 6)), SCHEMA.columns[2])
)


def test_another_fit_is_refused_by_what_differs(tmp_path):
    interrupted(tmp_path / "c")
    for other, words in (
        ({"schema": OTHER_SCHEMA}, "the schema differs"),
        ({"engine": replace(QUICK, width=17)}, "setting 'width' differs"),
        ({"privacy": Budget(epsilon=2.0)}, "epsilon, the noise differ"),
        ({"seed": 1, "engine": replace(QUICK, batch=65)}, "setting 'batch', the seed differ"),
    ):
        with pytest.raises(UsageError, match=f"is of another fit: {words}"):
            resumed(tmp_path / "c", **other)
    with counted() as steps:
        resumed(tmp_path / "c", engine=replace(QUICK, threads=0, most_at_once=9, device="cpu"))
    assert steps == [4, 5, 6]


def test_another_release_of_tabsynth_is_another_fit(tmp_path, monkeypatch):
    interrupted(tmp_path / "c")
    monkeypatch.setattr("tabsynth.pipeline.continuing.version", lambda _name: "9.9")
    with pytest.raises(UsageError, match="the release of tabsynth differs"):
        resumed(tmp_path / "c")


def test_another_ledger_is_refused(tmp_path):
    for name in ("one", "two"):
        create_ledger_file(tmp_path / name, source="s", cap=Budget(epsilon=3.1))
    interrupted(tmp_path / "c", ledger=tmp_path / "one")
    with pytest.raises(PrivacyError, match="charged to another ledger"):
        resumed(tmp_path / "c", ledger=tmp_path / "two")
    with pytest.raises(UsageError, match="charged to a ledger of yours"):
        resumed(tmp_path / "c")
    text = json.loads((tmp_path / "c" / CHECKPOINT).read_text())
    (tmp_path / "c" / CHECKPOINT).write_text(json.dumps({**text, "training": "0" * 32}))
    with pytest.raises(PrivacyError, match="knows nothing of the fit"):
        resumed(tmp_path / "c", ledger=tmp_path / "one")


def test_what_cannot_have_a_checkpoint_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(UsageError, match="'bayesian_network' keeps no checkpoint"):
        fit("no such file.csv", schema=SCHEMA, engine=BayesianNetwork(), checkpoint=tmp_path / "c")
    with pytest.raises(UsageError, match="takes a schema"):
        fit("no such file.csv", engine=QUICK, checkpoint=tmp_path / "c")
    with pytest.raises(UsageError, match="charged to a ledger file, or to none"):
        fit("no such file.csv", schema=SCHEMA, engine=QUICK, ledger=Ledger(BUDGET), checkpoint=tmp_path / "c")
    with pytest.raises(PrivacyError, match="made for privacy"):
        fit("no such file.csv", schema=SCHEMA, engine=QUICK, privacy=NO_PRIVACY, checkpoint=tmp_path / "c")
    (tmp_path / "mine").mkdir()
    create_ledger_file(tmp_path / "mine" / LEDGER, source="s", cap=Budget(epsilon=9.0))
    with pytest.raises(UsageError, match="keep your ledger outside"):
        resumed(tmp_path / "mine", ledger=tmp_path / "mine" / LEDGER)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(UsageError, match="holds other things and no checkpoint"):
        resumed(tmp_path / "full")
    with pytest.raises(UsageError, match="no checkpoint can be kept there"):
        resumed(tmp_path / "full" / "thesis.txt")
    assert not (tmp_path / "c").exists()


def test_a_table_is_never_compared(tmp_path):
    """Other rows, and none, are continued in silence: a refusal would say something of them."""
    for at, table in enumerate((rows(40, seed=1), rows(0))):
        interrupted(tmp_path / str(at))
        tapes.check_quiet(lambda folder=tmp_path / str(at), table=table: resumed(folder, table=table))
