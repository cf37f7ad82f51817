"""Whole private fits with every draw of noise on tape: beside its charge, and to be played to neighbours.

The real fit runs, with the real queries, plan and ledger; only `noise.discrete_gaussian` is listened to, or
answered from another fit's tape. Which values occur differs between tables, so that of thresholded histograms the answers
themselves are repeated, once this table's own has been held against them. The checks below raise `AssertionError`; `test_planted_faults` proves of
each that it can.
"""

from __future__ import annotations

import contextlib
import io
import logging
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.optimize import brentq
from scipy.stats import chi2, norm

from tabsynth import private_fit
from tabsynth.encode import EncodedTable
from tabsynth.models.base import Synthesizer
from tabsynth.privacy import Budget, Charge, Ledger, accountant, noise
from tabsynth.privacy.marginals import Levels, observed_values
from tabsynth.privacy.mechanisms import ThresholdedDiscreteGaussian
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import BudgetPlan
from tabsynth.private_fit import PrivateFit
from tabsynth.randomness import Streams
from tabsynth.table import Table
from tests.privacy.transcripts import change

Integers = npt.NDArray[np.int64]
Answer = Callable[[Integers, float], Integers]
_FAR = 1 << 40
NEVER = 1e-9  # how often each chi-square test fails by chance


@dataclass(frozen=True, eq=False)
class Draw:
    """One call for noise: its charge (None where no charge came just before), what was exact, what was told.

    `values`: what the counts of a thresholded histogram are of, as bytes; empty where the counts' places say it.
    `rows`: those of every value that occurs, looked at or passed over.
    """

    charge: Charge | None
    scale: float
    releases: tuple[Integers, ...]
    told: Integers
    values: tuple[bytes, ...] = ()
    rows: Mapping[bytes, int] = field(default_factory=dict)

    @property
    def exact(self) -> npt.NDArray[np.float64]:
        return np.concatenate([release.reshape(-1) for release in self.releases]).astype(np.float64)


class PlayedToTheEndError(Exception):
    """The last recorded answer has been asked for: nothing that follows reads the table."""


@dataclass
class Tape:
    """Draws as they happen. `answer` stands in for the noise; `source` repeats the answers of another tape."""

    answer: Answer | None = None
    source: Tape | None = None
    stops: bool = False
    draws: list[Draw] = field(default_factory=list)
    said: list[tuple[str, float]] = field(default_factory=list)
    levels: list[Levels] = field(default_factory=list)
    _values: tuple[bytes, ...] = ()
    _rows: Mapping[bytes, int] = field(default_factory=dict)
    _pending: Charge | None = None
    _cut: tuple[Integers, ...] | None = None

    @property
    def told(self) -> list[Integers]:
        return [draw.told for draw in self.draws]

    def charged(self, charge: Charge) -> None:
        self._pending = charge

    def cut(self, releases: Sequence[Integers]) -> None:
        """The next draw is for these histograms together."""
        self._cut = tuple(np.array(release) for release in releases)

    def draw(self, counts: Integers, scale: float, real: Callable[[], Integers]) -> Integers:
        charge, self._pending = self._pending, None
        releases, self._cut = self._cut, None
        if releases is None:
            is_one = charge is not None and isinstance(charge.mechanism, ThresholdedDiscreteGaussian)
            releases = (counts.copy(),) if is_one else tuple(np.atleast_1d(counts).copy().reshape(-1, 1))
        if self._values:
            assert [self._rows[value] for value in self._values] == counts.tolist(), (
                "other values are looked at"
            )
        told = self._told(counts, scale, real)
        self.draws.append(Draw(charge, scale, releases, np.array(told), self._values, self._rows))
        if self.stops and self.source is not None and len(self.draws) == len(self.source.draws):
            raise PlayedToTheEndError
        return told

    def levels_of(self, cells: pl.Series, k: int, ask: Callable[[], Levels]) -> Levels:
        """The values above a threshold, or those of another tape's table, whatever occurs in this one.

        Values of no more rows than a unit's, `k`, are passed over.
        """
        values, counts = observed_values(cells)
        rows = {
            _named(value): n for value, n in zip(values.to_physical().to_list(), counts.tolist(), strict=True)
        }
        self._rows = {b"": len(cells) - sum(rows.values()), **rows}
        self._values = (b"", *(value for value, n in rows.items() if n > k))
        values = values.filter(pl.Series(counts > k)).to_physical()
        try:
            found = ask()
        finally:
            self._values, self._rows = (), {}
        if self.source is not None:
            assert len(self.levels) < len(self.source.levels), "more is asked of a neighbouring table"
            told = self.source.levels[len(self.levels)]
            here = told.values.to_physical().is_in(values.implode())
            assert found.values.equals(told.values.filter(here)), "released by more than what was told"
            assert found.counts.tolist() == told.counts[here.to_numpy()].tolist(), "counts that were not told"
            assert found.n_null == told.n_null, "a count of nulls that was not told"
            found = told
        self.levels.append(found)
        return found

    def _told(self, counts: Integers, scale: float, real: Callable[[], Integers]) -> Integers:
        if self.source is not None:
            assert len(self.draws) < len(self.source.draws), "more is asked of a neighbouring table"
            told = self.source.draws[len(self.draws)].told
            if self._values:  # the same noisy count of every value that both tables have; of others, one far from any threshold
                known = dict(zip(self.source.draws[len(self.draws)].values, told.tolist(), strict=False))
                return np.array([known.get(value, -_FAR) for value in self._values], dtype=np.int64)
            assert told.shape == counts.shape, "something else is asked of a neighbouring table"
            return told.copy()
        return real() if self.answer is None else self.answer(counts, scale)


class TapedLedger(Ledger):
    """A ledger that puts its charges on a tape as they are recorded."""

    def __init__(self, tape: Tape, cap: Budget | None = None) -> None:
        super().__init__(cap)
        self._tape = tape

    def _record(self, entry: Charge) -> None:
        self._tape.charged(entry)


@contextlib.contextmanager
def listening(tape: Tape) -> Iterator[None]:
    """All noise that is drawn goes through `tape`."""
    drawn, averaged, frequent = noise.discrete_gaussian, noise.averages, NoisyQueries.frequent_levels

    def draw(counts: Integers, *, scale: float) -> Integers:
        return tape.draw(counts, scale, lambda: drawn(counts, scale=scale))

    def average(histograms: Sequence[Integers], *, scale: float, repeats: Sequence[int]) -> object:
        tape.cut([counts for counts, n in zip(histograms, repeats, strict=True) for _ in range(n)])
        return averaged(histograms, scale=scale, repeats=repeats)

    def levels(self: NoisyQueries, statistic: str, cells: pl.Series, columns: Sequence[str]) -> Levels:
        k = self.plan[statistic].mechanism.sensitivity
        return tape.levels_of(cells, k, lambda: frequent(self, statistic, cells, columns))

    noise.discrete_gaussian, noise.averages = draw, average  # type: ignore[assignment]
    NoisyQueries.frequent_levels = levels  # type: ignore[method-assign]
    try:
        yield
    finally:
        noise.discrete_gaussian, noise.averages = drawn, averaged
        NoisyQueries.frequent_levels = frequent  # type: ignore[method-assign]


@dataclass(frozen=True, eq=False)
class Run:
    """A private fit with its tape; `fitted` is None where the fit was left at its last question."""

    fitted: PrivateFit | None
    tape: Tape
    ledger: TapedLedger
    plan: BudgetPlan


def run(
    table: Table,
    recipe: Synthesizer,
    plan: BudgetPlan,
    *,
    tape: Tape | None = None,
    seed: int = 0,
    public: pl.DataFrame | None = None,
) -> Run:
    """`fit_privately` with everything on tape."""
    tape = tape or Tape()
    ledger = TapedLedger(tape)
    fitted = None
    with listening(tape), contextlib.suppress(PlayedToTheEndError):
        fitted = private_fit.fit_privately(
            table,
            recipe,
            queries=NoisyQueries(ledger, plan),
            streams=Streams(seed),
            progress=lambda stage, share: tape.said.append((stage, share)),
            public=public,
        )
    return Run(fitted, tape, ledger, plan)


def run_engine(data: EncodedTable, recipe: Synthesizer, plan: BudgetPlan, *, tape: Tape) -> Run:
    """The engine's own part of a fit, of a table that lies inside its domain; keeps no model."""
    ledger = TapedLedger(tape)
    with listening(tape), contextlib.suppress(PlayedToTheEndError):
        recipe.fit(data, queries=NoisyQueries(ledger, plan), streams=Streams(0))
    return Run(None, tape, ledger, plan)


def silence(counts: Integers, _scale: float) -> Integers:
    """No noise: what is chosen is chosen by the table itself, as sharply as can be."""
    return counts.copy()


def script(seed: int) -> Answer:
    """Noise of the right size that can be had again."""
    rng = np.random.default_rng(seed)
    return lambda counts, scale: counts + np.rint(rng.normal(0, scale, counts.shape)).astype(np.int64)


def check_charged_first(tape: Tape) -> None:
    """Just before every draw: a charge of that noise, and of as many releases."""
    assert tape.draws
    for draw in tape.draws:
        assert draw.charge is not None, "released before it was charged"
        assert draw.charge.mechanism.scale == draw.scale
        assert draw.charge.mechanism.count == len(draw.releases)


def check_as_planned(charges: Sequence[Charge], plan: BudgetPlan) -> None:
    """Only what the plan holds, at most as often, and with the same noise."""
    used: Counter[str] = Counter()
    for charge in charges:
        planned = plan[charge.statistic]
        assert replace(charge.mechanism, count=1) == replace(planned.mechanism, count=1)
        used[charge.statistic] += charge.mechanism.count
    for statistic, count in used.items():
        assert count <= plan[statistic].part.count


def check_noise(tape: Tape) -> None:
    """What was told less what was exact has the variance that was charged, statistic by statistic.

    Noise is whole, and of one release it may well be 0: it counts half a step more against too little.
    """
    squares: dict[str, list[npt.NDArray[np.float64]]] = {}
    for draw in tape.draws:
        assert draw.charge is not None
        off, scale = np.abs(draw.told.reshape(-1) - draw.exact), draw.charge.mechanism.scale
        both = np.stack([(off / scale) ** 2, ((off + 0.5) / scale) ** 2])
        squares.setdefault(draw.charge.statistic, []).append(both)
    everything = np.concatenate([found for parts in squares.values() for found in parts], axis=1)
    for each in (everything, *(np.concatenate(parts, axis=1) for parts in squares.values())):
        n, (least, most) = each.shape[1], each.sum(axis=1)
        assert chi2.ppf(NEVER, n) < most
        assert least < chi2.isf(NEVER, n)


def gaussian_delta(mu: float, epsilon: float) -> float:
    """δ of one Gaussian release of that μ (Balle and Wang 2018)."""
    second = math.exp(epsilon + norm.logcdf(-mu / 2 - epsilon / mu))
    return float(norm.cdf(mu / 2 - epsilon / mu) - second)


def gaussian_epsilon(mu: float, delta: float) -> float:
    return float(brentq(lambda epsilon: gaussian_delta(mu, epsilon) - delta, 0, 1000))


def threshold_delta(mechanism: ThresholdedDiscreteGaussian) -> float:
    """δ of one release's threshold by summing the noise's masses, worst over how k rows may be spread.

    Onto values of k rows each, which are passed over without them.
    """
    x = np.arange(-int(15 * mechanism.scale) - 20, int(15 * mechanism.scale) + 21)
    masses = np.exp(-(x**2) / (2 * mechanism.scale**2))
    masses /= masses.sum()
    k = mechanism.sensitivity
    reaches = {rows: float(masses[x >= mechanism.threshold - k - rows].sum()) for rows in range(1, k + 1)}
    return max(1 - math.prod(1 - reaches[rows] for rows in spread) for spread in _spreads(k))


def _named(value: object) -> bytes:
    return b"=" + str(value).encode()


def _spreads(total: int, most: int | None = None) -> Iterator[tuple[int, ...]]:
    """Every way to cut a whole number into a sum."""
    if total == 0:
        yield ()
    for first in range(min(total, most or total), 0, -1):
        for rest in _spreads(total - first, first):
            yield (first, *rest)


def check_composition(ledger: Ledger, budget: Budget) -> None:
    """The ledger's ε by hand: dp-accounting's distributions one after the other, and Gaussian closed forms.

    δ of thresholds is summed from the masses of the noise. All of it fits the budget.
    """
    from dp_accounting.pld.privacy_loss_distribution import from_discrete_gaussian_mechanism

    mechanisms = [charge.mechanism for charge in ledger.charges]
    thresholded = [one for one in mechanisms if isinstance(one, ThresholdedDiscreteGaussian)]
    for one in thresholded:
        assert abs(accountant.threshold_delta(one) / threshold_delta(one) - 1) < 1e-3, "δ of a threshold"
    thresholds = math.fsum(one.count * threshold_delta(one) for one in thresholded)
    assert thresholds < budget.delta, "thresholds alone take more than δ"
    counts: Counter[tuple[float, int]] = Counter()
    for mechanism in mechanisms:
        counts[mechanism.scale, mechanism.sensitivity] += mechanism.count
    mu = math.sqrt(sum(count * (k / scale) ** 2 for (scale, k), count in counts.items()))
    composed = None
    for (scale, sensitivity), count in counts.items():
        single = from_discrete_gaussian_mechanism(
            scale, sensitivity=sensitivity, value_discretization_interval=mu / 8000
        )
        several = single.self_compose(count)
        composed = several if composed is None else composed.compose(several)
    left = budget.delta - thresholds
    by_hand = composed.get_epsilon_for_delta(left)
    assert by_hand <= budget.epsilon * 1.002  # the grid, which errs upwards
    for expected in (by_hand, gaussian_epsilon(mu, left)):
        assert abs(ledger.epsilon(budget.delta) / expected - 1) < 0.02
    assert ledger.epsilon(budget.delta) <= budget.epsilon


def check_neighbours(one: Run, other: Run) -> None:
    """Asked the same; every exact vector changed by integers of sum at most what was charged."""
    assert one.ledger.charges == other.ledger.charges
    assert len(one.tape.draws) == len(other.tape.draws)
    for before, after in zip(one.tape.draws, other.tape.draws, strict=True):
        assert before.charge is not None
        assert before.scale == after.scale
        for first, second in zip(before.releases, after.releases, strict=True):
            k = before.charge.mechanism.sensitivity
            if before.values or after.values:
                changed = change(before.rows, after.rows)
            else:
                changed = int(np.abs(first - second).sum())
            assert changed <= k


def check_same_end(one: Run, other: Run) -> None:
    """Two fits that were told the same numbers gave the same model, bit for bit."""
    first, second = one.fitted, other.fitted
    assert first is not None
    assert second is not None
    arrays, others = first.model.arrays(), second.model.arrays()
    assert list(arrays) == list(others)
    for name, array in arrays.items():
        assert array.dtype == others[name].dtype
        assert array.shape == others[name].shape
        assert array.tobytes() == others[name].tobytes(), name
    assert first.model.parameters() == second.model.parameters()
    assert (first.schema, first.n_rows, first.surrogates) == (second.schema, second.n_rows, second.surrogates)
    assert one.tape.said == other.tape.said


def check_fresh_noise(runs: Sequence[Run]) -> None:
    """No two fits of one table drew the same noise. Large draws alone: these agree by chance never."""
    for one, other in pairwise(runs):
        for first, second in zip(one.tape.draws, other.tape.draws, strict=False):
            if first.exact.size >= 30 and first.exact.size == second.exact.size:
                noises = [draw.told.reshape(-1) - draw.exact for draw in (first, second)]
                assert (noises[0] != noises[1]).any(), "the same noise twice"


def conduct(work: Callable[[], object]) -> tuple[object, ...]:
    """How something ended, but for its result: the error, and all that was warned of, logged or printed."""
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    out, err, fault = io.StringIO(), io.StringIO(), None
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with (
            warnings.catch_warnings(record=True) as warned,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            warnings.simplefilter("always")
            try:
                work()
            except Exception as raised:  # noqa: BLE001
                fault = f"{type(raised).__name__}: {raised}"
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    return fault, [str(one.message) for one in warned], records, out.getvalue(), err.getvalue()


QUIET = (None, [], [], "", "")


def check_quiet(work: Callable[[], object]) -> None:
    """It ends without an error, a warning, a log record or a printed word."""
    assert conduct(work) == QUIET
