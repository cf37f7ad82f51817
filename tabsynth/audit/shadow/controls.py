"""Generators with a known answer, attacked with the same fits, targets and questions.

Null units were never in a shadow table and have coins of their own: what an attack finds there is chance.
Copiers release a share of their own shadow table's rows verbatim among real rows that are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.audit.shadow.figures import ShadowBattery
from tabsynth.audit.shadow.game import Game
from tabsynth.audit.shadow.queries import Questions
from tabsynth.audit.shadow.targets import Rows

SHARES = (1.0, 0.20, 0.05)
NULL = "null"
CHUNK = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowControl:
    """A generator with a known answer, and what the attack made of it."""

    name: str
    title: str
    is_leak: bool
    battery: ShadowBattery

    @property
    def is_as_expected(self) -> bool:
        """A leak was flagged, or a generator without one was not."""
        return self.battery.flagged == self.is_leak


def copier_title(share: float) -> str:
    """What is printed of a copier."""
    return "copy of every row" if share == 1.0 else f"copy of {share:.0%} of its rows"


def copied_rows(game: Game, fit: int, share: float) -> Rows:
    """The real rows that the copier of that share releases for a shadow table: `game.n_rows` of them."""
    rng = game.streams.generator(f"shadow/copier/{share}", fit)
    rows = rng.permutation(game.rows(fit))
    copies = rows[: round(share * game.n_rows)]
    unused = np.ones(len(game.units), dtype=np.bool_)
    unused[rows] = False
    others = game.pool[unused[game.pool]]
    n_others = min(max(game.n_rows - len(copies), 0), len(others))
    others = others[rng.choice(len(others), n_others, replace=False, shuffle=False)]
    return np.concatenate([copies, others])


def copier_counts(game: Game, questions: Questions, share: float, *, n_fits: int) -> npt.NDArray[np.int64]:
    """What `count_fit` would give for that copier, shape (n_fits, n_targets, n_queries + 1).

    Every real row's agreement with a target is computed once.
    """
    n_targets, n_queries = len(game.targets), len(questions.wanted)
    found = np.empty((n_fits, n_targets, n_queries + 1), dtype=np.int64)
    for start in range(0, n_fits, CHUNK):
        fits = range(start, min(start + CHUNK, n_fits))
        released = [copied_rows(game, fit, share) for fit in fits]
        found[fits.start : fits.stop, :, -1] = np.array([len(rows) for rows in released])[:, None]
        for k in range(n_targets):
            patterns = questions.patterns(k, game.encoded)
            for fit, rows in zip(fits, released, strict=True):
                found[fit, k, :-1] = sum(agreed.counts(rows) for agreed in patterns)
    return found
