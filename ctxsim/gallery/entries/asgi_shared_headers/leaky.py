"""A guest book that sends the same headers with every page, and a cookie.

The cookie is added to the list of the module, not to a copy of it. Nothing needs to happen at the
same time: each response carries the cookies of all before it.
"""

from __future__ import annotations

from urllib.parse import parse_qs

USUAL = [(b"content-type", b"text/plain"), (b"x-frame-options", b"DENY")]


async def app(scope, receive, send):
    assert scope["type"] == "http"
    name = parse_qs(scope["query_string"].decode())["name"][0]
    headers = USUAL
    headers.append((b"set-cookie", b"guest=" + name.encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": f"hello {name}".encode()})
