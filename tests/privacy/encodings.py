"""Everything that bytes may stand for: what is packed in them, coded, escaped or binary; and secrets looked for in all of it.

`views` undoes what hides text or numbers, again and again: zips and their members, gzip, zlib, zstd (so the pages of a
Parquet file), base64 of either alphabet at any offset, hexadecimal, percent signs, entities of HTML, escapes of JSON.
`leaks` looks in each view for texts in any case, forwards and backwards, in UTF-8, 16 and 32, for numbers in any
notation, rounded to five digits too, and for numbers and moments in binary.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import gzip
import html
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote_to_bytes

import pyarrow as pa

_MOST_CODES, _MOST = 2, 64 << 20
_ZIP, _PACKED = b"PK\x03\x04", (b"PK\x03\x04", b"\x1f\x8b", b"\x78", b"\x28\xb5\x2f\xfd")
_FAULTS = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, NotImplementedError)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{8,}")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}[ :]?){4,}")
_ESCAPE = re.compile(rb"\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}")
_NUMBER = re.compile(
    r"(?<![\w.,])[-+]?\d{1,3}(?:[,_'\u202f\u00a0 ]\d{3})+(?:\.\d+)?(?!\w)|(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)",
    re.IGNORECASE,
)
_EPOCH = dt.date(1970, 1, 1)
_ROUNDED = 1e-5
Secret = str | int | float | dt.date


@dataclass(frozen=True)
class View:
    """Bytes that some bytes stand for, and how. Where they are packed, numbers of few bytes are there by chance."""

    how: str
    content: bytes
    is_packed: bool = False

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """As text in any encoding, folded, each also without what sets digits apart."""
        found = [self.content.decode("utf-8", errors="replace")]
        if b"\0" in self.content:
            found += [
                self.content[offset:].decode(code, errors="replace")
                for code in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
                for offset in range(int(code[4:6]) // 8)
            ]
        return tuple(text.casefold() for text in found)

    @cached_property
    def numbers(self) -> tuple[float, ...]:
        """Every number that stands in its text."""
        return tuple(
            float(re.sub(r"[,_'\u202f\u00a0 ]", "", each)) for each in _NUMBER.findall(self.texts[0])
        )


def views(content: bytes, how: str = "", n_codes: int = 0) -> Iterator[View]:
    """The bytes themselves, and whatever they hold in another form: packed to any depth, coded up to twice over."""
    packed = list(_packed(content))
    yield View(how, content, is_packed=bool(packed))
    for step, inner in packed:
        yield from views(inner, f"{how} > {step}", n_codes)
    if content.startswith(_ZIP) or n_codes == _MOST_CODES:
        return
    for step, inner in _coded(content):
        if inner and inner != content:
            yield from views(inner, f"{how} > {step}", n_codes + 1)


def _packed(content: bytes) -> Iterator[tuple[str, bytes]]:
    with suppress(*_FAULTS):
        if content.startswith(_ZIP):
            with zipfile.ZipFile(io.BytesIO(content)) as file:
                yield from [(name, file.read(name)) for name in file.namelist()]
            return
        if content.startswith(b"\x1f\x8b"):
            yield "gzip", gzip.decompress(content)
        if content.startswith(b"\x78"):
            yield "zlib", zlib.decompress(content)
    frames = [_zstd(content[found.start() :]) for found in re.finditer(rb"\x28\xb5\x2f\xfd", content)]
    if any(frames):
        yield "zstd", b"".join(frames)


def _zstd(content: bytes) -> bytes:
    """What is packed in the frame that begins here, nothing where none does (RFC 8878)."""
    with (
        suppress(*_FAULTS),
        pa.CompressedInputStream(pa.BufferReader(content[: _frame(content)]), "zstd") as stream,
    ):
        return bytes(stream.read(_MOST))
    return b""


def _frame(content: bytes) -> int:
    """The length of a frame of zstd: its head, its blocks, its checksum."""
    head = content[4] if len(content) > 4 else 0
    is_single = bool(head & 0x20)
    at = 5 + (not is_single) + (0, 1, 2, 4)[head & 3] + (int(is_single), 2, 4, 8)[head >> 6]
    is_last = False
    while not is_last and at + 3 <= len(content):
        block = int.from_bytes(content[at : at + 3], "little")
        is_last, is_run = bool(block & 1), block >> 1 & 3 == 1
        at += 3 + (1 if is_run else block >> 3)
    return at + (4 if head & 4 else 0)


def _coded(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Codes of text that make text or bytes: all of a kind that stand in the bytes, one after another."""
    runs = _BASE64.findall(content)
    yield from (("base64", inner) for run in runs if (inner := _unbase64(run)).startswith(_PACKED))
    for offset in range(4):
        yield f"base64 from {offset}", b"\n".join(_unbase64(run[offset:]) for run in runs)
    runs = [re.sub(rb"[ :]", b"", run) for run in _HEX.findall(content)]
    yield "hexadecimal", b"\n".join(map(binascii.unhexlify, runs))
    if b"%" in content:
        yield "percent signs", unquote_to_bytes(content)
    if b"&" in content:
        yield "entities", html.unescape(content.decode("utf-8", errors="replace")).encode()
    if _ESCAPE.search(content):
        yield (
            "escapes",
            _ESCAPE.sub(
                lambda found: chr(int.from_bytes(binascii.unhexlify(found[0][2:]), "big")).encode(
                    "utf-8", "replace"
                ),
                content,
            ),
        )


def _unbase64(run: bytes) -> bytes:
    """What letters of base64 stand for, without the padding that ended them."""
    plain = run.translate(bytes.maketrans(b"-_", b"+/"))
    plain = plain[:-1] if len(plain) % 4 == 1 else plain
    return base64.b64decode(plain + b"=" * (-len(plain) % 4))


def leaks(content: bytes, secrets: tuple[Secret, ...]) -> list[str]:
    """Each place in which a secret stands: how one gets there, and as what it stands there."""
    found = []
    for view in views(content):
        for secret in secrets:
            found += [f"{view.how}: {secret!r}, {form}" for form in _forms_in(view, secret)]
    return found


def _forms_in(view: View, secret: Secret) -> Iterator[str]:
    for text in _texts_of(secret):
        if any(form in told for told in view.texts for form in (text, text[::-1])):
            yield f"as {text!r}"
    for number in _numbers_of(secret):
        if any(abs(told - number) <= _ROUNDED * abs(number) for told in view.numbers):
            yield "as a number"
    for form in _binary_of(secret):
        if (len(form) > 4 or not view.is_packed) and form in view.content:
            yield f"in binary, {form.hex()}"


def _texts_of(secret: Secret) -> set[str]:
    if isinstance(secret, dt.date):
        forms = (
            "%Y-%m-%d",
            "%Y%m%d",
            "%Y/%m/%d",
            "%d.%m.%Y",
            "%d/%m/%Y",
            "%m/%d/%Y",
            "%d %b %Y",
            "%b %d, %Y",
            "%B %d, %Y",
        )
        return {secret.strftime(form).casefold() for form in forms}
    if isinstance(secret, int):
        return {str(secret), f"{secret:x}", f"{secret:,}"}
    return {str(secret).casefold()}


def _numbers_of(secret: Secret) -> tuple[float, ...]:
    """What a number, or a day as one, may be written as, an amount in cents too; a day in whole days is too small to be told by its digits alone."""
    if isinstance(secret, dt.date):
        seconds = (secret - _EPOCH).days * 86_400.0
        return tuple(seconds * per for per in (1, 1e3, 1e6, 1e9))
    if isinstance(secret, str):
        return ()
    return (float(secret),) if isinstance(secret, int) else (secret, 100 * secret)


def _binary_of(secret: Secret) -> list[bytes]:
    """As Parquet, Arrow and databases hold it: 4 and 8 bytes, either order, amounts in cents too; days, and times in seconds to nanoseconds."""
    if isinstance(secret, str):
        return []
    if isinstance(secret, dt.date):
        days = (secret - _EPOCH).days
        moments = [days * 86_400 * per for per in (1, 10**3, 10**6, 10**9)]
        return [*_as_binary(days, "id"), *(form for moment in moments for form in _as_binary(moment, "qd"))]
    if isinstance(secret, int):
        return list(_as_binary(secret, "qidf"))
    return [*_as_binary(secret, "df"), *_as_binary(round(100 * secret), "q")]


def _as_binary(value: float, kinds: str) -> Iterator[bytes]:
    for order in "<>":
        for kind in kinds:
            yield struct.pack(f"{order}{kind}", value if kind in "df" else int(value))


def escaped(text: str) -> str:
    """Text as JSON that is all ASCII may write it, letter by letter."""
    return "".join(f"\\u{ord(letter):04x}" for letter in text)
