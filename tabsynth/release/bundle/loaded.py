"""A bundle in Python: verified, and its tables as frames."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabsynth.errors import UsageError
from tabsynth.release.bundle import keys
from tabsynth.release.bundle.manifest import Manifest
from tabsynth.release.bundle.terms import Terms, terms_from_dict
from tabsynth.release.bundle.verify import checked, document, opened, require_unexpired, seal_of
from tabsynth.schema.hints import did_you_mean
from tabsynth.schema.types import Schema
from tabsynth.table import Table

_KINDS = ("polars", "pandas")


@dataclass(frozen=True, eq=False, kw_only=True)
class Bundle(Mapping[str, Any]):
    """A verified bundle; `bundle["patients"]` is a polars frame, `bundle.frame("patients", kind="pandas")` a pandas one.

    `signer` is the fingerprint of the key that signed it, `is_known` whether that is the key it was opened with.
    `privacy` and `verdict` are what the bundle states, as plain data.
    """

    manifest: Manifest
    schema: Schema
    terms: Terms
    privacy: Mapping[str, Any]
    verdict: Mapping[str, Any]
    signer: str
    is_known: bool
    tables: Mapping[str, Table]

    def __getitem__(self, name: str) -> Any:
        if name not in self.tables:
            raise KeyError(name)
        return self.tables[name].frame

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def frame(self, name: str | None = None, *, kind: str = "polars") -> Any:
        """The rows of a table, of the only one where None, as a polars or pandas frame.

        Raises `UsageError` for a table that is not there, none where there are several, or another kind.
        """
        if name is None and len(self.tables) == 1:
            name = next(iter(self.tables))
        if name is None or name not in self.tables:
            hint = did_you_mean(name or "", list(self.tables))
            raise UsageError(f"the bundle has {len(self.tables)} tables: name one of them ({hint})")
        if kind not in _KINDS:
            raise UsageError(f"frames are of polars or pandas, not of {kind!r:.40}")
        frame = self.tables[name].frame
        return frame if kind == "polars" else frame.to_pandas()


def open_bundle(path: str | Path, *, key: str | Path | None = None, on: dt.date | None = None) -> Bundle:
    """The bundle at `path`, once everything about it holds: bytes, signature, schema, rules, expiry.

    `key` is the file of the public key of whom it must come from; without one, anybody may have signed it, and
    `is_known` is False. `on` is the day that counts, today where None. Raises `BundleError` for anything amiss,
    `PolicyError` where it has expired, `UsageError` for a file that is no key.
    """
    known = None if key is None else keys.read_public_key(Path(key))
    with opened(path) as file:
        sealed = seal_of(file, key=known)
        require_unexpired(sealed.manifest, on=on)
        verified = checked(file, sealed)
        terms = {
            name: value for name, value in document(file, sealed, "terms.json").items() if name != "format"
        }
        return Bundle(
            manifest=sealed.manifest,
            schema=verified.schema,
            terms=terms_from_dict(terms),
            privacy=document(file, sealed, "privacy.json"),
            verdict=document(file, sealed, "verdict.json"),
            signer=sealed.signer,
            is_known=sealed.is_known,
            tables=verified.tables,
        )
