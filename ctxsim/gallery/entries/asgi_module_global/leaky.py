"""A shop that keeps the current user in a variable of the module.

There is one thread, so nothing seems to happen at the same time. But each `await` lets other
requests run, and the user who came last is everybody's user.
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

current_user = "nobody"


async def app(scope, receive, send):
    global current_user
    assert scope["type"] == "http"
    current_user = parse_qs(scope["query_string"].decode())["user"][0]
    # The orders are in a database.
    await asyncio.sleep(0.001)
    await answer(send, f"orders of {current_user}")


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
