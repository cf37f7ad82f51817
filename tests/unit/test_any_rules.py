"""Random rules on random small tables: all rows keep them, in every mode and whatever is asked, or an error says why.

`TABSYNTH_EXAMPLES=800 python -m pytest tests/unit/test_any_rules.py` looks at that many tables instead of 40.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tabsynth as ts
from tabsynth.constraints.held import holds
from tabsynth.constraints.rules import constraints_of
from tabsynth.errors import ConditionError, ConstraintError, DataError, PrivacyError
from tabsynth.pipeline import FittedPipeline, fit
from tabsynth.privacy import NO_PRIVACY, Budget
from tabsynth.schema.rules import (
    AnyRule,
    Check,
    Combinations,
    Conditional,
    Dependency,
    Exactly,
    Exclusive,
    Expression,
    Formula,
    Hierarchy,
    Inequality,
    Monotone,
    NullsTogether,
    Range,
    Sum,
    Unique,
    title_of,
)
from tabsynth.schema.types import Domain, TableSchema
from tabsynth.where import conditions_of
from tests.unit.constraints.tables import flag, levels, table, whole

N_EXAMPLES = int(os.environ.get("TABSYNTH_EXAMPLES", "40"))
NUMBERS, LEVELS, FLAGS = ("i", "j", "k"), ("a", "b"), ("f", "g")


def _is_even(rows: pl.DataFrame) -> Any:
    return (rows["i"].fill_null(0) % 2 == 0).to_numpy()


_pairs = st.lists(
    st.tuples(st.sampled_from("pq"), st.sampled_from(["s", "t", None])), min_size=1, unique=True
)
_ways = st.lists(st.sampled_from(["s", "t"]), min_size=2, max_size=2).map(
    lambda ways: tuple(zip("pq", ways, strict=True))
)
_RULES = {
    Inequality: st.builds(
        lambda x, s, n: Inequality(columns=tuple(x[:n]), strict=s),
        st.permutations(NUMBERS),
        st.booleans(),
        st.integers(2, 3),
    ),
    Range: st.builds(
        lambda c, n, upper: Range(column=c, **{"upper" if upper else "lower": n}),
        st.sampled_from(NUMBERS),
        st.integers(-1, 7),
        st.booleans(),
    ),
    Sum: st.builds(lambda x: Sum(column=x[0], parts=tuple(x[1:])), st.permutations(NUMBERS)),
    Formula: st.builds(lambda x: Formula(column=x[0], sql=f"{x[1]} * 2"), st.permutations(NUMBERS)),
    NullsTogether: st.builds(
        lambda x: NullsTogether(columns=tuple(x[:2])), st.permutations((*NUMBERS, *LEVELS))
    ),
    Exclusive: st.builds(lambda x: Exclusive(columns=tuple(x[:2])), st.permutations((*NUMBERS, *LEVELS))),
    Exactly: st.builds(lambda n: Exactly(columns=FLAGS, count=n), st.integers(1, 2)),
    Conditional: st.builds(
        lambda level, x: Conditional(
            condition=f"a = '{level}'", then=f"{x[0]} > 2", otherwise=f"{x[1]} IS NULL"
        ),
        st.sampled_from("pq"),
        st.permutations(NUMBERS),
    ),
    Combinations: st.builds(lambda rows: Combinations(columns=LEVELS, rows=tuple(rows)), _pairs),
    Hierarchy: st.builds(
        lambda rows, is_listed: Hierarchy(columns=LEVELS, rows=rows if is_listed else None),
        _ways,
        st.booleans(),
    ),
    Dependency: st.builds(
        lambda rows, is_listed: Dependency(
            columns=("a",), determines=("b",), rows=rows if is_listed else None
        ),
        _ways,
        st.booleans(),
    ),
    Expression: st.builds(lambda n: Expression(sql=f"i + j < {n} OR b = 's'"), st.integers(-2, 12)),
    Unique: st.builds(lambda x: Unique(columns=tuple(x[:3])), st.permutations((*NUMBERS, "a"))),
    Monotone: st.builds(lambda c: Monotone(column=c, within=("a",)), st.sampled_from(NUMBERS)),
    Check: st.just(Check(columns=("i",), function=_is_even, name="even i")),
}
_WHERE = st.one_of(
    st.just({}),
    st.builds(lambda c, n: {c: {">=": n}}, st.sampled_from(NUMBERS), st.integers(0, 6)),
    st.builds(lambda c, n: {c: {"<": n}, "a": "p"}, st.sampled_from(NUMBERS), st.integers(1, 7)),
    st.just({"b": None, "f": True}),
    st.just({"a": ["p", "q"], "b": {"!=": "s"}}),
)


def test_every_kind_of_rule_is_there():
    assert set(_RULES) == set(get_args(AnyRule))


@dataclass(frozen=True)
class Case:
    """A table of `n` random rows, its rules, and what is asked of a model of it."""

    schema: TableSchema
    n: int
    is_private: bool
    engine: str
    seed: int
    where: dict[str, Any]

    @property
    def frame(self) -> pl.DataFrame:
        rng, n = np.random.default_rng(self.seed), self.n

        def cells(name: str) -> list[int | None]:
            made = rng.integers(0, 7, n).tolist()
            return [None if self.schema[name].nullable and rng.random() < 0.3 else x for x in made]

        return pl.DataFrame(
            {
                **{name: pl.Series(cells(name), dtype=pl.Int64) for name in NUMBERS},
                "a": pl.Series(rng.choice(["p", "q"], n).tolist(), dtype=pl.String),
                "b": pl.Series([x or None for x in rng.choice(["s", "t", ""], n).tolist()], dtype=pl.String),
                **{name: pl.Series((rng.random(n) < 0.5).tolist(), dtype=pl.Boolean) for name in FLAGS},
            }
        )

    @property
    def unlisted(self) -> list[AnyRule]:
        """The rules that would have to read a mapping off the rows."""
        mapped = (Combinations, Hierarchy, Dependency)
        return [rule for rule in self.schema.constraints if isinstance(rule, mapped) and rule.rows is None]

    def fitted(self) -> FittedPipeline:
        privacy = Budget(epsilon=1.0) if self.is_private else NO_PRIVACY
        return fit(self.frame, schema=self.schema, engine=self.engine, privacy=privacy)

    def is_clear(self, said: str, model: FittedPipeline | None) -> bool:
        """Whether an error tells the truth: what it says to exclude one another does, and each part of it is needed.

        All rows of the domains that the model knows, or of those declared where there is none, are looked at.
        """
        schema = self.schema if model is None else model.schema
        small = ("has no rows", "fewer than min_group", "has no valid combination", "no row of the source")
        if self.n < 11 and any(why in said for why in small):
            return True
        if found := _after(said, "whereas some meet any fewer of them: ", "no row meets all of these: "):
            masks = self.masks(found.split("; "), schema)
            fewer = [masks[:at] + masks[at + 1 :] for at in range(len(masks))]
            return not _some_row(masks) and all(map(_some_row, fewer))
        if "no row can meet these rules" in said and "together: " in said:
            names = said.partition("together: ")[2].split("; ")
            if any(title_of(rule) in names for rule in self.unlisted):  # its rows were read off the table
                return True
            return not _some_row(self.masks(names, schema))
        if found := _after(said, "No row in the domains of its columns meets "):
            return not _some_row(self.masks([found[1:-1]], schema))
        if (found := _after(said, "None of them meets ")) and "do not exclude one another" in said:
            names = found.partition(". These do")[0].replace(" together with what all of them keep: ", "; ")
            return _some_row(self.masks(names.split("; "), schema))
        if found := _after(said, "The model never meets "):
            names = [found.partition(": acceptance")[0][1:-1]]
            return _some_row(self.masks(names, schema)) and self.stands_alone(names, model)
        if found := _after(said, "but never all together: "):
            names = found.split("; ")
            return _some_row(self.masks(names, schema)) and self.stands_alone(names, model)
        named = (
            "The rule that fails most is ", "some break rules ", "it breaks ", "could not be made to meet the rule ", "has room for",
            "None of them meets ", "mappings whose rows", "given cells break",
        )  # fmt: skip
        titles = [title_of(rule) for rule in self.schema.constraints]
        if any(start in said for start in named) and any(title in said for title in titles):
            return True
        impossible = (
            "never meets",
            "probability zero",
            "never holds",
            "that the rules allow",
            "too few rows meet",
        )
        if self.where and "the conditions together have probability zero" in said:
            return True
        return any(name in said for name in self.where) and any(words in said for words in impossible)

    def stands_alone(self, names: list[str], model: FittedPipeline | None) -> bool:
        """Whether the rows that a model drew kept nothing beside these rules that may be why they never met them."""
        if model is None or self.where:
            return False
        plan = model.plan
        found = {name for one in plan.constraints if title_of(one.rule) in names for name in one.columns}
        return not any(found & set(one.columns) and title_of(one.rule) not in names for one in plan.sure)

    def masks(self, names: list[str], schema: TableSchema) -> list[Any]:
        """Of every row that the domains allow whether it keeps the rule, or condition, of each name."""
        rows = every_row(schema)
        kept: dict[str, list[Any]] = {}
        for one in constraints_of(schema):
            kept.setdefault(title_of(one.rule), []).append(~one.violations(rows))
        for asked in conditions_of(self.where, schema):
            held = holds(asked, rows[asked.column], schema[asked.column])
            kept[f"the condition on {asked.column!r}"] = [np.asarray(held)]
        return [kept[name].pop() for name in names]  # rules of one name are each named


def _after(said: str, *starts: str) -> str:
    """What follows the first of these words that is said."""
    return next((said.partition(start)[2] for start in starts if start in said), "")


def _some_row(masks: list[Any]) -> bool:
    return bool(np.logical_and.reduce(masks).any()) if masks else True


def every_row(schema: TableSchema) -> pl.DataFrame:
    """All rows of the columns' domains, at most 8 · 8 · 8 · 2 · 3 · 2 · 2."""
    rows = pl.DataFrame({"one": [0]})
    for one in schema.columns:
        cells: list[Any] = list(one.categories or (False, True))
        if one.bounds is not None:
            cells = list(range(int(one.bounds[0]), int(one.bounds[1]) + 1))
        cells += [None] if one.nullable else []
        dtype = {"int64": pl.Int64, "bool": pl.Boolean}.get(one.dtype, pl.String)
        rows = rows.join(pl.DataFrame({one.name: pl.Series(cells, dtype=dtype)}), how="cross")
    return rows.drop("one")


@st.composite
def cases(draw: Any) -> Case:
    nullable = {name: draw(st.booleans()) for name in NUMBERS}
    schema = table(
        *(whole(name, 0, 6, nullable=nullable[name]) for name in NUMBERS),
        levels("a", "p", "q"),
        levels("b", "s", "t", nullable=True),
        *(flag(name) for name in FLAGS),
        rules=tuple(draw(st.lists(st.one_of(*_RULES.values()), min_size=1, max_size=4))),
    )
    if draw(st.booleans()):
        schema = replace(schema, columns=tuple(replace(one, domain=Domain()) for one in schema.columns))
    return Case(
        schema=schema,
        n=draw(st.integers(0, 60)),
        is_private=draw(st.booleans()),
        engine=draw(st.sampled_from(["independent", "gaussian_copula"])),
        seed=draw(st.integers(0, 2**31)),
        where=draw(_WHERE),
    )


def broken(rows: pl.DataFrame, schema: TableSchema) -> dict[str, int]:
    found = {title_of(one.rule): int(one.violations(rows).sum()) for one in constraints_of(schema)}
    return {name: n for name, n in found.items() if n}


@given(cases())
@settings(
    max_examples=N_EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_any_rules_on_any_small_table_hold_or_are_a_clear_error(case: Case) -> None:
    """With or without privacy, of rows that keep the rules or do not, under conditions or not, and of completed rows."""
    said, model, rows = "", None, pl.DataFrame()
    try:
        with few_tries():
            model = case.fitted()
            rows = model.sample(40, seed=case.seed, where=case.where)
    except (ConstraintError, ConditionError, DataError, PrivacyError) as error:
        said = str(error)
    if said:
        is_mapping = "mappings whose rows would be read off the data" in said
        assert case.is_clear(said, model) or (is_mapping and case.is_private and case.unlisted), said
        return
    assert model is not None
    assert rows.height == 40
    assert broken(rows, model.schema) == {}
    for condition in conditions_of(case.where, model.schema):
        name = condition.column
        assert holds(condition, rows[name], model.schema[name]).all()
    if not case.is_private:
        assert ts.check(rows, model.schema) == ()
    if not any(isinstance(rule, (Unique, Monotone)) for rule in case.schema.constraints):
        is_completed(model, rows.select("i", "b", "f").head(7), case)  # keys of rows drawn apart may repeat


def is_completed(model: FittedPipeline, known: pl.DataFrame, case: Case) -> None:
    """Rows of the model's own are made whole, or an error says what keeps them from it."""
    said, made = "", pl.DataFrame()
    try:
        with few_tries():
            made = model.complete(known, seed=case.seed, nulls=["i", "b"])
    except ConstraintError as error:
        said = str(error)
    if said:
        assert (
            replace(case, where={}).is_clear(said, model) or "given cells" in said or "conditions" in said
        ), said
        return
    assert broken(made, model.schema) == {}
    assert made.select(known.columns).equals(known)


@contextmanager
def few_tries() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tabsynth.constraints.enforce.MOST_TRIES", 8)
        patch.setattr("tabsynth.models.waiting.MOST_TRIES", 8)
        yield
