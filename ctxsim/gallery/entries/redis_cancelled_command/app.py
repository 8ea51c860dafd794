"""Profiles in a redis, read over connections from a pool.

redis-py before 4.5.4 gives the connection of a cancelled command back as it is. Where the command
was sent and its reply not yet read, the reply is read by the next command on that connection, and
from then on each command has the reply of the one before.
"""

from __future__ import annotations

import os
from urllib.parse import parse_qs

from redis.asyncio import Redis

redis = Redis.from_url(os.environ["CTXSIM_REDIS_URL"], max_connections=50)


async def app(scope, receive, send):
    assert scope["type"] == "http"
    name = parse_qs(scope["query_string"].decode())["name"][0]
    profile = await redis.echo(name)
    await answer(send, f"profile of {profile.decode()}")


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
