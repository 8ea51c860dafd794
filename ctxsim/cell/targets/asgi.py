"""ASGI applications (version 3): a request becomes a scope, messages become a response."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import unquote

from ctxsim.cell.targets import Runner
from ctxsim.cell.targets.exchange import Exchange
from ctxsim.cell.targets.lifespan import Lifespan
from ctxsim.cell.targets.wsgi import CARRIED
from ctxsim.cell.visits import Request, Response
from ctxsim.cell.witness.inside import Inside, View

_HOST = (b"host", b"localhost")
# How long tasks that the application left running may take to be cancelled.
_CANCEL_S = 1.0
_NAMES: dict[str, bytes] = {}


class Asgi:
    """An ASGI application; `watch` puts hooks into its framework, where that is a known one."""

    def __init__(
        self,
        app: Callable[..., Any],
        facts: dict[str, str],
        view: View | None = None,
        watch: Callable[[Inside], None] | None = None,
        session_cookie: str = "session",
    ) -> None:
        self._app = app
        self.facts = facts
        self.view = view
        self.session_cookie = session_cookie
        self._watch = watch
        self._lifespan = Lifespan(app, facts["app"])
        self.runner: Runner = asyncio.Runner()

    def watch(self, inside: Inside) -> None:
        if self._watch is not None:
            self._watch(inside)

    def start(self) -> None:
        self.runner.run(self._lifespan.start())

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.runner.run(work)

    def close(self) -> None:
        # The loop itself is left open, because the process ends now: to close it would be to wait
        # for tasks and threads that may never end.
        self.runner.run(self._shut_down())

    async def _shut_down(self) -> None:
        await self._lifespan.stop()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_CANCEL_S)

    async def answer(self, request: Request) -> Response:
        exchange = Exchange(request, fails=self._watch is None)
        try:
            await self._app(self._scope(request), exchange.receive, exchange.send)
        except BaseException as error:  # noqa: BLE001 - a server survives whatever a request raises
            exchange.error = error
        if request.fault == "cancel" and request.faulted:
            # Tasks that it had started are not cancelled with it, and may tear down later.
            request.begun = request.torn = request.torn_iterated = 0
        exchange.end()
        return exchange.response()

    def _scope(self, request: Request) -> dict[str, Any]:
        path = request.path
        # Made anew each time, with all that is in it: applications may change their scope.
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "server": ("localhost", 80),
            "client": ("127.0.0.1", 50000),
            "scheme": "http",
            "root_path": "",
            "method": request.prepared.step.method,
            "path": unquote(path) if "%" in path else path,
            "raw_path": path.encode(),
            "query_string": request.query.encode(),
            "headers": _headers(request),
            "state": self._lifespan.state.copy(),
            "extensions": {},
            CARRIED: request,
        }


def _headers(request: Request) -> list[tuple[bytes, bytes]]:
    jar = request.user.jar
    cookies = None if jar is None else jar.header(request.path)
    if not (cookies or request.content_type or request.headers):
        return [_HOST]
    headers = dict((_HOST,))
    if request.content_type:
        headers[b"content-type"] = request.content_type.encode()
        headers[b"content-length"] = b"%d" % len(request.body)
    if cookies:
        headers[b"cookie"] = cookies.encode()
    for name, value in request.headers:
        headers[_name(name)] = value.encode()
    return list(headers.items())


def _name(name: str) -> bytes:
    known = _NAMES.get(name)
    if known is None:
        known = _NAMES[name] = name.lower().encode()
    return known
