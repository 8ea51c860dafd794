"""A service that counts its requests; every 1000th time the count is sent to a server of statistics.

The customer is on the shared object for the few lines in which nothing blocks. Once in a thousand
times it does, and another request comes between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ctxsim import pause


class Statistics:
    calls = 0
    customer = ""

    def count(self) -> None:
        self.calls += 1
        if self.calls % 1000 == 0:
            pause(0.001)


statistics = Statistics()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    statistics.customer = environ["QUERY_STRING"]
    statistics.count()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"counted {statistics.customer}".encode()]
