"""A home-made `g`: a dict in a context variable, so that each task has its own.

It has not: as long as nobody sets the variable, every task is given the default, and that is one
dict for the whole process.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs

g: ContextVar[dict[str, Any]] = ContextVar("g", default={})


async def app(scope, receive, send):
    assert scope["type"] == "http"
    g.get()["user"] = parse_qs(scope["query_string"].decode())["user"][0]
    # The orders are in a database.
    await asyncio.sleep(0.001)
    await answer(send, f"orders of {g.get()['user']}")


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
