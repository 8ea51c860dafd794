"""WSGI applications (PEP 3333): a request becomes an environ, an iterable becomes a response."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from ctxsim.cell.targets.faults import (
    INJECTED,
    PART,
    fail,
    leaves_unread,
    turns_before_close,
    was_killed,
)
from ctxsim.cell.visits import Request, Response
from ctxsim.cell.witness.inside import Inside, View

CARRIED = "ctxsim.request"
_HOST, _PORT = "localhost", "80"


class Wsgi:
    """A WSGI application; `watch` puts hooks into its framework, where it has one that is known."""

    def __init__(
        self,
        app: Callable[..., Iterable[bytes]],
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
        self._base = _base_environ()

    def watch(self, inside: Inside) -> None:
        if self._watch is not None:
            self._watch(inside)

    def send(self, request: Request) -> Generator[None, None, Response]:
        exchange = _Exchange(request)
        try:
            iterable = self._app(self._environ(request), exchange.start_response)
            try:
                yield from exchange.read(iterable)
            finally:
                # By the worker that called the application, as PEP 3333 has it: a response that is
                # closed elsewhere is no WSGI server's doing.
                _close(iterable, request)
        except BaseException as error:
            if exchange.waiting and not was_killed(request):
                raise
            # A server survives whatever a request raises.
            exchange.error = error
        return exchange.response()

    def _input(self, request: Request) -> BytesIO:
        # Without a hook of the framework, an error fault shows where the application reads.
        plain = self._watch is not None or request.fault != "error"
        return BytesIO(request.body) if plain else _FailingInput(request)

    def _environ(self, request: Request) -> dict[str, Any]:
        environ = self._base.copy()
        path = request.path
        environ["REQUEST_METHOD"] = request.prepared.step.method
        environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1") if "%" in path else path
        query = request.query
        environ["QUERY_STRING"] = query
        environ["REQUEST_URI"] = environ["RAW_URI"] = f"{path}?{query}" if query else path
        environ["wsgi.input"] = self._input(request)
        environ["wsgi.errors"] = _DISCARD if request.fault else sys.stderr
        if request.content_type:
            environ["CONTENT_TYPE"] = request.content_type
            environ["CONTENT_LENGTH"] = str(len(request.body))
        jar = request.user.jar
        if jar is not None and (cookies := jar.header(path)):
            environ["HTTP_COOKIE"] = cookies
        for name, value in request.headers:
            environ[_variable(name)] = value.encode().decode("latin-1")
        environ[CARRIED] = request
        return environ


class _Exchange:
    """One call of the application, from the server's side."""

    __slots__ = (
        "error",
        "headers",
        "length",
        "parts",
        "reason",
        "request",
        "status",
        "waiting",
    )

    def __init__(self, request: Request) -> None:
        self.request = request
        self.parts: list[bytes] = []
        self.status = 0
        self.reason = ""
        self.length = -1
        self.headers: list[tuple[str, str]] = []
        self.error: BaseException | None = None
        # What is raised while the server waits is raised by the worker, else by the application.
        self.waiting = False

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        if exc_info is not None and self.parts:
            raise exc_info[1].with_traceback(exc_info[2])
        self.status, self.reason, self.headers = int(status[:3]), status[4:], []
        for name, value in headers:
            if not (isinstance(name, str) and isinstance(value, str)):
                raise TypeError(f"a header must be two texts, not {name!r}: {value!r}")
            if name.lower() == "content-length" and value.isdigit():
                self.length = int(value)
        self.headers = list(headers)
        return self._write

    def _write(self, part: bytes) -> None:
        if not isinstance(part, bytes):
            raise TypeError(f"the parts of a body must be bytes, not {type(part).__name__}")
        self.parts.append(part)

    def read(self, iterable: Iterable[bytes]) -> Generator[None, None, None]:
        size = 0
        request = self.request
        if leaves_unread(request):
            return
        request.iterated = True
        for part in iterable:
            self._write(part)
            size += len(part)
            if request.fault == "abort":
                request.faulted = True
                yield from self._wait(turns_before_close(request))
                return
            # A server waits for its client between the parts of a response whose end is not known.
            if size != self.length:
                yield from self._wait(1)
                fail(request, PART)

    def _wait(self, turns: int) -> Generator[None]:
        self.waiting = True
        for _ in range(turns):
            yield
        self.waiting = False

    def response(self) -> Response:
        error = self.error
        body = b"".join(self.parts)
        if error is not None and not isinstance(error, INJECTED):
            return Response(500, self.headers, body, complete=False, error=error)
        left = self.request.faulted and self.request.fault == "abort"
        if not self.status:
            known = left or error is not None
            missing = None if known else RuntimeError("start_response was never called")
            return Response(500, [], b"", complete=not left and known, error=missing)
        return Response(self.status, self.headers, body, complete=not left, reason=self.reason)


def _close(iterable: object, request: Request) -> None:
    close: Callable[[], object] | None = getattr(iterable, "close", None)
    if close is not None:
        request.sheltered = True
        close()


class _FailingInput(BytesIO):
    """The body of a request that was chosen to fail: its client is gone when it is read."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.body)
        self._request = request

    def read(self, size: int | None = -1) -> bytes:
        fail(self._request)
        return super().read(size)

    def readline(self, size: int | None = -1) -> bytes:
        fail(self._request)
        return super().readline(size)


class _Discard:
    """`wsgi.errors` of requests that are meant to fail: their tracebacks tell nothing."""

    def write(self, text: str) -> int:
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Nothing is kept."""

    def flush(self) -> None:
        """Nothing was kept."""


_DISCARD = _Discard()
_VARIABLES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


def _variable(name: str) -> str:
    known = _VARIABLES.get(name)
    if known is None:
        known = _VARIABLES.get(name.lower()) or "HTTP_" + name.upper().replace("-", "_")
        _VARIABLES[name] = known
    return known


def _base_environ() -> dict[str, Any]:
    return {
        "SCRIPT_NAME": "",
        "SERVER_NAME": _HOST,
        "SERVER_PORT": _PORT,
        "HTTP_HOST": _HOST,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
