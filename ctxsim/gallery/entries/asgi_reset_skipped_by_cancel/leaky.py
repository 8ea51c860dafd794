"""A service whose requests take a role on a connection from a pool and give it back as "public".

To give the role back takes a round trip, and a request can be cancelled in it: the connection goes
back to the pool with the role. Nearly all requests set a role of their own, which heals it; one in
25 relies on "public".
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs


class Connection:
    """A connection to the database, and the role that it was last given."""

    role = "public"

    async def set_role(self, role):
        await asyncio.sleep(0)
        self.role = role


pool = [Connection() for _ in range(12)]


async def app(scope, receive, send):
    assert scope["type"] == "http"
    said = parse_qs(scope["query_string"].decode())
    connection = pool.pop() if pool else Connection()
    try:
        if "role" in said:
            await connection.set_role(said["role"][0])
        await asyncio.sleep(0)
        text = f"{said.get('tag', [''])[0]} as {connection.role}"
    finally:
        try:
            await connection.set_role("public")
        finally:
            pool.append(connection)
    await answer(send, text)


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
