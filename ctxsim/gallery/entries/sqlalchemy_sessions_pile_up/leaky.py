"""A shop with a session for each task, by `async_scoped_session`.

The registry holds the tasks, and their sessions, until `remove()` is called. To close a session is
not enough: each request's stays, with all that was put into its `info`, as long as the process.
"""

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
        await Session.close()
    await answer(send, text)


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
