"""A gateway that logs each user in at a service behind it and asks it for the user's page.

An `httpx.AsyncClient` keeps the cookies that it is given and sends them with every request. One for
the whole process has one jar, and the service takes everybody for the one who logged in last.
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

import httpx


async def service(request):
    """The service behind, in this process: it knows its users by a cookie."""
    await asyncio.sleep(0.001)
    if request.url.path == "/login":
        return httpx.Response(200, headers={"Set-Cookie": f"user={request.url.params['name']}"})
    return httpx.Response(200, text=f"page of {request.headers['Cookie'].removeprefix('user=')}")


def gateway_client():
    return httpx.AsyncClient(transport=httpx.MockTransport(service), base_url="http://service")


client = gateway_client()


async def page_of(name):
    await client.post("/login", params={"name": name})
    # Something else is asked for meanwhile.
    await asyncio.sleep(0.001)
    return (await client.get("/page")).text


async def app(scope, receive, send):
    assert scope["type"] == "http"
    await answer(send, await page_of(parse_qs(scope["query_string"].decode())["name"][0]))


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
