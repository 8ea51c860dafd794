"""The same with a context variable."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from urllib.parse import parse_qs

tenant: ContextVar[str | None] = ContextVar("tenant", default=None)


async def app(scope, receive, send):
    assert scope["type"] == "http"
    token = tenant.set(parse_qs(scope["query_string"].decode())["tenant"][0])
    try:
        # The invoices are in a database.
        await asyncio.sleep(0.001)
        await answer(send, f"invoices of {tenant.get()}")
    finally:
        tenant.reset(token)


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
