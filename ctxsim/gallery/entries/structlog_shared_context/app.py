"""A till whose log says in each line which customer it is about.

structlog before 21.1 keeps what is bound in one dict in a context variable. The name of the service
is bound at start-up, so the dict is there already, and is the same in every task's copy of the
context: lines are written about customers who have nothing to do with them.
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from structlog.contextvars import bind_contextvars, merge_contextvars, unbind_contextvars

bind_contextvars(service="till")


async def app(scope, receive, send):
    assert scope["type"] == "http"
    bind_contextvars(customer=parse_qs(scope["query_string"].decode())["customer"][0])
    try:
        # The bank takes its time.
        await asyncio.sleep(0.001)
        # The line as it would be logged.
        line = merge_contextvars(None, "info", {"event": "paid"})
        await answer(send, f"{line['event']} by {line.get('customer', 'nobody')}")
    finally:
        unbind_contextvars("customer")


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
