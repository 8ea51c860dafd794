"""Applications of the runtime: called directly, without WSGI, which is the harness's fast path."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any
from urllib.parse import unquote

from ctxsim.cell.targets.faults import (
    PART,
    fail,
    leaves_unread,
    not_injected,
    turns_before_close,
)
from ctxsim.cell.targets.moments import Moments
from ctxsim.cell.targets.wsgi import CARRIED
from ctxsim.cell.visits import Request, Response
from ctxsim.cell.witness.claims import OwnersOfG
from ctxsim.cell.witness.inside import Inside, LookUp
from ctxsim.cell.witness.record import Current
from ctxsim.runtime import App
from ctxsim.runtime.local import live_locals
from ctxsim.runtime.proxies import PARTS
from ctxsim.runtime.requests import Request as RuntimeRequest
from ctxsim.runtime.selection import selected_storage
from ctxsim.runtime.stacks import STACKS


class RuntimeView:
    """The runtime's two stacks."""

    def __init__(self) -> None:
        self.owners_of_g = OwnersOfG()
        # What the storage keeps in neither a context variable nor a thread-local is in no search.
        is_searched = selected_storage() in ("contextvar", "thread")
        self.held = None if is_searched else _held

    def is_clear(self) -> bool:
        return STACKS.request_get() is None and STACKS.app_get() is None

    def all_own(self, request: Request) -> bool:
        context = STACKS.request_get()
        if context is None or context.request.carried is not request:
            return False
        return not context._session and self.has_own_g(request)

    def has_own_g(self, request: Request) -> bool:
        context = STACKS.app_get()
        if context is None:
            return False
        return self.owners_of_g.claim(context.g, request) is request

    def has_request(self) -> bool:
        return STACKS.request_get() is not None

    def has_app(self) -> bool:
        return STACKS.app_get() is not None

    def carried(self) -> Request | None:
        return _carried(STACKS.request_get().request)

    def belongs_to(self, thing: object) -> Request | None:
        # By its type, not by isinstance: a proxy would pass for what it leads to.
        return _carried(thing) if issubclass(type(thing), RuntimeRequest) else None

    def g(self) -> object:
        return STACKS.app_get().g

    def session(self) -> object | None:
        # One that nobody opened yet is left closed: to open it is to verify a signature.
        return STACKS.request_get()._session  # type: ignore[no-any-return]

    def listen(self, heard: Callable[[str, LookUp], LookUp]) -> None:
        for name in ("request", "g", "session"):
            PARTS[name].look_up_by(partial(heard, name))


def _held() -> Iterator[tuple[str, object]]:
    for each in live_locals():
        held = list(each)
        if held:
            yield type(each).__name__, held


def _carried(request: Any) -> Request | None:
    found = request.carried
    if found is None and request._environ is not None:
        found = request._environ.get(CARRIED)
    return found  # type: ignore[no-any-return]


class RuntimeHooks:
    """Tells `Inside` of each request of one application of the runtime."""

    def __init__(self, app: App, current: Current, owners_of_g: OwnersOfG) -> None:
        self._app = app
        self._owners_of_g = owners_of_g
        self._current = current

    def watch(self, inside: Inside) -> None:
        app = self._app
        app.logger.addFilter(not_injected)
        self._owners_of_g.adopt(app)
        app.before_request_funcs.insert(0, inside.begin)
        moments = Moments(self._current, inside)
        app.before_request_funcs.append(moments.hooks_ended)
        made: Any = app
        made.dispatch = moments.view(app.dispatch)
        made.handle_user_exception = moments.errors(app.handle_user_exception)
        made.handle_exception = moments.errors(app.handle_exception)
        made.teardown_request_context = moments.teardown(app.teardown_request_context, "request")
        made.teardown_app_context = moments.teardown(app.teardown_app_context, "app context")


class Runtime:
    """An application of the runtime, called by `App.handle`."""

    def __init__(self, app: App, current: Current, facts: dict[str, str]) -> None:
        self._app = app
        self._handle = app.handle
        self.facts = facts
        self.view = RuntimeView()
        self._hooks = RuntimeHooks(app, current, self.view.owners_of_g)
        self.session_cookie: str = app.config["SESSION_COOKIE_NAME"]

    def watch(self, inside: Inside) -> None:
        self._hooks.watch(inside)

    def send(self, request: Request) -> Generator[None, None, Response]:
        try:
            answer = self._handle(_made(request))
        except BaseException as error:  # noqa: BLE001 - a server survives whatever a request raises
            return Response(500, [], b"", complete=False, error=error)
        if not answer.is_streamed:
            left = request.fault == "abort"
            request.faulted = request.faulted or left
            body = b"" if left else answer.get_data()
            answer.close()
            headers, reason = answer.header_list(), answer.status[4:]
            return Response(answer.status_code, headers, body, complete=not left, reason=reason)
        return (yield from _streamed(request, answer))


def _made(request: Request) -> RuntimeRequest:
    headers = request.headers
    jar = request.user.jar
    if jar is not None and (cookies := jar.header(request.path)):
        headers = (*headers, ("Cookie", cookies))
    if request.content_type:
        length = str(len(request.body))
        headers = (*headers, ("Content-Type", request.content_type), ("Content-Length", length))
    path = request.path
    made = RuntimeRequest(
        request.prepared.step.method,
        unquote(path) if "%" in path else path,
        request.query,
        headers,
        request.body,
    )
    made.carried = request
    return made


def _streamed(request: Request, answer: Any) -> Generator[None, None, Response]:
    parts: list[bytes] = []
    error: BaseException | None = None
    try:
        yield from _read(request, answer, parts)
    except BaseException as raised:  # noqa: BLE001 - a server survives whatever a request raises
        error = raised
    finally:
        request.sheltered = True
        answer.close()
    complete = error is None and not (request.faulted and request.fault == "abort")
    return Response(answer.status_code, answer.header_list(), b"".join(parts), complete, error)


def _read(request: Request, answer: Any, parts: list[bytes]) -> Generator[None]:
    if leaves_unread(request):
        return
    request.iterated = True
    for part in answer.chunks():
        parts.append(part)
        if request.fault == "abort":
            request.faulted = True
            for _ in range(turns_before_close(request)):
                yield
            return
        yield
        fail(request, PART)
