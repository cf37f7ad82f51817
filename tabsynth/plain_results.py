"""Results that go to JSON and back: a frozen dataclass, with the name and version of its format beside its fields."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from tabsynth.errors import Fault, InputError
from tabsynth.io import atomic_path, read_json_object

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class PlainResults:
    """What a dataclass of results inherits; `format_name` is stored with it, and nothing else is read back."""

    __slots__ = ()
    format_name: ClassVar[str]
    made_by: ClassVar[str] = ""
    """The command that writes a file of it, for whoever gave another file."""
    is_indented: ClassVar[bool] = False
    """Whether a file of it is laid out for a reader's eyes."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data that strict JSON can hold, with the format's name and version; infinite numbers as null."""
        return {"format": self.format_name, **_adapter(type(self)).dump_python(self, mode="json")}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """What `to_dict` wrote. Raises `InputError` for another format, or listing every damaged field."""
        return cls.read_fields(data)

    @classmethod
    def read_fields(cls, data: dict[str, Any]) -> Self:
        """The fields beside the format, for classes whose own `from_dict` asks for more."""
        from pydantic import ValidationError

        if (found := data.get("format")) != cls.format_name:
            hint = f": give what `{cls.made_by}` wrote" if cls.made_by else ""
            raise InputError(f"expected results of format {cls.format_name!r}, found {found!r:.60}{hint}")
        try:
            fields = {name: value for name, value in data.items() if name != "format"}
            return _adapter(cls).validate_python(fields)  # type: ignore[no-any-return]
        except ValidationError as error:
            faults = [
                Fault(".".join(map(str, fault["loc"])), fault["msg"])
                for fault in error.errors(include_input=False, include_context=False, include_url=False)
            ]
            raise InputError("the results are damaged", faults) from None

    def write_json(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write to `path` in one step; `OutputExistsError` where it exists and `overwrite` is not set."""
        how: dict[str, Any] = {"indent": 1} if self.is_indented else {"separators": (",", ":")}
        text = json.dumps(self.to_dict(), allow_nan=False, ensure_ascii=False, **how)
        with atomic_path(Path(path), overwrite=overwrite) as unfinished:
            unfinished.write_text(text + "\n" * self.is_indented, encoding="utf-8")

    @classmethod
    def read_json(cls, path: str | Path) -> Self:
        """The results in a file; `InputError` where it holds none."""
        return cls.from_dict(read_json_object(path))


def _adapter(kind: Any) -> TypeAdapter[Any]:
    return _made(kind)


@cache
def _made(kind: type[Any]) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
