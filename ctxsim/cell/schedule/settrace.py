"""Switch points by `sys.settrace`, on Python 3.11; see `tracing`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Self

from greenlet import getcurrent

from ctxsim.cell.schedule.entrances import Entrances
from ctxsim.cell.schedule.real import get_ident
from ctxsim.cell.schedule.selection import Reach, Selection, Untraced, taken
from ctxsim.cell.schedule.statements import COMPREHENSIONS, FILES, begun
from ctxsim.cell.schedule.watching import Watcher, shown
from ctxsim.errors import UsageError


class Settrace(Untraced):
    """Traces by `sys.settrace`, which counts for one C stack: each greenlet has to set it anew."""

    def __init__(self, selection: Selection, watcher: Watcher | None = None) -> None:
        self._files = selection.files
        self._opcodes = selection.granularity == "opcode"
        self._watcher = watcher
        self._trace: Callable[..., Any] | None = None

    def begin(self, reach: Reach) -> None:
        if (other := sys.gettrace()) is not None:
            raise UsageError(taken(f"the trace function {other!r} is set"))
        local = _at_opcodes(reach) if self._opcodes else _at_lines(reach)
        files, opcodes = self._files, self._opcodes

        def enter_frame(frame: FrameType, event: str, arg: object) -> Any:
            code = frame.f_code
            if code.co_filename not in files:
                return None
            return local(frame, event, arg) if opcodes or not _is_within(code) else None

        self._trace = enter_frame if self._watcher is None else _watched(enter_frame, self._watcher)

    def enter_worker(self) -> None:
        sys.settrace(self._trace)

    def end(self) -> None:
        if self._trace is not None:
            sys.settrace(None)
        self._trace = None


class SettraceWithin(Settrace):
    """Traces the lines of selected code, and looks at no other code but what that calls.

    Selected code tells by itself that it is entered. What is newer than an execution does not, and
    is traced in it where a worker begins with it or selected code calls it.
    """

    def __init__(self, selection: Selection) -> None:
        super().__init__(selection)
        self._entrances = Entrances(self._enter)
        # How many modules there were when all functions were looked at.
        self._modules = 0
        self._is_in_copies = False
        self._is_put_in = False
        self._thread = 0
        self._outermost: Callable[..., Any] | None = None
        # The greenlets of workers. Who switches to others takes along what is traced.
        self._workers: set[object] = set()
        self._is_for_all = False

    def look_ahead(self) -> None:
        """Look at all functions in the process that is copied, before it is entered in a copy."""
        self._entrances.find(self._is_selected)
        self._modules = len(sys.modules)
        self._is_in_copies = True

    def put_ahead(self) -> None:
        """Put in there what was found, so that copies have it."""
        self._entrances.put_found()
        self._is_put_in = True

    def take_out(self) -> None:
        """Before anything is carried: nothing has been defined since by what was found."""
        self._entrances.take_out_found()
        self._is_put_in = False

    def __enter__(self) -> Self:
        if not self._is_in_copies:
            self._look()
        elif not self._is_put_in:
            self._entrances.put_found()
        return self

    def __exit__(self, *raised: object) -> None:
        if not self._is_in_copies:
            self._entrances.take_out()

    def begin(self, reach: Reach) -> None:
        super().begin(reach)
        if len(sys.modules) != self._modules:
            self._look()
        self._thread = get_ident()
        if self._trace is not None:
            self._trace = self._looking(self._trace)
        self._outermost = self._leaving(reach)

    def enter_worker(self) -> None:
        self._workers.add(getcurrent())
        sys.settrace(self._trace if self._is_for_all else self._enter_first)

    def end(self) -> None:
        super().end()
        self._outermost = None
        self._workers.clear()

    def _look(self) -> None:
        self._entrances.put_in(self._is_selected)
        self._modules = len(sys.modules)

    def _is_selected(self, code: CodeType) -> bool:
        return code.co_filename in self._files and not _is_within(code)

    def _enter_first(self, frame: FrameType, event: str, arg: object) -> Any:
        sys.settrace(None)
        if not self._is_selected(frame.f_code):
            return None
        sys.settrace(self._trace)
        return self._outermost

    def _enter(self) -> None:
        """Selected code is entered, in whichever thread, whether it is traced already or not."""
        if (outermost := self._outermost) is None or get_ident() != self._thread:
            return
        frame = sys._getframe(1)
        if frame.f_trace is None or sys.gettrace() is None:
            self._look_who()
            frame.f_trace = outermost
            sys.settrace(self._trace)

    def _look_who(self) -> None:
        if getcurrent() not in self._workers:
            self._is_for_all = True

    def _looking(self, enter_frame: Callable[..., Any]) -> Callable[..., Any]:
        files = self._files

        def enter_looking(frame: FrameType, event: str, arg: object) -> Any:
            # Most is not selected, and need not be asked twice.
            if frame.f_code.co_filename not in files:
                return None
            local = enter_frame(frame, event, arg)
            if local is not None:
                self._look_who()
            return local

        return enter_looking

    def _leaving(self, reach: Reach) -> Callable[..., Any]:
        """For the frame from which on code is traced, until it is left."""

        at_lines = _at_lines(reach)

        def outermost(frame: FrameType, event: str, arg: object) -> Any:
            if event == "line":
                at_lines(frame, event, arg)
            elif event == "return" and not self._is_for_all:
                sys.settrace(None)
            return outermost

        return outermost


def _watched(enter_frame: Callable[..., Any], watcher: Watcher) -> Callable[..., Any]:
    def enter_watched(frame: FrameType, event: str, arg: object) -> Any:
        inner = enter_frame(frame, event, arg)
        return shown(watcher, inner) if watcher.wants(frame.f_code.co_filename) else inner

    return enter_watched


def _at_lines(reach: Reach) -> Callable[..., Any]:
    def local(frame: FrameType, event: str, arg: object) -> Any:
        if event == "line":
            code, line = frame.f_code, frame.f_lineno
            # Most statements are one line, and need not be asked where they begin.
            if line not in FILES[code.co_filename]:
                reach((code, line))
            elif (first := begun(code, line, frame.f_lasti)) is not None:
                reach((code, first))
        return local

    return local


def _at_opcodes(reach: Reach) -> Callable[..., Any]:
    def local(frame: FrameType, event: str, arg: object) -> Any:
        if event == "opcode":
            reach((frame.f_code, frame.f_lineno))
        elif event == "call":
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
        return local

    return local


def _is_within(code: CodeType) -> bool:
    """Whether it is a comprehension's code, none of whose lines begins a statement."""
    return code.co_name in COMPREHENSIONS
