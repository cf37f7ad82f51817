"""The battery on releases with a known answer, at the sizes of the release that is audited."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tabsynth.audit.attacks import Attacker
from tabsynth.audit.figures import battery_of
from tabsynth.audit.generators import copying, interpolated, unrelated
from tabsynth.audit.questions import Interviewer
from tabsynth.audit.split import Candidates
from tabsynth.audit.verdict import Calibrated
from tabsynth.encode import EncodedTable
from tabsynth.randomness import Streams

SHARES = (0.20, 0.05, 0.01)
NULL = "unrelated"

Make = Callable[[np.random.Generator], EncodedTable]


def known_releases(train: EncodedTable, spare: EncodedTable, n: int) -> dict[str, tuple[str, bool, Make]]:
    """By name: a title, whether train leaks, and how to make the `n` rows."""

    def copier(share: float) -> Make:
        return lambda rng: copying(train, spare, share=share, n=n, rng=rng)

    return {
        NULL: ("real rows that train had no part in", False, lambda rng: unrelated(spare, n, rng)),
        **{
            f"copy_{share:.0%}".rstrip("%"): (f"copy of {share:.0%} of train", True, copier(share))
            for share in SHARES
        },
        "smote": ("interpolation of train rows (SMOTE)", True, lambda rng: interpolated(train, n, rng)),
    }


def known_release(
    name: str, *, train: EncodedTable, spare: EncodedTable, n: int, streams: Streams
) -> EncodedTable:
    """The release of that name; the same rows for the same streams."""
    _, _, make = known_releases(train, spare, n)[name]
    return make(streams.generator(f"audit/calibration/{name}"))


def calibrate(
    attacker: Attacker,
    interviewer: Interviewer,
    candidates: Candidates,
    *,
    train: EncodedTable,
    spare: EncodedTable,
    n: int,
    streams: Streams,
    begin: Callable[[str], None],
) -> tuple[Calibrated, ...]:
    """Each known release, attacked as the real one is; `begin` hears its title before the work."""
    found = []
    for name, (title, is_leak, _) in known_releases(train, spare, n).items():
        begin(title)
        release = known_release(name, train=train, spare=spare, n=n, streams=streams)
        battery = battery_of(attacker.scores(release), candidates, interviewer.questions(release))
        found.append(Calibrated(name=name, title=title, is_leak=is_leak, battery=battery))
    return tuple(found)
