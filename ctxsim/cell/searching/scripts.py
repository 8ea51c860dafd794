"""What is carried in one process from its start, as a value: a case that can be carried again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ctxsim.cell.schedule.points import Points


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
        """The window with only these of its requests, counted worker by worker."""
        numbered = iter(range(self.requests))
        left = [tuple(lane for lane in each if next(numbered) in kept) for each in self.lanes]
        # Workers are numbered by requests where each has one: then one without goes with it.
        lanes = tuple(each for each in left if each or self.has_shared_workers)
        return replace(self, lanes=lanes, points=points)

    @property
    def has_shared_workers(self) -> bool:
        return any(len(each) != 1 for each in self.lanes)


@dataclass(frozen=True, slots=True)
class Script:
    """Windows that one process carries, one after the other, from the state after the import.

    `variation` says through which visits its users go. Of those in `passed_over`, counted from 0,
    the requests are made, so that their users are where they would be, and not sent.
    """

    variation: int
    windows: tuple[Window, ...]
    passed_over: frozenset[int] = frozenset()

    def as_json(self) -> dict[str, Any]:
        """For a message and for a file."""
        return {
            "variation": self.variation,
            "windows": [_window_json(each) for each in self.windows],
            "passed_over": sorted(self.passed_over),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Script:
        """Read what `as_json` gave."""
        windows = tuple(map(_window_of, value["windows"]))
        return cls(value["variation"], windows, frozenset(value["passed_over"]))


def _window_json(window: Window) -> dict[str, Any]:
    points = None if window.points is None else window.points.as_json()
    return {"lanes": [list(each) for each in window.lanes], "seed": window.seed, "points": points}


def _window_of(value: dict[str, Any]) -> Window:
    points = None if value["points"] is None else Points.from_json(value["points"])
    return Window(tuple(map(tuple, value["lanes"])), value["seed"], points)
