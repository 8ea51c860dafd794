"""An ASGI application that sets a context variable for each request, and trusts it to be new."""

from __future__ import annotations

import json
from contextvars import ContextVar

tenant: ContextVar[str | None] = ContextVar("tenant", default=None)


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    before = tenant.get()
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    sent = json.loads(body)
    if before is None:
        tenant.set(sent["tenant"])
    answer = json.dumps({"tenant": tenant.get(), "note": sent["note"]}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
