"""MLCommons Croissant metadata of a bundle (specification 1.0, JSON-LD), as the `mlcroissant` library reads it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tabsynth.release.bundle.archive import Member
from tabsynth.release.bundle.datapackage import field_type
from tabsynth.release.bundle.manifest import BundledTable
from tabsynth.release.bundle.terms import Terms
from tabsynth.schema.types import Column, TableSchema

_TYPES = {
    "integer": "sc:Integer",
    "number": "sc:Float",
    "boolean": "sc:Boolean",
    "date": "sc:Date",
    "datetime": "sc:DateTime",
}
_TERMS = (
    ("citeAs", "cr:citeAs"),
    ("column", "cr:column"),
    ("conformsTo", "dct:conformsTo"),
    ("equivalentProperty", "cr:equivalentProperty"),
    ("extract", "cr:extract"),
    ("field", "cr:field"),
    ("fileObject", "cr:fileObject"),
    ("fileProperty", "cr:fileProperty"),
    ("fileSet", "cr:fileSet"),
    ("format", "cr:format"),
    ("includes", "cr:includes"),
    ("isLiveDataset", "cr:isLiveDataset"),
    ("jsonPath", "cr:jsonPath"),
    ("key", "cr:key"),
    ("md5", "cr:md5"),
    ("parentField", "cr:parentField"),
    ("path", "cr:path"),
    ("recordSet", "cr:recordSet"),
    ("references", "cr:references"),
    ("regex", "cr:regex"),
    ("repeated", "cr:repeated"),
    ("replace", "cr:replace"),
    ("samplingRate", "cr:samplingRate"),
    ("separator", "cr:separator"),
    ("source", "cr:source"),
    ("subField", "cr:subField"),
    ("transform", "cr:transform"),
)
CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **dict(_TERMS),
}


def croissant(
    name: str,
    title: str,
    tables: Sequence[tuple[BundledTable, TableSchema]],
    members: Mapping[str, Member],
    *,
    terms: Terms,
    released: dt.date,
) -> dict[str, Any]:
    """The JSON-LD document: each CSV and Parquet file with its hash, and the fields of each table."""
    files = []
    for table, _ in tables:
        for path, form in ((table.csv, "text/csv"), (table.parquet, "application/x-parquet")):
            files.append(
                {
                    "@type": "cr:FileObject",
                    "@id": path,
                    "name": path.rpartition("/")[2],
                    "contentUrl": path,
                    "contentSize": f"{members[path].n_bytes} B",
                    "encodingFormat": form,
                    "sha256": members[path].sha256,
                }
            )
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "alternateName": title,
        "description": terms.description or f"Synthetic rows: {title}. {terms.purpose}",
        "license": terms.licence,
        "citeAs": f"{title}: synthetic rows, released {released.isoformat()} by {terms.contact}",
        "datePublished": released.isoformat(),
        "version": "1.0.0",
        "creator": {"@type": "sc:Organization", "name": terms.contact},
        "keywords": ["synthetic data", *terms.tags],
        "distribution": files,
        "recordSet": [_record_set(table, schema) for table, schema in tables],
    }


def _record_set(table: BundledTable, schema: TableSchema) -> dict[str, Any]:
    ids = _ids(table, schema)
    key = [{"@id": ids[name]} for name in schema.primary_key]
    return {
        "@type": "cr:RecordSet",
        "@id": table.stem,
        "name": table.stem,
        "description": schema.description or f"{table.n_rows} synthetic rows of {schema.name}",
        **({"key": key[0] if len(key) == 1 else key} if key else {}),
        "field": [_field(table, column, ids[column.name]) for column in schema.columns],
    }


def _ids(table: BundledTable, schema: TableSchema) -> dict[str, str]:
    """An id for each column, without the spaces and letters that readers refuse; all different."""
    ids: dict[str, str] = {}
    for i, name in enumerate(schema.column_names):
        made = f"{table.stem}/{re.sub(r'[^A-Za-z0-9_-]+', '_', name) or 'column'}"
        ids[name] = f"{made}_{i}" if made in ids.values() else made
    return ids


def _field(table: BundledTable, column: Column, identity: str) -> dict[str, Any]:
    measure = f", in {column.measured_in}" if column.measured_in else ""
    return {
        "@type": "cr:Field",
        "@id": identity,
        "name": column.name,
        "description": (column.description or f"{column.name}, {column.kind.value}") + measure,
        "dataType": _TYPES.get(field_type(column), "sc:Text"),
        "source": {"fileObject": {"@id": table.csv}, "extract": {"column": column.name}},
    }
