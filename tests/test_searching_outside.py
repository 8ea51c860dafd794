"""What requests want of others than the application, in a search: refused, or carried for real."""

import re
import textwrap

import pytest
from echoes import echo

from ctxsim.jobs import Options
from ctxsim.replaying import replay
from ctxsim.report.text import render
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

THREADS = """
import os, socket, subprocess, threading, urllib.request
from urllib.parse import parse_qs

current = {}

def app(environ, start_response):
    tag = parse_qs(environ["QUERY_STRING"])["tag"][0]
    view = views[environ["PATH_INFO"]]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [view(tag).encode()]

def plain(tag):
    name = tag
    return name

def leaks(tag):
    current["name"] = tag
    answer = "hello "
    return answer + current["name"]
"""
TASKS = """
import asyncio, os, socket, subprocess, threading, urllib.request
from urllib.parse import parse_qs

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        subprocess.run(["true"], check=True)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    tag = parse_qs(scope["query_string"].decode())["tag"][0]
    text = await views[scope["path"]](tag)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})

async def plain(tag):
    await asyncio.sleep(0)
    return tag
"""
STEP = '{get: "%s?tag={canary}"}'


@pytest.fixture
def searched(tmp_path):
    """What a search comes to; flows are those of `paths`, with one step or several."""

    def search(source, *paths, head=THREADS, workers="threads:4", atomic="", budget=40):
        text = head + textwrap.dedent(source)
        (tmp_path / "served.py").write_text(text, encoding="utf-8")
        flows = ", ".join(
            f"{name}: {{steps: [{', '.join(STEP % each for each in steps.split())}]}}"
            for name, steps in zip("abcd", paths, strict=False)
        )
        declared = f", atomic: [{atomic}]" if atomic else ""
        path = tmp_path / "searched.yaml"
        path.write_text(
            f'version: 1\ntarget: {{app: "served.py:app"}}\nflows: {{{flows}}}\n'
            f'workers: "{workers}"\nfaults: none\nseed: 7\n'
            f"schedule: {{kind: auto, budget: {budget}{declared}}}\n",
            encoding="utf-8",
        )
        return simulate(Scenario.load(path), options=Options(confirms=False, compare_alone=False))

    return search


def told(outcome):
    return "\n".join((*outcome.document.reasons, *outcome.document.notes))


PROCESS = """
def converts(tag):
    return subprocess.run(["echo", tag], capture_output=True, text=True).stdout

views = {"/plain": plain, "/leaks": leaks, "/converts": converts}
"""
AT = 23


def test_a_route_that_leads_out_is_left_out_with_its_line_and_the_others_are_searched(searched):
    outcome = searched(PROCESS, "/plain", "/converts")
    assert (outcome.verdict, outcome.exit_code, outcome.findings) == ("inconclusive", 4, ())
    assert (
        f"GET /converts was not searched: it waits for a process, at served.py:{AT} in converts, "
        "which no schedule controls; to have it carried for real, write schedule.atomic: "
        "[subprocess]" in told(outcome)
    )
    [cell] = outcome.cells
    assert cell.ending is None
    assert cell.requests > 2 * 40
    assert not any("sent by no user" in each for each in outcome.document.not_covered)


def test_what_the_other_routes_show_is_found_and_can_be_carried_again(searched):
    outcome = searched(PROCESS, "/leaks", "/converts")
    assert {each.code for each in outcome.findings} <= {"CTX201", "CTX204"}
    assert outcome.exit_code == 1
    for case in outcome.cases:
        assert replay(case, 5).times == 5


def test_what_is_declared_atomic_by_its_name_is_carried_for_real(searched):
    outcome = searched(PROCESS, "/plain", "/converts", atomic="subprocess")
    assert (outcome.verdict, outcome.exit_code) == ("clean", 0)
    assert "was not searched" not in told(outcome)


def test_where_nothing_else_is_left_the_search_ends(searched):
    outcome = searched(PROCESS, "/converts")
    assert (outcome.verdict, outcome.exit_code) == ("inconclusive", 4)
    assert f"a request waits for a process, at served.py:{AT} in converts" in told(outcome)


def test_a_visit_ends_where_it_leads_out_and_what_would_follow_is_told(searched):
    """Who was not logged in by a step that was left out would be answered otherwise."""
    outcome = searched(PROCESS, "/plain /converts /leaks", "/plain")
    assert outcome.findings == ()
    assert "GET /leaks was not searched: it comes after that" in told(outcome)


LEAVES = {
    "a connection to 192.0.2.1:80": "socket.create_connection(('192.0.2.1', 80), timeout=0.1)",
    "the address of shop.invalid": "urllib.request.urlopen('http://shop.invalid/')",
    "a process": "os.system('true')",
    "clients that connect": "socket.create_server(('127.0.0.1', 0)).close()",
}


@pytest.mark.parametrize("workers", ["sync", "threads:4:fresh"])
@pytest.mark.parametrize("awaited", LEAVES)
def test_each_way_out_is_told_whatever_the_application_makes_of_it(awaited, workers, searched):
    source = f"""
    def leaves(tag):
        try:
            {LEAVES[awaited]}
        except Exception:
            pass
        return tag

    views = {{"/plain": plain, "/leaves": leaves}}
    """
    outcome = searched(source, "/plain", "/leaves", workers=workers, budget=20)
    assert (outcome.verdict, outcome.findings) == ("inconclusive", ())
    assert f"waits for {awaited}, at served.py:{AT + 1} in leaves" in told(outcome)


def test_a_thread_that_a_request_starts_is_told_for_its_route(searched):
    source = """
    def asks():
        subprocess.run(["true"])

    def starts(tag):
        thread = threading.Thread(target=asks)
        thread.start()
        thread.join()
        return tag

    views = {"/plain": plain, "/starts": starts}
    """
    outcome = searched(source, "/plain", "/starts")
    line = f"GET /starts was not searched: it waits for a process, at served.py:{AT} in asks"
    assert line in told(outcome)


@pytest.mark.parametrize("call", ["asks()", "await asyncio.to_thread(asks)", "await many()"])
def test_a_task_that_leads_out_by_a_blocking_call_is_told(call, searched):
    source = f"""
    def asks():
        subprocess.run(["true"])

    async def many():
        await asyncio.gather(asyncio.to_thread(asks), asyncio.sleep(0))

    async def leaves(tag):
        {call}
        return tag

    views = {{"/plain": plain, "/leaves": leaves}}
    """
    outcome = searched(source, "/plain", "/leaves", head=TASKS, workers="tasks:4")
    assert (outcome.verdict, outcome.findings) == ("inconclusive", ())
    assert re.search(
        r"GET /leaves was not searched: it waits for a process, at served\.py:\d+ in asks",
        told(outcome),
    )


@pytest.fixture
def echoing():
    """The port of a server that sends each line back."""
    with echo() as port:
        yield port


POOLED = """
pool = []

def asks(tag):
    connection = pool.pop() if pool else opened()
    server, answers = connection
    server.sendall(f"{tag}\\n".encode())
    EARLY
    answer = answers.readline()
    LATE
    return answer

def opened():
    server = socket.create_connection(("127.0.0.1", PORT))
    return server, server.makefile()

views = {"/plain": plain, "/asks": asks}
"""


@pytest.mark.parametrize("workers", ["threads:4", "greenlets:8", "greenlets:8:unpatched"])
def test_a_server_on_this_machine_is_asked_for_real_and_named(workers, searched, echoing):
    source = POOLED.replace("PORT", str(echoing)).replace("EARLY", "")
    source = source.replace("LATE", "pool.append(connection)")
    outcome = searched(source, "/plain", "/asks", workers=workers)
    assert (outcome.verdict, outcome.exit_code) == ("clean", 0)
    asked = f"127.0.0.1:{echoing} was asked for real, and each answer waited for"
    [note] = [each for each in outcome.document.notes if asked in each]
    assert re.search(r"first at served\.py:\d+$", note)


@pytest.mark.parametrize("workers", ["threads:4", "greenlets:8"])
def test_an_answer_that_another_request_hears_is_found(workers, searched, echoing):
    """The connection is given back before its answer was read."""
    source = POOLED.replace("PORT", str(echoing)).replace("LATE", "")
    source = source.replace("EARLY", "pool.append(connection)")
    outcome = searched(source, "/asks", workers=workers, budget=100)
    [finding] = [each for each in outcome.findings if each.code == "CTX201"]
    assert (finding.confirmed.times, finding.confirmed.of) == (20, 20)


@pytest.mark.parametrize("workers", ["threads:4", "greenlets:8"])
def test_who_hears_nothing_for_a_while_is_left_out(workers, searched, echoing):
    """A server that waits for another request would never be told of it."""
    source = POOLED.replace("PORT", str(echoing)).replace("EARLY", "").replace("LATE", "")
    outcome = searched(source.replace("\\n", ""), "/plain", "/asks", workers=workers)
    assert (outcome.verdict, outcome.findings) == ("inconclusive", ())
    assert re.search(
        rf"GET /asks was not searched: it waits for what 127\.0\.0\.1:{echoing} says, "
        r"at served\.py:\d+ in asks",
        told(outcome),
    )


def test_a_check_tells_it_as_not_covered_and_is_no_worse_for_it(checked):
    source = """
    import subprocess
    from flask import Flask, request
    app = Flask(__name__)

    @app.get("/plain")
    def plain():
        return {"name": request.args.get("name", "")}

    @app.get("/converts")
    def converts():
        subprocess.run(["true"])
        return {"name": request.args.get("name", "")}
    """
    outcome = checked(textwrap.dedent(source), workers=["sync", "threads:4"], requests=60)
    assert (outcome.verdict, outcome.exit_code) == ("clean", 0)
    [line] = [each for each in outcome.document.not_covered if "/converts" in each]
    assert line.startswith("unlucky orders in app/threads:4: GET /converts was not searched: ")
    assert "at checked.py:12 in converts" in line
    # Who checks has no scenario to write in.
    assert line.endswith(
        "to have it carried for real, write schedule.kind: auto in a scenario of ctxsim init, "
        "and schedule.atomic: [subprocess]"
    )
    [note] = [each for each in outcome.document.notes if "that a search chose" in each]
    assert "; it switched at lines of checked" in note


LOOPS = {
    "asyncio.run(own(tag))": "asyncio.run(own(tag))",
    "a loop that is new": "asyncio.new_event_loop().run_until_complete(own(tag))",
    "a loop in a thread": "ThreadPoolExecutor(1).submit(asyncio.run, own(tag)).result()",
}


@pytest.mark.parametrize("workers", ["threads:4", "greenlets:8"])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_of_a_request_s_own_is_refused_with_the_application_s_line(loop, workers, searched):
    source = f"""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    async def own(tag):
        await asyncio.sleep(0.01)
        return tag

    def loops(tag):
        return {LOOPS[loop]}

    views = {{"/plain": plain, "/loops": loops}}
    """
    outcome = searched(source, "/plain", "/loops", workers=workers, budget=20)
    assert (outcome.verdict, outcome.findings) == ("inconclusive", ())
    [cell] = outcome.cells
    assert cell.ending is None
    line = f"an event loop of its own, at served.py:{AT + 7} in loops, which no schedule controls"
    assert f"GET /loops was not searched: it waits for {line}" in told(outcome)


def test_a_search_that_has_to_refuse_all_requests_did_not_hang(searched):
    source = """
    import subprocess

    def asks(tag):
        subprocess.run(["true"])
        return tag

    views = {"/asks": asks}
    """
    outcome = searched(source, "/asks", budget=20)
    [cell] = outcome.cells
    assert (outcome.verdict, cell.ending.kind) == ("inconclusive", "refused")
    assert "refused" in render(outcome.document)


@pytest.mark.parametrize("workers", ["threads:4", "greenlets:8"])
def test_a_view_that_flask_runs_in_a_loop_is_refused_with_the_library_s_line(workers, searched):
    source = """
    import asyncio
    from flask import Flask, request
    app = Flask(__name__)

    @app.get("/plain")
    def plain():
        return request.args["tag"]

    @app.get("/loops")
    async def loops():
        await asyncio.sleep(0.01)
        return request.args["tag"]
    """
    outcome = searched(source, "/plain", "/loops", workers=workers, budget=20)
    assert (outcome.verdict, outcome.findings) == ("inconclusive", ())
    assert re.search(
        r"GET /loops was not searched: it waits for an event loop of its own, at "
        r"asgiref/sync\.py:\d+ in AsyncToSync\.__call__",
        told(outcome),
    )
