"""Simulated clients: users and visitors, and the visits that each of them goes through at once."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Sequence

from ctxsim.cell import canaries
from ctxsim.cell.chance import scrambled
from ctxsim.cell.flows import Sendable
from ctxsim.cell.jar import Jar
from ctxsim.cell.plan import Plan
from ctxsim.cell.steps import Prepared

# Common to all visits that have no named step yet; replaced, never changed.
NO_CANARIES: dict[str, str] = {}
NOTHING_KEPT: dict[int, dict[str, str]] = {}
_NONE: frozenset[int] = frozenset()


class User:
    """A simulated client; number 0 is a visitor, of which there are several."""

    __slots__ = ("answered", "check", "jar", "kept", "lanes", "number", "prefix", "sendable")

    def __init__(self, number: int, prefix: str, chances: Sequence[int]) -> None:
        self.number = number
        self.prefix = prefix
        self.check = canaries.check_of(prefix)
        self.jar: Jar | None = Jar() if number else None
        self.sendable: Sendable | None = None
        # What the steps gave that are sent once, by their numbers; replaced, never changed.
        self.kept: dict[int, dict[str, str]] = NOTHING_KEPT
        # Which steps were answered well to it, where any is sent once: equal ones count as one.
        self.answered: frozenset[int] = _NONE
        self.lanes = [Lane(self, place, chance) for place, chance in enumerate(chances)]

    @property
    def canary(self) -> str:
        """The canary by which the user is known, whichever request carries it."""
        return canaries.canary(self.prefix, 0)

    def step_of(self, number: int) -> int | None:
        """Which step its request `number` was; None where that was not sent."""
        turn, place = divmod(number - 1, len(self.lanes))
        sent = self.lanes[place].sent
        return sent[turn] if 0 <= turn < len(sent) else None


class Lane:
    """One visit after the other of a user; of each lane one request is in flight at a time."""

    __slots__ = (
        "chance", "opens", "place", "sent", "settling", "steps", "turns", "unsettled", "user",
        "visit", "visits",
    )  # fmt: skip

    def __init__(self, user: User, place: int, chance: int) -> None:
        self.user = user
        # Which of the user's lanes it is, from 0.
        self.place = place
        self.chance = chance
        # The steps of the visit that are still to come; `visit` holds what named ones have given.
        self.steps: tuple[Prepared, ...] = ()
        self.visit: dict[str, str] = NO_CANARIES
        self.visits = 0
        # So many visits of it are over before any other begins.
        self.opens = 0
        # Whether a fault befell the user since this visit began, or since the one before did: what
        # it left undone, such as a login, shows in the user's own next visit.
        self.unsettled = self.settling = False
        # Which step each of its requests was, in order.
        self.sent = array("H")
        # And the how-manieth of the cell.
        self.turns = array("I")

    @property
    def is_opening(self) -> bool:
        """Whether nobody else comes before its visit is over."""
        return self.visits <= self.opens

    def number_next(self, index: int) -> int:
        """The number of the next request, which is the step `index`.

        Lanes take turns in their user's numbers, so that none has to ask what the others sent.
        """
        self.sent.append(index)
        return (len(self.sent) - 1) * len(self.user.lanes) + self.place + 1

    def draw(self) -> int:
        """The next 24 bits of this lane's own chance."""
        # A linear congruential generator (Numerical Recipes' constants): one multiplication, since
        # it is drawn for each request; its low bits are poor and are not used.
        self.chance = (self.chance * 1664525 + 1013904223) & 0xFFFFFFFF
        return self.chance >> 8


def in_first_order(lanes: Iterable[Lane], plan: Plan) -> deque[Lane]:
    """All lanes in the order in which they come first."""
    ready = deque(shuffled(lanes, plan.seed))
    if plan.one_by_one and plan.process % 2:
        # Of two processes one begins with those who are last in the other, so that what depends on
        # who came first differs between them.
        ready.reverse()
    if _has_opening(plan):
        opener = next((lane for lane in ready if lane.user.number), None)
        if opener is not None:
            opener.opens = 1
            ready.remove(opener)
            ready.appendleft(opener)
    return ready


def _has_opening(plan: Plan) -> bool:
    """Whether one user goes through the flows before anyone else comes.

    A page that a cache keeps for all is the page of whoever came first. Short flows get there
    before those that log in, so that it would be the refusal in each cell, and never the page of
    one user that all others see. Workers beside each other would not wait for it.
    """
    is_load = plan.has_findings and plan.search is None
    return is_load and plan.workers.model == "sync" and len(plan.flows) > 1


def shuffled(lanes: Iterable[Lane], seed: int) -> list[Lane]:
    """Lanes in an order that depends on the seed alone."""
    lanes = list(lanes)
    ranks = {id(lane): scrambled(seed, lane.user.number, i) for i, lane in enumerate(lanes)}
    return sorted(lanes, key=lambda lane: ranks[id(lane)])
