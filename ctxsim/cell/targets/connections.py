"""Connections to a server, and who shares which."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ctxsim.cell.plan import Address
from ctxsim.cell.targets.wire import ClosedError, NoResponseError, Reader, Received
from ctxsim.cell.visits import Request
from ctxsim.cell.witness.wire import Line
from ctxsim.errors import TargetError

# So many requests may wait on one connection for their answers.
_MOST_PIPELINED = 4
# A socket that is closed with this tells its peer by a reset, as a client that vanished does.
_AT_ONCE = struct.pack("ii", 1, 0)
_CONNECT_S = 10.0
# On loopback a system takes up to 3 MB from a server before anybody reads, so that it would never
# notice who reads slowly, or leaves. With segments as Ethernet has them, and little room, its
# sending comes to a halt after some 30 kB, as it does in production.
_ROOM_BYTES = 2048
_SEGMENT_BYTES = 1460
_MAX_SEGMENT: int | None = getattr(socket, "TCP_MAXSEG", None)
# A server that writes head and body apart sends the body once the head is acknowledged (Nagle,
# RFC 896), which systems put off by 40 ms. Only some have a name for leave not to wait.
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


Place = tuple[Any, ...]


class Connection:
    """One connection, whose requests are answered in the order in which they were sent.

    `users` counts the requests that hold it; it is changed by `Connections` alone. `nothing_yet`
    are the errors by which a socket says that there is nothing to read, `ended` those by which it
    says that the other side has hung up.
    """

    nothing_yet: tuple[type[OSError], ...] = (BlockingIOError,)
    ended: tuple[type[OSError], ...] = ()

    def __init__(self, sock: socket.socket, reader: Reader, *, narrow: bool = False) -> None:
        self.sock = sock
        self.narrow = narrow
        self.reader = reader
        self.line = Line()
        self.users = 1
        self.used = 0
        # Whether others may send on it before the last answer has come, and whether it has ended.
        self.is_open = self.broken = False
        self._turn = threading.Condition()
        self._sent = self._received = self._waiting = 0

    def send(self, data: bytes) -> int:
        """Send one whole request; gives its place among those of the connection."""
        with self._turn:
            place = self._sent
            self._sent += 1
            self.used += 1
            try:
                self.sock.sendall(data)
            except self.ended as error:
                raise ConnectionResetError(str(error)) from error
            if _QUICKACK is not None:
                # It holds until data is sent.
                self.sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        return place

    def receive(
        self, place: int, method: str, *, slow: bool = False, timeout_s: float | None = None
    ) -> Received:
        """The answer to the request at `place`, after the answers to those before it.

        `timeout_s` counts from when it is the next one to be answered.
        """
        if self._received != place:
            self._wait_for(place)
        try:
            received = self.reader.response(method, slow=slow, timeout_s=timeout_s)
        except BaseException as error:
            # What follows may be the answers of those who wait behind it.
            if isinstance(error, NoResponseError) and self._sent == place + 1:
                error.data = self.reader.unread
            elif isinstance(error, ClosedError) and self.reader.leaves:
                # A server that hangs up while there is more to read resets the connection, which
                # takes what it had answered with it: whose requests they were has to send again
                # (RFC 9112, 9.6).
                error.begun = False
            self.give_up()
            raise
        self.broken = self.broken or not received.stays
        self._received += 1
        # Who waits has said so before looking at how many were received: none is forgotten.
        if self._waiting:
            with self._turn:
                self._turn.notify_all()
        return received

    def _wait_for(self, place: int) -> None:
        with self._turn:
            self._waiting += 1
            while self._received < place and not self.broken:
                self._turn.wait()
            self._waiting -= 1
        if self._received != place:
            raise ClosedError(begun=False)

    def give_up(self) -> None:
        """Nothing more is sent on it; who waits for an earlier answer may still get it.

        It is closed by whoever gives it back last: none must close it while another one reads.
        """
        self.broken = True
        with self._turn:
            self._turn.notify_all()

    def close(self, *, at_once: bool = False) -> None:
        """Close it, as its only user; `at_once` by a reset."""
        self.broken = True
        if at_once:
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.sock.close()

    def unasked(self) -> bytes | None:
        """What came on it while no answer was awaited; None where it can be used again."""
        if self.reader.unread:
            return self.reader.unread
        self.sock.setblocking(False)
        try:
            return self.sock.recv(65536)
        except self.nothing_yet:
            return None
        except OSError:
            return b""


class Connections:
    """Opens connections, and keeps those that are idle for whoever comes next."""

    def __init__(
        self, address: Address, timeout_s: float, pause: Callable[[], object], told: str
    ) -> None:
        """`timeout_s`: how long the first connection may take, which nobody sends anything by."""
        self._places = _resolved(address, told)
        self._address = address
        self._told = told
        self._tls = _tls(address, told)
        self._timeout_s = timeout_s
        self._pause = pause
        self._idle: deque[Connection] = deque()
        self._busy: dict[Connection, None] = {}
        self._lock = threading.Lock()
        # Is given what came on a connection while nothing was asked.
        self.on_unasked: Callable[[bytes], None] = lambda _data: None

    def fresh(self, timeout_s: float, *, narrow: bool = False) -> Connection:
        """A connection of one's own, whose server may take so long; raises OSError. On a narrow
        one a server has to wait for its client to read."""
        for place in self._places[:-1]:
            try:
                sock = self._connected(*place, timeout_s, narrow=narrow)
            except ConnectionRefusedError:
                # A name may mean an address of either version, of which the server has one.
                self._places = [each for each in self._places if each != place] or [place]
            else:
                break
        else:
            sock = self._connected(*self._places[-1], timeout_s, narrow=narrow)
        reader = Reader(sock, timeout_s, self._pause)
        connection = Connection(sock, reader, narrow=narrow)
        if self._tls is not None:
            module, _ = self._tls
            connection.nothing_yet, connection.ended = module.NOTHING_YET, module.ENDED
        return connection

    def greet(self) -> None:
        """See whether the server is one to be trusted; raises TargetError where it is not.

        Whether it can be reached at all is another question.
        """
        if self._tls is None:
            return
        try:
            self.fresh(self._timeout_s).close()
        except OSError as error:
            if (refused := self._tls[0].refused(error, self._told)) is not None:
                raise refused from error

    def _connected(
        self, family: socket.AddressFamily, place: Place, timeout_s: float, *, narrow: bool
    ) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            if narrow:
                _narrow(sock)
            sock.settimeout(min(_CONNECT_S, timeout_s))
            sock.connect(place)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(timeout_s)
            if self._tls is not None:
                module, context = self._tls
                sock = module.secured(sock, context, self._address.host)
        except BaseException:
            sock.close()
            raise
        return sock

    def shared(self, timeout_s: float, *, narrow: bool = False) -> Connection:
        """The connection that was used last and is idle, or a fresh one; a narrow one, if asked.
        The server may take so long for what is sent by it next."""
        while (connection := self._idle_one(narrow=narrow)) is not None:
            unasked = connection.unasked()
            if unasked is None:
                connection.users = 1
                connection.sock.settimeout(timeout_s)
                connection.reader.timeout_s = timeout_s
                self._hold(connection)
                return connection
            connection.close()
            if unasked:
                self.on_unasked(unasked)
        connection = self.fresh(timeout_s, narrow=narrow)
        self._hold(connection)
        return connection

    def _idle_one(self, *, narrow: bool) -> Connection | None:
        with self._lock:
            if not narrow:
                return self._idle.pop() if self._idle else None
            found = next((each for each in reversed(self._idle) if each.narrow), None)
            if found is not None:
                self._idle.remove(found)
            return found

    def joined(self) -> Connection | None:
        """A connection on which a request waits for its answer, to send another one behind it."""
        with self._lock:
            for connection in self._busy:
                if connection.is_open and connection.users < _MOST_PIPELINED:
                    connection.users += 1
                    return connection
        return None

    def give_back(self, connection: Connection) -> None:
        """The caller needs it no longer; the last one leaves it idle, or closes it."""
        with self._lock:
            connection.users -= 1
            if connection.users:
                return
            self._busy.pop(connection, None)
            connection.is_open = False
            if not connection.broken:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close what is idle; what came on it while nothing was asked is told."""
        while self._idle:
            connection = self._idle.pop()
            unasked = connection.unasked()
            connection.close()
            if unasked:
                self.on_unasked(unasked)

    def _hold(self, connection: Connection) -> None:
        with self._lock:
            self._busy[connection] = None


def _narrow(sock: socket.socket) -> None:
    """Leave little room for what is sent to it; only before it is connected can that be said."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM_BYTES)
    if _MAX_SEGMENT is not None:
        # Not all systems let it be said.
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, _MAX_SEGMENT, _SEGMENT_BYTES)


def _tls(address: Address, told: str) -> tuple[ModuleType, Any] | None:
    """What encrypts, and with which trust; None where nothing does."""
    if not address.tls:
        return None
    from ctxsim.cell.targets import tls  # noqa: PLC0415 - sockets have to be patched before

    return tls, tls.context_of(address, told)


def may_be_pipelined(request: Request) -> bool:
    """Whether a request may be sent before an earlier one is answered (RFC 9112, 9.3.2)."""
    return request.prepared.step.method in ("GET", "HEAD", "OPTIONS") and not request.body


def _resolved(address: Address, told: str) -> list[tuple[socket.AddressFamily, Place]]:
    """Where the host's name leads to, asked once; raises TargetError."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TargetError(f"{told}: {address.host} is no known host: {error.strerror}") from error
    places = [(socket.AddressFamily(each[0]), each[4]) for each in found]
    if address.loopback_only:
        places = [each for each in places if _is_loopback(each[1])]
    if not places:
        raise TargetError(
            f"{told}: {address.host} does not lead to this machine", "name it with --allow-host"
        )
    return places


def _is_loopback(place: Place) -> bool:
    return ipaddress.ip_address(str(place[0]).partition("%")[0]).is_loopback
