"""Controlled schedules, end to end: searched for, replayed, made small, told, carried again."""

import json
import re
import subprocess
import sys
import textwrap
from dataclasses import replace
from functools import partial

import pytest

from ctxsim.errors import ScenarioError, TargetError
from ctxsim.jobs import Options
from ctxsim.replaying import replay
from ctxsim.report.emitted import as_test
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

HEAD = """
from flask import Flask, request
import threading, time
app = Flask(__name__)
"""
LEAKY = """
current = {}

@app.get("/who")
def who():
    current["name"] = request.args["tag"]
    greeting = "hello"
    return greeting + current["name"]
"""
FIXED = """
@app.get("/who")
def who():
    current = {"name": request.args["tag"]}
    greeting = "hello"
    return greeting + current["name"]
"""
LEFT = """
left = {}

@app.get("/who")
def who():
    return left.pop("name", "") + left.setdefault("name", request.args["tag"])
"""
# Nobody is in the way of the other but in every fifth use.
SELDOM = """
uses, names = 0, {}

@app.get("/who")
def who():
    global uses
    uses += 1
    slot = 0 if uses % 5 == 0 else request.args["tag"]
    names[slot] = request.args["tag"]
    greeting = "hello"
    return greeting + names.pop(slot, "nobody")
"""
# Each 700th request and the one after it are in each other's way.
RARE = """
uses, names = 0, {}

@app.get("/who")
def who():
    global uses
    uses += 1
    slot = request.args["tag"]
    if uses % 700 < 2:
        slot = SLOT
    names[slot] = request.args["tag"]
    greeting = "hello"
    return greeting + names.pop(slot, "nobody")
"""
# One request in 700 is answered otherwise, whoever sends it.
PRIZE = """
uses = 0

@app.get("/who")
def who():
    global uses
    uses += 1
    if uses % 700 == 0:
        return "a prize for you, " + request.args["tag"]
    return "hello " + request.args["tag"]
"""
DEADLOCK = """
one, other = threading.Lock(), threading.Lock()

@app.get("/who")
def who():
    first, second = (one, other) if "v" not in request.args else (other, one)
    with first:
        with second:
            return request.args["tag"]
"""
# A request's value stays with the thread that answered it, which answers the next one too.
ORDER = """
last = "nobody"

@app.get("/who")
def who():
    global last
    before, last = last, request.args["tag"]
    return before + last
"""
STEPS = 'steps: [{get: "/who?tag={canary}"}, {get: "/who?v=1&tag={canary}"}]'


def written(
    folder, source, *, workers='["threads:4"]', schedule="{kind: auto, budget: 120}", more=""
):
    (folder / "served.py").write_text(HEAD + textwrap.dedent(source), encoding="utf-8")
    path = folder / "searched.yaml"
    path.write_text(
        f'version: 1\ntarget: {{app: "served.py:app"}}\n{STEPS}\nworkers: {workers}\n'
        f"schedule: {schedule}\nseed: 7\n{more}",
        encoding="utf-8",
    )
    return Scenario.load(path)


@pytest.fixture
def scenario(tmp_path):
    return partial(written, tmp_path)


@pytest.fixture(scope="module")
def leak(tmp_path_factory):
    """The folder of the leaky application, and what its search came to."""
    folder = tmp_path_factory.mktemp("leaky")
    return folder, searched(written(folder, LEAKY))


def searched(scenario):
    return simulate(scenario, options=Options(confirms=False, compare_alone=False))


def test_an_unlucky_order_of_lines_is_found_replayed_and_told(leak):
    _, outcome = leak
    [finding] = [each for each in outcome.findings if each.code == "CTX201"]
    assert (finding.confirmed.times, finding.confirmed.of) == (20, 20)
    assert finding.replay == f"ctxsim replay {finding.id}"
    story = "\n".join(finding.story)
    # Two requests, of which one was made to wait between the line that writes and the one that
    # reads.
    assert story.count("starts") == 2
    assert re.search(r"starts, until served\.py:1[12] in who", story)


def test_the_fixed_application_is_clean_in_all_executions(scenario):
    outcome = searched(scenario(FIXED, workers='[sync, "threads:4", "threads:3:fresh"]'))
    assert (outcome.verdict, outcome.exit_code) == ("clean", 0)
    assert all(cell.compared > 120 for cell in outcome.cells)


ONE_LINE = """
current = {}

@app.get("/who")
def who():
    return current.update(name=request.args["tag"]) or "hello " + current["name"]
"""


def test_what_one_line_writes_and_reads_is_torn_in_two(scenario):
    """As threads tear it; a granularity that is given is the only one."""
    outcome = searched(scenario(ONE_LINE))
    [finding] = [each for each in outcome.findings if each.code == "CTX201"]
    assert (finding.confirmed.times, finding.confirmed.of) == (20, 20)
    [case] = [each for each in outcome.cases if each.code == "CTX201"]
    assert case.search["granularity"] is None
    assert replay(case, 3).times == 3
    only_lines = scenario(ONE_LINE, schedule="{kind: auto, budget: 120, granularity: line}")
    assert searched(only_lines).findings == ()


def test_a_rare_state_comes_round(scenario):
    """What needs the fifth use and an unlucky order is found, with the requests that lead there."""
    outcome = searched(scenario(SELDOM, schedule="{kind: auto, budget: 300}"))
    assert "CTX201" in {each.code for each in outcome.findings}
    [case] = [each for each in outcome.cases if each.code == "CTX201"]
    lanes = [lane for each in case.script["windows"] for worker in each["lanes"] for lane in worker]
    assert len(lanes) >= 5


def test_a_state_that_comes_once_in_hundreds_of_requests_is_found_and_replayed(scenario):
    """No batch carries so many requests in windows: one by one they tell where it comes."""
    leaky = RARE.replace("SLOT", "'for all'")
    outcome = searched(scenario(leaky, schedule="{kind: auto, budget: 250}"))
    [case] = [each for each in outcome.cases if each.code == "CTX201"]
    [finding] = [each for each in outcome.findings if each.code == "CTX201"]
    assert (finding.confirmed.times, finding.confirmed.of) == (20, 20)
    *before, last = case.script["windows"]
    assert len(before) - len(case.script["passed_over"]) >= 699
    assert len(last["lanes"]) == 2
    story = "\n".join(finding.story)
    assert re.search(r"^ *\d{3} requests before these are left out$", story, re.MULTILINE)
    assert replay(case, 3).times == 3


@pytest.mark.parametrize("source", [RARE.replace("SLOT", "(slot,)"), PRIZE])
def test_what_is_rare_and_harms_nobody_is_no_finding(scenario, source):
    outcome = simulate(scenario(source, schedule="{kind: auto, budget: 250}"))
    assert (outcome.verdict, outcome.findings) == ("clean", ())


def test_requests_that_wait_for_each_other_are_a_deadlock(scenario):
    outcome = searched(scenario(DEADLOCK))
    [finding] = outcome.findings
    assert finding.code == "CTX501"
    assert "waits in Lock.acquire, held since served.py:" in "\n".join(finding.story)
    assert {place.line for place in finding.where} == {12}


def test_locks_in_one_order_are_no_deadlock(scenario):
    ordered = DEADLOCK.replace("(other, one)", "(one, other)")
    assert searched(scenario(ordered)).verdict == "clean"


def test_sync_finds_what_an_order_of_requests_shows(scenario):
    outcome = searched(scenario(ORDER, workers="sync"))
    finding = next(each for each in outcome.findings if each.code == "CTX201")
    assert finding.confirmed.times == 20


def test_the_same_seed_gives_the_same_result(leak):
    folder, first = leak

    def told(outcome):
        document = outcome.to_json()
        without = ("environment", "timing")
        for each in (document, *document["cells"]):
            for key in without:
                each.pop(key, None)
        return json.dumps(document)

    assert told(searched(written(folder, LEAKY))) == told(first)


# Which of the names it is, the hashes of texts decide.
BY_HASHES = """
current, names = {}, {f"name {n}" for n in range(100)}

@app.get("/who")
def who():
    name = next(iter(names))
    current[name] = request.args["tag"]
    greeting = name
    return f"{greeting} {current[name]}"
"""


def test_the_order_of_a_set_is_the_seeds_in_each_process(scenario, monkeypatch):
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    outcomes = [searched(scenario(BY_HASHES)) for _ in range(2)]
    first, second = ([each.story for each in outcome.findings] for outcome in outcomes)
    assert re.search(r"seen in the body: name \d+ ", " ".join(first[0]))
    assert first == second


def test_a_case_shows_each_time_and_no_more_once_it_is_mended(leak):
    folder, outcome = leak
    [case] = outcome.cases
    written(folder, LEAKY)
    assert replay(case, 5).times == 5
    written(folder, FIXED)
    assert replay(case, 3).times == 0


def test_an_application_with_threads_of_its_own_is_refused(scenario):
    source = f"threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n{FIXED}"
    with pytest.raises(TargetError, match="started threads when it was imported"):
        searched(scenario(source))


def test_nothing_is_called_clean_where_no_switch_point_was_reached(scenario):
    outcome = searched(scenario(FIXED, schedule="{kind: random, budget: 20, select: [json]}"))
    assert (outcome.verdict, outcome.exit_code) == ("inconclusive", 4)
    assert any("no request came to a switch point" in each for each in outcome.document.reasons)
    # It did not switch at any line either.
    assert [cell.selected for cell in outcome.document.cells] == [None]


def test_a_request_that_is_always_cut_off_keeps_all_from_being_called_clean(scenario):
    source = """
    @app.get("/who")
    def who():
        if "v" in request.args:
            for each in range(30_000):
                each += 1
        return request.args["tag"]
    """
    outcome = searched(scenario(source, schedule="{kind: random, budget: 20}"))
    assert (outcome.verdict, outcome.exit_code) == ("inconclusive", 4)
    assert any("never ended within 20,000 steps" in each for each in outcome.document.reasons)


LOCKED = """
import os, sqlite3

# One for each process that imports it; copies of that process share it.
place = f"FILE{os.getpid()}"
with sqlite3.connect(place) as made:
    made.execute("CREATE TABLE seen (tag)")

@app.get("/who")
def who():
    connection = sqlite3.connect(place, timeout=0.05)
    connection.execute("INSERT INTO seen VALUES (?)", [request.args["tag"]])
    tag = request.args["tag"]
    connection.commit()
    connection.close()
    return tag
"""


def test_who_waits_outside_of_a_schedule_is_no_finding_and_no_reason_to_say_clean(
    scenario, tmp_path
):
    """A database's lock is given back by one who cannot go on, since the other waits for real."""
    source = LOCKED.replace("FILE", str(tmp_path / "seen.db"))
    outcome = simulate(scenario(source, schedule="{kind: random, budget: 30}"))
    assert outcome.findings == ()
    assert outcome.verdict == "inconclusive"
    assert any("sqlite3 is no part of it" in each for each in outcome.document.reasons)


def test_what_a_search_does_not_look_at_is_said(scenario):
    kept = FIXED.replace("    greeting =", "    seen.append(current)\n    greeting =")
    outcome = searched(
        scenario(
            f"seen = []\n{kept}",
            schedule="{kind: random, budget: 20}",
            more='thresholds: {p95: "< 1ms", checked: ">= 1%"}',
        )
    )
    assert "CTX402" not in outcome.document.checks
    retention, latency = outcome.document.not_covered
    assert retention.endswith("a search has no end to look at; use schedule: os (CTX402)")
    assert latency == "latencies: in a search, time is simulated (thresholds.p95)"


POOL = """
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(1)

@app.get("/who")
def who():
    return pool.submit(str, request.args["tag"]).result()
"""


def test_a_pool_whose_thread_ended_with_its_window_is_no_deadlock(scenario):
    """In production the thread lives on: what waits for it is our doing."""
    outcome = searched(scenario(POOL, schedule="{kind: random, budget: 20}"))
    assert outcome.findings == ()
    assert outcome.verdict == "inconclusive"
    assert any("an earlier request had started" in each for each in outcome.document.reasons)


def test_a_module_that_is_not_there_cannot_be_selected(scenario):
    with pytest.raises(TargetError, match="names shop, which is no module"):
        searched(scenario(FIXED, schedule="{kind: random, select: [shop]}"))


def test_workers_that_no_schedule_controls_are_refused_in_the_file(scenario):
    with pytest.raises(ScenarioError, match="'tasks:20:to_thread' cannot be controlled"):
        scenario(FIXED, workers='[sync, "tasks:20:to_thread"]')


def test_default_workers_are_those_that_can_be_controlled(scenario):
    loaded = scenario(FIXED, workers="sync")
    document = loaded.model_copy(update={})
    text = loaded.text.replace("workers: sync\n", "")
    reloaded = Scenario.parse(text, str(document.folder / "searched.yaml"))
    outcome = searched(reloaded.with_options(budget="10"))
    assert [cell.workers for cell in outcome.cells] == [
        "sync", "threads:8", "greenlets:100", "tasks:100",
    ]  # fmt: skip


# Once in three uses another's value is taken away in between: nobody sees it, but a default.
TAKEN = """
uses, names = 0, {}

@app.get("/who")
def who():
    global uses
    uses += 1
    tag = request.args["tag"]
    slot = 0 if uses % 3 == 0 else tag
    names[slot] = tag
    known = names.pop(slot, "")
    return f"{tag} is {'known' if known == tag else 'a stranger'}"
"""
DRAWN = """
import random

@app.get("/who")
def who():
    tag = request.args["tag"]
    lot = random.random()
    return f"{tag} is {'lucky' if lot < 0.02 else 'like all'}"
"""
SOLD = """
left = 120

@app.get("/who")
def who():
    global left
    tag = request.args["tag"]
    left -= 1
    return f"{tag} is {'too late' if left < 0 else 'served'}"
"""


def test_an_answer_that_is_otherwise_in_one_order_alone_is_found_and_replayed(scenario):
    outcome = simulate(scenario(TAKEN, schedule="{kind: auto, budget: 150}"))
    [finding] = outcome.findings
    assert finding.code == "CTX208"
    assert "carried one by one, the same requests show no such answer" in finding.story
    [case] = outcome.cases
    assert replay(case, 3).times == 3
    # As a ctxsim kept it that did not look for numbers that count.
    learnt = {name: each for name, each in case.learnt.items() if name != "counters"}
    assert replay(replace(case, learnt=learnt), 3).times == 3


@pytest.mark.parametrize("source", [DRAWN, SOLD])
def test_an_answer_that_chance_or_the_past_changes_is_none(scenario, source):
    outcome = simulate(scenario(source, schedule="{kind: auto, budget: 300}"))
    assert outcome.findings == ()


def remarks(outcome):
    return [each for each in outcome.document.notes if "schedules of pairs" in each]


def test_an_exhaustive_search_finds_what_one_preemption_shows(scenario):
    outcome = searched(scenario(LEAKY, schedule="exhaustive"))
    [finding] = [each for each in outcome.findings if each.code == "CTX201"]
    assert finding.confirmed.times == 20


def test_an_exhaustive_search_says_when_it_has_seen_all(scenario):
    """Three pairs of two steps, each with the state that it begins from."""
    outcome = searched(scenario(FIXED, schedule="exhaustive"))
    assert (outcome.verdict, outcome.exit_code) == ("clean", 0)
    [remark] = remarks(outcome)
    assert "with at most 1 preemption: these are all there are" in remark
    assert "no two requests of two users do at once, within that bound" in remark
    assert remark.endswith("Visitors and a third request had no part in it")
    assert {cell.visitors for cell in outcome.document.cells} == {0}
    assert 10 < int(re.search(r"([\d,]+) schedules", remark)[1].replace(",", "")) < 200


def test_an_exhaustive_search_says_what_is_left(scenario):
    outcome = searched(scenario(FIXED, schedule="{kind: exhaustive, budget: 10, depth: 2}"))
    assert outcome.document.notes
    [remark] = remarks(outcome)
    assert "at most 2 preemptions; all there are of 0 of the 3 pairs" in remark


@pytest.mark.parametrize(("served", "codes"), [(LEAKY, set()), (LEFT, {"CTX201"})])
def test_an_exhaustive_search_of_one_worker_carries_all_orders_and_no_overlap(
    scenario, served, codes
):
    outcome = searched(scenario(served, workers="sync", schedule="exhaustive"))
    assert {each.code for each in outcome.findings} == codes
    assert {cell.in_flight_peak for cell in outcome.cells} == {1}
    assert [each for each in outcome.document.notes if "these are all there are" in each]


def test_an_emitted_test_fails_until_it_is_mended_and_also_when_lines_have_moved(leak):
    served, outcome = leak
    [case] = outcome.cases
    folder = served / "tests"
    folder.mkdir()
    (folder / "test_it.py").write_text(as_test(case, folder / "test_it.py"), encoding="utf-8")

    def ran():
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
        return subprocess.run(command, cwd=folder, capture_output=True, check=False, text=True)

    written(served, LEAKY)
    failed = ran()
    assert failed.returncode == 1
    _, _, story = failed.stdout.partition("wrote served.current")
    assert "has to stop there" in story
    # Of pytest's own summary it cuts the lines itself, and on a CI server it does not.
    told, _, _ = failed.stdout.partition(" short test summary info ")
    assert max(map(len, told.splitlines())) <= 80
    moved = LEAKY.replace("    greeting =", "    first = 1\n    first += 1\n    greeting =")
    written(served, moved)
    assert ran().returncode == 1
    written(served, FIXED)
    assert ran().returncode == 0
