"""A story, end to end: who wrote what, who was switched out where, who read it; lane by lane."""

import re

import pytest
import test_searching as threads
import test_searching_greenlets as greenlets
import test_searching_tasks as tasks

from ctxsim.cell.searching.lanes import WIDTH
from ctxsim.cell.widths import columns
from ctxsim.jobs import Options
from ctxsim.replaying import replay
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

STEPS = 'steps: [{get: "/who?tag={canary}"}]'
# What passes between the two is in a library, and none of its lines are the application's.
ELSEWHERE = """
import os

@app.get("/who")
def who():
    os.environ["WHO"] = request.args["tag"]
    greeting = "hello"
    return greeting + os.environ["WHO"]
"""
# A package that is installed, and nothing of what it does is in the application's own lines: it
# counts, too, and is asked once, which is as it should be.
PACKAGE = """
class Keeper:
    calls = 0
    is_asked = False

    def __init__(self):
        self._kept = {}

    def whose(self, tag):
        self.is_asked = True
        self.calls += 1
        self._kept["whose"] = [tag]
        length = len(tag)
        return self._kept.get("whose")[0]

keeper = Keeper()
"""
OF_PACKAGE = """
from keeper import keeper

@app.get("/who")
def who():
    return keeper.whose(request.args["tag"])
"""
# Whoever is killed before it gives the role back leaves it to others.
ROLE = """
from urllib.parse import parse_qs
from ctxsim import pause

current = {"role": "nobody"}

def app(environ, start_response):
    tag = parse_qs(environ["QUERY_STRING"])["tag"][0]
    found, current["role"] = current["role"], tag
    pause()
    current["role"] = "nobody"
    start_response("200 OK", [])
    return [f"{tag} after {found}".encode()]
"""
ROLE_OF_TASKS = """
import asyncio
from urllib.parse import parse_qs

current, lock = {"role": "nobody"}, asyncio.Lock()

async def app(scope, receive, send):
    tag = parse_qs(scope["query_string"].decode())["tag"][0]
    async with lock:
        found, current["role"] = current["role"], tag
        await asyncio.sleep(0)
        current["role"] = "nobody"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{tag} after {found}".encode()})
"""
# Two objects of each request's own beside the one that is shared.
WIDE = """
current = {}

class Greeting:
    def __init__(self):
        self.text = "ÜÜ日本語日本語日本語日本語日本語日本語日本語"

@app.get("/who")
def who():
    own, greeting = {"name": "x"}, Greeting()
    current["name"] = request.args["tag"]
    own["name"] = "日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語"
    greeting.text = own["name"]
    return "hello" + current["name"]
"""


def told(folder, source, workers, *, budget=120, more="", faults="none"):
    (folder / "served.py").write_text(source, encoding="utf-8")
    packages = folder / "site-packages"
    packages.mkdir(exist_ok=True)
    (packages / "keeper.py").write_text(PACKAGE, encoding="utf-8")
    path = folder / "searched.yaml"
    path.write_text(
        f"version: 1\ntarget: {{app: served.py:app, path: [., site-packages]}}\n{STEPS}\n"
        f"workers: {workers}\nfaults: {faults}\n"
        f"schedule: {{kind: auto, budget: {budget}{more}}}\nseed: 7\n",
        encoding="utf-8",
    )
    options = Options(confirms=False, compare_alone=False, fail_fast=True)
    case = simulate(Scenario.load(path), options=options).cases[0]
    assert all(columns(line) <= WIDTH for line in case.story[1:]), case.story
    return case


def lane(story, mark):
    """The texts of the rows with that mark, in whichever lane."""
    return [line[6:] for line in story if mark in line[:6].split()]


def test_threads_are_told_with_who_wrote_who_was_switched_out_and_who_read(tmp_path):
    case = told(tmp_path, threads.HEAD + threads.LEAKY, '["threads:4"]')
    victim, source = case.story[1][3:], case.story[2][3:]
    assert re.sub("at served.py:1[12];", "at PLACE;", case.story[0]) == (
        f"{source} wrote served.current['name'] at served.py:10 while {victim}, which had written "
        f"it at served.py:10, was switched out at PLACE; {victim[: victim.index(' (')]} "
        "then read it at served.py:12"
    )
    # Each of the two wrote and read it; the line in between touches nothing that is shared.
    assert lane(case.story, "W") == ['served.py:10: current["name"] = request.args["tag"]'] * 2
    assert lane(case.story, "R") == ['served.py:12: return greeting + current["name"]'] * 2
    assert lane(case.story, ":") == ["... 1 line"] * 2
    assert lane(case.story, "<") == ["has to stop there; anywhere from line 11 to line 12 does"]
    assert replay(case, 2).story == case.story


@pytest.mark.parametrize(
    ("module", "head", "workers", "wrote", "at"),
    [
        (greenlets, greenlets.HEAD, "greenlets:20", 'current["name"] = tag', "time.sleep(0.01)"),
        (tasks, tasks.PLAIN, "tasks:4", 'current["name"] = tag', "await asyncio.sleep(0)"),
    ],
)
def test_greenlets_and_tasks_are_told_so_too(tmp_path, module, head, workers, wrote, at):
    case = told(tmp_path, head + module.LEAKY, workers, budget=60)
    assert "wrote served.current['name'] at served.py:" in case.story[0]
    assert " was switched out at served.py:" in case.story[0]
    assert " then read it at served.py:" in case.story[0]
    assert [each.partition(": ")[2] for each in lane(case.story, "W")] == [wrote] * 2
    # The first is in the middle of its wait when the other one writes and reads.
    assert any(each.endswith(at) for each in lane(case.story, ">"))
    assert len(lane(case.story, "R")) == 2
    assert replay(case, 1).story == case.story


def test_a_deadlock_has_lanes_that_end_in_waits(tmp_path):
    source = threads.DEADLOCK.replace('"v" not in request.args', "hash(request.args['tag']) % 2")
    source = source.replace("hash(request.args['tag'])", "int(request.args['tag'][-1], 16)")
    case = told(tmp_path, threads.HEAD + source, '["threads:4"]')
    assert case.code == "CTX501"
    assert case.story[0].count("waits in Lock.acquire at served.py:12 for what user") == 2
    assert lane(case.story, "+") == ["takes it at served.py:11: with first:"] * 2
    assert lane(case.story, "!") == [
        "waits in Lock.acquire at served.py:12, which B has since served.py:11",
        "waits in Lock.acquire at served.py:12, which A has since served.py:11",
    ]


@pytest.mark.parametrize(
    ("source", "workers", "befell"),
    [
        (ROLE, "sync", r"was cancelled at its \d.. switch point, at served.py:10"),
        (ROLE, "greenlets:1", r"was cancelled at its \d.. switch point, at served.py:10"),
        (ROLE_OF_TASKS, "tasks:4", r"was cancelled at its \d.. await, at served.py:11"),
    ],
)
def test_who_was_cancelled_is_told_where_that_matters(tmp_path, source, workers, befell):
    """Who is not cancelled gives the role back, so nothing shows without it."""
    case = told(tmp_path, source, f'["{workers}"]', faults="{cancel: 30%}")
    first, _, rest = case.story[0].partition("; ")
    assert re.fullmatch(rf".* \(GET /who\) {befell}", first)
    assert f"{first.partition(' (')[0]} wrote served.current['role'] at served.py:" in rest
    assert re.fullmatch(befell, lane(case.story, "x")[0].strip())


def test_who_failed_for_nothing_is_told_beside_its_lines_alone(tmp_path):
    case = told(tmp_path, threads.HEAD + threads.ORDER, "sync", faults="{error: 90%}")
    assert " wrote served.last at served.py:11 and had ended when " in case.story[0]
    assert "failed on purpose" not in case.story[0]
    assert "failed on purpose" in "".join(lane(case.story, "x"))


def test_requests_one_by_one_are_lanes_too(tmp_path):
    case = told(tmp_path, threads.HEAD + threads.ORDER, "sync")
    assert " wrote served.last at served.py:11 and had ended when " in case.story[0]
    assert lane(case.story, "<") == []
    assert len(lane(case.story, "RW")) == 2


def test_what_no_line_of_the_applications_was_seen_to_pass_on_is_said_so(tmp_path):
    case = told(tmp_path, threads.HEAD + ELSEWHERE, '["threads:4"]')
    assert " was switched out at served.py:" in case.story[0]
    assert case.story[0].endswith("and code that is not Python, is not seen")
    assert lane(case.story, "W") == lane(case.story, "R") == []


def test_what_a_package_passes_on_is_told_in_its_lines_and_nothing_else_that_it_shares(tmp_path):
    case = told(tmp_path, threads.HEAD + OF_PACKAGE, '["threads:4"]', more=", select: [keeper]")
    assert " wrote self._kept['whose'] at keeper.py:12 " in case.story[0]
    assert " was switched out at keeper.py:" in case.story[0]
    assert case.story[0].endswith(" then read it at keeper.py:14")
    assert set(lane(case.story, "W")) == {'keeper.py:12: self._kept["whose"] = [tag]'}
    assert set(lane(case.story, "R")) == {'keeper.py:14: return self._kept.get("whose")[0]'}
    assert lane(case.story, "RW") == []
    assert replay(case, 2).story == case.story


def test_what_is_a_requests_own_is_folded_and_wide_source_is_cut(tmp_path):
    case = told(tmp_path, threads.HEAD + WIDE, '["threads:4"]')
    rows = [*lane(case.story, "W"), *lane(case.story, "R")]
    assert rows
    assert all("current[" in each for each in rows)
