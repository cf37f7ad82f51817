"""Everything that is asked of a release beside membership scores, prepared once and asked of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from tabsynth.audit.attacks import Attacker
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
    """What an attacker settles before the release: whom to ask about, what to guess, who stands apart."""

    candidates: Candidates
    asked: Candidates
    reference: EncodedTable
    halves: Halves
    secrets: tuple[Secret, ...]
    isolated: Isolated
    seed: int

    @classmethod
    def of(
        cls,
        attacker: Attacker,
        candidates: Candidates,
        *,
        most: int,
        quasi_identifiers: tuple[str, ...],
        sensitive: tuple[str, ...],
        seed: int,
    ) -> Interviewer:
        """Links and secrets are asked of at most `most` candidates of either side, the rest of all."""
        reference = attacker.reference
        return cls(
            candidates,
            candidates.first(most),
            reference,
            halves_of(reference, quasi_identifiers),
            secrets_of(reference, sensitive),
            Isolated.of(attacker, candidates.is_member),
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
        calls: list[Callable[[], Question | list[Question] | tuple[Question, ...]]] = [
            partial(singling_out, mixed, searched, self.candidates, seed=self.seed),
            partial(linkability, mixed, self.reference, self.asked, self.halves, seed=self.seed),
        ]
        for secret in self.secrets:
            calls += inferences(mixed, self.reference, self.asked, secret, seed=self.seed)
        calls.append(partial(self.isolated.questions, searched))
        found: list[Question] = []
        for answer in in_parallel(calls):
            found += [answer] if isinstance(answer, Question) else answer
        return tuple(found)
