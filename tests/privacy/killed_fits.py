"""Fits that are killed and continued, each in a process of its own; run as a program, it prints what was drawn.

    python -m tests.privacy.killed_fits FOLDER SEED

Every noisy sum and every draw of noise for counts is written to a file outside the checkpoint, just before it is
drawn, so what a killed process took is known. The processes are forks of one that has its libraries loaded and has
used no thread yet.
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

import numpy as np
import polars as pl
import torch

from tabsynth.errors import PrivacyError
from tabsynth.models.dp_ctgan import CRITIC, DpCtgan
from tabsynth.pipeline import fit
from tabsynth.privacy import Budget, checkpoint, noise
from tabsynth.privacy.dpsgd import PrivateSteps, agreed_multiplier
from tabsynth.privacy.ledger import charges_to_data
from tabsynth.private_fit import plan_fit
from tabsynth.schema.types import Column, Domain, Kind, Origin, TableSchema

PUBLIC = Domain(origin=Origin.PUBLIC, by="A", source="B")
SCHEMA = TableSchema(
    name="t",
    columns=(
        Column(name="a", kind=Kind.CATEGORICAL, dtype="string", categories=("p", "q", "r"), domain=PUBLIC),
        Column(name="b", kind=Kind.INTEGER, dtype="int64", bounds=(0, 5), domain=PUBLIC),
    ),
)
STEPS = 12
RECIPE = DpCtgan(
    steps=STEPS, marginal_steps=20, batch=32, width=16, n_noise=8, critic_width=8, threads=1, device="cpu"
)
BUDGET = Budget(epsilon=3.0)
LOST = 3  # exit code: counts were charged and not kept
KILLED_AT = ("marked", "drawn", "written")
ROUNDS, KILLS = 2, 3


def rows():
    rng = np.random.default_rng(0)
    return {
        "a": [str(x) for x in rng.choice(list("ppqr"), 200)],
        "b": [int(x) for x in rng.integers(0, 6, 200)],
    }


def listen(log):
    """Have steps and draws noted in the file `log`, each before it happens."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    add_up, draw = PrivateSteps._add_up, noise.discrete_gaussian

    def noted_step(self, *arguments):
        os.write(file, f"step {self.done}\n".encode())
        add_up(self, *arguments)

    def noted_draw(*arguments, **named):
        os.write(file, b"draw\n")
        return draw(*arguments, **named)

    PrivateSteps._add_up, noise.discrete_gaussian = noted_step, noted_draw


def kill_at(point, step):
    """Have this process end by SIGKILL at a point of a step: no Python code runs after it."""

    def dying(real, is_due):
        def call(*arguments, **named):
            if point == "written" and is_due(*arguments):
                os.kill(os.getpid(), signal.SIGKILL)
            found = real(*arguments, **named)
            if point != "written" and is_due(*arguments):
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        return call

    if point == "marked":
        checkpoint.LedgerFile.begin_steps = dying(
            checkpoint.LedgerFile.begin_steps, lambda _self, _token, steps: steps == step
        )
    elif point == "drawn":
        PrivateSteps._add_up = dying(PrivateSteps._add_up, lambda self, *_: self.done == step)
    else:  # the state of that step is in a temporary file, which never gets its name
        seen = []
        Path.replace = dying(
            Path.replace,
            lambda _self, target: (
                target.name == checkpoint.STATE and seen.append(0) is None and len(seen) == step
            ),
        )


def in_a_fork(work):
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        code = work() or 0
    except PrivacyError as error:
        code = LOST if "were charged and are not there" in str(error) else 1
        if code == 1:
            traceback.print_exc()
    except BaseException:  # noqa: BLE001  # a fork never goes back into the program
        traceback.print_exc()
    os._exit(code)


def fitted(folder, log, result, point=None, step=0):
    """A fit that ends with its charges in the file `result`."""

    def work():
        listen(log)
        if point:
            kill_at(point, step)
        model = fit(pl.DataFrame(rows()), schema=SCHEMA, engine=RECIPE, privacy=BUDGET, checkpoint=folder)
        result.write_text(json.dumps(charges_to_data(model.ledger.charges)))

    return in_a_fork(work)


def ended(pid, *, after=None):
    """How a process ended: its exit code, or less than 0; killed `after` so many seconds unless it has by then."""
    if after is not None:
        time.sleep(after)
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def drawn(log, result):
    lines = log.read_text().splitlines()
    return {
        "steps": [int(line.split()[1]) for line in lines if line.startswith("step")],
        "draws": lines.count("draw"),
        "charges": json.loads(result.read_text()),
    }


def killed_anytime(folder, rng, seconds):
    """Killed at random moments until few kills are left, and then let go on to the end."""
    log, result, kills = folder / "log", folder / "result", 0
    while True:
        pid = fitted(folder / "checkpoint", log, result)
        code = ended(pid, after=rng.uniform(0, seconds)) if kills < KILLS else ended(pid)
        kills += code == -signal.SIGKILL
        if code in (0, LOST):
            return {"lost": True, "kills": kills} if code == LOST else {**drawn(log, result), "kills": kills}
        assert code == -signal.SIGKILL, code


def killed_at(folder, point):
    log, result = folder / "log", folder / "result"
    assert ended(fitted(folder / "checkpoint", log, result, point, 5)) == -signal.SIGKILL
    assert ended(fitted(folder / "checkpoint", log, result)) == 0
    return drawn(log, result)


def main(folder, seed):
    torch.set_num_threads(1)
    plan = plan_fit(SCHEMA, RECIPE, BUDGET)
    agreed_multiplier(plan[CRITIC].mechanism, BUDGET.delta)  # known to every fork

    def place(name):
        (folder / name).mkdir()
        return folder / name

    whole = place("whole")
    started = time.monotonic()
    assert ended(fitted(None, whole / "log", whole / "result")) == 0
    seconds = time.monotonic() - started
    rng = random.Random(seed)
    told = {
        "whole": drawn(whole / "log", whole / "result"),
        **{point: killed_at(place(point), point) for point in KILLED_AT},
        "anytime": [killed_anytime(place(f"round {at}"), rng, seconds) for at in range(ROUNDS)],
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
