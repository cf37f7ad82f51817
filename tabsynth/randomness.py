"""One seed, many named streams.

Every random draw that only shapes output (splits, sampling, subsampling in metrics) comes from a stream
named after its purpose, so adding a new consumer never shifts the draws of another. Noise that protects
people is *not* here and must never be: it is drawn from the operating system (see `tabsynth.privacy`).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

import numpy as np


def fresh_seed() -> int:
    """A seed from the operating system's entropy, in [0, 2**63)."""
    return secrets.randbits(63)


def seed_for(seed: int, purpose: str) -> int:
    """A seed of its own for one purpose, in [0, 2**63), that does not tell those of other purposes.

    What it was derived from can be told only by trying seeds out, so a fresh one keeps it; a small one does not.
    """
    digest = hashlib.blake2b(repr((seed, purpose)).encode(), digest_size=8, person=b"tabsynth seed").digest()
    return int.from_bytes(digest) >> 1


@dataclass(frozen=True, slots=True)
class Streams:
    """Named, independent random streams derived from one seed.

    `generator("split")` always gives the same stream for the same seed and name; any further integers
    select sub-streams (block numbers, say), so that work cut into blocks draws the same numbers in
    whatever order, batch or thread the blocks are computed. Streams are Philox counters keyed by a
    BLAKE2 digest of (seed, name, indices).
    """

    seed: int

    def generator(self, name: str, *indices: int) -> np.random.Generator:
        key = hashlib.blake2b(repr((self.seed, name, indices)).encode(), digest_size=16).digest()
        return np.random.Generator(np.random.Philox(key=np.frombuffer(key, dtype=np.uint64)))

    @classmethod
    def from_seed(cls, seed: int | None) -> Streams:
        """Streams of `seed`, or of a fresh seed from the operating system when it is None."""
        return cls(fresh_seed() if seed is None else int(seed))
