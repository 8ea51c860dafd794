"""What is carried in one process from its start, as a value: a case that can be carried again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ctxsim.cell.schedule.points import Points, Site


@dataclass(frozen=True, slots=True)
class Window:
    """Requests that are carried at the same time.

    `lanes` says for each worker whose next requests it carries, in turn. `seed` is that of chance.
    Without `points` one worker after the other goes from its start to its end.
    """

    lanes: tuple[tuple[int, ...], ...]
    seed: int
    points: Points | None = None

    @property
    def requests(self) -> int:
        return sum(map(len, self.lanes))

    @property
    def in_turn(self) -> Iterator[Window]:
        """A window for each of its requests, all in the order of the workers."""
        for worker in self.lanes:
            for lane in worker:
                yield Window(((lane,),), self.seed)

    def of(self, kept: tuple[int, ...], points: Points) -> Window:
        """The window with only these of its requests, counted worker by worker.

        Workers that have none left are gone; `points` number the others anew.
        """
        numbered = iter(range(self.requests))
        left = [tuple(lane for lane in each if next(numbered) in kept) for each in self.lanes]
        return replace(self, lanes=tuple(filter(None, left)), points=points)


@dataclass(frozen=True, slots=True)
class Room:
    """How much room a preemption of the last window has: the finding remains wherever between.

    It is that of `worker` after its own step `step`. Where it is not `whole`, the search for its
    ends was cut short, and there may be more.
    """

    worker: int
    step: int
    first: Site
    last: Site
    whole: bool

    def as_json(self) -> list[Any]:
        """For a file: a site is `[file, line, function, visit]`."""
        sites = [[each.file, each.line, each.function, each.visit] for each in self.ends]
        return [self.worker, self.step, *sites, self.whole]

    @property
    def ends(self) -> tuple[Site, Site]:
        return self.first, self.last

    @classmethod
    def from_json(cls, value: Sequence[Any]) -> Room:
        """Read what `as_json` gave."""
        worker, step, first, last, whole = value
        return cls(worker, step, Site(*first), Site(*last), whole)


@dataclass(frozen=True, slots=True)
class Script:
    """Windows that one process carries, one after the other, from the state after the import.

    `variation` says through which visits its users go, and `ends_before` before which steps these
    end. Of the windows in `passed_over`, counted from 0, the requests are made, so that their users
    are where they would be, and not sent.
    """

    variation: int
    windows: tuple[Window, ...]
    passed_over: frozenset[int] = frozenset()
    ends_before: frozenset[int] = frozenset()
    # Of the preemptions of the last window, where that was looked for: for the reader alone.
    rooms: tuple[Room, ...] = field(default=(), compare=False)

    def as_json(self) -> dict[str, Any]:
        """For a message and for a file."""
        return {
            "variation": self.variation,
            "windows": [_window_json(each) for each in self.windows],
            "passed_over": sorted(self.passed_over),
            "ends_before": sorted(self.ends_before),
            "rooms": [each.as_json() for each in self.rooms],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Script:
        """Read what `as_json` gave."""
        windows = tuple(map(_window_of, value["windows"]))
        passed_over = frozenset(value["passed_over"])
        # Files that were kept before scripts had these have none.
        ends_before = frozenset(value.get("ends_before", ()))
        rooms = tuple(map(Room.from_json, value.get("rooms", ())))
        return cls(value["variation"], windows, passed_over, ends_before, rooms)


def _window_json(window: Window) -> dict[str, Any]:
    points = None if window.points is None else window.points.as_json()
    return {"lanes": [list(each) for each in window.lanes], "seed": window.seed, "points": points}


def _window_of(value: dict[str, Any]) -> Window:
    points = None if value["points"] is None else Points.from_json(value["points"])
    return Window(tuple(map(tuple, value["lanes"])), value["seed"], points)
