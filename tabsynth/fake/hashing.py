"""Numbers to numbers that look random, and come back the same: by row, whatever batch a row is in.

Nothing here protects anyone: whoever knows the seed can compute all of it. It is not how a pseudonym is made
(`tabsynth.pseudonymise`).
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import polars as pl

U64 = npt.NDArray[np.uint64]
MOST = 2**62
"""How many different numbers can be told apart and permuted."""
_ROUNDS = 6


def key_of(seed: int, *labels: object) -> np.uint64:
    """A key of 64 bits for a purpose: BLAKE2b of the seed and the labels."""
    digest = hashlib.blake2b(repr((seed, *labels)).encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def mixed(numbers: U64, key: np.uint64) -> U64:
    """64 bits for each number, by the finaliser of SplitMix64 (Steele, Lea and Flood 2014); a bijection."""
    with np.errstate(over="ignore"):
        z = (numbers + key) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        found: U64 = z ^ (z >> np.uint64(31))
    return found


def permuted(numbers: U64, size: int, key: np.uint64) -> U64:
    """Where a random-looking permutation of 0 … size - 1 takes each number; size from 1 to 2**62.

    A Feistel network over the next power of four, walked until it falls into the range again (Black and
    Rogaway 2002): different numbers stay different.
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    found = _feistel(numbers, half, key)
    while (outside := found >= np.uint64(size)).any():
        found[outside] = _feistel(found[outside], half, key)
    return found


def _feistel(numbers: U64, half: int, key: np.uint64) -> U64:
    shift, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = numbers >> shift, numbers & mask
    for number in range(_ROUNDS):
        left, right = right, left ^ (mixed(right, key ^ np.uint64(number + 1)) & mask)
    return (left << shift) | right


def hashed_cells(cells: pl.Series, key: np.uint64) -> U64:
    """64 bits for each cell by its text, the same for the same text in any column, table or type; nulls are a text."""
    texts = cells.cast(pl.Int64, strict=False) if cells.dtype.is_float() else cells
    texts = texts.cast(pl.String).fill_null("\0")
    distinct = texts.unique()
    hashes = [_hash(text, key) for text in distinct.to_list()]
    found = texts.replace_strict(distinct, pl.Series(hashes, dtype=pl.UInt64), return_dtype=pl.UInt64)
    return found.to_numpy().astype(np.uint64)


def _hash(text: str, key: np.uint64) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, key=key.tobytes()).digest(), "little")
