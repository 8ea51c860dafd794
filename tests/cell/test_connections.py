"""Connections to a server: what a client does that no answer shows."""

from __future__ import annotations

import socket
import sys
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
        connection = Connections(address, 5.0, lambda: None, "a server").fresh(5.0)
        started = time.perf_counter()
        for _ in range(ANSWERS):
            assert connection.receive(connection.send(REQUEST), "GET").body == b"hi"
        elapsed_s = time.perf_counter() - started
        connection.close()
        serving.join()
    assert elapsed_s < ANSWERS * PUT_OFF_S / 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="segments cannot be made small")
def test_a_narrow_connection_makes_a_server_wait_for_its_reader() -> None:
    """Else loopback takes all at once, and no server notices who reads slowly, or leaves."""
    sent = []

    def answer(body: bytes) -> None:
        served, _ = listening.accept()
        with served:
            served.recv(4096)
            served.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            served.setblocking(False)
            sent.append(served.send(body))
            served.setblocking(True)
            served.sendall(body[sent[0] :])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = Address("127.0.0.1", listening.getsockname()[1])
        connections = Connections(address, 5.0, lambda: None, "a server")
        for narrow in (True, False):
            body = b"x" * 300_000
            serving = threading.Thread(target=answer, args=(body,))
            serving.start()
            connection = connections.fresh(5.0, narrow=narrow)
            place = connection.send(REQUEST)
            while len(sent) < 2 - narrow:
                threading.Event().wait(0.005)
            assert connection.receive(place, "GET").body == body
            connection.close()
            serving.join()
    assert sent[0] < 200_000 < sent[1]


@pytest.mark.parametrize("narrow", [True, False])
def test_an_idle_connection_is_used_again_by_whom_it_suits(narrow: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = Address("127.0.0.1", listening.getsockname()[1])
        connections = Connections(address, 5.0, lambda: None, "a server")
        idle = [connections.shared(5.0, narrow=each) for each in (False, True, False)]
        for each in idle:
            connections.give_back(each)
        assert connections.shared(5.0, narrow=narrow) is idle[1 if narrow else 2]
        asked = connections.shared(5.0, narrow=True)
        assert asked.narrow
        assert (asked in idle) != narrow
        for each in (asked, *idle):
            each.close()
