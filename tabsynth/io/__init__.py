"""Tables in and out: CSV, Parquet and Arrow files, polars, pandas and pyarrow frames.

The only place where data is refused. What comes in is a polars frame of the schema's stored types with
null as the only mark of absence, and a `Layout` by which the same kind of table is given back.
"""

from tabsynth.io.arrow import read_arrow
from tabsynth.io.atomic import atomic_folder, atomic_path, require_place
from tabsynth.io.columns import ColumnLayout
from tabsynth.io.csv import read_csv
from tabsynth.io.dialect import sniff_dialect
from tabsynth.io.files import SUFFIXES, FileFormat, file_format
from tabsynth.io.json_file import read_json_object
from tabsynth.io.layout import Layout, schema_layout, to_layout
from tabsynth.io.levels import declared_levels
from tabsynth.io.names import column_names
from tabsynth.io.parquet import read_parquet
from tabsynth.io.provenance import Provenance, read_provenance
from tabsynth.io.read import read_frame, read_table
from tabsynth.io.write import write_batches, write_frame

__all__ = [
    "SUFFIXES",
    "ColumnLayout",
    "FileFormat",
    "Layout",
    "Provenance",
    "atomic_folder",
    "atomic_path",
    "column_names",
    "declared_levels",
    "file_format",
    "read_arrow",
    "read_csv",
    "read_frame",
    "read_json_object",
    "read_parquet",
    "read_provenance",
    "read_table",
    "require_place",
    "schema_layout",
    "sniff_dialect",
    "to_layout",
    "write_batches",
    "write_frame",
]
