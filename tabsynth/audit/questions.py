"""Everything that is asked of a release beside membership scores, prepared once and asked of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from tabsynth.audit.guesses import Question
from tabsynth.audit.inference import Secret, inferences, secrets_of
from tabsynth.audit.isolated import Isolated
from tabsynth.audit.linkability import Halves, halves_of, linkability
from tabsynth.audit.singling_out import singling_out
from tabsynth.audit.split import Candidates
from tabsynth.encode import EncodedTable
from tabsynth.metrics.learners import in_parallel
from tabsynth.metrics.sampling import take_rows


@dataclass(frozen=True, slots=True)
class Interviewer:
    """What is settled before any release: whom to ask about, what to guess, who stands apart.

    All of it comes from the people asked about, members and non-members alike, and would be the same if
    other ones of them were the members: so each test is exact.
    """

    people: Candidates
    halves: Halves
    secrets: tuple[Secret, ...]
    isolated: Isolated
    seed: int

    @classmethod
    def of(
        cls,
        people: Candidates,
        *,
        quasi_identifiers: tuple[str, ...],
        sensitive: tuple[str, ...],
        seed: int,
    ) -> Interviewer:
        """Halves and secrets by the roles of columns, or by what people's columns are like."""
        return cls(
            people,
            halves_of(people.rows, quasi_identifiers),
            secrets_of(people.rows, sensitive),
            Isolated.of(people, seed=seed),
            seed,
        )

    def questions(self, release: EncodedTable, *, whole: EncodedTable | None = None) -> tuple[Question, ...]:
        """Every question, in the same order for every release.

        Rows are taken in random order, so that which of equals comes first says nothing. Where `release` is
        a part of a larger table, single cells and isolated people are sought in the `whole`.
        """
        rng = np.random.default_rng(self.seed)
        searched = whole or release
        mixed = take_rows(release, rng.permutation(release.n_rows))
        calls: list[Callable[[], Sequence[Question]]] = [
            partial(singling_out, mixed, searched, self.people, seed=self.seed),
            partial(linkability, mixed, self.people, self.halves, seed=self.seed),
        ]
        for secret in self.secrets:
            calls += inferences(mixed, self.people, secret, seed=self.seed)
        calls.append(partial(self.isolated.questions, searched))
        return tuple(question for answer in in_parallel(calls) for question in answer)
