"""Real servers that entries talk to: started on a free loopback port, ended with the run."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from ctxsim.errors import EntryUnavailableError

_READY = "Ready to accept connections"
_TRIES = 3
_END_S = 5.0


@contextmanager
def redis() -> Iterator[tuple[str, str]]:
    """A redis-server that keeps nothing; gives the variable that names it, and its URL."""
    program = shutil.which("redis-server")
    if program is None:
        raise EntryUnavailableError("redis-server is missing: apt-get install redis-server")
    with tempfile.TemporaryDirectory() as folder:
        server, port = _started(program, folder)
        try:
            yield "CTXSIM_REDIS_URL", f"redis://127.0.0.1:{port}/0"
        finally:
            _end(server)


def _started(program: str, folder: str) -> tuple[subprocess.Popen[str], int]:
    said = ""
    for _ in range(_TRIES):
        port = _free_port()
        server = _start(program, port, folder)
        ready, said = _heard_ready(server)
        if ready:
            return server, port
        # Another process may have taken the port in between.
        _end(server)
    raise EntryUnavailableError(f"redis-server did not start: {said}")


def _start(program: str, port: int, folder: str) -> subprocess.Popen[str]:
    words = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
    return subprocess.Popen(
        [program, "--port", str(port), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Ctrl-C is for us: cells give their last word before the server goes.
        start_new_session=True,
    )


def _heard_ready(server: subprocess.Popen[str]) -> tuple[bool, str]:
    last = "it said nothing"
    assert server.stdout is not None
    for line in server.stdout:
        if _READY in line:
            return True, line
        last = line.strip() or last
    return False, last


def _end(server: subprocess.Popen[str]) -> None:
    server.terminate()
    try:
        server.wait(_END_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    if server.stdout is not None:
        server.stdout.close()


def _free_port() -> int:
    with socket.socket() as asking:
        asking.bind(("127.0.0.1", 0))
        port: int = asking.getsockname()[1]
        return port


Service = Callable[[], AbstractContextManager[tuple[str, str]]]
SERVICES: dict[str, Service] = {"redis-server": redis}
