"""The lanes of a story, as a finding has them: where their text begins, and what they mark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# A story stands two columns further in than what is told of the finding otherwise.
_INSET = "  "
_GUTTER = re.compile(r" *(?:(?:[WR<>:!+|] {2}|RW | {3})+)(?=\S)")
_PLAIN_HANGING = 4
_MEANINGS = {
    "W": "writes", "R": "reads", "RW": "writes", "<": "stops", "!": "waits", "+": "takes",
    ":": "folded",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """A finding's story in its parts; of one that no schedule shows, only the first."""

    about: tuple[str, ...]
    sentence: str
    rows: tuple[str, ...]


def parts(story: Sequence[str]) -> Told:
    """The lines before the lanes, the sentence that says what happened, and the lanes."""
    inset = [line.removeprefix(_INSET) for line in story if line.startswith(_INSET)]
    about = tuple(line for line in story if not line.startswith(_INSET))
    return Told(about, inset[0] if inset else "", tuple(inset[1:]))


def hanging(line: str) -> int:
    """How far in a line goes on that is too long: beneath its text, so that lanes stay apart."""
    gutter = _GUTTER.match(line)
    return len(gutter[0]) if gutter is not None else _PLAIN_HANGING


def meaning(row: str) -> str:
    """What the row's mark stands for, as one word; '' for others."""
    gutter = _GUTTER.match(row)
    marks = gutter[0].split() if gutter is not None else []
    return next((_MEANINGS[each] for each in marks if each in _MEANINGS), "")
