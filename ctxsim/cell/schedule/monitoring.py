"""Switch points by `sys.monitoring`, from Python 3.12 on; see `tracing`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Self

from ctxsim.cell.schedule.places import Place
from ctxsim.cell.schedule.real import get_ident
from ctxsim.cell.schedule.selection import Reach, Selection, Untraced, taken
from ctxsim.cell.schedule.statements import (
    COMPREHENSIONS,
    FILES,
    LAMBDA,
    TELLS_MORE,
    begun,
    is_amid_line,
)
from ctxsim.cell.schedule.watching import Shown, Watcher
from ctxsim.errors import UsageError

# Neither a debugger's, coverage's, a profiler's nor an optimiser's, by Python's convention.
TOOL_IDS = (4, 3)
_TOOL_NAME = "ctxsim"
# In which no statement begins; a lambda is told when it is called.
_NO_LINES = {*COMPREHENSIONS, LAMBDA}

if sys.version_info >= (3, 12):
    _monitoring = sys.monitoring
    _DISABLE = _monitoring.DISABLE

    class Monitoring(Untraced):
        """Traces by `sys.monitoring`, which counts for all threads and stays on in between."""

        def __init__(self, selection: Selection, watcher: Watcher | None = None) -> None:
            self._files = selection.files
            self._lines = selection.granularity == "line"
            self._watcher = watcher
            self._shown: dict[FrameType, Shown] = {}
            self._tool = -1
            self._reach: Reach | None = None
            self._thread = 0

        def __enter__(self) -> Self:
            self._tool = _free_tool()
            _monitoring.use_tool_id(self._tool, _TOOL_NAME)
            callbacks = self._callbacks()
            for event, callback in callbacks.items():
                _monitoring.register_callback(self._tool, event, callback)
            _monitoring.set_events(self._tool, sum(callbacks))
            # Another selection may have disabled code that is selected here.
            _monitoring.restart_events()
            return self

        def __exit__(self, *raised: object) -> None:
            _monitoring.set_events(self._tool, 0)
            for event in self._callbacks():
                _monitoring.register_callback(self._tool, event, None)
            _monitoring.free_tool_id(self._tool)

        def _callbacks(self) -> dict[int, Callable[..., Any]]:
            events = _monitoring.events
            if self._watcher is None:
                if not self._lines:
                    return {events.INSTRUCTION: self._at_instruction}
                return {events.LINE: self._at_line, events.PY_START: self._at_start}
            at: dict[int, Callable[..., Any]] = {events.INSTRUCTION: self._watch_instruction}
            if self._lines:
                at = {events.LINE: self._watch_line, events.PY_START: self._watch_start}
            return {
                **at,
                events.RAISE: self._watch_raise,
                events.PY_RETURN: self._watch_return,
                events.PY_UNWIND: self._watch_return,
            }

        def begin(self, reach: Reach) -> None:
            self._reach, self._thread = reach, get_ident()

        def end(self) -> None:
            self._reach = None
            self._shown.clear()

        def _at_line(self, code: CodeType, line: int) -> Any:
            if code.co_filename not in self._files or code.co_name in _NO_LINES:
                return _DISABLE
            if line in FILES[code.co_filename]:
                first = begun(code, line, sys._getframe(1).f_lasti)
                if first is None:
                    return _DISABLE
                line = first
            elif TELLS_MORE and is_amid_line(code, line, sys._getframe(1).f_lasti):
                return _DISABLE
            reach = self._reach
            if reach is not None and get_ident() == self._thread:
                reach((code, line))
            return None

        def _at_start(self, code: CodeType, _offset: int) -> Any:
            if code.co_name != LAMBDA or code.co_filename not in self._files:
                return _DISABLE
            reach = self._reach
            if reach is not None and self._is_here():
                reach((code, code.co_firstlineno))
            return None

        def _is_here(self) -> bool:
            return get_ident() == self._thread

        def _at_instruction(self, code: CodeType, offset: int) -> Any:
            if code.co_filename not in self._files:
                return _DISABLE
            reach = self._reach
            if reach is not None and get_ident() == self._thread:
                reach((code, _line_at(code, offset)))
            return None

        def _watch_line(self, code: CodeType, line: int) -> None:
            frame = sys._getframe(1)
            first = begun(code, line, frame.f_lasti) if code.co_filename in self._files else None
            self._watch(frame, "line", None if first is None else (code, first))

        def _watch_start(self, code: CodeType, _offset: int) -> None:
            if code.co_name == LAMBDA and code.co_filename in self._files:
                self._watch(sys._getframe(1), "call", (code, code.co_firstlineno))

        def _watch_instruction(self, code: CodeType, offset: int) -> None:
            place = (code, _line_at(code, offset)) if code.co_filename in self._files else None
            self._watch(sys._getframe(1), "opcode", place)

        def _watch_raise(self, _code: CodeType, _offset: int, _error: object) -> None:
            self._watch(sys._getframe(1), "exception", None)

        def _watch_return(self, _code: CodeType, _offset: int, _value: object) -> None:
            frame = sys._getframe(1)
            self._watch(frame, "return", None)
            self._shown.pop(frame, None)

        def _watch(self, frame: FrameType, event: str, place: Place | None) -> None:
            watcher, reach = self._watcher, self._reach
            if watcher is None or reach is None or get_ident() != self._thread:
                return
            lines, comes = None, False
            if watcher.wants(frame.f_code.co_filename):
                lines = self._shown.setdefault(frame, Shown(watcher))
                comes = lines.left(frame, event)
            if place is not None:
                reach(place)
            if comes and lines is not None:
                lines.entered(frame)

    class MonitoringThreads(Monitoring):
        """Calls back in whichever thread comes by; whose that is, is looked up there."""

        def _at_line(self, code: CodeType, line: int) -> Any:
            first = None
            if code.co_filename in self._files:
                first = begun(code, line, sys._getframe(1).f_lasti)
            if first is None:
                return _DISABLE
            if (reach := self._reach) is not None:
                reach((code, first))
            return None

        def _at_instruction(self, code: CodeType, offset: int) -> Any:
            if code.co_filename not in self._files:
                return _DISABLE
            if (reach := self._reach) is not None:
                reach((code, _line_at(code, offset)))
            return None

    def _free_tool() -> int:
        for tool in TOOL_IDS:
            if _monitoring.get_tool(tool) is None:
                return tool
        names = " and ".join(f"{each} ({_monitoring.get_tool(each)})" for each in TOOL_IDS)
        raise UsageError(taken(f"the tool ids {names} of sys.monitoring are in use"))

    _lines: dict[CodeType, dict[int, int]] = {}

    def _line_at(code: CodeType, offset: int) -> int:
        lines = _lines.get(code)
        if lines is None:
            lines = _lines[code] = {
                at: line or 0 for start, end, line in code.co_lines() for at in range(start, end, 2)
            }
        return lines.get(offset, code.co_firstlineno)
