"""Connections to a server: what a client does that no answer shows."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from ctxsim.cell.plan import Address
from ctxsim.cell.targets.connections import Connections
from ctxsim.cell.targets.wire import head

REQUEST = head("GET", "/", [("Host", "localhost")])
ANSWERS = 50
# How long Linux puts off to acknowledge what it has received.
PUT_OFF_S = 0.04


def answer_in_two_parts(listening: socket.socket) -> None:
    """Answer each request by a head and, in a write of its own, a body."""
    served, _ = listening.accept()
    with served, served.makefile("rb") as asked:
        for _ in range(ANSWERS):
            while asked.readline() != b"\r\n":
                pass
            served.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
            served.sendall(b"hi")


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="no leave not to put off")
def test_a_body_that_is_written_apart_waits_for_no_acknowledgement() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=answer_in_two_parts, args=(listening,))
        serving.start()
        address = Address("127.0.0.1", listening.getsockname()[1])
        connection = Connections(address, 5.0, lambda: None, "a server").fresh()
        started = time.perf_counter()
        for _ in range(ANSWERS):
            assert connection.receive(connection.send(REQUEST), "GET").body == b"hi"
        elapsed_s = time.perf_counter() - started
        connection.close()
        serving.join()
    assert elapsed_s < ANSWERS * PUT_OFF_S / 2
