"""The same with the tenant as an argument, by which the cache tells the calls apart."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from urllib.parse import parse_qs

from async_lru import alru_cache

tenant: ContextVar[str] = ContextVar("tenant")


@alru_cache(maxsize=64, ttl=0.002)
async def price_list(of):
    # It takes long, which is why it is cached for a moment.
    await asyncio.sleep(0.001)
    return f"prices for {tenant.get()}"


async def app(scope, receive, send):
    assert scope["type"] == "http"
    tenant.set(parse_qs(scope["query_string"].decode())["tenant"][0])
    await answer(send, await price_list(tenant.get()))


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
