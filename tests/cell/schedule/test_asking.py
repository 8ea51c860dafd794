"""Connections to servers on this machine: who has written is answered, at once or late."""

import asyncio
import os
import socket
from collections import deque

import pytest

from ctxsim.cell.schedule.asking import Connection
from ctxsim.cell.schedule.leaving import is_near
from ctxsim.cell.searching.forks import in_fork


class Heard(asyncio.Protocol):
    """Keeps what it is told."""

    def __init__(self):
        self.told = []

    def data_received(self, data):
        self.told.append(data)

    def connection_lost(self, exc):
        self.told.append(exc)


class Wire:
    """A connection, the server's end of it, and the callbacks of a loop."""

    def __init__(self, listening):
        self.soon, self.late = deque(), deque()
        self.heard = Heard()
        self.connection = Connection(
            "127.0.0.1", listening.getsockname()[1], self.heard, self._call(self.soon), self._late
        )
        self.server, _ = listening.accept()

    def _late(self, call, *given):
        self.late.append((call, given))

    @staticmethod
    def _call(into):
        return lambda call, *given: into.append((call, given))

    def ask(self, taken, *, answer=b""):
        """The server answers what is written; the draw is `taken`."""
        self.connection.write(b"?")
        self.server.sendall(answer)
        self.connection.hear(lambda alternatives: taken)

    def run(self, calls):
        while calls:
            call, given = calls.popleft()
            call(*given)


@pytest.fixture
def wire():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        wire = Wire(listening)
        yield wire
        wire.connection.abort()
        wire.server.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.9.9.9"])
def test_this_machine_is_near(host):
    assert is_near(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "localhost.example.org", None, "0.0.0.0"])
def test_no_other_is_near(host):
    assert not is_near(host)


def test_an_answer_is_there_when_it_was_waited_for(wire):
    wire.ask(0, answer=b"one")
    wire.run(wire.soon)
    assert wire.heard.told == [b"one"]
    assert not wire.late


def test_a_late_answer_comes_no_later_than_the_next_one_and_before_it(wire):
    wire.ask(1, answer=b"one ")
    assert not wire.soon
    wire.ask(0, answer=b"other")
    wire.run(wire.soon)
    wire.run(wire.late)
    assert wire.heard.told == [b"one other"]


def test_who_reads_no_more_is_told_when_it_does_again(wire):
    wire.connection.pause_reading()
    wire.ask(0, answer=b"one")
    assert not wire.soon
    wire.connection.resume_reading()
    wire.connection.hear(lambda alternatives: 0)
    wire.run(wire.soon)
    assert wire.heard.told == [b"one"]


def test_the_end_comes_after_what_was_said_before_it(wire):
    wire.server.sendall(b"bye")
    wire.server.shutdown(socket.SHUT_WR)
    assert wire.connection.take(lambda alternatives: 1)
    wire.run(wire.soon)
    wire.run(wire.late)
    assert wire.heard.told == [b"bye", None]
    assert wire.connection.is_closing()


def test_a_copy_of_the_process_does_not_write_to_what_the_other_has_opened(wire):
    def ask():
        wire.connection.write(b"whose?")
        wire.run(wire.soon)
        return [type(each).__name__ for each in wire.heard.told], os.getpid()

    told, process = in_fork(ask)
    assert process != os.getpid()
    assert told == ["ConnectionResetError"]
    wire.server.setblocking(False)
    with pytest.raises(BlockingIOError):
        wire.server.recv(1)
