"""What is selected to have switch points in, and what calls back there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from ctxsim.cell.schedule.places import Place

Reach = Callable[[Place], None]
Granularity = Literal["line", "opcode"]


@dataclass(frozen=True, slots=True)
class Selection:
    """The files, as their code objects name them, in which a worker can be made to stop."""

    files: frozenset[str]
    granularity: Granularity = "line"


class Tracer(Protocol):
    """Calls back at each switch point of the selected files, as long as it is entered."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *raised: object) -> None: ...

    def begin(self, reach: Reach) -> None:
        """An execution begins in this thread; `reach` is called at each switch point."""

    def enter_worker(self) -> None:
        """A worker begins; called in its own greenlet."""

    def end(self) -> None:
        """The execution has ended."""


class Untraced:
    """Switch points are at blocking calls alone."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        pass

    def begin(self, reach: Reach) -> None:
        pass

    def enter_worker(self) -> None:
        pass

    def end(self) -> None:
        pass


def taken(what: str) -> str:
    return (
        f"{what}, so lines cannot be made switch points. A controlled schedule needs tracing for "
        "itself. Run it without the debugger, profiler or coverage, or with `schedule: {kind: os}`."
    )
