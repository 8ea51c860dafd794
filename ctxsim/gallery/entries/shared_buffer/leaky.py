"""A price service that writes its answers to one buffer, which it empties beforehand.

Nothing blocks between the emptying and the reading. Only a thread that is stopped just there leaves
its text to another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import StringIO
from typing import Any

buffer = StringIO()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    buffer.seek(0)
    buffer.truncate()
    buffer.write("offer ")
    buffer.write(environ["QUERY_STRING"])
    body = buffer.getvalue()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()]
