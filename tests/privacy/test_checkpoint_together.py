"""Fits with checkpoints beside others on one open ledger, and checkpoints whose word was altered."""

import json
import shutil
import threading
from dataclasses import replace

import pytest

from tabsynth.errors import PrivacyError
from tabsynth.models.dp_ctgan import CRITIC
from tabsynth.pipeline import fit
from tabsynth.pipeline.continuing import fit_identity
from tabsynth.privacy import Budget
from tabsynth.privacy.checkpoint import CHECKPOINT, opened_checkpoint, opened_ledger_of
from tabsynth.privacy.ledger_file import create_ledger_file, open_ledger_file, read_ledger_file
from tabsynth.privacy.mechanisms import DiscreteGaussian, SampledGaussian
from tabsynth.private_fit import plan_fit

torch = pytest.importorskip("torch", reason="needs the extra gan")
pytest.importorskip("opacus", reason="needs the extra gan")

from tests.privacy.test_checkpoint import HOW, counted, interrupted, resumed  # noqa: E402
from tests.privacy.test_dp_ctgan import BUDGET, QUICK, SCHEMA, rows  # noqa: E402

NOISE = DiscreteGaussian(scale=1e4)


@pytest.fixture
def ledger(tmp_path):
    create_ledger_file(tmp_path / "ledger", source="s", cap=Budget(epsilon=20.0))
    with open_ledger_file(tmp_path / "ledger", source="s") as opened:
        yield opened


def meanwhile(stage, work):
    """A place to report to that has `work` done by another thread, from beginning to end, at the stage's first report."""
    done = []

    def report(said, _share):
        if said.startswith(stage) and not done:
            done.append(threading.Thread(target=work))
            done[0].start()
            done[0].join()

    return report


@pytest.mark.parametrize("stage", ["marginals", "critic"])
def test_two_fits_in_threads_are_charged_each_for_its_own(tmp_path, ledger, stage):
    """A whole fit runs while another is between its counts and its critic, or in the middle of that."""
    models = {}

    def other():
        models["b"] = resumed(tmp_path / "b", ledger=ledger)

    with counted() as steps:
        models["a"] = resumed(tmp_path / "a", ledger=ledger, progress=meanwhile(stage, other))
    record = read_ledger_file(tmp_path / "ledger")
    charged = [fit for fit, charge in record.charges if charge.statistic == CRITIC]
    assert sorted(charged) == [1, 2]
    assert len(steps) == 2 * QUICK.steps
    alone = fit(rows().frame, **HOW).ledger.charges
    assert models["a"].ledger.charges == models["b"].ledger.charges == alone
    assert models["a"].ledger.former == alone


def test_a_plain_fit_beside_one_with_a_checkpoint_stays_apart(tmp_path, ledger):
    def other():
        resumed(tmp_path / "c", ledger=ledger)

    alone = fit(rows().frame, **HOW).ledger.charges
    model = fit(rows().frame, **HOW, ledger=ledger, progress=meanwhile("critic", other))
    assert model.ledger.charges == model.ledger.former == alone
    with counted() as steps:
        again = resumed(tmp_path / "c", ledger=ledger)
    assert steps == []
    assert again.ledger.charges == again.ledger.former == alone


def test_a_checkpoint_is_one_fits_at_a_time(tmp_path, ledger):
    """In another thread, and in the ledger where two folders say that they are of one fit."""
    found = []

    def other():
        for folder in ("c", "copy"):
            with pytest.raises(PrivacyError) as fault:
                resumed(tmp_path / folder, ledger=ledger)
            found.append(str(fault.value))

    interrupted(tmp_path / "c", ledger=ledger)
    shutil.copytree(tmp_path / "c", tmp_path / "copy")
    with counted() as steps:
        resumed(tmp_path / "c", ledger=ledger, progress=meanwhile("critic", other))
    assert steps == [4, 5, 6]
    assert "another fit has the checkpoint open" in found[0]
    assert "that is to be continued is running" in found[1]


def test_reservations_of_fits_on_one_ledger_add_up_and_are_freed_alone(ledger):
    training = ledger.begin_training("token")
    most = replace(NOISE, scale=1.0, count=7)  # more than half of the cap
    training.reserve([most])
    ledger.free()
    with pytest.raises(PrivacyError, match="does not allow it"):
        ledger.reserve([most])
    training.charge("s", ["a"], most)
    with pytest.raises(PrivacyError, match="does not allow it"):
        ledger.charge("s", ["a"], most)
    assert training.charges == ledger.former


def test_a_fit_that_has_ended_is_charged_nothing(ledger):
    training = ledger.begin_training("token")
    training.close()
    with pytest.raises(PrivacyError, match="the fit has ended"):
        training.charge("s", ["a"], NOISE)
    assert ledger.former == ledger.charges == ()


# A word that was altered


@pytest.mark.parametrize("epsilon", [50.0, 2.0])
def test_a_checkpoint_that_says_it_is_of_another_budget_is_refused(tmp_path, epsilon):
    """What it says can be written by hand; what was charged is in the ledger."""
    interrupted(tmp_path / "c")
    other = Budget(epsilon=epsilon)
    path = tmp_path / "c" / CHECKPOINT
    of = fit_identity(SCHEMA, QUICK, plan_fit(SCHEMA, QUICK, other), seed=0)
    path.write_text(json.dumps({**json.loads(path.read_text()), "of": of}))
    with counted() as steps, pytest.raises(PrivacyError, match="is not what this fit would be charged"):
        resumed(tmp_path / "c", privacy=other)
    assert steps == []


@pytest.mark.parametrize(
    "charged",
    [
        lambda planned, _: ("something else", planned),
        lambda planned, _: (None, replace(planned, scale=planned.scale * 2)),
        lambda planned, _: (None, replace(planned, count=planned.count + 1)),
        lambda _, critic: (CRITIC, replace(critic, count=critic.count - 1)),
        lambda _, critic: (CRITIC, replace(critic, scale=critic.scale * 2)),
    ],
)
def test_every_charge_must_be_of_the_plan(tmp_path, charged):
    """Statistics, noise and counts; those of a training are charged all at once."""
    plan = plan_fit(SCHEMA, QUICK, BUDGET)
    first = plan.parts[0]
    statistic, mechanism = charged(first.mechanism, plan[CRITIC].mechanism)
    of = fit_identity(SCHEMA, QUICK, plan, seed=0)
    with (
        opened_ledger_of(tmp_path / "c", Budget(epsilon=BUDGET.epsilon)) as own,
        opened_checkpoint(tmp_path / "c", of=of, ledger=own) as kept,
    ):
        kept.ledger.charge(statistic or first.part.statistic, ["a"], mechanism)
        if not isinstance(mechanism, SampledGaussian):
            kept.keep_answer({})
    with pytest.raises(PrivacyError, match="is not what this fit would be charged"):
        resumed(tmp_path / "c")
