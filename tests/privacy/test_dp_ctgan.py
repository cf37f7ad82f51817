"""The private GAN as a whole: what it is told, and that nothing else of a table reaches its model."""

import contextlib
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tabsynth.errors import PrivacyError, UsageError
from tabsynth.models.dp_ctgan import CRITIC, DpCtgan
from tabsynth.models.public_cells import PublicCells
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.privacy import NO_PRIVACY, Budget
from tabsynth.privacy.accountant import epsilon_of
from tabsynth.privacy.mechanisms import SampledGaussian
from tabsynth.private_fit import plan_fit
from tabsynth.schema.types import Column, Domain, Kind, Origin, PrivacyUnit, TableSchema
from tabsynth.table import Table
from tests.privacy import tape as tapes
from tests.privacy.tape import Tape, run

torch = pytest.importorskip("torch", reason="needs the extra gan")
optimizer = pytest.importorskip("opacus.optimizers.optimizer", reason="needs the extra gan")

from tabsynth.models.neural import released, training  # noqa: E402
from tabsynth.models.neural.conditions import Conditions  # noqa: E402
from tabsynth.privacy.dpsgd import PrivateSteps, agreed_multiplier, opacus_epsilon  # noqa: E402

PUBLIC = Domain(origin=Origin.PUBLIC, by="A", source="B")
SCHEMA = TableSchema(
    name="t",
    columns=(
        Column(name="a", kind=Kind.CATEGORICAL, dtype="string", categories=("p", "q", "r"), domain=PUBLIC),
        Column(name="b", kind=Kind.INTEGER, dtype="int64", bounds=(0, 5), nullable=True, domain=PUBLIC),
        Column(name="c", kind=Kind.NUMBER, dtype="float64", bounds=(0.0, 1.0), domain=PUBLIC),
    ),
)
QUICK = DpCtgan(steps=6, marginal_steps=12, batch=64, width=16, n_noise=8, critic_width=8, threads=1)
BUDGET = Budget(epsilon=3.0)


def rows(n=300, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.choice(list("ppqr"), n)
    b = [None if x == 5 else int(x) for x in rng.integers(0, 6, n)]
    frame = pl.DataFrame({"a": a, "b": pl.Series(b, dtype=pl.Int64), "c": rng.random(n) ** (1 + (a == "p"))})
    return Table.conform(frame, SCHEMA)


@contextlib.contextmanager
def scripted_gradients():
    """Every step of the critic is told the same noisy gradient, whatever the table: its counts come from a tape."""
    draws = torch.Generator().manual_seed(7)
    real = optimizer.DPOptimizer.add_noise

    def told(self):
        for parameter in self.params:
            parameter.grad = torch.randn(parameter.shape, generator=draws)

    optimizer.DPOptimizer.add_noise = told
    try:
        yield
    finally:
        optimizer.DPOptimizer.add_noise = real


def told_the_same(other, *, recipe=QUICK):
    """Fits of a table and of another one that hear the same answers."""
    plan = plan_fit(SCHEMA, recipe, BUDGET)
    found = []
    for table in (rows(), other):
        with scripted_gradients():
            tape = Tape(source=found[0].tape) if found else Tape()
            found.append(run(table, recipe, plan, tape=tape, seed=3))
    return found


OTHERS = (
    rows(40, seed=1),
    rows(0),
    Table.conform(pl.DataFrame({"a": ["r"] * 500, "b": [5] * 500, "c": [1.0] * 500}), SCHEMA),
)


@pytest.mark.parametrize("other", OTHERS, ids=["fewer", "none", "constant"])
def test_a_model_is_a_function_of_what_was_released(other):
    """The same in every bit, and the same words of progress, from tables that share nothing."""
    tapes.check_same_end(*told_the_same(other))


def test_conditions_from_exact_frequencies_are_caught(monkeypatch):
    real = training.Training.criticise

    def exact(self, steps, private):
        shares = [np.bincount(private[:, v], minlength=size) + 0.5 for v, size in enumerate(self.sizes)]
        self.conditions = Conditions([share / share.sum() for share in shares])
        real(self, steps, private)

    monkeypatch.setattr(training.Training, "criticise", exact)
    with pytest.raises(AssertionError):
        tapes.check_same_end(*told_the_same(OTHERS[0]))


def test_an_encoder_fitted_on_data_is_caught(monkeypatch):
    def fitted_on(column, _queries):
        if column.values is None or not len(column.values):
            return PublicCells.of(column.variable)
        return PublicCells.of(replace(column.variable, lower=column.values.min(), upper=column.values.max()))

    monkeypatch.setattr(released, "cells_with_frequent", fitted_on)
    with pytest.raises(AssertionError):
        tapes.check_same_end(*told_the_same(OTHERS[0]))


def test_counts_are_charged_before_they_are_drawn_and_noisy_as_charged():
    plan = plan_fit(SCHEMA, QUICK, BUDGET)
    one = run(rows(), QUICK, plan)
    tapes.check_charged_first(one.tape)
    tapes.check_noise(one.tape)
    tapes.check_as_planned(one.ledger.charges, plan)
    assert epsilon_of([charge.mechanism for charge in one.ledger.charges], BUDGET.delta) <= BUDGET.epsilon


def steps_of(monkeypatch, recipe=QUICK):
    """Charges that stood when each of the critic's steps began."""
    plan, found = plan_fit(SCHEMA, recipe, BUDGET), []
    real = PrivateSteps.step
    tape = Tape()
    ledger = tapes.TapedLedger(tape)
    monkeypatch.setattr(tapes, "TapedLedger", lambda _tape: ledger)

    def step(self, *losses):
        found.append([charge.mechanism for charge in ledger.charges if charge.statistic == CRITIC])
        real(self, *losses)

    with monkeypatch.context() as patch:
        patch.setattr(PrivateSteps, "step", step)
        one = run(rows(), recipe, plan, tape=tape)
    return found, one


def test_all_steps_are_charged_before_the_first(monkeypatch):
    found, one = steps_of(monkeypatch)
    charged = one.plan[CRITIC].mechanism
    assert found == [[charged]] * QUICK.steps
    assert (charged.count, charged.sampling_rate) == (QUICK.steps, QUICK.sampling_rate)


@pytest.mark.parametrize(("epsilon", "share"), [(1.0, 0.1), (3.0, 0.1), (10.0, 0.1), (10.0, 0.9)])
def test_on_the_real_schedule_two_accountants_agree_and_the_larger_is_charged(epsilon, share):
    """What the defaults plan for the critic, and most of the budget in it: Opacus' PRV within 2 % of dp-accounting."""
    recipe = DpCtgan(critic_share=share)
    plan = plan_fit(SCHEMA, recipe, Budget(epsilon=epsilon, delta=1e-5))
    planned = plan[CRITIC].mechanism
    assert (planned.count, planned.sampling_rate) == (100, 0.08)
    charged, found = epsilon_of((planned,), 1e-5), opacus_epsilon(planned, 1e-5)
    assert found == pytest.approx(charged, rel=0.02)
    used = replace(planned, scale=recipe._multiplier(plan))
    assert max(epsilon_of((used,), 1e-5), opacus_epsilon(used, 1e-5)) <= charged


def test_the_noise_of_a_fit_is_what_both_accountants_agreed_to(monkeypatch):
    """Planted: the plan's own noise, which is a little less."""

    def check():
        drawn, real = set(), optimizer._generate_noise
        with monkeypatch.context() as patch:
            patch.setattr(optimizer, "_generate_noise", lambda **how: drawn.add(how["std"]) or real(**how))
            fit(rows().frame, schema=SCHEMA, engine=QUICK, privacy=BUDGET)
        wanted = agreed_multiplier(plan_fit(SCHEMA, QUICK, BUDGET)[CRITIC].mechanism, BUDGET.delta)
        assert drawn == {wanted * QUICK.max_grad_norm}

    check()
    monkeypatch.setattr(DpCtgan, "_multiplier", lambda _, plan: plan[CRITIC].mechanism.scale)
    with pytest.raises(AssertionError):
        check()


def test_a_step_that_was_not_charged_ends_the_fit_and_no_model_is_made(monkeypatch):
    real = training.Training.criticise

    def once_more(self, steps, private):
        real(self, steps, private)
        if steps.done == QUICK.steps:
            real(self, steps, private)

    monkeypatch.setattr(training.Training, "criticise", once_more)
    with pytest.raises(PrivacyError, match="all 6 steps that were charged have been made"):
        fit(rows().frame, schema=SCHEMA, engine=QUICK, privacy=BUDGET)


def test_two_fits_with_one_seed_differ_in_noise_and_in_samples():
    plan = plan_fit(SCHEMA, QUICK, BUDGET)
    one, two = (run(rows(), QUICK, plan, seed=7) for _ in range(2))
    tapes.check_fresh_noise([one, two])
    assert (one.tape.told[1] != two.tape.told[1]).any()


def test_fits_that_were_told_the_same_counts_differ_by_the_gradients_noise():
    """The seed and the counts alike: what differs is the critic."""
    plan = plan_fit(SCHEMA, QUICK, BUDGET)
    one = run(rows(), QUICK, plan, seed=7)
    two = run(rows(), QUICK, plan, tape=Tape(source=one.tape), seed=7)
    first, second = (each.fitted.model.arrays() for each in (one, two))
    assert first["column.0.counts"].tobytes() == second["column.0.counts"].tobytes()
    assert np.abs(first["out.weight"] - second["out.weight"]).max() > 0


def chances(monkeypatch, *, seed):
    """What decided of real rows' conditions in a fit: the states of the generators, one for each part of a sample."""
    found, real = [], Conditions.of_rows

    def of_rows(self, cells, rng):
        found.append(str(rng.bit_generator.state))
        return real(self, cells, rng)

    with monkeypatch.context() as patch:
        patch.setattr(Conditions, "of_rows", of_rows)
        run(rows(), QUICK, plan_fit(SCHEMA, QUICK, BUDGET), seed=seed)
    return found


def test_conditions_of_real_rows_are_drawn_by_chance_that_nobody_knows(monkeypatch):
    """Known draws would go to other rows once a row is added, and move the sum by many times the clipping norm."""
    one, two = (chances(monkeypatch, seed=7) for _ in range(2))
    assert len(one) >= QUICK.steps
    assert not set(one) & set(two)


def test_one_more_row_in_front_moves_a_sum_by_no_more_than_its_norm():
    """With the rows' own draws held, as the proof does; with draws by place, as a known generator makes them, by far more."""
    moved = {}
    for by_place in (False, True):
        sums = []
        for extra in (0, 1):
            cells = np.array([[0, 0]] * extra + [[k % 2, (k // 2) % 2] for k in range(60)], dtype=np.uint16)
            draws = np.r_[np.ones(extra, np.intp), np.random.default_rng(0).integers(0, 2, 60)]
            if by_place:
                draws = np.random.default_rng(0).integers(0, 2, 60 + extra)
            sums.append(gradient_sum(cells, draws))
        moved[by_place] = float((sums[0] - sums[1]).norm())
    assert moved[False] <= 0.5 * (1 + 1e-4)
    assert moved[True] > 1.0


def gradient_sum(cells, draws):
    """The sum of clipped gradients of one step over all rows, each conditioned on the column that `draws` says."""
    import torch

    from tabsynth.models.neural.networks import Critic, initialise

    critic = Critic(n_cells=4, width=16)
    initialise(critic, torch.Generator().manual_seed(1))
    conditions = Conditions([np.array([0.5, 0.5]), np.array([0.5, 0.5])])

    def loss(taken, _chance):
        at = cells[taken].astype(np.intp) + conditions.starts
        inputs = torch.zeros((len(taken), 8))
        told = at[np.arange(len(taken)), draws[taken]] + 4
        inputs.scatter_(1, torch.from_numpy(np.c_[at, told]), 1.0)
        return torch.nn.functional.softplus(-critic(inputs))

    seen = []
    optimizer = torch.optim.SGD(critic.parameters(), lr=0.0)
    optimizer.register_step_pre_hook(
        lambda *_: seen.append(torch.cat([p.grad.reshape(-1) for p in critic.parameters()]).clone())
    )
    tiny = SampledGaussian(scale=1e-9, sampling_rate=1.0, count=1)
    steps = PrivateSteps(
        critic, optimizer, mechanism=tiny, multiplier=1e-9, n_rows=len(cells), expected_rows=1.0,
        max_grad_norm=0.5, most_at_once=512,
    )  # fmt: skip
    steps.step(loss, lambda: sum(0 * p.sum() for p in critic.parameters()))
    return seen[0]


def test_persons_of_several_rows_are_refused_before_anything_is_read():
    person = Column(name="person", kind=Kind.IDENTIFIER, dtype="int64", domain=PUBLIC)
    schema = replace(SCHEMA, columns=(person, *SCHEMA.columns), unit=PrivacyUnit(column="person", max_rows=3))
    with pytest.raises(PrivacyError, match=f"{CRITIC}: samples are of rows, and here a unit has up to 3"):
        fit("no such file.csv", schema=schema, engine=QUICK)
    one_row = replace(schema, unit=PrivacyUnit(column="person", max_rows=1))
    assert plan_fit(one_row, QUICK, BUDGET)[CRITIC].mechanism.count == QUICK.steps
    assert plan_fit(schema, replace(QUICK, critic_share=0.0), BUDGET).sensitivity == 3


def test_it_is_not_fitted_without_privacy():
    with pytest.raises(PrivacyError, match="made for privacy"):
        fit(rows().frame, schema=SCHEMA, engine="dp_ctgan", privacy=NO_PRIVACY)


def test_without_its_libraries_nothing_is_read(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "opacus" else object())
    with pytest.raises(UsageError, match=r"fitted with opacus, .*tabsynth\[gan\]"):
        fit("no such file.csv", schema=SCHEMA, engine=QUICK)


MISSING = pl.DataFrame({"a": [None] * 9, "b": [None] * 9, "c": [None] * 9}, schema=dict(rows(0).frame.schema))


@pytest.mark.parametrize(
    "table", [rows(0), rows(1), Table.conform(MISSING, SCHEMA)], ids=["none", "one", "null"]
)
@pytest.mark.parametrize("epsilon", [1e-6, 0.3, 50.0])
def test_any_budget_and_any_table_end_alike(epsilon, table):
    """No error, no warning, and a model that gives rows of the schema."""
    found = []
    privacy = Budget(epsilon=epsilon)
    tapes.check_quiet(lambda: found.append(fit(table.frame, schema=SCHEMA, engine=QUICK, privacy=privacy)))
    assert found[0].sample(7, seed=1).height == 7


def told_of(n):
    """What is told of progress in a fit of `n` rows."""
    words = []
    how = {"schema": SCHEMA, "engine": QUICK, "privacy": BUDGET}
    fit(rows(n).frame, progress=lambda *told: words.append(told), **how)
    return words


def test_precision_that_a_caller_set_stands():
    """By torch's newer settings, beside which the older cannot be read."""
    matmul = torch.backends.cuda.matmul
    try:
        matmul.fp32_precision = "tf32"
        fit(rows().frame, schema=SCHEMA, engine=QUICK, privacy=BUDGET)
        assert matmul.fp32_precision == "tf32"
    finally:
        matmul.fp32_precision = "none"


def test_progress_tells_epsilon_and_nothing_of_rows():
    said = told_of(300)
    assert said == told_of(20)
    critic = [stage for stage, _ in said if "critic" in stage]
    assert len(critic) == QUICK.steps
    spent = [float(stage.split("ε ")[1].split(" of")[0]) for stage in critic]
    assert spent == sorted(spent)
    assert 0 < spent[0] < spent[-1] < 3


def test_saved_models_give_the_same_rows_without_torch(tmp_path):
    pipeline = fit(rows().frame, schema=SCHEMA, engine=QUICK, privacy=BUDGET, seed=5)
    pipeline.save(tmp_path / "model")
    again = FittedPipeline.load(tmp_path / "model")
    assert again.sample(400, seed=9).equals(pipeline.sample(400, seed=9))
    charged = [charge.mechanism for charge in again.charges if charge.statistic == CRITIC]
    assert [type(mechanism) for mechanism in charged] == [SampledGaussian]
    assert again.ledger.epsilon(BUDGET.delta) == pipeline.ledger.epsilon(BUDGET.delta)
