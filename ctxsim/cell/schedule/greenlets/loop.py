"""A loop for gevent's hub: what it is given to call waits here until a schedule takes it.

It is no libev loop, and no part of one runs: there are callbacks, timers in virtual time, and
watchers of the outside world, which refuse to be started. All that gevent's primitives ask of a
loop is here.
"""

from __future__ import annotations

import sys
from bisect import insort
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Self

from ctxsim.cell.schedule.greenlets.outside import Ignored, Refused
from ctxsim.cell.schedule.greenlets.pipes import Pipe
from ctxsim.cell.schedule.states import Roster, Worker

_OF_PROCESSES = "a process"
_SOON: Final = 0.001


class Callback:
    """Something to be called in the hub, once.

    It stays true while it runs, and is false afterwards: gevent asks that to know whether others
    have been told that what they wait for has come.
    """

    __slots__ = ("args", "by", "callback")

    def __init__(
        self, callback: Callable[..., object], args: tuple[Any, ...], by: Worker | None
    ) -> None:
        """`by` is the worker that asked for it; None in the hub."""
        self.callback: Callable[..., object] | None = callback
        self.args: tuple[Any, ...] | None = args
        self.by = by

    def stop(self) -> None:
        self.callback = None
        self.args = None

    close = stop

    @property
    def pending(self) -> bool:
        return self.callback is not None

    def __bool__(self) -> bool:
        return self.args is not None

    def call(self) -> None:
        callback, args = self.callback, self.args
        self.callback = None
        try:
            if callback is not None and args is not None:
                callback(*args)
        finally:
            self.args = None


class Timer:
    """Is called when its time has come; armed again where it repeats."""

    def __init__(self, loop: Loop, after: float, repeat: float, *, ref: bool) -> None:
        if repeat < 0:
            raise ValueError("repeat must be positive or zero")
        self.loop = loop
        self.ref = ref
        self.priority = 0
        self.callback: Callable[..., object] | None = None
        self.args: tuple[Any, ...] | None = None
        self.active = False
        self.pending = False
        self.by: Worker | None = None
        self.deadline_s = 0.0
        self._after_s = max(0.0, after)
        self._repeat_s = repeat

    def start(self, callback: Callable[..., object], *args: Any, update: object = None) -> None:
        if not callable(callback):
            raise TypeError(f"Expected callable, not {callback!r}")
        self.stop()
        self.callback, self.args, self.by = callback, args, self.loop.running()
        self._arm(self._after_s)

    def again(self, callback: Callable[..., object], *args: Any, update: object = None) -> None:
        self.start(callback, *args)

    def stop(self) -> None:
        self.loop.forget(self)
        self.callback = self.args = None
        self.active = self.pending = False

    close = stop

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def call(self) -> None:
        callback, args = self.callback, self.args
        self.pending = False
        if self._repeat_s:
            self._arm(self._repeat_s)
        if callback is not None and args is not None:
            callback(*args)
        if not self.active:
            self.stop()

    def _arm(self, after_s: float) -> None:
        self.active = True
        self.loop.arm(self, after_s)


class Loop:
    """What a hub talks to in place of libev's; `run` is its whole life.

    `waiting` are the callbacks and the timers whose time has come, in the order in which libev
    would call them.
    """

    # What gevent asks of any loop.
    MAXPRI, MINPRI = 2, -2
    default = True
    approx_timer_resolution = _SOON
    error_handler: Any = None

    def __init__(self, roster: Roster) -> None:
        self.waiting: list[Callback | Timer] = []
        # In the order of their deadlines, and of their births where these are equal.
        self._timers: list[tuple[float, int, Timer]] = []
        self._armed = 0
        # The time is that of the execution that runs.
        self.roster = roster
        # What the hub does when it is switched to, and who goes on when it has done it.
        self.work: Callable[[], None] | None = None
        self.main: Any = None
        # The hub's own loop, which does not run meanwhile.
        self.real: Any = None
        # Who goes on in the execution that runs; None in the hub.
        self.running: Callable[[], Worker | None] = nobody
        # Ends the execution that runs: given what is waited for, and where.
        self.escape: Callable[[str, FrameType, str], None] | None = None

    def run(self, nowait: bool = False, once: bool = False) -> None:
        while self.work is not None:
            self.work()
            self.main.switch()

    def run_callback(self, callback: Callable[..., object], *args: Any) -> Callback:
        if not callable(callback):
            raise TypeError(f"Expected callable, not {callback!r}")
        called = Callback(callback, args, self.running())
        self.waiting.append(called)
        return called

    run_callback_threadsafe = run_callback

    def timer(
        self, after: float, repeat: float = 0.0, ref: bool = True, priority: int | None = None
    ) -> Timer:
        return Timer(self, after, repeat, ref=ref)

    def arm(self, timer: Timer, after_s: float) -> None:
        """Call the timer when so much time has passed; at once where that is none."""
        if after_s <= 0:
            timer.active, timer.pending = False, True
            self.waiting.append(timer)
            return
        self._armed += 1
        timer.deadline_s = self.roster.deadline_s(after_s)
        insort(self._timers, (timer.deadline_s, self._armed, timer))

    def forget(self, timer: Timer) -> None:
        if timer.active:
            self._timers = [each for each in self._timers if each[2] is not timer]
        if timer.pending:
            self.waiting = [each for each in self.waiting if each is not timer]

    @property
    def earliest_s(self) -> float | None:
        """When the next timer is due; None where there is none."""
        return self._timers[0][0] if self._timers else None

    def let_due(self) -> None:
        """Take up the timers whose time has come."""
        while self._timers and self._timers[0][0] <= self.roster.now_s:
            timer = self._timers.pop(0)[2]
            timer.active, timer.pending = False, True
            self.waiting.append(timer)

    def drop_all(self) -> None:
        """Forget whatever was to be called."""
        for _, _, timer in list(self._timers):
            timer.stop()
        for each in list(self.waiting):
            each.stop()
        self.waiting = []

    def now(self) -> float:
        return self.roster.now_s

    def update_now(self) -> None:
        """The time goes on where nobody is ready, and nowhere else."""

    update = update_now

    def handle_error(self, context: object, kind: Any, error: Any, traceback: Any) -> None:
        self.error_handler.handle_error(context, kind, error, traceback)

    def refuse(self, awaited: str, module: str = "") -> None:
        if self.escape is None:
            raise RuntimeError(f"{awaited} is waited for, and no execution runs that it could end")
        self.escape(awaited, sys._getframe(1), module)

    # What comes from outside of the process comes by no schedule.
    def io(self, fd: int, events: int, ref: bool = True, priority: int | None = None) -> Refused:
        return Pipe(self, fd, events)

    def child(self, pid: int, trace: int = 0, ref: bool = True) -> Refused:
        return Refused(self, _OF_PROCESSES)

    def install_sigchld(self) -> None:
        Refused(self, _OF_PROCESSES, "subprocess").start()

    def reset_sigchld(self) -> None:
        """Nothing was installed."""

    def async_(self, ref: bool = True, priority: int | None = None) -> Refused:
        return Refused(self, "a native thread, as those of gevent's threadpool")

    def signal(self, number: int, ref: bool = True, priority: int | None = None) -> Refused:
        return Refused(self, "a signal")

    def stat(self, path: str, interval: float = 0.0, ref: bool = True) -> Refused:
        return Refused(self, "a change of a file")

    def fork(self, ref: bool = True, priority: int | None = None) -> Ignored:
        return Ignored(self)

    def idle(self, ref: bool = True, priority: int | None = None) -> Timer:
        return self.timer(0.0, ref=ref)

    prepare = check = idle

    def closing_fd(self, fd: int) -> bool:
        """Whether something waits to be told of that file; nothing ever does."""
        return False

    def fileno(self) -> None:
        return None

    def _format(self) -> str:
        return f"ctxsim waiting={len(self.waiting)} timers={len(self._timers)}"


def nobody() -> None:
    """No execution runs."""
