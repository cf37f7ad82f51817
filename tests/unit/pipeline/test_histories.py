"""What is learnt of persons' rows beside the rows: by hand, cell for cell; and what no histories are drawn for."""

from dataclasses import replace

import polars as pl
import pytest

import tabsynth
from tabsynth.constraints.plan import plan_rules
from tabsynth.errors import ConstraintError, ModelFileError, PrivacyError, SchemaError, UsageError
from tabsynth.models.auto import Auto, why_chosen
from tabsynth.models.base import Told
from tabsynth.models.registry import ENGINES
from tabsynth.models.sequential_trees import SequentialTrees
from tabsynth.pipeline import bound_rows
from tabsynth.pipeline.histories import (
    History,
    context_of,
    history_from,
    is_kept_by_order,
    require_histories,
    require_rises,
    require_rules_of_rows,
)
from tabsynth.pipeline.lengths import Lengths
from tabsynth.privacy import NO_PRIVACY, Budget, Ledger
from tabsynth.randomness import Streams
from tabsynth.schema.rules import Combinations, Dependency, Hierarchy, Inequality, Monotone, Range, Unique
from tabsynth.schema.types import Column, Generator, Kind, PrivacyUnit
from tabsynth.table import Table
from tests.contract.quick import named
from tests.unit.constraints.tables import levels, whole
from tests.unit.pipeline.tables import PERSON, STATE, VISITS, schema_of, visits

AT = whole("at", 0, 99, nullable=True)


def table(schema, rows):
    """From one tuple a row."""
    cells = zip(*rows, strict=True)
    return Table.conform(
        pl.DataFrame(dict(zip(schema.column_names, cells, strict=True)), strict=False), schema
    )


def history(table, *, min_group=11):
    return History.of(table, Ledger(), min_group=min_group)


# what is constant, how long histories are, and whether the order is strict

PAPERS = schema_of(
    PERSON,
    AT,
    levels("site", "a", "b", nullable=True),
    Column(name="passport", kind=Kind.IDENTIFIER, dtype="string"),
    Column(name="case", kind=Kind.IDENTIFIER, dtype="int64"),
    Column(name="name", kind=Kind.TEXT, dtype="string", nullable=True),
    Column(name="note", kind=Kind.TEXT, dtype="string"),
    levels("state", "x", "y", nullable=True),
    whole("born", 1900, 2000, nullable=True),
    order_by="at",
)
ROWS = [
    ("ann", 3, "a", "p1", 1, "A", "u", "x", 1950),
    ("bob", 1, "b", "p2", 2, None, "u", "y", None),
    ("ann", 1, "a", "p1", 3, "A", "v", "x", 1950),
    ("cid", 7, None, "p3", 4, "C", "u", "x", 1960),
    ("bob", 2, "b", "p2", 5, None, "w", "y", None),
    ("ann", 2, "a", "p1", 6, "A", "v", None, 1950),
]


def test_what_is_constant_by_hand():
    """`state` is null in the second of ann's rows alone; nulls are equal to one another, of texts and numbers, too."""
    ledger = Ledger()
    found = History.of(table(PAPERS, ROWS), ledger, min_group=2)
    assert found.constant == ("site", "passport", "name", "born")
    assert found.lagged == ("at", "state")
    assert found.lengths == Lengths(
        (1,), (3,), (3,), 1
    )  # of 1, 2 and 3 rows; two persons have a row beside another
    assert [(one.statistic, one.columns) for one in ledger.charges] == [
        ("rows of each person, in order", ("pid", "at")),
        ("columns that never vary within a person", PAPERS.column_names[1:]),
    ]


def test_one_row_that_differs_is_enough_to_vary():
    changed = [(*row[:2], "b", *row[3:]) if row[:2] == ("ann", 2) else row for row in ROWS]
    assert history(table(PAPERS, changed)).constant == ("passport", "name", "born")


def test_persons_of_one_row_each_have_no_column_that_varies():
    alone = history(table(PAPERS, [ROWS[0], ROWS[1], ROWS[3]]))
    assert alone.constant == PAPERS.column_names[1:]
    assert alone.is_strict
    assert context_of(alone, PAPERS).former == {}


TIED = schema_of(PERSON, AT, levels("state", "x", "y"), order_by="at")


def tied(n_ties, n_persons=40, *, at=5):
    """Persons of three rows; of the first `n_ties` two have the same place in the order, or none."""
    rows = []
    for k in range(n_persons):
        rows += [(f"p{k}", 1, "x"), (f"p{k}", at, "y"), (f"p{k}", at if k < n_ties else 7, "x")]
    return table(TIED, rows)


@pytest.mark.parametrize(("n_ties", "is_strict"), [(0, True), (10, True), (11, False), (40, False)])
def test_an_order_is_strict_where_fewer_rows_than_a_group_tie(n_ties, is_strict):
    assert history(tied(n_ties)).is_strict is is_strict
    assert history(tied(n_ties), min_group=n_ties + 1).is_strict
    assert history(tied(n_ties), min_group=max(n_ties, 1)).is_strict is (n_ties == 0)


def test_few_persons_of_many_ties_are_enough_and_nulls_are_none():
    many = table(TIED, [(f"p{k // 30}", 5, "x") for k in range(60)])  # two persons of thirty rows
    assert not history(many).is_strict
    assert history(tied(40, at=None)).is_strict


def test_a_key_of_person_and_order_is_strict():
    rows = tied(40)
    for key in (("pid", "at"), ("at", "pid")):
        assert history(Table(replace(TIED, primary_key=key), rows.frame)).is_strict
    assert not history(Table(replace(TIED, primary_key=("pid",)), rows.frame)).is_strict


# stored


def test_a_history_is_read_back():
    found = history(table(PAPERS, ROWS))
    assert history_from(found.to_data(), PAPERS) == found
    most = {**found.to_data(), "lengths": {"groups": [[1, PAPERS.unit.max_rows, 11]], "farthest": 8}}
    assert history_from(most, PAPERS).lengths == Lengths((1,), (9,), (11,), 8)
    assert history_from(None, replace(PAPERS, unit=PrivacyUnit(column="pid", max_rows=3))) is None


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"constant": None}, "names columns"),
        ({"constant": "site"}, "names columns"),
        ({"constant": ("site",)}, "names columns"),
        ({"constant": ["born", "site"]}, "names columns"),
        ({"constant": ["site", "site"]}, "names columns"),
        ({"constant": ["nobody"]}, "names columns"),
        ({"constant": ["pid"]}, "names columns"),
        ({"constant": [["site"]]}, "names columns"),
        ({"constant": [1]}, "names columns"),
        ({"is_strict": None}, "strict"),
        ({"is_strict": 1}, "strict"),
        ({"is_strict": "yes"}, "strict"),
        ({"lengths": []}, "how many rows"),
        ({"lengths": {"groups": [[1, 1, True]], "farthest": 0}}, "how many rows"),
        ({"lengths": {"groups": [[1, 10, 11]], "farthest": 0}}, "more rows than the unit's max_rows"),
        ({"lengths": {"groups": [[1, 9, 11]], "farthest": 9}}, "more rows than the unit's max_rows"),
        ({"lagged": None}, "row before"),
        ({"lagged": ["site"]}, "row before"),
        ({"lagged": ["passport"]}, "row before"),
        ({"lagged": ["state", "at"]}, "row before"),
        ({"lagged": ["at", "at"]}, "row before"),
        ({"lagged": ["nobody"]}, "row before"),
        ({"more": 1}, "not one"),
    ],
)
def test_another_history_is_refused(change, fault):
    data = history(table(PAPERS, ROWS)).to_data()
    with pytest.raises(ModelFileError, match=fault):
        history_from({**data, **change}, PAPERS)


@pytest.mark.parametrize("data", [None, [], 7, "x", {}, {"constant": []}])
def test_what_is_no_history_is_refused(data):
    with pytest.raises(ModelFileError, match=r"missing, or there|not one"):
        history_from(data, PAPERS)


def test_a_history_of_a_unit_without_an_order_is_refused():
    data = history(table(PAPERS, ROWS)).to_data()
    with pytest.raises(ModelFileError, match="no order_by"):
        history_from(data, replace(PAPERS, unit=PrivacyUnit(column="pid", max_rows=3)))


# the context

LONG = Lengths((1, 2, 3), (1, 2, 9), (20, 20, 11), 2)  # told apart up to two rows before or after


def test_the_context_cell_for_cell():
    """`site` and `name` are constant; bob's second row is null where his order says nothing; nobody's rows stand alone."""
    schema = schema_of(
        replace(PERSON, nullable=True),
        AT,
        levels("site", "a", "b"),
        levels("state", "x", "y", nullable=True),
        Column(name="name", kind=Kind.TEXT, dtype="string"),
        order_by="at",
    )
    rows = table(
        schema,
        [
            ("bob", None, "b", "y", "B"),
            ("ann", 9, "a", "x", "A"),
            (None, 4, "a", "x", "N"),
            ("ann", 10, "a", None, "A"),
            ("bob", 3, "b", "x", "B"),
            (None, 2, "b", "y", "N"),
            ("ann", 1, "a", "y", "A"),
            ("ann", 11, "a", "x", "A"),
        ],
    )
    context = context_of(
        History(constant=("site", "name"), lagged=("at", "state"), lengths=LONG, is_strict=False), schema
    )
    learnt = context.learnt(rows)
    assert learnt.schema.column_names == (
        "rows before", "rows after", "at before", "state before", "pid", "at", "site", "state", "name",
    )  # fmt: skip
    assert learnt.frame.rows() == [
        (0, 2, None, None, "ann", 1, "a", "y", "A"),  # three more, of which two are told
        (1, 2, 1, "y", "ann", 9, "a", "x", "A"),
        (2, 1, 9, "x", "ann", 10, "a", None, "A"),
        (2, 0, 10, None, "ann", 11, "a", "x", "A"),
        (0, 1, None, None, "bob", 3, "b", "x", "B"),
        (1, 0, 3, "x", "bob", None, "b", "y", "B"),
        (0, 0, None, None, None, 4, "a", "x", "N"),
        (0, 0, None, None, None, 2, "b", "y", "N"),
    ]
    assert (context.person, context.kept, context.constant) == ("pid", ("name",), ("site",))
    assert context.former == {"at": "at before", "state": "state before"}
    assert context.step == ("at before", "at")
    assert context.schema["at before"].nullable
    assert context.schema["at before"].bounds == (0, 99)
    assert (context.schema.primary_key, context.schema.unit) == ((), PrivacyUnit())
    (order,) = context.schema.constraints
    assert order == Inequality(
        name="at never falls from row to row of one pid", columns=("at before", "at"), strict=False
    )
    strict = context_of(
        History(constant=("site", "name"), lagged=("at", "state"), lengths=LONG, is_strict=True), schema
    )
    assert strict.schema.constraints[0].strict


def test_names_that_are_taken_get_a_mark():
    schema = schema_of(
        PERSON,
        AT,
        whole("rows before", 0, 9),
        whole("at before", 0, 9),
        whole("rows after", 0, 9),
        order_by="at",
    )
    rows = table(schema, [("ann", 2, 5, 6, 7), ("ann", 1, 1, 2, 3)])
    context = context_of(
        History(constant=(), lagged=schema.column_names[1:], lengths=LONG, is_strict=True), schema
    )
    assert (context.before, context.after) == ("rows before'", "rows after'")
    assert context.former == {
        "at": "at before'",
        "rows before": "rows before before",
        "at before": "at before before",
        "rows after": "rows after before",
    }
    assert context.step == ("at before'", "at")
    learnt = context.learnt(rows).frame
    assert learnt.width == len(set(learnt.columns)) == 11
    assert learnt.row(1, named=True) == {
        "rows before'": 1, "rows after'": 0, "at before'": 1, "rows before before": 1, "at before before": 2,
        "rows after before": 3, "pid": "ann", "at": 2, "rows before": 5, "at before": 6, "rows after": 7,
    }  # fmt: skip
    assert learnt.select(schema.column_names).row(0) == ("ann", 1, 1, 2, 3)


def test_no_step_where_the_order_is_an_identifier_or_constant():
    visit = Column(name="at", kind=Kind.IDENTIFIER, dtype="int64")
    for schema, constant in (
        (schema_of(PERSON, visit, STATE, order_by="at"), ()),
        (schema_of(PERSON, AT, STATE, order_by="at"), ("at",)),
    ):
        context = context_of(
            History(constant=constant, lagged=("state",), lengths=LONG, is_strict=True), schema
        )
        assert (context.step, context.schema.constraints) == (None, ())
        assert context.former == {"state": "state before"}


def test_an_engine_is_told_of_columns_that_are_learnt():
    context = context_of(
        History(constant=("site",), lagged=("day", "state", "score"), lengths=LONG, is_strict=True), VISITS
    )
    given = ("rows before", "day before", "state before", "score before", "rows after")
    told = context.told([*given, "site", "day", "state", "score"])
    assert told == Told(given, ("site",), ("day before", "day"), (("score before", "score"),))
    assert told.context == (*given, "site")
    assert context.told([*given, "state"]) == Told(given, (), None)  # a rule computes the day, say
    assert context.told(["rows before", "site and state", "day"]) == Told(("rows before",), (), None)


@pytest.mark.parametrize(("n_told", "is_lagged"), [(10, False), (11, True)])
def test_numbers_of_too_few_rows_before_are_not_learnt_beside(n_told, is_lagged):
    """Levels are; a number that only a last row of a person has is before none."""
    schema = schema_of(PERSON, AT, replace(whole("lab", 0, 99), nullable=True), STATE, order_by="at")
    rows = []
    for k in range(40):
        rows += [(f"p{k}", 1, k if k < n_told else None, "x"), (f"p{k}", 2, 50, "y")]
    found = History.of(table(schema, rows), Ledger(), min_group=11)
    assert found.lagged == (("at", "lab", "state") if is_lagged else ("at", "state"))
    assert ("lab" in context_of(found, schema).former) is is_lagged


def test_an_order_within_the_person_becomes_one_of_each_row_and_the_one_before():
    rule = Monotone(column="score", within=("pid",), along="day", decreasing=True, strict=True)
    schema = replace(VISITS, constraints=(Range(column="score", lower=3), rule))
    lagged = History(constant=("site",), lagged=("day", "score"), lengths=LONG, is_strict=True)
    assert context_of(lagged, schema).schema.constraints[:2] == (
        Range(column="score", lower=3),
        Inequality(
            name="score never rises along day within pid", columns=("score", "score before"), strict=True
        ),
    )
    rising = replace(schema, constraints=(replace(rule, decreasing=False, strict=False),))
    assert context_of(lagged, rising).schema.constraints[0].columns == ("score before", "score")
    require_rules_of_rows(plan_rules(schema, is_private=False), schema)


@pytest.mark.parametrize(
    "rule",
    [
        Monotone(column="score", along="day"),
        Monotone(column="score", within=("site",), along="day"),
        Monotone(column="score", within=("pid", "site"), along="day"),
        Monotone(column="score", within=("pid",), along="score"),
        Monotone(column="day", within=("pid",), decreasing=True),
    ],
)
def test_an_order_within_other_groups_is_of_all_rows(rule):
    schema = replace(VISITS, constraints=(rule,))
    assert not is_kept_by_order(rule, schema)
    with pytest.raises(ConstraintError, match=r"rules of all rows together.*(score|day)"):
        require_rules_of_rows(plan_rules(schema, is_private=False), schema)


def test_a_column_that_never_varies_cannot_rise_within_persons():
    rule = Monotone(column="site", within=("pid",), along="at", strict=True)
    numbers = schema_of(
        PERSON, replace(AT, nullable=False), whole("site", 0, 9), STATE, order_by="at", constraints=(rule,)
    )
    rows = table(numbers, [(f"p{k // 2}", k % 2, k // 2 % 9, "x") for k in range(60)])
    found = history(rows)
    with pytest.raises(
        ConstraintError, match=r"never vary within a person \(pid\) cannot rise or fall there: site"
    ):
        require_rises(found, numbers)
    require_rises(found, replace(numbers, constraints=(replace(rule, strict=False),)))
    require_rises(replace(found, lengths=Lengths((1,), (1,), (30,), 0)), numbers)


@pytest.mark.parametrize(("n_told", "longest"), [(10, 1), (11, 2)])
def test_all_have_one_row_where_the_order_of_too_few_is_known(n_told, longest):
    schema = schema_of(PERSON, replace(AT, nullable=True), STATE, order_by="at")
    rows = []
    for k in range(40):
        rows += [(f"p{k}", 1 if k < n_told else None, "x"), (f"p{k}", 2 if k < n_told else None, "y")]
    found = History.of(table(schema, rows), Ledger(), min_group=11)
    assert max(found.lengths.high) == longest
    few = table(schema, rows[: 2 * n_told])
    assert max(History.of(few, Ledger(), min_group=11).lengths.high) == longest


@pytest.mark.parametrize("change", [{"nullable": True}, {"special_values": (-1,)}])
@pytest.mark.parametrize("name", ["day", "score"])
def test_an_order_over_cells_that_are_none_is_of_all_rows(name, change):
    if name == "day" and "special_values" in change:
        change = {"nullable": True}
    columns = tuple(replace(one, **change) if one.name == name else one for one in VISITS.columns)
    schema = replace(VISITS, columns=columns)
    assert not is_kept_by_order(Monotone(column="score", within=("pid",), along="day"), schema)


def test_the_bound_keeps_the_first_rows_of_persons_in_the_order_of_the_source():
    schema = replace(VISITS, unit=replace(VISITS.unit, max_rows=2))
    frame = visits(60, seed=3).with_columns(
        pid=pl.when(pl.col("pid") != "P00007").then(pl.col("pid"))
    )  # nobody's rows are all kept
    schema = replace(schema, columns=(replace(PERSON, nullable=True), *schema.columns[1:]))
    kept = bound_rows(Table.conform(frame, schema), Streams(5)).frame
    days = {}
    for who, day in frame.select("pid", "day").rows():
        days.setdefault(who, []).append(day)
    assert max(map(len, days.values())) > 2
    expected = [row for row in frame.rows() if row[0] is None or row[1] in sorted(days[row[0]])[:2]]
    assert kept.rows() == expected
    assert bound_rows(Table.conform(frame, schema), Streams(6)).frame.equals(
        kept
    )  # nothing is left to chance


def test_the_bound_keeps_the_first_of_those_that_tie():
    schema = replace(TIED, unit=replace(TIED.unit, max_rows=2))
    rows = table(schema, [("a", 5, "x"), ("a", None, "x"), ("a", 5, "y"), ("b", None, "y"), ("a", 5, "x")])
    assert bound_rows(rows, Streams(0)).frame.rows() == [("a", 5, "x"), ("a", 5, "y"), ("b", None, "y")]


# what is refused

FEW = visits(20)


def fitted(schema, frame=FEW, engine="sequential_trees", **more):
    return tabsynth.fit(frame, schema=schema, engine=engine, privacy=NO_PRIVACY, **more)


@pytest.mark.parametrize("engine", ["auto", "bayesian_network", "independent", "gaussian_copula"])
def test_a_private_fit_is_refused_before_anything_is_read_or_charged(engine):
    ledger = Ledger(Budget(epsilon=5.0, delta=1e-5))
    for data in ("no-such-file.csv", Table.conform(FEW, VISITS)):
        schema = {"schema": VISITS} if isinstance(data, str) else {}
        with pytest.raises(PrivacyError, match=r"order_by \('day'\).*without privacy alone"):
            tabsynth.fit(data, engine=engine, privacy=Budget(epsilon=1.0), ledger=ledger, **schema)
    assert ledger.charges == ()
    assert ledger.epsilon(1e-6) == 0


@pytest.mark.parametrize("engine", [named(name) for name in sorted(set(ENGINES) - {"sequential_trees"})])
def test_other_engines_are_refused_by_a_word_on_the_one_that_can(engine):
    with pytest.raises((UsageError, PrivacyError), match=r"take sequential_trees|dp_ctgan") as caught:
        fitted(VISITS, "no-such-file.csv", engine)
    if "none" in ENGINES[engine].guarantees:
        assert isinstance(caught.value, UsageError)
        assert f"histories, which {engine} does not draw: take sequential_trees" in str(caught.value)


def test_auto_takes_the_engine_that_draws_histories():
    few = visits(100)
    assert few.height < 3000
    found = fitted(VISITS, few, "auto").engine
    assert found == SequentialTrees()
    assert fitted(replace(VISITS, unit=PrivacyUnit()), few, "auto").engine.name == "bayesian_network"
    assert why_chosen(Auto(purpose="answers"), VISITS, is_private=False, n_rows=300).startswith(
        "auto: sequential_trees, the one that draws histories"
    )
    assert Auto().choose(n_columns=5, is_private=True, has_histories=True).recipe.name == "bayesian_network"


def with_unit(**changes):
    return replace(VISITS, unit=replace(VISITS.unit, **changes))


BY_SCORE = replace(
    with_unit(column="score"),
    columns=(*VISITS.columns[:-1], replace(VISITS["score"], learnt_because="a rank, which names nobody")),
)


@pytest.mark.parametrize(
    ("schema", "error", "match"),
    [
        (with_unit(order_by="dya"), SchemaError, "no column 'dya'"),
        (with_unit(order_by="state"), SchemaError, "is categorical, which has no order"),
        (with_unit(order_by="pid"), SchemaError, "names the person"),
        (with_unit(column=None), SchemaError, "no column names the person"),
        (with_unit(column="who"), SchemaError, "no column 'who'"),
        (with_unit(max_rows=None), SchemaError, "required where a column names the person"),
        (with_unit(max_rows=0), SchemaError, "must be at least 1"),
        (with_unit(column="score"), SchemaError, "names the person, but kind integer would be learnt"),
        (BY_SCORE, UsageError, "named by 'score', which is integer: make it an identifier"),
        (replace(VISITS, primary_key=("pid", "state")), UsageError, "a primary key of 2 columns"),
        (replace(VISITS, primary_key=("pid", "day", "state")), UsageError, "a primary key of 3 columns"),
        (
            replace(VISITS, constraints=(Unique(columns=("site", "score")),)),
            ConstraintError,
            "rules of all rows together.*site, score",
        ),
        (
            replace(VISITS, constraints=(Monotone(column="score", within=("site",), along="day"),)),
            ConstraintError,
            "rules of all rows together.*score",
        ),
    ],
)
def test_units_keys_and_rules_that_histories_do_not_keep_are_refused(schema, error, match):
    """As `dataclasses.replace` makes such a schema, which no file passed."""
    with pytest.raises(error, match=f"(?s){match}"):
        fitted(schema)


def test_an_order_that_a_generator_makes_is_refused_and_one_that_is_counted_is_not():
    visit = Column(name="visit", kind=Kind.IDENTIFIER, dtype="string")
    for made, is_sound in ((None, True), (Generator(make="sequence"), True), (Generator(make="uuid"), False)):
        schema = schema_of(PERSON, replace(visit, generator=made), STATE, order_by="visit")
        if is_sound:
            require_histories(schema, SequentialTrees())
        else:
            with pytest.raises(SchemaError, match="has a generator, whose values are in no order"):
                require_histories(schema, SequentialTrees())


def test_a_key_of_one_column_and_one_of_person_and_order_are_kept():
    for key in ((), ("score",), ("pid",), ("pid", "day"), ("day", "pid")):
        require_histories(replace(VISITS, primary_key=key), SequentialTrees())
    require_histories(replace(VISITS, unit=PrivacyUnit(), primary_key=("pid", "state")), SequentialTrees())


def test_rules_of_single_rows_and_mappings_without_rows_are_kept():
    rules = (
        Range(column="score", lower=3),
        Inequality(columns=("score", "score")),
        Dependency(columns=("site",), determines=("state",)),
        Combinations(columns=("site", "state")),
        Hierarchy(columns=("state", "site")),
    )
    for rule in rules:
        require_rules_of_rows(plan_rules(replace(VISITS, constraints=(rule,)), is_private=False), VISITS)
    with pytest.raises(ConstraintError, match="rules of all rows"):
        require_rules_of_rows(
            plan_rules(replace(VISITS, constraints=(Unique(columns=("site", "score")),)), is_private=False),
            VISITS,
        )


def test_probabilities_of_rows_by_themselves_are_refused():
    with pytest.raises(UsageError, match="knows rows by those before them"):
        fitted(VISITS).log_prob(FEW)
