"""Where a request is sent: what every target is."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from ctxsim.cell.visits import Request, Response
from ctxsim.cell.witness.inside import Inside, View


class Target(Protocol):
    """An application that was imported and can be sent requests, from any worker."""

    # What the harness is told: kind, and names with their versions.
    facts: dict[str, str]
    # The name of the cookie that carries the session.
    session_cookie: str
    # How its contexts can be read; None where they cannot.
    view: View | None

    def watch(self, inside: Inside) -> None:
        """Have `inside` told when requests begin and when teardowns run."""

    def send(self, request: Request) -> Generator[None, None, Response]:
        """Send one request; yield where a server would wait between two parts of the response."""
