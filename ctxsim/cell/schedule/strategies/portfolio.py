"""All strategies in turn, because none is best: what one finds at once, another hardly ever tries.

Measured in benchmarks/strategies.py. The uniform walk is the best by far where something is not
atomic, if step counts are what they were; the plain walk does not depend on that. Both are blind to
orders, which PCT finds. A search begins with all orders without a preemption where these are few,
since they tell the lengths for the others, and one of them is often enough. While there are few
schedules with one preemption, those are tried as well, one in five executions.
"""

from __future__ import annotations

from math import factorial

from ctxsim.cell.schedule.choices import Lengths, Schedule
from ctxsim.cell.schedule.choosing import Chooser, Strategy
from ctxsim.cell.schedule.strategies.exhaustive import Exhaustive
from ctxsim.cell.schedule.strategies.pct import Pct
from ctxsim.cell.schedule.strategies.random_walk import RandomWalk
from ctxsim.cell.schedule.strategies.sticky import Sticky
from ctxsim.cell.schedule.strategies.uniform_walk import UniformWalk

# Of ten executions: four uniform walks, three random ones, two with priorities, one sticky.
_TURNS = "URUPURUPRS"
_SYSTEMATIC_TURN = 5
# Those of three workers.
_FEW_ORDERS = 6
# As many as fit into their share of a default budget of 2,000 executions.
_FEW_SCHEDULES = 400


class Portfolio:
    """The strategy `auto`: exhausted only where every schedule there is was seen.

    What is systematic needs executions that differ in nothing but their schedules; elsewhere, leave
    it out. Where workers give way by themselves, as tasks do at each await, an order in which none
    does is no likely one: then do not begin with `orders_first`.
    """

    def __init__(self, *, systematic: bool = True, orders_first: bool = True) -> None:
        self._systematic = Exhaustive(bound=1)
        self._is_left_out = not systematic
        self._begins_with_orders = orders_first
        self._others: dict[str, Strategy] = {
            "R": RandomWalk(),
            "U": UniformWalk(),
            "P": Pct(),
            "S": Sticky(),
        }
        self._turn = 0
        self._running: Strategy = self._systematic

    @property
    def exhausted(self) -> bool:
        if self._is_left_out:
            return False
        return self._systematic.exhausted and not self._systematic.pruned

    def begin(self, number: int, seed: int, measured: Lengths) -> Chooser:
        self._running = self._chosen(number, measured)
        return self._running.begin(number, seed, measured)

    def ended(self, schedule: Schedule) -> None:
        self._running.ended(schedule)

    def _chosen(self, number: int, measured: Lengths) -> Strategy:
        if self._is_systematic(number, measured) and not self._systematic.exhausted:
            return self._systematic
        self._turn += 1
        return self._others[_TURNS[(self._turn - 1) % len(_TURNS)]]

    def _is_systematic(self, number: int, measured: Lengths) -> bool:
        if self._is_left_out:
            return False
        if self._begins_with_orders and number < orders(measured.workers) <= _FEW_ORDERS:
            return True
        return number % _SYSTEMATIC_TURN == 0 and preempted_once(measured) <= _FEW_SCHEDULES


def orders(workers: int) -> int:
    """In how many orders they can start; beyond ten workers, at least so many."""
    return factorial(min(workers, 10))


def preempted_once(measured: Lengths) -> int:
    """About how many schedules there are with at most one preemption; too many rather than few."""
    others = max(0, measured.workers - 1)
    return orders(measured.workers) * (1 + measured.steps * others)
