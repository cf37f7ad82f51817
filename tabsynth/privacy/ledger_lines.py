"""The text of a ledger file: one JSON object per line, each with a hash over itself and all before it.

    {"lines":"000000000002","kind":…,"source":…,"cap":…,"series":…,"inode":…,"born":…,"hash":…}
    {"fit":1,"charge":{…},"hash":…}
    {"fit":2,"charge":{…},"hash":…}
    {"fit":2,"training":…,"begun":40,"hash":…}

A training that can be continued has a token of its own. Its lines say how many of its charged steps were begun, each
written before the steps that it covers.

`lines` counts what was acknowledged; its digits alone are not part of the hash, as they are updated in
place. Only the ledger's own text is ever hashed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tabsynth.errors import PrivacyError
from tabsynth.privacy.budget import Budget
from tabsynth.privacy.ledger import COPY, Charge, LedgerCopy, budget_from_data, charge_from_data

PREFIX = b'{"lines":"'
_DIGITS = 12
_KIND = "tabsynth ledger 1"
_HEADER = {"kind", "source", "cap", "series", "inode"}
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Begun:
    """Of a training that can be continued: the number of its fit, and how many steps were begun."""

    fit: int
    steps: int


@dataclass(frozen=True, slots=True)
class Place:
    """What a copy of a file does not share with it: its number on the disk, and when it was made, in nanoseconds.

    `born` is None where the file system does not say, or an earlier release did not ask.
    """

    inode: int
    born: int | None

    def is_of(self, other: Place) -> bool:
        """Whether both may be of one file."""
        return self.inode == other.inode and (None in (self.born, other.born) or self.born == other.born)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRecord:
    """What a ledger file says: its source, cap and charges by number of fit, and the hash of every line.

    `trainings`: those that can be continued, by token.
    """

    source: str
    cap: Budget
    series: str
    charges: tuple[tuple[int, Charge], ...]
    heads: tuple[str, ...]
    trainings: Mapping[str, Begun] = field(default_factory=dict)

    def holds(self, copy: LedgerCopy) -> bool:
        """Whether the state that a model's copy was taken at is this file's present or lies in its past."""
        return copy.series == self.series and copy.head in self.heads


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """A ledger file as found: its record, the lines acknowledged, where whole lines end, the bytes beyond.

    `place`: where the file lay on the disk when it was made, or stated to be moved.
    """

    record: LedgerRecord
    n_counted: int
    end: int
    n_torn: int
    place: Place


def header(*, source: str, cap: Budget, series: str, place: Place) -> bytes:
    """The first line of a ledger of no charges."""
    content = {"kind": _KIND, "source": source, "cap": asdict(cap), "series": series, **asdict(place)}
    return _text({"lines": digits(0), **content, "hash": hash_of("", content)})


def line(content: Mapping[str, object], *, head: str) -> bytes:
    """A further line, with its hash `head`."""
    return _text({**content, "hash": head})


def digits(n_lines: int) -> str:
    """`n_lines` as it stands in the first line."""
    return f"{n_lines:0{_DIGITS}}"


def hash_of(before: str, content: Mapping[str, object]) -> str:
    """The hash of a line of that content after a line whose hash is `before`, in hexadecimal."""
    return hashlib.sha256(before.encode() + b"\n" + _text(content)).hexdigest()


def parse(content: bytes, path: Path) -> LedgerState:
    """A ledger file's content, every line checked for form and hash; raises `PrivacyError` for anything amiss."""
    *lines, torn = content.split(b"\n")
    if not lines or not lines[0].startswith(PREFIX):
        if COPY.encode() in content:
            raise PrivacyError(f"{path} is the copy of a ledger that a model carries; it cannot be continued")
        raise PrivacyError(f"{path} is no ledger")
    reader = _Reader()
    for number, text in enumerate(lines):
        try:
            reader.read(text)
        except (ValueError, RecursionError):
            raise PrivacyError(f"{path}: line {number + 1} of the ledger was altered or damaged") from None
    n_lines = len(lines) - 1
    if n_lines < reader.n_counted:
        raise PrivacyError(
            f"{path}: the ledger was cut short: {reader.n_counted} lines were written after the first, "
            f"{n_lines} are left"
        )
    return LedgerState(
        record=reader.record(),
        n_counted=reader.n_counted,
        end=len(content) - len(torn),
        n_torn=len(torn),
        place=reader.place,
    )


class _Reader:
    """Takes lines one by one; `ValueError` for one that does not follow."""

    def __init__(self) -> None:
        self.n_counted, self.place = 0, Place(0, None)
        self._series = self._source = ""
        self._cap: Budget | None = None
        self._heads: list[str] = []
        self._charges: list[tuple[int, Charge]] = []
        self._trainings: dict[str, Begun] = {}

    def read(self, text: bytes) -> None:
        entry = json.loads(text)
        if not isinstance(entry, dict) or _text(entry) != text + b"\n":
            raise ValueError("not as it was written")
        claimed = entry.pop("hash", None)
        counted = entry.pop("lines", None)
        if claimed != hash_of(self._heads[-1] if self._heads else "", entry):
            raise ValueError("another hash")
        if not self._heads:
            self._read_header(entry, counted)
        elif counted is not None:
            raise ValueError("a second header")
        elif entry.keys() == {"fit", "charge"}:
            self._charges.append((_whole(entry["fit"]), charge_from_data(entry["charge"])))
        elif entry.keys() == {"fit", "training", "begun"}:
            self._read_begun(entry["training"], Begun(_whole(entry["fit"]), _whole(entry["begun"])))
        elif entry.keys() == {"torn"}:
            _whole(entry["torn"])
        elif entry.keys() in ({"inode"}, {"inode", "born"}):
            self.place = _place(entry)
        else:
            raise ValueError("an unknown line")
        self._heads.append(claimed)

    def record(self) -> LedgerRecord:
        assert self._cap is not None
        return LedgerRecord(
            source=self._source,
            cap=self._cap,
            series=self._series,
            charges=tuple(self._charges),
            heads=tuple(self._heads),
            trainings=dict(self._trainings),
        )

    def _read_begun(self, token: object, begun: Begun) -> None:
        if not isinstance(token, str):
            raise ValueError("no token")  # noqa: TRY004
        before = self._trainings.get(token)
        if before is not None and (before.fit != begun.fit or before.steps >= begun.steps):
            raise ValueError("steps that were begun are not taken back")
        self._trainings[token] = begun

    def _read_header(self, entry: dict[str, Any], counted: object) -> None:
        if entry.keys() - {"born"} != _HEADER or entry["kind"] != _KIND:
            raise ValueError("another kind of header")
        if not isinstance(counted, str) or not re.fullmatch(rf"[0-9]{{{_DIGITS}}}", counted):
            raise ValueError("no count")
        if not isinstance(entry["source"], str) or not isinstance(entry["series"], str):
            raise ValueError("no names")  # noqa: TRY004
        self.n_counted, self.place = int(counted), _place(entry)
        self._source, self._series = entry["source"], entry["series"]
        self._cap = budget_from_data(entry["cap"])


def _place(entry: Mapping[str, object]) -> Place:
    born = entry.get("born")
    return Place(_whole(entry["inode"]), None if born is None else _whole(born))


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a whole number")
    return value


def _text(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode() + b"\n"
