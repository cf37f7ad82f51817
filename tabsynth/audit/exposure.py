"""How a risk is spread over people: who stands out most, by rank, and how many of those are members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tabsynth.audit.rates import Rate, rate
from tabsynth.audit.split import Candidates

TOP = 10
BANDS = (0.001, 0.01, 0.05, 0.1)
STANDS_OUT = 0.01
TIES = 0
"""The seed by which equals are put in order; it is no secret, and looks at nobody."""

Scores = npt.NDArray[np.float64]
Ranks = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """The member of that rank, by exposure: no number of a row and no cell, only how far it stands out.

    `bits` is log2 of how many times fewer non-members than all score so high in the `attack` in which it
    stands out most (Carlini et al. 2019 call this exposure): 0 for somebody as others are, at most log2 of
    the number of non-members. `n_attacks` is in how many attacks less than 1 % of non-members score so
    high, `bits_non_member` the exposure of the non-member of the same rank: what chance gives.
    """

    rank: int
    bits: float
    attack: str
    n_attacks: int
    bits_non_member: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The most exposed `share` of all candidates: how many of them are members, and how many would be by chance."""

    share: float
    members: Rate
    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """The most exposed members, and the share of members among the most exposed candidates.

    Ranks are over all candidates that were evaluated, for bands without a look at who is a member: of a release
    made without train each band holds members at `chance`. Their share far above it in the narrowest band and
    at it in the widest is a risk that few people bear.
    """

    top: tuple[Exposed, ...]
    bands: tuple[Band, ...]
    most_bits: float


def exposure_of(scores: Mapping[str, Scores], candidates: Candidates) -> Exposure:
    """The ranks of the evaluated candidates over all attacks; `scores` have shape (n_candidates,)."""
    evaluated = ~candidates.is_validation
    is_member = candidates.is_member[evaluated]
    names = tuple(scores)
    asked = [scores[name][evaluated] for name in names]
    bits = np.stack([_bits(score, is_member) for score in asked])
    order = np.lexsort((-bits.mean(axis=0), -bits.max(axis=0)))  # the mean decides between equal maxima
    members, others = order[is_member[order]], order[~is_member[order]]
    # bits count non-members alone, so equal scores give a member and a non-member unequal ones
    ranked = is_member[_pooled_order(asked)]
    limit = -np.log2(STANDS_OUT)
    top = tuple(
        Exposed(
            rank=rank,
            bits=float(bits[:, member].max()),
            attack=names[int(bits[:, member].argmax())],
            n_attacks=int((bits[:, member] > limit).sum()),
            bits_non_member=float(bits[:, other].max()),
        )
        for rank, (member, other) in enumerate(zip(members[:TOP], others[:TOP], strict=False), start=1)
    )
    chance = float(is_member.mean())
    return Exposure(
        top=top,
        bands=tuple(_band(share, ranked, chance) for share in BANDS if share * len(order) >= TOP),
        most_bits=float(np.log2(1 + len(others))),
    )


def _band(share: float, is_member: npt.NDArray[np.bool_], chance: float) -> Band:
    first = is_member[: round(share * len(is_member))]
    return Band(share=share, members=rate(int(first.sum()), len(first)), chance=chance)


def _pooled_order(asked: list[Scores]) -> Ranks:
    """The most exposed first, by the shares of all who score at least so high, members and non-members alike.

    Equals come at random: in the order given all members would be first.
    """
    n = len(asked[0])
    at_least = [n - np.searchsorted(np.sort(scores), scores, side="left") for scores in asked]
    bits = -np.log2(np.stack(at_least) / n)
    equals = np.random.default_rng(TIES).random(n)
    return np.lexsort((equals, -bits.mean(axis=0), -bits.max(axis=0)))


def _bits(scores: Scores, is_member: npt.NDArray[np.bool_]) -> Scores:
    """−log2 of the share of non-members, the candidate's own case among them, that score at least so high."""
    others = np.sort(scores[~is_member])
    at_least = len(others) - np.searchsorted(others, scores, side="left")
    # a non-member is among those counted; a member is one more
    shares = np.where(is_member, (at_least + 1) / (len(others) + 1), at_least / len(others))
    return -np.log2(shares)
