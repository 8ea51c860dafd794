"""A WSGI application that gives back what it is asked: a request costs hardly anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Start = Callable[[str, list[tuple[str, str]]], object]


def app(environ: dict[str, str], start_response: Start) -> Iterable[bytes]:
    """Answers with its query string, in a sentence."""
    body = f"This request is {environ['QUERY_STRING'].removeprefix('tag=')}.".encode()
    start_response(
        "200 OK",
        [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))],
    )
    return [body]
