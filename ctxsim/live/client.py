"""The other end of a harness: started, heard and told, from whoever counts the users.

Only the standard library's sockets and threads are used. Where Locust has patched them they are
greenlets, and the harness is not concerned.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

from ctxsim.cell.messages import Lines, Message, encode
from ctxsim.live.orders import Order

_CHUNK_BYTES = 256 * 1024
_END_S = 10.0
_PASS_ON_EVERY_S = 0.1

Hear = Callable[[Message], None]


class Harness:
    """A harness that runs; `hear` is given all that it says, and `{"say": "gone"}` at its end.

    `rest` lets others run. It is called between two pieces of what is said, because a greenlet for
    which there is always something to be read would never give way: no heartbeat, no page.
    """

    def __init__(self, order: Order, hear: Hear, rest: Callable[[], object]) -> None:
        self._hear = hear
        self._rest = rest
        self._users = 0
        self._told = 0
        self._gone = threading.Event()
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "ctxsim.live", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                # Its session is its own, because Ctrl-C is ours to pass on; its stdout is nobody's,
                # since results are.
                start_new_session=True,
                stdout=subprocess.DEVNULL,
            )
        self._say({"say": "order", "order": order.to_json()})
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._pass_on, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def count(self, change: int) -> None:
        """A user has come, or one has gone."""
        self._users += change

    def finish(self) -> None:
        """All users have gone: the harness judges, and says its last word."""
        self._say({"say": "finish"})

    def close(self) -> None:
        """End it, whatever it does."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        try:
            self._popen.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        self._channel.close()

    def _say(self, message: Message) -> None:
        # One that is gone hears nothing; `_listen` tells that it is.
        with contextlib.suppress(OSError):
            self._channel.sendall(encode(message))

    def _listen(self) -> None:
        lines = Lines()
        while data := self._receive():
            for message in lines.feed(data):
                self._hear(message)
            self._rest()
        self._gone.set()
        self._hear({"say": "gone"})

    def _receive(self) -> bytes:
        try:
            return self._channel.recv(_CHUNK_BYTES)
        except OSError:
            return b""

    def _pass_on(self) -> None:
        # From one thread, since two that write at once would mix their lines.
        while not self._gone.wait(_PASS_ON_EVERY_S):
            if self._users != self._told:
                self._told = self._users
                self._say({"say": "users", "count": self._told})
