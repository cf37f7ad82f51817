"""SDMetrics' figures of two tables, column by column and pair by pair. Run by a Python of its own.

    python sdmetrics_figures.py TRAIN.parquet SYNTHETIC.parquet KINDS.json

The Python needs sdmetrics. KINDS maps each column to "number" or "level"; nulls of levels are a level of shapes
and pairs. Prints
one JSON object: {"version": …, "columns": {name: {figure: score}}, "pairs": {"a|b": {figure: score}}}.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import sys
from pathlib import Path

import pandas as pd
from sdmetrics.column_pairs import ContingencySimilarity, CorrelationSimilarity
from sdmetrics.single_column import (
    CategoryCoverage,
    KSComplement,
    MissingValueSimilarity,
    RangeCoverage,
    TVComplement,
)


def main() -> None:
    train, synthetic = (pd.read_parquet(path) for path in sys.argv[1:3])
    kinds = json.loads(Path(sys.argv[3]).read_text())
    raw = train.copy(), synthetic.copy()
    for name, kind in kinds.items():
        if kind == "level":
            for table in (train, synthetic):
                table[name] = table[name].astype(object).where(table[name].notna(), "∅").astype(str)
    columns, pairs = {}, {}
    for name, kind in kinds.items():
        sides = train[name], synthetic[name]
        found = {"null": MissingValueSimilarity.compute(*(table[name] for table in raw))}
        if kind == "number":
            found |= {"shape": KSComplement.compute(*sides), "range": RangeCoverage.compute(*sides)}
        else:
            present = (table[name].dropna().astype(str) for table in raw)
            found |= {"shape": TVComplement.compute(*sides), "levels": CategoryCoverage.compute(*present)}
        columns[name] = {key: float(value) for key, value in found.items()}
    for pair in itertools.combinations(kinds, 2):
        tables = [table[list(pair)] for table in (train, synthetic)]
        of = {kinds[name] for name in pair}
        if of == {"number"}:
            found = {
                "pearson": CorrelationSimilarity.compute(*tables, coefficient="Pearson"),
                "spearman": CorrelationSimilarity.compute(*tables, coefficient="Spearman"),
            }
        elif of == {"level"}:
            found = {"joint": ContingencySimilarity.compute(*tables)}
        else:
            continue
        pairs["|".join(pair)] = {key: float(value) for key, value in found.items()}
    version = importlib.metadata.version("sdmetrics")
    print(json.dumps({"version": version, "columns": columns, "pairs": pairs}))


if __name__ == "__main__":
    main()
