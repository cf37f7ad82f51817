"""Run files: YAML or JSON to a `RunConfig` and back.

    version: 1
    schema: schema.yaml
    privacy: {epsilon: 1.0, delta: 1.0e-6}
    seed: 7
    tables:
      patients:
        source: patients.csv
        engine: bayesian_network
        target: died

A file is read whole: every fault is found and listed at once, with its path, its line and a hint. Paths
in it are relative to its own folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import yaml

from tabsynth.config.document import VERSION
from tabsynth.config.parse import RunReader
from tabsynth.config.types import RunConfig, TableRun
from tabsynth.errors import SchemaError
from tabsynth.models.registry import settings_of
from tabsynth.privacy import NoPrivacy
from tabsynth.schema import yamltext
from tabsynth.schema.files import read_text, schema_to_dict
from tabsynth.schema.validate import Finding
from tabsynth.schema.yamltext import Plain


def read_run(path: str | os.PathLike[str]) -> RunConfig:
    """The run in a YAML (or JSON) file. Raises `SchemaError`, listing every fault with its path."""
    where = Path(path)
    try:
        document = yamltext.load(read_text(where))
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise SchemaError(f"{where.name} is not YAML: {line}{error.problem}") from None
    except yaml.YAMLError:
        raise SchemaError(f"{where.name} is not YAML") from None
    reader = RunReader(folder=where.parent)
    reader.findings += [Finding(at, what, hint) for at, what, hint in document.faults]
    return reader.run(document.data, document.lines, where.name)


def run_from_dict(data: Mapping[str, object], *, folder: str | os.PathLike[str] = ".") -> RunConfig:
    """The run in plain data; relative paths start at `folder`. Raises `SchemaError` as `read_run` does."""
    return RunReader(folder=Path(folder)).run(cast("Plain", data), {}, "the run")


def run_to_dict(
    run: RunConfig, *, folder: str | os.PathLike[str] = ".", schema_file: str | None = None
) -> dict[str, object]:
    """`run` as plain data, every setting spelt out; the inverse of `run_from_dict`.

    Sources are written relative to `folder` where they lie in it, in full elsewhere. `schema_file` stands
    for the schema, which is written out otherwise.
    """
    data: dict[str, object] = {"version": VERSION}
    if schema_file is not None:
        data["schema"] = schema_file
    elif run.schema is not None:
        data["schema"] = schema_to_dict(run.schema)
    data["privacy"] = (
        "none"
        if isinstance(run.privacy, NoPrivacy)
        else {"epsilon": run.privacy.epsilon, "delta": run.privacy.delta}
    )
    if run.ledger is not None:
        data["ledger"] = _relative(run.ledger, Path(folder).absolute())
    if run.seed is not None:
        data["seed"] = run.seed
    data |= {"holdout": run.holdout, "evaluation": run.evaluation}
    if run.audit:
        data["audit"] = True
    if run.formats:
        data["output"] = {"formats": list(run.formats)}
    data["tables"] = {table.name: _table_data(table, Path(folder).absolute()) for table in run.tables}
    return data


def run_to_yaml(
    run: RunConfig, *, folder: str | os.PathLike[str] = ".", schema_file: str | None = None
) -> str:
    """`run_to_dict` as the text of a run file that lies in `folder`."""
    data = run_to_dict(run, folder=folder, schema_file=schema_file)
    return yamltext.dump(cast("Mapping[str, Plain]", data), flow_keys=frozenset({"csv", "privacy", "output"}))


def _table_data(table: TableRun, folder: Path) -> dict[str, object]:
    data: dict[str, object] = {"source": _relative(table.source, folder)}
    options = {
        "delimiter": table.csv.delimiter,
        "quote": table.csv.quote,
        "encoding": table.csv.encoding,
        "decimal": table.csv.decimal,
        "null_marks": None if table.csv.null_marks is None else list(table.csv.null_marks),
    }
    csv = {key: value for key, value in options.items() if value is not None}
    if csv:
        data["csv"] = csv
    data |= {"engine": table.engine.name, "settings": settings_of(table.engine)}
    if table.rows is not None:
        data["rows"] = table.rows
    if table.target is not None:
        data["target"] = table.target
    if table.title:
        data["title"] = table.title
    if table.real_share is not None:
        data["real_share"] = table.real_share
    if table.public is not None:
        data["public"] = _relative(table.public, folder)
    steered = {"where": table.where, "rebalance": table.rebalance, "oversample": table.oversample}
    data |= {key: dict(asked) for key, asked in steered.items() if asked}
    return data


def _relative(path: Path, folder: Path) -> str:
    """`path` as seen from `folder` where it lies in it, in full elsewhere."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100  # links stay as they were named
    return str(whole.relative_to(folder) if folder in whole.parents else whole)
