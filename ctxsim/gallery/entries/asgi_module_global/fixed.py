"""The same with the user in a context variable, which each task has for itself."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from urllib.parse import parse_qs

current_user: ContextVar[str] = ContextVar("current_user")


async def app(scope, receive, send):
    assert scope["type"] == "http"
    current_user.set(parse_qs(scope["query_string"].decode())["user"][0])
    # The orders are in a database.
    await asyncio.sleep(0.001)
    await answer(send, f"orders of {current_user.get()}")


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
