"""An invoice service that came from a threaded server and brought its thread-local along.

Under asyncio all requests run in one thread. The tenant is also reset at the end of each request,
so that those that still wait have none, or that of whoever came last.
"""

from __future__ import annotations

import asyncio
import threading
from urllib.parse import parse_qs

local = threading.local()


async def app(scope, receive, send):
    assert scope["type"] == "http"
    local.tenant = parse_qs(scope["query_string"].decode())["tenant"][0]
    try:
        # The invoices are in a database.
        await asyncio.sleep(0.001)
        await answer(send, f"invoices of {local.tenant}")
    finally:
        local.tenant = None


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
