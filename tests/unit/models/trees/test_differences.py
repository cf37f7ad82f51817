"""Numbers that a difference tells: what is equal is equal, what is ordered is ordered, and columns stay as they are."""

import datetime as dt
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.stats import ks_2samp

from tabsynth.errors import ModelFileError
from tabsynth.model_folder import write_folder
from tabsynth.models.marginal import Marginal
from tabsynth.models.trees.differences import signs_of, windows
from tabsynth.models.trees.drawing import draw_rows
from tabsynth.models.trees.settling import _below, settled
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.privacy import NO_PRIVACY
from tabsynth.randomness import Streams
from tests.unit.hostile import parts_of

DAY = dt.date(2020, 1, 1)


def stays(n=4000, seed=0):
    """Three years of stays, half of them of a day or less, longer in one ward; a third of the bills is paid to the cent."""
    rng = np.random.default_rng(seed)
    came = rng.integers(0, 1000, n)
    ward = rng.choice(["eye", "hip"], n)
    nights = np.where(
        rng.random(n) < 0.5, rng.integers(0, 2, n), rng.geometric(np.where(ward == "hip", 0.1, 0.4))
    )
    bill = rng.gamma(2, 400, n).round(2)
    paid = np.where(rng.random(n) < 1 / 3, bill, (rng.integers(1, 40, n) * 50).astype(float))
    gone = rng.random(n) < 0.9
    return pl.DataFrame(
        {
            "came": [DAY + dt.timedelta(int(day)) for day in came],
            "left": [
                DAY + dt.timedelta(int(day)) if is_gone else None
                for day, is_gone in zip(came + nights, gone, strict=True)
            ],
            "ward": ward,
            "bill": bill,
            "paid": paid,
        }
    )


@pytest.fixture(scope="module")
def model():
    return fit(stays(), engine="sequential_trees", settings={"rounds": 1}, privacy=NO_PRIVACY, seed=1)


def far(one, other):
    """The distance of two samples' distributions (Kolmogorov and Smirnov)."""
    return ks_2samp(one, other, method="asymp").statistic


def nights_of(rows, ward=None):
    chosen = rows if ward is None else rows.filter(pl.col("ward") == ward)
    return (chosen["left"] - chosen["came"]).dt.total_days().drop_nulls().to_numpy()


def test_pairs_are_found_and_only_their_columns_are_sampled(model):
    pairs = {frozenset(pair) for pair in model.model.parameters()["differences"]}
    assert pairs == {frozenset(("came", "left")), frozenset(("bill", "paid"))}
    assert model.sample(10, seed=0).columns == ["came", "left", "ward", "bill", "paid"]


def test_stays_have_their_lengths_and_bills_are_paid_to_the_cent(model):
    """4,000 rows a side: by chance distances of .037 (1.63 √(2/4000), one time in a hundred), shares off by .015 (two standard errors)."""
    real, rows = stays(), model.sample(4000, seed=3)
    assert (nights_of(rows) >= 0).all()
    for ward in (None, "eye", "hip"):
        assert far(nights_of(real, ward), nights_of(rows, ward)) < 0.05
    share = (rows["bill"] == rows["paid"]).mean()
    assert share == pytest.approx((real["bill"] == real["paid"]).mean(), abs=0.02)
    for name in ("came", "left", "bill", "paid"):
        one, other = (table[name].drop_nulls().to_physical().to_numpy() for table in (real, rows))
        assert far(one, other) < 0.04
    round_sums = [(table["paid"] % 50 == 0).mean() for table in (real, rows)]
    assert round_sums[0] == pytest.approx(round_sums[1], abs=0.02)


def test_without_them_stays_are_of_any_length(model):
    """The fault planted: the same sequence, whose numbers nothing puts anywhere."""
    bare = replace(model.model, differences=())
    drawn = bare.sample_block(0, n_rows=4000, streams=Streams(3))
    came, left = (drawn.columns[name] for name in ("came", "left"))
    both = (came.codes == 0) & (left.codes == 0)
    assert ((left.values - came.values)[both] < 0).mean() > 0.1
    bill, paid = (drawn.columns[name].values for name in ("bill", "paid"))
    assert (bill == paid).mean() < 0.05


def chained(n=4000, seed=0):
    """A stay, in which an order is given, after which the bill is paid; a tenth of the stays has no end, two thirds no order."""
    rng = np.random.default_rng(seed)
    came = rng.integers(0, 3000, n)
    left = came + rng.geometric(0.2, n)
    told = np.where(rng.random(n) < 1 / 3, came + rng.integers(0, 3, n), -1)
    paid = left + rng.integers(0, 4, n)
    gone = rng.random(n) < 0.9
    return pl.DataFrame(
        {
            "came": came,
            "left": pl.Series(
                [int(day) if is_gone else None for day, is_gone in zip(left, gone, strict=True)]
            ),
            "told": pl.Series([int(day) if day >= 0 else None for day in told]),
            "paid": paid,
        }
    )


@pytest.fixture(scope="module")
def chain():
    return fit(chained(), engine="sequential_trees", settings={"rounds": 0}, privacy=NO_PRIVACY, seed=1)


def broken(chain, rows):
    """Rows out of the order that all real rows keep, of those that have both columns, by pair."""
    found, real = {}, chained()
    assert len(chain.model.differences) == 3
    for one, other in chain.model.parameters()["differences"]:
        gap, made = (table[other] - table[one] for table in (real, rows))
        if gap.min() < 0 < gap.max():
            continue
        found[one, other] = int(((made < 0) if gap.min() >= 0 else (made > 0)).sum())
    assert found
    return found


def test_a_base_that_few_rows_have_tells_nobody_else(chain):
    """`told` is nearer to `came` than any, but only a third of the rows has it."""
    pairs = chain.model.parameters()["differences"]
    assert len(pairs) == 3
    assert sum("told" in pair for pair in pairs) == 1
    assert max(broken(chain, chain.sample(6000, seed=2)).values()) == 0


def test_there_is_a_difference_where_there_are_both_numbers(chain):
    drawn = draw_rows(chain.model, 3000, np.random.default_rng(3)).pieces
    for one in chain.model.differences:
        both = (drawn[one.base] >= 0) & (drawn[one.of] >= 0)
        assert np.array_equal(drawn[one.axis] >= 0, both)


@pytest.mark.parametrize(
    "where",
    [
        {"left": 1000},
        {"left": {">=": 1000, "<": 1007}},
        {"left": {">=": 1000, "<": 1007}, "came": {">=": 0}},
        {"left": {"!=": None}, "came": {">=": 1000, "<=": 1003}},
        {"told": 1000},
        {"told": {"!=": None}, "paid": 1000},
        {"paid": 1000},
        {"came": 1000},
        {"came": 1000, "paid": {">=": 1010}},
    ],
)
def test_conditions_go_through_a_chain_of_differences(chain, where):
    rows = chain.sample(1000, seed=4, where=where)
    for name, asked in where.items():
        if not isinstance(asked, dict):
            assert (rows[name] == asked).all()
        for comparison, value in asked.items() if isinstance(asked, dict) else ():
            held = {"<": pl.Series.lt, "<=": pl.Series.le, ">=": pl.Series.ge}.get(comparison)
            assert rows[name].null_count() == 0 if held is None else held(rows[name], value).all()
    assert max(broken(chain, rows).values()) <= 10, broken(chain, rows)


@pytest.mark.parametrize("names", [["left"], ["told"], ["paid"], ["came", "paid"], ["left", "told"]])
def test_given_cells_of_a_chain_stay_and_others_follow(chain, names):
    given = chained(3000, seed=7).select(names).drop_nulls().head(800)
    rows = chain.complete(given, seed=1)
    assert rows.select(names).equals(given)
    # two in a hundred: cells that were given together may leave no room
    assert max(broken(chain, rows).values()) <= 16, broken(chain, rows)


LATER = dt.date(2021, 6, 1)


@pytest.mark.parametrize(
    ("where", "kept", "most"),
    [
        ({"came": {">=": LATER}}, pl.col("came") >= LATER, 0.1),
        ({"left": {">=": LATER}}, pl.col("left") >= LATER, 0.1),
        (
            {"came": {"<": LATER}, "left": {">=": LATER, "<": dt.date(2021, 6, 20)}},
            (pl.col("came") < LATER) & pl.col("left").is_between(LATER, dt.date(2021, 6, 20), closed="left"),
            0.2,
        ),
        ({"left": LATER}, pl.col("left") == LATER, 0.2),
        ({"came": LATER}, pl.col("came") == LATER, 0.2),
    ],
)
def test_under_conditions_no_stay_ends_before_it_begins(model, where, kept, most):
    """Lengths as those of free rows that meet the condition, of which there are 400 or more (a distance of .1 one time in a thousand).

    Conditions weigh rows by bins, which are wider than most stays: of those about one day lengths are half as near.
    """
    rows = model.sample(1000, seed=4, where=where)
    assert rows.filter(kept).height == 1000
    assert (nights_of(rows) >= 0).all()
    free = model.sample(600_000, seed=5).filter(kept)
    assert free.height > 400
    assert far(nights_of(rows), nights_of(free)) < most


def test_given_cells_count_as_they_are(model):
    given = stays(1500, seed=9).select("came")
    rows = model.complete(given, seed=1)
    assert rows["came"].equals(given["came"])
    assert (nights_of(rows) >= 0).all()
    assert far(nights_of(rows), nights_of(stays())) < 0.08
    rows = model.complete(stays(1500, seed=9).select("left", "paid"), seed=1)
    assert (nights_of(rows) >= 0).all()
    assert (rows["bill"] == rows["paid"]).mean() == pytest.approx(1 / 3, abs=0.05)


def test_first_columns_are_told_by_no_difference():
    fitted = fit(
        stays(),
        engine="sequential_trees",
        settings={"rounds": 0, "first": "left; came"},
        privacy=NO_PRIVACY,
    )
    assert [set(pair) for pair in fitted.model.parameters()["differences"]] == [{"bill", "paid"}]
    axis = {latent.variable.name: k for k, latent in enumerate(fitted.model.latents)}
    assert fitted.model.order.index(axis["came"]) < 4  # two levels of `left`, its number, `came`


# windows, and numbers within them


def a_marginal(*pieces, is_lattice=True):
    """Of (lower, upper, mass)."""
    lower, upper, mass = (np.array(own) for own in zip(*pieces, strict=True))
    dtype = np.int64 if is_lattice else np.float64
    return Marginal(lower.astype(dtype), upper.astype(dtype), mass / mass.sum(), is_lattice)


def test_windows_are_sixteenths_cut_at_zero():
    """Thirty-two pieces of a mass: two of them in each window, but where zero lies between them, or is one of them."""
    lows = np.arange(-7, 25)
    low, high = windows(a_marginal(*((k, k, 1) for k in lows)))
    by_piece = {int(k): (int(one), int(other)) for k, one, other in zip(lows, low, high, strict=True)}
    assert by_piece[-7] == by_piece[-6] == (-7, -6)
    assert by_piece[-1] == (-1, -1)  # would go with zero
    assert by_piece[0] == (0, 0)
    assert by_piece[1] == by_piece[2] == (1, 2)
    assert by_piece[24] == (23, 24)
    wide = a_marginal((-5, 3, 1), (4, 9, 1))
    assert [ends.tolist() for ends in windows(wide)] == [[-5, 4], [3, 9]]
    assert signs_of(a_marginal((-5, -1, 1), (-1, 2, 1), (0, 0, 1), (1, 1, 1))).tolist() == [0, 1, 1, 2]


def test_numbers_within_stay_and_others_are_drawn_from_their_column():
    column = a_marginal((0, 9, 1), (10, 10, 2), (11, 20, 1))
    base = np.array([5, 5, 5, 5, 100])
    low, high = np.array([0, 0, 5, 1, 1]), np.array([5, 0, 10, 6, 3])
    of = np.array([7, 9, 30, 30, 0])
    shares = np.array([0.5, 0.5, 0.1, 0.0, 0.99])
    # 5..10 holds it; 5 alone; 10..15: the first of 2 + .5 is 10, which has .5 of .625; 6..11: 6 first; 101..103: nothing there, and 0 is on the wrong side
    assert settled(base, (low, high), shares, of, column).tolist() == [7, 5, 10, 6, 101]
    many = np.full(100_000, 30)
    at = (np.arange(100_000) + 0.5) / 100_000
    drawn = settled(np.full(100_000, 5), (np.full(100_000, 1), np.full(100_000, 6)), at, many, column)
    # 6, 7, 8, 9 have .1 each, 10 has 2, 11 has .1: of 2.5
    assert np.bincount(drawn, minlength=12)[6:].tolist() == pytest.approx([4000] * 4 + [80_000, 4000], abs=2)


@pytest.mark.parametrize("is_lattice", [True, False])
def test_the_probability_below_is_that_of_many_draws(is_lattice):
    column = a_marginal(
        (-3, 2, 2),
        (2 + is_lattice, 2 + is_lattice, 3),
        (4, 4, 1),
        (4 + is_lattice, 9, 2),
        is_lattice=is_lattice,
    )
    rng = np.random.default_rng(0)
    pieces = rng.choice(4, 200_000, p=column.mass)
    drawn = column.values_within(pieces, rng.random(200_000))
    for value in (-9, -3, -1, 2, 3, 4, 5, 9, 12):
        at = np.array([value]).astype(column.lower.dtype)
        # standard errors of .0011 at the most
        assert _below(column, at, inclusive=False)[0] == pytest.approx((drawn < value).mean(), abs=0.006)
        assert _below(column, at, inclusive=True)[0] == pytest.approx((drawn <= value).mean(), abs=0.006)


def test_what_is_equal_on_a_line_is_equal_to_the_last_bit():
    line = a_marginal((0.0, 1.0, 1), is_lattice=False)
    base = np.random.default_rng(1).random(1000)
    zero = np.zeros(1000)
    assert np.array_equal(settled(base, (zero, zero), base, 1 - base, line), base)


# stored


@pytest.fixture(scope="module")
def sound(model, tmp_path_factory):
    return parts_of(model, tmp_path_factory.mktemp("model") / "sound")


def test_a_stored_model_samples_as_before(model, tmp_path):
    model.save(tmp_path / "model")
    loaded = FittedPipeline.load(tmp_path / "model")
    assert loaded.sample(700, seed=4).equals(model.sample(700, seed=4))
    where = {"left": {">=": LATER}}
    assert loaded.sample(300, seed=4, where=where).equals(model.sample(300, seed=4, where=where))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda _: 7, "not pairs of columns"),
        (lambda pairs: [[*pairs[0], "x"], *pairs[1:]], "not pairs of columns"),
        (lambda pairs: [["nobody", pairs[0][1]], *pairs[1:]], "not numbers"),
        (lambda pairs: [["ward", pairs[0][1]], *pairs[1:]], "not numbers"),
        (lambda pairs: [[pairs[0][1]] * 2, *pairs[1:]], "not numbers"),
        (lambda pairs: [pairs[0], [pairs[1][0], pairs[0][1]]], "two of one column"),
        (lambda pairs: [pair[::-1] for pair in pairs], "drawn too late"),
        (lambda pairs: pairs[::-1], "expected"),
        (lambda pairs: pairs[:1], "."),
    ],
)
def test_hostile_differences_are_refused(sound, tmp_path, change, fault):
    document, arrays = sound
    parameters = document["parameters"]
    changed = {**document, "parameters": {**parameters, "differences": change(parameters["differences"])}}
    write_folder(tmp_path / "hostile", changed, arrays)
    with pytest.raises(ModelFileError, match=f"not a model this release can read.*({fault})"):
        FittedPipeline.load(tmp_path / "hostile")
