"""What may be published: what it is made of, what it says, and what it refuses."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tabsynth.decision import Answer, Decision, Reason
from tabsynth.errors import DataError, OutputExistsError, PolicyError
from tabsynth.evaluate.alone import alone
from tabsynth.pipeline import fit
from tabsynth.privacy import NO_PRIVACY, Budget, Ledger
from tabsynth.report import RuleOutcome, publishable, release_sentence, render_publishable, write_publishable
from tabsynth.schema.types import Column, Domain, Kind, Origin, PrivacyUnit
from tabsynth.table import Table
from tests.unit.metrics.tables import category, integer, number, schema_of
from tests.unit.report.test_html import HOSTILE, Page

PUBLIC = Domain(origin=Origin.PUBLIC, by="B. Steward", source="codebook 3", on=dt.date(2026, 1, 1))
COLUMNS = (
    replace(category("ward"), categories=("a", "b", "unused"), domain=PUBLIC),
    replace(integer("age"), bounds=(0, 99), domain=PUBLIC),
    replace(number("pay"), bounds=(0.0, 100.0), domain=PUBLIC),
)
SCHEMA = schema_of(*COLUMNS)


def table(n: int = 300) -> Table:
    rng = np.random.default_rng(1)
    cells = {"ward": rng.choice(["a", "b"], n), "age": rng.integers(0, 99, n), "pay": rng.uniform(0, 100, n)}
    return Table.conform(pl.DataFrame(cells), SCHEMA)


@pytest.fixture(scope="module")
def private():
    return fit(table(), engine="independent", privacy=Budget(epsilon=1.0))


@pytest.fixture(scope="module")
def open_fit():
    return fit(table(), engine="independent", privacy=NO_PRIVACY)


def decided(answer: Answer) -> Decision:
    reason = Reason(rule="x", title="X", answer=answer, required="", found="", evidence="")
    return Decision(
        audience="partners",
        policy="p",
        model="m",
        reasons=(reason,),
        on=dt.date(2026, 1, 1),
        rows=table().digest(),
    )


def test_a_table_by_itself_is_counted_and_names_no_level_that_it_lacks():
    rows = {"ward": ["a", "a", "b", "a"], "age": [1, 1, 2, 3], "pay": [0.5, 0.5, 2.5, 3.5]}
    found = alone(Table.conform(pl.DataFrame(rows), SCHEMA))
    ward, age, _ = found.columns
    assert found.n_rows == 4
    assert dict(zip(ward.labels, ward.shares, strict=True)) == {"a": 0.75, "b": 0.25}
    assert sum(age.shares) == pytest.approx(1)
    assert found.associated == ("ward", "age", "pay")
    # age ranks 1.5 1.5 3 4 and those of pay agree: Spearman is 1
    assert found.associations[1][2] == pytest.approx(1.0)
    assert found.associations[0][0] == 1.0


def test_an_ordered_level_that_no_row_holds_is_not_named_either():
    grade = replace(category("grade"), kind=Kind.ORDINAL, categories=("low", "secret", "high"))
    rows = Table.conform(pl.DataFrame({"grade": ["low", "high", "high"]}), schema_of(grade))
    found = alone(rows).columns[0]
    assert (found.labels, found.shares) == (("low", "high"), (pytest.approx(1 / 3), pytest.approx(2 / 3)))


@pytest.mark.parametrize("n", [0, 1])
def test_a_table_of_no_or_one_row_is_drawn_too(private, n):
    release = publishable(private, Table.conform(table().frame[:n], SCHEMA))
    assert release.synthetic.n_rows == n
    assert Page(render_publishable(release)).open == []


def test_it_holds_the_guarantee_the_bounds_and_the_ledger(private):
    release = publishable(private, table())
    assert (release.privacy, release.unit, release.n_learnt) == (private.privacy, "row", private.n_rows)
    assert release.bound is not None
    assert release.bound.epsilon == 1.0
    assert release.ledger.charges == private.charges
    assert {row.origin for row in release.domains} == {"public"}
    assert {row.source for row in release.domains} == {"codebook 3"}
    page = Page(render_publishable(release))
    for said in (
        "Differentially private: ε = 1, δ = 1e-06, unit: row.",
        "one Gaussian mechanism: AUC 0.566",
        "any mechanism that is (ε, δ)-DP: AUC 0.731",
        "not valid as they stand",
        "WP29 Opinion 05/2014",
        "NIST SP 800-226",
        "ISO/IEC 27559",
        "45 CFR 164.514(b)(1)",
        "No decision is stated.",
        "discrete Gaussian noise",
    ):
        assert said in page.text
    assert "B. Steward" not in page.text


def test_the_ledger_goes_without_the_names_of_file_and_source(private):
    named = replace(private, ledger=replace(private.ledger, source="clinic-7", series="ab12", head="cd34"))
    text = render_publishable(publishable(named, table()))
    text += json.dumps(publishable(named, table()).to_dict())
    assert not any(name in text for name in ("clinic-7", "ab12", "cd34"))


def test_a_series_says_what_it_has_come_to():
    ledger = Ledger(Budget(epsilon=3.0))
    for _ in range(2):
        second = fit(table(), engine="independent", privacy=Budget(epsilon=1.0), ledger=ledger)
    said = Page(render_publishable(publishable(second, table()))).text
    assert f"With the {len(second.ledger.former)} charges before them the series stands at" in said


def test_without_privacy_it_says_so_first_and_shows_no_bound(open_fit):
    release = publishable(open_fit, table())
    assert (release.privacy, release.bound, release.n_learnt) == (None, None, None)
    page = Page(render_publishable(release))
    assert "No guarantee." in page.text
    assert "Nothing is guaranteed: they were made without privacy." in page.text
    assert "What any attacker could do" not in page.text
    assert "ε = ∞" in page.text


def test_only_a_decision_that_allows_it_gets_in_and_only_as_one_bit(private):
    release = publishable(private, table(), decision=decided(Answer.ALLOW))
    assert release.audience == "partners"
    assert "One bit is not charged." in Page(render_publishable(release)).text
    assert "X" not in [row.column for row in release.domains]
    for answer in (Answer.SIGN_OFF, Answer.DENY):
        with pytest.raises(PolicyError, match="does not allow the release"):
            publishable(private, table(), decision=decided(answer))


@pytest.mark.parametrize(("rows", "said"), [("ab", "other rows than these"), ("", "no rows in particular")])
def test_a_decision_stands_for_no_other_rows_than_it_was_made_for(private, rows, said):
    with pytest.raises(PolicyError, match=said):
        publishable(private, table(), decision=replace(decided(Answer.ALLOW), rows=rows))


def test_rows_that_the_model_cannot_have_made_are_refused(private):
    other = table().frame.with_columns(age=pl.lit(150, dtype=pl.Int64))
    with pytest.raises(DataError, match="not what the model makes") as refused:
        publishable(private, Table(SCHEMA, other))
    assert "150" not in str(refused.value)


@pytest.mark.parametrize(
    ("is_private", "allowed", "said"),
    [
        (True, True, "Yes, with partners"),
        (True, False, "Not decided on this page"),
        (False, True, "Only within partners"),
        (False, False, "No: it was made without a privacy guarantee"),
    ],
)
def test_the_first_sentence_answers_the_question(private, open_fit, is_private, allowed, said):
    decision = decided(Answer.ALLOW) if allowed else None
    release = publishable(private if is_private else open_fit, table(), decision=decision)
    assert release_sentence(release).startswith(said)
    assert release_sentence(release) in Page(render_publishable(release)).text


def test_rules_are_shown_as_they_fare_on_the_synthetic_rows(private):
    rules = (RuleOutcome(rule="age ≤ 99", n_rows=300, n_violations=0),)
    text = Page(render_publishable(publishable(private, table(), rules=rules))).text
    assert "age ≤ 99" in text
    assert "holds" in text


def test_nothing_of_the_histories_of_persons_gets_in():
    """How many rows real persons have, and what stays in them, is in figures that compare with real rows alone."""
    person = Column(name="person", kind=Kind.IDENTIFIER, dtype="int64")
    unit = PrivacyUnit(column="person", max_rows=9, order_by="age")
    schema = replace(schema_of(*COLUMNS, person), unit=unit)
    frame = table().frame.with_columns(person=pl.Series(np.arange(300) // 4))
    fitted = fit(Table.conform(frame, schema), engine="sequential_trees", privacy=NO_PRIVACY)
    release = publishable(fitted, Table.conform(frame, schema))
    page = Page(render_publishable(release))
    assert "The rows of one person" not in page.text
    assert "rows per person" not in json.dumps(release.to_dict()).lower()


def test_the_page_is_well_formed_loads_nothing_and_escapes_names(private):
    release = publishable(private, table(), decision=decided(Answer.ALLOW))
    column = replace(release.synthetic.columns[0], column=HOSTILE, labels=(HOSTILE, "</style>"))
    release = replace(
        release,
        title=HOSTILE,
        engine=HOSTILE,
        audience=HOSTILE,
        domains=(replace(release.domains[0], column=HOSTILE, source=HOSTILE),),
        synthetic=replace(release.synthetic, columns=(column,), associated=(HOSTILE,) * 3),
    )
    text = render_publishable(release)
    page = Page(text)
    assert page.open == []
    assert "img" not in [tag for tag, _ in page.tags]
    assert page.values("src") == []
    assert "://" not in text
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in page.values("href")} <= set(ids)


def test_a_wide_table_stays_below_three_megabytes():
    schema = schema_of(*(replace(category(f"column {i}"), domain=PUBLIC) for i in range(120)))
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({name: rng.choice(list("abc"), 200) for name in schema.column_names})
    rows = Table.conform(frame, schema)
    fitted = fit(rows, engine="independent", privacy=NO_PRIVACY)
    text = render_publishable(publishable(fitted, rows))
    assert len(text.encode()) < 3_000_000
    assert "The first 40 columns are drawn." in text
    assert "Shown are the first 30 of 120 columns." in text


def test_files_appear_whole_and_are_not_replaced(private, tmp_path):
    release = publishable(private, table())
    page = write_publishable(release, tmp_path / "p.html")
    assert page.read_text(encoding="utf-8") == render_publishable(release)
    release.write_json(tmp_path / "p.json")
    assert json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))["format"] == "tabsynth-publishable/1"
    with pytest.raises(OutputExistsError):
        write_publishable(release, page)
    with pytest.raises(OutputExistsError):
        release.write_json(tmp_path / "p.json")
