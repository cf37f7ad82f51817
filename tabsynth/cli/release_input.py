"""What the options of decisions and of `release build` mean."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tabsynth.errors import UsageError

if TYPE_CHECKING:
    from tabsynth.config.release import Candidate
    from tabsynth.decision import SignOff
    from tabsynth.release import Policy
    from tabsynth.schema.types import ForeignKey


def day_of(text: str | None) -> dt.date:
    """A day of the form 2027-12-31, today where None; `UsageError` for anything else."""
    if text is None:
        return dt.date.today()  # noqa: DTZ011  # a day on the calendar of whoever releases
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError("expected a day such as 2027-12-31 for --on") from None


def signed_off(name: str | None, reason: str | None, *, on: dt.date) -> SignOff | None:
    """The sign-off of both, none of neither; `UsageError` where one is missing."""
    from tabsynth.decision import SignOff

    if (name is None) != (reason is None):
        raise UsageError("a sign-off is a name and a reason: give both --sign-off and --reason")
    return None if name is None or reason is None else SignOff(name=name, reason=reason, on=on)


def chosen_policy(path: Path | None) -> tuple[Policy, Mapping[str, Any]]:
    """The policy of a file, or the default one, and its content as plain data."""
    from tabsynth.release.files import default_policy, default_text, read_policy
    from tabsynth.schema import yamltext
    from tabsynth.schema.files import read_text

    policy = default_policy() if path is None else read_policy(path)
    text = default_text() if path is None else read_text(path)
    return policy, cast("Mapping[str, Any]", yamltext.load(text).data)


def release_input(
    run: Path | None, model: Path | None, synthetic: Path | None, *, seed: int | None
) -> tuple[Sequence[Candidate], int | None, Sequence[ForeignKey]]:
    """The tables of a run, or of a model and its rows, with their seed and keys; `UsageError` for both or neither."""
    from tabsynth.config.release import Candidate, read_run_folder

    if (run is None) == (model is None and synthetic is None):
        raise UsageError("name the folder of a run, or else --model and --synthetic")
    if run is not None:
        found = read_run_folder(run)
        return found.candidates, found.seed if seed is None else seed, found.foreign_keys
    if model is None or synthetic is None:
        raise UsageError("--model and --synthetic belong together: the model, and the rows that it made")
    return (Candidate(model=model, synthetic=synthetic),), seed, ()
