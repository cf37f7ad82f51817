"""The parts of the audit of noise: tables, recorded queries, engines from outside, many fits, results."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tabsynth.audit.many_fits import Job, Limits, run_all
from tabsynth.audit.neighbouring import PAIR_NAMES, PERSON, pairs_of
from tabsynth.audit.noise import BUDGETS, audit_noise
from tabsynth.audit.noise_figures import Claim, decide_noise
from tabsynth.audit.noise_results import NoiseResults, PairFigures
from tabsynth.audit.outside import own_command, own_function, weaker
from tabsynth.audit.recorded import AskedOtherwiseError, RecordedQueries
from tabsynth.audit.released import accounted_mu, with_noise_of
from tabsynth.audit.rows_attack import Releases, attack_rows, features_of
from tabsynth.audit.verdict import Outcome
from tabsynth.errors import InputError, PrivacyError, UsageError
from tabsynth.models.dp_ctgan import DpCtgan
from tabsynth.models.independent import Independent
from tabsynth.privacy import Budget, Ledger
from tabsynth.privacy.marginals import Marginal
from tabsynth.privacy.plan import Part, make_plan
from tabsynth.private_fit import plan_fit

BUDGET = Budget(epsilon=1.0)


@pytest.mark.parametrize("k", [1, 3])
def test_pairs_differ_in_one_unit_of_equal_rows(k):
    for pair in pairs_of(k):
        assert pair.beside.frame[: pair.without.n_rows].equals(pair.without.frame)
        extra = pair.beside.frame[pair.without.n_rows :]
        assert extra.height == k
        assert extra.unique().height == 1
        assert extra.rows(named=True)[0].items() >= pair.extra.items()
        if k > 1:
            assert extra[PERSON][0] not in pair.without.frame[PERSON].to_list()
    assert tuple(pair.name for pair in pairs_of(k)) == PAIR_NAMES


class TestRecorded:
    plan = make_plan([Part(statistic="s", share=1.0, count=4)], BUDGET)
    codes = np.array([0, 1, 1], dtype=np.uint8)

    def told(self):
        queries = RecordedQueries(Ledger(), self.plan)
        found = queries.marginals("s", [Marginal(("a",), (self.codes,), (3,))], [2])
        return queries.tape, found[0].values

    def test_noise_is_real_and_exact_numbers_stand_beside_it(self):
        tape, values = self.told()
        [release] = tape.releases
        assert release.exact.tolist() == [1, 2, 0]
        assert release.told.tolist() == values.tolist()
        assert (release.variance == self.plan["s"].mechanism.scale ** 2 / 2).all()

    def test_what_was_told_is_told_again_and_charged(self):
        tape, values = self.told()
        played = RecordedQueries(Ledger(), self.plan, told=tape)
        again = played.marginals("s", [Marginal(("a",), (self.codes[:2],), (3,))], [2])
        assert again[0].values.tolist() == values.tolist()
        assert played.tape.releases[0].exact.tolist() == [1, 1, 0]
        assert played.left("s") == 2

    @pytest.mark.parametrize(
        ("ask", "words"),
        [
            (lambda q, c: q.marginals("s", [Marginal(("b",), (c,), (3,))], [2]), "other columns"),
            (lambda q, c: q.marginals("s", [Marginal(("a",), (c,), (2,))], [2]), "other numbers of cells"),
            (lambda q, c: q.marginals("s", [Marginal(("a",), (c,), (3,))], [1]), "other repetitions"),
            (lambda q, _: q.total("s", 3), "instead of 's'"),
        ],
    )
    def test_another_question_is_told(self, ask, words):
        tape, _ = self.told()
        with pytest.raises(AskedOtherwiseError, match=words):
            ask(RecordedQueries(Ledger(), self.plan, told=tape), self.codes)

    def test_other_references_are_told(self):
        first = RecordedQueries(Ledger(), self.plan)
        pair = [Marginal(("a",), (self.codes,), (3,))]
        first.dependence_scores("s", pair, [np.array([1, 1, 1])])
        second = RecordedQueries(Ledger(), self.plan, told=first.tape)
        with pytest.raises(AskedOtherwiseError, match="other references"):
            second.dependence_scores("s", pair, [np.array([1, 2, 0])])

    def test_more_questions_are_told(self):
        tape, _ = self.told()
        played = RecordedQueries(Ledger(), self.plan, told=tape)
        marginal = [Marginal(("a",), (self.codes,), (3,))]
        played.marginals("s", marginal, [2])
        with pytest.raises(AskedOtherwiseError, match="more was asked"):
            played.marginals("s", marginal, [2])

    def test_nothing_is_asked_of_no_marginals(self):
        queries = RecordedQueries(Ledger(), self.plan)
        assert queries.marginals("s", []) == []
        assert queries.dependence_scores("s", [], []).values.shape == (0,)
        assert queries.tape.releases == []


def test_the_account_of_a_plan_by_hand():
    plan = make_plan([Part(statistic="a", share=1.0), Part(statistic="b", share=3.0, count=2)], BUDGET)
    scales = [part.mechanism.scale for part in plan.parts]
    assert accounted_mu(plan) == pytest.approx((1 / scales[0] ** 2 + 2 / scales[1] ** 2) ** 0.5)
    assert accounted_mu(with_noise_of(plan, 0.5)) == pytest.approx(2 * accounted_mu(plan))
    assert accounted_mu(with_noise_of(plan, 0.1 / min(scales))) is None


class TestOutside:
    def test_half_the_noise_is_twice_the_mu(self):
        from tabsynth.audit.gaussian import gaussian_mu

        assert weaker(BUDGET, 1.0) == BUDGET
        asked = weaker(BUDGET, 0.5)
        assert gaussian_mu(asked.epsilon, asked.delta) == pytest.approx(2 * gaussian_mu(1.0, BUDGET.delta))

    def test_a_function_in_a_file_and_how_it_ends(self, tmp_path):
        path = tmp_path / "mine_of_noise.py"
        path.write_text(
            "def make(frame, n_rows, seed, *, epsilon):\n"
            "    return {'rows': [n_rows], 'epsilon': [epsilon]} if epsilon == 1 else 1 / 0\n"
            "def plain(frame, n_rows, seed):\n    return frame\n".replace(
                "{'rows'", "__import__('polars').DataFrame({'rows'"
            ).replace("[epsilon]}", "[epsilon]})"),
            encoding="utf-8",
        )
        table = pairs_of(1)[0].without
        made = own_function(f"{path}:make")
        assert made.rows(table, budget=BUDGET).to_dicts() == [{"rows": 600, "epsilon": 1.0}]
        assert made.rows(table, budget=BUDGET, share=0.5) == "ZeroDivisionError"
        assert made.can_be_weakened
        assert not own_function(f"{path}:plain").can_be_weakened

    def test_commands_end_in_many_ways(self):
        table = pairs_of(1)[0].without
        python = sys.executable

        def rows(code, timeout=600.0):
            line = f'{python} -c "{code}" {{train}} {{synthetic}} {{epsilon}} {{seed}}'
            return own_command(line, BUDGET, timeout=timeout).rows(table, budget=BUDGET, share=0.5)

        copied = rows("import shutil, sys; shutil.copy(*sys.argv[1:3])")
        assert copied.height == 600
        assert "ended with code 7" in rows("raise SystemExit(7)")
        assert "wrote no synthetic table" in rows("pass")
        told = "import sys; open(sys.argv[2], 'w').write('a' + chr(10) + sys.argv[3] + chr(10) + sys.argv[4])"
        said = rows(told)
        assert float(said["a"][0]) == pytest.approx(weaker(BUDGET, 0.5).epsilon)
        assert said["a"][1] != rows(told)["a"][1]  # one in 2³¹
        assert "longer than 0.2 s" in rows("import time; time.sleep(20)", timeout=0.2)
        missing = own_command("no-such-program {train} {synthetic}", BUDGET)
        assert "cannot be run" in missing.rows(table, budget=BUDGET)
        assert not missing.can_be_weakened
        assert missing.title == "no-such-program"


def test_features_count_the_unit_and_every_level():
    pair = pairs_of(1, names=("outlier",))[0]
    rows = pl.DataFrame({"a": ["s", "s", "p"], "b": [4, 1, 9], "c": [None, True, True]})
    found = features_of(rows, pair)
    assert found[:7].tolist() == [1, 2, 1, 1, 1, 1, 1]  # all three; a, b, c; ab, ac, bc
    assert found[7:11].tolist() == [1, 0, 2, 0]  # p, q, s, others
    assert found[11:17].tolist() == [0, 1, 0, 0, 1, 1]  # 0 to 4, others
    assert found[-2] == 3
    text = rows.cast(pl.String)
    assert features_of(text, pair).tolist() == found.tolist()
    assert len(features_of("ValueError", pair)) == len(found)
    assert features_of("ValueError", pair)[-1] == 1
    assert features_of(rows.drop("b"), pair)[2] == 0


def test_a_feature_that_only_the_second_halves_have_still_tells():
    sides = [[np.array([float(i % 2), 0.0]) for i in range(40)] for _ in range(2)]
    for i in range(20, 40):
        sides[1][i][1] = 1.0
    found = attack_rows(Releases(features=(sides[0], sides[1])), alpha=0.05, delta=1e-6)
    assert found.lower.mu >= 0


class TestManyFits:
    jobs = (Job("a", lambda n: n), Job("b", lambda n: 10 * n))

    def totals(self, **limits):
        found = {"a": 0, "b": 0}
        for name, n in run_all(self.jobs, limits=Limits(**limits), workers=1, report=lambda _: None):
            found[name] += n
        return found

    def test_as_many_as_asked_for(self):
        assert self.totals(runs=25, seconds=None, least=25, chunk=10) == {"a": 25, "b": 250}

    def test_no_more_than_time_allows_but_for_the_least(self):
        assert self.totals(runs=1000, seconds=-1.0, least=15, chunk=10) == {"a": 20, "b": 200}

    def test_over_processes(self):
        jobs = [Job("a", len_of), Job("b", len_of)]
        limits = Limits(runs=5, seconds=None, least=5, chunk=2)
        found = list(run_all(jobs, limits=limits, workers=2, report=lambda _: None))
        assert sorted(found) == [("a", 1), ("a", 2), ("a", 2), ("b", 1), ("b", 2), ("b", 2)]


def len_of(n: int) -> int:
    return n


def figures(**changes) -> PairFigures:
    plain = PairFigures(
        name="t", title="T", runs=100, attack="x", mu=0.2, mu_lower=0.1, epsilon_lower=0.3, is_normal=True,
        counts_mu_lower=0.0, counts_epsilon_lower=0.0, exceeds=False, half_mu=0.5, half_mu_lower=0.4,
        half_epsilon_lower=2.0, sees_half=True, power=0.99,
    )  # fmt: skip
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("changes", "outcome", "words"),
    [
        ({}, Outcome.PASS, "no bound is above"),
        ({"sees_half": False}, Outcome.INCONCLUSIVE, "half the noise was not seen with: t"),
        ({"sees_half": False, "half_mu": None}, Outcome.INCONCLUSIVE, "could not be asked for"),
        ({"exceeds": True, "mu_lower": 0.3}, Outcome.FAIL, "μ is at least 0.300, and 0.237 is accounted"),
        ({"exceeds": True, "epsilon_lower": 1.2}, Outcome.FAIL, "ε is at least 1.20, and 1 is claimed"),
        ({"faults": ("something",)}, Outcome.FAIL, "t: something"),
    ],
)
def test_verdicts(changes, outcome, words):
    found, reasons = decide_noise([figures(**changes)], Claim(budget=BUDGET, mu=0.237, n_pairs=1))
    assert found is outcome
    assert words in reasons[0]


def test_results_go_through_json_and_damage_is_told():
    results = audit_noise(Independent(), BUDGET, runs=50, workers=1)
    data = json.loads(json.dumps(results.to_dict(), allow_nan=False))
    assert NoiseResults.from_dict(data) == results
    assert data["private_output"] is False
    with pytest.raises(InputError, match="expected results of format"):
        NoiseResults.from_dict({**data, "format": "other"})
    with pytest.raises(InputError, match="damaged"):
        NoiseResults.from_dict({**data, "runs": "many"})


def test_budgets_grow_and_an_engine_without_privacy_is_refused():
    assert [size.runs for size in BUDGETS.values()] == sorted(size.runs for size in BUDGETS.values())

    class Bare(Independent):
        guarantees = frozenset({"none"})

    with pytest.raises(PrivacyError, match="cannot give differential privacy"):
        audit_noise(Bare(), BUDGET, runs=50)
    with pytest.raises(PrivacyError, match="cannot give differential privacy"):
        plan_fit(pairs_of(1)[0].schema, Bare(), BUDGET)


def test_an_engine_that_releases_gradients_is_attacked_on_its_rows():
    """Statistics alone would miss them, and sums over samples have no μ."""
    with pytest.raises(UsageError, match=r"'dp_ctgan' releases noisy gradients, .*--rows-only"):
        audit_noise(DpCtgan(), BUDGET, runs=50)
    assert accounted_mu(plan_fit(pairs_of(1)[0].schema, DpCtgan(), BUDGET)) is None
