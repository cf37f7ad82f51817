"""Schema and cells to the arrays that models and metrics read, and back."""

from tabsynth.encode.settle import settle
from tabsynth.encode.surrogate import Surrogate
from tabsynth.encode.table import EncodedColumn, EncodedTable, decode_table, encode_table
from tabsynth.encode.variable import Variable

__all__ = [
    "EncodedColumn",
    "EncodedTable",
    "Surrogate",
    "Variable",
    "decode_table",
    "encode_table",
    "settle",
]
