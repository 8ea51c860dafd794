"""What was chosen in one execution, as one value: to be replayed, shrunk, stored and told.

A worker's step is what it does between two switch points. Workers are numbered by birth; objects
are never told by address, because the same choices must mean the same in another process.

The idea that an execution is a list of choices is Hypothesis's (conjecture) and Shuttle's. Unlike
theirs, steps at which nobody had a choice are kept as well, because a reader wants to see them and
because a replay then notices sooner that it went astray.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, repeat, starmap, zip_longest
from typing import Any, Literal

Kind = Literal["worker", "number", "deadline", "cancel"]
Runs = tuple[tuple[int, int], ...]
_NOTHING: Mapping[int, Collection[int]] = {}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several `alternatives` that was taken, before the step of that number.

    `taken` is a worker's number where the choice is who goes on, else it counts from 0.
    """

    kind: Kind
    taken: int
    alternatives: int
    step: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """The choices of one execution.

    `ready` says for each step how many workers were ready, and `preempted` the steps before which
    a worker was ready to go on but had to wait. `draws` are the choices of other things.
    """

    steps: tuple[int, ...]
    ready: tuple[int, ...]
    preempted: tuple[int, ...] = ()
    draws: tuple[Choice, ...] = ()

    @property
    def runs(self) -> Runs:
        """Who went on for how many steps, in turn."""
        return run_lengths(self.steps)

    @property
    def choices(self) -> Iterator[Choice]:
        """All that was chosen, in order; a step at which one alone was ready is no choice."""
        draws = iter(self.draws)
        draw = next(draws, None)
        for step, (taken, alternatives) in enumerate(zip(self.steps, self.ready, strict=True)):
            while draw is not None and draw.step <= step:
                yield draw
                draw = next(draws, None)
            if alternatives > 1:
                yield Choice("worker", taken, alternatives, step)
        if draw is not None:
            yield from chain((draw,), draws)

    def until(self, step: int) -> Schedule:
        """What was chosen before that step."""
        return Schedule(
            self.steps[:step],
            self.ready[:step],
            tuple(each for each in self.preempted if each < step),
            tuple(each for each in self.draws if each.step < step),
        )

    def as_json(self) -> dict[str, Any]:
        """For a file: steps and counts of ready workers in runs of `[what, how many times]`."""
        return {
            "steps": [list(run) for run in self.runs],
            "ready": [list(run) for run in run_lengths(self.ready)],
            "preempted": list(self.preempted),
            "draws": [[draw.kind, draw.taken, draw.alternatives, draw.step] for draw in self.draws],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Schedule:
        """Read what `as_json` gave; raises ValueError where the parts do not fit together."""
        steps, ready = unrolled(value["steps"]), unrolled(value["ready"])
        if len(steps) != len(ready):
            raise ValueError(
                f"a schedule has {len(steps)} steps but counts of ready workers for {len(ready)}; "
                "both are [[what, how many times], ...] of the same length in all"
            )
        draws = tuple(Choice(*draw) for draw in value["draws"])
        return cls(steps, ready, tuple(value["preempted"]), draws)


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long executions have been at most: steps in all, and those of each worker.

    Strategies need them before they choose, and take them from earlier executions, because a
    constant would make PCT miss what lies late in a long execution.
    """

    steps: int = 0
    by_worker: tuple[int, ...] = ()

    @property
    def workers(self) -> int:
        return len(self.by_worker)

    def including(self, schedule: Schedule) -> Lengths:
        """The lengths when `schedule` is counted too."""
        both = zip_longest(self.by_worker, counts_of(schedule.steps), fillvalue=0)
        return Lengths(max(self.steps, len(schedule.steps)), tuple(starmap(max, both)))


def run_lengths(steps: Iterable[int]) -> Runs:
    """`[worker, steps]` in turn, from the worker of each step."""
    return tuple((worker, len(tuple(run))) for worker, run in groupby(steps))


def unrolled(runs: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """The worker of each step, from `[worker, steps]` in turn."""
    return tuple(chain.from_iterable(repeat(worker, count) for worker, count in runs))


def counts_of(steps: Sequence[int]) -> list[int]:
    """How many steps each worker has, by its number."""
    counts = [0] * (max(steps, default=-1) + 1)
    for worker in steps:
        counts[worker] += 1
    return counts


def of_workers(
    schedule: Schedule, kept: Sequence[int], without: Mapping[int, Collection[int]] = _NOTHING
) -> Schedule:
    """What is left of a schedule without the other workers; those kept are numbered anew.

    So are their steps, where some are left out: `without` has those of a worker, counted from 1.
    A worker that was switched away from is followed by the next one that is kept. How many were
    ready is not known any more, and stays as it was.
    """
    new = {old: number for number, old in enumerate(kept)}
    taken = [0] * len(counts_of(schedule.steps))
    left = []
    for step, worker in enumerate(schedule.steps):
        taken[worker] += 1
        if worker in new and taken[worker] not in without.get(worker, ()):
            left.append(step)
    had_to_stop = {step - 1 for step in schedule.preempted}
    steps = tuple(new[schedule.steps[step]] for step in left)
    switches = [at for at in range(1, len(left)) if steps[at] != steps[at - 1]]
    return Schedule(
        steps,
        tuple(schedule.ready[step] for step in left),
        tuple(at for at in switches if left[at - 1] in had_to_stop),
        tuple(_draws_of(schedule, left)),
    )


def _draws_of(schedule: Schedule, left: Sequence[int]) -> Iterator[Choice]:
    # What was drawn before a step was drawn within the one before it.
    after = {step + 1: at + 1 for at, step in enumerate(left)}
    for draw in schedule.draws:
        if draw.step in after:
            yield Choice(draw.kind, draw.taken, draw.alternatives, after[draw.step])


def first_difference(one: Schedule, other: Schedule) -> int | None:
    """The step at which two schedules part; None where they are the same.

    This is how a run-twice check says where the same choices gave another history (CTX902).
    """
    if one == other:
        return None
    pairs = zip(_rows(one), _rows(other), strict=False)
    shorter = min(len(one.steps), len(other.steps))
    return next((step for step, (a, b) in enumerate(pairs) if a != b), shorter)


def _rows(schedule: Schedule) -> Iterator[tuple[object, ...]]:
    preempted = set(schedule.preempted)
    draws: dict[int, list[Choice]] = {}
    for draw in schedule.draws:
        draws.setdefault(draw.step, []).append(draw)
    for step, row in enumerate(zip(schedule.steps, schedule.ready, strict=True)):
        yield (*row, step in preempted, draws.get(step))
