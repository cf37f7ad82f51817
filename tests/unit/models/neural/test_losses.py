"""What `ctgan` and `tvae` are trained by, against finite differences, brute force and torch's own distributions."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra gan")

from tabsynth.encode import Variable  # noqa: E402
from tabsynth.models.ctgan import Ctgan  # noqa: E402
from tabsynth.models.network.columns import NetworkColumn  # noqa: E402
from tabsynth.models.neural.adversarial import Adversaries  # noqa: E402
from tabsynth.models.neural.observed import Observed  # noqa: E402
from tabsynth.models.neural.variational import Autoencoder, from_normal  # noqa: E402
from tabsynth.models.public_cells import PublicCells  # noqa: E402
from tabsynth.models.tvae import Tvae  # noqa: E402


def observed(n_columns=3, n_levels=4, n=60):
    rng = np.random.default_rng(0)
    columns = tuple(
        NetworkColumn(
            PublicCells.of(Variable(name=f"v{k}", is_continuous=False, n_levels=n_levels)),
            np.full(n_levels, 1 / n_levels),
            np.arange(n_levels),
        )
        for k in range(n_columns)
    )
    return Observed(columns, rng.integers(0, n_levels, (n, n_columns)).astype(np.uint16))


def adversaries(**table):
    recipe = Ctgan(pac=3, batch_size=30, width=16, critic_width=16, n_noise=4)
    return Adversaries(observed(**table), recipe, device=torch.device("cpu"), seed=0)


def test_no_network_normalises_over_a_batch():
    trained = adversaries()
    coder = Autoencoder(observed(), Tvae(width=8, n_noise=4), device=torch.device("cpu"), seed=0)
    for network in (trained.generator, trained.critic, coder.encoder, coder.decoder):
        assert not any("BatchNorm" in type(layer).__name__ for layer in network.modules())


def test_the_penalty_is_that_of_the_slope_found_by_finite_differences():
    """In float64, at one point: where real and made rows are the same, so is everything between."""
    trained = adversaries()
    trained.critic.double()
    rows = torch.rand((3, trained.n_cells + trained.n_columns), dtype=torch.float64)
    flat = rows.reshape(1, -1)
    step, slope = 1e-6, []
    for k in range(flat.shape[1]):
        moved = torch.zeros_like(flat)
        moved[0, k] = step
        change = trained.critic(flat + moved) - trained.critic(flat - moved)
        slope.append(float(change.detach()) / (2 * step))
    wanted = (np.linalg.norm(slope) - 1) ** 2
    assert float(trained._penalty(rows, rows.clone()).detach()) == pytest.approx(wanted, rel=1e-4)


def test_three_rows_are_judged_together():
    trained = adversaries()
    rows = torch.rand((30, trained.n_cells + trained.n_columns))
    said = trained.critic(rows)
    assert said.shape == (10,)
    rows[0] += 1
    assert (trained.critic(rows) != said).tolist() == [True] + [False] * 9


def test_pairs_are_missed_as_brute_force_says():
    trained = adversaries(n_columns=3, n_levels=2)
    rng = np.random.default_rng(1)
    found = np.concatenate([rng.dirichlet([1, 1], 30) for _ in range(3)], axis=1)
    rows = np.concatenate([np.eye(2)[rng.integers(0, 2, 30)] for _ in range(3)], axis=1)
    wanted = 0.0
    for i in range(3):
        for j in range(3):
            if i != j:
                for p in range(2):
                    for q in range(2):
                        one, two = ((t[:, 2 * i + p] * t[:, 2 * j + q]).mean() for t in (found, rows))
                        wanted += (one - two) ** 2 / 3
    got = trained._pairs_missed(torch.from_numpy(found), torch.from_numpy(rows))
    assert float(got) == pytest.approx(wanted, rel=1e-9)


def test_of_many_columns_some_are_looked_at_in_a_step_and_all_in_the_end():
    trained = adversaries(n_columns=40, n_levels=2)
    found = torch.full((30, 80), 0.5)
    rows = torch.eye(2)[torch.zeros((30, 40), dtype=torch.long)].reshape(30, 80)
    seen = [float(trained._pairs_missed(found, rows)) for _ in range(3)]
    # each of 32 · 31 pairs of columns misses (¾)² + 3 · (¼)² = ¾, and each of 32 columns has its 31
    assert seen == pytest.approx([31 * 0.75] * 3)
    state = trained.rng.bit_generator.state["state"]
    trained._pairs_missed(found, rows)
    assert trained.rng.bit_generator.state["state"] != state, "another choice each time"


def test_relative_entropy_is_torch_s_own():
    mean, spread = torch.randn(7, 5), torch.randn(7, 5)
    normal = torch.distributions.Normal(mean, torch.exp(spread / 2))
    standard = torch.distributions.Normal(0.0, 1.0)
    wanted = torch.distributions.kl_divergence(normal, standard).sum(dim=1)
    assert torch.allclose(from_normal(mean, spread), wanted, atol=1e-5)


def test_batches_are_whole_packs():
    assert [Ctgan(batch_size=b, pac=p).n_batch for b, p in ((500, 10), (32, 5), (3, 10))] == [500, 30, 10]
