"""The run file and the recipes it stands for, and what carries a whole run out."""

from tabsynth.config.document import run_config_json_schema
from tabsynth.config.files import read_run, run_from_dict, run_to_dict, run_to_yaml
from tabsynth.config.types import FORMATS, CsvOptions, RunConfig, TableRun, csv_options, privacy_of

__all__ = [
    "FORMATS",
    "CsvOptions",
    "RunConfig",
    "TableRun",
    "csv_options",
    "privacy_of",
    "read_run",
    "run_config_json_schema",
    "run_from_dict",
    "run_to_dict",
    "run_to_yaml",
]
