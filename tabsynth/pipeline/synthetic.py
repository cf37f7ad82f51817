"""The guard against collapse: nothing is fitted to a synthetic table unawares.

What is fitted to its own output loses rare rows and dependence generation by generation (Shumailov et al. 2024, "AI models
collapse when trained on recursively generated data"), and fresh real rows in each generation are what stops it (Gerstgrasser
et al. 2024, "Is model collapse inevitable?").
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tabsynth.caller import warn
from tabsynth.errors import UsageError
from tabsynth.io import Provenance, read_provenance
from tabsynth.io.provenance import has_outdated_mark, sidecar_of


def source_mark(data: Any) -> Provenance | None:
    """The mark of a file; None for tables in memory, which bear none."""
    return read_provenance(data) if isinstance(data, (str, Path)) else None


def next_generation(mark: Provenance | None, real_share: float | None) -> int:
    """The generation of a model that is fitted to a table of that mark.

    Raises `UsageError` for an impossible share, and where a table of synthetic rows is marked and no share is stated.
    """
    if real_share is not None and not 0 <= real_share <= 1:
        raise UsageError(f"the share of fresh real rows lies in [0, 1], found {real_share}")
    if mark is None:
        return 1
    if mark.real_share == 0 and real_share is None:
        raise UsageError(
            f"the table is marked as synthetic (generation {mark.generation}): what is fitted to it is a copy of a copy, and "
            "loses rare rows. Mix fresh real rows in, and state their share (real_share, --real-share; 0 for none)"
        )
    return mark.generation + 1


def fresh_share(mark: Provenance | None, real_share: float | None, *, is_private: bool) -> float | None:
    """The share of fresh real rows in a table of that mark, as was stated or else as the mark has it; None without a mark, and where nobody knows.

    A private fit keeps what was stated alone: a mark's share is a quotient of exact counts of rows.
    """
    if mark is None:
        return None
    share = mark.real_share if real_share is None and not is_private else real_share
    return None if share is None else float(share)


def outdated_mark(data: Any) -> str:
    """What to know of a file beside which lies the mark of other contents; "" for every other table."""
    if not isinstance(data, (str, Path)) or not has_outdated_mark(data):
        return ""
    path = Path(data)
    return (
        f"{sidecar_of(path).name} says that {path.name} was made of synthetic rows, but {path.name} was changed since, so it is taken "
        "for a table of real rows; if synthetic ones are still in it, what is fitted to it is a copy of a copy"
    )


def warning_of(mark: Provenance) -> str:
    """What whoever fits to a marked table should know."""
    real = "with given cells, real or not" if mark.real_share is None else f"{mark.real_share:.0%} real rows"
    return (
        f"the table is marked as synthetic (generation {mark.generation}, by {mark.engine}, {real}): "
        "what is fitted to it has that much less to learn from, and its errors add up"
    )


def marked_source(data: Any) -> Provenance | None:
    """The mark of what is fitted to, with a `UserWarning` where there is one, or one of other contents."""
    mark = source_mark(data)
    if warning := outdated_mark(data) if mark is None else warning_of(mark):
        warn(warning)
    return mark


def not_real(data: Any) -> str:
    """What to know of a file in the place of real rows that is marked as synthetic, or was; "" for every other table."""
    mark = source_mark(data)
    if mark is None:
        return outdated_mark(data)
    return (
        f"{Path(data).name} is marked as synthetic (generation {mark.generation}, by {mark.engine}), and is read here as if its rows "
        "were real"
    )


def warn_of_marks(*tables: Any) -> None:
    """A `UserWarning` for every file in the place of real rows that is marked as synthetic, or was."""
    for data in tables:
        if warning := not_real(data):
            warn(warning)
