"""An open load: requests become due at even intervals, whether or not earlier ones were answered.

A closed load sends less where answers are slow, and so leaves out just those latencies that would
be worst (Tene, "How NOT to measure latency": coordinated omission). Here a request that could not
be sent in time is late, and its latency says so; one that was never sent has waited until the end
at least, and that counts as its latency.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

from ctxsim.cell.plan import Plan
from ctxsim.cell.visits import Request, Response, Traffic

# Who waits for its time looks so often whether it was told to stop.
_LONGEST_WAIT_S = 0.1
_LATE = 0.95
# Of more requests, several are said to have waited for as long.
_MOST_WAITS = 10_000


class Evenly:
    """Lets one caller, which comes again and again, go on at no more than a rate."""

    def __init__(
        self, rate_per_s: float, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._every_s = 1 / rate_per_s
        self._clock = clock
        self._sleep = sleep
        self._next = clock()

    def wait(self) -> None:
        """Return when the caller may go on."""
        while (left_s := self._next - self._clock()) > 0:
            self._sleep(min(left_s, _LONGEST_WAIT_S))
        self._next = self._clock() + self._every_s


class OpenTraffic(Traffic):
    """Traffic at a rate. `sleep` is how the workers that ask for requests wait."""

    def __init__(
        self, plan: Plan, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        super().__init__(plan, clock)
        assert plan.load.rate_per_s is not None
        self._every_s = 1 / plan.load.rate_per_s
        self._sleep = sleep
        self._arrivals = itertools.count()
        self._answered = itertools.count()
        self._began = self._now = clock()
        self._number_answered = 0
        # When no more become due.
        self._until = float("inf")

    def begin(self) -> None:
        super().begin()
        self._began = self._clock()
        self._until = self._deadline

    def stop(self) -> None:
        self._until = min(self._until, self._clock())
        super().stop()

    def take(self) -> Request | None:
        due = self._began + next(self._arrivals) * self._every_s
        # One that is due after the end is none; the end is where the last one was due.
        while (left_s := min(due, self._deadline) - self._clock()) > 0:
            self._sleep(min(left_s, _LONGEST_WAIT_S))
        if due >= self._deadline:
            return None
        request = super().take()
        if request is not None:
            request.due = due
        return request

    def done(self, request: Request, response: Response, *, kept_promise: bool) -> None:
        super().done(request, response, kept_promise=kept_promise)
        self._number_answered = next(self._answered) + 1

    def missed(self) -> Iterator[str]:
        """What to say where fewer requests were sent than became due."""
        wanted = self._due
        if self._number_answered < _LATE * wanted and not self.is_over:
            yield (
                f"of {wanted:,} requests that became due, {self._number_answered:,} were sent in "
                "time: all workers waited for answers; that the others waited until the end counts "
                "as their latency"
            )

    def unsent_s(self) -> Iterator[tuple[float, int]]:
        """How long requests waited that became due and were never sent, until now: so many each.

        To be asked once all others were answered.
        """
        now = self._clock()
        # Arrivals are handed out in turn, so that those that nobody sent are the last ones.
        first, count = self._number_answered, self._due - self._number_answered
        groups = min(max(count, 0), _MOST_WAITS)
        for group in range(groups):
            begin, end = (first + count * each // groups for each in (group, group + 1))
            yield now - self._began - begin * self._every_s, end - begin

    @property
    def _due(self) -> int:
        """How many requests became due."""
        if self._until == float("inf"):
            return self._number_answered
        due = math.ceil((self._until - self._began) / self._every_s)
        return max(0, due if self._limit is None else min(due, self._limit))
