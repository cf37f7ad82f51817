"""The shape of a run file, as pydantic models: the edge between YAML or JSON and `RunConfig`.

They check keys and plain types and give the JSON Schema that editors complete with; what the values
mean is checked in `tabsynth.config.files`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from tabsynth.config.types import FORMATS
from tabsynth.models.registry import DEFAULT_ENGINE, ENGINE_NAMES
from tabsynth.schema.document import DecimalMark, SchemaModel

VERSION = 1

EngineName = Annotated[str, WithJsonSchema({"type": "string", "enum": list(ENGINE_NAMES)})]
FormatName = Annotated[str, WithJsonSchema({"type": "string", "enum": list(FORMATS)})]
Setting = Annotated[object, WithJsonSchema({"type": ["boolean", "number", "string"]})]
BudgetOrNone = Annotated[
    object,
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "none"},
                {"type": "null"},
                {
                    "type": "object",
                    "properties": {
                        "epsilon": {"type": "number", "exclusiveMinimum": 0},
                        "delta": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
                    },
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class CsvModel(_Model):
    """How a source is written as CSV, where that differs from the schema."""

    delimiter: str | None = None
    """The character between fields."""
    quote: str | None = None
    """The character around fields that hold a delimiter."""
    encoding: str | None = None
    """The text encoding, such as utf-8 or cp1252."""
    null_marks: list[str] | None = None
    """Fields that mean a missing cell."""
    decimal: DecimalMark | None = None
    """The mark before the decimals of a number: a point or a comma."""


class TableModel(_Model):
    """One table of the run."""

    source: str
    """The file with the real table; relative paths start at the run file's folder."""
    csv: CsvModel = Field(default_factory=CsvModel)
    """How it is written as CSV."""
    engine: EngineName = DEFAULT_ENGINE
    """The engine that learns it; `tabsynth engines` lists them."""
    settings: dict[str, Setting] = Field(default_factory=dict)
    """The engine's settings; `tabsynth engines` lists them."""
    rows: Annotated[int, Field(ge=0)] | None = None
    """How many rows to make; left out: as many as the source has."""
    real_share: Annotated[float, Field(ge=0, le=1)] | None = None
    """The share of fresh real rows in a source that is marked synthetic, in [0, 1]."""
    public: str | None = None
    """A file of public rows of the same columns, as a prior of a private fit; relative paths start at the run file's folder."""
    where: dict[str, object] = Field(default_factory=dict)
    """Conditions that all rows keep to: a value, a list of values, or comparisons, by column."""
    rebalance: dict[str, object] = Field(default_factory=dict)
    """Shares of the rows by column and value, or `even`."""
    oversample: dict[str, object] = Field(default_factory=dict)
    """How many times as frequent groups are made, by column and value."""
    target: str | None = None
    """The column that the utility figures predict."""
    title: str = ""
    """What stands over the report."""


class OutputModel(_Model):
    """What the synthetic tables are written as."""

    formats: list[FormatName] = Field(default_factory=list)
    """One file per format; left out: the format of the source."""


class RunModel(_Model):
    """A run: real tables, the engines that learn them, and what is made of them."""

    version: Literal[1]
    """The version of this file format."""
    schema_: Annotated[object, Field(alias="schema")] = None
    """A schema file or a schema written out here; left out: drafted from the data."""
    privacy: BudgetOrNone = None
    """A budget of epsilon and delta for each table, 1 and 1e-6 where left out; or `none`."""
    ledger: str | None = None
    """A ledger file that all tables are charged to; relative paths start at the run file's folder."""
    seed: Annotated[int, Field(ge=0)] | None = None
    """Fixes the split, the fit, the rows and the evaluation."""
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """The share of rows (or persons) that the engine never sees and that measures it."""
    evaluation: bool = True
    """Whether to compare the synthetic tables with the real ones; without it nothing is held out."""
    audit: bool = False
    """Whether to attack the synthetic tables, for a policy to read."""
    output: OutputModel = Field(default_factory=OutputModel)
    """What is written."""
    tables: Annotated[dict[str, TableModel], Field(min_length=1)]
    """The tables by the names that they have in the schema."""


def run_config_json_schema() -> dict[str, object]:
    """A JSON Schema (draft 2020-12) of run files, for editors to complete and check them with."""
    document = RunModel.model_json_schema(by_alias=True)
    inline = SchemaModel.model_json_schema(ref_template="#/$defs/Schema{model}")
    inner = {f"Schema{name}": model for name, model in inline.pop("$defs").items()}
    document["$defs"] = {**document["$defs"], **inner, "SchemaModel": inline}
    kinds = [{"type": "string"}, {"$ref": "#/$defs/SchemaModel"}, {"type": "null"}]
    document["properties"]["schema"]["anyOf"] = kinds
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **document,
        "title": "tabsynth run file",
    }
