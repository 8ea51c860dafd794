"""A mail service that writes its mails one after the other, in a task of its own.

The first request starts that task, and a task starts with a copy of the context of whoever starts
it. So the sender of the first mail is, for the consumer, the sender of all mails.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from urllib.parse import parse_qs

sender: ContextVar[str] = ContextVar("sender", default="a visitor")
mails: asyncio.Queue = asyncio.Queue()
consumers: set[asyncio.Task[None]] = set()


async def write_mail(subject):
    await asyncio.sleep(0.001)
    return f"{subject} from {sender.get()}"


async def consume():
    while True:
        subject, written = await mails.get()
        mail = await write_mail(subject)
        if not written.done():
            written.set_result(mail)


async def app(scope, receive, send):
    assert scope["type"] == "http"
    given = dict(scope["headers"]).get(b"authorization")
    if given is not None:
        sender.set(given.decode())
    if not consumers:
        consumers.add(asyncio.create_task(consume()))
    written = asyncio.get_running_loop().create_future()
    mails.put_nowait((parse_qs(scope["query_string"].decode())["subject"][0], written))
    await answer(send, await written)


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
