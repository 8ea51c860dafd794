"""The same service: the customer is a local variable."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ctxsim import pause


class Statistics:
    calls = 0

    def count(self) -> None:
        self.calls += 1
        if self.calls % 1000 == 0:
            pause(0.001)


statistics = Statistics()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    customer = environ["QUERY_STRING"]
    statistics.count()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"counted {customer}".encode()]
