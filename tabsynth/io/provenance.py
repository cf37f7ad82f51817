"""Where the rows of a file came from: a mark that synthetic tables carry, so that nobody fits to them unawares.

Parquet and Arrow files hold it in their schema's metadata. A CSV file has no place for it, so a small file beside it does,
`NAME.provenance.json`, which counts only as long as the CSV is the one that it was written for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from tabsynth.io.atomic import atomic_path
from tabsynth.io.columns import tried
from tabsynth.io.files import FileFormat, file_format

if TYPE_CHECKING:
    import pyarrow as pa

KEY, SPLIT_KEY, PSEUDONYMS_KEY = b"tabsynth.provenance", b"tabsynth.split", b"tabsynth.pseudonyms"
FORMAT, PSEUDONYMS = "tabsynth-provenance/1", "tabsynth-pseudonyms/1"
_MOST_GENERATIONS = 1_000_000
_MOST_BYTES = 10_000
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """A table with synthetic rows: by which engine, how often real rows have passed through an engine, and how many are real.

    `generation` 1 was made from rows that bear no mark, g + 1 from a table of generation g. `real_share` in [0, 1) of the rows
    are real ones; it is None where `given_cells`: rows were completed, imputed or drawn near others, and any cell of theirs may
    be one that was given. `augmented` tables were made more of a slice, and no guarantee covers them. `steered` columns were asked
    to be as they are, by conditions or in shares, so that their differences from the source are meant. `no_privacy` says that
    the engine was fitted without a guarantee.
    """

    key: ClassVar[bytes] = KEY

    engine: str
    generation: int = 1
    real_share: float | None = 0.0
    given_cells: bool = False
    augmented: bool = False
    steered: tuple[str, ...] = ()
    no_privacy: bool = False

    def to_text(self) -> str:
        """JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitMark:
    """A file of real rows that a split wrote, so that it can be told from a table that somebody brought. `provenance`: the mark of the table that was split, if it bore one."""

    key: ClassVar[bytes] = SPLIT_KEY

    provenance: Provenance | None = None

    def to_text(self) -> str:
        """JSON."""
        return json.dumps({"format": "tabsynth-split/1"})


@dataclass(frozen=True, slots=True)
class PseudonymMark:
    """A file of real rows that `pseudonymise` wrote."""

    key: ClassVar[bytes] = PSEUDONYMS_KEY

    def to_text(self) -> str:
        """JSON."""
        return json.dumps({"format": PSEUDONYMS})


Mark: TypeAlias = Provenance | SplitMark | PseudonymMark


def sidecar_of(path: str | Path) -> Path:
    """The file beside a CSV file that says where its rows came from."""
    return Path(f"{path}.provenance.json")


def provenance_from_text(text: str | bytes) -> Provenance | None:
    """What `to_text` wrote; None for anything else."""
    found = _object(text)
    engine, generation, share = (found.get(name) for name in ("engine", "generation", "real_share"))
    given = found.get("given_cells", False)
    steered = found.get("steered", [])
    if found.get("format") != FORMAT or not isinstance(engine, str):
        return None
    if len(engine) > _LONGEST_NAME or not engine.isprintable():
        engine = "another engine"
    if not isinstance(steered, list) or not all(isinstance(name, str) for name in steered):
        return None
    if type(generation) is not int or not 1 <= generation <= _MOST_GENERATIONS:
        return None
    flags = {name: found.get(name, False) for name in ("augmented", "no_privacy")}
    if not all(isinstance(flag, bool) for flag in flags.values()):
        return None
    is_mixed = given is True and share is None
    if not is_mixed and (given is not False or type(share) not in (int, float) or not 0 <= share < 1):  # type: ignore[operator]
        return None
    return Provenance(
        engine=engine,
        generation=generation,
        real_share=None if is_mixed else float(share),  # type: ignore[arg-type]
        given_cells=is_mixed,
        augmented=flags["augmented"] is True,
        steered=tuple(steered),
        no_privacy=flags["no_privacy"] is True,
    )


def read_provenance(path: str | Path) -> Provenance | None:
    """The mark of a file; None where it bears none, or none that can be read.

    Raises `UsageError` for an unknown kind of file. Reads no cell.
    """
    path = Path(path)
    if not path.is_file():
        return None
    found = file_format(path)
    if found is FileFormat.CSV:
        return _beside(path)
    metadata = tried(lambda: _metadata(path, found), *_arrow_errors())
    text = (metadata or {}).get(KEY)
    return None if text is None else provenance_from_text(text)


def has_outdated_mark(path: str | Path) -> bool:
    """Whether beside a CSV file lies a mark that was written for other contents of it; reads no cell."""
    path = Path(path)
    if not path.is_file() or file_format(path) is not FileFormat.CSV:
        return False
    beside = sidecar_of(path)
    if not beside.is_file() or beside.stat().st_size > _MOST_BYTES or _entry_of(path) is not None:
        return False
    return _object(beside.read_bytes()).get("format") == FORMAT


@contextmanager
def sidecar_written(path: Path, content: Path, provenance: Mark) -> Iterator[None]:
    """The file beside a CSV file is there before the CSV is: a block that puts `content` in the place of `path`.

    A kill at any moment leaves no synthetic CSV without its mark: an older marked CSV, which is about to be replaced, keeps
    its own beside the new one until it is. Where the block raises, what was there before is there again.
    """
    beside = sidecar_of(path)
    older = beside.read_bytes() if beside.is_file() else None
    before, entry = _entry_of(path), _entry(provenance, content)
    _write(beside, {**entry, "before": before} if before else entry)
    try:
        yield
    except BaseException:
        if older is None:
            beside.unlink(missing_ok=True)
        else:
            with atomic_path(beside, overwrite=True) as temporary:
                temporary.write_bytes(older)
        raise
    if before:
        _write(beside, entry)


def is_half_of_split(path: Path) -> bool:
    """Whether a Parquet file bears the mark that a split wrote; reads no cell."""
    metadata = tried(lambda: _metadata(path, FileFormat.PARQUET), *_arrow_errors())
    return (metadata or {}).get(SPLIT_KEY) == SplitMark().to_text().encode()


def is_pseudonymised(path: Path) -> bool:
    """Whether a file bears the mark of real rows under pseudonyms; reads no cell. Raises `UsageError` for an unknown kind of file."""
    found = file_format(path)
    if found is FileFormat.CSV:
        entry = _entry_of(path)
        return entry is not None and entry.get("format") == PSEUDONYMS
    metadata = tried(lambda: _metadata(path, found), *_arrow_errors())
    return (metadata or {}).get(PSEUDONYMS_KEY) == PseudonymMark().to_text().encode()


def with_mark(fields: pa.Schema, provenance: Mark | None) -> pa.Schema:
    """The Arrow schema with the mark in its metadata."""
    marks = [provenance, provenance.provenance if isinstance(provenance, SplitMark) else None]
    texts = {mark.key: mark.to_text().encode() for mark in marks if mark is not None}
    return fields.with_metadata(texts) if texts else fields


def _entry(provenance: Mark, content: Path) -> dict[str, object]:
    return {**_object(provenance.to_text()), "sha256": _digest(content)}


def _write(beside: Path, entry: dict[str, object]) -> None:
    with atomic_path(beside, overwrite=True) as temporary:
        temporary.write_text(json.dumps(entry, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def _beside(path: Path) -> Provenance | None:
    entry = _entry_of(path)
    return None if entry is None else provenance_from_text(json.dumps(entry))


def _entry_of(path: Path) -> dict[str, object] | None:
    """What stands beside a CSV file of that very file."""
    beside = sidecar_of(path)
    if not path.is_file() or not beside.is_file() or beside.stat().st_size > _MOST_BYTES:
        return None
    found = _object(beside.read_bytes())
    before, digest = found.get("before"), _digest(path)
    entries = (found, before if isinstance(before, dict) else {})
    return next((entry for entry in entries if entry.get("sha256") == digest), None)


def _object(text: str | bytes | None) -> dict[str, object]:
    found = tried(lambda: json.loads(text or b""), ValueError, RecursionError)
    return found if isinstance(found, dict) else {}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _metadata(path: Path, found: FileFormat) -> dict[bytes, bytes]:
    import pyarrow as pa
    from pyarrow import parquet

    if found is FileFormat.PARQUET:
        return dict(parquet.read_schema(path).metadata or {})
    with pa.OSFile(str(path)) as file:
        magic = file.read(6)
        file.seek(0)
        opened = pa.ipc.open_file(file) if magic == b"ARROW1" else pa.ipc.open_stream(file)
        with opened as reader:
            return dict(reader.schema.metadata or {})


def _arrow_errors() -> tuple[type[BaseException], ...]:
    import pyarrow as pa

    return (pa.ArrowException, OSError, UnicodeError)
