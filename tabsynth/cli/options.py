"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataArgument = Annotated[
    Path, typer.Argument(metavar="DATA", help="A table: .csv, .tsv, .parquet, .arrow or .feather.")
]
SchemaOption = Annotated[Path, typer.Option("--schema", metavar="FILE", help="The table's schema (YAML).")]
TableOption = Annotated[
    str | None, typer.Option("--table", metavar="NAME", help="Which table of a schema that holds several.")
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", metavar="S", help="Whole number; the same seed gives the same result.")
]

DelimiterOption = Annotated[
    str | None,
    typer.Option(
        "--delimiter", metavar="CHAR", help=r"CSV: between fields (\t for a tab).", rich_help_panel="CSV"
    ),
]
DecimalOption = Annotated[
    str | None,
    typer.Option(
        "--decimal",
        metavar="CHAR",
        help="CSV: before the decimals, a point or a comma.",
        rich_help_panel="CSV",
    ),
]
EncodingOption = Annotated[
    str | None,
    typer.Option("--encoding", metavar="NAME", help="CSV: utf-8, cp1252, …", rich_help_panel="CSV"),
]
NullMarkOption = Annotated[
    list[str] | None,
    typer.Option(
        "--null-mark", metavar="TEXT", help="CSV: a field that means null; repeatable.", rich_help_panel="CSV"
    ),
]

OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout, nothing else.", rich_help_panel="Output")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Say nothing but errors.", rich_help_panel="Output")
]
DebugOption = Annotated[
    bool,
    typer.Option(
        "--debug", envvar="TABSYNTH_DEBUG", help="Show where an error was raised.", rich_help_panel="Output"
    ),
]
SchemaOutOption = Annotated[Path, typer.Option("--out", metavar="FILE", help="The schema file (YAML).")]

SyntheticOption = Annotated[Path, typer.Option("--synthetic", metavar="FILE", help="The synthetic table.")]
TrainOption = Annotated[Path, typer.Option("--train", metavar="FILE", help="The real rows it was made from.")]
HoldoutOption = Annotated[
    Path, typer.Option("--holdout", metavar="FILE", help="Real rows that were held out.")
]
QuasiIdentifierOption = Annotated[
    list[str] | None,
    typer.Option(
        "--quasi-identifier",
        metavar="COL",
        help="Column that others may know of a person; repeatable. Default: the roles in the schema.",
    ),
]
SensitiveOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sensitive",
        metavar="COL",
        help="Column that nobody should learn of a person; repeatable. Default: the roles in the schema.",
    ),
]

EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="See tabsynth engines; bayesian_network unless said, auto to have one chosen.",
    ),
]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting of the engine; repeatable."),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda",
        help="Where an engine of the extra gan is trained; auto unless said: a GPU where there is one.",
    ),
]
EpsilonOption = Annotated[
    float | None,
    typer.Option(
        "--epsilon", metavar="E", help="Privacy budget ε; 1 unless said.", rich_help_panel="Privacy"
    ),
]
DeltaOption = Annotated[
    float | None,
    typer.Option("--delta", metavar="D", help="Its δ; 1e-6 unless said.", rich_help_panel="Privacy"),
]
NoPrivacyOption = Annotated[
    bool,
    typer.Option(
        "--no-privacy",
        help="No differential privacy: the rows are not anonymous by construction.",
        rich_help_panel="Privacy",
    ),
]
LedgerOption = Annotated[
    Path | None,
    typer.Option(
        "--ledger",
        metavar="FILE",
        help="A ledger file to continue; its cap holds.",
        rich_help_panel="Privacy",
    ),
]

RealShareOption = Annotated[
    float | None,
    typer.Option(
        "--real-share",
        metavar="SHARE",
        help="Of a table that is marked synthetic: the share of fresh real rows in it; 0 for none.",
    ),
]

PublicOption = Annotated[
    Path | None,
    typer.Option(
        "--public",
        metavar="FILE",
        help="Public rows of the same columns, as a prior; nothing is promised to anybody in them.",
        rich_help_panel="Privacy",
    ),
]

ModelRecipeOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="A model folder: its recipe and privacy, not its parameters.",
        rich_help_panel="Instead of --engine",
    ),
]
CommandOption = Annotated[
    str | None,
    typer.Option(
        "--command",
        metavar="LINE",
        help="Your own: 'mytool --in {train} --out {synthetic}'; {rows}, {seed}, {epsilon}, {delta} are filled in.",
        rich_help_panel="Instead of --engine",
    ),
]
CommandFormatOption = Annotated[
    str | None,
    typer.Option(
        "--command-format",
        metavar="csv|parquet",
        help="Of its tables; csv unless said.",
        rich_help_panel="Instead of --engine",
    ),
]
CommandTimeoutOption = Annotated[
    float | None,
    typer.Option(
        "--command-timeout",
        metavar="SECONDS",
        help="The longest it may take; 600 unless said.",
        rich_help_panel="Instead of --engine",
    ),
]
FunctionOption = Annotated[
    str | None,
    typer.Option(
        "--function",
        metavar="NAME",
        help="module:function or file.py:function, called with a frame, a number of rows and a seed.",
        rich_help_panel="Instead of --engine",
    ),
]
JsonFileOption = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Every figure, as JSON; - for one object on stdout, nothing else.",
        rich_help_panel="Output",
    ),
]

WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar='"COL=VALUE"',
        help="Keep to rows in which a column is so: = != < <= > >= in, not in; COL= for null; repeatable.",
    ),
]
AudienceOption = Annotated[str, typer.Option("--for", metavar="AUDIENCE", help="Who is to get the rows.")]
PolicyOption = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="Your policy (YAML) for the default one.")
]
ShadowOption = Annotated[
    Path | None, typer.Option("--shadow", metavar="FILE", help="A shadow-model audit (JSON).")
]
NoiseOption = Annotated[
    Path | None, typer.Option("--noise", metavar="FILE", help="An audit of the engine's noise (JSON).")
]
LedgerSinceOption = Annotated[
    Path | None,
    typer.Option("--ledger", metavar="FILE", help="Its ledger: what was charged since then counts too."),
]
