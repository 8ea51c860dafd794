"""Switch points at the lines or opcodes of selected files.

Python 3.11 has `sys.settrace`, which from 3.12 on is slow and instruments lazily, so that a first
execution sees fewer opcodes than the next; there `sys.monitoring` is used. Both call back while
the interpreter takes all code for traced; whoever switches greenlets in there has to use
`sys.call_tracing`, or else only the worker that came first is traced, and nothing tells.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import CodeType, FrameType
from typing import Any, Literal, Protocol, Self

from greenlet import getcurrent

from ctxsim.cell.schedule.entrances import Entrances
from ctxsim.cell.schedule.places import Place
from ctxsim.cell.schedule.real import get_ident
from ctxsim.cell.schedule.watching import Shown, Watcher, shown
from ctxsim.errors import UsageError

Reach = Callable[[Place], None]
Granularity = Literal["line", "opcode"]
# Neither a debugger's, coverage's, a profiler's nor an optimiser's, by Python's convention.
_TOOL_IDS = (4, 3)
_TOOL_NAME = "ctxsim"
_COMPREHENSIONS = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"})


@dataclass(frozen=True, slots=True)
class Selection:
    """The files, as their code objects name them, in which a worker can be made to stop."""

    files: frozenset[str]
    granularity: Granularity = "line"


class Tracer(Protocol):
    """Calls back at each switch point of the selected files, as long as it is entered."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *raised: object) -> None: ...

    def begin(self, reach: Reach) -> None:
        """An execution begins in this thread; `reach` is called at each switch point."""

    def enter_worker(self) -> None:
        """A worker begins; called in its own greenlet."""

    def end(self) -> None:
        """The execution has ended."""


def tracing(selection: Selection, watcher: Watcher | None = None) -> Tracer:
    """What traces the selection on this Python; to be entered before an execution.

    A `watcher` is shown the lines that it wants, whether they are switch points or not.
    """
    if not selection.files and watcher is None:
        return Untraced()
    if sys.version_info >= (3, 12):
        return Monitoring(selection, watcher)
    if selection.granularity == "line" and watcher is None:
        return SettraceWithin(selection)
    return Settrace(selection, watcher)


def tracing_threads(selection: Selection) -> Tracer:
    """The same for native threads: each that has called `enter_worker` is called back in."""
    if not selection.files:
        return Untraced()
    if sys.version_info >= (3, 12):
        return MonitoringThreads(selection)
    # It counts for the thread that sets it, whichever that is.
    return Settrace(selection)


def can_trace() -> bool:
    """Whether nobody else has taken what tracing needs: a debugger, coverage, a profiler."""
    if sys.version_info >= (3, 12):
        return any(sys.monitoring.get_tool(tool) is None for tool in _TOOL_IDS)
    return sys.gettrace() is None


class Tracers:
    """What traces executions in copies of this process, which end with them.

    What takes long is done here, once for each selection. In the copies it is not put back, because
    nothing else runs there.
    """

    def __init__(self) -> None:
        self._ahead: dict[Selection, Tracer] = {}
        # Whose calls are in the code of the process that is copied.
        self._put_in: SettraceWithin | None = None

    def look_ahead(self, selection: Selection) -> None:
        """To be called before copies are made in which that is selected."""
        if selection in self._ahead:
            return
        tracer = self._ahead[selection] = tracing(selection)
        if isinstance(tracer, SettraceWithin):
            tracer.look_ahead()

    def put_ahead(self, selection: Selection) -> None:
        """Look ahead, and leave what was found as it is to be in copies.

        It does nothing outside of an execution. In a copy, to change it takes longer than a short
        execution does, since each page that is written to is copied first.
        """
        if self._put_in is not None and self._put_in is self._ahead.get(selection):
            return
        # Before it is looked: what another one left is not what is to be put back.
        self._take_out()
        self.look_ahead(selection)
        tracer = self._ahead[selection]
        if isinstance(tracer, SettraceWithin):
            tracer.put_ahead()
            self._put_in = tracer

    def of(self, selection: Selection, watcher: Watcher | None = None) -> Tracer:
        """To be called in a copy, as `tracing` is."""
        ahead = self._ahead.get(selection) if watcher is None else None
        if ahead is not self._put_in:
            self._take_out()
        return tracing(selection, watcher) if ahead is None else ahead

    def _take_out(self) -> None:
        if self._put_in is not None:
            self._put_in.take_out()
            self._put_in = None


class Untraced:
    """Switch points are at blocking calls alone."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        pass

    def begin(self, reach: Reach) -> None:
        pass

    def enter_worker(self) -> None:
        pass

    def end(self) -> None:
        pass


class Settrace(Untraced):
    """Traces by `sys.settrace`, which counts for one C stack: each greenlet has to set it anew."""

    def __init__(self, selection: Selection, watcher: Watcher | None = None) -> None:
        self._files = selection.files
        self._opcodes = selection.granularity == "opcode"
        self._watcher = watcher
        self._trace: Callable[..., Any] | None = None

    def begin(self, reach: Reach) -> None:
        if (taken := sys.gettrace()) is not None:
            raise UsageError(_taken(f"the trace function {taken!r} is set"))
        local = _at_opcodes(reach) if self._opcodes else _at_lines(reach)
        files, opcodes = self._files, self._opcodes

        def enter_frame(frame: FrameType, event: str, arg: object) -> Any:
            code = frame.f_code
            if code.co_filename not in files:
                return None
            return local(frame, event, arg) if opcodes or not _is_in_its_line(code) else None

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
        return code.co_filename in self._files and not _is_in_its_line(code)

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

        def outermost(frame: FrameType, event: str, arg: object) -> Any:
            if event == "line":
                reach((frame.f_code, frame.f_lineno))
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
            reach((frame.f_code, frame.f_lineno))
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


def _is_in_its_line(code: CodeType) -> bool:
    """Whether it is a comprehension within one line, which is no line of its own.

    Python 3.12 has no code objects for most of these, and 3.13 no line events for any. What all
    leave out, a schedule that was recorded on one of them does not need on another.
    """
    if code.co_name not in _COMPREHENSIONS:
        return False
    return all(line in (None, code.co_firstlineno) for _, _, line in code.co_lines())


def _taken(what: str) -> str:
    return (
        f"{what}, so lines cannot be made switch points. A controlled schedule needs tracing for "
        "itself. Run it without the debugger, profiler or coverage, or with `schedule: {kind: os}`."
    )


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
            event = events.LINE if self._lines else events.INSTRUCTION
            if self._watcher is None:
                return {event: self._at_line if self._lines else self._at_instruction}
            return {
                event: self._watch_line if self._lines else self._watch_instruction,
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
            if code.co_filename not in self._files:
                return _DISABLE
            # Named here too, since that is a call less at each line.
            if code.co_name in _COMPREHENSIONS and _is_in_its_line(code):
                return _DISABLE
            reach = self._reach
            if reach is not None and get_ident() == self._thread:
                reach((code, line))
            return None

        def _at_instruction(self, code: CodeType, offset: int) -> Any:
            if code.co_filename not in self._files:
                return _DISABLE
            reach = self._reach
            if reach is not None and get_ident() == self._thread:
                reach((code, _line_at(code, offset)))
            return None

        def _watch_line(self, code: CodeType, line: int) -> None:
            frame = sys._getframe(1)
            reach = None if _is_in_its_line(code) else self._at_line
            self._watch(frame, "line", reach and partial(reach, code, line))

        def _watch_instruction(self, code: CodeType, offset: int) -> None:
            self._watch(sys._getframe(1), "opcode", partial(self._at_instruction, code, offset))

        def _watch_raise(self, _code: CodeType, _offset: int, _error: object) -> None:
            self._watch(sys._getframe(1), "exception", None)

        def _watch_return(self, _code: CodeType, _offset: int, _value: object) -> None:
            frame = sys._getframe(1)
            self._watch(frame, "return", None)
            self._shown.pop(frame, None)

        def _watch(self, frame: FrameType, event: str, reach: Callable[[], Any] | None) -> None:
            watcher = self._watcher
            if watcher is None or self._reach is None or get_ident() != self._thread:
                return
            lines, comes = None, False
            if watcher.wants(frame.f_code.co_filename):
                lines = self._shown.setdefault(frame, Shown(watcher))
                comes = lines.left(frame, event)
            if reach is not None:
                reach()
            if comes and lines is not None:
                lines.entered(frame)

    class MonitoringThreads(Monitoring):
        """Calls back in whichever thread comes by; whose that is, is looked up there."""

        def _at_line(self, code: CodeType, line: int) -> Any:
            if code.co_filename not in self._files or _is_in_its_line(code):
                return _DISABLE
            if (reach := self._reach) is not None:
                reach((code, line))
            return None

        def _at_instruction(self, code: CodeType, offset: int) -> Any:
            if code.co_filename not in self._files:
                return _DISABLE
            if (reach := self._reach) is not None:
                reach((code, _line_at(code, offset)))
            return None

    def _free_tool() -> int:
        for tool in _TOOL_IDS:
            if _monitoring.get_tool(tool) is None:
                return tool
        names = " and ".join(f"{each} ({_monitoring.get_tool(each)})" for each in _TOOL_IDS)
        raise UsageError(_taken(f"the tool ids {names} of sys.monitoring are in use"))

    _lines: dict[CodeType, dict[int, int]] = {}

    def _line_at(code: CodeType, offset: int) -> int:
        lines = _lines.get(code)
        if lines is None:
            lines = _lines[code] = {
                at: line or 0 for start, end, line in code.co_lines() for at in range(start, end, 2)
            }
        return lines.get(offset, code.co_firstlineno)
