"""However an application ends its process, it is known how, and what was found stays."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys

import pytest
from driving import RUN, live, plan_of

from ctxsim.cell import canaries
from ctxsim.cell.messages import Lines, encode
from ctxsim.cell.plan import Load, Users
from ctxsim.cells.process import PROGRAM

ENDING = """
import ctypes, os, signal, sys, threading

import ctxsim

taken = 0

def end():
    {statement}

def app(environ, start_response):
    global taken
    taken += 1
    if taken == 10:
        end()
    start_response("200 OK", [])
    return [environ["QUERY_STRING"].encode()]
"""
FOREIGN = canaries.canary(canaries.user_prefix(RUN, 1, 9), 1)


def ended_by(application, statement, word="sync", **keys):
    target = application(ENDING.format(statement=statement))
    hear = keys.pop("hear", lambda _message, _channel: None)
    return live(plan_of("GET /?{canary}", target=target, workers=word, **keys), hear=hear)


@pytest.mark.parametrize("word", ["sync", "threads:4", "greenlets:20", "tasks:10"])
def test_os_exit_in_a_view_leaves_its_code_and_the_stacks(application, word):
    """`os._exit` gives no last word, but the cell says first where everything stands."""
    lived = ended_by(application, "os._exit(3)", word)
    assert lived.returncode == 3
    assert not lived.last_word
    assert any("os._exit(3)" in stack for stack in lived.stacks)


@pytest.mark.parametrize(
    ("statement", "killed_by"),
    [("os.abort()", signal.SIGABRT), ("ctypes.string_at(0)", signal.SIGSEGV)],
)
def test_a_crash_leaves_the_stacks_that_faulthandler_wrote(application, statement, killed_by):
    """A crash of the interpreter dumps the Python stacks with the application's own function."""
    lived = ended_by(application, statement)
    assert lived.returncode == -killed_by
    assert not lived.last_word
    assert "in end" in lived.dumped


def test_what_was_found_before_a_crash_was_said(application):
    """An event goes out before the request that showed it goes on."""
    source = f"""
    import os

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/end":
            os.abort()
        start_response("200 OK", [])
        return [b"{FOREIGN}"]
    """
    lived = live(plan_of("GET /", "GET /end", target=application(source)))
    assert lived.returncode == -signal.SIGABRT
    assert [event.kind for event in lived.history.events] == ["answer.foreign"]


@pytest.mark.parametrize(
    "word", ["sync", "threads:4", "greenlets:20", "tasks:10", "tasks:10:executor"]
)
def test_what_a_view_raises_fails_its_request_alone(application, word):
    """A server survives SystemExit and its like in a view, and so does a cell."""
    source = """
    import sys

    RAISED = [SystemExit(4), KeyboardInterrupt(), GeneratorExit(), StopIteration(), sys.exit]

    def app(environ, start_response):
        if RAISED:
            raise RAISED.pop()
        start_response("200 OK", [])
        return [environ["QUERY_STRING"].encode()]
    """
    lived = live(plan_of("GET /?{canary}", target=application(source), workers=word)).finished()
    assert (lived.tally.requests, lived.tally.failed) == (200, 5)
    assert set(lived.tally.failures) == {
        "SystemExit",
        "KeyboardInterrupt",
        "GeneratorExit",
        "StopIteration",
        "TypeError",
    }
    assert lived.findings == []


def test_a_killed_greenlet_s_exception_fails_its_request_alone(application):
    """GreenletExit, which gevent raises in what it kills, ends one request and no more."""
    statement = "from gevent import GreenletExit; raise GreenletExit"
    lived = ended_by(application, statement, "greenlets:20").finished()
    assert (lived.tally.requests, lived.tally.failed) == (200, 1)


@pytest.mark.parametrize("word", ["sync", "threads:4", "greenlets:20"])
def test_a_forked_child_does_not_speak_for_the_cell(application, word):
    """Neither a child that exits nor one that runs on into our code says a word of ours."""
    source = """
    import os

    taken = 0

    def app(environ, start_response):
        global taken
        taken += 1
        if taken == 10:
            child = os.fork()
            if child == 0:
                start_response("200 OK", [])
                return [b"FOREIGN"]
            os.waitpid(child, 0)
        start_response("200 OK", [])
        return [environ["QUERY_STRING"].encode()]
    """.replace("FOREIGN", FOREIGN)
    lived = live(plan_of("GET /?{canary}", target=application(source), workers=word)).finished()
    assert lived.tally.requests == 200
    assert lived.findings == []


@pytest.mark.parametrize(
    "word", ["sync", "threads:4", "greenlets:20", "threads:2 x greenlets:10", "tasks:10"]
)
def test_a_hang_is_told_with_the_line_that_hangs(application, word):
    """When no request ends any more, the cell sends stacks that show the application's own line."""

    def hang_up(message, channel):
        if message["say"] == "stacks":
            channel.close()

    statement = "lock = threading.Lock(); lock.acquire(); lock.acquire()"
    lived = ended_by(
        application,
        statement,
        word,
        # More than a loaded machine needs for the first request.
        stall_s=1.0,
        users=Users(count=1, visitor=False),
        hear=hang_up,
    )
    assert any("lock.acquire()" in stack for stack in lived.stacks), lived.stacks
    assert not lived.last_word


def test_a_cell_whose_harness_is_gone_ends_itself(application):
    """The channel closes, as when the harness was killed: the process exits by itself."""

    def hang_up(message, channel):
        if message["say"] == "ready":
            channel.close()

    lived = ended_by(application, "threading.Event().wait()", hear=hang_up)
    assert lived.returncode != 0
    assert not lived.last_word


@pytest.mark.parametrize("word", ["sync", "threads:4", "greenlets:20", "tasks:10"])
def test_a_cell_that_is_told_to_stop_finishes_what_is_in_flight(application, word):
    """`stop` ends an endless load; what was carried is counted, and the ending says `stopped`."""

    def stop(message, channel):
        if message["say"] == "tally" and message["tally"]["requests"] and not told:
            told.append(True)
            channel.sendall(b'{"say":"stop"}\n')

    told = []
    lived = ended_by(application, "pass", word, load=Load(duration_s=60), hear=stop)
    assert lived.ending.kind == "stopped"
    assert lived.last_word
    assert lived.returncode == 0
    assert lived.tally.requests == lived.tally.compared > 0
    assert lived.codes == set()


@pytest.mark.parametrize("word", ["sync", "greenlets:20:late"])
def test_a_cell_that_is_told_to_stop_before_its_load_begins_sends_nothing(application, word):
    """`stop` counts from the first word on, while the application is still being imported."""
    ours, theirs = socket.socketpair()
    target = application(ENDING.format(statement="pass"))
    plan = plan_of("GET /?{canary}", target=target, workers=word, load=Load(duration_s=60))
    with ours, theirs:
        ours.sendall(encode({"say": "plan", "plan": plan.to_json()}) + encode({"say": "stop"}))
        code = [sys.executable, "-P", str(PROGRAM), str(theirs.fileno()), "2"]
        subprocess.run(code, pass_fds=[theirs.fileno()], check=True, timeout=30)
        theirs.close()
        said = list(Lines().feed(b"".join(iter(lambda: ours.recv(65536), b""))))
    assert said[-1]["ending"]["kind"] == "stopped"
    assert [each["tally"]["requests"] for each in said if each["say"] == "tally"][-1] == 0


def test_an_application_may_replace_its_stdout(application):
    """What ends a cell does not depend on the application's `sys.stdout`, be it closed or None."""
    for statement in ("sys.stdout.close()", "sys.stdout = None", "sys.stderr = sys.stdout = 0"):
        lived = ended_by(application, statement).finished()
        assert lived.tally.requests == 200


def test_an_application_that_prints_a_lot_is_no_harm(application):
    """The application's output goes its own way, beside the channel."""
    lived = ended_by(application, "print('x' * 3_000_000)").finished()
    assert len(lived.stdout) == 3_000_001


@pytest.mark.parametrize("word", ["sync", "threads:4", "greenlets:20"])
def test_an_application_may_import_gevent_itself(application, word):
    """Whether or not the workers are greenlets, an application may use gevent in its views."""
    statement = "import gevent; gevent.spawn(lambda: None).join()"
    lived = ended_by(application, statement, word).finished()
    assert lived.tally.requests == 200
    assert lived.findings == []


def test_threads_that_the_application_leaves_do_not_hold_the_cell(application):
    """A thread that never ends, and that is no daemon, would hold an ordinary exit forever."""
    statement = "threading.Thread(target=threading.Event().wait).start()"
    ended_by(application, statement).finished()
