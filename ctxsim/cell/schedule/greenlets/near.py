"""Sockets of gevent's that are connected for real: with servers on this machine, or as declared.

Nobody goes on before an answer has come, and then all who can: when it is heard is chosen, as for
whatever else lets a greenlet go on.
"""

from __future__ import annotations

import _socket
import select
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

import gevent
from gevent._socketcommon import SocketMixin

from ctxsim.cell.schedule.greenlets.outside import RefusedPool
from ctxsim.cell.schedule.leaving import is_near, is_number, leave, leaving
from ctxsim.cell.schedule.lockstep import Run, here

_Call = Callable[..., Any]
# The real one, which gevent patches.
_poll = select.poll
# How long an answer may take, in real time: for whoever could give it, nobody else goes on.
_PATIENCE_S = 1.0
# Gevent before 23.7 has no inner one, which both connect and connect_ex call.
_CONNECT = "_internal_connect" if hasattr(SocketMixin, "_internal_connect") else "connect"
# By the socket, whom it is connected with.
_asked: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def stand_ins() -> dict[str, _Call]:
    """By the name of a method of gevent's sockets, what stands in for it."""
    return {
        _CONNECT: _connecting(getattr(SocketMixin, _CONNECT)),
        "_wait": _waiting(SocketMixin._wait),
        "recv": _hearing(SocketMixin.recv),
        "recv_into": _hearing(SocketMixin.recv_into),
    }


def _connecting(connect: _Call) -> _Call:
    @wraps(connect)
    def connected(ours: Any, address: Any) -> Any:
        run = here()
        if run is None or not leaving.on or ours.type != _socket.SOCK_STREAM:
            return connect(ours, address)
        is_unix = ours.family == _socket.AF_UNIX
        server = address if is_unix else ":".join(map(str, address[:2]))
        near = is_unix or is_near(address[0])
        leave(f"a connection to {server}", "socket", server, near=near)
        _asked[ours] = server
        result = connect(ours, address)
        _give_way(run)
        return result

    return connected


def _hearing(hear: _Call) -> _Call:
    @wraps(hear)
    def heard(ours: Any, *args: Any, **named: Any) -> Any:
        run = here()
        if run is not None and ours in _asked and ours.gettimeout() != 0:
            _await(ours, select.POLLIN, run)
            # Always, whether it had come or not: else it would be up to the server's speed.
            _give_way(run)
        return hear(ours, *args, **named)

    return heard


def _waiting(wait: _Call) -> _Call:
    @wraps(wait)
    def waited(ours: Any, watcher: Any, *args: Any, **named: Any) -> None:
        run = here()
        if run is None or ours not in _asked:
            wait(ours, watcher, *args, **named)
        else:
            _await(ours, select.POLLIN if watcher is ours._read_event else select.POLLOUT, run)

    return waited


def _await(ours: Any, event: int, run: Run) -> None:
    if not _has_come(ours, event):
        run.escape(f"what {_asked[ours]} says", sys._getframe(2))


def _give_way(run: Run) -> None:
    if not run.is_ending:
        gevent.sleep(0)


def _has_come(ours: Any, event: int) -> bool:
    poll = _poll()
    poll.register(ours.fileno(), event)
    return bool(poll.poll(_PATIENCE_S * 1000))


class Names(RefusedPool):
    """Stands where a hub has its resolver: what is this machine is looked up at once."""

    def getaddrinfo(self, host: Any, *args: Any, **named: Any) -> Any:
        return self._looked_up(_socket.getaddrinfo, host, *args, **named)

    def gethostbyname(self, host: Any, *args: Any) -> Any:
        return self._looked_up(_socket.gethostbyname, host, *args)

    def _looked_up(self, look_up: _Call, host: Any, *args: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        frame = sys._getframe(2)
        is_here = not name or is_number(name) or is_near(name)
        if not (leaving.on and (is_here or leaving.allows(frame, "socket"))):
            self._refuse()
        return look_up(host, *args, **named)
