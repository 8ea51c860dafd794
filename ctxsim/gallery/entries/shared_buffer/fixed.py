"""The same service: a buffer for each answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import StringIO
from typing import Any


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    buffer = StringIO()
    buffer.write("offer ")
    buffer.write(environ["QUERY_STRING"])
    body = buffer.getvalue()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()]
