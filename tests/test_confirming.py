"""Cases that a schedule shows, on native threads: what these confirm, and what they do not."""

import textwrap
from dataclasses import replace

import pytest

from ctxsim.cli import main
from ctxsim.confirming import confirm, native_word
from ctxsim.errors import ExitCode, UsageError
from ctxsim.jobs import Options
from ctxsim.report.cases import keep_case
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

HEAD = """
from urllib.parse import parse_qs
import threading, time
current = {}
kept = threading.local()
lock, one, other = threading.Lock(), threading.Lock(), threading.Lock()
news = threading.Event()

def app(environ, start_response):
    sent = {name: value[0] for name, value in parse_qs(environ["QUERY_STRING"]).items()}
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer(**sent).encode()]
"""
BETWEEN_LINES = """
def answer(tag, v=""):
    current["name"] = tag
    greeting = "hello "
    return greeting + current["name"]
"""
WITHIN_A_LINE = """
def answer(tag, v=""):
    return current.update(name=tag) or "hello " + current["name"]
"""
ACROSS_A_SLEEP = """
def answer(tag, v=""):
    current["name"] = tag
    time.sleep(0.01)
    return "hello " + current["name"]
"""
BEHIND_A_LOCK = """
def answer(tag, v=""):
    with lock:
        current["name"] = tag
        time.sleep(0)
    with lock:
        return current["name"]
"""
OF_A_STARTED_THREAD = """
def put(tag):
    current["name"] = tag

def answer(tag, v=""):
    thread = threading.Thread(target=put, args=(tag,))
    thread.start()
    thread.join()
    return current["name"]
"""
OF_A_POOL = """
from concurrent.futures import ThreadPoolExecutor
pools = []

def put(tag):
    current["name"] = tag

def answer(tag, v=""):
    if not pools:
        pools.append(ThreadPoolExecutor(1))
    pools[0].submit(put, tag).result()
    time.sleep(0.01)
    return current["name"]
"""
OF_THE_ONE_BEFORE = """
def answer(tag, v=""):
    if v:
        return current.get("name", tag)
    current["name"] = tag
    return tag
"""
DEADLOCK = """
def answer(tag, v=""):
    first, second = (one, other) if v else (other, one)
    with first:
        time.sleep(0.01)
        with second:
            return tag
"""
ENDLESS = """
def answer(tag, v=""):
    if v:
        news.wait()
    return tag
"""
IN_A_THREAD_LOCAL = """
def answer(tag, v=""):
    kept.name = tag
    time.sleep(0.01)
    return "hello " + kept.name
"""
ACROSS_AN_HOUR = ACROSS_A_SLEEP.replace("0.01", "3600")
BUSY = """
busy = []

def answer(tag, v=""):
    busy.append(tag)
    word = "busy" if len(busy) > 1 else "free"
    busy.remove(tag)
    return word
"""
TRIED_AGAIN = """
def answer(tag, v=""):
    first, second = (one, other) if v else (other, one)
    with first:
        time.sleep(0)
        while not second.acquire(blocking=False):
            time.sleep(0.001)
        second.release()
    return tag
"""
STEPS = 'steps: [{get: "/who?tag={canary}"}, {get: "/who?v=1&tag={canary}"}]'


@pytest.fixture
def scenario(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(source, workers, keys=""):
        (tmp_path / "served.py").write_text(HEAD + textwrap.dedent(source), encoding="utf-8")
        path = tmp_path / "searched.yaml"
        path.write_text(
            f"version: 1\ntarget: {{app: served.py:app}}\n{STEPS}\nworkers: {workers}\n"
            f"schedule: {{kind: auto, budget: 200{keys}}}\nfaults: none\nseed: 7\n",
            encoding="utf-8",
        )
        return Scenario.load(path)

    return write


@pytest.fixture
def found(scenario):
    def find(source, workers, code, keys="", *, first=True, alone=False):
        chosen = scenario(source, workers, keys)
        outcome = simulate(
            chosen, options=Options(confirms=False, compare_alone=alone, fail_fast=first)
        )
        return next(case for case in outcome.cases if case.code == code)

    return find


@pytest.mark.parametrize(
    ("source", "workers", "code", "keys"),
    [
        (BETWEEN_LINES, "threads:4", "CTX201", ""),
        (BETWEEN_LINES, "threads:4:copied", "CTX201", ""),
        (WITHIN_A_LINE, "threads:4", "CTX201", ", granularity: opcode"),
        (BEHIND_A_LOCK, "threads:4", "CTX201", ""),
        (OF_A_STARTED_THREAD, "threads:4", "CTX201", ""),
        (ACROSS_A_SLEEP, "greenlets:4", "CTX201", ""),
        (OF_A_POOL, "greenlets:4", "CTX201", ""),
        (OF_THE_ONE_BEFORE, "sync", "CTX201", ""),
        (DEADLOCK, "threads:4", "CTX501", ""),
        (DEADLOCK, "greenlets:4", "CTX501", ""),
        (ENDLESS, "threads:4", "CTX502", ""),
        (TRIED_AGAIN, "threads:4", "CTX502", ""),
    ],
)
def test_what_native_threads_can_show_they_confirm(found, source, workers, code, keys):
    case = found(source, workers, code, keys)
    replayed, confirmed = confirm(case, 2)
    assert replayed.times == replayed.of == 2
    assert confirmed.times > 0, confirmed.reason
    assert confirmed.on == (workers if "greenlets" not in workers else "threads:4")
    assert confirmed.reason == ""


def test_an_answer_that_is_otherwise_because_of_turns_is_confirmed(found):
    case = found(BUSY, "threads:4", "CTX208", first=False, alone=True)
    replayed, confirmed = confirm(case, 1)
    assert replayed.times == 1
    # However few were asked for: chance must not be the reason.
    assert (confirmed.times, confirmed.of, confirmed.reason) == (3, 3, "")


@pytest.mark.parametrize(
    ("source", "workers", "code", "reason"),
    [
        # Greenlets that are not patched share what each thread has of its own; threads do not.
        (IN_A_THREAD_LOCAL, "greenlets:4:late", "CTX201", "the same turns, line by line"),
        (ACROSS_AN_HOUR, "threads:4", "CTX201", "one slept for more than 8 s"),
    ],
)
def test_what_native_threads_do_not_show_is_labelled_with_the_reason(
    found, source, workers, code, reason
):
    case = found(source, workers, code, first=False)
    replayed, confirmed = confirm(case, 2)
    assert replayed.times == 2
    assert confirmed.times == 0
    assert reason in confirmed.reason


def test_a_case_of_an_application_that_was_edited_is_confirmed_where_its_lines_are_now(
    found, tmp_path
):
    case = found(DEADLOCK, "threads:4", "CTX501")
    text = (tmp_path / "served.py").read_text(encoding="utf-8")
    (tmp_path / "served.py").write_text("# Moved.\n\n" + text, encoding="utf-8")
    replayed, confirmed = confirm(case, 2)
    assert replayed.times == 2
    assert confirmed.times > 0, confirmed.reason


def told_of(outcome):
    [finding] = outcome.findings
    return finding.story[[line[:6] for line in finding.story].index("found ") - 1]


def test_a_finding_says_whether_native_threads_confirm_it(scenario):
    options = Options(compare_alone=False)
    plain = scenario(BETWEEN_LINES, "threads:4", "}\nchecks: [CTX201]\nload: {requests: 9")
    assert told_of(simulate(plain, options=options)) == (
        "confirmed on native threads, held at the same lines"
    )
    outcome = simulate(plain, options=replace(options, confirms=False))
    again = f"not carried on native threads: ctxsim replay {outcome.findings[0].id}"
    assert told_of(outcome).startswith(again)
    # Greenlets are what they are, and are not found with anything that stands for them.
    greenlets = scenario(ACROSS_A_SLEEP, "greenlets:4", "}\nchecks: [CTX201]\nload: {requests: 9")
    assert not any(
        "native" in line for line in simulate(greenlets, options=options).findings[0].story
    )


def test_a_finding_that_native_threads_do_not_show_says_why(scenario):
    slept = scenario(ACROSS_AN_HOUR, "threads:4", "}\nchecks: [CTX201]\nload: {requests: 9")
    outcome = simulate(slept, options=Options(compare_alone=False))
    assert told_of(outcome).startswith("not confirmed on native threads: one slept for more than")


def test_the_command_says_so_and_its_exit_code_tells(found, capsys, tmp_path):
    case = found(BETWEEN_LINES, "threads:4", "CTX201")
    keep_case(case)
    replay = ["replay", case.id, "--times", "2", "--confirm", "threads"]
    assert main(replay) == ExitCode.FINDINGS
    told = " ".join(capsys.readouterr().out.split())
    assert "found under threads:4, confirmed on native threads (threads:4): shown by" in told
    # What does not show at all is carried on no native thread.
    mended = BETWEEN_LINES.replace('current["name"] = tag', 'current = {"name": tag}')
    (tmp_path / "served.py").write_text(HEAD + mended, encoding="utf-8")
    assert main(replay) == ExitCode.OK
    assert "native threads" not in capsys.readouterr().out


def test_what_is_not_confirmed_is_inconclusive(found, capsys):
    case = found(IN_A_THREAD_LOCAL, "greenlets:4:late", "CTX201", first=False)
    keep_case(case)
    replay = ["replay", case.id, "--times", "2", "--confirm", "threads"]
    assert main(replay) == ExitCode.INCONCLUSIVE
    told = " ".join(capsys.readouterr().out.split())
    assert "found under greenlets:4:late, not confirmed on native threads (threads:4): " in told


def test_tasks_are_refused_and_so_is_what_runs_as_tasks(found, capsys):
    case = found(BETWEEN_LINES, "threads:4", "CTX201")
    tasks = replace(case, id="TASKS1", workers="tasks:4")
    keep_case(tasks)
    assert main(["replay", "TASKS1", "--confirm", "threads"]) == ExitCode.USAGE
    assert "take turns on one thread" in " ".join(capsys.readouterr().err.split())
    asgi = replace(case, workers="sync", environment={"target": {"kind": "asgi"}})
    with pytest.raises(UsageError, match="take turns on one thread"):
        native_word(asgi)
