"""Rules declared in Python are held against the schema as those of files are, before anything is read."""

import polars as pl
import pytest

import tabsynth
from tabsynth.errors import SchemaError
from tabsynth.pipeline import fit
from tabsynth.privacy import NO_PRIVACY, Budget
from tabsynth.rules import Check, Combinations, Expression, Formula, Inequality, Monotone, Range, Unique
from tabsynth.schema import read_schema
from tests.unit.constraints.tables import levels, table, whole

COLUMNS = (whole("age", 0, 99), whole("stay", 0, 99), levels("ward", "eye", "ear"))
WRONG = [
    (Inequality(columns=("age", "stayy")), "rule 'age ≤ stayy' (columns): no column 'stayy' in this table (did you mean 'stay'?)"),
    (Unique(columns=("wrd",)), "rule 'unique wrd' (columns): no column 'wrd' in this table (did you mean 'ward'?)"),
    (Check(columns=("agee",), function=len, name="mine"), "rule 'mine' (columns): no column 'agee' in this table (did you mean 'age'?)"),
    (Monotone(column="age", along="sta"), "(along): no column 'sta' in this table (did you mean 'stay'?)"),
    (Expression(sql="age < stayy"), "rule 'age < stayy' (sql): no column 'stayy' in this table (did you mean 'stay'?)"),
    (Expression(sql="age >> foo(stay)"), "rule 'age >> foo(stay)' (sql): is not SQL that polars reads"),
    (Expression(sql="age <"), "rule 'age <' (sql): is not SQL that polars reads"),
    (Expression(sql="age + 1"), "rule 'age + 1' (sql): is not true or false"),
    (Expression(sql="age < ward"), "rule 'age < ward' (sql): cannot be computed from columns of these types"),
    (Inequality(columns=("age", "ward")), "rule 'age ≤ ward' (columns): 'ward' is of kind categorical, which has no order here"),
    (Range(column="age", lower="x"), "(lower): expected a whole number, found text"),
    (Formula(column="ward", sql="age"), "rule 'ward = age' (column): kind categorical cannot be computed"),
    (Combinations(columns=("ward",)), "a mapping needs at least 2 columns"),
]  # fmt: skip


@pytest.mark.parametrize("privacy", [NO_PRIVACY, Budget(epsilon=1.0)], ids=["without privacy", "private"])
@pytest.mark.parametrize(("rule", "words"), WRONG)
def test_a_rule_that_cannot_be_meant_is_refused_before_any_file_is_opened(rule, words, privacy):
    schema = table(*COLUMNS).with_constraints(Range(column="age", lower=1), rule)
    with pytest.raises(SchemaError, match="have 1 fault") as caught:
        fit("there is no such file.csv", schema=schema, engine="independent", privacy=privacy)
    assert words in str(caught.value)


def test_all_faults_are_listed_at_once_and_where_rows_are_checked_too():
    schema = table(*COLUMNS).with_constraints(*(rule for rule, _ in WRONG))
    frame = pl.DataFrame({"age": [1], "stay": [2], "ward": ["eye"]})
    with pytest.raises(SchemaError, match=f"have {len(WRONG)} faults") as caught:
        tabsynth.check_constraints(frame, schema)
    for _, words in WRONG:
        assert words in str(caught.value)


def test_files_tell_the_same_faults(tmp_path):
    lines = ["version: 1", "tables:", "  t:", "    columns:"]
    lines += ["      age: {kind: integer, bounds: [0, 99]}", "      stay: {kind: integer, bounds: [0, 99]}"]
    lines += ["    constraints:", "      - {rule: expression, sql: age < stayy}"]
    (tmp_path / "t.yaml").write_text("\n".join(lines))
    with pytest.raises(SchemaError, match=r"no column 'stayy' in this table .did you mean 'stay'"):
        read_schema(tmp_path / "t.yaml")
