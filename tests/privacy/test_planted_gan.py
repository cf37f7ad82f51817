"""The private GAN's own faults, planted in the training as it runs: each is caught by the check that stands before it."""

import numpy as np
import pytest

from tabsynth.errors import PrivacyError
from tabsynth.models.dp_ctgan import DpCtgan
from tabsynth.pipeline import fit
from tabsynth.private_fit import plan_fit
from tests.privacy.tape import Tape, run

torch = pytest.importorskip("torch", reason="needs the extra gan")
pytest.importorskip("opacus", reason="needs the extra gan")

from tabsynth.models.neural import training as trainings  # noqa: E402
from tabsynth.models.neural.conditions import Conditions  # noqa: E402
from tabsynth.models.neural.networks import Critic, sampled  # noqa: E402
from tabsynth.models.neural.released import Released  # noqa: E402
from tabsynth.models.neural.training import Training  # noqa: E402
from tabsynth.privacy import dpsgd  # noqa: E402
from tabsynth.privacy.dpsgd import PrivateSteps  # noqa: E402
from tests.privacy.test_checkpoint import counted  # noqa: E402
from tests.privacy.test_dp_ctgan import BUDGET, QUICK, SCHEMA, rows  # noqa: E402
from tests.unit.models.neural.test_generator import columns  # noqa: E402

ROWS = np.random.default_rng(0).integers(0, 3, (40, 2)).astype(np.uint16)
EVERY = np.arange(40)


class First:
    """In the place of chance: every row is conditioned on its first column."""

    def integers(self, _low, _high, n):
        return np.zeros(n, dtype=np.intp)


class Heard:
    """In the place of private steps: keeps the two losses that a training asks them to lower."""

    done = 0

    def step(self, loss_of_rows, public_loss):
        self.loss_of_rows, self.public_loss = loss_of_rows, public_loss


def heard():
    released = Released(columns(), ((0, 1),), (np.full((3, 3), 1 / 9),), 1e-4, 300.0)
    training = Training(
        released, DpCtgan(batch=20, width=8, critic_width=8), device=torch.device("cpu"), seed=3
    )
    private = Heard()
    training.criticise(private, ROWS)
    return training, private


def check_rows_alone():
    """pac = 1, and no layer that mixes rows: a row's loss is the same whoever is sampled with it."""
    _, private = heard()
    together = private.loss_of_rows(EVERY, First())
    assert together.shape == (40,)
    alone = torch.cat([private.loss_of_rows(EVERY[[row]], First()) for row in EVERY])
    assert torch.allclose(together, alone, atol=1e-6)


def by_tens(self, inputs):
    """pac = 10: ten rows have one score."""
    scores = self.layers(inputs).squeeze(1)
    pad = -len(scores) % 10
    packs = torch.nn.functional.pad(scores, (0, pad)).reshape(-1, 10).mean(dim=1)
    return packs.repeat_interleave(10)[: len(scores)]


def normed_by_batch(self, inputs):
    """BatchNorm without a module that could be refused."""
    hidden = self.layers[0](inputs)
    spread = hidden.std(dim=0, unbiased=False) + 1e-3
    return self.layers[1:]((hidden - hidden.mean(dim=0)) / spread).squeeze(1)


def with_a_statistic(self, inputs):
    """A score that looks at how much rows differ (minibatch standard deviation)."""
    return self.layers(inputs).squeeze(1) + inputs.std(dim=0, unbiased=False).mean()


@pytest.mark.parametrize("fault", [by_tens, normed_by_batch, with_a_statistic])
def test_a_critic_that_mixes_rows_is_caught(monkeypatch, fault):
    check_rows_alone()
    monkeypatch.setattr(Critic, "forward", fault)
    with pytest.raises(AssertionError):
        check_rows_alone()


class BatchNormed(Critic):
    def __init__(self, *, n_cells, width):
        super().__init__(n_cells=n_cells, width=width)
        self.layers[1] = torch.nn.BatchNorm1d(width)


class Packed(Critic):
    def forward(self, inputs):
        scores = self.layers(inputs).squeeze(1)
        pad = -len(scores) % 10
        return torch.nn.functional.pad(scores, (0, pad)).reshape(-1, 10).mean(dim=1)


@pytest.mark.parametrize(
    ("critic", "words"), [(BatchNormed, "layers that mix rows .* BatchNorm1d"), (Packed, "a loss of its own")]
)
def test_whole_fits_refuse_batch_norm_and_pac(monkeypatch, critic, words):
    monkeypatch.setattr(trainings, "Critic", critic)
    with pytest.raises(PrivacyError, match=words):
        fit(rows().frame, schema=SCHEMA, engine=QUICK, privacy=BUDGET)


def test_batch_norm_is_caught_where_it_is_not_refused(monkeypatch):
    monkeypatch.setattr(trainings, "Critic", BatchNormed)
    with pytest.raises((AssertionError, ValueError)):  # torch refuses to normalise over one row
        check_rows_alone()


def check_generated_rows_count():
    """The critic's gradient of generated rows is that of their whole loss, and follows what is generated."""
    training, private = heard()
    parameters = list(training.critic.parameters())
    state, rng = training.draws.get_state(), training.rng.bit_generator.state
    found = torch.autograd.grad(private.public_loss(), parameters, allow_unused=True)
    training.draws.set_state(state)
    training.rng.bit_generator.state = rng
    with torch.no_grad():
        logits, condition = training._generate()
        fake = sampled(logits, training.sizes, training.draws)
    loss = torch.nn.functional.softplus(training.critic(torch.cat([fake, condition], dim=1))).mean()
    wanted = torch.autograd.grad(loss, parameters)
    assert all(one is not None for one in found)
    assert max(float(one.abs().max()) for one in wanted) > 1e-3
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-7)


def dropped(real):
    """As where hooks are off for generated rows and nobody adds their gradient."""

    def criticise(self, steps, private):
        step = steps.step
        steps.step = lambda of_rows, public: step(of_rows, lambda: 0.0 * public())
        real(self, steps, private)

    return criticise


def of_nobody(real):
    """Generated rows of zeros: a gradient that says nothing of the generator."""

    def criticise(self, steps, private):
        step = steps.step
        zeros = torch.zeros((20, 2 * self.n_cells))
        steps.step = lambda of_rows, _: step(of_rows, lambda: torch.nn.functional.softplus(self.critic(zeros)).mean())  # fmt: skip
        real(self, steps, private)

    return criticise


@pytest.mark.parametrize("fault", [dropped, of_nobody])
def test_a_generated_batch_without_its_gradient_is_caught(monkeypatch, fault):
    check_generated_rows_count()
    monkeypatch.setattr(Training, "criticise", fault(Training.criticise))
    with pytest.raises(AssertionError):
        check_generated_rows_count()


class Everybody:
    def random(self, n):
        return np.zeros(n)


def check_fits_have_noise_of_their_own():
    """Two fits with one seed, one table, the same counts: what they sample held, only noise is left to differ."""
    plan = plan_fit(SCHEMA, QUICK, BUDGET)
    one = run(rows(), QUICK, plan, seed=7)
    two = run(rows(), QUICK, plan, tape=Tape(source=one.tape), seed=7)
    first, second = (each.fitted.model.arrays()["out.weight"] for each in (one, two))
    assert np.abs(first - second).max() > 0


def test_noise_that_is_seeded_by_the_fits_seed_is_caught(monkeypatch):
    real = PrivateSteps.__init__

    def sampling_everybody(self, *arguments, **named):
        real(self, *arguments, **named)
        self._samples = Everybody()

    monkeypatch.setattr(PrivateSteps, "__init__", sampling_everybody)
    monkeypatch.setattr(Conditions, "of_rows", lambda _self, cells, _rng: cells[:, 0])
    check_fits_have_noise_of_their_own()
    monkeypatch.setattr(dpsgd, "_own_generator", lambda _device: torch.Generator().manual_seed(7))
    with pytest.raises(AssertionError):
        check_fits_have_noise_of_their_own()


def check_no_step_too_many():
    """As many noisy sums as were charged, in a whole fit that saves a model."""
    with counted() as steps:
        model = fit(rows().frame, schema=SCHEMA, engine=QUICK, privacy=BUDGET)
    charged = sum(c.mechanism.count for c in model.charges if hasattr(c.mechanism, "sampling_rate"))
    assert len(steps) == charged == QUICK.steps


def test_a_last_step_over_budget_is_caught(monkeypatch):
    """Planted twice: one step more than was charged, and no refusal of it."""
    check_no_step_too_many()
    criticise, step = Training.criticise, PrivateSteps.step

    def once_more(self, steps, private):
        criticise(self, steps, private)
        if steps.done == steps.mechanism.count:
            criticise(self, steps, private)

    def unlimited(self, *losses):
        if self.done == self.mechanism.count:
            self.done -= 1
        step(self, *losses)

    monkeypatch.setattr(Training, "criticise", once_more)
    with pytest.raises(PrivacyError, match="all 6 steps"):
        check_no_step_too_many()
    monkeypatch.setattr(PrivateSteps, "step", unlimited)
    with pytest.raises(AssertionError):
        check_no_step_too_many()
