"""How a case is carried on native threads, where nothing stands in: each request's worker is one.

It is held at the lines at which a schedule switched; locks, waits and time are real.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from ctxsim.cell.patching import Native as Kept
from ctxsim.cell.patching import patched_time
from ctxsim.cell.plan import Search
from ctxsim.cell.schedule.execution import Limits
from ctxsim.cell.schedule.legs import Legs, Noted
from ctxsim.cell.schedule.native import Native, held_after, slept
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.tracing import tracing_threads
from ctxsim.cell.schedule.watching import Watcher
from ctxsim.cell.searching.selecting import of_lines
from ctxsim.cell.targets import is_asynchronous
from ctxsim.cell.visits import Request
from ctxsim.cell.workers.carry import Carrier, Crew, carry_each, new_baseline
from ctxsim.errors import TargetError


def prepare(kept: Kept) -> None:
    """Have sleeping threads be held when they go on; before the application is imported."""
    kept.sleep = held_after(kept.sleep)
    time.sleep = kept.sleep  # noqa: TID251 - what the application calls


class NativeThreads:
    """They go on by the `legs` of each window, and without any one after the other."""

    started = "thread"
    at_lines = True
    one_each = False
    orders_first = True
    asked: frozenset[str] = frozenset()

    def __init__(self, crew: Crew, still_s: float) -> None:
        self.legs: tuple[Legs, ...] = ()
        # What carried last, and so in a copy of the process the one that carries there.
        self.last: Native | None = None
        self._crew = crew
        self._still_s = still_s

    def settle(self) -> None:
        if is_asynchronous(self._crew.target):
            raise TargetError("the application is asynchronous: its requests are tasks of one loop")
        if patched_time():
            raise TargetError(
                "the application patches itself for gevent when it is imported: what it takes for "
                "threads are greenlets"
            )

    def selections(self, search: Search) -> list[Selection]:
        return of_lines(self._crew.workers, search)

    def look_ahead(self, selection: Selection) -> None:
        """They are traced as a whole."""

    @contextmanager
    def conductor(
        self,
        selection: Selection,
        limits: Limits,
        watcher: Watcher | None = None,
        noted: Noted | None = None,
    ) -> Iterator[Native]:
        with Native(tracing_threads(selection), self.legs, self._still_s) as native:
            self.last = native
            yield native

    def worker(self, carrier: Carrier, requests: Iterator[Request]) -> Callable[[], None]:
        return partial(self._carry, carrier, requests)

    def _carry(self, carrier: Carrier, requests: Iterator[Request]) -> None:
        carry_each(self._crew, carrier, requests, new_baseline(), slept)
