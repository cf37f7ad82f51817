"""The fenced code blocks of a Markdown page, and how each is to be run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<info>[^`]*)$")
_MARK = re.compile(r"^<!-- (?P<key>no-run|exit|needs|output|tries)(?:: (?P<value>.+?))? -->$")


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, where it stands, and the marks just above it.

    Marks are HTML comments on the lines above the fence: `no-run: reason`, `exit: code` (the command ends
    so), `needs: module` (left out where the module is not installed), `tries: times` (how often it is begun
    before it counts as failed: noise nobody can seed may make an honest audit fail, in at most 5 % of runs),
    and `output` (a text block that holds what the block before it prints, `…` standing for anything).
    """

    page: Path
    line: int
    language: str
    code: str
    marks: dict[str, str]
    indented: bool

    @property
    def where(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Every fenced block of the page, in order; an unclosed fence is an error."""
    blocks, marks = [], {}
    lines = page.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if mark := _MARK.match(line):
            marks[mark["key"]] = mark["value"] or ""
            continue
        fence = _FENCE.match(line)
        if not fence:
            marks = {} if line.strip() else marks
            continue
        start = number
        while number < len(lines) and lines[number].strip() != fence["ticks"]:
            number += 1
        assert number < len(lines), f"{page.name}:{start}: the fence is never closed"
        words = fence["info"].split()
        language = words[0] if words else ""
        code = "\n".join(lines[start:number]) + "\n"
        blocks.append(Block(page, start, language, code, marks, bool(fence["indent"])))
        marks = {}
        number += 1
    return blocks
