"""Shows the lines of an execution to a watcher, beside and after what makes them switch points."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dis import opmap
from types import FrameType
from typing import Any, Protocol

_YIELD = opmap["YIELD_VALUE"]
_SUSPENDED = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
LocalTrace = Callable[[FrameType, str, Any], Any]


class Watcher(Protocol):
    """Is shown each line of the files that it wants, when the worker goes on with it."""

    def wants(self, file: str) -> bool:
        """Whether the lines of that file are to be shown."""

    def leave(self, frame: FrameType, *, raised: bool) -> None:
        """The frame's last line has been carried out, or broken off where it has `raised`."""

    def enter(self, frame: FrameType, line: int) -> None:
        """The frame goes on with that line."""


def _gives_way(frame: FrameType) -> bool:
    code = frame.f_code
    return bool(code.co_flags & _SUSPENDED) and code.co_code[frame.f_lasti] == _YIELD


class Shown:
    """The lines of one frame, in order: what it left is shown before a worker may have to wait.

    Only then is what a line writes told before what others do in between, and what it reads after.
    """

    __slots__ = ("_line", "_watcher")

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._line = 0

    def left(self, frame: FrameType, event: str) -> bool:
        """Take note of an event of a trace function; whether the frame comes to another line."""
        if event == "opcode" and frame.f_lineno == self._line:
            return False
        # A frame that gives way at an await, or yields, is in the middle of its line still.
        if event == "call" or (event == "return" and _gives_way(frame)):
            return False
        self._watcher.leave(frame, raised=event == "exception")
        return event in ("line", "opcode")

    def entered(self, frame: FrameType) -> None:
        """The worker goes on with the line that it came to."""
        self._line = frame.f_lineno
        self._watcher.enter(frame, self._line)


def shown(watcher: Watcher, inner: LocalTrace | None) -> LocalTrace:
    """A local trace function for one frame: `inner`, where lines are switch points, in between."""
    lines = Shown(watcher)

    def local(frame: FrameType, event: str, arg: object) -> Any:
        comes = lines.left(frame, event)
        if inner is not None:
            inner(frame, event, arg)
        if comes:
            lines.entered(frame)
        return local

    return local
