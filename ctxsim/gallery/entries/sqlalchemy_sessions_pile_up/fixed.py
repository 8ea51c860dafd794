"""The same with `remove()`, which also closes the session."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from sqlalchemy.ext.asyncio import async_scoped_session, async_sessionmaker, create_async_engine

engine = create_async_engine("sqlite+aiosqlite://")
Session = async_scoped_session(async_sessionmaker(engine), scopefunc=asyncio.current_task)


async def app(scope, receive, send):
    assert scope["type"] == "http"
    Session.info["customer"] = parse_qs(scope["query_string"].decode())["customer"][0]
    try:
        # A query or two.
        await asyncio.sleep(0.001)
        text = f"orders of {Session.info['customer']}"
    finally:
        await Session.remove()
    await answer(send, text)


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
