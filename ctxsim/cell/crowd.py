"""A live load: users come and go while it runs, as the harness says.

Users are made when they come first, and their numbers, canaries and cookies are theirs for good;
those who are not there are parked. A worker that finds nobody ready waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from ctxsim.cell.canaries import MAX_USER
from ctxsim.cell.clients import Lane
from ctxsim.cell.plan import Plan
from ctxsim.cell.visits import Request, Traffic

_VISITOR_SHARE = 8


class Crowd(Traffic):
    """The traffic of a live load; nobody is there until `resize` says so.

    `wait` lets a worker wait that asks for a request, so many seconds; None where it must not, and
    is told by `ask_again_s`. Like its parent it locks nothing: `resize` is called by one thread,
    while workers take.
    """

    def __init__(
        self, plan: Plan, clock: Callable[[], float], wait: Callable[[float], object] | None
    ) -> None:
        super().__init__(plan, clock)
        self._wait = wait
        self._there = 0
        # How many requests there were users for at once, at the most.
        self.most_at_once = 0
        # Are told how many users there are, where more have come than the plan says.
        self.on_more: list[Callable[[int], object]] = []
        # Of workers there are as many from the start as may ever have something to do.
        self.width = plan.workers.in_flight
        # A lane is there if more users are than its rank says.
        self._rank: dict[Lane, int] = {}
        for user in self.users:
            self._rank.update((lane, user.number - 1) for lane in user.lanes)
        for serial, visitor in enumerate(self.visitors):
            self._rank.update((lane, serial * _VISITOR_SHARE) for lane in visitor.lanes)
        self._parked = deque(self.ready)
        self.ready.clear()

    def resize(self, users: int) -> None:
        """Have so many users there from now on, and visitors by their share."""
        if users > len(self.users):
            self._make(min(users, MAX_USER))
        if users != self._there:
            there = sum(rank < users for rank in self._rank.values())
            self.most_at_once = max(self.most_at_once, there)
        self._there = users
        self._settle_parked()

    def _make(self, users: int) -> None:
        """Make those users, and visitors by their share, who were never there."""
        for number in range(len(self.users) + 1, users + 1):
            user = self._user(number)
            self.users.append(user)
            self._park(user.lanes, number - 1)
        # Without any, there is nothing that a visitor could send.
        while self.visitors and len(self.visitors) * _VISITOR_SHARE < users:
            serial = len(self.visitors)
            visitor = self._user(0, serial)
            self.visitors.append(visitor)
            self._park(visitor.lanes, serial * _VISITOR_SHARE)
        self.lanes = tuple(self._rank)
        for tell in self.on_more:
            tell(users)

    def _park(self, lanes: Sequence[Lane], rank: int) -> None:
        self._rank.update(dict.fromkeys(lanes, rank))
        self._parked.extend(lanes)

    def take(self) -> Request | None:
        """The next request, for which the worker may wait; None when all have gone."""
        while (request := Traffic.take(self)) is None and not self.is_over:
            if self._wait is None:
                self.ask_again_s = self.held_s
                return None
            self._wait(self.held_s)
        return request

    def _next_ready(self) -> Lane:
        while True:
            lane = self.ready.popleft()
            if self._rank[lane] < self._there:
                return lane
            self._parked.append(lane)
            # It may have come back between the two lines above, when nobody looked at it.
            if self._rank[lane] < self._there:
                self._settle_parked()

    def _settle_parked(self) -> None:
        for _ in range(len(self._parked)):
            lane = self._parked.popleft()
            is_there = self._rank[lane] < self._there
            (self.ready if is_there else self._parked).append(lane)
