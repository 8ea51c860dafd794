"""A chat as a plain ASGI application: a room with an inbox for each user, and a stream of it.

What belongs to a request is kept in a context variable, which the tasks that it starts inherit.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from urllib.parse import parse_qs

author: ContextVar[str] = ContextVar("author")
inboxes: dict[str, list[str]] = {}
KEPT = 20


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "http":
        token = author.set(name_of(scope))
        try:
            await ROUTES.get((scope["method"], scope["path"]), missing)(scope, receive, send)
        finally:
            author.reset(token)


async def lifespan(receive, send):
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    inboxes.clear()
    await send({"type": "lifespan.shutdown.complete"})


def name_of(scope) -> str:
    cookies = dict(scope["headers"]).get(b"cookie", b"").decode()
    return cookies.partition("chat=")[2].partition(";")[0]


async def join(scope, receive, send):
    name = parse_qs(await body_of(receive))["name"][0]
    inboxes.setdefault(name, [])
    await reply(send, f"Welcome, {name}.", headers=[(b"set-cookie", f"chat={name}".encode())])


async def say(_scope, receive, send):
    text = await body_of(receive)
    # In a task of its own, as an application that must not keep the sender waiting would have it.
    await asyncio.create_task(deliver(text))
    await reply(send, f"{author.get() or 'nobody'}: {text}")


async def deliver(text: str) -> None:
    await asyncio.sleep(0)
    if name := author.get():
        inbox = inboxes.setdefault(name, [])
        inbox.append(f"{name}: {text}")
        del inbox[:-KEPT]


async def listen(_scope, _receive, send):
    """The inbox, line by line, with others served between the lines."""
    await send({"type": "http.response.start", "status": 200, "headers": [TEXT]})
    for line in [f"inbox of {author.get() or 'nobody'}", *inboxes.get(author.get(), ())]:
        await send({"type": "http.response.body", "body": f"{line}\n".encode(), "more_body": True})
    await send({"type": "http.response.body"})


async def missing(_scope, _receive, send):
    await reply(send, "There is no such page.", status=404)


async def body_of(receive) -> str:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body.decode()


async def reply(send, text: str, *, status: int = 200, headers=()) -> None:
    start = {"type": "http.response.start", "status": status, "headers": [TEXT, *headers]}
    await send(start)
    await send({"type": "http.response.body", "body": text.encode()})


TEXT = (b"content-type", b"text/plain; charset=utf-8")
ROUTES = {("POST", "/join"): join, ("POST", "/say"): say, ("GET", "/inbox"): listen}
