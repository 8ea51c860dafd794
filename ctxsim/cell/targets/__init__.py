"""Where a request is sent: what every target is."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, Protocol, TypeGuard

from ctxsim.cell.visits import Request, Response
from ctxsim.cell.witness.inside import Inside, View


class Served(Protocol):
    """An application that was imported, whichever way it takes requests."""

    # What the harness is told: kind, and names with their versions.
    facts: dict[str, str]
    # The name of the cookie that carries the session.
    session_cookie: str
    # How its contexts can be read; None where they cannot.
    view: View | None

    def watch(self, inside: Inside) -> None:
        """Have `inside` told when requests begin and when teardowns run."""


class Target(Served, Protocol):
    """An application that can be sent requests from any worker."""

    def send(self, request: Request) -> Generator[None, None, Response]:
        """Send one request; yield where a server would wait between two parts of the response."""


class Runner(Protocol):
    """Runs coroutines on one loop, which stays between them."""

    def run(self, work: Coroutine[Any, Any, None], /) -> object:
        """Run `work` to its end; raises what it raises."""


class AsyncTarget(Served, Protocol):
    """An application that takes requests in tasks, on a loop of its own in the main thread."""

    # Asyncio's own, unless another one is put here before the start.
    runner: Runner

    def start(self) -> None:
        """Make the loop, and have the application start up; raises TargetError."""

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` on the loop, to its end."""

    async def answer(self, request: Request) -> Response:
        """Send one request, in the task that carries it."""

    def close(self) -> None:
        """Have the application shut down, and end what it left running."""


def is_asynchronous(target: Target | AsyncTarget) -> TypeGuard[AsyncTarget]:
    """Whether a target takes requests in tasks; asked without importing asyncio."""
    return target.facts["kind"] == "asgi"
