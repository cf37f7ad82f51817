"""Rows that nobody else has, and the report of an evaluation: private output, and yet no place for its cells."""

import tabsynth as ts
from tabsynth.pipeline import fit
from tabsynth.report import write_report
from tests.contract.test_private_engines import NUMBER, WORD, canaries, quick


def test_a_report_with_the_models_schema_names_no_cell_of_two_rows(tmp_path):
    """The schema that a fit bought knows neither; the one that was drafted knows both, and its report shows them.

    A level of two rows gets past its threshold with probability below 1e-8.
    """
    frame = canaries(1500)
    draft = ts.draft_schema(frame).only_table
    pipeline = fit(frame, schema=draft, engine=quick("bayesian_network"))
    train, holdout = ts.split(frame, schema=draft, seed=1)
    synthetic = pipeline.sample(1000, seed=1)
    shown = []
    for schema in (pipeline.schema, draft):
        results = ts.evaluate(synthetic, train, holdout, schema=schema, guarantee=pipeline.guarantee)
        assert results.private_output
        page = write_report(results, tmp_path / f"{len(shown)}.html", ledger=pipeline.ledger).read_text()
        shown.append((page + repr(results)).replace(",", ""))
    assert "Differentially private: ε = 1" in shown[0]
    for canary in (WORD, str(NUMBER)):
        assert canary not in shown[0]
        assert canary in shown[1]  # or nothing would be shown
