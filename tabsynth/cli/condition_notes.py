"""What conditions took, as lines and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tabsynth.cli.session import Session
    from tabsynth.constraints.outcome import ConditionOutcome


def show_conditions(session: Session, outcome: ConditionOutcome | None) -> None:
    """What was asked for, and what was not exact about it."""
    if outcome is not None:
        session.show(str(outcome))


def condition_data(outcome: ConditionOutcome | None) -> dict[str, object] | None:
    """The outcome as JSON; None where nothing was asked for."""
    if outcome is None:
        return None
    return {
        "columns": list(outcome.columns),
        "rows": outcome.n_rows,
        "effective_sample_size": outcome.n_effective,
        "acceptance": outcome.acceptance,
        "rows_moved": outcome.n_moved,
        "rows_outside": outcome.n_outside,
        "oversampled": [
            {"group": one.group, "share_under_model": one.model, "share_of_rows": one.rows}
            for one in outcome.shares
        ],
    }
