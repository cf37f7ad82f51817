"""The YAML that schema files are written in: plain data out, plain data and line numbers in.

Read as YAML 1.2 (its core schema): `yes`, `no` and `2020-01-01` are text, keys are always text. Written
so that YAML 1.1 readers agree: whatever either version would take for something else is quoted. Aliases,
tags and deep nesting are refused, since a schema needs none of them and a file can be made to explode
with them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import yaml

Plain = None | bool | int | float | str | Sequence["Plain"] | Mapping[str, "Plain"]
Path = tuple[str | int, ...]

_WIDTH = 100
_DEEPEST = 12
_TOO_DEEP = "exceeded maximum nesting depth"  # what newer releases of libyaml say at a thousand levels
_LONGEST_NUMBER = 4000  # Python itself refuses to read longer ones
_LONGEST_SIMPLE_KEY = 1000  # YAML allows 1024 characters before the colon

_SAFE_PLAIN = re.compile(r"[^\W\d_](?:[\w./ -]*[\w.])?")
_RESERVED = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True, slots=True)
class Document:
    """What a text holds: plain data, the line (from 1) of each path, and what YAML itself refuses."""

    data: Plain
    lines: Mapping[Path, int] = field(default_factory=dict)
    faults: tuple[tuple[Path, str, str], ...] = ()


def dump(data: Mapping[str, Plain], *, flow_keys: frozenset[str] = frozenset()) -> str:
    """`data` as YAML in the order given; lists that fit on a line and `flow_keys` are written inline."""
    return "".join(f"{line}\n" for line in _mapping_lines(data, 0, flow_keys)) or "{}\n"


def _mapping_lines(mapping: Mapping[str, Plain], depth: int, flow_keys: frozenset[str]) -> Iterator[str]:
    indent = "  " * depth
    for key, value in mapping.items():
        text = _scalar(key)
        head = f"{indent}{text}:" if len(text) <= _LONGEST_SIMPLE_KEY else f"{indent}? {text}\n{indent}:"
        inline = _inline(value, is_flow=key in flow_keys)
        if inline is not None and (not isinstance(value, (list, tuple)) or len(head) + len(inline) < _WIDTH):
            yield f"{head} {inline}"
        elif isinstance(value, Mapping):
            yield head
            yield from _mapping_lines(value, depth + 1, flow_keys)
        else:
            assert isinstance(value, (list, tuple))
            yield head
            for item in value:
                yield from _item_lines(item, depth + 1, flow_keys)


def _item_lines(item: Plain, depth: int, flow_keys: frozenset[str]) -> Iterator[str]:
    """One entry of a block list; a mapping starts on the line of its dash."""
    indent = "  " * depth
    if isinstance(item, Mapping) and item:
        first, *rest = _mapping_lines(item, depth + 1, flow_keys)
        yield f"{indent}- {first.lstrip(' ')}"
        yield from rest
    else:
        yield f"{indent}- {_inline(item, is_flow=True)}"


def _inline(value: Plain, *, is_flow: bool) -> str | None:
    """`value` on one line, or None where it must be spread over several."""
    if isinstance(value, Mapping):
        if value and not is_flow:
            return None
        pairs = [(_scalar(key), _inline(inner, is_flow=True)) for key, inner in value.items()]
        return "{" + ", ".join(f"{key}: {inner}" for key, inner in pairs) + "}"
    if isinstance(value, (list, tuple)):
        items = [_inline(item, is_flow=is_flow) for item in value]
        return None if None in items else "[" + ", ".join(map(str, items)) + "]"
    assert value is None or isinstance(value, (bool, int, float, str))
    return _scalar(value)


def _scalar(value: bool | float | str | None) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
        mantissa, mark, exponent = repr(value).partition("e")
        return f"{mantissa}{'.0' if mark and '.' not in mantissa else ''}{mark}{exponent}"
    if _SAFE_PLAIN.fullmatch(value) and value.casefold() not in _RESERVED:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)


def load(text: str) -> Document:
    """Read one YAML document. Raises `yaml.YAMLError` where the text is not YAML at all."""
    reader = _Reader(text)
    try:
        data = reader.document()
    except yaml.scanner.ScannerError as error:
        if error.problem != _TOO_DEEP:
            raise
        raise _too_deep(error.problem_mark.line + 1 if error.problem_mark else 1) from None
    return Document(data, reader.lines, tuple(reader.faults))


def _too_deep(line: int) -> yaml.YAMLError:
    return yaml.YAMLError(f"line {line}: nested more than {_DEEPEST} levels deep")


class _Reader:
    """Builds plain data from parser events, so that nothing is constructed that was not asked for."""

    def __init__(self, text: str) -> None:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._events = yaml.parse(text, Loader=loader)
        self.lines: dict[Path, int] = {}
        self.faults: list[tuple[Path, str, str]] = []

    def document(self) -> Plain:
        data: Plain = None
        n_documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                n_documents += 1
                value = self._value(next(self._events), ())
                data = value if n_documents == 1 else data
        if n_documents > 1:
            self.faults.append(
                ((), f"holds {n_documents} YAML documents, expected one", "remove the --- line")
            )
        return data

    def _value(self, event: yaml.Event, path: Path) -> Plain:
        line = _line(event)
        self.lines.setdefault(path, line)
        if isinstance(event, yaml.AliasEvent):
            self._refuse(path, "aliases (*name) are not allowed", "write the value out")
            return None
        if getattr(event, "tag", None) not in (None, "!"):
            self._refuse(path, "tags (!name) are not allowed", "remove the tag")
        if len(path) > _DEEPEST:
            raise _too_deep(line)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        assert isinstance(event, yaml.ScalarEvent)
        if event.style:  # the C parser gives "" for plain scalars, the Python one None
            return event.value
        if len(event.value) > _LONGEST_NUMBER and _INTEGER.fullmatch(event.value):
            self._refuse(path, f"a number of more than {_LONGEST_NUMBER} digits", "")
            return None
        return _resolve(event.value)

    def _refuse(self, path: Path, what: str, hint: str) -> None:
        self.faults.append((path, what, hint))

    def _sequence(self, path: Path) -> list[Plain]:
        items: list[Plain] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Plain]:
        mapping: dict[str, Plain] = {}
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            line = _line(event)
            if isinstance(event, yaml.ScalarEvent):
                key = event.value
            else:
                self._value(event, (*path, "?"))
                self._refuse(path, f"line {line}: a key must be a single name", "")
                key = f"?{line}"
            if key in mapping:
                self._refuse((*path, key), "stands here twice", "remove or rename one of the two")
            self.lines[(*path, key)] = line
            mapping[key] = self._value(next(self._events), (*path, key))
        return mapping


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _resolve(text: str) -> Plain:
    """A plain scalar by YAML 1.2's core schema."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return bool(_TRUE.fullmatch(text))
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL_FLOAT.fullmatch(text):
        return float(text.replace(".", ""))
    return text
