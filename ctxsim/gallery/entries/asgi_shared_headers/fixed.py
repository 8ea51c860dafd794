"""The same with a list for each response."""

from __future__ import annotations

from urllib.parse import parse_qs

USUAL = [(b"content-type", b"text/plain"), (b"x-frame-options", b"DENY")]


async def app(scope, receive, send):
    assert scope["type"] == "http"
    name = parse_qs(scope["query_string"].decode())["name"][0]
    headers = list(USUAL)
    headers.append((b"set-cookie", b"guest=" + name.encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": f"hello {name}".encode()})
