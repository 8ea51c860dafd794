"""A server that is tested: started in a process group of its own, waited for, and ended with it.

A server is ended however the run ends: in order, by an interruption, or because this process is
killed, which a watcher notices by the end of a pipe.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ctxsim.cell.plan import Address
from ctxsim.errors import TargetError

# No application gets to see a request whose head is malformed, so that none is changed by being
# waited for; every server answers it, or at least hangs up, once it can answer at all.
_KNOCK = b"GET / HTTP/1.1\r\nHost: ctxsim\r\n: malformed, to see who answers\r\n\r\n"
_KNOCK_S = 2.0
_BETWEEN_S = 0.05
# How long a server may take to end; then it is killed, and what it left running with it.
_END_S = 5.0
_GONE_S = 0.5
_SHOWN_LINES = 12
_TAIL_BYTES = 16 * 1024
# Ends the process group when its input ends, which is when nobody holds the other end any more.
_WATCHER = """
import os, signal, sys
sys.stdin.buffer.read()
try:
    os.killpg(int(sys.argv[1]), signal.SIGKILL)
except ProcessLookupError:
    pass
"""


@dataclass(frozen=True, slots=True)
class Server:
    """Which server to test. `command` is empty where it runs already; `wait_s` bounds its start.

    `env` is added to what it inherits; `log` takes what it prints.
    """

    url: str
    address: Address
    command: tuple[str, ...]
    folder: Path
    log: Path
    wait_s: float = 15.0
    env: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Started:
    """A server that answers. `exit_code` is set where it ended by itself."""

    server: Server
    exit_code: int | None = None

    @property
    def ended(self) -> str:
        """What to say of a server that has not lived to the end; '' where it has."""
        if self.exit_code is None:
            return ""
        return f"the server ended amid the run, with code {self.exit_code}; see {self.server.log}"


@contextmanager
def running(server: Server, is_stopped: Callable[[], bool]) -> Iterator[Started]:
    """Have the server run within the block; raises TargetError where it does not come to answer.

    `is_stopped` tells that nobody waits for it any more; then the block is entered at once.
    """
    if not server.command:
        _await(server, None, is_stopped)
        yield Started(server)
        return
    if _answers(server.address, patient=False):
        raise TargetError(
            f"something answers at {server.url} already, and target.start would not be tested\n"
            "  end it, or leave target.start out"
        )
    with _process(server) as process:
        _await(server, process, is_stopped)
        started = Started(server)
        try:
            yield started
        finally:
            started.exit_code = process.poll()


@contextmanager
def _process(server: Server) -> Iterator[subprocess.Popen[bytes]]:
    with _log(server.log) as log:
        try:
            process = subprocess.Popen(
                server.command,
                cwd=server.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=_environment(server),
            )
        except OSError as error:
            raise TargetError(
                f"target.start cannot be run: {server.command[0]}: {error.strerror}\n"
                "  a path counts from the scenario's folder; other names are looked up in PATH"
            ) from error
    with _watched(process.pid):
        try:
            yield process
        finally:
            _end(process)


def _environment(server: Server) -> dict[str, str]:
    env = {**os.environ, **dict(server.env)}
    # ctxsim may be run from an environment that is not active; what is installed beside it is
    # found all the same, after whatever else has the name.
    folders = [env.get("PATH", os.defpath), str(Path(sys.executable).parent)]
    return {**env, "PATH": os.pathsep.join(folders)}


def _log(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("wb")


@contextmanager
def _watched(group: int) -> Iterator[None]:
    """Have the process group killed when this process ends without saying so."""
    watcher = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WATCHER, str(group)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        # Before its pipe is closed, since the group's number may belong to others by then.
        watcher.kill()
        watcher.wait()
        if watcher.stdin is not None:
            watcher.stdin.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server and all that it started."""
    for number, wait_s in ((signal.SIGTERM, _END_S), (signal.SIGKILL, None)):
        if process.poll() is None or number == signal.SIGKILL:
            # Its children live on where it ended by itself: the group has its number still.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(wait_s)
    # Those that it started die a moment after they were killed, and are nobody's here to wait for.
    until = time.monotonic() + _GONE_S
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < until:
            os.killpg(process.pid, 0)
            time.sleep(_BETWEEN_S / 5)  # noqa: TID251 - no event tells of what is no child of ours


def _await(
    server: Server, process: subprocess.Popen[bytes] | None, is_stopped: Callable[[], bool]
) -> None:
    until = time.monotonic() + server.wait_s
    while not is_stopped():
        if process is not None and process.poll() is not None:
            raise _failed(server, f"the server ended with code {process.returncode} at its start")
        if _answers(server.address, patient=True):
            return
        if time.monotonic() >= until:
            told = f"no server answers at {server.url}"
            if process is None:
                raise TargetError(f"{told}\n  start it, or have it started: target.start")
            raise _failed(server, f"{told} after {server.wait_s:g} s")
        with contextlib.suppress(subprocess.TimeoutExpired):
            _pause(process)


def _pause(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        process.wait(_BETWEEN_S)
    else:
        # A pair of sockets on which nothing comes: a wait that a signal ends early.
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.settimeout(_BETWEEN_S)
            with contextlib.suppress(TimeoutError):
                ours.recv(1)


def _failed(server: Server, what: str) -> TargetError:
    lines = last_lines(server.log)
    told = [what, *(f"  {line}" for line in lines), f"  its whole log: {server.log}"]
    return TargetError("\n".join(told))


def last_lines(log: Path) -> list[str]:
    """The end of a server's log."""
    with log.open("rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - _TAIL_BYTES))
        return stream.read().decode(errors="replace").splitlines()[-_SHOWN_LINES:]


def _answers(address: Address, *, patient: bool) -> bool:
    """Whether somebody is there; `patient`: and comes to answer, not only to be connected to."""
    try:
        with socket.create_connection((address.host, address.port), _KNOCK_S) as sock:
            if not patient:
                return True
            sock.settimeout(_KNOCK_S)
            if address.tls:
                return _answers_encrypted(sock)
            sock.sendall(_KNOCK)
            # The end of the connection is an answer as well: somebody has read, and hung up.
            sock.recv(1)
            return True
    except OSError:
        return False


def _answers_encrypted(sock: socket.socket) -> bool:
    import ssl  # noqa: PLC0415 - few servers encrypt, and it takes a tenth of a second

    # Whose certificate it is, cells verify: all that is said here is a malformed head.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with context.wrap_socket(sock) as encrypted:
            encrypted.sendall(_KNOCK)
            encrypted.recv(1)
    except TimeoutError:
        return False
    except (ssl.SSLError, ConnectionResetError):
        # Who does not encrypt has answered all the same, and is told by the cell.
        return True
    return True
