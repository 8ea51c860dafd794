"""What leads out of the process: connections, and names to be looked up; processes stand apart.

Files are not among it, nor is SQLite: nobody outside is waited for there. A datagram is let go as
well, since who sends it waits for nothing; what is answered to it is waited for.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any

from ctxsim.cell.schedule.leaving import is_near, is_number, leave, leaving
from ctxsim.cell.schedule.lockstep import CutOff, here

_Call = Callable[..., Any]
# The real one, which gevent patches.
_poll = select.poll
_socket_type: Any = socket.socket
_INTERNET = (socket.AF_INET, socket.AF_INET6)
# How long an answer may take, in real time: for whoever could give it, nobody else goes on.
_PATIENCE_S = 1.0
_LOOKS_UP = ("getaddrinfo", "gethostbyname", "gethostbyname_ex")


def stand_ins() -> dict[object, object]:
    """By the real function, the one that stands in for it."""
    return {real: _looking_up(real) for name in _LOOKS_UP if (real := getattr(socket, name))}


def install() -> None:
    """Put in place what is no function of a module, but a socket's."""
    for name, standing_in in _METHODS.items():
        setattr(_socket_type, name, standing_in(getattr(_socket_type, name)))


def remove() -> None:
    for name in _METHODS:
        delattr(_socket_type, name)
    for name, real in _own.items():
        setattr(_socket_type, name, real)


def _connecting(connect: _Call) -> _Call:
    @wraps(connect)
    def connected(ours: socket.socket, address: Any) -> Any:
        # That of datagrams waits for nothing when it is connected.
        if ours.type == socket.SOCK_STREAM:
            server = _told(address)
            near = ours.family == socket.AF_UNIX or is_near(address[0])
            with _closed_if_refused(ours):
                leave(f"a connection to {server}", "socket", server, near=near)
        return connect(ours, address)

    return connected


def _listening(listen: _Call) -> _Call:
    @wraps(listen)
    def listened(ours: socket.socket, *args: Any) -> Any:
        # Threads that would serve its clients are simulated, and wait for none in the system.
        with _closed_if_refused(ours):
            leave("clients that connect", "socket")
        return listen(ours, *args)

    return listened


def _hearing(hear: _Call) -> _Call:
    @wraps(hear)
    def heard(ours: socket.socket, *args: Any, **named: Any) -> Any:
        if leaving.on and here() is not None:
            _before_hearing(ours)
        return hear(ours, *args, **named)

    return heard


def _before_hearing(ours: socket.socket) -> None:
    """A server that was asked answers soon, unless it waits for somebody itself."""
    if ours.type == socket.SOCK_DGRAM and ours.family in _INTERNET:
        leave("a message", "socket")
    timeout_s = ours.gettimeout()
    if (timeout_s is None or timeout_s > _PATIENCE_S) and not _has_come(ours):
        leave(f"what {_peer(ours)} says", "socket")


def _has_come(ours: socket.socket) -> bool:
    poll = _poll()
    poll.register(ours, select.POLLIN)
    return bool(poll.poll(_PATIENCE_S * 1000))


def _peer(ours: socket.socket) -> str:
    with suppress(OSError):
        if peer := ours.getpeername():
            return _told(peer)
    return "the other end of its socket"


@contextmanager
def _closed_if_refused(ours: socket.socket) -> Iterator[None]:
    """Functions of the standard library that make a socket close it for an OSError alone."""
    try:
        yield
    except CutOff:
        ours.close()
        raise


def _looking_up(look_up: _Call) -> _Call:
    @wraps(look_up)
    def looked_up(host: Any, *args: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name and not is_number(name):
            near = is_near(name) or name == socket.gethostname()
            leave(f"the address of {name}", "socket", near=near)
        return look_up(host, *args, **named)

    return looked_up


def _told(address: Any) -> str:
    return address if isinstance(address, str) else ":".join(map(str, address[:2]))


_METHODS: dict[str, Callable[[_Call], _Call]] = {
    **dict.fromkeys(("connect", "connect_ex"), _connecting),
    "listen": _listening,
    **dict.fromkeys(("accept", "recv", "recv_into"), _hearing),
    **dict.fromkeys(("recvfrom", "recvfrom_into", "recvmsg"), _hearing),
}
# Those that are a socket's own, and none of the type that it is made of.
_own = {name: method for name, method in vars(_socket_type).items() if name in _METHODS}
