"""Holds the rules of a bundle's schema against what checking them may cost, before any is read.

A rule may be an expression of SQL, and whoever made the bundle wrote it: long ones take polars minutes to plan, and
padding or replacing text makes gigabytes of one cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from tabsynth.errors import BundleError, Fault
from tabsynth.schema import yamltext

MOST_SQL, MOST_SQL_TOGETHER = 1_000, 20_000
"""The characters of SQL that one rule may have, and all rules of a bundle together."""
MOST_CHECKS, MOST_RULES = 500_000_000, 1_000
"""Rows times rules, of one table, and the rules of a bundle: each costs a millisecond on no rows at all."""
_GROWS = re.compile(r"(?<![A-Za-z0-9_])(lpad|rpad|replace)(?![A-Za-z0-9_])", re.IGNORECASE)
_SQL = ("sql", "if", "then", "else")


def require_cheap_rules(text: str, n_rows: Mapping[str, int]) -> None:
    """Raise `BundleError`, listing them, where rules of a schema's YAML would cost too much on tables of that many rows.

    What is not a schema at all is left for its reader to refuse.
    """
    try:
        data = yamltext.load(text).data
    except yaml.YAMLError:
        return
    faults, together, n_rules = [], 0, 0
    for name, rules in _rules(data):
        if len(rules) * max(1, n_rows.get(name, 0)) > MOST_CHECKS:
            what = f"{len(rules):,} rules on {n_rows.get(name, 0):,} rows, more than {MOST_CHECKS:,} checks"
            faults.append(Fault(f"tables.{name}.constraints", what))
        n_rules += len(rules)
        for i, rule in enumerate(rules[:MOST_RULES]):
            sql = [value for key in _SQL if isinstance(value := rule.get(key), str)]
            together += sum(map(len, sql))
            faults += _sql_faults(f"tables.{name}.constraints.{i}", sql)
    if together > MOST_SQL_TOGETHER:
        faults.append(
            Fault("tables", f"{together:,} characters of SQL, more than the {MOST_SQL_TOGETHER:,} allowed")
        )
    if n_rules > MOST_RULES:
        faults.append(Fault("tables", f"{n_rules:,} rules, more than the {MOST_RULES:,} allowed"))
    if faults:
        raise BundleError("rules of the schema cost more than those of a bundle may", faults[:20])


def _rules(data: Any) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """The rules of each table, as far as the data has the shape of a schema."""
    tables = data.get("tables") if isinstance(data, Mapping) else None
    for name, table in tables.items() if isinstance(tables, Mapping) else ():
        rules = table.get("constraints") if isinstance(table, Mapping) else None
        if isinstance(rules, list):
            yield name, [rule for rule in rules if isinstance(rule, Mapping)]


def _sql_faults(where: str, sql: Sequence[str]) -> Iterator[Fault]:
    if sum(map(len, sql)) > MOST_SQL:
        yield Fault(where, f"more than {MOST_SQL:,} characters of SQL")
    for text in sql:
        if found := _GROWS.search(text):
            yield Fault(where, f"{found[1].upper()} is in it, which can make a cell of any length")
