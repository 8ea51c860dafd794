"""HTTP/1.1 as bytes on a socket (RFC 9112): requests written, responses read as they come.

It is ours because it has to do what no client library does: several requests before the first
answer, readers that are slow, clients that leave at a chosen byte.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

_CHUNK_BYTES = 64 * 1024
# What a slow reader takes at a time, so many times; then it reads on as others do.
_SIP_BYTES, _SIPS = 512, 16
_LONGEST_HEAD = 256 * 1024
_LONGEST_BODY = 256 * 1024**2
_INFORMATIONAL, _SWITCHING = 1, 101
_WITHOUT_BODY = frozenset({204, 304})
_BEGINNING = b"HTTP/"
_BAD_LINE = "what came is no HTTP response: {!r}"


class NoResponseError(Exception):
    """What came back is no response, or not a whole one.

    `data` is what of it is known to be for the request that it came to.
    """

    data = b""


class ClosedError(NoResponseError):
    """The connection ended before the response did; `begun`: some of it had come."""

    def __init__(self, *, begun: bool) -> None:
        super().__init__(f"the connection ended {'within' if begun else 'before'} the response")
        self.begun = begun


@dataclass(frozen=True, slots=True)
class Received:
    """A response as it came. `stays`: the connection can carry another request."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes
    stays: bool


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a response, and what it says of how long the response is."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    is_chunked: bool
    length: str | None
    stays: bool


class Reader:
    """Reads the responses of one connection, one after the other.

    `clock` tells seconds; `pause` lets others run where the reader is slow.
    """

    def __init__(
        self,
        sock: socket.socket,
        timeout_s: float,
        pause: Callable[[], object],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._sock = sock
        self.timeout_s = timeout_s
        self._pause = pause
        self._clock = clock
        self._kept = bytearray()
        self._deadline = 0.0
        # How many sips a slow reader still takes.
        self._sips = 0
        # Whether the response that is read says that the connection ends with it.
        self.leaves = False

    @property
    def unread(self) -> bytes:
        """What had come already, and belongs to no response that was read."""
        return bytes(self._kept)

    def first_bytes(self) -> None:
        """Wait until something of the next response is there."""
        self._begin(slow=False)
        if not self._kept:
            self._more()

    def response(
        self, method: str, *, slow: bool = False, timeout_s: float | None = None
    ) -> Received:
        """The response to the oldest request that has none yet, which was sent with `method`.

        Raises NoResponseError, and OSError as sockets do (TimeoutError after the timeout, which is
        the reader's own unless another one is given).
        """
        self._begin(slow=slow, timeout_s=timeout_s)
        self.leaves = False
        # What comes before the head and after the body is for the client as well.
        besides: list[tuple[str, str]] = []
        while True:
            head = self._head()
            if head.status // 100 != _INFORMATIONAL or head.status == _SWITCHING:
                break
            besides += head.headers
        stays = head.stays
        self.leaves = not stays
        if method == "HEAD" or head.status in _WITHOUT_BODY:
            body = b""
        elif head.status == _SWITCHING:
            # What follows is no HTTP any more.
            body, stays = b"", False
        elif head.is_chunked:
            body = self._chunked(besides)
        elif head.length is not None:
            body = self._take(_length(head.length))
        else:
            body, stays = self._rest(), False
        headers = [*head.headers, *_named(besides)]
        return Received(head.status, head.reason, headers, body, stays)

    def _begin(self, *, slow: bool, timeout_s: float | None = None) -> None:
        self._deadline = self._clock() + (self.timeout_s if timeout_s is None else timeout_s)
        self._sips = _SIPS if slow else 0

    def _more(self) -> None:
        """Take what comes next; raises ClosedError at the end."""
        left_s = self._deadline - self._clock()
        if left_s <= 0:
            raise TimeoutError("no whole response in time")
        self._sock.settimeout(left_s)
        wanted = _CHUNK_BYTES
        if self._sips:
            self._sips -= 1
            wanted = _SIP_BYTES
            self._pause()
        try:
            data = self._sock.recv(wanted)
        except ConnectionError:
            data = b""
        if not data:
            raise ClosedError(begun=bool(self._kept))
        self._kept += data

    def _head(self) -> Head:
        while (end := self._kept.find(b"\r\n\r\n")) < 0:
            if not self._kept.startswith(_BEGINNING[: len(self._kept)]):
                # Whoever speaks something else may not hang up, and be waited for in vain.
                raise NoResponseError(_BAD_LINE.format(bytes(self._kept[:60])))
            if (head := self._head_by_lf()) is not None:
                return head
            if len(self._kept) > _LONGEST_HEAD:
                raise NoResponseError("the head of a response has no end")
            self._more()
        if (head := self._head_by_lf(end)) is not None:
            return head
        head = read_head(bytes(self._kept[:end]))
        del self._kept[: end + 4]
        return head

    def _head_by_lf(self, before: int | None = None) -> Head | None:
        """A head whose lines end in a line feed alone, as they may (RFC 9112, 2.2)."""
        end = self._kept.find(b"\n\n", 0, before)
        if end < 0:
            return None
        lines = bytes(self._kept[:end]).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        head = read_head(lines)
        del self._kept[: end + 2]
        return head

    def _line(self) -> bytes:
        while (end := self._kept.find(b"\r\n")) < 0:
            if len(self._kept) > _LONGEST_HEAD:
                raise NoResponseError("a line of a chunked body has no end")
            self._within()
        line = bytes(self._kept[:end])
        del self._kept[: end + 2]
        return line

    def _take(self, length: int) -> bytes:
        if length > _LONGEST_BODY:
            raise NoResponseError(f"a body of {length:,} bytes is more than is read")
        while len(self._kept) < length:
            self._within()
        body = bytes(self._kept[:length])
        del self._kept[:length]
        return body

    def _chunked(self, besides: list[tuple[str, str]]) -> bytes:
        """A body in chunks; their extensions, and the trailers, are added to `besides`."""
        parts: list[bytes] = []
        size = 0
        while True:
            digits, extends, extension = self._line().partition(b";")
            digits = digits.strip()
            if extends:
                besides.append(("chunk-extension", extension.decode("latin-1")))
            try:
                length = int(digits, 16)
            except ValueError:
                raise NoResponseError(f"no length of a chunk: {digits[:20]!r}") from None
            if length == 0:
                break
            size += length
            if length < 0 or size > _LONGEST_BODY:
                raise NoResponseError(f"no length of a chunk: {digits[:20]!r}")
            parts.append(self._take(length))
            if self._line():
                raise NoResponseError("a chunk is longer than it says")
        while line := self._line():
            name, _, value = line.decode("latin-1").partition(":")
            besides.append((name, value.strip()))
        return b"".join(parts)

    def _rest(self) -> bytes:
        """All until the connection ends, which is the only end that such a body has."""
        while len(self._kept) <= _LONGEST_BODY:
            try:
                self._more()
            except ClosedError:
                body = bytes(self._kept)
                self._kept.clear()
                return body
        raise NoResponseError("a body without a length has no end")

    def _within(self) -> None:
        """More of a response that has begun."""
        try:
            self._more()
        except ClosedError:
            raise ClosedError(begun=True) from None


# Most heads of a server are the same, but for the time, which changes once in a second.
@lru_cache(maxsize=64)
def read_head(data: bytes) -> Head:
    """The head of a response, without the empty line at its end; raises NoResponseError."""
    first, *lines = data.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    number, _, reason = rest.partition(" ")
    if not version.startswith("HTTP/1.") or not (number.isdigit() and len(number) == 3):  # noqa: PLR2004 - three digits, RFC 9112, 4
        raise NoResponseError(_BAD_LINE.format(first[:60]))
    headers: list[tuple[str, str]] = []
    for line in lines:
        if line.startswith((" ", "\t")) and headers:
            # A value that goes on in the next line (RFC 9112, 5.2).
            name, value = headers.pop()
            headers.append((name, f"{value} {line.strip()}"))
            continue
        name, colon, value = line.partition(":")
        if not colon or not name:
            raise NoResponseError(_BAD_LINE.format(line[:60]))
        headers.append((name, value.strip(" \t")))
    fields = _fields(headers)
    return Head(
        int(number),
        reason,
        tuple(headers),
        is_chunked="chunked" in fields.get("transfer-encoding", "").lower(),
        length=fields.get("content-length"),
        stays=_stays(version, fields.get("connection", "")),
    )


def _fields(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers that say how long a message is; two lengths that differ are refused."""
    fields: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        if key == "content-length" and fields.get(key, value) != value:
            raise NoResponseError(f"two lengths of one body: {fields[key]} and {value}"[:120])
        fields[key] = value
    return fields


def _named(besides: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Headers of interim responses, and trailers, under names that say nothing of the response."""
    yield from ((f"besides-{name}", value) for name, value in besides)


def _length(value: str) -> int:
    if not value.isdigit():
        raise NoResponseError(f"no length of a body: {value[:20]!r}")
    return int(value)


def _stays(version: str, connection: str) -> bool:
    words = {word.strip() for word in connection.lower().split(",")}
    return "close" not in words and (version != "HTTP/1.0" or "keep-alive" in words)


def head(method: str, path: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """The head of a request. `path` may carry a query; it was quoted before."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")


def chunked(body: bytes, size: int) -> bytes:
    """A body in chunks of so many bytes."""
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"
