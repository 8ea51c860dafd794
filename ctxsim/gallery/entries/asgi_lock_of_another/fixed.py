"""The same, with the lock released only by the one who took it."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

PATIENCE = 60

lock = asyncio.Lock()
printer = {"text": ""}


async def took_lock():
    """Wait for the printer, but not for ever: a number of turns of the loop."""
    for _ in range(PATIENCE):
        if not lock.locked():
            return await lock.acquire()
        await asyncio.sleep(0)
    return False


async def app(scope, receive, send):
    assert scope["type"] == "http"
    said = parse_qs(scope["query_string"].decode())
    taken = False
    try:
        taken = await took_lock()
        text = await printed(said) if taken else None
    finally:
        if taken:
            lock.release()
    await answer(send, text)


async def printed(said):
    printer["text"] = said["text"][0]
    for _ in range(int(said.get("pages", ["1"])[0])):
        await asyncio.sleep(0)
    return printer["text"]


async def answer(send, text):
    status, headers = (503, [(b"retry-after", b"1")]) if text is None else (200, [])
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": (text or "the printer is busy").encode()})
