"""Which pairs of requests an exhaustive search has to carry, and how far it came with each.

For each pair, every schedule begins from the same state: that after the import and after what
brought two users to the requests. So when all of them were carried, nothing is left within the
bound.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import combinations_with_replacement, product

Pair = tuple[int, int]
# Visits differ from variation to variation: in so many of them users are looked for who come by.
_VARIATIONS = 8


@dataclass(slots=True)
class Pairs:
    """The pairs of a scenario's steps; `schedules` counts what was carried of each.

    With `in_order` one worker carries both, so that the order is all that can differ.
    """

    steps: int
    in_order: bool = False
    schedules: dict[Pair, int] = field(default_factory=dict)
    finished: set[Pair] = field(default_factory=set)
    unmet: set[Pair] = field(default_factory=set)
    _variation: int = 0

    @property
    def all(self) -> Iterator[Pair]:
        if self.in_order:
            yield from product(range(self.steps), repeat=2)
        else:
            yield from combinations_with_replacement(range(self.steps), 2)

    def next(self) -> tuple[Pair, int] | None:
        """The pair to carry next, and the variation; None where all are finished, or not met."""
        for pair in self.all:
            if pair not in self.finished and pair not in self.unmet:
                return pair, self._variation
        return None

    def carried(self, pair: Pair, executions: int, *, exhausted: bool) -> None:
        """Take note of an execution; none means that the users did not come to these steps."""
        if not executions:
            self._variation += 1
            if self._variation < _VARIATIONS:
                return
            self.unmet.add(pair)
        self.schedules[pair] = self.schedules.get(pair, 0) + executions
        if exhausted:
            self.finished.add(pair)
        if pair in self.finished or pair in self.unmet:
            self._variation = 0

    def leave_out(self, steps: Collection[int]) -> None:
        """Give up the pairs with these steps, which are not sent."""
        self.unmet.update(pair for pair in self.all if not set(pair).isdisjoint(steps))

    def diverged(self, pair: Pair) -> None:
        """Give a pair up: its schedules do not begin from the same state."""
        self.unmet.add(pair)
        self._variation = 0

    def told(self, preemptions: int) -> str:
        """How far it came: the proof, or what is left of it."""
        there_are = len(list(self.all))
        count = sum(self.schedules.values())
        often = "preemption" if preemptions == 1 else "preemptions"
        told = f"{count:,} schedules of pairs of requests, with at most {preemptions} {often}"
        if self.in_order:
            told = f"{count:,} orders of pairs of requests, of which one worker carries both"
        if len(self.finished) == there_are:
            how = "one after the other" if self.in_order else "at once"
            return (
                f"{told}: these are all there are; what none of them shows, no two requests of two "
                f"users do {how}, within that bound. Visitors and a third request had no part in it"
            )
        return f"{told}; all there are of {len(self.finished)} of the {there_are} pairs"
