"""`greenlets:N`: a greenlet for each request. `threads:T x greenlets:N`: N on each of T hubs.

The greenlets of crossed workers are a pool: each carries one request after the other, and so takes
over what an earlier one left in its context, as a reused thread does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import gevent.event

from ctxsim.cell.targets.faults import is_killed
from ctxsim.cell.visits import Request
from ctxsim.cell.workers.carry import Crew, new_baseline
from ctxsim.cell.workers.threads import in_threads

_HOUR_S = 3600

# Where a greenlet was spawned is our own code, and of no use to anyone; it costs 1 KB for each.
gevent.config.track_greenlet_tree = False


def run(crew: Crew) -> None:
    Hub(crew, min(crew.workers.count, crew.traffic.width)).run()


def run_crossed(crew: Crew) -> None:
    """T native threads, each with a hub and a pool of greenlets of its own."""
    threads = min(crew.workers.threads, crew.traffic.width)
    each = min(crew.workers.count, crew.traffic.width // threads)
    in_threads(threads, lambda: Pool(crew, each).run())


@contextmanager
def _open_loop() -> Iterator[None]:
    """Keep the hub's loop alive, as a server's listening socket does.

    Greenlets that all wait for each other then hang, as they would in production, and are told as
    a hang. Otherwise gevent would raise LoopExit here, which would look like a fault of ours.
    """
    timer = gevent.get_hub().loop.timer(_HOUR_S, repeat=_HOUR_S)
    timer.start(lambda: None)
    try:
        yield
    finally:
        timer.stop()
        timer.close()


def give_way() -> None:
    gevent.sleep(0)


class Killable(gevent.Greenlet):  # type: ignore[type-arg]
    """A greenlet that can be killed at the n-th switch point of its request.

    By count, since that can be repeated, and not by a timer. It is killed while it waits, as
    `Greenlet.kill` does it: at the moment in which it is resumed, what it waited for would be lost
    to all others that wait (a notified `Condition`, and with it any `queue.Queue`).
    """

    def begin(self, request: Request) -> None:
        """The greenlet goes on with `request`, which is to be killed."""
        # The hub runs it when this greenlet has come to its next switch point.
        gevent.get_hub().loop.run_callback(self._wait, request)

    def switch(self, *args: Any) -> Any:
        # Whatever a greenlet waits for resumes it by this.
        request: Request | None = self.__dict__.get("ctxsim_request")
        if request is not None and request.fault == "cancel" and not request.faulted:
            self.begin(request)
        return super().switch(*args)

    def _wait(self, request: Request) -> None:
        if self.__dict__.get("ctxsim_request") is request and is_killed(request):
            self.throw(gevent.GreenletExit())


def may_be_killed(request: Request) -> None:
    """Kill the greenlet that calls, if that befalls the request which it begins to carry."""
    if request.fault != "cancel":
        return
    current = gevent.getcurrent()
    if isinstance(current, Killable):
        current.begin(request)


class Hub:
    """Keeps `count` greenlets in flight on the calling thread until the traffic ends."""

    def __init__(self, crew: Crew, count: int) -> None:
        self._crew = crew
        self._count = count
        self._carrier = crew.carrier()
        self._copied = crew.workers.variant == "copied"
        self._active = 0
        self._ended = gevent.event.Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        # Counted before any is started: the first could otherwise end the run alone.
        self._active = self._count
        for _ in range(self._count):
            self._start_next()
        with _open_loop():
            self._ended.wait()
        if self._error is not None:
            raise self._error

    def _start_next(self) -> None:
        request = None
        try:
            request = None if self._error else self._crew.traffic.take()
        except BaseException as error:  # noqa: BLE001 - raised again by `run`
            self._error = error
        if request is not None:
            spawn = Killable.spawn if request.fault == "cancel" else gevent.spawn
            spawn(self._carry, request)
            return
        self._active -= 1
        if self._active == 0:
            self._ended.set()

    def _carry(self, request: Request) -> None:
        try:
            if self._copied:
                self._crew.imported_in.copy().run(self._run, request)
            else:
                self._run(request)
        except BaseException as error:  # noqa: BLE001 - raised again by `run`
            self._error = self._error or error
        finally:
            self._start_next()

    def _run(self, request: Request) -> None:
        may_be_killed(request)
        self._carrier.run(request, None, give_way)


class Pool:
    """Has `count` greenlets carry requests on the calling thread until the traffic ends."""

    def __init__(self, crew: Crew, count: int) -> None:
        self._crew = crew
        self._count = count
        self._carrier = crew.carrier()
        self._kills = crew.plan.faults.cancel > 0

    def run(self) -> None:
        spawn = Killable.spawn if self._kills else gevent.spawn
        greenlets = [spawn(self._work) for _ in range(self._count)]
        with _open_loop():
            gevent.joinall(greenlets)
        errors = (each.exception for each in greenlets)
        for error in errors:
            if error is not None:
                raise error

    def _work(self) -> None:
        baseline = new_baseline()
        while (request := self._crew.traffic.take()) is not None:
            may_be_killed(request)
            self._carrier.run(request, baseline, give_way)
            # The others' turn: a request that never waits must not be the only one there is.
            gevent.sleep(0)
