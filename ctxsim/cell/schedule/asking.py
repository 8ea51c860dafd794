"""Connections of a loop's to servers on this machine, whose answers are really waited for.

What a server does is controlled by no schedule. To ask one that is near takes no time of the
execution: nobody goes on after the step in which something was written before the answer has come.
When it is heard is chosen then: at once, or after all who can go on until then have done so.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import Callable, Iterable
from typing import Any

_CHUNK_BYTES = 1 << 18
_CONNECTING_S = 5.0
# How long an answer may take that is awaited; and what a connection is given again that was silent.
_PATIENCE_S, _NO_PATIENCE_S = 2.0, 0.005

Protocol = asyncio.BaseProtocol
Call = Callable[..., object]
# Which of two comes first: 0 what is heard, 1 all that goes on without.
Draw = Callable[[int], int]


class Connection(asyncio.Transport):
    """A connection that is open; what comes is handed to the protocol as callbacks of the loop.

    `call_late` has them called when time has passed.
    """

    def __init__(
        self, host: str, port: int, protocol: Protocol, call_soon: Call, call_late: Call
    ) -> None:
        self._socket = socket.create_connection((host, port), timeout=_CONNECTING_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(
            {
                "socket": asyncio.trsock.TransportSocket(self._socket),  # type: ignore[attr-defined]
                "sockname": self._socket.getsockname(),
                "peername": self._socket.getpeername(),
            }
        )
        self._protocol: Any = protocol
        self._call_soon = call_soon
        self._call_late = call_late
        self._heard = b""
        self._is_closing = False
        self._is_paused = False
        self._is_asked = False
        self._was_silent = False
        self._process = os.getpid()
        self.peer = f"{host}:{port}"

    # What protocols and streams call.

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self._is_closing or not data:
            return
        if os.getpid() != self._process:
            # A copy of the process would take from the other what that one is to be answered.
            self._end(ConnectionResetError("it was opened in another process"))
            return
        try:
            self._socket.sendall(data)
        except OSError as error:
            self._end(error)
        self._is_asked = True

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview[Any]]) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)
        self._is_asked = True

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """All is sent at once."""

    def get_protocol(self) -> Protocol:
        protocol: Protocol = self._protocol
        return protocol

    def set_protocol(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def is_reading(self) -> bool:
        return not (self._is_paused or self._is_closing)

    def pause_reading(self) -> None:
        self._is_paused = True

    def resume_reading(self) -> None:
        self._is_paused = False

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._end(None)

    def abort(self) -> None:
        self._end(None)

    # What the loop calls.

    def hear(self, draw: Draw) -> None:
        """Wait for the answer to what was written since, if anything was."""
        if self._is_asked and self.is_reading():
            self._is_asked = False
            patience_s = _NO_PATIENCE_S if self._was_silent else _PATIENCE_S
            self._was_silent = not self.take(draw, patience_s)

    def take(self, draw: Draw, patience_s: float = 0.0) -> bool:
        """Hand over what has come, or comes within so many real seconds; whether that is any."""
        if not self.is_reading() or not self._has_come(patience_s):
            return False
        parts = []
        is_over = False
        while not is_over and self._has_come(0.0):
            try:
                part = self._socket.recv(_CHUNK_BYTES)
            except OSError as error:
                self._end(error)
                return True
            parts.append(part)
            is_over = not part
        self._heard += b"".join(parts)
        if self._heard:
            (self._call_late if draw(2) else self._call_soon)(self._tell)
        if is_over:
            self._call_soon(self._tell)
            self._call_soon(self._at_end)
        return True

    def _tell(self) -> None:
        """Tell all that was heard, which is in the order in which it came."""
        heard, self._heard = self._heard, b""
        if heard and not self._is_closing:
            self._protocol.data_received(heard)

    def _has_come(self, patience_s: float) -> bool:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(patience_s * 1000))

    def _at_end(self) -> None:
        if not self._is_closing and not self._protocol.eof_received():
            self.close()
        self._is_paused = True

    def _end(self, error: OSError | None) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._socket.close()
            self._call_soon(self._protocol.connection_lost, error)
