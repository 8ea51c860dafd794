"""What an attribute costs through a proxy: ours, Werkzeug's, and written out by hand."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

from runtime_timing import Row, compare, show
from werkzeug.local import LocalProxy as WerkzeugProxy

from ctxsim.runtime import App, LocalProxy, Request, request

REPEAT = 20_000
# So many in one call, because the call itself costs as much as one attribute does.
IN_A_ROW = 10


def _reader(expression: str, names: dict[str, Any]) -> Callable[[], None]:
    lines = [f"    {expression}"] * IN_A_ROW
    exec("\n".join(["def read():", *lines]), names)
    read: Callable[[], None] = names["read"]
    return read


def _path(proxy: Any) -> Callable[[], None]:
    return _reader("proxy.method", {"proxy": proxy})


def _by_hand(variable: ContextVar[Any]) -> Callable[[], None]:
    return _reader("variable.get().request.method", {"variable": variable})


def measure() -> list[Row]:
    """Time `request.method`, with one request context pushed."""
    context = App("proxies").request_context(Request("GET", "/").environ)
    variable: ContextVar[Any] = ContextVar("by_hand")
    variable.set(SimpleNamespace(request=context.request))
    competitors = {
        "ctxsim request": _path(request),
        "ctxsim LocalProxy(var)": _path(LocalProxy(variable, "request")),
        "werkzeug LocalProxy(var)": _path(WerkzeugProxy(variable, "request")),
        "by hand": _by_hand(variable),
    }
    with context:
        rows = compare("request.method", competitors, REPEAT)
    return [Row(r.operation, r.competitor, r.microseconds / IN_A_ROW, r.times_ours) for r in rows]


if __name__ == "__main__":
    show(measure())
