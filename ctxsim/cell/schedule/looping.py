"""An asyncio loop that does nothing by itself: whoever runs it says what goes on.

What tasks and callbacks hand over stands here until then: for each task the step that it is ready
to take, all other callbacks in one order, and timers. Its time is that of the execution.

There is no selector: whoever wants a socket, a pipe or a process is told that none is to be had,
but for connections to servers on this machine, where these are allowed.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
import time
from asyncio import events
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from functools import partial
from itertools import count, groupby
from math import ceil, floor
from typing import Any, NoReturn

from ctxsim.cell.schedule.asking import Connection, Draw
from ctxsim.cell.schedule.leaving import is_near, leaving
from ctxsim.cell.schedule.lockstep import CutOff
from ctxsim.cell.schedule.places import Place, application_place, called_from_own, own_place
from ctxsim.cell.schedule.real import get_ident
from ctxsim.cell.schedule.states import TICKS_PER_S

Task = asyncio.Task[Any]
# How late an answer is that is not heard at once: whoever is ready goes on before time passes.
_LATE_S = 0.001

# By these a task goes on; the first is a type's name, the others are methods of tasks in C and in
# Python. Other methods of tasks are callbacks like any: `call_later(1, task.cancel)`.
_STEP_TYPE = "TaskStepMethWrapper"
_STEP_NAMES = frozenset({"task_wakeup", "__step", "__wakeup", "__eager_start"})
# What ends a sleep: of two sleeps that end together, the tasks are chosen from anyway.
_ENDS_SLEEP = asyncio.futures._set_result_unless_cancelled  # type: ignore[attr-defined]
_REFUSED = (
    *("create_server", "create_datagram_endpoint", "start_tls", "sendfile"),
    *("create_unix_connection", "create_unix_server", "connect_accepted_socket"),
    *("connect_read_pipe", "connect_write_pipe", "subprocess_shell", "subprocess_exec"),
    *("getaddrinfo", "getnameinfo", "add_reader", "add_writer", "sock_recv", "sock_recv_into"),
    *("sock_recvfrom", "sock_recvfrom_into", "sock_sendall", "sock_sendto", "sock_connect"),
    *("sock_accept", "sock_sendfile"),
)
_births = count(1)


class EscapedError(Exception):
    """The application asked the loop for what no schedule controls."""

    def __init__(self, called: str, place: Place, module: str = "") -> None:
        """Where what `module` does may be declared atomic."""
        super().__init__(f"loop.{called} leads out of the process, and no schedule controls that")
        self.called = called
        self.place = place
        self.module = module


class _Numbered:
    """Hashes by birth: the standard library keeps tasks in sets, whose order must not be chance."""

    __slots__ = ()
    _born: int

    def __hash__(self) -> int:
        try:
            return self._born
        except AttributeError:
            object.__setattr__(self, "_born", next(_births))
            return self._born


class _Future(_Numbered, asyncio.Future[Any]):
    __slots__ = ("_born",)


class _Task(_Numbered, asyncio.Task[Any]):
    __slots__ = ("_born",)


class Loop(asyncio.BaseEventLoop):
    """Holds what is ready; `number` of each is its place in the order in which it was handed over.

    `on_change` is called when something was handed over, `on_escape` before what leads out of the
    process is refused.
    """

    def __init__(self) -> None:
        super().__init__()
        self.steps: dict[Task, tuple[int, asyncio.Handle]] = {}
        # All that have not ended, in the order of their births; strongly, so that none vanishes
        # because of when garbage is collected.
        self.tasks: dict[Task, None] = {}
        self.root: Task | None = None
        self._until: asyncio.Future[None] | None = None
        self.now_s = 0.0
        self.on_change: Callable[[], None] = _nobody
        self.on_escape: Callable[[EscapedError], None] = _nobody
        self._callbacks: deque[tuple[int, asyncio.Handle]] = deque()
        # From other native threads than ours.
        self._posted: deque[tuple[Any, asyncio.Handle]] = deque()
        self._numbers = count()
        self._epoch_s: float | None = None
        self._thread = get_ident()
        self._has_given_executor = False
        # Whether it may be connected with servers on this machine, and those declared atomic.
        self.asks_near = False
        self._connections: list[Connection] = []

    # What tasks and applications call.

    def time(self) -> float:
        return self.now_s + (self._epoch_s or 0.0)

    def create_task(self, coro: Any, **named: Any) -> Task:
        if self.get_task_factory() is None:
            return _Task(coro, loop=self, **named)
        return super().create_task(coro, **named)

    def create_future(self) -> asyncio.Future[Any]:
        return _Future(loop=self)

    async def create_connection(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        **how: Any,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        frame = sys._getframe()
        is_special = any(how.get(each) for each in ("ssl", "sock", "local_addr"))
        if not self.asks_near or is_special or host is None or port is None:
            self._refuse("create_connection", own_place(frame))
        if not (is_near(host) or leaving.allows(frame, "asyncio")):
            module = called_from_own(frame, "asyncio")
            self._refuse("create_connection", own_place(frame), module)
        protocol = protocol_factory()
        late = partial(self.call_later, _LATE_S)
        connection = Connection(host, int(port), protocol, self.call_soon, late)
        leaving.ask(f"{host}:{port}", frame)
        self._connections.append(connection)
        self.call_soon(protocol.connection_made, connection)
        await asyncio.sleep(0)
        return connection, protocol

    def _refuse(self, called: str, place: Place, module: str = "") -> NoReturn:
        error = EscapedError(called, place, module)
        self.on_escape(error)
        raise error

    def run_forever(self) -> NoReturn:
        raise RuntimeError("this loop is run by a schedule")

    def run_until_complete(self, future: object) -> NoReturn:
        raise RuntimeError("this loop is run by a schedule")

    def add_signal_handler(self, sig: int, callback: object, *args: object) -> None:
        """No signal comes while requests are carried."""

    def remove_signal_handler(self, sig: int) -> bool:
        return False

    def remove_reader(self, fd: object) -> bool:
        return False

    def remove_writer(self, fd: object) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        # That a callback was cut off is no error of its own.
        if not isinstance(context.get("exception"), CutOff):
            super().call_exception_handler(context)

    def _write_to_self(self) -> None:
        """Whoever calls from another thread has handed over by now."""

    def _process_events(self, event_list: object) -> None:
        """There are none, without a selector."""

    def _call_soon(
        self, callback: Callable[..., object], args: Any, context: Context | None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        task = _task_of(callback)
        if get_ident() != self._thread:
            self._posted.append((task, handle))
            return handle
        self._hand_over(task, handle)
        return handle

    def _hand_over(self, task: Task | None, handle: asyncio.Handle) -> None:
        if task is None or task is self.root:
            self._callbacks.append((next(self._numbers), handle))
        else:
            self.tasks.setdefault(task)
            self.steps[task] = next(self._numbers), handle
        self.on_change()

    # What whoever runs it calls.

    def enter(self) -> Any:
        """Be the running loop of this thread; gives what `leave` takes."""
        before = sys.get_asyncgen_hooks()
        self._thread_id: int | None = self._thread
        sys.set_asyncgen_hooks(
            firstiter=self._asyncgen_firstiter_hook,  # type: ignore[attr-defined]
            finalizer=self._asyncgen_finalizer_hook,  # type: ignore[attr-defined]
        )
        events._set_running_loop(self)
        return before

    def leave(self, before: Any) -> None:
        events._set_running_loop(None)
        self._thread_id = None
        sys.set_asyncgen_hooks(*before)

    def begin(self, now_s: float) -> None:
        """Show the time of an execution from now on, in the terms of `time.monotonic`."""
        global _births  # noqa: PLW0603 - one execution at a time
        _births = count(1)
        self.now_s = now_s
        if self._epoch_s is None:
            shown_s: float = time.monotonic()
            self._epoch_s = floor((shown_s - now_s) * TICKS_PER_S) / TICKS_PER_S

    def begin_root(self) -> None:
        """Have a task stand for the server, which is no worker; it lasts until `end_root`.

        By how it is begun anyio knows it, whose threads end with it.
        """
        if self._until is not None:
            return
        self._until = self.create_future()
        self.root = root = _Task(_until(self._until), loop=self, context=Context())
        root.add_done_callback(asyncio.base_events._run_until_complete_cb)  # type: ignore[attr-defined]
        self.tasks.pop(root)
        self.step(root)

    def end_root(self) -> None:
        if self._until is not None:
            self._until.set_result(None)
            self._until = None

    def number(self) -> int:
        """The next place in the order of what is handed over."""
        return next(self._numbers)

    def first_callback(self) -> int | None:
        """The number of the callback that is first."""
        callbacks = self._callbacks
        while callbacks and callbacks[0][1].cancelled():
            callbacks.popleft()
        return callbacks[0][0] if callbacks else None

    def step(self, task: Task) -> None:
        """Have a task take the step that it is ready for; it may have ended then."""
        _, handle = self.steps.pop(task)
        try:
            handle._run()
        finally:
            if task.done():
                self.forget(task)

    def call_back(self) -> Place:
        """Call the callbacks that are first; gives where the last one is.

        Those that they hand over wait for another time, as do those behind a task's step.
        """
        first = self.first_callback()
        place = application_place(sys._getframe())
        if first is None:
            return place
        end = min(
            (number for number, _ in self.steps.values() if number > first),
            default=next(self._numbers),
        )
        while (number := self.first_callback()) is not None and number < end:
            _, handle = self._callbacks.popleft()
            place = _place_of(handle) or place
            handle._run()
        return place

    def run_on(self, tasks: list[Task], most: int) -> None:
        """Have these tasks go on in the order of the loop until they end, for so many steps."""
        for _ in range(most):
            if all(task.done() for task in tasks):
                return
            ready = [task for task in tasks if task in self.steps]
            if self.first_callback() is not None:
                self.call_back()
            elif ready:
                self.step(min(ready, key=self.steps.__getitem__))
            elif (deadline_s := self.deadline_s()) is not None:
                self.ring(max(deadline_s, self.now_s), lambda _: 0)
            else:
                return

    def drop(self, task: Task) -> None:
        """Forget a task that does not end."""
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        self.forget(task)
        with suppress(BaseException):
            task.get_coro().close()

    @property
    def executor(self) -> object:
        """The pool that the loop has made for itself."""
        return None if self._has_given_executor else self._default_executor

    def set_default_executor(self, executor: Any) -> None:
        self._has_given_executor = True
        super().set_default_executor(executor)

    def drop_executor(self) -> None:
        """End its threads when they have nothing to do; another one is made when it is needed."""
        if self.executor is not None:
            executor: Any = self.executor
            executor.shutdown(wait=False)
            self._default_executor = None

    def hear(self, draw: Draw) -> None:
        """Wait for the answers of servers that were asked; they come as callbacks."""
        for each in self._connections:
            each.hear(draw)
        self._connections = [each for each in self._connections if not each.is_closing()]

    def may_be_told_by(self) -> str:
        """The address of a server to which a connection is open; '' for none."""
        return next((each.peer for each in self._connections if not each.is_closing()), "")

    def take_heard(self, draw: Draw) -> bool:
        """Hand over what servers said late, or unasked; whether there was anything."""
        heard = [each.take(draw) for each in self._connections]
        return any(heard)

    def forget(self, task: Task) -> None:
        self.steps.pop(task, None)
        self.tasks.pop(task, None)

    def has_posted(self) -> bool:
        return bool(self._posted)

    def take_posted(self) -> bool:
        """Hand over what other native threads have posted; whether there was anything."""
        count_of_posted = len(self._posted)
        while self._posted:
            self._hand_over(*self._posted.popleft())
        return count_of_posted > 0

    def deadline_s(self) -> float | None:
        """When the next timer is due, in the time of the execution; None without one."""
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        while timers and timers[0].cancelled():
            heapq.heappop(timers)._scheduled = False  # type: ignore[attr-defined]
        return self._due_s(timers[0]) if timers else None

    def ring(self, now_s: float, draw: Draw) -> bool:
        """Hand over the timers that are due; `draw` says which of those due together is first."""
        self.now_s = now_s
        due: list[asyncio.TimerHandle] = []
        while (deadline_s := self.deadline_s()) is not None and deadline_s <= now_s:
            timer = heapq.heappop(self._scheduled)  # type: ignore[attr-defined]
            timer._scheduled = False
            due.append(timer)
        for _, together in groupby(due, self._due_s):
            for timer in _in_order(list(together), draw):
                self._hand_over(None, timer)
        return bool(due)

    def _due_s(self, timer: asyncio.TimerHandle) -> float:
        return ceil((timer.when() - (self._epoch_s or 0.0)) * TICKS_PER_S) / TICKS_PER_S


async def _until(future: asyncio.Future[None]) -> None:
    await future


def end_quietly(task: Task) -> None:
    """Have nobody told of how a task ended that was cut off."""
    if task.done() and not task.cancelled():
        task.exception()


def _nobody(*_what: object) -> None:
    """Nobody runs it."""


def _task_of(callback: Any) -> Task | None:
    """The task that goes on by this callback; None for any other callback."""
    owner = getattr(callback, "__self__", None)
    if not isinstance(owner, asyncio.Task):
        return None
    is_step = (
        type(callback).__name__ == _STEP_TYPE or getattr(callback, "__name__", "") in _STEP_NAMES
    )
    return owner if is_step else None


def _place_of(handle: Any) -> Place | None:
    code = getattr(handle._callback, "__code__", None)
    return None if code is None else (code, code.co_firstlineno)


def _in_order(timers: list[asyncio.TimerHandle], draw: Draw) -> list[asyncio.TimerHandle]:
    if all(each._callback is _ENDS_SLEEP for each in timers):  # type: ignore[attr-defined]
        return timers
    ordered = []
    while len(timers) > 1:
        ordered.append(timers.pop(draw(len(timers))))
    return ordered + timers


def _refusing(name: str) -> Callable[..., NoReturn]:
    def refuse(self: Loop, *args: object, **named: object) -> NoReturn:
        self._refuse(name, own_place(sys._getframe(1)))

    refuse.__name__ = name
    return refuse


for _name in _REFUSED:
    setattr(Loop, _name, _refusing(_name))
