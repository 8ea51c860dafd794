"""Lines for a terminal: at most 80 columns, whatever the text, and nothing that steers it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from ctxsim.cell.widths import columns, columns_of

WIDTH = 80

Tone = Literal["plain", "good", "bad", "unsure", "quiet", "title"]

_SEQUENCES: dict[Tone, str] = {
    "plain": "",
    "good": "\x1b[32m",
    "bad": "\x1b[31m",
    "unsure": "\x1b[33m",
    "quiet": "\x1b[2m",
    "title": "\x1b[1m",
}
_RESET = "\x1b[0m"


@dataclass(slots=True)
class Page:
    """Lines under way to a reader; the fields say what their terminal can show."""

    color: bool = False
    unicode: bool = True
    width: int = WIDTH
    _lines: list[str] = field(default_factory=list)

    def add(
        self, text: str = "", *, indent: int = 0, hanging: int = 0, tone: Tone = "plain"
    ) -> None:
        """Add `text`, wrapped; lines after the first are `hanging` columns further in."""
        for line in wrapped(printable(text, unicode=self.unicode), indent, hanging, self.width):
            sequence = _SEQUENCES[tone] if self.color and line else ""
            self._lines.append(f"{sequence}{line}{_RESET if sequence else ''}")

    def add_command(self, before: str, command: str) -> None:
        """Add a shell command; where it takes several lines it can still be pasted."""
        text = printable(f"{before} {command}", unicode=self.unicode)
        self._lines += wrapped(text, 0, len(before) + 1, self.width, glue=" \\")

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)


def printable(text: str, *, unicode: bool = True) -> str:
    """`text` with everything that a terminal would not show as a character written as an escape.

    That includes escape sequences and marks that turn the direction of writing: what an application
    answers must not be able to rewrite the report about it.
    """
    if text.isascii() and text.isprintable():
        return text
    shown = "".join(each if each.isprintable() else _escaped(each) for each in text)
    return shown if unicode else shown.encode("ascii", "backslashreplace").decode("ascii")


def harmless(text: str) -> str:
    """Several lines of text as `printable` has them; tabs are spaces, as they only align."""
    return "\n".join(printable(line) for line in text.expandtabs().splitlines())


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def wrapped(
    text: str, indent: int = 0, hanging: int = 0, width: int = WIDTH, glue: str = ""
) -> list[str]:
    """`text` in lines of at most `width` columns, broken at spaces where there are any.

    Runs of spaces within a line stay as they are, since they may align columns. `glue` is put at
    the end of each line but the last.
    """
    most = width - len(glue)
    lines, line = [], " " * indent
    start = len(line)
    for piece in _pieces(text, most - indent - hanging):
        if columns(line) + columns(piece.rstrip()) > most and len(line) > start:
            lines.append(line.rstrip() + glue)
            line, piece = " " * (indent + hanging), piece.lstrip()
            start = len(line)
        line += piece
    return [*lines, line.rstrip()]


def _pieces(text: str, most: int) -> Iterator[str]:
    """Words with the spaces after them, those that are too long for a line in parts."""
    word = ""
    for character in text:
        ends = word.endswith(" ") and character != " "
        if ends or columns(word) + columns_of(character) > most:
            yield word
            word = ""
        word += character
    yield word
