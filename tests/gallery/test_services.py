"""A real redis-server: started where it is installed, ended with the run, else one line."""

from __future__ import annotations

import shutil
import socket
from urllib.parse import urlsplit

import pytest

from ctxsim.errors import EntryUnavailableError
from ctxsim.gallery.services import redis


def test_without_the_program_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with (
        pytest.raises(EntryUnavailableError, match="is missing: apt-get install redis-server"),
        redis(),
    ):
        pass


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is missing")
def test_the_server_answers_on_loopback_and_ends_even_if_the_run_is_interrupted() -> None:
    with pytest.raises(KeyboardInterrupt), redis() as (name, url):  # noqa: PT012 - as it happens
        assert name == "CTXSIM_REDIS_URL"
        address = urlsplit(url).hostname or "", urlsplit(url).port or 0
        with socket.create_connection(address) as client:
            client.sendall(b"PING\r\n")
            assert client.recv(7) == b"+PONG\r\n"
        raise KeyboardInterrupt
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
