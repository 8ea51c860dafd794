"""Who sends a request: in a context variable, from the session, for as long as it takes."""

from __future__ import annotations

from contextvars import ContextVar

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

_person: ContextVar[str | None] = ContextVar("person", default=None)


def current_person() -> str | None:
    """The name of whoever is logged in, None for a visitor."""
    return _person.get()


def require_person() -> str:
    """The name of whoever is logged in; a visitor is turned away with 401."""
    name = _person.get()
    if name is None:
        raise HTTPException(401, "log in first")
    return name


class People:
    """Takes the person from the session, and forgets them in every case."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        token = _person.set(scope["session"].get("person"))
        try:
            await self._app(scope, receive, send)
        finally:
            _person.reset(token)
