"""Responses are read as RFC 9112 has it, however they are cut; what is none is refused."""

from __future__ import annotations

import socket
import threading

import pytest

from ctxsim.cell.targets.wire import ClosedError, NoResponseError, Reader, Received, chunked, head

OK = b"HTTP/1.1 200 OK\r\n"


def nothing() -> None:
    """No others wait."""


def reading(sent: bytes, *methods: str, slow: bool = False, stays: bool = False) -> list[Received]:
    """What is read, one response for each method, of bytes that come one by one."""
    ours, theirs = socket.socketpair()

    def send() -> None:
        for at in range(len(sent)):
            theirs.send(sent[at : at + 1])
        if not stays:
            theirs.close()

    sending = threading.Thread(target=send)
    sending.start()
    with ours, theirs:
        reader = Reader(ours, 2.0, nothing)
        try:
            return [reader.response(method, slow=slow) for method in methods or ("GET",)]
        finally:
            sending.join()


RIGHT = {
    "a length": (OK + b"Content-Length: 2\r\n\r\nhi", b"hi", True),
    "no body by its length": (OK + b"Content-Length: 0\r\n\r\n", b"", True),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", b"hi", True),
    "chunks with extensions and a trailer": (
        OK + b"Transfer-Encoding: chunked\r\n\r\nA;x=1\r\n0123456789\r\n0\r\nT: x\r\n\r\n",
        b"0123456789",
        True,
    ),
    "the connection's end": (OK + b"\r\nhi", b"hi", False),
    "a closing connection": (OK + b"Connection: close\r\nContent-Length: 1\r\n\r\nx", b"x", False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", b"x", False),
    "HTTP/1.0 that stays": (
        b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx",
        b"x",
        True,
    ),
    "line feeds alone": (b"HTTP/1.1 200 OK\nContent-Length: 6\n\n\r\n\r\nhi", b"\r\n\r\nhi", True),
    "a header in two lines": (OK + b"X: a,\r\n\tb\r\nContent-Length: 1\r\n\r\nx", b"x", True),
    "interim responses": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
        + OK
        + b"Content-Length: 1\r\n\r\nx",
        b"x",
        True,
    ),
}


@pytest.mark.parametrize("kind", RIGHT)
@pytest.mark.parametrize("slow", [False, True])
def test_a_response_is_read_to_its_end(kind: str, slow: bool) -> None:
    sent, body, stays = RIGHT[kind]
    [found] = reading(sent, slow=slow)
    assert (found.status, found.reason, found.body, found.stays) == (200, "OK", body, stays)


@pytest.mark.parametrize(
    ("kind", "besides"),
    [
        ("chunks with extensions and a trailer", [("chunk-extension", "x=1"), ("T", "x")]),
        ("interim responses", [("Link", "x")]),
    ],
)
def test_what_comes_beside_a_head_and_a_body_is_kept(
    kind: str, besides: list[tuple[str, str]]
) -> None:
    """It says nothing of the response, and may hold what is somebody else's."""
    [found] = reading(RIGHT[kind][0])
    named = [(name, value) for name, value in found.headers if name.startswith("besides-")]
    assert named == [(f"besides-{name}", value) for name, value in besides]


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_some_responses_have_no_body(status: bytes) -> None:
    """The next one of the connection begins where their heads end; so for HEAD."""
    bare = b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n"
    after = OK + b"Content-Length: 1\r\n\r\nx"
    assert [each.body for each in reading(bare + after, "GET", "GET")] == [b"", b"x"]
    headed = OK + b"Content-Length: 5\r\n\r\n"
    assert [each.body for each in reading(headed + after, "HEAD", "GET")] == [b"", b"x"]


def test_another_protocol_is_no_body() -> None:
    """What follows a 101 that nobody asked for belongs to no response, and is not waited for."""
    [found] = reading(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi")
    assert (found.status, found.body, found.stays) == (101, b"", False)


def test_a_value_of_several_lines_is_one_value() -> None:
    [found] = reading(RIGHT["a header in two lines"][0])
    assert ("X", "a, b") in found.headers


WRONG = {
    "no HTTP": b"SSH-2.0-x\r\n\r\n",
    "no HTTP, and no end": b"\x00\xff",
    "no status": b"HTTP/1.1 ok\r\n\r\n",
    "a header without a colon": OK + b"nonsense\r\n\r\n",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "a length that is none": OK + b"Content-Length: -1\r\n\r\n",
    "a chunk without a length": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a chunk that is too long": OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_response_is_refused(kind: str) -> None:
    with pytest.raises(NoResponseError):
        reading(WRONG[kind])


@pytest.mark.parametrize(
    ("sent", "begun"),
    [(b"", False), (b"HTTP/1.1 2", True), (OK + b"Content-Length: 3\r\n\r\nhi", True)],
)
def test_a_connection_that_ends_too_early_is_told(sent: bytes, begun: bool) -> None:
    """Whether something of the response had come decides whether it can be asked again."""
    with pytest.raises(ClosedError) as caught:
        reading(sent)
    assert caught.value.begun == begun


def test_who_waits_too_long_gives_up() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b"HTTP/1.1 200 OK\r\n")
        with pytest.raises(TimeoutError):
            Reader(ours, 0.05, nothing).response("GET")
        # Who can be asked again is given less time than its connection.
        with pytest.raises(TimeoutError):
            Reader(ours, 3600.0, nothing).response("GET", timeout_s=0.05)


def test_a_request_is_written_line_by_line() -> None:
    assert head("GET", "/a?b=c", [("Host", "x")]) == b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n"
    assert chunked(b"hello", 3) == b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
