"""How many cells run side by side, and how the time that there is gets shared among them."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

from ctxsim.cell.history import History
from ctxsim.cells.job import Job

# What a cell takes besides its requests, until one has shown it.
_START_S = 2.0
_LEAST_LOAD_S = 0.5
_LEAST_STALL_S = 1.0
# Cells take more that look at what is left, or have greenlets, than those that learn.
_LAST = 4


@dataclass(frozen=True, slots=True)
class Pace:
    """Who runs when. All times are by `time.monotonic`.

    All should be over by `until`, and loads by `loads_until`. At `at_latest`, whatever still runs
    is told to stop, and nothing more is started.
    `overheads_s`: what cells took besides their loads. It is measured as they end, because it
    depends on the application and on what else the machine does. Paces that were made of one
    another share what is learnt.
    """

    at_once: int = 1
    until: float = math.inf
    at_latest: float = math.inf
    loads_until: float = math.inf
    overheads_s: list[float] = field(default_factory=list)
    # Of those that hung, how they are called.
    hung: list[str] = field(default_factory=list)

    @property
    def left_s(self) -> float:
        return self.until - time.monotonic()

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.at_latest

    @property
    def start_s(self) -> float:
        """What a cell takes besides its load, as the last ones showed."""
        return sum(self._last_s) / len(self._last_s)

    @property
    def _last_s(self) -> list[float]:
        return self.overheads_s[-_LAST:] or [_START_S]

    def for_loads(self, share: float) -> Pace:
        """The pace of cells whose loads may take this share of the time that is left."""
        return replace(self, loads_until=time.monotonic() + share * self.left_s)

    def for_next(self, cells: int) -> Pace:
        """The pace of the next of so many cells that are not started together."""
        if math.isinf(self.loads_until):
            return self
        now = time.monotonic()
        return replace(self, loads_until=now + (self.loads_until - now) / max(1, cells))

    def each_s(self, cells: int) -> float:
        """How long each of so many cells may send; not above zero where there is no time."""
        return self._share_s(self.until, cells) - self.start_s

    def sized(self, job: Job, waiting: int) -> Job:
        """`job` with its share of the time for loads; it is the next of so many that wait."""
        if math.isinf(self.loads_until):
            return job
        load = job.plan.load
        # The most that any took, or the last cells would pay for what those before them took.
        share_s = self._share_s(self.loads_until, waiting) - max(self._last_s)
        most_s = max(_LEAST_LOAD_S, share_s)
        most_s = most_s if load.duration_s is None else min(most_s, load.duration_s)
        plan = replace(job.plan, load=replace(load, duration_s=most_s))
        if self.hung:
            # Where another one hung it is known; a search can tell why, if it has the time.
            plan = replace(plan, stall_s=min(plan.stall_s, max(_LEAST_STALL_S, round(most_s, 1))))
        return replace(job, plan=plan)

    def ended(self, job: Job, history: History, elapsed_s: float) -> None:
        """Learn from a cell what it took besides its load."""
        if history.ending is not None and history.ending.kind == "hang":
            self.hung.append(job.cell.name)
        # One that ended early tells of its ending, not of what the next one will take.
        if history.ending is None:
            load_s, sent_s = job.plan.load.duration_s, history.tally.elapsed_s
            # What was still in flight when the load's time was over is sent in vain, too.
            sent_s = sent_s if load_s is None else min(sent_s, load_s)
            self.overheads_s.append(max(0.0, elapsed_s - sent_s))

    def _share_s(self, until: float, cells: int) -> float:
        rounds = max(1, -(-cells // self.at_once))
        return (until - time.monotonic()) / rounds
