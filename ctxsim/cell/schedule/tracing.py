"""Switch points at the lines or opcodes of selected files.

Python 3.11 has `sys.settrace`, which from 3.12 on is slow and instruments lazily, so that a first
execution sees fewer opcodes than the next; there `sys.monitoring` is used. Both call back while
the interpreter takes all code for traced; whoever switches greenlets in there has to use
`sys.call_tracing`, or else only the worker that came first is traced, and nothing tells.
"""

from __future__ import annotations

import sys

from ctxsim.cell.schedule.monitoring import TOOL_IDS
from ctxsim.cell.schedule.selection import Selection, Tracer, Untraced
from ctxsim.cell.schedule.settrace import Settrace, SettraceWithin
from ctxsim.cell.schedule.watching import Watcher

if sys.version_info >= (3, 12):
    from ctxsim.cell.schedule.monitoring import Monitoring, MonitoringThreads


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
        return any(sys.monitoring.get_tool(tool) is None for tool in TOOL_IDS)
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
