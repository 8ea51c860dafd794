"""Keeps the notes, the latest of each person, and the wait that a database would cost."""

from __future__ import annotations

import asyncio
from collections import deque

_LATEST = 5


class Store:
    """Notes by person; numbers count up for each."""

    def __init__(self) -> None:
        self._notes: dict[str, deque[str]] = {}
        self.audit: deque[str] = deque(maxlen=50)

    async def add(self, person: str, text: str) -> None:
        await wait()
        self._notes.setdefault(person, deque(maxlen=_LATEST)).append(text)

    async def of(self, person: str) -> list[str]:
        await wait()
        return list(self._notes.get(person, ()))

    async def note_down(self, who: str, what: str) -> None:
        """What happens after the response was sent; it is handed all that it needs."""
        await wait()
        self.audit.append(f"{who}: {what}")

    def close(self) -> None:
        self._notes.clear()


async def wait() -> None:
    """Take as long as a query: other requests run meanwhile."""
    await asyncio.sleep(0.001)
