"""Requests that never end, and replays that are not alike: what is a finding, and what is none."""

import re
import textwrap

import pytest

from ctxsim.jobs import Options
from ctxsim.replaying import replay
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

# The same view for threads, gevent's greenlets and asyncio's tasks, which call `wait` and `turn`.
WSGI = """
import os, random, threading, time, uuid
from urllib.parse import parse_qs

turn = time.sleep

def app(environ, start_response):
    sent = {name: value[0] for name, value in parse_qs(environ["QUERY_STRING"]).items()}
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer(**sent).encode()]
"""
ASGI = """
import asyncio, os, random, time, uuid
from urllib.parse import parse_qs

turn = asyncio.sleep

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    sent = {k: v[0] for k, v in parse_qs(scope["query_string"].decode()).items()}
    text = await answer(**sent)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
"""
WORKERS = ("threads:4", "greenlets:4", "tasks:4")
STEPS = 'steps: [{get: "/who?tag={canary}"}, {get: "/who?v=1&tag={canary}"}]'


@pytest.fixture
def searched(tmp_path):
    def search(source, workers, budget=60):
        source = textwrap.dedent(source)
        if workers.startswith("tasks"):
            head = ASGI
            for call in ("turn(", "news.wait("):
                source = source.replace(call, f"await {call}")
            source = source.replace("def answer", "async def answer")
            source = source.replace("threading.", "asyncio.")
        else:
            head = WSGI
        (tmp_path / "served.py").write_text(head + source, encoding="utf-8")
        path = tmp_path / "searched.yaml"
        path.write_text(
            f'version: 1\ntarget: {{app: "served.py:app"}}\n{STEPS}\nworkers: "{workers}"\n'
            f"schedule: {{kind: auto, budget: {budget}}}\nfaults: none\nseed: 7\n",
            encoding="utf-8",
        )
        return simulate(Scenario.load(path), options=Options(confirms=False, compare_alone=False))

    return search


NOBODY_SETS = """
news = threading.Event()

def answer(tag, v=""):
    if v:
        news.wait()
    return tag
"""
# As one that polls for news does.
ANOTHER_SETS = """
news = threading.Event()

def answer(tag, v=""):
    if v:
        news.wait()
        news.clear()
    else:
        news.set()
    return tag
"""


@pytest.mark.parametrize("workers", WORKERS)
def test_who_waits_for_what_nobody_sends_never_ends(searched, workers):
    outcome = searched(NOBODY_SETS, workers)
    [finding] = outcome.findings
    assert finding.code == "CTX502"
    assert "waits in Event.wait" in "\n".join(finding.story)
    [place] = finding.where
    assert (place.file, place.function) == ("served.py", "answer")


@pytest.mark.parametrize("workers", WORKERS)
def test_who_waits_for_another_request_that_comes_is_no_finding(searched, workers):
    outcome = searched(ANOTHER_SETS, workers)
    assert outcome.findings == ()


# Who is told nothing between its look and its wait waits until somebody else comes by.
LOST_WAKE_UP = """
news = threading.Event()
state = {"busy": False}

def answer(tag, v=""):
    if state["busy"]:
        turn(0)
        news.clear()
        news.wait()
    state["busy"] = True
    turn(0)
    state["busy"] = False
    news.set()
    return tag
"""


@pytest.mark.parametrize("workers", WORKERS)
def test_a_wake_up_that_is_lost_is_told_though_another_request_would_bring_one(searched, workers):
    found = searched(LOST_WAKE_UP, workers, budget=200).findings
    assert {each.code for each in found} <= {"CTX501", "CTX502"}
    [finding] = [each for each in found if each.code == "CTX502"]
    story = " ".join(" ".join(finding.story).split())
    assert "another request that comes later ends that" in story
    assert "waits in Event.wait" in story
    assert "whoever else was sent" not in story


def test_a_lock_that_an_ended_request_kept_is_told_with_the_line_that_took_it(searched):
    source = """
    lock = threading.Lock()

    def answer(tag, v=""):
        if v:
            lock.acquire()
            return tag
        with lock:
            return tag
    """
    # It is waited for at two lines.
    found = searched(source, "threads:4").findings
    assert {each.code for each in found} == {"CTX502"}
    story = "\n".join(line for each in found for line in each.story)
    assert re.search(r"waits in Lock\.acquire, held since served\.py:\d+", story)
    told = " ".join(story.split())
    assert re.search(r"took at served\.py:\d+ and never gave back", told), story


NOBODY_SAYS = """
state = {"news": False}

def answer(tag, v=""):
    if v:
        while not state["news"]:
            turn(0)
    return tag
"""
ANOTHER_SAYS = """
state = {"news": False}

def answer(tag, v=""):
    if v:
        while not state["news"]:
            turn(0)
        state["news"] = False
    else:
        state["news"] = True
    return tag
"""
# Whoever comes to the second loop while another does stays there.
EACH_KEEPS_ITS_OWN = """
busy = {"one": False, "other": False}

def answer(tag, v=""):
    mine, yours = ("one", "other") if v else ("other", "one")
    while busy[mine]:
        turn(0)
    busy[mine] = True
    turn(0)
    while busy[yours]:
        turn(0)
    busy[mine] = False
    return tag
"""
GIVES_BACK = """
busy = {"one": False, "other": False}

def answer(tag, v=""):
    mine, yours = ("one", "other") if v else ("other", "one")
    while busy["one"] or busy["other"]:
        turn(0)
    busy[mine] = busy[yours] = True
    turn(0)
    busy[mine] = busy[yours] = False
    return tag
"""


# Who is in its loop first gets out of it, unless the other one has said it is busy by then.
BOTH_BUSY = """
busy = {"one": False, "other": False}

def answer(tag, v=""):
    mine, yours = ("one", "other") if v else ("other", "one")
    while True:
        busy[mine] = True
        PAUSE
        if not busy[yours]:
            break
    busy[mine] = False
    return tag
"""


@pytest.mark.parametrize(
    ("workers", "pause"),
    [("threads:4", "pass"), ("threads:4", "turn(0.01)"), ("greenlets:4", "turn(0)")],
)
def test_two_flags_of_which_each_waits_for_the_other_are_found_by_default(searched, workers, pause):
    outcome = searched(BOTH_BUSY.replace("PAUSE", pause), workers, budget=400)
    assert {each.code for each in outcome.findings} == {"CTX502"}
    [case] = outcome.cases
    assert [len(each) for each in case.script["windows"][-1]["lanes"]] == [1, 1]
    assert len(case.script["windows"][-1]["points"]["preemptions"]) <= 2
    assert replay(case, 20).times == 20


@pytest.mark.parametrize("workers", WORKERS)
def test_who_asks_for_ever_for_what_nobody_says_is_told_with_what_it_asks(searched, workers):
    [finding] = searched(NOBODY_SAYS, workers).findings
    assert finding.code == "CTX502"
    story = "\n".join(finding.story)
    assert re.search(r"goes round at served\.py:\d+", story)
    assert "while not state['news']" in story
    [place] = finding.where
    assert (place.file, place.function) == ("served.py", "answer")


@pytest.mark.parametrize("workers", WORKERS)
def test_who_asks_until_another_request_comes_is_no_finding(searched, workers):
    assert searched(ANOTHER_SAYS, workers).findings == ()


@pytest.mark.parametrize("workers", WORKERS)
def test_requests_that_keep_each_other_going_round_are_found_made_small_and_replayed(
    searched, workers
):
    outcome = searched(EACH_KEEPS_ITS_OWN, workers, budget=300)
    [finding] = [each for each in outcome.findings if each.code == "CTX502"]
    [case] = [each for each in outcome.cases if each.code == "CTX502"]
    windows = case.script["windows"]
    sent = [each for at, each in enumerate(windows) if at not in case.script["passed_over"]]
    assert sum(len(lane) for window in sent for lane in window["lanes"]) == 2
    assert len(windows[-1]["points"]["preemptions"]) <= 3
    replayed = replay(case, 100)
    assert (replayed.times, replayed.of) == (100, 100)
    story = " ".join(" ".join(finding.story).split())
    assert "while busy[yours]" in story
    # Lines are seen of what is shared, whatever makes workers switch.
    assert re.search(r"\[yours\] was written last by .* at served\.py:\d+", story)


@pytest.mark.parametrize("workers", WORKERS)
def test_requests_that_wait_in_a_loop_for_their_turn_are_no_finding(searched, workers):
    outcome = searched(GIVES_BACK, workers, budget=300)
    assert [each for each in outcome.findings if each.code == "CTX502"] == []


# What stands in a file is not put back between executions.
BY_FILE = """
place = f"PLACE{os.getpid()}"
current = {}

def answer(tag, v=""):
    number = os.path.getsize(place) if os.path.exists(place) else 0
    with open(place, "ab") as file:
        file.write(b".")
    if number // 5 % 2:
        current["name"] = tag
        turn(0.01)
        return current["name"]
    return tag
"""
CHANCE = """
current = {}

def answer(tag, v=""):
    if os.urandom(1)[0] % 2 or random.random() < 0.5 or uuid.uuid4().int % 2:
        current["name"] = tag
        turn(0.01)
        return current["name"]
    for each in {str(time.time()), str(time.perf_counter()), tag}:
        tag = tag
    return tag
"""


@pytest.mark.parametrize("workers", WORKERS)
def test_a_leak_that_the_same_choices_show_now_and_then_is_told_with_where_they_part(
    searched, workers, tmp_path
):
    outcome = searched(BY_FILE.replace("PLACE", f"{tmp_path}/count"), workers)
    [finding] = outcome.findings
    story = "\n".join(finding.story)
    assert finding.code == "CTX902"
    assert "a response carried a value that belongs to another request" in story


@pytest.mark.parametrize("workers", WORKERS)
def test_what_differs_from_replay_to_replay_and_leaks_nothing_is_no_finding(
    searched, workers, tmp_path
):
    clean = BY_FILE.replace("PLACE", f"{tmp_path}/count").replace("current[", "{}[")
    clean = clean.replace('return {}["name"]', "return tag")
    assert searched(clean, workers).verdict == "clean"


@pytest.mark.parametrize("workers", WORKERS)
def test_chance_and_time_are_controlled(searched, workers):
    codes = {each.code for each in searched(CHANCE, workers).findings}
    assert "CTX201" in codes
    assert "CTX902" not in codes


# It shows if somebody comes at the very moment at which another one wakes.
COMES_LATE = """
running, said = {}, {}

def answer(tag, v=""):
    if running:
        said.clear()
        turn(0)
        return tag + said.get("who", "")
    running["job"] = tag
    turn(0.05)
    running.clear()
    said["who"] = tag
    return tag
"""


@pytest.mark.parametrize("workers", WORKERS)
def test_what_another_does_after_its_sleep_is_met_by_who_came_meanwhile(searched, workers):
    assert {each.code for each in searched(COMES_LATE, workers, budget=1000).findings} == {"CTX201"}
