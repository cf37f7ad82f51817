"""The engine that `audit-engine` and `collapse` fit again and again, from the options that name it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tabsynth.errors import UsageError

if TYPE_CHECKING:
    from tabsynth.refit import BlackBox


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What names the engine: at most one of an engine, a model, a command and a function."""

    engine: str | None = None
    settings: list[str] | None = None
    model: Path | None = None
    command: str | None = None
    command_format: str | None = None
    command_timeout: float | None = None
    function: str | None = None

    @property
    def is_own(self) -> bool:
        """Whether it is a user's command or function."""
        return self.command is not None or self.function is not None

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read of it: a model, the file of a function."""
        module = None if self.function is None else self.function.rpartition(":")[0]
        source = Path(module) if module is not None and module.endswith(".py") else None
        return tuple(path for path in (self.model, source) if path is not None)

    def check(self) -> None:
        """Raise `UsageError` for options that do not go together."""
        options = {
            "--engine": self.engine,
            "--model": self.model,
            "--command": self.command,
            "--function": self.function,
        }
        given = [name for name, value in options.items() if value is not None]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)} name different things: give one of them")
        if self.command is None and (self.command_format is not None or self.command_timeout is not None):
            raise UsageError("--command-format and --command-timeout belong to a --command")
        if self.settings and (self.is_own or self.model is not None):
            raise UsageError("--set belongs to an --engine")


def black_box(named: Named, *, epsilon: float | None, delta: float | None, no_privacy: bool) -> BlackBox:
    """The engine that is named, the first choice where none is; its privacy, or what it claims.

    Raises `UsageError` for options that do not go together.
    """
    from tabsynth.cli.table_commands import read_settings
    from tabsynth.config.types import privacy_of
    from tabsynth.models.registry import DEFAULT_ENGINE
    from tabsynth.privacy import Budget
    from tabsynth.refit import TIMEOUT, NamedFunction, command_box, engine_box, function_box, model_box

    named.check()
    if named.model is not None:
        if epsilon is not None or delta is not None or no_privacy:
            raise UsageError(
                "a model says itself what privacy it has: leave --epsilon, --delta and --no-privacy out"
            )
        return model_box(named.model)
    if named.is_own and delta is not None and epsilon is None:
        raise UsageError("a δ belongs to an ε: give --epsilon too")
    privacy = privacy_of(no_privacy=no_privacy, epsilon=epsilon, delta=delta)
    stated = privacy if epsilon is not None and isinstance(privacy, Budget) else None
    if named.command is not None:
        return command_box(
            named.command,
            file_format=named.command_format or "csv",
            timeout=TIMEOUT if named.command_timeout is None else named.command_timeout,
            stated=stated,
        )
    if named.function is not None:
        return function_box(NamedFunction(named.function), stated=stated)
    settings = read_settings(named.settings or [])
    return engine_box(named.engine or DEFAULT_ENGINE, settings=settings, privacy=privacy)
