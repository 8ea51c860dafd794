"""As few requests as the bug needs, though none of those that were found can just be left out."""

import textwrap

import pytest

from ctxsim.jobs import Options
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

ASGI = """
import asyncio
from urllib.parse import parse_qs

async def app(scope, receive, send):
    assert scope["type"] == "http"
    sent = {k: v[0] for k, v in parse_qs(scope["query_string"].decode()).items()}
    text = await answer(**sent)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
"""
WSGI = """
import threading
from urllib.parse import parse_qs

def app(environ, start_response):
    sent = {name: value[0] for name, value in parse_qs(environ["QUERY_STRING"]).items()}
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer(**sent).encode()]
"""
# A third one that waits for a lock which is never given back is no other deadlock.
LOCKS = """
one, other = asyncio.Lock(), asyncio.Lock()

async def answer(tag, v=""):
    first, second = (other, one) if v else (one, other)
    async with first:
        await asyncio.sleep(0)
        async with second:
            return tag
"""
# Each fifth use, if somebody else comes in between.
FIFTH = """
cond = threading.Condition()
uses = 0

def answer(tag, v=""):
    global uses
    number = uses
    uses = number + 1
    with cond:
        if number % 5 == 3 and uses == number + 2:
            cond.wait()
    return tag
"""
# The first request of all comes by more lines.
FIRST = """
languages = ["de"]
warm = []

def answer(tag, v=""):
    if not warm:
        warm.append("up")
        language()
    if not v:
        return language()
    languages.append("nl")
    found = language()
    languages.pop()
    return found

def language():
    return languages[-1]
"""
PLAIN = 'steps: [{get: "/who?tag={canary}"}, {get: "/who?v=1&tag={canary}"}]'
IN_LANGUAGES = """steps:
  - {get: "/who?tag={canary}", expect: {contains: de}}
  - {get: "/who?v=1&tag={canary}", expect: {contains: nl}}
"""


@pytest.mark.parametrize(
    ("source", "steps", "workers", "seed", "before"),
    [
        (ASGI + LOCKS, PLAIN, "tasks:4", 1, 0),
        (WSGI + FIFTH, PLAIN, "threads:4", 2, 3),
        (WSGI + FIFTH, PLAIN, "threads:4", 4, 3),
        (WSGI + FIRST, IN_LANGUAGES, "threads:4", 1, 0),
    ],
    ids=["locks", "fifth", "fifth, after many", "first"],
)
def test_two_requests_meet_and_no_more_come_before_than_it_takes(
    tmp_path, source, steps, workers, seed, before
):
    (tmp_path / "served.py").write_text(textwrap.dedent(source), encoding="utf-8")
    path = tmp_path / "searched.yaml"
    path.write_text(
        f'version: 1\ntarget: {{app: "served.py:app"}}\n{steps}\nworkers: "{workers}"\n'
        f"schedule: {{kind: auto, budget: 200}}\nfaults: none\nseed: {seed}\n",
        encoding="utf-8",
    )
    outcome = simulate(Scenario.load(path), options=Options(compare_alone=False))
    [case] = outcome.cases
    windows = case.script["windows"]
    sent = [each for at, each in enumerate(windows) if at not in case.script["passed_over"]]
    assert [len(lanes) for lanes in sent[-1]["lanes"]] == [1, 1]
    assert len(sent[-1]["points"]["preemptions"]) == 1
    assert [each["lanes"][1:] for each in sent[:-1]] == [[]] * before


# The first request of all takes the lock, too, and gives it back.
AFTER_THE_FIRST = """
one, other = asyncio.Lock(), asyncio.Lock()
warm = []

async def answer(tag, v=""):
    first, second = (other, one) if v else (one, other)
    async with first:
        if len(warm) < 1:
            warm.append("up")
            return tag
        await asyncio.sleep(0)
        async with second:
            return tag
"""


def test_who_gave_a_lock_back_before_is_not_told_to_take_what_another_waits_for(tmp_path):
    (tmp_path / "served.py").write_text(ASGI + AFTER_THE_FIRST, encoding="utf-8")
    path = tmp_path / "searched.yaml"
    path.write_text(
        f'version: 1\ntarget: {{app: "served.py:app"}}\n{PLAIN}\nworkers: "tasks:4"\n'
        "schedule: {kind: auto, budget: 200}\nfaults: none\nseed: 1\n",
        encoding="utf-8",
    )
    outcome = simulate(Scenario.load(path), options=Options(compare_alone=False))
    [finding] = outcome.findings
    assert finding.code == "CTX501"
    rows = [line for line in finding.story if "takes it at served.py" in line]
    assert len(rows) == 2, "\n".join(finding.story)
