"""All questions together: planted leaks are found, and releases without train are flagged as rarely as stated."""

from __future__ import annotations

import numpy as np
import pytest

from tabsynth.audit.generators import interpolated
from tabsynth.audit.guesses import guesses_of
from tabsynth.audit.questions import Interviewer
from tabsynth.audit.split import Candidates, stack
from tabsynth.encode import EncodedTable, encode_table
from tabsynth.metrics.sampling import take_rows
from tests.unit.audit.tables import drawn


def interviewer(members: EncodedTable, others: EncodedTable, seed: int = 0) -> Interviewer:
    is_member = np.repeat([True, False], [members.n_rows, others.n_rows])
    people = Candidates(stack([members, others]), is_member, np.zeros(len(is_member), dtype=np.bool_))
    return Interviewer.of(people, quasi_identifiers=(), sensitive=("c",), seed=seed)


def p_values(found: Interviewer, release: EncodedTable, **options) -> dict[str, float]:
    return {
        asked.title: guesses_of(asked, n_rates=1).p_value for asked in found.questions(release, **options)
    }


@pytest.fixture(scope="module")
def train() -> EncodedTable:
    return encode_table(drawn(1_000, 1))


@pytest.fixture(scope="module")
def settled(train: EncodedTable) -> Interviewer:
    return interviewer(train, encode_table(drawn(800, 2)))


def test_a_copier_is_found_by_every_question_but_the_learner(train: EncodedTable, settled: Interviewer):
    found = p_values(settled, stack([take_rows(train, np.arange(500)), encode_table(drawn(500, 3))]))
    assert found.pop("c, by learner") <= 1.0
    assert max(found.values()) < 0.01, found


def test_interpolated_rows_are_linked(train: EncodedTable, settled: Interviewer):
    found = p_values(settled, interpolated(train, 1_000, np.random.default_rng(1)))
    assert min(found.values()) < 1e-6


def test_copies_in_all_of_a_release_that_is_cut_are_found(train: EncodedTable, settled: Interviewer):
    part = encode_table(drawn(500, 3))
    found = p_values(settled, part, whole=stack([part, train]))
    assert found["Singling out, one attribute"] < 1e-9
    assert found["40 most isolated: rows"] < 0.001


def test_the_same_seed_asks_the_same(settled: Interviewer):
    release = encode_table(drawn(300, 4))
    assert settled.questions(release) == settled.questions(release)


def test_releases_without_train_are_flagged_as_rarely_as_stated():
    # at level .05 corrected for the questions, each release is flagged with at most .05: of 30 more than 7 with p < .0003
    flagged = 0
    for seed in range(30):
        members, others, release = (
            encode_table(drawn(n, 100 + 3 * seed + k)) for k, n in enumerate((150, 120, 150))
        )
        found = p_values(interviewer(members, others, seed), release)
        flagged += min(found.values()) * len(found) <= 0.05
    assert flagged <= 7
