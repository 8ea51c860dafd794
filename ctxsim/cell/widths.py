"""How many columns of a terminal a text takes."""

from __future__ import annotations

import unicodedata

_WIDE = frozenset("WF")
_WITHOUT_WIDTH = frozenset({"Mn", "Me"})


def columns(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    return len(text) if text.isascii() else sum(map(columns_of, text))


def columns_of(character: str) -> int:
    """The same of one character: wide ones take two, and marks on others none."""
    if unicodedata.category(character) in _WITHOUT_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1


def cut(text: str, most: int) -> str:
    """`text` in at most so many columns; what is left out is told by three dots."""
    if columns(text) <= most:
        return text
    kept, room = [], most - 3
    for character in text:
        room -= columns_of(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "..."
