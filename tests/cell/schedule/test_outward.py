"""What leads out of the process: it ends the execution, or was allowed and is done for real."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
import types
import urllib.request

import pytest

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.execution import Escape
from ctxsim.cell.schedule.leaving import leaving
from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.standins import StandIns, drivers
from ctxsim.cell.schedule.strategies import strategy

# Of a block that is kept for documents: nobody answers there.
FAR = "192.0.2.1"


@pytest.fixture
def stopped():
    """Why an execution of one worker ended early, and what it began to wait for."""

    def run(call, *atomic):
        chooser = strategy("random").begin(0, 1, Lengths())
        with StandIns(), leaving.only(atomic):
            execution = Lockstep().run([call], chooser)
            [worker] = execution.workers
            if worker.error is not None:
                raise worker.error
            return execution.stopped

    return run


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def connects():
    socket.create_connection((FAR, 80), timeout=0.01)


def connects_by_itself():
    with socket.socket() as client:
        client.settimeout(0.01)
        client.connect_ex((FAR, 80))


def listens():
    with socket.create_server(("127.0.0.1", 0)):
        pass


def hears():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.settimeout(0.01)
        ours.bind(("127.0.0.1", 0))
        ours.recvfrom(1)


def opens_a_pipe():
    with os.popen("true") as pipe:
        assert pipe.read() == ""


def forks():
    if os.fork() == 0:
        os._exit(0)


REFUSED = {
    "create_connection": (connects, f"a connection to {FAR}:80", "socket"),
    "connect_ex": (connects_by_itself, f"a connection to {FAR}:80", "socket"),
    "urlopen": (
        lambda: urllib.request.urlopen("http://shop.invalid/"),
        "the address of shop.invalid",
        "urllib.request",
    ),
    "gethostbyname": (
        lambda: socket.gethostbyname("shop.invalid"),
        "the address of shop.invalid",
        "socket",
    ),
    "create_server": (listens, "clients that connect", "socket"),
    "recvfrom": (hears, "a message", "socket"),
    "subprocess": (lambda: subprocess.run(["true"], check=True), "a process", "subprocess"),
    "system": (lambda: os.system("true"), "a process", "os"),
    "popen": (opens_a_pipe, "a process", "os"),
    "fork": (forks, "a process", "os"),
    "multiprocessing": (
        lambda: multiprocessing.get_context("fork").Process(target=len, args=((),)).start(),
        "a process",
        "multiprocessing.process",
    ),
}


@pytest.mark.parametrize("call", REFUSED)
def test_what_leads_out_of_the_process_is_refused_at_the_application_s_own_line(call, stopped):
    calls, awaited, module = REFUSED[call]
    escape = stopped(calls)
    assert isinstance(escape, Escape)
    assert (escape.awaited, escape.module, escape.behind) == (awaited, module, 0)
    [site] = escape.stack
    assert site.file == __file__
    first = calls.__code__.co_firstlineno
    assert first <= site.line <= first + 5


@pytest.mark.parametrize("call", ["subprocess", "system", "popen", "multiprocessing"])
def test_what_is_declared_by_its_name_is_done_for_real(call, stopped):
    calls, _, module = REFUSED[call]
    assert stopped(calls, module.partition(".")[0]) is None
    # So is all that a module of the application's own does.
    assert stopped(calls, __name__) is None
    assert isinstance(stopped(calls, "shop"), Escape)


def test_a_process_that_is_waited_for_has_the_time_that_it_takes(stopped):
    """Virtual time passes where all wait: a timeout would be over before any process is."""

    def waits():
        with subprocess.Popen(["sleep", "0.2"]) as process:
            assert process.wait(timeout=5) == 0

    assert stopped(waits, "subprocess") is None


def test_a_server_on_this_machine_is_asked_and_noted(stopped, listening):
    def asks():
        with socket.create_connection(("localhost", listening)):
            pass

    assert stopped(asks) is None
    [(server, (code, _))] = leaving.asked.items()
    assert server in (f"127.0.0.1:{listening}", f"::1:{listening}")
    assert code is asks.__code__


def test_a_server_that_says_nothing_is_refused_after_a_while(stopped, listening):
    def hears_nothing():
        with socket.create_connection(("127.0.0.1", listening)) as client:
            client.recv(1)

    escape = stopped(hears_nothing)
    assert isinstance(escape, Escape)
    assert escape.awaited == f"what 127.0.0.1:{listening} says"


def test_a_timeout_of_the_application_s_own_is_its_own_matter(stopped, listening):
    def hears_nothing_for_a_moment():
        with (
            socket.create_connection(("127.0.0.1", listening), timeout=0.01) as client,
            pytest.raises(TimeoutError),
        ):
            client.recv(1)

    assert stopped(hears_nothing_for_a_moment) is None


@pytest.mark.parametrize(
    ("name", "args", "named", "host"),
    [
        ("psycopg2", ("dbname=shop host=192.0.2.1",), {}, "192.0.2.1"),
        ("psycopg2", (), {"host": "192.0.2.1"}, "192.0.2.1"),
        ("psycopg", ("postgresql://me:secret@192.0.2.1:5433/shop",), {}, "192.0.2.1"),
        ("MySQLdb", ("192.0.2.1", "me"), {}, "192.0.2.1"),
        ("psycopg2", ("dbname=shop host=localhost",), {}, None),
        ("psycopg2", ("dbname=shop",), {}, None),
        ("psycopg", (), {"host": "/var/run/postgresql"}, None),
        ("MySQLdb", (), {}, None),
    ],
)
def test_a_driver_in_c_is_refused_by_the_host_that_it_is_told(
    name, args, named, host, stopped, monkeypatch
):
    monkeypatch.delenv("PGHOST", raising=False)
    connected = []
    driver = types.ModuleType(name)
    driver.connect = lambda *args, **named: connected.append((args, named))
    monkeypatch.setitem(sys.modules, name, driver)
    with drivers.watched():
        escape = stopped(lambda: driver.connect(*args, **named))
    if host is None:
        assert (escape, connected) == (None, [(args, named)])
        assert len(leaving.asked) == 1
    else:
        assert escape.awaited == f"a connection to {name}'s server {host}"
        assert (escape.module, connected) == (name, [])


def test_what_waits_for_nobody_is_let_go(stopped, tmp_path):
    def sends():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
            ours.connect(("127.0.0.1", 9))
            ours.sendto(b"count:1|c", ("127.0.0.1", 9))
        one, other = socket.socketpair()
        one.send(b"x")
        assert other.recvfrom(1)[0] == b"x"
        one.close()
        other.close()
        (tmp_path / "kept").write_text("kept", encoding="utf-8")

    assert stopped(sends) is None


def test_outside_of_an_execution_and_of_a_search_all_is_as_ever(listening):
    real = {name: getattr(socket.socket, name) for name in ("connect", "accept", "listen")}
    forked = subprocess._fork_exec
    with StandIns():
        assert subprocess._fork_exec is not forked
        with leaving.only(()), socket.create_connection(("127.0.0.1", listening)):
            subprocess.run([sys.executable, "-c", ""], check=True)
        # As the start of an application is, which comes before any search.
        chooser = strategy("random").begin(0, 1, Lengths())
        execution = Lockstep().run([REFUSED["subprocess"][0]], chooser)
        assert (execution.stopped, execution.workers[0].error) == (None, None)
    assert {name: getattr(socket.socket, name) for name in real} == real
    assert subprocess._fork_exec is forked
