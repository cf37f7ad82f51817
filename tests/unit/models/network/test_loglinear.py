"""Fitted log-linear models, against enumeration and iterative proportional fitting."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import logsumexp

from tabsynth.models.network.coordinates import Coordinates
from tabsynth.models.network.junction_tree import JunctionTree
from tabsynth.models.network.loglinear import LogLinear, Table, fit_loglinear
from tabsynth.models.network.triangulation import cliques_of

SIZES = (2, 3, 2, 2)
SCOPES = [(0,), (0, 1), (2, 1), (3, 0), (2, 3), (2,)]
N = 1000.0


def tree_of(scopes, sizes):
    pairs = [pair for scope in scopes for pair in itertools.combinations(sorted(scope), 2)]
    return JunctionTree.of(cliques_of(pairs, sizes), sizes)


def marginal(joint, scope):
    summed = joint.sum(axis=tuple(v for v in range(joint.ndim) if v not in scope))
    return summed.transpose(np.argsort(np.argsort(scope)))


def aligned(table, scope, n):
    """`table` over `scope`, as an array that multiplies onto a joint of n dimensions."""
    order = np.argsort(scope)
    shape = [1] * n
    for v in scope:
        shape[v] = table.shape[scope.index(v)]
    return table.transpose(order).reshape(shape)


def log_joint(base, scopes, potentials):
    """ln of the product of base and exp(potentials), not normalised, by broadcasting over all states."""
    n = len(base)
    total = sum(aligned(np.log(row), (v,), n) for v, row in enumerate(base))
    return total + sum(aligned(theta, scope, n) for scope, theta in zip(scopes, potentials, strict=True))


def joint_of(model):
    weights = log_joint(model.base, model.variables, model.potentials)
    return np.exp(weights - logsumexp(weights))


def problem(seed, *, noise, variance):
    """A joint distribution that no product is, its noisy marginals, and a base that is not uniform."""
    rng = np.random.default_rng(seed)
    joint = rng.dirichlet(np.full(np.prod(SIZES), 0.7)).reshape(SIZES)
    base = [rng.dirichlet(np.full(size, 5.0)) for size in SIZES]
    tables = []
    for scope in SCOPES:
        counts = N * marginal(joint, scope)
        tables.append(Table(scope, counts + noise * rng.normal(size=counts.shape), variance))
    return joint, base, tables


def fitted(base, tables, **options):
    tree = tree_of(SCOPES, SIZES)
    return fit_loglinear(
        tree, tables, base=base, total=N, **{"ridge": 1.0, "most_iterations": 500, **options}
    )


def unpacked(flat, tables):
    ends = np.cumsum([0, *(table.counts.size for table in tables)])
    return tuple(
        flat[a:b].reshape(t.counts.shape) for a, b, t in zip(ends[:-1], ends[1:], tables, strict=True)
    )


def objective(flat, base, tables, ridge):
    """The objective as the module states it, by enumeration."""
    thetas = unpacked(flat, tables)
    value = N * logsumexp(log_joint(base, SCOPES, thetas))
    for theta, table in zip(thetas, tables, strict=True):
        value += (-theta * table.counts + ridge / 2 * table.variance * theta**2).sum()
    return value


@pytest.mark.parametrize("seed", [0, 1])
def test_the_optimum_is_that_of_a_search_over_the_enumerated_objective(seed):
    _, base, tables = problem(seed, noise=15.0, variance=225.0)
    model = fitted(base, tables, ridge=0.02)
    start = np.zeros(sum(table.counts.size for table in tables))
    wanted = minimize(objective, start, args=(base, tables, 0.02), method="BFGS", options={"gtol": 1e-3})
    best = LogLinear(model.tree, tuple(base), tuple(SCOPES), unpacked(wanted.x, tables))
    np.testing.assert_allclose(joint_of(model), joint_of(best), atol=1e-5)
    # The slope vanishes but for constants, which say nothing of the distribution.
    found = np.concatenate([theta.ravel() for theta in model.potentials])
    slope = []
    for step in np.eye(len(found)) * 1e-4:
        higher, lower = (objective(found + side * step, base, tables, 0.02) for side in (1, -1))
        slope.append((higher - lower) / 2e-4)
    for one in unpacked(np.array(slope), tables):
        np.testing.assert_allclose(one - one.mean(), 0, atol=0.05)  # in rows, of 1000


def test_exact_marginals_give_what_iterative_proportional_fitting_gives():
    joint, base, tables = problem(2, noise=0.0, variance=1e-6)
    model = fitted(base, tables, most_iterations=2000)
    fit = np.exp(log_joint(base, [], []))
    for _ in range(3000):
        for scope in SCOPES:
            ratio = marginal(joint, scope) / marginal(fit, scope)
            fit = fit * aligned(ratio, scope, fit.ndim)
    np.testing.assert_allclose(joint_of(model), fit, atol=2e-4)
    for scope in SCOPES:
        np.testing.assert_allclose(marginal(joint_of(model), scope), marginal(joint, scope), atol=2e-4)


def test_beliefs_are_the_marginals_of_base_and_potentials():
    _, base, tables = problem(3, noise=30.0, variance=900.0)
    model = fitted(base, tables, ridge=0.05)
    joint = joint_of(model)
    for clique, belief in zip(model.tree.cliques, model.beliefs, strict=True):
        np.testing.assert_allclose(belief, marginal(joint, clique), rtol=1e-9)


@given(st.integers(0, 1000), st.lists(st.integers(0, 3), unique=True))
@settings(max_examples=30, deadline=None)
def test_evidence_is_bayes_rule(seed, held):
    rng = np.random.default_rng(seed)
    base = tuple(rng.dirichlet(np.ones(size)) for size in SIZES)
    potentials = tuple(rng.normal(0, 2, [SIZES[v] for v in scope]) for scope in SCOPES)
    model = LogLinear(tree_of(SCOPES, SIZES), base, tuple(SCOPES), potentials)
    evidence = {v: rng.gamma(1.0, size=SIZES[v]) * (np.arange(SIZES[v]) != 1) for v in held}
    joint = joint_of(model)
    for v, likelihood in evidence.items():
        joint = joint * aligned(likelihood, (v,), 4)
    joint /= joint.sum()
    for clique, belief in zip(model.tree.cliques, model.given(evidence), strict=True):
        np.testing.assert_allclose(belief, marginal(joint, clique), rtol=1e-9, atol=1e-15)


def test_evidence_that_no_state_agrees_with_is_refused():
    model = LogLinear(JunctionTree.of([(0,)], [2]), (np.array([0.5, 0.5]),), (), ())
    with pytest.raises(FloatingPointError, match="no state"):
        model.given({0: np.zeros(2)})


def test_two_measurements_of_one_pair_are_both_heeded():
    """In either order of the axes: together they are one measurement of half the variance."""
    rng = np.random.default_rng(4)
    first, second = rng.uniform(50, 150, (2, 2, 3))
    base = [np.full(2, 0.5), np.full(3, 1 / 3)]
    tree = JunctionTree.of([(0, 1)], [2, 3])
    options = {"base": base, "total": N, "ridge": 0.5, "most_iterations": 500}
    both = fit_loglinear(tree, [Table((0, 1), first, 20.0), Table((1, 0), second.T, 20.0)], **options)
    one = fit_loglinear(tree, [Table((0, 1), (first + second) / 2, 10.0)], **options)
    np.testing.assert_allclose(joint_of(both), joint_of(one), atol=1e-5)


def test_much_noise_leaves_the_base_and_little_follows_the_counts():
    counts = np.array([[400.0, 100.0], [100.0, 400.0]])
    base = [np.full(2, 0.5), np.full(2, 0.5)]
    tree = JunctionTree.of([(0, 1)], [2, 2])
    found = [
        joint_of(
            fit_loglinear(
                tree, [Table((0, 1), counts, variance)], base=base, total=N, ridge=1.0, most_iterations=200
            )
        )
        for variance in (1e9, 500.0, 1e-3)
    ]
    np.testing.assert_allclose(found[0], 0.25, atol=1e-4)
    assert 0.26 < found[1][0, 0] < 0.39
    np.testing.assert_allclose(found[2], counts / N, atol=1e-4)


def test_variances_of_single_cells_are_those_of_their_cells():
    """A cell whose noise is vast says nothing: the base's odds stay."""
    variance = np.array([[1e-4, 1e-4], [1e9, 1e9]])
    base = [np.array([0.5, 0.5]), np.array([0.5, 0.5])]
    model = fit_loglinear(
        JunctionTree.of([(0, 1)], [2, 2]),
        [Table((0, 1), np.array([[400.0, 100.0], [0.0, 0.0]]), variance)],
        base=base,
        total=N,
        ridge=1.0,
        most_iterations=300,
    )
    joint = joint_of(model)
    np.testing.assert_allclose(joint[0], [0.4, 0.1], atol=1e-3)
    np.testing.assert_allclose(joint[1], [0.25, 0.25], atol=1e-3)


def test_what_tables_share_is_made_as_steep_as_what_each_has_alone():
    """The curvature of log Z at independence, by hand: of k tables that hold a column, in the coordinates used.

    Three columns of even cells, all pairs measured, no ridge to speak of: every eigenvalue is 0 or 1 then. In θ scaled
    cell by cell alone the largest is 2, as every cell of a column is raised by two tables.
    """
    variables = [(0, 1), (0, 2), (1, 2)]
    sizes, n = (2, 3, 4), 2400.0
    counts = [np.full((sizes[a], sizes[b]), n / sizes[a] / sizes[b]) for a, b in variables]
    cells = list(itertools.product(*map(range, sizes)))
    features = np.array(
        [[float((cell[a], cell[b]) == at) for (a, b), y in zip(variables, counts, strict=True) for at in np.ndindex(y.shape)] for cell in cells]
    )  # fmt: skip
    hessian = n * np.cov(features.T, bias=True)
    coordinates = Coordinates(variables, counts, [np.full(y.shape, 1e-9) for y in counts])
    unit = np.eye(features.shape[1])
    map_ = np.stack([coordinates.theta(row) for row in unit], axis=1)
    back = np.stack([coordinates.gradient(row) for row in unit], axis=1)
    np.testing.assert_allclose(back, map_.T, atol=1e-12)
    sizes_of = np.linalg.eigvalsh(back @ hessian @ map_)
    assert np.all((np.abs(sizes_of) < 1e-6) | (np.abs(sizes_of - 1) < 1e-6))
    scale = 1 / np.sqrt(np.concatenate([y.ravel() for y in counts]))
    assert np.linalg.eigvalsh(scale[:, None] * hessian * scale).max() == pytest.approx(2)


def test_nothing_measured_is_the_base():
    base = [np.array([0.2, 0.8]), np.array([0.3, 0.3, 0.4])]
    tree = JunctionTree.of([(0,), (1,)], [2, 3])
    model = fit_loglinear(tree, [], base=base, total=5.0, ridge=1.0, most_iterations=10)
    found = dict(zip(tree.cliques, model.beliefs, strict=True))
    np.testing.assert_allclose(found[0,], base[0])
    np.testing.assert_allclose(found[1,], base[1])


def test_a_table_outside_every_clique_is_a_mistake():
    tree = JunctionTree.of([(0,), (1,)], [2, 2])
    with pytest.raises(ValueError, match="no clique holds"):
        fit_loglinear(
            tree,
            [Table((0, 1), np.ones((2, 2)), 1.0)],
            base=[np.full(2, 0.5)] * 2,
            total=4.0,
            ridge=1.0,
            most_iterations=5,
        )


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_measurements_that_contradict_each_other_and_the_total_are_fitted_all_the_same(scale):
    """Counts that cannot be: sums of anything, cells certain and impossible at once, hardly any noise."""
    rng = np.random.default_rng(0)
    tables = [Table(scope, scale * rng.normal(size=[SIZES[v] for v in scope]), 1e-9) for scope in SCOPES]
    first = np.zeros((2, 3))
    first[0, 0] = scale
    tables += [Table((0, 1), first, 1e-9), Table((0, 1), first[::-1, ::-1].copy(), 1e-9)]
    base = [np.full(size, 1 / size) for size in SIZES]
    for total in (1.0, 1e6):
        model = fit_loglinear(
            tree_of(SCOPES, SIZES), tables, base=base, total=total, ridge=0.02, most_iterations=100
        )
        assert all(np.isfinite(belief).all() for belief in model.beliefs)
        assert np.isfinite(joint_of(model)).all()


def test_the_total_of_a_measurement_says_nothing_of_the_distribution():
    rng = np.random.default_rng(0)
    counts = rng.uniform(50, 150, (2, 3))
    base = [np.full(2, 0.5), np.full(3, 1 / 3)]
    tree = JunctionTree.of([(0, 1)], [2, 3])
    options = {"base": base, "total": N, "ridge": 0.5, "most_iterations": 500}
    joints = [
        joint_of(fit_loglinear(tree, [Table((0, 1), counts + more, 20.0)], **options)) for more in (0.0, 70.0)
    ]
    np.testing.assert_allclose(*joints, atol=1e-6)
