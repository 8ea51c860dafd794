"""Controlled schedules of greenlets, end to end."""

import textwrap

import pytest

from ctxsim.cli import main
from ctxsim.errors import ExitCode, ScenarioError, TargetError
from ctxsim.replaying import replay
from ctxsim.report.cases import keep_case
from ctxsim.scenario import Scenario
from ctxsim.simulation import Options, simulate

HEAD = """
from urllib.parse import parse_qs
import threading, time
import gevent, gevent.event, gevent.queue, gevent.lock
import ctxsim

def app(environ, start_response):
    sent = {name: value[0] for name, value in parse_qs(environ["QUERY_STRING"]).items()}
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer(**sent).encode()]
"""
LEAKY = """
current = {}

def answer(tag, v=""):
    current["name"] = tag
    time.sleep(0.01)
    return "hello " + current["name"]
"""
FIXED = """
def answer(tag, v=""):
    current = {"name": tag}
    time.sleep(0.01)
    return "hello " + current["name"]
"""
STEPS = 'steps: [{get: "/who?tag={canary}"}, {get: "/who?v=1&tag={canary}"}]'


@pytest.fixture
def scenario(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(source, *, workers="greenlets:20", head=HEAD, budget=60, target="app: served.py:app"):
        (tmp_path / "served.py").write_text(head + textwrap.dedent(source), encoding="utf-8")
        path = tmp_path / "searched.yaml"
        path.write_text(
            f"version: 1\ntarget: {{{target}}}\n{STEPS}\nworkers: {workers}\n"
            f"schedule: {{kind: auto, budget: {budget}}}\nseed: 7\n",
            encoding="utf-8",
        )
        return Scenario.load(path)

    return write


def searched(scenario):
    return simulate(scenario, options=Options(compare_alone=False))


def codes(outcome):
    return {each.code for each in outcome.findings}


def reasons(outcome):
    """Why nothing was called clean."""
    assert (outcome.verdict, outcome.exit_code) == ("inconclusive", ExitCode.INCONCLUSIVE)
    assert outcome.findings == ()
    return " ".join(outcome.document.reasons)


def test_a_leak_across_a_sleep_is_found_and_replayed_by_the_command(scenario, tmp_path, capsys):
    outcome = searched(scenario(LEAKY))
    [finding] = [each for each in outcome.findings if each.code == "CTX201"]
    assert (finding.confirmed.times, finding.confirmed.of) == (20, 20)
    story = "\n".join(finding.story)
    assert story.count("starts") == 2
    assert "starts, until served.py:16 in answer: time.sleep(0.01)" in " ".join(story.split())

    [case] = [each for each in outcome.cases if each.id == finding.id]
    keep_case(case)
    assert main(["replay", finding.id]) == ExitCode.FINDINGS
    assert "shown by 20 of 20 replays" in capsys.readouterr().out
    (tmp_path / "served.py").write_text(HEAD + FIXED, encoding="utf-8")
    assert main(["replay", finding.id]) == ExitCode.OK


def test_the_same_application_without_the_leak_is_clean(scenario):
    outcome = searched(scenario(FIXED, workers='["greenlets:20", "greenlets:20:copied"]'))
    assert (outcome.verdict, outcome.exit_code) == ("clean", ExitCode.OK)
    assert all(cell.compared > 60 for cell in outcome.cells)


def test_requests_that_never_wait_are_clean(scenario):
    """gevent runs each of them at a stretch, so that only their order can matter."""
    assert searched(scenario(LEAKY.replace("time.sleep(0.01)", "pass"))).verdict == "clean"


def test_the_same_seed_gives_the_same_result(scenario):
    one, other = (searched(scenario(LEAKY)) for _ in range(2))
    assert [each.id for each in one.findings] == [each.id for each in other.findings]
    assert [each.script for each in one.cases] == [each.script for each in other.cases]


FLASK = """
from flask import Flask, g, request, session
import logging, threading, time
app = Flask(__name__)
app.secret_key = "x"
lock, local = threading.Lock(), threading.local()

@app.get("/who")
def who():
    g.tag = local.tag = session["tag"] = request.args["tag"]
    with lock:
        time.sleep(0.001)
    child = threading.Thread(target=time.sleep, args=(0.002,))
    child.start()
    child.join()
    app.logger.warning("asked")
    return f"{g.tag} {local.tag} {session['tag']} {request.args['tag']}"
"""


def test_a_clean_flask_application_is_clean(scenario):
    outcome = simulate(scenario(FLASK, head="", budget=200))
    assert (outcome.findings, outcome.verdict, outcome.exit_code) == ((), "clean", ExitCode.OK)


LOCAL = """
seen = threading.local()

def answer(tag, v=""):
    seen.tag = tag
    ctxsim.pause(0.01)
    return "hello " + seen.tag
"""


@pytest.mark.parametrize(
    ("variant", "leaks"),
    [("", False), (":copied", False), (":unpatched", True), (":partial", True), (":late", True)],
)
def test_a_thread_local_leaks_where_threads_are_not_patched(variant, leaks, scenario):
    outcome = searched(scenario(LOCAL, workers=f"greenlets:20{variant}"))
    assert ("CTX201" in codes(outcome)) is leaks
    assert outcome.verdict == ("findings" if leaks else "clean")


RUNTIME = """
from ctxsim.runtime import App, g, request
import ctxsim
app = App(__name__)

@app.get("/who")
def who():
    g.tag = request.args["tag"]
    ctxsim.pause(0.01)
    return "hello " + g.tag
"""


@pytest.mark.parametrize(("storage", "leaks"), [("greenlet", False), ("shared", True)])
def test_an_application_of_the_runtime_leaks_by_its_storage(storage, leaks, scenario):
    target = f"app: served.py:app, kind: runtime, storage: {storage}"
    outcome = searched(scenario(RUNTIME, head="", target=target))
    assert outcome.verdict == ("findings" if leaks else "clean")


DEADLOCK = """
one, other = threading.Lock(), gevent.lock.BoundedSemaphore(1)

def answer(tag, v=""):
    first, second = (other, one) if v else (one, other)
    with first:
        time.sleep(0.01)
        with second:
            return tag
"""


def test_requests_that_wait_for_each_other_are_a_deadlock(scenario):
    outcome = searched(scenario(DEADLOCK))
    [finding] = outcome.findings
    assert finding.code == "CTX501"
    story = "\n".join(finding.story)
    assert "waits in Lock.acquire, held since served.py:16" in story
    assert "waits in BoundedSemaphore.acquire, held since served.py:16" in story
    assert {place.line for place in finding.where} == {18}


def test_locks_in_one_order_are_no_deadlock(scenario):
    ordered = DEADLOCK.replace("(other, one) if v", "(one, other) if v")
    assert searched(scenario(ordered)).verdict == "clean"


CONSUMER = """
jobs = gevent.queue.Queue()
consumers = []

def consume():
    while True:
        answer, tag = jobs.get()
        time.sleep(0.01)
        answer.set(tag)

def answer(tag, v=""):
    if not consumers:
        consumers.append(gevent.spawn(consume))
    answer = gevent.event.AsyncResult()
    jobs.put((answer, tag))
    return answer.get()
"""


def test_a_consumer_that_the_first_request_started_serves_all_others(scenario):
    assert searched(scenario(CONSUMER)).verdict == "clean"


def test_a_consumer_that_mixes_up_its_jobs_is_found(scenario):
    mixed = CONSUMER.replace("answer.set(tag)", "answer.set(last[0])").replace(
        "        time.sleep", "        last[:] = [tag]\n        time.sleep"
    )
    mixed = mixed.replace("consumers = []", "consumers, last = [], []")
    mixed = mixed.replace("if not consumers", "if len(consumers) < 2")
    assert "CTX201" in codes(searched(scenario(mixed)))


OUTSIDE = """
import socket, subprocess, sys, tempfile
from gevent.fileobject import FileObjectThread

def answer(tag, v=""):
    WAITS
    return tag
"""
WAITS = {
    "a socket or a pipe": "pair = socket.socketpair(); pair[0].recv(1)",
    "a name of the network": "socket.getaddrinfo('shop.invalid', 80)",
    "a process": "subprocess.run(['true'])",
    "threadpool": "FileObjectThread(open(__file__, 'rb')).read(1)",
}


@pytest.mark.parametrize("awaited", WAITS)
def test_what_comes_from_outside_is_told_with_the_place_where_it_is_waited_for(awaited, scenario):
    told = reasons(searched(scenario(OUTSIDE.replace("WAITS", WAITS[awaited]), budget=20)))
    assert awaited in told
    assert "at served.py:16" in told


def test_a_connection_that_was_made_at_the_import_is_refused_when_it_is_waited_for(scenario):
    """Its own loop does not run: it would look as if the other end had nothing to say for ever."""
    source = OUTSIDE.replace("WAITS", "one.recv(1)")
    source += "\none, other = socket.socketpair()\none.settimeout(1)\n"
    told = reasons(searched(scenario(source, budget=20)))
    assert "made when the application was imported, at served.py:16" in told


def test_a_native_thread_of_a_request_is_refused_where_threads_are_not_patched(scenario):
    source = OUTSIDE.replace("WAITS", "threading.Thread(target=print).start()")
    told = reasons(searched(scenario(source, workers="greenlets:20:partial", budget=20)))
    assert "a native thread that it starts, at served.py:16" in told


def test_a_request_that_is_always_cut_off_keeps_all_from_being_called_clean(scenario):
    source = """
    def answer(tag, v=""):
        for _ in range(30_000 if v else 0):
            gevent.sleep(0)
        return tag
    """
    told = reasons(searched(scenario(source, budget=20)))
    assert "never ended within 20,000 steps" in told


@pytest.mark.parametrize(
    ("start", "told"),
    [
        ("gevent.spawn(time.sleep, 60)", "started greenlets when it was imported"),
        ("gevent.spawn(time.sleep, 60); time.sleep(0.01)", "started greenlets"),
        ("threading.Thread(target=time.sleep, args=(60,)).start()", "started threads"),
    ],
)
def test_an_application_with_greenlets_of_its_own_is_refused(start, told, scenario):
    with pytest.raises(TargetError, match=told):
        searched(scenario(f"{start}\n{FIXED}"))


AT_IMPORT = """
import socket, subprocess
socket.getaddrinfo("localhost", 80)
subprocess.run(["true"])
gevent.joinall([gevent.spawn(time.sleep, 0.01)])
asked, queued = gevent.event.Event(), gevent.queue.Queue()
asked.wait(timeout=0.01)

def answer(tag, v=""):
    queued.put(tag)
    asked.wait(timeout=0.01)
    return queued.get()
"""


def test_an_import_may_wait_for_what_is_refused_to_requests(scenario):
    """The hub's own loop runs then; what it has made goes on under a schedule."""
    assert "CTX201" in codes(searched(scenario(AT_IMPORT)))
    in_time = AT_IMPORT.replace("    asked", "    return tag\n    asked")
    assert searched(scenario(in_time)).verdict == "clean"


def test_crossed_workers_are_refused_in_the_file(scenario):
    with pytest.raises(ScenarioError, match="'threads:2 x greenlets:10' cannot be controlled"):
        scenario(FIXED, workers='"threads:2 x greenlets:10"')


def test_a_case_does_not_show_once_it_is_mended(scenario, tmp_path):
    [case, *_] = searched(scenario(LEAKY)).cases
    assert replay(case, 3).times == 3
    (tmp_path / "served.py").write_text(HEAD + FIXED, encoding="utf-8")
    assert replay(case, 3).times == 0
