"""A price list for many tenants, made once for all who ask for it at the same time.

`alru_cache` runs the call in one task, which has the context of whoever came first, and gives its
result to all who call with the same arguments. That the list depends on the tenant as well stands
in a context variable, of which the cache knows nothing.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from urllib.parse import parse_qs

from async_lru import alru_cache

tenant: ContextVar[str] = ContextVar("tenant")


@alru_cache(maxsize=64, ttl=0.002)
async def price_list():
    # It takes long, which is why it is cached for a moment.
    await asyncio.sleep(0.001)
    return f"prices for {tenant.get()}"


async def app(scope, receive, send):
    assert scope["type"] == "http"
    tenant.set(parse_qs(scope["query_string"].decode())["tenant"][0])
    await answer(send, await price_list())


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
