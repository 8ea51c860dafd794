"""An ASGI application's lifespan: started before the first request, and ended after the last.

It runs in a task of its own, with its own copy of the context, as uvicorn and hypercorn have it:
what it sets in context variables is not there in requests, what it puts into `state` is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ctxsim.errors import TargetError

# How long an application may take to shut down, before its cell ends all the same.
_SHUTDOWN_S = 2.0


class Lifespan:
    """The lifespan of one application; `state` is what requests get a copy of."""

    def __init__(self, app: Callable[..., Any], name: str) -> None:
        self._app = app
        self._name = name
        self.state: dict[str, Any] = {}
        self._task: asyncio.Task[None] | None = None
        self._failed: str | None = None
        self._raised: BaseException | None = None

    async def start(self) -> None:
        """Have the application start up; raises TargetError where it says that it cannot.

        One that raises instead knows no lifespan, and goes without.
        """
        self._said: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._started = asyncio.Event()
        self._said.put_nowait({"type": "lifespan.startup"})
        self._task = asyncio.get_running_loop().create_task(self._live())
        await self._started.wait()
        if self._failed is not None:
            await self._until_done(self._task)
            raise TargetError(*_told(self._name, self._failed)) from self._raised
        if isinstance(self._raised, (SystemExit, KeyboardInterrupt)):
            raise TargetError(
                f"{self._name} ended itself as it started up: {self._raised!r}",
                "its lifespan must come to lifespan.startup.complete",
            ) from self._raised

    async def stop(self) -> None:
        """Have the application shut down, in bounded time."""
        if self._task is not None and not self._task.done():
            self._said.put_nowait({"type": "lifespan.shutdown"})
            await self._until_done(self._task)

    async def _until_done(self, task: asyncio.Task[None]) -> None:
        await asyncio.wait({task}, timeout=_SHUTDOWN_S)

    async def _live(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._app(scope, self._said.get, self._send)
        except BaseException as error:  # noqa: BLE001 - as a server, which tells it from its own
            self._raised = error
        finally:
            self._started.set()

    async def _send(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "lifespan.startup.complete":
                self._started.set()
            case "lifespan.startup.failed":
                self._failed = str(message.get("message", ""))
                self._started.set()
            case "lifespan.shutdown.complete" | "lifespan.shutdown.failed":
                pass
            case unknown:
                raise RuntimeError(f"{unknown!r} is no message of a lifespan")


def _told(name: str, message: str) -> tuple[str, str]:
    lines = message.strip().splitlines()
    said = f": {lines[-1].strip()}" if lines else ""
    return (
        f"{name} could not start up{said}",
        "it said lifespan.startup.failed; no server would serve it",
    )
