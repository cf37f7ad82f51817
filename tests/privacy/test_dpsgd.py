"""Steps of DP-SGD: noise, samples, clipping and the public gradient, each with a fault that is caught."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta, binomtest, chi2

from tabsynth.errors import PrivacyError
from tabsynth.privacy.accountant import delta_of, epsilon_of
from tabsynth.privacy.mechanisms import SampledGaussian

torch = pytest.importorskip("torch", reason="needs the extra gan")
pytest.importorskip("opacus", reason="needs the extra gan")

from tabsynth.models.neural.networks import Critic, initialise  # noqa: E402
from tabsynth.privacy import dpsgd  # noqa: E402
from tabsynth.privacy.dpsgd import PrivateSteps, agreed_multiplier, opacus_epsilon  # noqa: E402

N, CELLS, CLIP = 40, 6, 0.5
NEVER = 1e-9


def rows(seed=0, n=N):  # torch warns of hooks where no input has a gradient
    return torch.rand((n, 2 * CELLS), generator=torch.Generator().manual_seed(seed))


class Trained:
    """A critic whose optimiser only notes the gradient it is given: weights stay as they were."""

    def __init__(
        self, *, scale=2.0, rate=0.3, count=1000, n_rows=N, expected=None, most_at_once=7, multiplier=None
    ):
        self.critic = Critic(n_cells=CELLS, width=8)
        initialise(self.critic, torch.Generator().manual_seed(1))
        self.table, self.taken, self.seen, self.most = rows(n=max(n_rows, 1)), [], [], 0
        optimizer = torch.optim.SGD(self.critic.parameters(), lr=0.0)
        optimizer.register_step_pre_hook(lambda *_: self.seen.append(self._gradient()))
        self.steps = PrivateSteps(
            self.critic,
            optimizer,
            mechanism=SampledGaussian(scale=scale, sampling_rate=rate, count=count),
            multiplier=scale if multiplier is None else multiplier,
            n_rows=n_rows,
            expected_rows=rate * N if expected is None else expected,
            max_grad_norm=CLIP,
            most_at_once=most_at_once,
        )

    def _gradient(self):
        return torch.cat([p.grad.reshape(-1) for p in self.critic.parameters()]).double().numpy()

    def loss(self, taken, *, weight=1.0):
        self.taken[-1].extend(taken.tolist())
        self.most = max(self.most, len(taken))
        return weight * torch.nn.functional.softplus(-self.critic(self.table[taken]))

    def step(self, *, weight=1.0, public=0.0):
        """The gradient of one step, and the rows that were taken."""
        self.taken.append([])
        fake = rows(seed=9)
        self.steps.step(
            lambda taken, _: self.loss(taken, weight=weight), lambda: public * self.critic(fake).mean()
        )
        return self.seen[-1], self.taken[-1]

    def by_hand(self, taken, *, weight=1.0):
        """Σ of the rows' gradients, each clipped, one row at a time."""
        total = np.zeros(sum(p.numel() for p in self.critic.parameters()))
        for row in taken:
            loss = (
                weight * torch.nn.functional.softplus(-self.critic(self.table[[row]].requires_grad_())).sum()
            )
            parts = torch.autograd.grad(loss, list(self.critic.parameters()))
            gradient = torch.cat([part.reshape(-1) for part in parts]).double().numpy()
            total += gradient * min(1.0, CLIP / np.linalg.norm(gradient))
        return total


def check_noise(multiplier=None):
    """Gradient less what a hand computes: Gaussian with the multiplier that was charged, in samples of no row too."""
    trained = Trained(scale=2.0, multiplier=multiplier)
    off = []
    for _ in range(8):
        gradient, taken = trained.step()
        off.append(gradient * 0.3 * N - trained.by_hand(taken))
    squares = float((np.concatenate(off) ** 2).sum()) / (2.0 * CLIP) ** 2
    n = sum(map(len, off))
    assert chi2.ppf(NEVER, n) < squares < chi2.isf(NEVER, n)


def test_noise_is_that_of_the_charge_on_gradients_that_a_hand_clips(monkeypatch):
    check_noise()
    monkeypatch.setattr("opacus.optimizers.optimizer._generate_noise", lambda *, std, reference, **_: torch.zeros_like(reference) * std)  # fmt: skip
    with pytest.raises(AssertionError):
        check_noise()


def noiseless(monkeypatch):
    monkeypatch.setattr("opacus.optimizers.optimizer._generate_noise", lambda *, reference, **_: torch.zeros_like(reference))  # fmt: skip


@pytest.mark.parametrize("most_at_once", [1, 7, 39, 40, 512])
def test_a_sample_in_parts_has_the_sum_of_one_in_one_piece(monkeypatch, most_at_once):
    """Memory is bounded by the part; the sum is that of rows clipped one by one, to rounding of 32 bits."""
    noiseless(monkeypatch)
    trained = Trained(rate=1.0, expected=1.0, most_at_once=most_at_once)
    gradient, taken = trained.step()
    assert taken == list(range(N))
    assert 0 < trained.most <= most_at_once
    wanted = trained.by_hand(taken)
    assert np.abs(gradient - wanted).max() < 1e-5 * np.linalg.norm(wanted)


def test_noise_is_added_once_however_many_parts_there_are(monkeypatch):
    """Planted: noise for every part, which would be charged as if it were one."""

    def check():
        drawn, real = [], dpsgd_noise()
        with monkeypatch.context() as patch:
            patch.setattr(OPTIMIZER, lambda **how: drawn.append(how["std"]) or real(**how))
            trained = Trained(rate=1.0, most_at_once=5)
            trained.step()
        n_parameters = sum(1 for _ in trained.critic.parameters())
        assert drawn == [2.0 * CLIP] * n_parameters

    check()
    from opacus.optimizers import DPOptimizer

    monkeypatch.setattr(DPOptimizer, "signal_skip_step", lambda *_, **__: None)
    with pytest.raises(AssertionError):
        check()


def dpsgd_noise():
    from opacus.optimizers import optimizer

    return optimizer._generate_noise


OPTIMIZER = "opacus.optimizers.optimizer._generate_noise"


def test_products_in_16_bits_are_clipped_in_32(monkeypatch):
    """The sum is near that of 32 bits, and no row moves it by more than the norm."""
    noiseless(monkeypatch)

    def step(n_rows, weight=1.0):
        trained = Trained(rate=1.0, n_rows=n_rows, expected=1.0)

        def loss(taken, *, weight=weight):
            trained.taken[-1].extend(taken.tolist())
            with torch.autocast("cpu", dtype=torch.bfloat16):
                scores = trained.critic(trained.table[taken])
            assert scores.dtype == torch.bfloat16
            return weight * torch.nn.functional.softplus(-scores.float())

        trained.loss = loss
        gradient, taken = trained.step()
        assert all(p.dtype == torch.float32 for p in trained.critic.parameters())
        return gradient, trained.by_hand(taken, weight=weight)

    found, wanted = step(N)
    assert 1e-6 < np.linalg.norm(found - wanted) / np.linalg.norm(wanted) < 0.05
    for weight in (1.0, 1e6):
        assert np.linalg.norm(step(1, weight)[0]) <= CLIP * (1 + 1e-5)


@pytest.mark.parametrize("allowed", ["none", "tf32", "ieee"])
def test_gradients_are_clipped_and_added_up_without_shorter_products(allowed):
    """TF32 and bfloat16 round what is clipped, by which it may pass the norm; the caller's own word stands afterwards."""
    trained, seen, matmul = Trained(), [], torch.backends.cuda.matmul
    trained.steps._optimizer.attach_step_hook(
        lambda _: seen.append((matmul.fp32_precision, torch.is_autocast_enabled("cpu")))
    )
    try:
        matmul.fp32_precision = allowed
        with torch.autocast("cpu", dtype=torch.bfloat16):
            trained.step()
            assert torch.is_autocast_enabled("cpu")
        assert matmul.fp32_precision == allowed
    finally:
        matmul.fp32_precision = "none"
    assert seen == [("ieee", False)]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_weights_of_other_than_32_bits_are_refused(dtype):
    critic = Critic(n_cells=CELLS, width=8).to(dtype)
    with pytest.raises(PrivacyError, match="of weights with 32 bits"):
        PrivateSteps(
            critic,
            torch.optim.SGD(critic.parameters(), lr=0.0),
            mechanism=SampledGaussian(scale=2.0, sampling_rate=0.3, count=1),
            multiplier=2.0,
            n_rows=N,
            expected_rows=1.0,
            max_grad_norm=CLIP,
            most_at_once=7,
        )


def test_losses_of_several_rows_together_are_refused():
    """pac = 10 by another name: clipping would bound what ten rows add, and one row would move ten."""
    trained = Trained(rate=1.0, most_at_once=40)
    trained.loss = lambda taken, weight=1.0: weight * trained.critic(trained.table[taken]).reshape(-1, 10).mean(dim=1)  # fmt: skip
    with pytest.raises(PrivacyError, match="a loss of its own"):
        trained.step()
    assert trained.seen == []


def test_less_noise_than_was_charged_is_refused():
    with pytest.raises(PrivacyError, match="less than what was charged"):
        Trained(scale=2.0, multiplier=1.9)


def test_a_row_moves_the_sum_by_the_norm_at_most(monkeypatch):
    """However large its gradient is: weights of 10^6, and what is no number at all."""
    monkeypatch.setattr("opacus.optimizers.optimizer._generate_noise", lambda *, reference, **_: torch.zeros_like(reference))  # fmt: skip
    trained = Trained(rate=1.0, n_rows=1, expected=1.0)
    for weight in (1.0, 1e6):
        gradient, taken = trained.step(weight=weight)
        assert taken == [0]
        assert np.linalg.norm(gradient) <= CLIP * (1 + 1e-5)
        assert np.allclose(gradient, trained.by_hand(taken, weight=weight), atol=1e-5)
    for weight in (math.inf, math.nan):
        assert np.linalg.norm(trained.step(weight=weight)[0]) <= CLIP * (1 + 1e-5)


def check_samples(trained):
    """Every row with the rate, on its own: 200 steps of 40 rows, each count tested at 10^-9."""
    counts, sizes = np.zeros(N), []
    for _ in range(200):
        _, taken = trained.step()
        assert len(set(taken)) == len(taken)
        counts[taken] += 1
        sizes.append(len(taken))
    assert all(binomtest(int(count), 200, 0.3).pvalue > NEVER for count in counts)
    variance = np.var(sizes) / (N * 0.3 * 0.7)  # a shuffled table has batches of one size
    assert 0.4 < variance < 2.0  # χ² of 199 degrees: outside with probability below 10^-9


def test_samples_are_poisson(monkeypatch):
    check_samples(Trained(most_at_once=N))

    class Shuffling:
        def random(self, n):
            return np.random.default_rng().permutation(n) / n  # a batch of exactly the rate

    trained = Trained(most_at_once=N)
    monkeypatch.setattr(trained.steps, "_samples", Shuffling())
    with pytest.raises(AssertionError):
        check_samples(trained)


def test_a_table_without_rows_is_trained_on_like_any_other():
    trained = Trained(n_rows=0, expected=1.0)
    gradient, taken = trained.step()
    assert taken == []
    squares = float((gradient**2).sum()) / (2.0 * CLIP) ** 2
    assert chi2.ppf(NEVER, len(gradient)) < squares < chi2.isf(NEVER, len(gradient))


def check_public_gradient():
    """The gradient of what needs no row arrives whole: no clipping, no noise, no scale."""
    trained = Trained(rate=1e-12, expected=1e9)  # samples of no row, and noise of nothing
    gradient, _ = trained.step(public=3.0)
    loss = 3.0 * trained.critic(rows(seed=9).requires_grad_()).mean()
    wanted = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, list(trained.critic.parameters()))])
    assert np.abs(gradient).max() > 0.01
    assert np.allclose(gradient, wanted.double().numpy(), atol=1e-6)


def test_the_public_gradient_is_used(monkeypatch):
    check_public_gradient()
    real = torch.autograd.grad
    with monkeypatch.context() as patch:
        patch.setattr(torch.autograd, "grad", lambda loss, params: [0 * g for g in real(loss, params)])
        trained = Trained(rate=1e-12, expected=1e9)
        assert np.abs(trained.step(public=3.0)[0]).max() < 1e-6  # what the check above would see


def check_fresh(*, seed):
    """Two trainings after the same global seed: another noise, another sample."""
    found = []
    for _ in range(2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002  # the seeds of old must have no effect
        trained = Trained()
        steps = [trained.step() for _ in range(3)]
        found.append((np.concatenate([gradient for gradient, _ in steps]), [taken for _, taken in steps]))
    assert found[0][1] != found[1][1]
    assert np.abs(found[0][0] - found[1][0]).max() > 1e-3


def check_fresh_noise(*, seed):
    """The same, of samples that are all rows: only noise is left to differ."""
    found = []
    for _ in range(2):
        torch.manual_seed(seed)
        found.append(Trained(rate=1.0).step()[0])
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_no_seed_reaches_samples_or_noise(monkeypatch):
    check_fresh(seed=5)
    check_fresh_noise(seed=5)
    with monkeypatch.context() as patch:
        patch.setattr(dpsgd, "_own_generator", lambda _device: torch.default_generator)  # as Opacus would
        with pytest.raises(AssertionError):
            check_fresh_noise(seed=5)
    with monkeypatch.context() as patch:
        patch.setattr(dpsgd.secrets, "randbits", lambda _n: 5)
        with pytest.raises(AssertionError):
            check_fresh(seed=5)


def test_steps_end_before_the_budget_does():
    trained = Trained(count=3)
    for _ in range(3):
        trained.step()
    with pytest.raises(PrivacyError, match="all 3 steps"):
        trained.step()
    assert len(trained.seen) == 3
    assert trained.taken[-1] == []  # no row was looked at


@pytest.mark.parametrize("layer", [torch.nn.BatchNorm1d(8), torch.nn.SyncBatchNorm(8)])
def test_layers_that_mix_rows_are_refused(layer):
    module = torch.nn.Sequential(torch.nn.Linear(3, 8), layer, torch.nn.Linear(8, 1))
    with pytest.raises(PrivacyError, match=f"mix rows .*{type(layer).__name__}"):
        PrivateSteps(
            module,
            torch.optim.SGD(module.parameters(), lr=1.0),
            mechanism=SampledGaussian(scale=1.0, sampling_rate=0.5),
            multiplier=1.0,
            n_rows=3,
            expected_rows=1.5,
            max_grad_norm=1.0,
            most_at_once=3,
        )


def test_the_critic_judges_rows_alone():
    """pac = 1: no row's score depends on its neighbours, and there is one score for each."""
    critic, table = Critic(n_cells=CELLS, width=8), rows(n=20)
    initialise(critic, torch.Generator().manual_seed(1))
    together = critic(table)
    assert together.shape == (20,)
    alone = torch.cat([critic(table[[row]]) for row in range(20)])
    assert torch.allclose(together, alone, atol=1e-6)


SCHEDULES = [(0.8, 0.05, 400), (2.0, 0.08, 200), (5.0, 0.08, 200), (1.2, 0.02, 1000), (3.0, 1.0, 5)]


@pytest.mark.parametrize(("scale", "rate", "count"), SCHEDULES)
def test_two_accountants_agree_and_the_larger_is_charged(scale, rate, count):
    mechanism = SampledGaussian(scale=scale, sampling_rate=rate, count=count)
    charged, found = epsilon_of([mechanism], 1e-5), opacus_epsilon(mechanism, 1e-5)
    assert found == pytest.approx(charged, rel=0.02)
    multiplier = agreed_multiplier(mechanism, 1e-5)
    assert scale <= multiplier < 1.02 * scale
    used = SampledGaussian(scale=multiplier, sampling_rate=rate, count=count)
    assert max(opacus_epsilon(used, 1e-5), epsilon_of([used], 1e-5)) <= charged


def test_accountants_that_disagree_stop_a_fit(monkeypatch):
    mechanism = SampledGaussian(scale=1.0, sampling_rate=0.1, count=100)
    monkeypatch.setattr(
        dpsgd, "opacus_epsilon", lambda mechanism, delta: 1.03 * epsilon_of([mechanism], delta)
    )
    with pytest.raises(PrivacyError, match="two accountants disagree"):
        agreed_multiplier(mechanism, 1e-5)


def test_of_very_little_the_ledgers_accountant_alone_is_asked(monkeypatch):
    monkeypatch.setattr(dpsgd, "opacus_epsilon", None)
    assert agreed_multiplier(SampledGaussian(scale=1e4, sampling_rate=0.1, count=10), 1e-5) == 1e4


AUDITED = SampledGaussian(scale=1.2, sampling_rate=0.5, count=3)
RUNS = 300


def advantage(*, multiplier):
    """How often the likelihood ratio says "there is a row" of a table of one row, and of a table of none.

    Everything is released, and the row's gradient is as large as clipping allows: no attack on these tables is
    better (Neyman and Pearson).
    """
    said, row = [], torch.tensor([[3.0, 4.0]])  # of norm 5: the clipped gradient is (.6, .8) times the norm
    for n_rows in (1, 0):
        told, line = [], torch.nn.Linear(2, 1, bias=False)
        optimizer = torch.optim.SGD(line.parameters(), lr=0.0)
        optimizer.register_step_pre_hook(
            lambda *_, t=told, w=line.weight: t.append(float(w.grad @ row.T) / 5)
        )
        steps = PrivateSteps(
            line,
            optimizer,
            mechanism=replace(AUDITED, scale=multiplier, count=RUNS * AUDITED.count),
            multiplier=multiplier,
            n_rows=n_rows,
            expected_rows=1.0,
            max_grad_norm=1.0,
            most_at_once=2,
        )
        for _ in range(RUNS * AUDITED.count):
            steps.step(lambda taken, _, f=line: f(row[taken])[:, 0], lambda f=line: 0 * f(row).sum())
        x, q = np.array(told).reshape(RUNS, -1), AUDITED.sampling_rate
        ratio = np.log(1 - q + q * np.exp((2 * x - 1) / (2 * multiplier**2))).sum(axis=1)
        said.append(int((ratio > 0).sum()))
    return said


def least_advantage(hits, false):
    """What the difference of two shares is at least; wrong twice in 10^4 (Clopper and Pearson)."""
    return beta.ppf(1e-4, hits, RUNS - hits + 1) - beta.ppf(1 - 1e-4, false + 1, RUNS - false)


def test_neighbouring_tables_are_told_apart_no_better_than_was_accounted():
    """δ at ε = 0 bounds the difference of the shares. With a third of the noise it is exceeded, so the audit sees."""
    accounted = delta_of([AUDITED], 0.0)
    hits, false = advantage(multiplier=AUDITED.scale)
    assert least_advantage(hits, false) <= accounted
    assert (hits - false) / RUNS > accounted - 0.2  # it sees what there is: five standard errors of .04
    assert least_advantage(*advantage(multiplier=AUDITED.scale / 3)) > accounted


def test_noise_has_more_seeds_than_a_number_of_32_bits(monkeypatch):
    """torch's generator on a CPU takes the low half of a seed, so its whole state is drawn instead."""
    layout = torch.Generator().manual_seed(5).get_state().numpy()
    words = layout[24 : 24 + 8 * 624].view(np.uint64)
    assert (words == np.random.RandomState(5).get_state()[1]).all(), "where the words of the state lie"
    low, high = (torch.randn(9, generator=torch.Generator().manual_seed(5 + k * 2**32)) for k in (0, 1))
    assert (low == high).all(), "the fault"
    monkeypatch.setattr("secrets.randbits", lambda _bits: 5)
    drawn = [torch.randn(100_000, generator=dpsgd._own_generator(torch.device("cpu"))) for _ in range(2)]
    assert (drawn[0] != drawn[1]).any()
    for numbers in drawn:  # standard errors .003 and .002: six of them, 1e-9
        assert abs(float(numbers.mean())) < 0.019
        assert abs(float(numbers.std()) - 1) < 0.014


def test_an_accountant_that_gives_up_ends_the_fit_before_it_begins(monkeypatch):
    from opacus.accountants import PRVAccountant

    def broken(*_, **__):
        raise RuntimeError("domain too small")

    monkeypatch.setattr(PRVAccountant, "get_epsilon", broken)
    with pytest.raises(PrivacyError, match="cannot account for these steps, so nothing was read"):
        dpsgd.opacus_epsilon(SampledGaussian(scale=1.3, sampling_rate=0.1, count=7), 1e-5)
