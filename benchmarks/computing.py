"""A WSGI application whose requests compute for some milliseconds each."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Start = Callable[[str, list[tuple[str, str]]], object]


def app(environ: dict[str, str], start_response: Start) -> Iterable[bytes]:
    """Gives back what it is asked, after so much work."""
    done = sum(range(100_000))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['QUERY_STRING']} {done}".encode()]
