"""Which requests were cut off because they took too many steps: they may be without an end.

Of those that were found to be so nothing else is said, and no time is spent on them again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ctxsim.cell.plan import Step
from ctxsim.cell.schedule.execution import Limits, Loop
from ctxsim.cell.searching.batches import Batch

# A request that was cut off after so many times the steps that any like it took to its end.
_FAR_LONGER = 4
_ROUND = re.compile(r"goes round at (?P<file>.+):(?P<first>\d+)(?:-(?P<last>\d+))?")


class Unended:
    """Which steps came to their ends in a search, and which were cut off."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._ended: set[int] = set()
        self._cut_off: set[int] = set()
        # How many steps of a schedule requests took at most, and until they were cut off.
        self._longest: dict[int, int] = {}
        self._longest_cut_off: dict[int, int] = {}
        self._found: set[str] = set()
        self._loops: dict[Loop, None] = {}

    def take(self, batch: Batch) -> None:
        """Take note of a batch."""
        self._ended.update(batch.ended)
        self._cut_off.update(batch.cut_off)
        for longest, more in (
            (self._longest, batch.longest),
            (self._longest_cut_off, batch.longest_cut_off),
        ):
            for step, took in more.items():
                longest[step] = max(took, longest.get(step, 0))

    @property
    def ended(self) -> frozenset[int]:
        """The steps of requests that came to their ends."""
        return frozenset(self._ended)

    def found(self, place: str, steps: Iterable[int]) -> None:
        """Requests for these steps were found never to end, as the finding tells."""
        self._found.update(self._steps[step].route for step in steps)
        for told in filter(None, map(_ROUND.fullmatch, place.split("; "))):
            first = int(told["first"])
            self._loops[Loop(told["file"], first, int(told["last"] or first))] = None

    @property
    def limits(self) -> Limits:
        """When executions are cut off from now on."""
        return Limits(loops=tuple(self._loops))

    @property
    def doubts(self) -> Iterator[str]:
        for route, text in sorted(self._too_long()):
            if route not in self._found:
                steps = Limits().steps
                yield f"{route} {text} within {steps:,} steps; narrow what is selected"

    def _too_long(self) -> Iterator[tuple[str, str]]:
        """Routes of requests that may be without an end, and how they are."""
        for step in self._cut_off - self._ended:
            yield self._steps[step].route, "never ended"
        for step, took in self._longest_cut_off.items():
            if step in self._longest and took > _FAR_LONGER * self._longest[step]:
                yield self._steps[step].route, "did not end under some schedules"
