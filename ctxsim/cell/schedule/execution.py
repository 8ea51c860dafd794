"""What came of one execution under a schedule, as a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ctxsim.cell.schedule.choices import Schedule, counts_of
from ctxsim.cell.schedule.places import Place, site_of
from ctxsim.cell.schedule.points import Points, Site, Switch, points_of

# A simulated thread; a task of the loop; or all that is called back on that and belongs to no task.
Kind = Literal["thread", "task", "callbacks"]


@dataclass(frozen=True, slots=True)
class Loop:
    """Lines of a file that are gone round; the file as readers are told it."""

    file: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Limits:
    """When an execution is cut off; `loops` are those of which it is known that nobody leaves."""

    steps: int = 20_000
    loops: tuple[Loop, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a worker ended: with a value, with an error, or cut off with the execution.

    A task that `goes_on` has not ended: it is a worker of the next execution too.
    """

    value: object = None
    error: BaseException | None = None
    cut_off: bool = False
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """A worker waits for `what` at `site`, and has since that step of the execution.

    `holder` is the worker that has it, where that is known, and `held_at` where it took it.
    """

    worker: int
    what: str
    site: Site
    since: int
    holder: int | None = None
    held_at: Site | None = None

    def __str__(self) -> str:
        told = f"worker {self.worker} waits in {self.what} at {_told(self.site)}"
        if self.holder is None or self.held_at is None:
            return told
        return f"{told}, held by worker {self.holder} since {_told(self.held_at)}"


@dataclass(frozen=True, slots=True)
class Deadlock:
    """No worker could go on, and no deadline was to come."""

    waits: tuple[Wait, ...]

    def __str__(self) -> str:
        return "deadlock: " + "; ".join(map(str, self.waits))


@dataclass(frozen=True, slots=True)
class StepLimit:
    """After so many steps the workers had not ended; `last` are the sites of the last ones."""

    steps: int
    last: tuple[Site, ...]

    def __str__(self) -> str:
        return f"not ended after {self.steps} steps, last at " + ", ".join(map(_told, self.last))


@dataclass(frozen=True, slots=True)
class Spin:
    """A worker goes round from `first` to `last`, which are lines of one function."""

    worker: int
    first: Site
    last: Site

    def __str__(self) -> str:
        return f"worker {self.worker} goes round at {_told(self.first)}"


@dataclass(frozen=True, slots=True)
class Livelock:
    """Workers went on and got nowhere, though all had their turns and time passed.

    From the step `since` on they did nothing else, and by the step `decided` all have been round:
    what they find there may have been as they came and not be so any more once another came too.
    `waits` are of those that wait beside them.
    """

    spins: tuple[Spin, ...]
    waits: tuple[Wait, ...]
    since: int
    decided: int

    def __str__(self) -> str:
        return "livelock: " + "; ".join(map(str, (*self.spins, *self.waits)))


@dataclass(frozen=True, slots=True)
class KnownLoop:
    """All that could go on were in loops that they are known not to leave; nothing else was due."""

    def __str__(self) -> str:
        return "all that could go on were in loops that are known"


@dataclass(frozen=True, slots=True)
class UncontrolledBlock:
    """A worker came to no switch point for `waited_s` real seconds: it blocks, or runs in circles.

    `stack` is where it was, the innermost site first. What blocks is nothing that can be
    simulated: a real lock from before the stand-ins, a socket, code that is not selected.
    """

    worker: int
    waited_s: float
    stack: tuple[Site, ...]

    def __str__(self) -> str:
        return (
            f"worker {self.worker} came to no switch point for {self.waited_s:g} s, "
            f"at {_told(self.stack[0])}"
        )


@dataclass(frozen=True, slots=True)
class Escape:
    """A worker began to wait for `awaited`, which comes from outside and by no schedule.

    `stack` is where it was, the innermost site first, and where those stood then who had started
    it, one by the other; `module` is what was called, from there on, if it may be declared atomic.
    `behind` is the worker that started it, or that one's, if it is
    none of those that the execution is for.
    """

    worker: int
    awaited: str
    stack: tuple[Site, ...]
    module: str = ""
    behind: int | None = None

    def __str__(self) -> str:
        return f"worker {self.worker} waits for {self.awaited}, at {_told(self.stack[0])}"


Stopped = Deadlock | Livelock | KnownLoop | StepLimit | UncontrolledBlock | Escape


@dataclass(frozen=True, slots=True)
class Execution:
    """`trails` are the places where each worker stood after each of its steps, but for the last.

    `stopped` says why the execution was cut off; None where all that was to end had ended. `kinds`
    says of each worker what it is.
    """

    schedule: Schedule
    workers: tuple[Ended, ...]
    trails: tuple[tuple[Place, ...], ...]
    stopped: Stopped | None = None
    kinds: tuple[Kind, ...] = ()

    @property
    def steps(self) -> tuple[int, ...]:
        """How many steps each worker has taken."""
        counts = counts_of(self.schedule.steps)
        return tuple(counts + [0] * (len(self.workers) - len(counts)))

    @property
    def unseen(self) -> tuple[int, ...]:
        """The workers that came to no switch point: what they did was tried in no other order."""
        return tuple(number for number, trail in enumerate(self.trails) if not trail)

    def site(self, switch: Switch) -> Site | None:
        """Where the worker stood that had to stop; None where it had ended."""
        trail = self.trails[switch.worker][: switch.step]
        return site_of(trail) if len(trail) == switch.step and trail else None

    @property
    def decisive(self) -> Schedule:
        """The schedule up to where all that goes on has gone round in circles; else all of it."""
        if not isinstance(self.stopped, Livelock):
            return self.schedule
        return self.schedule.until(self.stopped.decided)

    @property
    def points(self) -> Points:
        """The switches of the schedule, as far as they are decisive, with their sites."""
        points = points_of(self.decisive)
        sites = dict(self._sites(points))

        def placed(switches: Sequence[Switch]) -> tuple[Switch, ...]:
            return tuple(replace(each, site=sites.get(each.key)) for each in switches)

        return replace(
            points, preemptions=placed(points.preemptions), handovers=placed(points.handovers)
        )

    def _sites(self, points: Points) -> Iterator[tuple[tuple[int, int], Site]]:
        """Where workers stood at these switches, each trail gone once: there may be thousands."""
        stops: dict[int, set[int]] = {}
        for each in points.switches:
            stops.setdefault(each.worker, set()).add(each.step)
        for worker, steps in stops.items():
            # By the address of its code, since to compare code takes long.
            visits: dict[tuple[int, int], int] = {}
            for step, (code, line) in enumerate(self.trails[worker], 1):
                place = id(code), line
                visits[place] = visit = visits.get(place, 0) + 1
                if step in steps:
                    yield (worker, step), Site(code.co_filename, line, code.co_qualname, visit)


def _told(site: Site) -> str:
    return f"{site.file}:{site.line} in {site.function}"
