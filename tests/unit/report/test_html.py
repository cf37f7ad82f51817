from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tabsynth.constraints.change import Change
from tabsynth.errors import OutputExistsError
from tabsynth.evaluate import Distribution, PairDistribution, Results
from tabsynth.metrics.base import MetricResult, Status
from tabsynth.metrics.differences import DIFFERENCES
from tabsynth.privacy import Budget, Charge
from tabsynth.privacy.accountant import epsilon_of
from tabsynth.privacy.ledger import LedgerCopy
from tabsynth.privacy.mechanisms import DiscreteGaussian
from tabsynth.report import RuleOutcome, render_html, write_report

from .sample_results import discrete, make_results, standard_distributions, wide_results

HOSTILE = "<img src=x onerror=alert(1)></script><b>\"quoted\" & 'single' 🏥\u202e\x1b[31m"


class Page(HTMLParser):
    """Tags, attributes and text of a page, and whether every tag that must be closed was."""

    VOID = frozenset({"meta", "input", "br", "img", "link"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def values(self, attribute: str) -> list[str]:
        return [value for _, attrs in self.tags if (value := attrs.get(attribute)) is not None]


@pytest.fixture(scope="module")
def html() -> str:
    return render_html(make_results())


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_the_page_is_well_formed_and_its_ids_are_unique(page: Page) -> None:
    assert page.open == []
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in page.values("href")} <= set(ids)


def test_the_page_loads_nothing(html: str, page: Page) -> None:
    policies = [a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv")]
    assert policies == [
        (
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
            "base-uri 'none'; form-action 'none'"
        )
    ]
    assert page.values("src") == []
    assert all(href.startswith("#") for href in page.values("href"))
    assert "://" not in html
    assert "@import" not in html
    assert "url(" not in html


def test_the_page_says_what_it_must(page: Page) -> None:
    for said in (
        "Private output. Internal: computed from the real tables, train and holdout, and not covered by any guarantee. Not for publication.",
        "Not anonymous by construction: made without a privacy guarantee (ε = ∞).",
        "confidence intervals computed on differentially private synthetic data are not valid as they stand",
        "Cheap alarms, not evidence of privacy.",
        "too few rows in which both columns have a number",
        "easily told from real by a classifier (AUC 0.941, chance 0.5)",
        "How well a boosted classifier tells synthetic rows from real ones.",
        "One impossible value in one column is enough to give rows away.",
        "20240229",
        "24,403",
        "0.1.0",
    ):
        assert said in page.text


def test_every_smoke_test_is_labelled(page: Page) -> None:
    labels = [1 for text in page.texts if text.strip() == "smoke test"]
    assert len(labels) == 4  # its card, its section, and each of its two figures


def test_the_guarantee_is_stated_as_given() -> None:
    private = Page(render_html(make_results(guarantee="differentially private: ε = 1, δ = 1e-06")))
    assert "Differentially private: ε = 1, δ = 1e-06." in private.text
    assert "Nothing in this report turns these rows into anonymous data" not in private.text
    unknown = Page(render_html(make_results(guarantee="")))
    assert "No privacy guarantee is stated: treat these rows as private." in unknown.text
    assert "Nothing in this report turns these rows into anonymous data" in unknown.text


def test_names_and_labels_are_escaped_everywhere() -> None:
    hostile = discrete(HOSTILE, "categorical", (HOSTILE, "</style>", "{{ 7 * 7 }}"), (3, 2, 1), 0.5)
    results = replace(
        make_results([hostile, *standard_distributions()[:2]], title=HOSTILE, guarantee=HOSTILE),
        notes=(HOSTILE,),
        target=HOSTILE,
        version=HOSTILE,
        seconds={HOSTILE: 1.0},
    )
    failed = MetricResult(metric="shape_error", columns=(HOSTILE,), status=Status.FAILED, reason=HOSTILE)
    unknown = MetricResult(metric=HOSTILE, value=1.0, floor=1.0)
    results = replace(results, metrics=(*results.metrics, failed, unknown))
    charge = Charge(statistic=HOSTILE, columns=(HOSTILE,))
    html = render_html(
        results, ledger=[charge], constraints=[RuleOutcome(rule=HOSTILE, n_rows=1, n_violations=0)]
    )
    page = Page(html)
    assert page.open == []
    assert "img" not in [tag for tag, _ in page.tags]
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "<img src=x onerror=alert(1)></script><b>\"quoted\" & 'single' 🏥" in page.text
    assert "{{ 7 * 7 }}" in page.text


def test_charts_speak_to_screen_readers(page: Page) -> None:
    pictures = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert all(attrs.get("role") == "img" and attrs.get("aria-label") for attrs in pictures)
    assert len([1 for attrs in pictures if attrs.get("class") == "chart"]) == 16 + 1
    assert len([1 for attrs in pictures if "heat" in (attrs.get("class") or "")]) == 3


def test_sixty_columns_stay_under_three_megabytes() -> None:
    html = render_html(wide_results(60))
    assert len(html.encode()) < 3_000_000
    page = Page(html)
    assert len([1 for tag, attrs in page.tags if attrs.get("class") == "figure" and tag == "article"]) == 40
    assert "The worst 40 of 60 columns are drawn" in page.text
    assert "All 60 columns, every figure" in page.text
    assert "The worst 100 of 1,770 pairs, every figure" in page.text
    assert "Drawn: the 30 of 60 columns whose associations changed most." in page.text


def test_two_thousand_columns_stay_under_three_megabytes() -> None:
    html = render_html(wide_results(2000, has_pairs=False))
    assert len(html.encode()) < 3_000_000
    assert "The worst 500 of 2,000 columns, every figure" in html


def test_results_without_anything_still_make_a_page() -> None:
    bare = replace(
        make_results(standard_distributions()[:1]),
        metrics=(),
        distributions=(),
        associations=None,
        roc_curves=(),
        target=None,
        seconds={},
        version="",
        title="",
    )
    page = Page(render_html(bare))
    assert page.open == []
    assert "The synthetic table is of unknown fidelity" in page.text
    assert "version not recorded" in page.text
    assert "columns" not in page.values("id")


def test_nothing_worse_than_real_is_said_in_one_line() -> None:
    results = make_results()
    good = tuple(
        replace(found, value=found.floor) if found.value is not None else found for found in results.metrics
    )
    page = Page(render_html(replace(results, metrics=good)))
    assert "All 16 are at the floor." in page.text
    none_failed = tuple(found for found in good if found.status is Status.OK)
    assert "none failed" in Page(render_html(replace(results, metrics=none_failed))).text


def test_the_ledger_is_gathered_by_statistic() -> None:
    charges = [
        Charge(statistic="counts of levels", columns=("age",)),
        Charge(statistic="counts of levels", columns=("sex",)),
        Charge(statistic="second moments", columns=("age", "sex")),
    ]
    page = Page(render_html(make_results(), ledger=charges))
    assert "counts of levels exact 2 ∞ age and sex" in page.text
    assert "so the whole stands at ε = ∞" in page.text
    assert "Nothing was read." in Page(render_html(make_results(), ledger=[])).text
    assert "ledger" not in Page(render_html(make_results())).values("id")


def test_a_private_models_ledger_says_what_it_composes_to() -> None:
    noise = DiscreteGaussian(scale=10.0, count=3)
    charges = tuple(Charge(statistic="pairs", columns=(name,), mechanism=noise) for name in ("age", "sex"))
    budget = Budget(epsilon=1.0)
    epsilon = epsilon_of([noise, noise], budget.delta)
    own = LedgerCopy(former=(), charges=charges, cap=budget)
    page = Page(render_html(make_results(), ledger=own))
    assert "pairs discrete Gaussian noise, scale 10 6 age and sex" in page.text
    assert f"Together they compose to ε = {epsilon:.3g} at δ = 1e-06." in page.text
    assert "series" not in page.text
    later = LedgerCopy(
        former=charges, charges=charges, cap=Budget(epsilon=3), series="s", head="h", source="x"
    )
    whole = f"With the 2 charges before them the series stands at ε = {later.epsilon(1e-6):.3g} of 3."
    assert whole in Page(render_html(make_results(), ledger=later)).text


def test_rules_say_whether_they_hold() -> None:
    rules = [
        RuleOutcome(rule="start ≤ end", n_rows=10_000, n_violations=0),
        RuleOutcome(rule="total = a + b", n_rows=10_000, n_violations=12),
    ]
    page = Page(render_html(make_results(), constraints=rules))
    assert "start ≤ end 10,000 0 holds" in page.text
    assert "total = a + b 10,000 12 broken" in page.text


def test_rules_say_what_they_did_to_the_rows() -> None:
    moved = Change(shape=0.0123, trend=0.00456, n_rows=3_000)
    rules = [
        RuleOutcome(
            rule="a ≤ b", n_rows=3_000, n_violations=0, form="repair", n_broken=9, n_swapped=9, change=moved
        ),
        RuleOutcome(rule="c = d", n_rows=3_000, n_violations=0, form="computed, not learnt"),
        RuleOutcome(rule="e ≤ f", n_rows=3_000, n_violations=0, form="repair", is_counted=False),
    ]
    page = Page(render_html(make_results(), constraints=rules))
    assert "a ≤ b 3,000 0 holds repair 9 shape 1.23 %, pairs 0.46 %" in page.text
    assert "c = d 3,000 0 holds computed, not learnt 0 –" in page.text
    assert "e ≤ f 3,000 0 holds repair – –" in page.text
    assert "no real row among them" in page.text
    assert "what became of its columns" not in Page(render_html(make_results(), constraints=rules[1:])).text
    results = replace(make_results(), rules=tuple(rules))
    assert Results.from_dict(json.loads(json.dumps(results.to_dict()))) == results
    assert Page(render_html(results)).text == page.text


def test_same_results_same_bytes() -> None:
    assert render_html(make_results()) == render_html(make_results())


def test_write_report_is_whole_and_careful(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    assert write_report(make_results(), path) == path
    assert path.read_text(encoding="utf-8") == render_html(make_results())
    with pytest.raises(OutputExistsError):
        write_report(make_results(title="other"), path)
    assert "other" not in path.read_text(encoding="utf-8")[:1000]
    write_report(make_results(title="other"), path, overwrite=True)
    assert "<title>other" in path.read_text(encoding="utf-8")
    assert [found.name for found in tmp_path.iterdir()] == ["report.html"]


def test_an_alarm_is_read_first(page: Page) -> None:
    results = make_results()
    alarm = MetricResult(metric="exact_copy_share", value=1.0, floor=0.0, interval=(0.999, 1.0))
    kept = (result for result in results.metrics if result.metric != "exact_copy_share")
    alarming = Page(render_html(replace(results, metrics=(*kept, alarm))))
    assert alarming.text.index("Strong alarm: exact copies 100%") < alarming.text.index(
        "The synthetic table is"
    )
    assert ("strong", {"class": "alarm"}) in alarming.tags
    assert ("strong", {"class": "alarm"}) not in page.tags


def test_what_lies_between_two_columns_is_drawn_beside_its_figure() -> None:
    stay = Distribution(
        column="left − came",
        kind="integer",
        edges=(0.0, 1.0, 2.0),
        train=(0.5, 0.5),
        holdout=(0.5, 0.5),
        synthetic=(0.9, 0.1),
    )
    pair = ("came", "left")
    drawn = PairDistribution(columns=pair, metric=DIFFERENCES.name, distribution=stay)
    figure = MetricResult(metric=DIFFERENCES.name, columns=pair, value=0.4, floor=0.01)
    plain = make_results()
    results = replace(
        plain,
        infos=(*plain.infos, DIFFERENCES),
        metrics=(*plain.metrics, figure),
        differences=(drawn, replace(drawn, columns=("came", "nobody"))),
    )
    page = Page(render_html(results))
    assert "What lies between two columns" not in Page(render_html(plain)).text
    assert "What lies between two columns" in page.text
    assert page.text.count("left − came") == 1  # that without a figure is left out
    assert "0 to 1 too common: 90.0% of the rows, 50.0% in train" in page.text
    assert page.open == []
