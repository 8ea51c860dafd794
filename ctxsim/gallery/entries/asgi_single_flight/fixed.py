"""The same, with the customer in the key: only what is the same for both is shared."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from urllib.parse import parse_qs

customer: ContextVar[str] = ContextVar("customer")
in_flight: dict[object, asyncio.Task[str]] = {}


async def price_list():
    # It takes long, which is why it should not be made twice at the same time.
    await asyncio.sleep(0.001)
    return f"prices for {customer.get()}"


async def once(key):
    if key not in in_flight:
        in_flight[key] = asyncio.create_task(price_list())
        in_flight[key].add_done_callback(lambda _: in_flight.pop(key))
    return await asyncio.shield(in_flight[key])


async def app(scope, receive, send):
    assert scope["type"] == "http"
    customer.set(parse_qs(scope["query_string"].decode())["customer"][0])
    await answer(send, await once(("prices", customer.get())))


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
