"""A small server on sockets, which answers the requests of a connection as soon as each is ready.

A client may send its next request before the first one is answered. It takes the answers in the
order in which it has asked, since nothing in them says to which request they belong.
"""

from __future__ import annotations

import contextlib
import itertools
import socketserver
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

PAGES = itertools.count()


class Connection(socketserver.StreamRequestHandler):
    """Those of one client, or of a proxy that stands before many."""

    def handle(self) -> None:
        self.sending = threading.Lock()
        while target := self.next_target():
            threading.Thread(target=self.answer, args=[target], daemon=True).start()

    def next_target(self) -> str:
        line = self.rfile.readline().split()
        while self.rfile.readline().strip():
            pass
        return line[1].decode() if line else ""

    def answer(self, target: str) -> None:
        page = offer(target).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
        with self.sending, contextlib.suppress(OSError):
            self.wfile.write(head % len(page) + page)


def offer(target: str) -> str:
    if next(PAGES) % 2 == 0:
        # The price is not at hand, and is asked for.
        time.sleep(0.003)
    name = parse_qs(urlsplit(target).query).get("name", ["nobody"])[0]
    return f"honey for {name}"


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    with Server(("127.0.0.1", int(sys.argv[1])), Connection) as server:
        server.serve_forever()
