"""The fitted generator in numpy: against torch, against brute force, and what it refuses to be built from."""

import numpy as np
import pytest

from tabsynth.encode import EncodedColumn, Variable
from tabsynth.errors import ConditionError, ModelFileError, UsageError
from tabsynth.models.base import Condition
from tabsynth.models.dp_ctgan import CRITIC, DpCtgan
from tabsynth.models.network.columns import NetworkColumn
from tabsynth.models.neural.conditions import Conditions
from tabsynth.models.neural.fitted import NOTHING, FittedGenerator, Weights
from tabsynth.models.neural.released import released_parts
from tabsynth.models.public_cells import PublicCells
from tabsynth.randomness import Streams

LEVELS = Variable(name="a", is_continuous=False, n_levels=3)
NUMBERS = Variable(name="b", is_continuous=True, n_levels=2, null_code=1, is_lattice=True, lower=0, upper=7, is_bounded=True)  # fmt: skip
N_NOISE, WIDTH, DEPTH = 4, 5, 2


def columns():
    """Three levels, each a coarse cell; eight numbers in two coarse cells, and null."""
    levels, numbers = PublicCells.of(LEVELS), PublicCells.of(NUMBERS)
    return (
        NetworkColumn(levels, np.array([0.5, 0.3, 0.2]), np.arange(3)),
        NetworkColumn(
            numbers, np.r_[np.full(4, 0.15), np.full(3, 0.1), 0.0, 0.1], np.r_[[0] * 4, [1] * 4, 2]
        ),
    )


def weights(seed=0, *, scale=1.0):
    rng = np.random.default_rng(seed)

    def some(*shape):
        return (scale * rng.normal(size=shape)).astype(np.float32)

    n_inputs = N_NOISE + 6
    layers = tuple(
        (some(WIDTH, n_inputs + k * WIDTH), some(WIDTH), some(WIDTH), some(WIDTH)) for k in range(DEPTH)
    )
    return Weights(layers, (some(6, n_inputs + DEPTH * WIDTH), some(6)))


def model(**how):
    return FittedGenerator(columns(), weights(**how))


def draw(n=30_000, conditions=(), **how):
    found = model(**how).conditional_block(0, n_rows=n, streams=Streams(1), conditions=conditions).rows
    a, b = found.columns["a"], found.columns["b"]
    return a.codes.astype(int), np.where(b.codes == 1, -1, b.values)


def test_numpy_and_torch_are_the_same_function():
    torch = pytest.importorskip("torch", reason="needs the extra gan")
    from tabsynth.models.neural.networks import Generator

    own = weights()
    generator = Generator(n_noise=N_NOISE, n_cells=6, width=WIDTH, depth=DEPTH)
    state = {f"linear.{k}.{n}": x for k, layer in enumerate(own.layers) for n, x in zip(("weight", "bias"), layer[:2], strict=True)}  # fmt: skip
    state |= {f"norm.{k}.{n}": x for k, layer in enumerate(own.layers) for n, x in zip(("weight", "bias"), layer[2:], strict=True)}  # fmt: skip
    state |= {"out.weight": own.out[0], "out.bias": own.out[1]}
    generator.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    inputs = np.random.default_rng(1).normal(size=(50, N_NOISE + 6)).astype(np.float32)
    assert np.allclose(own.logits(inputs), generator(torch.from_numpy(inputs)).detach().numpy(), atol=1e-4)


def test_no_weight_of_the_critic_is_steeper_than_it_may_be():
    """By a singular value decomposition afterwards; a matrix that is within the bound stays in every bit."""
    torch = pytest.importorskip("torch", reason="needs the extra gan")
    from tabsynth.models.neural.networks import Critic, cap_spectra, initialise

    critic = Critic(n_cells=6, width=8)
    initialise(critic, torch.Generator().manual_seed(1))
    with torch.no_grad():
        critic.layers[0].weight.mul_(20.0)
    first, second = (critic.layers[k].weight.detach().clone() for k in (0, 3))
    largest = np.linalg.svd(first.numpy(), compute_uv=False)[0]
    assert largest > 2.0 > np.linalg.svd(second.numpy(), compute_uv=False)[0]
    cap_spectra(critic, 2.0)
    assert np.allclose(critic.layers[0].weight.detach(), first * 2.0 / largest, atol=1e-5)
    assert torch.equal(critic.layers[3].weight, second)


def test_conditions_are_those_that_brute_force_keeps():
    """One in the mixture's own way, one by throwing rows away; standard errors are below .01."""
    a, b = draw(200_000)
    held_a, held_b = draw(30_000, (Condition.at("b", 0, 2),))
    assert (held_b == 2).all()
    kept = a[(b >= 0) & (b < 4)]  # numbers of one coarse cell are alike
    assert len(kept) > 5000
    shares = [np.bincount(codes, minlength=3) / len(codes) for codes in (held_a, kept)]
    assert np.abs(shares[0] - shares[1]).max() < 0.04
    free = np.bincount(a, minlength=3) / len(a)
    assert np.abs(shares[1] - free).max() > 0.04, "the columns depend on each other"


def test_conditions_that_leave_parts_of_cells_leave_as_much_of_each():
    """Numbers 1 to 5 are three quarters of one coarse cell and two thirds of the other; standard errors are below .002."""
    held = Condition(column="b", codes=(0,), spans=((1, 5),))
    for scale in (0.3, 1.0):
        _, b = draw(200_000, scale=scale)
        kept = b[(b >= 1) & (b <= 5)]
        _, held_b = draw(100_000, (held,), scale=scale)
        shares = [np.bincount(numbers, minlength=8) / len(numbers) for numbers in (kept, held_b)]
        assert np.abs(shares[0] - shares[1]).max() < 0.006


def test_given_cells_stay_and_the_others_follow_from_them():
    """Given levels of a in turn: b is as among unconditional rows of that level; standard errors are below .01."""
    a, b = draw(200_000)
    n = 9_000
    given = {"a": EncodedColumn(LEVELS, np.repeat(np.arange(3), n // 3).astype(np.uint8))}
    found = model().conditional_block(0, n_rows=n, streams=Streams(1), given=given)
    assert (found.rows.columns["a"].codes == given["a"].codes).all()
    assert found.n_moved == 0
    assert 0 < found.effective <= n
    column = found.rows.columns["b"]
    own = np.where(column.codes == 1, -1, column.values)
    for level in range(3):
        made, kept = own[given["a"].codes == level] >= 4, b[a == level] >= 4
        assert abs(made.mean() - kept.mean()) < 0.04


def test_values_follow_their_columns_own_counts_inside_coarse_cells():
    _, b = draw(40_000)
    low, high = b[(b >= 0) & (b < 4)], b[b >= 4]
    assert np.abs(np.bincount(low, minlength=4) / len(low) - 0.25).max() < 0.01  # met evenly, not by chance
    assert np.abs(np.bincount(high - 4, minlength=4) / len(high) - [1 / 3, 1 / 3, 1 / 3, 0]).max() < 0.01


@pytest.mark.parametrize("condition", [Condition.at("b", 0, 7), Condition.at("b", 0, 99)])
def test_values_without_probability_are_refused(condition):
    with pytest.raises(ConditionError, match="'b': the condition has probability zero"):
        draw(5, (condition,))


def test_rare_conditions_are_met_however_unlikely_they_are():
    """Weights of 30 make a softmax that is 0 to every digit somewhere."""
    a, b = draw(100, (Condition.at("a", 2), Condition.at("b", 1)), scale=30.0)
    assert (a == 2).all()
    assert (b == -1).all()


def test_it_is_restored_as_it_was():
    own = model()
    again = DpCtgan.restore((LEVELS, NUMBERS), own.arrays(), own.parameters())
    first, second = (each.sample_block(3, n_rows=500, streams=Streams(2)) for each in (own, again))
    for name, column in first.columns.items():
        assert (column.codes == second.columns[name].codes).all()
    empty = FittedGenerator((), NOTHING)
    assert DpCtgan.restore((), empty.arrays(), empty.parameters()).sample_block(0, n_rows=4, streams=Streams(0)).n_rows == 4  # fmt: skip


HOSTILE = {
    "depth": (lambda _, p: p.update(depth=True), "'depth': not a whole number of layers"),
    "deep": (lambda _, p: p.update(depth=65), "'depth': not a whole number of layers"),
    "none": (lambda _, p: p.update(depth=0), "'depth': not a whole number of layers"),
    "missing": (lambda a, _: a.pop("out.bias"), "arrays: 1 missing"),
    "unknown": (lambda a, _: a.update(more=np.zeros(1)), "arrays: 0 missing, 1 unknown"),
    "flat": (lambda a, _: a.update({"layer.0.weight": np.zeros(3, np.float32)}), "not of noise and of every cell"),
    "narrow": (lambda a, _: a.update({"layer.0.weight": np.zeros((5, 6), np.float32)}), "not of noise and of every cell"),
    "shape": (lambda a, _: a.update({"out.bias": np.zeros(7, np.float32)}), "'out.bias': expected float32 of shape"),
    "type": (lambda a, _: a.update({"out.bias": np.zeros(6)}), "'out.bias': expected float32 of shape"),
    "nan": (lambda a, _: a.update({"out.bias": np.full(6, np.nan, np.float32)}), "'out.bias': not within 1e"),
    "huge": (lambda a, _: a.update({"out.bias": np.full(6, 1e7, np.float32)}), "'out.bias': not within 1e"),
    "counts": (lambda a, _: a.update({"column.0.counts": np.full(3, -1.0)}), "column.0.counts"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_stored_is_believed(name):
    change, fault = HOSTILE[name]
    arrays, parameters = dict(model().arrays()), dict(model().parameters())
    change(arrays, parameters)
    with pytest.raises(ModelFileError, match=fault):
        DpCtgan.restore((LEVELS, NUMBERS), arrays, parameters)


def test_conditions_come_from_shares_and_rows_alone():
    """Drawn: a column evenly, a cell by its share, each of 40,000 within 5 standard errors."""
    conditions = Conditions([np.array([0.9, 0.1]), np.array([0.2, 0.0, 0.8])])
    drawn = conditions.draw(40_000, np.random.default_rng(0))
    wanted = np.array([0.45, 0.05, 0.1, 0.0, 0.4])
    assert np.abs(np.bincount(drawn, minlength=5) / 40_000 - wanted).max() < 0.0125
    assert not (drawn == 3).any()
    rows = np.array([[1, 4], [0, 2]] * 500)
    of_rows = conditions.of_rows(rows, np.random.default_rng(0))
    assert ((of_rows == rows[:, 0]) | (of_rows == rows[:, 1])).all()
    assert 0.45 < (of_rows < 2).mean() < 0.55


def test_few_columns_have_all_pairs_counted_and_many_the_most_dependent_of_them():
    of = {
        n: {part.statistic: part.count for part in released_parts([LEVELS] * n, share=1.0)}
        for n in (0, 1, 17, 18)
    }
    assert of[0] == {}
    assert set(of[1]) == {"one-way marginals"}
    assert of[17]["pair marginals"] == 17 * 16 // 2
    assert (of[18]["pair marginals"], of[18]["dependence of pairs"]) == (144, 153)


def test_the_critic_is_planned_where_there_is_something_to_learn():
    parts = {part.statistic: part for part in DpCtgan(critic_share=0.25, steps=9).parts((LEVELS, NUMBERS))}
    assert (parts[CRITIC].count, parts[CRITIC].share, parts[CRITIC].sampling_rate) == (9, 0.25, 0.08)
    assert sum(part.share for part in parts.values()) == pytest.approx(1)
    assert CRITIC not in {part.statistic for part in DpCtgan().parts((LEVELS,))}
    assert CRITIC not in {part.statistic for part in DpCtgan(critic_share=0.0).parts((LEVELS, NUMBERS))}


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"steps": 0, "batch": 0}, "steps of 1 or more, batch of 1 or more"),
        ({"max_grad_norm": 0.0}, "a positive max_grad_norm"),
        ({"learning_rate": float("inf")}, "a positive learning_rate"),
        ({"critic_share": 1.0}, r"critic_share in \[0, 1\)"),
        ({"sampling_rate": 0.0}, r"sampling_rate in \(0, 1\]"),
        ({"averaging": -0.1}, r"averaging in \[0, 1\)"),
        ({"adversarial_weight": -1.0}, "adversarial_weight of 0 or more"),
        ({"threads": -1}, "threads of 0 or more"),
    ],
)
def test_settings_outside_their_ranges_are_named(settings, fault):
    with pytest.raises(UsageError, match=f"dp_ctgan needs {fault}"):
        DpCtgan(**settings)
