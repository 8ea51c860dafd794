"""A schedule told by its switches alone, so that a part of it can be taken away or moved.

A switch is keyed by the worker that stops and its own count of steps, not by the count of all
steps: then removing one switch does not move the others, which is what makes shrinking work.

What is not told follows one rule: a worker goes on while it can; then the first in `order` that is
ready takes over. CHESS (Musuvathi and Qadeer, PLDI 2007) calls a switch of a worker that could
have gone on a preemption; all others are free, and those that follow the rule are not told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ctxsim.cell.schedule.choices import Choice, Schedule, counts_of


@dataclass(frozen=True, slots=True)
class Site:
    """Where a worker stood: before that line, for the `visit`-th time, counted from 1."""

    file: str
    line: int
    function: str
    visit: int = 1


@dataclass(frozen=True, slots=True)
class Switch:
    """`worker` had taken `step` steps of its own when `to` went on in its place."""

    worker: int
    step: int
    to: int
    # For the reader; the same switch is the same whether its place is known or not.
    site: Site | None = field(default=None, compare=False)

    @property
    def key(self) -> tuple[int, int]:
        return self.worker, self.step


@dataclass(frozen=True, slots=True)
class Points:
    """`order` is in which workers start; `handovers` are switches of workers that could not go on.

    No two switches have the same key.
    """

    order: tuple[int, ...]
    preemptions: tuple[Switch, ...] = ()
    handovers: tuple[Switch, ...] = ()
    draws: tuple[Choice, ...] = ()

    @property
    def switches(self) -> tuple[Switch, ...]:
        return self.preemptions + self.handovers

    def as_json(self) -> dict[str, Any]:
        """For a file: each switch is `[worker, its own step, next worker]`, then its site if known.

        A site is `[file, line, function, visit]`.
        """
        return {
            "order": list(self.order),
            "preemptions": [_switch_json(each) for each in self.preemptions],
            "handovers": [_switch_json(each) for each in self.handovers],
            "draws": [[draw.kind, draw.taken, draw.alternatives, draw.step] for draw in self.draws],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Points:
        """Read what `as_json` gave."""
        return cls(
            tuple(value["order"]),
            tuple(map(_switch_of, value["preemptions"])),
            tuple(map(_switch_of, value["handovers"])),
            tuple(Choice(*draw) for draw in value["draws"]),
        )


def _switch_json(switch: Switch) -> list[object]:
    told: list[object] = [switch.worker, switch.step, switch.to]
    if (site := switch.site) is not None:
        told.append([site.file, site.line, site.function, site.visit])
    return told


def _switch_of(told: Sequence[Any]) -> Switch:
    worker, step, to, *site = told
    return Switch(worker, step, to, Site(*site[0]) if site else None)


def points_of(schedule: Schedule) -> Points:
    """The switches of a schedule, and in which order its workers started."""
    order = tuple(dict.fromkeys(schedule.steps))
    preempted = frozenset(schedule.preempted)
    preemptions, handovers = [], []
    for step, switch, expected in _switches(schedule, order, preempted):
        if step in preempted:
            preemptions.append(switch)
        elif switch.to != expected and schedule.ready[step] > 1:
            handovers.append(switch)
    return Points(order, tuple(preemptions), tuple(handovers), schedule.draws)


def _switches(
    schedule: Schedule, order: tuple[int, ...], preempted: Collection[int]
) -> Iterator[tuple[int, Switch, int | None]]:
    """Each switch with its step, and who would have gone on by the rule."""
    steps = schedule.steps
    left = counts_of(steps)
    taken = [0] * len(left)
    # Those that had to stop and never went on, since the execution was cut off: they were ready.
    stopped: set[int] = set()
    for step, worker in enumerate(steps):
        last = steps[step - 1] if step else worker
        if worker != last:
            if step in preempted and not left[last]:
                stopped.add(last)
            yield step, Switch(last, taken[last], worker), _expected(last, order, left, stopped)
        left[worker] -= 1
        taken[worker] += 1


def _expected(
    last: int, order: Iterable[int], left: Sequence[int], stopped: Collection[int]
) -> int | None:
    """Who takes over when `last` cannot go on; None where it goes on later, so that it waits."""
    if left[last]:
        return None
    return next((each for each in order if left[each] or each in stopped), None)


def steps_of(points: Points, counts: Sequence[int]) -> tuple[int, ...]:
    """The worker of each step, where each worker has that many steps and none ever waits."""
    to = {switch.key: switch.to for switch in points.switches}
    order = dict.fromkeys((*points.order, *range(len(counts))))
    left, steps = list(counts), []
    current: int | None = None
    while any(left):
        named = None if current is None else to.get((current, counts[current] - left[current]))
        if named is not None and left[named]:
            current = named
        elif current is None or not left[current]:
            current = next(each for each in order if left[each])
        left[current] -= 1
        steps.append(current)
    return tuple(steps)


def renumbered(points: Points, kept: Sequence[int]) -> Points:
    """The points of the workers that are kept, which are numbered anew in their old order."""
    new = {old: number for number, old in enumerate(kept)}
    return replace(
        points,
        order=tuple(new[worker] for worker in points.order if worker in new),
        preemptions=tuple(_of(points.preemptions, new)),
        handovers=tuple(_of(points.handovers, new)),
    )


def renamed(points: Points) -> Points:
    """The same switches of workers that are numbered as they start."""
    new = dict(zip(points.order, sorted(points.order), strict=True))
    return replace(
        points,
        preemptions=tuple(_of(points.preemptions, new)),
        handovers=tuple(_of(points.handovers, new)),
    )


def _of(switches: Sequence[Switch], new: Mapping[int, int]) -> Iterator[Switch]:
    for each in switches:
        if each.worker in new and each.to in new:
            yield replace(each, worker=new[each.worker], to=new[each.to], site=None)
