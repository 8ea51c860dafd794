"""A payment service that reports refused cards, with the user as a tag.

sentry-sdk 1.x keeps the tags in the scope of a hub, and the hub in a context variable. Without its
integration for the server all tasks have a copy of the start-up context, and so the one hub: the
report of one user's card has the name of another.
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

import sentry_sdk
from sentry_sdk.transport import Transport


class Nowhere(Transport):
    """Reports go nowhere: what would be in them is read before."""

    def capture_event(self, event):
        """Nothing is sent."""

    def capture_envelope(self, envelope):
        """Nothing is sent."""


def keep_for_the_answer(event, hint):
    hint["kept"].append(event)
    return event


sentry_sdk.init(
    dsn="http://key@127.0.0.1:9/1",
    transport=Nowhere,
    before_send=keep_for_the_answer,
    default_integrations=False,
)
sentry_sdk.set_tag("service", "payments")


async def pay(user):
    sentry_sdk.set_tag("user", user)
    # The bank takes its time, and says no.
    await asyncio.sleep(0.001)
    kept = []
    sentry_sdk.Hub.current.capture_message("card refused", hint={"kept": kept})
    return kept[0]["tags"]["user"]


async def app(scope, receive, send):
    assert scope["type"] == "http"
    user = parse_qs(scope["query_string"].decode())["user"][0]
    await answer(send, f"reported for {await pay(user)}")


async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
