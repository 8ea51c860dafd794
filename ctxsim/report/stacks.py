"""Of the stacks with which a cell ended, the innermost lines that are the application's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import ctxsim.cell
from ctxsim.cell.history import Ending

MOST_LINES = 24
_MOST_FRAMES = 4

_OWN = str(Path(ctxsim.cell.__file__).parent)
_FRAME = re.compile(r'\s*File "(?P<file>[^"]*)"')
# Of the target's interpreter, which may be another one than ours.
_LIBRARY = re.compile(r"[/\\](site-packages|dist-packages|[Ll]ib[/\\]python3\.\d+)[/\\]")
_IMPORTING = "<frozen importlib"
# How faulthandler begins its list of compiled modules, which says nothing of where a thread was.
_MODULES = "Extension modules:"

Frame = list[str]


def innermost(ending: Ending) -> list[str]:
    """The lines that a reader sees; the document has all of them."""
    # Threads that wait for work stand in libraries alone, and say nothing of why nothing ends.
    stacks = sorted(ending.stacks, key=_is_idle)
    lines = [line for stack in stacks for line in _innermost(stack, _is_theirs)]
    if not lines:
        # Then where our own code stood is all that is known.
        lines = [line for stack in ending.stacks for line in _innermost(stack, lambda _: True)]
    left = len(lines) - MOST_LINES
    return lines if left <= 0 else [*lines[:MOST_LINES], f"({left} more lines)"]


def _is_idle(stack: str) -> bool:
    """Whether a stack has frames, and none of the application's own."""
    files = [found["file"] for found in map(_FRAME.match, stack.splitlines()) if found]
    return bool(files) and all(
        each.startswith((_OWN, "<")) or _LIBRARY.search(each) is not None for each in files
    )


def _is_theirs(frame: Frame) -> bool:
    found = _FRAME.match(frame[0])
    return found is None or not found["file"].startswith((_OWN, _IMPORTING))


def _innermost(stack: str, wanted: Callable[[Frame], bool]) -> Iterator[str]:
    title, frames = _split(stack.splitlines())
    kept = [frame for frame in frames if wanted(frame)]
    if stack.startswith(_MODULES) or (frames and not kept):
        return
    # faulthandler writes the innermost frame first, traceback writes it last.
    is_innermost_first = any("most recent call first" in line for line in title)
    shown = kept[:_MOST_FRAMES] if is_innermost_first else kept[-_MOST_FRAMES:]
    yield from title
    yield from (line for frame in shown for line in frame)


def _split(lines: Sequence[str]) -> tuple[list[str], list[Frame]]:
    """What stands before the first frame, and each frame with the lines that belong to it."""
    title: list[str] = []
    frames: list[Frame] = []
    for line in lines:
        if _FRAME.match(line):
            frames.append([line])
        else:
            (frames[-1] if frames else title).append(line)
    return title, frames
