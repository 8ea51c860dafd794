"""Who is ready, who is blocked and on what, who has ended; and the time, which is virtual."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar, Final, Literal, Protocol

from ctxsim.cell.schedule.execution import Ended, Kind, Wait
from ctxsim.cell.schedule.places import Place, site_of
from ctxsim.cell.schedule.points import Site

State = Literal["ready", "running", "blocked", "done"]
# How long the time goes on for daemon threads when all others have ended: long enough for what a
# request leaves to be done soon, and an end for those that wake again and again.
_LINGER_S = 10.0
# Times are whole ticks, which floating-point numbers add up to and take apart without an error.
TICKS_PER_S: Final = 2**20


class Waitable(Protocol):
    """What a worker can wait for; `called` is by which call, for the reader."""

    called: ClassVar[str]

    def holder(self) -> tuple[Worker, Place] | None:
        """The worker that has it and where it took it, if one does."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a worker is blocked on; `called` names it, `since` is a step."""

    on: Waitable | None
    called: str
    since: int
    deadline_s: float | None = None


class Worker:
    """A simulated thread, or a task of the loop, which has no thread of its own.

    Its number is that of its birth, because addresses do not repeat.
    """

    __slots__ = (
        "at_end",
        "call",
        "daemon",
        "ended",
        "greenlet",
        "kind",
        "number",
        "started_at",
        "starter",
        "trail",
        "waiting",
    )

    def __init__(self, number: int, call: Any, *, daemon: bool) -> None:
        self.number = number
        self.call = call
        self.daemon = daemon
        self.kind: Kind = "thread"
        # The worker that started it, where that is known.
        self.starter: Worker | None = None
        self.started_at: Place | None = None
        # What carries it on: its own greenlet, or one that the application started in it.
        self.greenlet: Any = None
        self.trail: list[Place] = []
        # Only `Roster` writes these two; together they are the worker's state.
        self.waiting: Waiting | None = None
        self.ended: Ended | None = None
        self.at_end: list[Callable[[], None]] = []

    @property
    def starts(self) -> Iterator[Place]:
        """Where it was started, where that one was that had started it, and so on."""
        if self.starter is None:
            return
        if self.started_at is not None:
            yield self.started_at
        elif self.starter.trail:
            yield self.starter.trail[-1]
        yield from self.starter.starts

    @property
    def behind(self) -> Worker:
        """Itself, or the first of those by whom it was started, one by the other."""
        return self if self.starter is None else self.starter.behind

    @property
    def ident(self) -> int:
        """Never 0, which Python's own locks take for nobody."""
        return self.number + 1


class Alarm(Protocol):
    """What else happens at a time than that a worker's patience ends."""

    def deadline_s(self) -> float | None:
        """When it is due next; None where nothing is."""

    def ring(self) -> None:
        """That time has come."""


class Roster:
    """All workers of an execution. Here alone they become ready, blocked and done."""

    def __init__(self) -> None:
        self.workers: list[Worker] = []
        # The numbers of those that can go on, ascending, as choosers want them.
        self.ready: list[int] = []
        self.now_s = 0.0
        # How often a clock was looked at.
        self.looks = 0
        # When the last of those ended that are no daemons; None before.
        self._over_s: float | None = None
        self._given = 0
        self.alarm: Alarm | None = None

    def deadline_s(self, timeout_s: float) -> float:
        """When a time of at least so long has passed, in whole ticks."""
        return self.now_s + ceil(timeout_s * TICKS_PER_S) / TICKS_PER_S

    def give(self, calls: list[Any]) -> None:
        """The workers that the execution is for; others are started by these."""
        for call in calls:
            self.add(call, daemon=False)
        self._given = len(self.workers)

    def add(self, call: Any, *, daemon: bool) -> Worker:
        worker = Worker(len(self.workers), call, daemon=daemon)
        self.workers.append(worker)
        self.ready.append(worker.number)
        return worker

    def block(self, worker: Worker, waiting: Waiting) -> None:
        worker.waiting = waiting
        self.ready.remove(worker.number)

    def wake(self, worker: Worker) -> None:
        """Let a blocked worker look again; one that is ready or done stays so."""
        if worker.waiting is not None:
            worker.waiting = None
            insort(self.ready, worker.number)

    def end(self, worker: Worker, ended: Ended) -> None:
        if worker.ended is None:
            worker.ended = ended
            worker.waiting = None
            if worker.number in self.ready:
                self.ready.remove(worker.number)

    def state(self, worker: Worker, running: Worker | None) -> State:
        if worker.ended is not None:
            return "done"
        if worker.waiting is not None:
            return "blocked"
        return "running" if worker is running else "ready"

    @property
    def is_over(self) -> bool:
        """Whether all have ended, and nothing is to happen that could start another."""
        return self.alarm is None and all(each.ended is not None for each in self.workers)

    def blocked(self) -> list[Worker]:
        return [each for each in self.workers if each.waiting is not None]

    def pass_time(self) -> bool:
        """Go on to the earliest deadline, if there is one: all whose deadline it is are woken.

        Which of them is first is then a choice like any other, and each looks once more for what
        it waits for: a lock can be had at the very moment at which the patience for it ends.
        """
        earliest_s = self.next_deadline_s()
        if earliest_s is None or self.is_too_late(earliest_s):
            return False
        self._set_time(max(self.now_s, earliest_s))
        return True

    def let_pass(self, draw: Callable[[Literal["deadline"], int], int]) -> None:
        """Let time pass, if that is drawn, where all who are ready are requests yet to come.

        A request may come at any time, after others have slept too.
        """
        while self._are_to_come() and draw("deadline", 2):
            self.pass_time()

    def _are_to_come(self) -> bool:
        if not self.ready or any(n >= self._given or self.workers[n].trail for n in self.ready):
            return False
        earliest_s = self.next_deadline_s()
        return earliest_s is not None and not self.is_too_late(earliest_s)

    def next_deadline_s(self) -> float | None:
        """The earliest deadline; None where there is none."""
        times = [deadline_s for deadline_s, _ in self._deadlines()]
        if self.alarm is not None and (alarm_s := self.alarm.deadline_s()) is not None:
            times.append(alarm_s)
        return min(times, default=None)

    def pass_s(self, seconds: float) -> None:
        """Let so much time pass: whose deadline it is by then is woken."""
        self._set_time(self.deadline_s(seconds))

    def _set_time(self, now_s: float) -> None:
        self.now_s = now_s
        for deadline_s, worker in list(self._deadlines()):
            if deadline_s <= now_s:
                self.wake(worker)
        if self.alarm is not None:
            self.alarm.ring()

    def _deadlines(self) -> Iterator[tuple[float, Worker]]:
        for worker in self.workers:
            if worker.waiting is not None and worker.waiting.deadline_s is not None:
                yield worker.waiting.deadline_s, worker

    def is_too_late(self, deadline_s: float) -> bool:
        if not self.only_daemons():
            return False
        if self._over_s is None:
            self._over_s = self.now_s
        return deadline_s > self._over_s + _LINGER_S

    def only_daemons(self) -> bool:
        """Whether all have ended that a process would wait for before it exits.

        A thread that a request has started and that waits for work, as one of a pool, is no more.
        """
        return all(
            each.daemon or self._is_idle(each) for each in self.workers if each.ended is None
        )

    def _is_idle(self, worker: Worker) -> bool:
        waiting = worker.waiting
        return worker.number >= self._given and waiting is not None and waiting.deadline_s is None

    def sites(self) -> tuple[Site, ...]:
        """Where those stand that have not ended."""
        going = [each for each in self.workers if each.ended is None and each.trail]
        return tuple(site_of(each.trail) for each in going)

    def waits(self) -> tuple[Wait, ...]:
        """Who waits for whom; empty where all that is blocked are workers that have nothing to do.

        So it is with the threads of a pool: nobody holds what they wait for, they are just idle.
        """
        blocked = self.blocked()
        waits = [_wait_of(each, each.waiting) for each in blocked if each.waiting is not None]
        if any(each.worker < self._given or each.holder is not None for each in waits):
            return tuple(waits)
        return ()


def _wait_of(worker: Worker, waiting: Waiting) -> Wait:
    held = None if waiting.on is None else waiting.on.holder()
    site = site_of(worker.trail)
    # A condition's waiter took its own lock right there; that says nothing.
    if held is None or (held[0] is worker and held[1] == worker.trail[-1]):
        return Wait(worker.number, waiting.called, site, waiting.since)
    holder, place = held
    # Nobody waits for one that has ended, nor for itself; but where it was taken is worth telling.
    number = None if holder is worker or holder.ended is not None else holder.number
    return Wait(worker.number, waiting.called, site, waiting.since, number, site_of((place,)))
