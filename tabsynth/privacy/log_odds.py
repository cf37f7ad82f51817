"""Log odds fitted to rows exactly: a sparse multinomial logistic regression on top of known distributions.

Parameters are taken in where a score test (Rao 1948) says that the rows bear them out, and moved by diagonal Newton
steps that never lower the likelihood. No noise is added: for fits without privacy, where the ledger says that it was read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.special import erfc

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int32]
LogOdds = Callable[..., "list[Floats | None]"]

STEPS = 16
_LAST_NEW = 11  # the step after which no more are taken in
_AT_ONCE = 48
_FALSE = 0.1  # of the parameters that are taken in
_LEAST_INFORMATION = 5.0  # about the rows that a parameter is read off
_LEAST_SHARE = 1 / 40  # of the rows, where that is less
_RIDGE = 2.0  # rows: how far parameters of little information are held back
_SPARE_ROWS = 5.0  # of a bin, by which its frequency is not put right
_LEVEL_STEPS = 4  # where some bins are excluded from some rows, which moves them further
_LONGEST = 0.7
_SMALLEST_GAIN = 0.5  # nats
_LOOK_AT_ALL = 4  # steps; between them columns that promise little are left aside
_LITTLE = 0.5  # of the penalty


@dataclass(slots=True)
class _State:
    """Logits of every bin and row, (n_bins, n_rows), the probabilities they give, and the log likelihood of what was seen."""

    logits: Floats
    chance: Floats
    likelihood: float

    @classmethod
    def of(cls, logits: Floats, wanted: Integers) -> _State:
        top = logits.max(axis=0)
        chance = np.exp(logits - top)
        total = chance.sum(axis=0)
        seen = logits[wanted, np.arange(len(wanted))] - top - np.log(total)
        chance /= total
        return cls(logits, chance, float(seen.sum(dtype=np.float64)))


@dataclass(slots=True)
class _Column:
    """One column that says something: each row's bin, and features of bins with mean zero over the rows.

    `parameters`, (n_features, n_targets), are zero outside `is_in`. `is_asked`: whether it is looked at in every step.
    """

    bins: Integers
    by_bin: Any
    basis: Floats
    parameters: Floats
    is_in: npt.NDArray[np.bool_]
    is_asked: bool = True

    @classmethod
    def of(cls, bins: Integers, basis: Floats, n_targets: int, *, is_centred: bool = True) -> _Column:
        n, n_bins = len(bins), len(basis)
        by_bin = csr_array((np.ones(n, dtype=np.float32), (bins, np.arange(n))), shape=(n_bins, n))
        share = by_bin.sum(axis=1) / max(n, 1)
        basis = (basis - share @ basis if is_centred else basis).astype(np.float32)
        shape = (basis.shape[1], n_targets)
        return cls(bins, by_bin, basis, np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.bool_))

    def score(self, rest_and_variance: Floats) -> tuple[Floats, Floats]:
        """The score of every parameter and its information, from what targets are more than expected, and their variance, (n_rows, 2 n_targets)."""
        n_targets = rest_and_variance.shape[1] // 2
        sums = self.by_bin @ rest_and_variance
        return self.basis.T @ sums[:, :n_targets], (self.basis**2).T @ sums[:, n_targets:]


def fit_log_odds(
    offset: Floats,
    leaf: Integers,
    wanted: Integers,
    rows: Sequence[Integers],
    bases: Sequence[Floats],
    targets: Floats,
    *,
    penalty: float,
    held: Sequence[Floats | None] | None = None,
) -> list[Floats | None]:
    """For each column, weights W (n_bins of the column, n_bins): row r has bin b with logits `offset[leaf[r]]` + Σ W[`rows`[r]], summed over columns.

    `offset`, (n_nodes, n_bins): log probabilities; `leaf` and `wanted`, (n_rows,): each row's node and bin; `rows`, by column,
    (n_rows,): its bin there; `bases`, by column, (n_bins there, n_features), and `targets`, (n_bins, n_targets): what weights are
    linear in, beside those `held`, by column, which stay as they are. A parameter is zero unless the score test promises it more than `penalty` nats, and more than chance would promise one of so many, when it is taken in; None for a
    column without any and none held. A constant comes with the first, and at the end each bin is made as frequent as it is; both are in the first weights.
    """
    constant = _Column.of(
        np.zeros_like(wanted), np.ones((1, 1), np.float32), targets.shape[1], is_centred=False
    )
    columns = [_Column.of(bins, basis, targets.shape[1]) for bins, basis in zip(rows, bases, strict=True)]
    held = [None] * len(rows) if held is None else held
    logits = offset.T.astype(np.float32).take(leaf, axis=1)
    for bins, given in zip(rows, held, strict=True):
        if given is not None:
            logits += given.T.take(bins, axis=1)
    state, damping = _State.of(logits, wanted), _LONGEST
    for step in range(STEPS):
        moves, is_news = _moves(columns, constant, state, wanted, targets, step, penalty)
        if not moves:
            break
        logits = np.zeros_like(state.logits)
        for column, move in moves:
            logits += (targets @ (column.basis @ move).T).take(column.bins, axis=1)
        tried = _State.of(state.logits + np.float32(damping) * logits, wanted)
        while tried.likelihood < state.likelihood and damping > 0.02:
            damping /= 2
            tried = _State.of(state.logits + np.float32(damping) * logits, wanted)
        gain = tried.likelihood - state.likelihood
        if gain < 0:
            break
        for column, move in moves:
            column.parameters += np.float32(damping) * move
        state, damping = tried, min(_LONGEST, 1.5 * damping)
        if gain < _SMALLEST_GAIN and not is_news:
            break
    level = _level(state, wanted, n_steps=1 if all(given is None for given in held) else _LEVEL_STEPS)
    return _weights(columns, constant, targets, level, held)


def _level(state: _State, wanted: Integers, *, n_steps: int) -> Floats:
    """What makes each bin about as frequent as it is, (n_bins,): iterative scaling (Darroch and Ratcliff 1972)."""
    seen = np.bincount(wanted, minlength=len(state.chance)) + _SPARE_ROWS
    level = np.zeros(len(seen), dtype=np.float32)
    for step in range(n_steps):
        moved = _State.of(state.logits + level[:, None], wanted) if step else state
        level += np.log(seen / (moved.chance.sum(axis=1, dtype=np.float64) + _SPARE_ROWS)).astype(np.float32)
    return level


def _moves(
    columns: Sequence[_Column],
    constant: _Column,
    state: _State,
    wanted: Integers,
    targets: Floats,
    step: int,
    penalty: float,
) -> tuple[list[tuple[_Column, Floats]], bool]:
    """Newton steps of the columns with parameters, and whether parameters were taken in."""
    mean = targets.T @ state.chance
    variance = np.maximum((targets**2).T @ state.chance - mean**2, 0)
    rest_and_variance = np.concatenate([targets.T.take(wanted, axis=1) - mean, variance]).T.copy()
    scores: list[tuple[_Column, Floats, Floats]] = []
    promised: list[Floats] = []
    for column in columns:
        if not column.is_asked and step % _LOOK_AT_ALL:
            continue
        score, information = column.score(rest_and_variance)
        scores.append((column, score, information))
        may = ~column.is_in & (information > min(_LEAST_INFORMATION, _LEAST_SHARE * len(wanted)))
        promised.append(np.where(may, score**2 / (2 * np.maximum(information, 1e-12)), 0))
        column.is_asked = bool(column.is_in.any() or (promised[-1] > _LITTLE * penalty).any())
    is_news = False
    if step < _LAST_NEW:
        n_candidates = sum(column.is_in.size for column in columns)
        least = _least_promised(np.concatenate([found.ravel() for found in promised]), n_candidates, penalty)
        for (column, _, _), found in zip(scores, promised, strict=True):
            is_new = found >= least
            column.is_in |= is_new
            is_news |= bool(is_new.any())
    moving = [found for found in scores if found[0].is_in.any()]
    if moving:
        constant.is_in[:] = True
        moving.append((constant, *constant.score(rest_and_variance)))
    return [(column, _step(column, score, information)) for column, score, information in moving], is_news


def _least_promised(promised: Floats, n_candidates: int, penalty: float) -> float:
    """What a parameter must promise to be taken in now: more than the penalty, one of the best, and no likely fluke.

    Of those that pass, a share of `_FALSE` at most is expected to be chance (Benjamini and Hochberg 1995), whatever the
    number of candidates: twice the promise is the square of a standard normal variable where there is nothing.
    """
    best = np.sort(promised)[::-1].astype(np.float64)
    p_values = erfc(np.sqrt(best))
    passing = np.flatnonzero(p_values <= _FALSE * np.arange(1, len(best) + 1) / n_candidates)
    if not len(passing):
        return np.inf
    return float(max(np.nextafter(penalty, np.inf), best[min(passing[-1], _AT_ONCE - 1)]))


def _step(column: _Column, score: Floats, information: Floats) -> Floats:
    move = np.where(column.is_in, (score - _RIDGE * column.parameters) / (information + _RIDGE), 0)
    return np.clip(move, -_LONGEST, _LONGEST).astype(np.float32)


def _weights(
    columns: Sequence[_Column],
    constant: _Column,
    targets: Floats,
    level: Floats,
    held: Sequence[Floats | None],
) -> list[Floats | None]:
    weights: list[Floats | None] = []
    rest = (constant.parameters @ targets.T) + level
    for column, given in zip(columns, held, strict=True):
        if not column.is_in.any() and given is None:
            weights.append(None)
            continue
        found = column.basis @ column.parameters @ targets.T + rest
        weights.append((found if given is None else found + given).astype(np.float32))
        rest = np.zeros_like(rest)
    return weights
