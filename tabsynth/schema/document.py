"""The shape of a schema file, as pydantic models: the edge between YAML or JSON and `Schema`.

The models check keys and plain types and give the JSON Schema that editors complete with. What the
values mean together is checked in `tabsynth.schema.validate`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from tabsynth.schema.dtypes import DTYPES
from tabsynth.schema.generators import COUNTRIES, WAYS
from tabsynth.schema.rules import KINDS, keys_of
from tabsynth.schema.scalars import describe
from tabsynth.schema.types import Kind, Origin, Role
from tabsynth.schema.validate import DECIMAL_MARKS, RESOLUTIONS

VERSION = 1


def _plain_scalar(value: object) -> object:
    if isinstance(value, (bool, int, float, str)):
        return value
    raise PydanticCustomError(
        "scalar_type", "expected a single value, found {found}", {"found": describe(value)}
    )


PlainValue = Annotated[
    object,
    AfterValidator(_plain_scalar),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
KindName = Annotated[Kind, Field(strict=False)]
RoleName = Annotated[Role, Field(strict=False)]
OriginName = Annotated[Origin, Field(strict=False)]
DtypeName = Annotated[str, WithJsonSchema({"type": "string", "enum": list(DTYPES)})]
ResolutionName = Annotated[str, WithJsonSchema({"type": "string", "enum": list(RESOLUTIONS)})]
DecimalMark = Annotated[str, WithJsonSchema({"type": "string", "enum": list(DECIMAL_MARKS)})]
RuleName = Annotated[str, WithJsonSchema({"type": "string", "enum": list(KINDS)})]
WayName = Annotated[str, WithJsonSchema({"type": "string", "enum": list(WAYS)})]
CountryName = Annotated[str, WithJsonSchema({"type": "string", "enum": list(COUNTRIES)})]
IsoDate = Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


def _say_keys(schema: dict[str, Any]) -> None:
    """Which keys go with which kind of rule, as editors understand it."""
    every = set(schema["properties"]) - {"rule", "name", "note", "draft"}
    schema["allOf"] = [
        {
            "if": {"properties": {"rule": {"const": kind}}},
            "then": {
                "required": [key for key, is_required in keys_of(kind).items() if is_required],
                "properties": dict.fromkeys(sorted(every - set(keys_of(kind))), False),
            },
        }
        for kind in KINDS
    ]


class DomainModel(_Model):
    """Where the knowledge of a column's domain came from."""

    origin: OriginName = Origin.DRAFT
    """`draft`: read off private data; `public`: somebody states so; `charged`: bought by a private query."""
    by: str | None = None
    """Who states that the domain is public."""
    source: str | None = None
    """What the statement rests on: a codebook, a form, a law."""
    on: IsoDate | None = None
    """When it was stated, as an ISO date."""


class GeneratorModel(_Model):
    """How the cells of a text or an identifier are made anew."""

    make: WayName
    """What to make: a name, an e-mail address, a number, a text."""
    locale: str | None = None
    """The country and language of names, addresses and telephones, as Faker calls it; by default en_US."""
    pattern: str | None = None
    """Patterns: a regular expression of bounded length."""
    text: str | None = None
    """Templates: a text with columns in braces. Masks: what stands in every cell, by default ***."""
    country: CountryName | None = None
    """IBANs: a country; by default XX, which no country has."""
    person: str | None = None
    """The column whose cell names the person; left out, each row is a person of its own."""
    who: str | None = None
    """Tells several persons of one row apart, by any name."""
    sex: str | None = None
    """The column that says which first names fit."""
    female: list[PlainValue] = Field(default_factory=list)
    """Its values that mean a woman."""
    male: list[PlainValue] = Field(default_factory=list)
    """Its values that mean a man."""


class ColumnModel(_Model):
    """One column of a table."""

    kind: KindName
    """How the column is to be understood, whatever its storage."""
    dtype: DtypeName | None = None
    """How it is stored. Left out: int64, float64, string, bool, date, datetime[us] or duration[us] by kind."""
    role: RoleName | None = None
    """What the column means to a person's privacy."""
    nullable: bool = False
    """Whether cells may be missing."""
    bounds: Annotated[list[PlainValue], Field(min_length=2, max_length=2)] | None = None
    """`[lower, upper]`, both inclusive; dates and durations as ISO 8601 text."""
    categories: list[PlainValue] | None = None
    """Every level of a categorical, ordinal or boolean column; the order of an ordinal column's levels."""
    special_values: list[PlainValue] = Field(default_factory=list)
    """Levels beside the numbers or times (-1, N, > 89), in the column's stored type."""
    decimals: int | None = None
    """Numbers: how many digits follow the decimal point."""
    resolution: ResolutionName | None = None
    """Datetimes and durations: the unit they are whole multiples of."""
    timezone: str | None = None
    """Datetimes: the name of their time zone, such as Europe/Vienna."""
    format: str | None = None
    """Dates held as text: a strftime pattern. Times of day: %H:%M or %H:%M:%S. Identifiers: a mask (# a digit,
    ? a letter). Text: what it holds. Numbers: the fewest decimals in a CSV (0, 0.0, 0.00)."""
    unique: bool = False
    """Identifiers: no value repeats."""
    generator: GeneratorModel | None = None
    """Identifiers and texts: how their cells are made anew."""
    review: str | None = None
    """What a draft noticed; taken out by whoever has looked at it."""
    learnt_because: str | None = None
    """Why a column that looks like personal data is learnt all the same, and who says so."""
    pseudonymised: str | None = None
    """The keyed hash that the cells of real rows went through."""
    description: str | None = None
    """What the column means, for people."""
    measured_in: Annotated[str, Field(max_length=100, pattern=r"\S")] | None = None
    """Numbers: their unit of measurement, such as EUR or mm Hg, for people."""
    domain: DomainModel = Field(default_factory=DomainModel)
    """Where the knowledge of bounds, categories, special values and nulls came from."""


class UnitModel(_Model):
    """Whose presence is protected: a row, or the person that a column names."""

    column: str | None = None
    """The column that names the person; left out, each row is protected by itself."""
    max_rows: int | None = None
    """How many rows of one person are read at most."""
    order_by: str | None = None
    """The column by which rows of a person follow one another: they are then learnt and drawn as a history."""


class CsvModel(_Model):
    """How the table is written as text."""

    delimiter: str = ","
    """The character between fields."""
    quote: str = '"'
    """The character around fields that hold a delimiter."""
    encoding: str = "utf-8"
    """The text encoding."""
    null_marks: list[str] = Field(default_factory=lambda: [""])
    """Fields that mean a missing cell; the first is written."""
    decimal: DecimalMark = "."
    """The mark before the decimals of a number: a point or a comma."""


class RuleModel(_Model):
    """A rule that holds on every row; which keys it has depends on its kind."""

    model_config = ConfigDict(json_schema_extra=_say_keys)

    rule: RuleName
    """The kind of rule."""
    name: str | None = None
    """What reports call it."""
    note: str | None = None
    """For people: why it holds, or how far it does in the data that a draft was mined from."""
    draft: bool = False
    """Mined from private data, and not yet stated to be public."""
    column: str | None = None
    """The one column that the rule is about: of a range, the computed one, the total, the one that never falls."""
    columns: list[str] | None = None
    """The columns that the rule is about, in its order."""
    determines: list[str] | None = None
    """Dependencies: the columns that follow from `columns`."""
    lower: PlainValue | None = None
    """Ranges: the least value."""
    upper: PlainValue | None = None
    """Ranges: the greatest value."""
    strict: bool | None = None
    """Ranges, inequalities and monotone columns: without equality."""
    rows: list[list[PlainValue | None]] | None = None
    """Combinations, hierarchies and dependencies: all that may occur, a list of cells each."""
    file: str | None = None
    """A CSV with a header, beside the schema, in which the `rows` stand."""
    sql: str | None = None
    """Formulas and expressions: an expression of polars' SQL."""
    tolerance: float | None = None
    """Formulas and sums: how far off the column may be."""
    decimals: int | None = None
    """Formulas: the result is rounded to as many digits."""
    parts: list[str] | None = None
    """Sums: the columns that are added."""
    count: int | None = None
    """Exactly: how many of the columns are true."""
    condition: Annotated[str | None, Field(alias="if")] = None
    """Conditionals: where this is true …"""
    then: str | None = None
    """… this holds …"""
    otherwise: Annotated[str | None, Field(alias="else")] = None
    """… and elsewhere this."""
    within: list[str] | None = None
    """Monotone: the columns that name the group."""
    along: str | None = None
    """Monotone: the column that says in which order; left out, the order of the rows."""
    decreasing: bool | None = None
    """Monotone: never rises, instead of never falls."""


class TableModel(_Model):
    """One table."""

    description: str | None = None
    """What a row is, for people."""
    primary_key: list[str] = Field(default_factory=list)
    """Columns that together name a row."""
    unit: UnitModel = Field(default_factory=UnitModel)
    """Whose presence is protected."""
    csv: CsvModel = Field(default_factory=CsvModel)
    """How the table is written as CSV."""
    columns: dict[str, ColumnModel]
    """The columns by name, in the order in which they are written out."""
    constraints: list[RuleModel] = Field(default_factory=list)
    """Rules that hold on every row."""


class ForeignKeyModel(_Model):
    """Columns of one table that refer to columns of another, position by position."""

    child: str
    """The table that refers."""
    child_columns: list[str]
    """Its columns."""
    parent: str
    """The table referred to."""
    parent_columns: list[str]
    """Its columns."""


class SchemaModel(_Model):
    """Tables, their columns and what each column may hold."""

    version: Literal[1]
    """The version of this file format."""
    tables: Annotated[dict[str, TableModel], Field(min_length=1)]
    """The tables by name."""
    foreign_keys: list[ForeignKeyModel] = Field(default_factory=list)
    """References between tables."""
