"""Messages that the next page shows once, kept in the session until then."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ctxsim.runtime import proxies
from ctxsim.runtime.signals import message_flashed
from ctxsim.runtime.stacks import STACKS


def flash(message: str, category: str = "message") -> None:
    """Keep `message` for the next page that asks for it."""
    kept = list(proxies.session.get("_flashes", []))
    kept.append((category, message))
    proxies.session["_flashes"] = kept
    if message_flashed.receivers:
        app = proxies.current_app._get_current_object()
        message_flashed.send(app, message=message, category=category)


def get_flashed_messages(
    with_categories: bool = False, category_filter: Iterable[str] = ()
) -> list[Any]:
    """Give the messages, with their categories if asked for, only of those in `category_filter`.

    All messages are taken from the session at the first call; further calls while the same request
    is handled give the same.
    """
    messages = _taken()
    wanted = set(category_filter)
    if wanted:
        messages = [pair for pair in messages if pair[0] in wanted]
    return messages if with_categories else [text for _, text in messages]


def _taken() -> list[tuple[str, str]]:
    # Through the proxy first, because that raises the right error outside of a request.
    proxies.request._get_current_object()  # type: ignore[attr-defined]
    context = STACKS.request_get()
    if context.flashes is None:
        context.flashes = context.session.pop("_flashes") if "_flashes" in context.session else []
    found: list[tuple[str, str]] = context.flashes
    return found
