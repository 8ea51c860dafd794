"""Controlled schedules of asyncio tasks, end to end: ASGI applications, plain and in Starlette."""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from echoes import echo

import ctxsim
from ctxsim.errors import TargetError
from ctxsim.replaying import replay
from ctxsim.scenario import Scenario
from ctxsim.simulation import Options, simulate

ROOT = Path(ctxsim.__file__).parents[1]
PLAIN = """
import asyncio, contextvars, threading, time
from urllib.parse import parse_qs

state = {}

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    tag = parse_qs(scope["query_string"].decode())["tag"][0]
    text = await who(tag, scope)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})

async def live(receive, send):
    await receive()
    await start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})

async def start():
    pass
"""
LEAKY = """
current = {}

async def who(tag, scope):
    current["name"] = tag
    await asyncio.sleep(0)
    return "hello " + current["name"]
"""
FIXED = """
async def who(tag, scope):
    current = {"name": tag}
    await asyncio.sleep(0)
    return "hello " + current["name"]
"""
# The lock belongs to the loop that started the application.
GUARDED = """
current = {}

async def start():
    state["lock"] = asyncio.Lock()
    await asyncio.to_thread(time.sleep, 0.01)

async def who(tag, scope):
    async with state["lock"]:
        current["name"] = tag
        async with asyncio.timeout(5):
            await asyncio.sleep(0.01)
        return "hello " + current["name"]
"""
DEADLOCK = """
one, other = asyncio.Lock(), asyncio.Lock()

async def who(tag, scope):
    first, second = (one, other) if b"v=1" not in scope["query_string"] else (other, one)
    async with first:
        await asyncio.sleep(0)
        async with second:
            return tag
"""
STARLETTE = """
import asyncio, threading, time
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

current = {}

class Passing(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        return await call_next(request)

def served(view):
    app = Starlette(routes=[Route("/who", view)])
    app.add_middleware(Passing)
    return app
"""
LEAKY_THREADS = """
def who(request):
    current["name"] = request.query_params["tag"]
    greeting = "hello "
    return PlainTextResponse(greeting + current["name"])

app = served(who)
"""
CLEAN_STARLETTE = """
async def later(tag):
    await asyncio.sleep(0.01)

async def who(request):
    tag = request.query_params["tag"]
    own = {"name": await asyncio.to_thread(str, tag)}
    async def parts():
        yield "hello "
        await asyncio.sleep(0.01)
        yield own["name"]
    if "v" in request.query_params:
        return StreamingResponse(parts())
    return PlainTextResponse(own["name"], background=BackgroundTask(later, tag))

app = served(who)
"""
STEPS = 'steps: [{get: "/who?tag={canary}"}, {get: "/who?v=1&tag={canary}"}]'


@pytest.fixture
def scenario(tmp_path):
    def write(source, *, schedule="{kind: auto, budget: 60}", head=PLAIN, **keys):
        keys = {"workers": '["tasks:4"]', "seed": 7, **keys}
        (tmp_path / "served.py").write_text(head + textwrap.dedent(source), encoding="utf-8")
        path = tmp_path / "searched.yaml"
        path.write_text(
            f'version: 1\ntarget: {{app: "served.py:app", kind: asgi}}\n{STEPS}\n'
            f"workers: {keys['workers']}\nschedule: {schedule}\nseed: {keys['seed']}\n"
            f"{keys.get('more', '')}\n",
            encoding="utf-8",
        )
        return Scenario.load(path)

    return write


def searched(scenario, *, alone=False):
    return simulate(scenario, options=Options(compare_alone=alone))


def found(outcome):
    return {each.code for each in outcome.findings}


@pytest.mark.parametrize("workers", ["tasks:4", "tasks:4:empty"])
def test_an_unlucky_order_of_awaits_is_found_replayed_and_told(scenario, workers):
    outcome = searched(scenario(LEAKY, workers=f'["{workers}"]'))
    [finding] = [each for each in outcome.findings if each.code == "CTX201"]
    assert (finding.confirmed.times, finding.confirmed.of) == (20, 20)
    story = "\n".join(finding.story)
    assert story.count("starts") == 2
    assert re.search(r"starts, until served\.py:\d+ in who: await asyncio\.sleep\(0\)", story)


def test_the_fixed_application_is_clean_in_all_executions(scenario):
    outcome = searched(scenario(FIXED, workers='[sync, "tasks:4", "tasks:3:empty"]'), alone=True)
    assert (outcome.verdict, outcome.exit_code) == ("clean", 0)
    assert all(cell.compared > 60 for cell in outcome.cells)


def test_what_the_lifespan_made_for_its_loop_is_of_use_to_requests(scenario):
    outcome = searched(scenario(GUARDED), alone=True)
    assert (outcome.verdict, outcome.exit_code) == ("clean", 0)


def test_requests_that_wait_for_each_other_are_a_deadlock(scenario):
    outcome = searched(scenario(DEADLOCK))
    [finding] = outcome.findings
    assert finding.code == "CTX501"
    story = "\n".join(finding.story)
    assert story.count(" takes it at served.py:") == 2
    assert (
        len(re.findall(r"waits in Lock.acquire at served.py:\d+, which [AB] has since", story)) == 2
    )
    assert {place.function for place in finding.where} == {"who"}


def test_locks_in_one_order_are_no_deadlock(scenario):
    ordered = DEADLOCK.replace("(other, one)", "(one, other)")
    assert searched(scenario(ordered)).verdict == "clean"


def test_a_case_shows_each_time_and_no_more_once_it_is_mended(scenario, tmp_path):
    [case, *_] = searched(scenario(LEAKY)).cases
    assert replay(case, 5).times == 5
    (tmp_path / "served.py").write_text(PLAIN + FIXED, encoding="utf-8")
    assert replay(case, 3).times == 0


def test_the_same_seed_gives_the_same_result(scenario):
    def told():
        document = searched(scenario(LEAKY)).to_json()
        for each in (document, *document["cells"]):
            for key in ("environment", "timing"):
                each.pop(key, None)
        return json.dumps(document)

    assert told() == told()


def test_it_is_carried_again_from_the_command_line(scenario, tmp_path):
    def run(*words):
        return subprocess.run(
            [sys.executable, "-m", "ctxsim", *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    scenario(LEAKY)
    assert run("run", "searched.yaml", "--budget", "20").returncode == 1
    last = json.loads((tmp_path / ".ctxsim" / "last.json").read_text())
    finding = next(each for each in last["findings"] if each["code"] == "CTX201")
    again = run(*finding["replay"].split()[1:], "--times", "10")
    assert again.returncode == 1
    assert "shown by 10 of 10 replays" in " ".join(again.stdout.split())
    (tmp_path / "served.py").write_text(PLAIN + FIXED, encoding="utf-8")
    assert run(*finding["replay"].split()[1:], "--times", "3").returncode == 0


def test_a_task_that_waits_for_the_next_request_is_no_deadlock(scenario):
    source = """
    queue, consumers = asyncio.Queue(), []

    async def consume():
        while True:
            tag, written = await queue.get()
            await asyncio.sleep(0.01)
            if not written.done():
                written.set_result("hello " + tag)

    async def who(tag, scope):
        if not consumers:
            consumers.append(asyncio.create_task(consume()))
        written = asyncio.get_running_loop().create_future()
        queue.put_nowait((tag, written))
        return await written
    """
    outcome = searched(scenario(source), alone=True)
    assert (outcome.verdict, found(outcome)) == ("clean", set())


def test_a_pool_of_the_application_s_is_no_deadlock(scenario):
    source = """
    from concurrent.futures import ThreadPoolExecutor
    pool = ThreadPoolExecutor(1)

    async def who(tag, scope):
        return await asyncio.get_running_loop().run_in_executor(pool, str, tag)
    """
    outcome = searched(scenario(source))
    assert outcome.findings == ()
    assert outcome.verdict == "inconclusive"
    assert any("an earlier request had started" in each for each in outcome.document.reasons)


@pytest.mark.parametrize("where", ["start", "request"])
def test_what_leads_out_of_the_process_is_refused_with_its_place(scenario, where):
    # Where a request may go to a server on this machine, the start may not.
    host = "127.0.0.1" if where == "start" else "192.0.2.1"
    leaving = f"""
        try:
            await asyncio.open_connection("{host}", 9)
        except OSError:
            pass
    """
    body = {"start": "pass", "request": "pass", where: leaving.strip()}
    source = f"""
    async def start():
        {body["start"]}

    async def who(tag, scope):
        {body["request"]}
        return tag
    """
    source = textwrap.dedent(source)
    if where == "start":
        with pytest.raises(TargetError, match=r"loop\.create_connection, at served\.py:\d+"):
            searched(scenario(source))
    else:
        outcome = searched(scenario(source))
        assert (outcome.verdict, outcome.findings) == ("inconclusive", ())
        reasons = "\n".join(outcome.document.reasons)
        assert re.search(r"loop\.create_connection, at served\.py:\d+ in who", reasons)


@pytest.fixture
def echoing():
    """The port of a server that sends each line back, but for those that say "silent"."""
    with echo() as port:
        yield port


POOLED = """
pool = []

async def who(tag, scope):
    connection = pool.pop() if pool else await asyncio.open_connection("localhost", PORT)
    reader, writer = connection
    answered = ""
    try:
        writer.write(f"{tag}{chr(10)}".encode())
        answered = (await reader.readline()).decode().strip()
    finally:
        if KEPT:
            pool.append(connection)
        else:
            writer.close()
    return answered
"""
CANCELLED = "faults: {error: 0%, abort: 0%, cancel: 30%}"


def test_a_server_on_this_machine_is_asked_and_its_late_answer_is_another_s(scenario, echoing):
    """A request is cancelled that has asked; the next one on that connection hears the answer."""
    source = POOLED.replace("PORT", str(echoing)).replace("KEPT", "True")
    outcome = searched(scenario(source, more=CANCELLED))
    [finding] = [each for each in outcome.findings if each.code == "CTX201"]
    assert (finding.confirmed.times, finding.confirmed.of) == (20, 20)
    [case] = [each for each in outcome.cases if each.code == "CTX201"]
    assert replay(case, 5).times == 5
    notes = "\n".join(outcome.document.notes)
    assert f"localhost:{echoing} was asked for real, and each answer waited for" in notes


def test_a_connection_that_is_given_up_with_its_request_is_clean(scenario, echoing):
    source = POOLED.replace("PORT", str(echoing)).replace("KEPT", "answered")
    outcome = searched(scenario(source, more=CANCELLED))
    assert (outcome.verdict, outcome.findings) == ("clean", ())


def test_who_waits_for_a_server_that_says_nothing_is_no_finding_and_not_clean(scenario, echoing):
    source = POOLED.replace("PORT", str(echoing)).replace("KEPT", "answered")
    silent = source.replace("{tag}", "silent")
    outcome = searched(scenario(silent))
    assert (outcome.verdict, outcome.findings) == ("inconclusive", ())
    reasons = "\n".join(outcome.document.reasons)
    assert re.search(rf"waits for what localhost:{echoing} says, at served\.py:\d+ in who", reasons)


def test_a_thread_of_the_lifespan_s_is_refused(scenario):
    source = f"""
    async def start():
        event = threading.Event()
        threading.Thread(target=event.wait, daemon=True).start()
    {textwrap.indent(textwrap.dedent(FIXED), "    ").strip()}
    """
    with pytest.raises(TargetError, match="its lifespan started threads"):
        searched(scenario(source))


def test_an_order_of_lines_in_starlette_s_threads_is_found(scenario):
    schedule = "{kind: auto, budget: 20, select: [served]}"
    outcome = searched(scenario(LEAKY_THREADS, head=STARLETTE, schedule=schedule, seed=4))
    assert "CTX201" in found(outcome)
    finding = next(each for each in outcome.findings if each.code == "CTX201")
    assert (finding.confirmed.times, finding.confirmed.of) == (20, 20)
    assert re.search(r"thread \d+, which a request started", "\n".join(finding.story))


def test_a_clean_starlette_application_is_clean(scenario):
    outcome = searched(scenario(CLEAN_STARLETTE, head=STARLETTE), alone=True)
    assert (outcome.verdict, outcome.exit_code) == ("clean", 0)


def test_sync_finds_what_an_order_of_requests_shows(scenario):
    source = """
    async def who(tag, scope):
        before, state["last"] = state.get("last", "nobody"), tag
        await asyncio.sleep(0.01)
        return before + tag
    """
    outcome = searched(scenario(source, workers="sync"))
    assert "CTX201" in found(outcome)


def test_a_synchronous_application_in_tasks_is_searched(scenario, tmp_path):
    source = """
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        state["tag"] = environ["QUERY_STRING"]
        yield b"hello "
        yield state["tag"].encode()
    """
    loaded = scenario(source, head="state = {}\n")
    text = loaded.text.replace("kind: asgi", "kind: wsgi")
    outcome = searched(Scenario.parse(text, str(tmp_path / "searched.yaml")))
    assert "CTX201" in found(outcome)
