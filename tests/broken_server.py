"""A small HTTP server on plain sockets that is right, or wrong in one chosen way.

Run as `python broken_server.py PORT MODE`. It answers any request with what it was asked: its
query, its body and its X-User. Modes, each of which makes it wrong once in a while:

right       no fault at all
swapped     of two requests that wait on one connection, each gets the other's answer
behind      after three answers a connection sends the last one again, and stays one behind
stale       now and then the body is that of the last answer on the connection
global      the application's doing: now and then an answer holds what the last request asked
extra       after some answers the same answer comes once more, unasked
first       on /page: whatever comes later, the first answer is given again
mute        where more comes while it works on a request, that is never answered, every other time
hangs_up    each connection ends with its first answer, without saying so before
leaves      each answer says that it is the last, and is cut off by a reset where more came by then
second      hangs up on the second request of each connection
stuck       never answers on /list, where the client waits in vain
stops       after a hundred requests it never answers again
restarts    for a while, long after its start, it answers nobody
loses_post  hangs up on a POST that is not the first request of its connection
chunked     right, in chunks, after an interim response
until_close right, the end of the connection being that of the body
flaky       right, but that about one answer in forty, also alone, is an error
patience    right at first; after forty requests it answers 429, also alone
left_behind what could not be sent, since the client has left, the next one on /cart is given
remains     now and then an answer begins with the end of the one before, whoever got that
sold_out    right, but that only sixty notes can be written
no_large    bodies of more than 100 kB are refused, and so are those in chunks
loses_body  bodies in chunks seem to be empty
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import struct
import sys
import threading
from typing import Any

LAST: dict[str, Any] = {"asked": "nobody"}
COUNT = {"answers": 0, "asked": 0, "behind": 0}
CHANCE = random.Random(7)


class Connection:
    def __init__(self, sock: socket.socket, mode: str) -> None:
        self.sock = sock
        self.mode = mode
        self.moment_s = 0.05 if mode in ("mute", "leaves") else 0.003
        self.kept = b""
        self.answered = 0
        self.last = b""

    def more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self.kept += data

    def line(self) -> bytes:
        while b"\r\n" not in self.kept:
            self.more()
        line, _, self.kept = self.kept.partition(b"\r\n")
        return line

    def take(self, length: int) -> bytes:
        while len(self.kept) < length:
            self.more()
        data, self.kept = self.kept[:length], self.kept[length:]
        return data

    def request(self) -> tuple[str, dict[str, str], bytes]:
        method, target, _ = self.line().decode().split(" ")
        headers = {"method": method}
        while line := self.line():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while length := int(self.line(), 16):
                body += self.take(length)
                self.line()
            self.line()
            if self.mode == "loses_body":
                body = b""
            if self.mode == "no_large":
                body = b"x" * 200_000
        else:
            body = self.take(int(headers.get("content-length", 0)))
        return target, headers, body

    def body_of(self, target: str, headers: dict[str, str], body: bytes) -> bytes:
        asked = f"{target} {body.strip().decode()[:300]} {headers.get('x-user', '')}"
        if self.mode == "global":
            asked, LAST["asked"] = (LAST["asked"] if COUNT["answers"] % 5 == 4 else asked), asked
        if self.mode == "first" and target.startswith("/page"):
            asked = LAST.setdefault("first", asked)
        COUNT["answers"] += 1
        return asked.encode()

    def refusal(self, request: tuple[str, dict[str, str], bytes]) -> tuple[str, bytes] | None:
        """What is answered in place of what was asked."""
        if self.mode == "no_large" and len(request[2]) > 100_000:
            return "413 Content Too Large", b"too large"
        if self.mode == "flaky" and CHANCE.random() < 1 / 40:
            return "500 Internal Server Error", b"oops"
        if self.mode == "patience" and COUNT["asked"] > 40:
            return "429 Too Many Requests", b"slow down"
        if self.mode == "sold_out" and request[1]["method"] == "POST":
            COUNT["written"] = COUNT.get("written", 0) + 1
            if COUNT["written"] > 60:
                return "409 Conflict", b"sold out"
        return None

    def answer(self, request: tuple[str, dict[str, str], bytes]) -> bytes:
        status, text = self.refusal(request) or ("200 OK", self.body_of(*request))
        if self.mode == "left_behind" and request[0].startswith("/cart"):
            text = LAST.pop("left", text + b"." * 200_000)
        if self.mode == "stale" and self.answered % 3 == 2:
            text = self.last
        self.last = text
        self.answered += 1
        if self.mode == "chunked":
            chunks = b"".join(b"%x\r\n%b\r\n" % (1, text[i : i + 1]) for i in range(len(text)))
            early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
            head = f"HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            return early + head + chunks + b"0\r\n\r\n"
        if self.mode == "until_close":
            return f"HTTP/1.0 {status}\r\n\r\n".encode() + text
        last = "Connection: close\r\n" if self.mode == "leaves" else ""
        head = f"HTTP/1.1 {status}\r\n{last}Content-Length: {len(text)}\r\n\r\n".encode()
        if self.mode == "remains":
            head, LAST["text"] = LAST.get("text", b"") + head, b""
            if COUNT["answers"] % 30 == 29:
                LAST["text"] = text
        return head + text

    def is_more_there(self) -> bool:
        self.sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            self.more()
        self.sock.setblocking(True)
        return bool(self.kept)

    def is_left_alone(self, body: bytes) -> bool:
        if self.mode == "restarts":
            return 200 < COUNT["asked"] <= 240
        if self.mode == "second":
            return self.answered > 0
        return self.mode == "loses_post" and self.answered > 0 and bool(body)

    def take_time_for(self, target: str) -> None:
        is_stuck = self.mode == "stuck" and target.startswith("/list")
        if is_stuck or (self.mode == "stops" and COUNT["asked"] > 100):
            threading.Event().wait()
        # A moment in which more may come on this connection.
        select.select([self.sock] if self.mode in ("mute", "leaves") else [], [], [], self.moment_s)

    def send(self, answer: bytes) -> None:
        try:
            if self.mode == "leaves":
                self.leave(answer)
            else:
                self.sock.sendall(answer)
        except ConnectionError:
            if self.mode == "left_behind":
                LAST["left"] = answer.partition(b"\r\n\r\n")[2]
            raise

    def leave(self, answer: bytes) -> None:
        """Say the last answer, of which not all arrives where more was sent than is read."""
        if not self.is_more_there():
            self.sock.sendall(answer)
            return
        self.sock.sendall(answer[:-4])
        select.select([], [], [], self.moment_s)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def serve(self) -> None:
        before = b""
        while True:
            requests = [self.request()]
            COUNT["asked"] += 1
            if self.is_left_alone(requests[0][2]):
                return
            self.take_time_for(requests[0][0])
            if self.mode in ("swapped", "mute") and self.is_more_there():
                if self.mode == "swapped":
                    requests.append(self.request())
                COUNT["behind"] += 1
            answers = [self.answer(each) for each in requests]
            for answer in reversed(answers):
                sent = answer
                if self.mode == "behind" and self.answered > 3:
                    sent = before
                before = answer
                self.send(sent)
                if self.mode == "extra" and self.answered % 4 == 3:
                    self.sock.sendall(sent)
            if self.mode in ("hangs_up", "until_close", "leaves"):
                return
            while self.mode == "mute" and self.kept and COUNT["behind"] % 2:
                self.more()


def serve(sock: socket.socket, mode: str) -> None:
    with sock:
        try:
            Connection(sock, mode).serve()
        except (EOFError, ConnectionError, ValueError):
            # The client has left, or sent no request: to hang up is an answer.
            return


def main(port: int, mode: str) -> None:
    listening = socket.create_server(("127.0.0.1", port), backlog=512)
    while True:
        sock, _ = listening.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(sock, mode), daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
