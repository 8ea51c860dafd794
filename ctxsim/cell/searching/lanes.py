"""A story as lines of text: a lane for each request, and only what its requests share.

The lanes are columns of marks at the left, so that there is room for many, and the text of a line
stands beside them, because a line of source cut to half a terminal tells nobody anything.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from textwrap import wrap
from typing import Final

from ctxsim.cell.widths import cut

# A report indents a finding, and what belongs to it once more.
WIDTH: Final = 76
LANE_COLUMNS: Final = 3
NAMES: Final = string.ascii_uppercase
LEGEND: Final = "W writes and R reads what is shared; < has to stop"

BEGINS, STOPS, FOLDED, WAITS, TAKES, FAILS = ">", "<", ":", "!", "+", "x"
_BESIDE = "|"
_MOST_ROWS = 12
_MOST_TURNS = 16


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a lane: a mark, and what is told of it.

    A row that is `folded` stands for so many lines of source that touch nothing shared. What is too
    long is cut, since it ends with a line of source, or else `is_wrapped`.
    """

    mark: str
    text: str
    folded: int = 0
    is_wrapped: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """What one request did until another went on; `is_last` if it has no turn after it."""

    lane: int
    rows: tuple[Row, ...]
    is_last: bool


def told(labels: Sequence[str], turns: Sequence[Turn]) -> tuple[str, ...]:
    """The lines, of at most `WIDTH` columns: who the lanes are, then their turns."""
    who = [cut(f"{NAMES[lane]}  {label}", WIDTH) for lane, label in enumerate(labels)]
    head = "".join(name.ljust(LANE_COLUMNS) for name in NAMES[: len(labels)])
    return (*who, cut(head + LEGEND, WIDTH), *_rows(len(labels), turns))


def _rows(lanes: int, turns: Sequence[Turn]) -> Iterator[str]:
    beside = [" "] * lanes
    half = _MOST_TURNS // 2
    left_out = range(half, len(turns) - half) if len(turns) > _MOST_TURNS else range(0)
    for number, turn in enumerate(turns):
        if number not in left_out:
            for row in _shortened(_merged(turn.rows)):
                yield from _lines(beside, turn.lane, row)
        elif number == half:
            yield from _lines(beside, None, Row("", f"... {len(left_out)} more turns"))
        beside[turn.lane] = " " if turn.is_last else _BESIDE


def _lines(beside: Sequence[str], lane: int | None, row: Row) -> Iterator[str]:
    room = WIDTH - LANE_COLUMNS * len(beside)
    texts = wrap(row.text, room) if row.is_wrapped else [cut(row.text, room)]
    mark = row.mark
    for text in texts:
        marks = [mark if at == lane else other for at, other in enumerate(beside)]
        yield "".join(each.ljust(LANE_COLUMNS) for each in marks) + text
        mark = _BESIDE


def _merged(rows: Sequence[Row]) -> list[Row]:
    """Folded lines as one row, and what is told several times in a row once."""
    found: list[Row] = []
    for is_folded, group in groupby(rows, key=lambda each: each.folded > 0):
        among = list(group)
        if is_folded:
            found.append(_fold(sum(each.folded for each in among)))
        else:
            found += [row for row, _ in groupby(among)]
    return found


def _fold(lines: int) -> Row:
    return Row(FOLDED, f"... {lines:,} line{'' if lines == 1 else 's'}", lines)


def _shortened(rows: list[Row]) -> list[Row]:
    if len(rows) <= _MOST_ROWS:
        return rows
    half = _MOST_ROWS // 2
    middle = rows[half:-half]
    return [*rows[:half], _fold(sum(each.folded or 1 for each in middle)), *rows[-half:]]
