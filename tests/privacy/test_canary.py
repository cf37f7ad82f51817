"""A value that two rows alone hold appears in nothing that a purchase of domains gives out.

That of one row is passed over, so it would say nothing of thresholds.
"""

import numpy as np
import polars as pl
import pytest

from tabsynth.errors import PrivacyError
from tabsynth.privacy import Budget, Ledger
from tabsynth.privacy.domains import LEVELS, buy_domains, describe_purchase, domain_parts
from tabsynth.privacy.ledger import charges_to_data
from tabsynth.privacy.noisy import NoisyQueries
from tabsynth.privacy.plan import Part, make_plan
from tabsynth.schema.draft import draft_table
from tabsynth.schema.files import schema_to_yaml
from tabsynth.schema.types import Kind, Schema
from tabsynth.table import Table

WORD, NUMBER = "zyxwvut-canary", 918273645
N = 3000


def table():
    """A canary in every kind of column, drafted without an eye to privacy."""
    rng = np.random.default_rng(0)
    n = N - 2
    frame = pl.DataFrame(
        {
            "job": [*rng.choice(["clerk", "nurse"], n), WORD, WORD],
            "code_type": [*rng.integers(0, 5, n), NUMBER, NUMBER],
            "pay": [*rng.integers(0, 5000, n).astype(float), float(NUMBER), float(NUMBER)],
            "age": [*rng.integers(18, 80, n), NUMBER, NUMBER],
            "points": [*rng.integers(0, 900, n).astype(str), WORD, WORD],
            "patient_id": [*(f"P{i:07}" for i in range(n + 1)), WORD],
            "last_name": [*(f"Name{i % 2000}" for i in range(n)), WORD, WORD],
            "seen": [*pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 6, 28), eager=True)] * (n // 180)
            + [None] * (n % 180)
            + [pl.date_range(pl.date(7777, 7, 7), pl.date(7777, 7, 7), eager=True)[0]] * 2,
        }
    )
    return Table.conform(frame, draft_table(frame, name="t"))


def test_the_canary_is_in_the_draft():
    """Or the next test would show nothing."""
    said = schema_to_yaml(Schema(tables=(table().schema,)))
    assert said.count(WORD) == 2  # job, points
    assert said.count(str(NUMBER)) >= 2
    assert "7777-07-07" in said
    kinds = {column.name: column.kind for column in table().schema.columns}
    assert (kinds["patient_id"], kinds["last_name"]) == (Kind.IDENTIFIER, Kind.TEXT)


@pytest.mark.parametrize("epsilon", [1, 10])
def test_nothing_that_is_given_out_holds_it(epsilon):
    """By the threshold, a level of two rows gets through with probability below 1e-8 a purchase."""
    drafted = table()
    parts = (*domain_parts(drafted.schema), Part(statistic="engine", share=1, count=5))
    plan = make_plan(parts, Budget(epsilon=epsilon))
    for _ in range(5):
        ledger = Ledger()
        queries = NoisyQueries(ledger, plan)
        bought = buy_domains(drafted, queries)
        with pytest.raises(PrivacyError) as refusal:
            queries.frequent_levels(LEVELS, drafted.frame["job"], ["job"])
        given = "\n".join(
            [
                schema_to_yaml(Schema(tables=(bought,))),
                repr(bought),
                repr(charges_to_data(ledger.charges)),
                repr(queries),
                describe_purchase(drafted.schema, plan),
                str(refusal.value),
            ]
        )
        assert bought["job"].categories == ("clerk", "nurse")  # so that it is no empty victory
        assert WORD not in given
        assert str(NUMBER) not in given
        assert "7777" not in given
