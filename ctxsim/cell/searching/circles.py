"""How requests that go round in circles are told: by the loop's lines, and what it asks for."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from functools import cache

from ctxsim.cell.schedule.execution import Spin
from ctxsim.cell.widths import cut
from ctxsim.cell.witness.record import shown_file

_MOST_COLUMNS = 80
_Loop = ast.While | ast.For | ast.AsyncFor
_LEAVES = ast.Break | ast.Return | ast.Raise


def loop_told(spin: Spin) -> str:
    """The lines, and until when it goes on, as far as the source says it."""
    first, last = spin.first.line, spin.last.line
    lines = f"{shown_file(spin.first.file)}:{first}" + (f"-{last}" if last != first else "")
    asked = asked_for(spin.first.file, first, last)
    return f"goes round at {lines} ({asked})" if asked else f"goes round at {lines}"


def asked_for(file: str, first: int, last: int) -> str:
    """What the innermost loop around these lines asks for in each round; '' where it is not seen.

    That is its condition; else the first one under which it is left.
    """
    loop = _loop_around(file, first, last)
    if loop is None:
        return ""
    if not isinstance(loop, ast.While):
        return cut(f"for ... in {ast.unparse(loop.iter)}", _MOST_COLUMNS)
    if not isinstance(loop.test, ast.Constant):
        return cut(f"while {ast.unparse(loop.test)}", _MOST_COLUMNS)
    left = next(_ways_out(loop), None)
    return "" if left is None else cut(f"until {ast.unparse(left.test)}", _MOST_COLUMNS)


def lines_of(spin: Spin) -> range:
    """All lines of the loop, also those at which nobody switches."""
    first, last = spin.first.line, spin.last.line
    loop = _loop_around(spin.first.file, first, last)
    return range(first, last + 1) if loop is None else range(loop.lineno, _end(loop) + 1)


@cache
def _loop_around(file: str, first: int, last: int) -> _Loop | None:
    """The innermost loop around these lines; None where the source does not show it."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return None
    loops = (each for each in ast.walk(tree) if isinstance(each, _Loop))
    around = [each for each in loops if each.lineno <= first and last <= _end(each)]
    return max(around, key=lambda each: each.lineno, default=None)


def _end(loop: _Loop) -> int:
    return loop.end_lineno or loop.lineno


def _ways_out(loop: ast.While) -> Iterator[ast.If]:
    for each in ast.walk(loop):
        if isinstance(each, ast.If) and any(isinstance(then, _LEAVES) for then in each.body):
            yield each
