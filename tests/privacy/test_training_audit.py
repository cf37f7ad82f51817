"""Whole trainings on neighbouring tables, told apart no better than was charged; a small `benchmarks.training_audit`."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra gan")
pytest.importorskip("opacus", reason="needs the extra gan")

from benchmarks.training_audit import ALPHA, audited, scores  # noqa: E402

RUNS = 40


def audit(*, share):
    return audited(*(scores(n_rows, runs=RUNS, share=share) for n_rows in (0, 1)))


def test_whole_trainings_stay_within_what_was_charged():
    """A sound engine fails once in 500; a quarter of the noise (TPR and 1 - FPR near .96) is missed once in 1,000."""
    assert ALPHA == 0.001
    sound = audit(share=1.0)
    assert not sound.exceeds
    assert sound.allowed == pytest.approx(0.283, abs=0.005)  # the power that is stated is of this charge
    assert audit(share=0.25).exceeds
