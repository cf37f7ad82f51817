"""Nothing of a real row, a real count or an audit gets into what is published, in any usual encoding."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import html
import json
import re
import typing
from urllib.parse import quote

import numpy as np
import polars as pl
import pytest

import tabsynth as ts
from tabsynth.audit import AuditResults
from tabsynth.decision import Answer, Decision, Reason, SignOff
from tabsynth.evaluate import Results
from tabsynth.evaluate.alone import Alone, AloneColumn
from tabsynth.metrics.base import EvalData, MetricResult
from tabsynth.pipeline import fit
from tabsynth.report import Publishable, publishable, render_publishable
from tabsynth.table import Table
from tests.contract.test_private_engines import NUMBER, WORD, canaries, quick

SIGNER, FIGURE = "Zebedee Quokkasson", "0.0731946"
N_TRAIN = 1733


def forms(secret: str) -> set[str]:
    """The secret as it is and as it may be written: folded, escaped, quoted, reversed, hex, and base64 at any offset."""
    raw = secret.encode()
    coded = {secret.casefold(), secret[::-1].casefold(), raw.hex(), raw[::-1].hex()}
    coded |= {html.escape(secret).casefold(), quote(secret).casefold(), json.dumps(secret)[1:-1].casefold()}
    coded |= {"".join(f"&#{ord(c)};" for c in secret), "".join(f"\\u{ord(c):04x}" for c in secret)}
    for offset in range(3):  # the characters that do not depend on what stands before or after
        whole = base64.b64encode(b"x" * offset + raw).decode()
        first = (0, 2, 3)[offset]
        coded.add(whole[first : len(whole) - 4 + 4 * ((offset + len(raw)) % 3 == 0)].casefold())
    return coded


def found_in(text: str, secret: str) -> list[str]:
    """The forms of `secret` that `text` holds, with what sets digits apart taken out of it too."""
    folded = text.casefold()
    plain = folded.replace(",", "").replace("_", "").replace(" ", "").replace("\u202f", "").replace("'", "")
    return [form for form in forms(secret) if form in folded or form in plain]


def published(release: Publishable) -> str:
    return render_publishable(release) + json.dumps(release.to_dict(), ensure_ascii=False)


def decision(synthetic: Table) -> Decision:
    reasons = (
        Reason(
            rule="risk.membership",
            title="Risk of membership",
            answer=Answer.SIGN_OFF,
            required="below 0.09",
            found=f"at most {FIGURE} for {WORD}",
            evidence=f"{WORD}.json",
        ),
    )
    signed = SignOff(name=SIGNER, reason=f"because {WORD}", on=dt.date(2024, 2, 29))
    return Decision(
        audience="partners",
        policy=f"{WORD}.yaml",
        model=WORD,
        reasons=reasons,
        on=dt.date(2023, 7, 8),
        sign_off=signed,
        rows=synthetic.digest(),
    )


@pytest.fixture(scope="module")
def private():
    """A private model of a draft that holds the canaries, and rows of it."""
    frame = canaries(N_TRAIN - 2)
    draft = ts.draft_schema(frame).only_table
    assert WORD in repr(draft)
    assert str(NUMBER) in repr(draft)
    pipeline = fit(frame, schema=draft, engine=quick("bayesian_network"))
    return pipeline, Table.conform(pipeline.sample(800, seed=1), pipeline.schema)


def test_a_private_release_says_nothing_of_two_rows_nor_of_the_audit(private):
    # by the threshold a level of two rows gets through with probability below 1e-8
    pipeline, synthetic = private
    text = published(publishable(pipeline, synthetic, decision=decision(synthetic)))
    assert "partners" in text
    for secret in (WORD, str(NUMBER), SIGNER, FIGURE, "2024-02-29", "2023-07-08", synthetic.digest()):
        assert found_in(text, secret) == []


def test_a_release_without_privacy_says_nothing_of_holdout_nor_of_how_many_rows_there_were():
    rng = np.random.default_rng(0)
    n = 2 * N_TRAIN
    job = rng.choice(["clerk", "nurse"], n).astype(object)
    pay = rng.integers(0, 5000, n)
    job[-1], pay[-1] = WORD, NUMBER  # of the holdout
    frame = pl.DataFrame({"job": pl.Series(job, dtype=pl.String), "pay": pay})
    train, holdout = frame[:N_TRAIN], frame[N_TRAIN:]
    assert WORD in holdout["job"]
    schema = ts.draft_schema(train).only_table
    pipeline = fit(train, schema=schema, engine="gaussian_copula", privacy=ts.NO_PRIVACY)
    release = publishable(pipeline, Table.conform(pipeline.sample(800, seed=1), schema))
    text = published(release)
    for secret in (WORD, str(NUMBER)):
        assert found_in(text, secret) == []
    for count in (N_TRAIN, n):  # too short to be told from other digits in any other form
        assert not re.search(rf"(?<![\d.]){count}(?!\d)", text.replace(",", ""))
        assert re.search(rf"(?<![\d.]){count}(?!\d)", f"of {count:,} rows".replace(",", ""))
    assert release.n_learnt is None
    assert "Nothing is guaranteed" in text
    assert "not anonymous by construction" in text.casefold()


@pytest.mark.parametrize(
    "leak",
    [
        WORD,
        WORD.upper(),
        base64.b64encode(f"a{WORD}bc".encode()).decode(),
        base64.b64encode(f"ab{WORD}".encode()).decode(),
        base64.b64encode(WORD.encode()).decode(),
        WORD.encode().hex(),
        WORD[::-1],
    ],
)
def test_a_leak_that_is_planted_is_seen(private, leak):
    """Or the tests above would show nothing."""
    pipeline, synthetic = private
    release = publishable(pipeline, synthetic)
    assert found_in(published(dataclasses.replace(release, engine=leak)), WORD)
    column = dataclasses.replace(release.synthetic.columns[0], labels=(leak,), edges=(), shares=(1.0,))
    shown = dataclasses.replace(release.synthetic, columns=(column,))
    assert found_in(published(dataclasses.replace(release, synthetic=shown)), WORD)


def test_numbers_are_seen_however_their_digits_are_set_apart():
    for text in (f"{NUMBER:,}", f"{NUMBER:_}", f"{NUMBER:,}".replace(",", " "), str(NUMBER)):
        assert found_in(f"about {text} rows", str(NUMBER))


def test_the_type_has_no_place_for_anything_private():
    """Neither it nor what it is made of may hold results, audits, decisions or tables."""
    seen: set[object] = set()

    def visit(kind: object) -> None:
        if kind in seen:
            return
        seen.add(kind)
        for part in typing.get_args(kind):
            visit(part)
        if dataclasses.is_dataclass(kind):
            for annotation in typing.get_type_hints(kind).values():
                visit(annotation)

    visit(Publishable)
    assert {Alone, AloneColumn} <= seen
    assert not seen & {
        Results,
        MetricResult,
        EvalData,
        AuditResults,
        Decision,
        Reason,
        SignOff,
        Table,
        typing.Any,
        object,
    }
