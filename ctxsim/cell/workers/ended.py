"""The requests of a live load that have ended, for those who draw charts of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from ctxsim.cell.history import KINDS, Event
from ctxsim.cell.visits import Request

# In one message at most: a harness must not wait long for the end of a line.
_BATCH = 5_000
# Events are told of requests in flight; of one that was told after its request's end, no more.
_MOST_BEFALLEN = 10_000
# What may be chance, until it was confirmed alone after the load.
_UNCONFIRMED = frozenset({"answer.otherwise"})

Row = tuple[int, int, str]


class Ended:
    """Takes up each request that ends: its step, microseconds, and what kind of thing went wrong.

    The kinds are few, whoever is concerned. Workers add, the cell's ticker takes away; both are
    single operations of a deque.
    """

    def __init__(self) -> None:
        self._rows: deque[Row] = deque()
        self._befallen: dict[tuple[int, int], str] = {}

    def befell(self, event: Event) -> None:
        """Remember what was noted of a request; called with the record's lock held."""
        if event.kind in _UNCONFIRMED:
            return
        if len(self._befallen) >= _MOST_BEFALLEN:
            self._befallen.clear()
        victim = event.victim
        self._befallen.setdefault((victim.user, victim.request), KINDS[event.kind])

    def add(self, request: Request, elapsed_s: float, failure: str) -> None:
        befallen = ""
        if self._befallen:
            befallen = self._befallen.pop((request.user.number, request.number), "")
        self._rows.append((request.prepared.index, int(elapsed_s * 1e6), befallen or failure))

    def batches(self) -> Iterator[list[Row]]:
        """All that were added since; each is given once."""
        while count := min(len(self._rows), _BATCH):
            yield [self._rows.popleft() for _ in range(count)]
