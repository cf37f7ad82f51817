"""Public rows beside a private table: what a fit makes of them, what it says of them, and what it refuses."""

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest

import tabsynth
from tabsynth.config.files import read_run
from tabsynth.config.run import run
from tabsynth.constraints.plan import plan_rules
from tabsynth.errors import SchemaError, StructureError, UsageError
from tabsynth.io import Provenance, write_frame
from tabsynth.pipeline import FittedPipeline
from tabsynth.private_fit import _as_learnt
from tabsynth.release.bundle.statement import OF_PUBLIC_ROWS, statement_of, statement_words
from tabsynth.schema.rules import Combinations, Sum
from tabsynth.schema.types import Column, Domain, Kind, Origin, Schema, TableSchema
from tests.end_to_end.commands import tabsynth_here

LEVELS = tuple("abcdefgh")
PUBLIC = Domain(origin=Origin.PUBLIC, by="A", source="B")
SAID = "Nothing is promised to anybody in the 2,000 public rows that were taken beside them."
SCHEMA = Schema(
    tables=(
        TableSchema(
            name="t",
            columns=(
                Column(name="id", kind=Kind.IDENTIFIER, dtype="int64"),
                *(
                    Column(name=name, kind=Kind.CATEGORICAL, dtype="string", categories=LEVELS, domain=PUBLIC)
                    for name in ("x", "y", "z")
                ),
            ),
        ),
    )
)


def frame(n, seed, *, share=0.8):
    """y and z are x in a `share` of the rows, else any level."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 8, n)
    y, z = (np.where(rng.random(n) < share, x, rng.integers(0, 8, n)) for _ in range(2))
    levels = np.array(LEVELS)
    return pl.DataFrame({"id": np.arange(n), "x": levels[x], "y": levels[y], "z": levels[z]})


def fitted(rows, public=None, **named):
    named = {"schema": SCHEMA, "privacy": tabsynth.Budget(epsilon=0.2), **named}
    return tabsynth.fit(rows, public=public, **named)


def agreement(rows):
    return float((rows["y"] == rows["z"]).mean())


def distance(rows, truth):
    """Total variation over the 64 cells of y and z."""
    cells = [f.group_by("y", "z").len().with_columns(pl.col("len") / f.height) for f in (rows, truth)]
    both = cells[0].join(cells[1], on=["y", "z"], how="full").fill_null(0)
    return 0.5 * float((both["len"] - both["len_right"]).abs().sum())


TRUTH = frame(200_000, 99)
LITTLE = tabsynth.Budget(epsilon=0.3)


def test_public_rows_help_where_noise_hides_dependence():
    """2,000 rows at ε = .3: of 25 fits as many public rows took .25 to .50 off the distance, .42 on average with deviation .07."""
    gains = []
    for seed in range(4):
        rows = frame(2000, seed)
        without, beside = (
            distance(fitted(rows, public, privacy=LITTLE).sample(4000, seed=1), TRUTH)
            for public in (None, frame(2000, seed + 50))
        )
        gains.append(without - beside)
    assert np.mean(gains) > 0.25


def test_public_rows_of_another_population_lose_their_weight():
    """50,000 rows at ε = 5 tell that y and z go together; public rows in which they do not must not talk it away."""
    rows = fitted(frame(50_000, 1), frame(20_000, 2, share=0.0), privacy=tabsynth.Budget(epsilon=5)).sample(
        20_000, seed=1
    )
    assert distance(rows, TRUTH) < 0.05


def test_what_a_model_says_of_them_is_kept(tmp_path):
    model = fitted(frame(500, 1), frame(2000, 2))
    assert model.n_public == 2000
    assert model.guarantee.endswith(SAID)
    model.save(tmp_path / "m")
    again = FittedPipeline.load(tmp_path / "m")
    assert (again.n_public, again.guarantee) == (2000, model.guarantee)
    stated = statement_of(again)
    assert OF_PUBLIC_ROWS in stated.to_dict()["trust_assumptions"]
    assert OF_PUBLIC_ROWS in statement_words([stated])
    plain = statement_of(fitted(frame(500, 1)))
    assert OF_PUBLIC_ROWS not in (*plain.trust, statement_words([plain]))


@pytest.mark.parametrize("kind", ["pandas", "csv", "columns"])
def test_public_rows_come_as_tables_do(kind, tmp_path):
    """Some of their cells may be unknown to the schema, columns may be missing, and others be there."""
    public = frame(2000, 2).drop("id").with_columns(other=pl.lit(1), x=pl.lit("?"))
    if kind == "pandas":
        given = public.to_pandas()
        assert isinstance(given, pd.DataFrame)
    elif kind == "csv":
        given = tmp_path / "public.csv"
        public.write_csv(given)
    else:
        given = public.drop("x")
    model = fitted(frame(2000, 1), given, privacy=LITTLE)
    assert model.n_public == 2000
    assert (
        agreement(model.sample(4000, seed=1)) > 0.4
    )  # of the truth's .68, and .13 where y and z are independent


def test_rules_hold_beside_public_rows_that_break_them_or_lack_their_columns():
    whole = [Column(name=n, kind=Kind.INTEGER, dtype="int64", bounds=(0, 40), domain=PUBLIC) for n in "abc"]
    schema = TableSchema(name="t", columns=tuple(whole), constraints=(Sum(column="c", parts=("a", "b")),))
    rng = np.random.default_rng(0)
    rows = pl.DataFrame({"a": rng.integers(0, 21, 800), "b": rng.integers(0, 21, 800)})
    rows = rows.with_columns(c=pl.col("a") + pl.col("b"))
    for public in (rows.with_columns(c=pl.lit(1)), rows.drop("b"), rows.drop("c")):
        made = fitted(rows, public, schema=schema).sample(500, seed=1)
        assert (made["c"] == made["a"] + made["b"]).all()


def test_what_gives_a_column_is_told_by_public_rows_that_lack_it():
    """c is the sum of a and b and learnt of neither, so both are known without it; c without b tells of neither but a."""
    whole = [Column(name=n, kind=Kind.INTEGER, dtype="int64", bounds=(0, 40), domain=PUBLIC) for n in "abc"]
    schema = TableSchema(name="t", columns=tuple(whole), constraints=(Sum(column="c", parts=("a", "b")),))
    rules = plan_rules(schema, is_private=True)
    rows = pl.DataFrame({"a": [1, 2], "b": [3, 3], "c": [4, 5]})
    for lacking, known in (("c", {"a", "b"}), ("b", {"a"})):
        learnt = _as_learnt(rows.drop(lacking), rules, rules.working)
        assert learnt.columns.keys() == known
        assert learnt.columns["a"].as_float().tolist() == [1, 2]


def test_what_is_made_of_a_lacking_column_is_learnt_from_the_table_alone():
    """By hand: one variable of two columns, whether a computed one is there, and what stays."""
    yes = Column(name="yes", kind=Kind.CATEGORICAL, dtype="string", categories=("a", "b"), domain=PUBLIC)
    also = replace(yes, name="also")
    a = Column(name="a", kind=Kind.INTEGER, dtype="int64", bounds=(0, 9), domain=PUBLIC)
    c = replace(a, name="c", bounds=(0, 18), nullable=True)
    rules = (
        Combinations(columns=("yes", "also"), rows=(("a", "b"), ("b", "a"))),
        Sum(column="c", parts=("a", "b")),
    )
    schema = TableSchema(name="t", columns=(yes, also, a, replace(a, name="b"), c), constraints=rules)
    plan = plan_rules(schema, is_private=True)
    joined = plan.working.columns[0].name
    assert plan.taken_from(["also"]) == {joined}
    assert plan.taken_from(["c"]) == {"c is there"}
    assert plan.taken_from(["a"]) == {"a"}
    assert plan.taken_from([]) == set()


@pytest.mark.filterwarnings("error")
def test_a_lazy_frame_of_public_rows_is_read_without_a_warning():
    assert fitted(frame(300, 1), frame(300, 2).lazy()).n_public == 300


@pytest.mark.parametrize(
    ("public", "named", "said"),
    [
        (frame(9, 1), {"privacy": tabsynth.NO_PRIVACY}, "public rows are for private fits"),
        (
            frame(9, 1),
            {"engine": "independent"},
            "'independent' takes no public rows; engines that do: bayesian_network",
        ),
        (frame(0, 1), {}, "the table of them is empty"),
        (
            pl.DataFrame({"id": [1], "x;y": ["a"]}),
            {},
            "share no column .* learnt: theirs are 'id', 'x;y'; nothing",
        ),
        ("nowhere.csv", {}, "nowhere.csv"),
        (7, {}, "expected a path, a polars or pandas DataFrame"),
    ],
)
def test_what_no_fit_can_take_is_refused_before_it_costs(public, named, said):
    ledger = None if "privacy" in named else tabsynth.Ledger(tabsynth.Budget(epsilon=1))
    with pytest.raises((UsageError, StructureError), match=said):
        fitted(frame(500, 1), public, ledger=ledger, **named)
    assert ledger is None or not ledger.charges


def test_the_private_table_itself_is_refused(tmp_path):
    rows = frame(500, 1)
    with pytest.raises(UsageError, match="are the private table itself"):
        fitted(rows, rows)
    rows.write_csv(tmp_path / "t.csv")
    with pytest.raises(UsageError, match="are the private table itself"):
        fitted(str(tmp_path / "t.csv"), tmp_path / "." / "t.csv")


def test_auto_takes_them_where_its_choice_does():
    assert fitted(frame(500, 1), frame(2000, 2), engine="auto").n_public == 2000


def test_on_the_command_line_and_in_a_run_file(tmp_path):
    frame(600, 1).write_csv(tmp_path / "t.csv")
    frame(2000, 2).drop("z").write_csv(tmp_path / "p.csv")
    tabsynth_here("schema", "draft", "t.csv", "--out", "s.yaml", cwd=tmp_path)
    fit = ("fit", "t.csv", "--schema", "s.yaml", "--public", "p.csv", "--out", "m")
    done = tabsynth_here(*fit, "--json", cwd=tmp_path)
    assert (done.code, done.json["public_rows"]) == (0, 2000)
    assert "p.csv: 2,000 public rows, without 'z'." in done.err
    refused = tabsynth_here(*fit, "--overwrite", "--engine", "independent", cwd=tmp_path)
    assert (refused.code, "takes no public rows" in refused.err) == (2, True)
    text = "version: 1\nschema: s.yaml\nevaluation: false\ntables: {t: {source: t.csv, public: p.csv}}\n"
    (tmp_path / "run.yaml").write_text(text)
    made = run(read_run(tmp_path / "run.yaml"), tmp_path / "done")
    assert made.tables[0].pipeline.guarantee.endswith(SAID)
    again = read_run(tmp_path / "done" / "private" / "run.yaml")
    assert again.tables[0].public == tmp_path / "p.csv"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("schema: s.yaml", "schema: s.yaml\nprivacy: none"), "public rows are for private fits"),
        (("public: p.csv", "public: p.csv, engine: independent"), "takes no public rows"),
        (("public: p.csv", "public: q.csv"), "q.csv"),
    ],
)
def test_faults_of_a_run_file(change, said, tmp_path):
    frame(20, 1).write_csv(tmp_path / "t.csv")
    frame(20, 2).write_csv(tmp_path / "p.csv")
    tabsynth_here("schema", "draft", "t.csv", "--out", "s.yaml", cwd=tmp_path)
    text = "version: 1\nschema: s.yaml\nevaluation: false\ntables: {t: {source: t.csv, public: p.csv}}\n"
    (tmp_path / "run.yaml").write_text(text.replace(*change))
    with pytest.raises(SchemaError, match=said):
        read_run(tmp_path / "run.yaml")


def test_public_rows_that_are_synthetic_are_doubted(tmp_path):
    made = tmp_path / "made.parquet"
    write_frame(frame(300, 2), made, provenance=Provenance(engine="e", generation=1))
    frame(300, 1).write_csv(tmp_path / "t.csv")
    with pytest.warns(UserWarning, match="public rows are marked as synthetic"):
        fitted(frame(300, 1), made)
    tabsynth_here("schema", "draft", "t.csv", "--out", "s.yaml", cwd=tmp_path)
    done = tabsynth_here("fit", "t.csv", "--schema", "s.yaml", "--public", made, "--out", "m", cwd=tmp_path)
    assert (done.code, done.err.count("marked as synthetic")) == (0, 1)
