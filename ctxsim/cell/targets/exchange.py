"""One HTTP exchange of ASGI (asgiref's specification, 2.4), from the server's side."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Any

from ctxsim.cell.targets.faults import INPUT, PART, fail
from ctxsim.cell.visits import Request, Response

Message = dict[str, Any]

_START, _BODY = "http.response.start", "http.response.body"
_NO_BODY = frozenset({204, 304})
_DISCONNECT = "http.disconnect"
# A client leaves a server that has not answered yet after so many turns of the loop, at most.
_PATIENCE = 8


class Exchange:
    """What the application is given as `receive` and `send`, and what came of it."""

    __slots__ = (
        "_body",
        "_ended",
        "_fails",
        "_headers",
        "_is_head",
        "_length",
        "_parts",
        "_request",
        "_size",
        "_status",
        "complete",
        "error",
        "left",
    )

    def __init__(self, request: Request, *, fails: bool) -> None:
        """`fails`: the error fault is raised here, since no hook of a framework raises it."""
        self._request = request
        self._fails = fails and request.fault == "error"
        self._body = deque(_body_of(request))
        self._is_head = request.prepared.step.method == "HEAD"
        self._ended: asyncio.Event | None = None
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._length = -1
        self._size = 0
        self._parts: list[bytes] = []
        # The response was sent to its end; the client left before.
        self.complete = self.left = False
        self.error: BaseException | None = None

    async def receive(self) -> Message:
        if self.left:
            return {"type": _DISCONNECT}
        if self._body:
            return await self._next_part()
        if not self.complete:
            if self._request.fault == "abort":
                await self._leave_soon()
            else:
                await self._end().wait()
        return {"type": _DISCONNECT}

    async def _next_part(self) -> Message:
        # Some of the failing requests fail where their body is read, as when it does not come
        # through; the others when everything is done but for the answer.
        if self._fails:
            fail(self._request, INPUT)
        part, more, is_first = self._body.popleft()
        if not is_first:
            # The rest of a body comes over the network later.
            await asyncio.sleep(0)
        return {"type": "http.request", "body": part, "more_body": more}

    async def _leave_soon(self) -> None:
        for _ in range(self._request.fault_draw % _PATIENCE):
            if self.complete or self.left:
                return
            await asyncio.sleep(0)
        if not self.complete:
            self._leave()

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if self.left:
            raise OSError("the client has left")
        if self.complete:
            raise RuntimeError(f"{kind!r} was sent after the response was complete")
        if self._status:
            if kind != _BODY:
                raise RuntimeError(f"{kind!r} was sent where {_BODY!r} must come")
            await self._send_part(message)
        elif kind != _START:
            raise RuntimeError(f"{kind!r} was sent where {_START!r} must come")
        else:
            self._start(message)

    def _start(self, message: Message) -> None:
        if self._fails:
            fail(self._request, PART)
        status: int = message["status"]
        headers: list[tuple[str, str]] = []
        for name, value in message.get("headers", ()):
            if not (isinstance(name, bytes) and isinstance(value, bytes)):
                raise TypeError(f"a header must be two byte strings, not {name!r}: {value!r}")
            title = name.decode("latin-1").title()
            headers.append((title, value.decode("latin-1")))
            if title == "Content-Length" and value.isdigit():
                self._length = int(value)
        self._status, self._headers = int(status), headers
        self._request.iterated = True

    async def _send_part(self, message: Message) -> None:
        body: bytes = message.get("body", b"")
        if not isinstance(body, (bytes, bytearray, memoryview)):
            raise TypeError(f"the parts of a body must be bytes, not {type(body).__name__}")
        more: bool = message.get("more_body", False)
        leaves = self._request.fault == "abort" and (body or not more)
        if leaves and not more:
            self._leave()
            raise OSError("the client has left")
        self._take(bytes(body), more=more)
        if leaves:
            self._leave()
        elif not more:
            self.complete = True
            self.end()
        elif self._size != self._length:
            # A server may wait for its client between the parts of a body whose end is not known.
            await asyncio.sleep(0)

    def _take(self, body: bytes, *, more: bool) -> None:
        if self._is_head:
            return
        self._parts.append(body)
        self._size += len(body)
        if self._length < 0 or self._status in _NO_BODY:
            return
        if self._size > self._length or (not more and self._size < self._length):
            raise RuntimeError(
                f"the body is of {self._size} bytes; Content-Length says {self._length}"
            )

    def _leave(self) -> None:
        self.left = self._request.faulted = True
        self.end()

    def end(self) -> None:
        """Tell those who wait for the client that it has gone."""
        if self._ended is not None:
            self._ended.set()

    def _end(self) -> asyncio.Event:
        if self._ended is None:
            self._ended = asyncio.Event()
        return self._ended

    def response(self) -> Response:
        """What the client has got, once the application is done with the request."""
        error, body = self.error, b"".join(self._parts)
        if self.complete:
            # What is raised later, by a background task, takes nothing back.
            return Response(self._status, self._headers, body, error=error)
        if error is None and not self._request.faulted:
            missing = "a complete response" if self._status else "a response"
            error = RuntimeError(f"the application returned without {missing}")
        status = self._status if self._request.faulted and self._status else 500
        return Response(status, self._headers, body, complete=False, error=error)


def _body_of(request: Request) -> Iterator[tuple[bytes, bool, bool]]:
    """The parts in which a body comes: each with whether more follow, and whether it is the first.

    Those of every other request come in several, cut anywhere, as a network cuts them.
    """
    body = request.body
    if len(body) > 1 and request.number & 1 == 0:
        half = len(body) // 2
        yield body[:half], True, True
        yield body[half:], True, False
        yield b"", False, False
    else:
        yield body, False, True
