"""With privacy known distributions are recovered where there are rows enough, and lost as ε goes to 0.

Noise is fresh in every run: each bound says how likely it is to fail by chance.
"""

import numpy as np
import polars as pl
import pytest

from tabsynth.encode import encode_table, settle
from tabsynth.models.base import BLOCK_ROWS
from tabsynth.models.gaussian_copula import GaussianCopula
from tabsynth.models.independent import Independent
from tabsynth.models.latent import Part
from tabsynth.privacy import Budget, Ledger
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import make_plan
from tabsynth.randomness import Streams
from tabsynth.schema.types import Column, Kind, TableSchema
from tabsynth.table import Table

N = 40_000
RHO = np.array([[1, 0.7, -0.4, 0.3], [0.7, 1, -0.2, 0.5], [-0.4, -0.2, 1, 0.1], [0.3, 0.5, 0.1, 1]])
COLUMNS = (
    Column(name="amount", kind=Kind.NUMBER, dtype="float64", bounds=(0.0, 1e6)),
    Column(name="count", kind=Kind.INTEGER, dtype="int64", bounds=(0, 100)),
    Column(name="flag", kind=Kind.BOOLEAN, dtype="bool"),
    Column(name="grade", kind=Kind.ORDINAL, dtype="int64", categories=(0, 1, 2, 3)),
)


def draws(seed=0):
    return np.random.default_rng(seed).multivariate_normal(np.zeros(4), RHO, N)


def amount_of(z):
    return np.minimum(np.exp(2 * z + 8), 1e6)


def frame_of(z):
    return pl.DataFrame(
        {
            "amount": amount_of(z[:, 0]),
            "count": np.floor(np.exp(z[:, 1])).astype(np.int64),
            "flag": z[:, 2] > 1,
            "grade": np.digitize(z[:, 3], [-1, 0, 0.5]).astype(np.int64),
        }
    )


def fit(recipe, frame, *columns, epsilon=1.0):
    table = Table.conform(frame, TableSchema(name="t", columns=columns))
    encoded = settle(encode_table(table))
    plan = make_plan(recipe.parts(encoded.variables), Budget(epsilon=epsilon))
    return recipe.fit(encoded, queries=NoisyQueries(Ledger(), plan), streams=Streams(0))


def sampled(model, name, n_blocks=3):
    blocks = [model.sample_block(b, n_rows=BLOCK_ROWS, streams=Streams(1)).columns for b in range(n_blocks)]
    codes = np.concatenate([block[name].codes for block in blocks])
    values = [block[name].values for block in blocks]
    return codes, None if values[0] is None else np.concatenate(values)


def test_the_correlation_behind_any_margins_is_recovered():
    model = fit(GaussianCopula(), frame_of(draws()), *COLUMNS)
    # Standard errors, of which noise is the smaller part, are below 0.012 for every pair: five of them for
    # six pairs fail once in 300,000.
    assert model.covariance == pytest.approx(RHO, abs=0.06)


@pytest.mark.parametrize("recipe", [Independent(), GaussianCopula()], ids=lambda recipe: recipe.name)
def test_one_way_marginals_are_recovered(recipe):
    z = draws()
    model = fit(recipe, frame_of(z), *COLUMNS)
    # Noise of a cell's count has a deviation below 20 rows; sums over half of the 70 cells one below 120, or
    # 0.003 of all. Samples add less than 0.001, as they are spread evenly; six deviations fail once in 10^8.
    assert sampled(model, "flag")[0].mean() == pytest.approx((z[:, 2] > 1).mean(), abs=0.02)
    assert np.bincount(sampled(model, "grade")[0]) / (3 * BLOCK_ROWS) == pytest.approx(
        np.bincount(np.digitize(z[:, 3], [-1, 0, 0.5])) / N, abs=0.02
    )
    amounts = np.sort(sampled(model, "amount")[1])
    at = amount_of(np.linspace(-1, 2, 7))
    below = np.searchsorted(amounts, at) / len(amounts)
    there = np.searchsorted(np.sort(amount_of(z[:, 0])), at) / N
    # Within a cell numbers are spread evenly; no cell here holds more than 6 % of the rows.
    assert below == pytest.approx(there, abs=0.05)


def test_numbers_with_gaps_keep_their_dependence_and_so_do_the_gaps():
    z = draws(2)
    value = pl.Series(np.where(z[:, 1] > 0.3, np.nan, z[:, 0].clip(-5, 5))).fill_nan(None)
    model = fit(
        GaussianCopula(),
        pl.DataFrame({"value": value, "cause": z[:, 1].clip(-5, 5)}),
        Column(name="value", kind=Kind.NUMBER, dtype="float64", nullable=True, bounds=(-5.0, 5.0)),
        Column(name="cause", kind=Kind.NUMBER, dtype="float64", bounds=(-5.0, 5.0)),
    )
    codes, values = sampled(model, "value")
    cause = sampled(model, "cause")[1]
    # Five standard errors: 0.003 of a share, 0.016 of a correlation; coarse cells and selection take 0.064 off it.
    assert (codes == 1).mean() == pytest.approx((z[:, 1] > 0.3).mean(), abs=0.02)
    assert cause[codes == 1].min() > cause[codes == 0].mean()
    there = z[z[:, 1] <= 0.3]
    seen = np.corrcoef(values[codes == 0], cause[codes == 0])[0, 1]
    assert seen == pytest.approx(np.corrcoef(there[:, 0], there[:, 1])[0, 1], abs=0.08)


def test_levels_are_put_in_the_order_in_which_they_go_along_with_the_rest():
    z = draws(3)
    rank = np.digitize(z[:, 0], [-1, -0.3, 0.3, 1])
    names = np.array(["c", "e", "a", "d", "b"])
    model = fit(
        GaussianCopula(),
        pl.DataFrame({"town": names[rank], "x": z[:, 1].clip(-5, 5), "flag": z[:, 2] > 0}),
        Column(name="town", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b", "c", "d", "e")),
        Column(name="x", kind=Kind.NUMBER, dtype="float64", bounds=(-5.0, 5.0)),
        Column(name="flag", kind=Kind.BOOLEAN, dtype="bool"),
    )
    # Neighbouring levels differ by 0.4 in their mean of x, 6,000 rows each: 30 standard errors.
    order = ["abcde"[code] for code in model.latents[0].marginal.lower]
    assert order in (list("ceadb"), list("bdaec"))
    town, x = (
        next(k for k, latent in enumerate(model.latents) if latent.variable.name == name)
        for name in ("town", "x")
    )
    assert abs(model.covariance[town, x]) == pytest.approx(0.7, abs=0.06)


def test_as_epsilon_goes_to_nothing_so_does_what_is_learnt():
    z = draws(4)
    model = fit(GaussianCopula(), frame_of(z), *COLUMNS, epsilon=1e-5)
    # Noise of 10^6 rows and more: correlations are shrunk to below 10^-3 whatever it is.
    assert np.abs(model.covariance - np.eye(4)).max() < 0.01
    # 88 % of the flags are down. Four fits of noise alone come within 5 points of that for the flag at once
    # with a chance below 10^-4: each does with about one in fifteen.
    found = [
        fit(Independent(), frame_of(z), *COLUMNS, epsilon=1e-5).latents[2].marginal.mass[0] for _ in range(4)
    ]
    assert np.abs(np.array(found) - (z[:, 2] <= 1).mean()).max() > 0.05


def test_many_columns_are_fitted_in_one_go():
    rng = np.random.default_rng(5)
    common = rng.normal(size=2000)
    columns = [Column(name=f"c{k}", kind=Kind.INTEGER, dtype="int64", bounds=(0, 9)) for k in range(40)]
    frame = pl.DataFrame(
        {c.name: ((common + rng.normal(size=2000)) * 1.5 + 5).clip(0, 9).astype(np.int64) for c in columns}
    )
    model = fit(GaussianCopula(), frame, *columns, epsilon=20)
    found = model.covariance[np.triu_indices(40, k=1)]
    assert all(latent.part is Part.VALUE for latent in model.latents)
    # The mean of 780 estimates, each 0.5 ± 0.1, shrunk by less than a quarter.
    assert found.mean() == pytest.approx(0.45, abs=0.1)
