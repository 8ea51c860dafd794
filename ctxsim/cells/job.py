"""What a cell is started with, what bounds it, and what is known after its end, as values."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ctxsim.cell.history import History
from ctxsim.cell.learnt import Lesson
from ctxsim.cell.plan import Plan
from ctxsim.cells.server import Server

if TYPE_CHECKING:
    # Only its name: the scenario package brings pydantic and a YAML parser.
    from ctxsim.scenario import Cell


def _memory_limit_bytes() -> int:
    machine_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(4 * 1024**3, machine_bytes // 2)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a cell may use. How long it may go without ending a request is its plan's `stall_s`."""

    memory_bytes: int = field(default_factory=_memory_limit_bytes)
    flood_bytes: int = 16 * 1024**2
    start_s: float = 120.0
    # The cell itself sends its stacks at `stall_s`; this is the time they may take to arrive.
    stall_grace_s: float = 5.0
    last_word_s: float = 3.0


@dataclass(frozen=True, slots=True)
class Job:
    """One cell to run: what it is called and told, with which interpreter and environment.

    `env` is added to what the process inherits. `server` is where it sends requests, where that is
    a process of its own.
    """

    cell: Cell
    plan: Plan
    python: str
    env: tuple[tuple[str, str], ...] = ()
    server: Server | None = None


@dataclass(frozen=True, slots=True)
class CellOutcome:
    """What is known of a cell after its end. `ready`: the application had been imported.

    `lesson` is what it learnt of how requests are answered alone, where that was its task.
    Of a cell that was to look: `sight` is what it saw, as JSON, and `trying` the route that it sent
    last.
    """

    cell: Cell
    history: History
    ready: bool = False
    target_facts: Mapping[str, Any] = field(default_factory=dict)
    stdout_tail: str = ""
    stderr_tail: str = ""
    elapsed_s: float = 0.0
    lesson: Lesson | None = None
    sight: dict[str, Any] | None = None
    trying: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """A running cell as it stands; `history` is still being written."""

    job: Job
    state: Literal["started", "ready", "event", "trying", "tally", "requests", "ended"]
    history: History
    # Of a live load: the step, the microseconds and what went wrong, of requests that have ended.
    rows: Sequence[Sequence[Any]] = ()
    # What the application is, once it is imported.
    kind: str | None = None


Tell = Callable[[Progress], None]


class Halt:
    """A wish to end all cells: told once they give their last word, told twice they end at once.

    It only counts, so that a signal handler may tell it at any moment.
    """

    def __init__(self) -> None:
        self._interrupts = 0
        self._enough = False

    @property
    def asked(self) -> int:
        return self._interrupts + self._enough

    @property
    def interrupted(self) -> bool:
        return self._interrupts > 0

    def interrupt(self) -> None:
        """End because the user, or the system, says so."""
        self._interrupts += 1

    def enough(self) -> None:
        """End because no more needs to be known."""
        self._enough = True

    def go_on(self) -> None:
        """Take `enough` back; an interruption stays."""
        self._enough = False


class Attendance:
    """How many users are there in a live load, all cells together, and whether all have gone.

    `most` is as many as were there at once, or are expected. It holds plain values, so that any
    thread may set them while the harness runs cells.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.users = 0
        self.is_over = False

    def come(self, users: int) -> None:
        """So many are there from now on."""
        self.most = max(self.most, users)
        self.users = users

    def share(self, place: int, cells: int) -> int:
        """How many of the users the cell at `place`, from 0, has of so many cells."""
        return (self.users + cells - 1 - place) // cells
