"""The same with the new client in a local variable until it has connected."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs


class Client:
    """Speaks to a service in the name of one tenant."""

    def __init__(self, tenant):
        self.tenant = tenant

    async def connect(self):
        await asyncio.sleep(0)


class Clients:
    """One client for each tenant, made when it is first needed; the last thousand are kept."""

    def __init__(self):
        self.made = {}

    async def of(self, tenant):
        if tenant not in self.made:
            client = Client(tenant)
            await client.connect()
            self.made[tenant] = client
            if len(self.made) > 1000:
                self.made.pop(next(iter(self.made)))
        return self.made[tenant]


clients = Clients()


async def app(scope, receive, send):
    assert scope["type"] == "http"
    said = parse_qs(scope["query_string"].decode())
    client = await clients.of(said["tenant"][0])
    await answer(send, f"{said['tag'][0]} by the client of {client.tenant}")


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
