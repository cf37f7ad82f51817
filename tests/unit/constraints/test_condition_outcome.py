"""What conditions took, in words."""

from dataclasses import replace

import pytest

from tabsynth.constraints.outcome import ConditionOutcome, Tally


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (ConditionOutcome(columns=("a", "b"), n_rows=1200, n_effective=1200.0, acceptance=1.0), "Asked for by a, b: 1,200 rows, worth as many independent ones."),
        (ConditionOutcome(columns=("a",), n_rows=20, n_effective=19.7, acceptance=1.0), "Asked for by a: 20 rows, worth 19 independent rows (effective sample size)."),
        (ConditionOutcome(columns=("a",), n_rows=20, n_effective=20.0, acceptance=0.125), "Asked for by a: 20 rows, worth as many independent ones. 12.5 % met it as first drawn; the others were drawn anew."),
    ],
)  # fmt: skip
def test_an_outcome_in_words(outcome, words):
    assert str(outcome) == words


def test_many_columns_are_cut_short_and_moved_rows_are_named():
    outcome = ConditionOutcome(
        columns=tuple("abcdefghij"), n_rows=5, n_effective=5.0, acceptance=1.0, n_moved=2
    )
    assert "by a, b, c, d, e, f, g, h …:" in str(outcome)
    assert "2 rows with given cells that the model never makes" in str(outcome)
    assert "outside" not in str(outcome)
    strange = replace(outcome, n_outside=1)
    assert str(strange).endswith(
        " 1 row with given cells outside what the model learnt: they stay; it took numbers as the nearest it knows, levels as "
        "not given."
    )


def test_a_tally_starts_again():
    tally = Tally()
    assert tally.conditions is None
    tally.asks_for(["x"])
    tally.add_drawn(10, effective=5.0, n_moved=1, n_missed=4)
    tally.add_drawn(10, effective=10.0, n_moved=0, n_missed=0)
    assert tally.conditions == ConditionOutcome(
        columns=("x",), n_rows=20, n_effective=15.0, acceptance=0.8, n_moved=1
    )
    tally.asks_for(["y"])
    assert tally.conditions == ConditionOutcome(columns=("y",), n_rows=0, n_effective=0.0, acceptance=1.0)
