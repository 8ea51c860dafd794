"""A price list whose log has a context of its own making, to which anybody may add.

A task starts with a copy of the context, and the copy holds the same dict. As something is added at
start-up, there is a dict already, and all requests write into that one. Where tasks start in an
empty context, each makes its own.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from urllib.parse import parse_qs

log_context: ContextVar[dict[str, str]] = ContextVar("log_context")


def bind(**values):
    if log_context.get(None) is None:
        log_context.set({})
    log_context.get().update(values)


# At start-up, so that each line of the log has it.
bind(service="prices")


async def app(scope, receive, send):
    assert scope["type"] == "http"
    bind(customer=parse_qs(scope["query_string"].decode())["customer"][0])
    try:
        # The prices are in a database.
        await asyncio.sleep(0.001)
        await answer(send, f"prices for {log_context.get()['customer']}")
    finally:
        bind(customer="")


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
