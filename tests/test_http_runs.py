"""Whole runs against servers: each fault of the wire is seen red, and a right server is clean."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from ports import free_port

from ctxsim.errors import TargetError, UsageError
from ctxsim.jobs import Options
from ctxsim.scenario import Scenario
from ctxsim.simulation import Outcome, simulate

SERVER = Path(__file__).with_name("broken_server.py")
STEPS = """
steps:
- get: /cart?tag={canary}
  expect: {status: 200, contains: "{canary}"}
- post: /note
  body: "note of {canary}"
  expect: {status: 200, contains: "{canary}"}
- get: /list?tag={canary}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a scenario against the small server in one of its modes.

    What is answered alone is asked where `alone` says so; the wire's faults show without.
    """
    monkeypatch.chdir(tmp_path)

    def of(mode: str, *lines: str, alone: bool = False, stall_s: float = 30.0) -> Outcome:
        port = free_port()
        keys = {line.partition(":")[0] for line in lines}
        usual = ["load: {requests: 250}", "workers: ['greenlets:20']", "seed: 5"]
        text = "\n".join(
            [
                "version: 1",
                f"target: {{kind: http, url: 'http://127.0.0.1:{port}',"
                f" start: '{sys.executable} {SERVER} {port} {mode}'}}",
                *lines,
                *(each for each in usual if each.partition(":")[0] not in keys),
                STEPS,
            ]
        )
        options = Options(compare_alone=alone, stall_s=stall_s)
        return simulate(Scenario.parse(text), options=options)

    return of


def codes(outcome: Outcome) -> set[str]:
    return {each.code for each in outcome.findings}


@pytest.mark.parametrize("workers", ["sync", "threads:8", "threads:8:fresh", "greenlets:20"])
def test_a_right_server_is_clean(run, workers: str) -> None:
    outcome = run("right", f"workers: ['{workers}']")
    [cell] = outcome.cells
    assert (outcome.verdict, outcome.exit_code, codes(outcome)) == ("clean", 0, set())
    assert cell.requests == 250
    assert cell.compared > 200
    assert cell.failed == 0
    assert cell.faults["abort"] > 0


def test_who_leaves_a_connection_that_the_server_ended_lacks_no_answer(run) -> None:
    """A server may end an idle connection at any time; others send again, on another one."""
    faults = "faults: {abort: 60%}"
    outcome = run("second", faults, "workers: [sync]", "connections: [shared]")
    assert outcome.document.reasons == ()
    assert (outcome.verdict, outcome.cells[0].failed) == ("clean", 0)


@pytest.mark.parametrize("mode", ["chunked", "until_close", "hangs_up"])
def test_a_server_may_answer_in_other_ways(run, mode: str) -> None:
    """In chunks, until the end of the connection, and without pipelining: all of that is HTTP."""
    outcome = run(mode, alone=mode == "chunked")
    assert (outcome.verdict, outcome.exit_code, codes(outcome)) == ("clean", 0, set())
    assert outcome.cells[0].failed == 0


@pytest.mark.parametrize("workers", ["sync", "threads:8", "greenlets:20"])
def test_a_route_that_never_answers_is_named_and_given_up(run, workers: str) -> None:
    """The others are carried on with, and nothing is called clean."""
    outcome = run("stuck", f"workers: ['{workers}']", "faults: none", stall_s=3.0)
    [cell] = outcome.cells
    assert (outcome.verdict, outcome.exit_code) == ("inconclusive", 4)
    assert cell.requests == 250
    # A few in a row, and those that were under way then.
    most = {"sync": 4, "threads:8": 16, "greenlets:20": 40}[workers]
    assert cell.failed <= most
    assert cell.compared == 250 - cell.failed
    reasons = " ".join(outcome.document.reasons)
    assert f"got no answer (TimeoutError x {cell.failed}): GET /list x {cell.failed}" in reasons
    assert "GET /list answered nothing any more" in reasons


@pytest.mark.parametrize("workers", ["sync", "greenlets:20"])
def test_a_load_ends_where_a_server_answers_nothing_any_more(run, workers: str) -> None:
    outcome = run("stops", f"workers: ['{workers}']", "faults: none", stall_s=3.0)
    [cell] = outcome.cells
    assert (outcome.verdict, outcome.exit_code) == ("inconclusive", 4)
    assert 100 < cell.requests < 200
    reasons = " ".join(outcome.document.reasons)
    for route in ("GET /cart", "POST /note", "GET /list"):
        assert route in reasons
    assert "answered nothing any more, and were not sent any longer" in reasons


@pytest.mark.parametrize("mode", ["swapped", "behind", "extra"])
def test_an_answer_in_the_place_of_another_is_told_of_the_wire(run, mode: str) -> None:
    outcome = run(mode)
    assert "CTX503" in codes(outcome)
    assert outcome.exit_code == 1
    [first] = [each for each in outcome.findings if each.code == "CTX503"][:1]
    assert "of the same connection" in first.story[0]


@pytest.mark.parametrize("mode", ["stale", "global"])
def test_a_value_that_is_kept_is_told_of_the_application(run, mode: str) -> None:
    """Whose answer came in its own place as well was not misplaced."""
    outcome = run(mode)
    assert "CTX201" in codes(outcome)
    assert "CTX503" not in codes(outcome)


@pytest.mark.parametrize("connections", ["all", "none"])
def test_what_is_no_response_is_searched_for_values_of_others(run, connections: str) -> None:
    """A proxy may give the rest of an answer to whoever comes next."""
    outcome = run("remains", f"connections: {connections}")
    assert "CTX201" in codes(outcome)


@pytest.mark.parametrize("mode", ["swapped", "behind", "extra", "stale"])
def test_faults_of_connections_do_not_show_where_each_request_has_its_own(run, mode: str) -> None:
    outcome = run(mode, "connections: none")
    assert (outcome.verdict, codes(outcome)) == ("clean", set())


@pytest.mark.parametrize("mode", ["no_large", "loses_body"])
def test_bodies_that_a_server_does_not_take_are_no_finding(run, mode: str) -> None:
    """That they were not judged is told."""
    outcome = run(mode)
    assert (outcome.verdict, outcome.exit_code, codes(outcome)) == ("clean", 0, set())
    assert any("POST /note as" in note for note in outcome.document.notes)


def test_pipelined_requests_that_get_no_answer_are_sent_again(run) -> None:
    """After a few of them no more are pipelined, since each is waited for."""
    outcome = run("mute", "faults: none", "workers: ['threads:20']")
    assert (outcome.verdict, outcome.exit_code, codes(outcome)) == ("clean", 0, set())
    assert outcome.cells[0].failed == 0
    [told] = [each for each in outcome.document.notes if "pipelined" in each]
    [left] = [int(word) for word in told.split() if word.isdigit()][:1]
    # Four of them end it, beside those that wait already.
    assert 4 <= left < 4 + 20


def test_an_answer_that_is_lost_since_more_was_sent_behind_is_asked_for_again(run) -> None:
    """As waitress leaves after answers of no known length: the client's doing, and no doubt."""
    outcome = run("leaves", "faults: none", "workers: ['threads:20']", "load: {requests: 500}")
    assert outcome.document.reasons == ()
    assert (outcome.verdict, outcome.exit_code, codes(outcome)) == ("clean", 0, set())
    assert any("no pipelined requests" in each for each in outcome.document.notes)


def test_requests_that_are_lost_with_their_connections_are_a_doubt(run) -> None:
    """They may have been carried out, so they are not sent again; most were judged nowhere."""
    outcome = run("loses_post", "load: {requests: 500}")
    assert (outcome.verdict, outcome.exit_code) == ("inconclusive", 4)
    assert outcome.cells[0].faults["lost"] > 25
    assert any("were lost with connections" in each for each in outcome.document.reasons)


def test_requests_that_no_server_answers_are_a_doubt_and_no_other_answer(run) -> None:
    """It may have been started anew, for which no request is to blame."""
    outcome = run("restarts", alone=True)
    assert (outcome.verdict, outcome.exit_code, codes(outcome)) == ("inconclusive", 4, set())
    assert any("got no answer (ClosedError" in each for each in outcome.document.reasons)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="segments cannot be made small")
def test_what_a_client_leaves_behind_within_a_response_is_found(run) -> None:
    """A server notices only if not all was taken off its hands before the client has left."""
    outcome = run("left_behind", "faults: {abort: 20%}", "load: {requests: 600}")
    assert codes(outcome) >= {"CTX201"}
    assert codes(run("left_behind", "faults: none")) == set()


def test_an_error_by_chance_is_no_matter_of_isolation(run) -> None:
    """It comes alone as well, if as many requests are carried alone as under load."""
    outcome = run("flaky")
    assert codes(outcome) <= {"CTX209"}
    assert outcome.cells[0].failed > 0


def test_what_one_user_uses_up_alone_is_no_matter_of_isolation(run) -> None:
    """It takes one user as many requests as all together sent."""
    outcome = run("sold_out")
    assert codes(outcome) == {"CTX209"}


def test_a_server_that_asks_for_patience_is_a_doubt(run) -> None:
    """What users would have been answered is not known; what was never sent alone neither."""
    outcome = run("patience")
    assert (outcome.verdict, outcome.exit_code, codes(outcome)) == ("inconclusive", 4, set())
    assert any("send less at a time" in each for each in outcome.document.reasons)


def started(tmp_path: Path, start: str, *lines: str, port: int = 0) -> Scenario:
    text = "\n".join(
        [
            "version: 1",
            f"target: {{kind: http, url: 'http://127.0.0.1:{port or free_port()}',"
            f' start: "{start}", wait: 5s}}',
            "load: {requests: 60}",
            "workers: [sync]",
            *lines,
            "steps: [{get: '/?t={canary}'}]",
        ]
    )
    file = tmp_path / "started.yaml"
    file.write_text(text, encoding="utf-8")
    return Scenario.load(file)


def test_a_server_that_fails_at_its_start_is_told_with_its_last_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fails.py").write_text("print('no database'); raise SystemExit(7)")
    with pytest.raises(TargetError) as caught:
        simulate(started(tmp_path, f"{sys.executable} fails.py"))
    said = str(caught.value)
    assert "ended with code 7 at its start" in said
    assert "no database" in said
    assert ".ctxsim/server.log" in said
    assert caught.value.exit_code == 3


def test_a_server_that_never_answers_is_given_up_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It listens, as gunicorn does before its workers are there, and nobody answers."""
    monkeypatch.chdir(tmp_path)
    port = free_port()
    (tmp_path / "mute.py").write_text(
        "import os, socket, time\n"
        f"listening = socket.create_server(('127.0.0.1', {port}))\n"
        "open('pid', 'w').write(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    with pytest.raises(TargetError, match=r"no server answers at .* after 5 s"):
        simulate(started(tmp_path, f"{sys.executable} mute.py", port=port))
    assert not is_alive(int((tmp_path / "pid").read_text()))


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait for ever to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_server_is_ended_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its children do not outlive the run, though they do not listen to SIGTERM."""
    monkeypatch.chdir(tmp_path)
    port = free_port()
    child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    (tmp_path / "forks.py").write_text(
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "open('pid', 'w').write(str(child.pid))\n"
        f"sys.path.insert(0, {str(SERVER.parent)!r})\n"
        f"import broken_server; broken_server.main({port}, 'right')\n"
    )
    scenario = started(tmp_path, f"{sys.executable} forks.py", port=port)
    outcome = simulate(scenario, options=Options(compare_alone=False))
    assert outcome.verdict == "clean"
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_another_server_at_the_place_is_not_taken_for_the_one_that_is_started(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        scenario = started(tmp_path, "true", port=other.getsockname()[1])
        with pytest.raises(TargetError, match=r"something answers at .* already"):
            simulate(scenario)


def test_a_command_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TargetError, match="cannot be run: gunicron: No such file"):
        simulate(started(tmp_path, "gunicron shop:app"))


def test_a_server_that_dies_amid_the_run_is_no_clean_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    port = free_port()
    (tmp_path / "dies.py").write_text(
        f"import os, sys; sys.path.insert(0, {str(SERVER.parent)!r})\n"
        "import broken_server\n"
        "answer = broken_server.Connection.answer\n"
        "def dying(self, request):\n"
        "    if broken_server.COUNT['answers'] > 40: os._exit(9)\n"
        "    return answer(self, request)\n"
        "broken_server.Connection.answer = dying\n"
        f"broken_server.main({port}, 'right')\n"
    )
    scenario = started(tmp_path, f"{sys.executable} dies.py", port=port)
    outcome = simulate(scenario, options=Options(compare_alone=False))
    assert (outcome.verdict, outcome.exit_code) == ("inconclusive", 4)
    assert any("ended amid the run, with code 9" in each for each in outcome.document.reasons)


def test_a_server_that_runs_already_is_sent_requests(tmp_path: Path) -> None:
    port = free_port()
    server = subprocess.Popen([sys.executable, str(SERVER), str(port), "right"])
    text = (
        f"version: 1\ntarget: {{kind: http, url: 'http://localhost:{port}/shop', wait: 10s}}\n"
        "load: {requests: 60}\nworkers: [sync]\nsteps: [{get: '/?t={canary}'}]\n"
    )
    try:
        outcome = simulate(Scenario.parse(text))
    finally:
        server.kill()
        server.wait()
    assert (outcome.verdict, outcome.cells[0].requests) == ("clean", 60)
    with pytest.raises(TargetError, match="no server answers"):
        simulate(Scenario.parse(text.replace("10s", "100ms")))


def test_load_goes_to_this_machine_unless_a_host_is_allowed() -> None:
    head = "version: 1\ntarget: {kind: http, url: 'http://shop.invalid', wait: 50ms}\n"
    steps = "steps: [{get: /}]\n"
    scenario = Scenario.parse(head + steps)
    with pytest.raises(UsageError, match=r"--allow-host shop\.invalid"):
        simulate(scenario)
    allowed = Options(allowed_hosts=("shop.invalid",))
    with pytest.raises(UsageError, match="needs a rate and a duration"):
        simulate(scenario, options=allowed)
    paced = Scenario.parse(f"{head}load: {{rate: 5/s, duration: 1s}}\n{steps}")
    with pytest.raises(UsageError, match=r"--allow-host shop\.invalid"):
        simulate(paced, options=Options(allowed_hosts=("other.invalid",)))
    # Then it is asked where that is, which nobody knows.
    with pytest.raises(TargetError, match="no server answers"):
        simulate(paced, options=allowed)


def test_a_load_at_a_rate_counts_latencies_from_when_requests_were_due(run) -> None:
    """One client sends to a server that needs 3 ms: at 1,000/s they come later and later."""
    keys = ("workers: [sync]", "connections: none", "faults: none")
    slow = run("right", *keys, "load: {rate: 20/s, duration: 2s}")
    [cell] = slow.cells
    assert 35 <= cell.requests <= 40
    fast = run("right", *keys, "load: {rate: 1000/s, duration: 2s}")
    [cell] = fast.cells
    assert cell.timing.latency_s is not None
    assert any("became due" in note for note in fast.document.notes)
    # Most of the 2,000 were never sent, and waited for all the time between.
    assert cell.requests < 1000
    assert cell.timing.latency_s.max > 0.5
    assert cell.timing.latency_s.p50 > 0.5


def test_an_interruption_ends_the_server(tmp_path: Path) -> None:
    """Ctrl-C ends the run with what is known, and the server with it."""
    port = free_port()
    scenario = started(tmp_path, f"{sys.executable} {SERVER} {port} right", port=port)
    text = scenario.text.replace("{requests: 60}", "{duration: 60s}")
    (tmp_path / "started.yaml").write_text(text, encoding="utf-8")
    ctxsim = subprocess.Popen(
        [sys.executable, "-m", "ctxsim", "run", "started.yaml", "-q"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
    )
    try:
        while not listens(port):
            assert ctxsim.poll() is None
        ctxsim.send_signal(signal.SIGINT)
        ctxsim.communicate(timeout=60)
    finally:
        ctxsim.kill()
    assert ctxsim.returncode == 130
    assert not listens(port)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


KEPT = """
version: 1
target: {{kind: http, url: "http://127.0.0.1:{port}", wait: 10s}}
users: {{count: 4}}
load: {{requests: 80}}
workers: [sync]
steps: [{{get: "{path}?tag={{canary}}"}}]
"""


def test_what_another_user_sent_in_an_earlier_run_is_a_doubt() -> None:
    """A server that keeps its first answers for ever shows them to each run, and is never clean."""
    port = free_port()
    server = subprocess.Popen([sys.executable, str(SERVER), str(port), "first"])

    def run_again(path: str, *lines: str) -> Outcome:
        text = "\n".join([KEPT.format(port=port, path=path), *lines])
        return simulate(Scenario.parse(text), options=Options(compare_alone=False))

    try:
        assert codes(run_again("/page")) >= {"CTX201"}
        again = run_again("/page")
        assert (again.verdict, again.exit_code) == ("inconclusive", 4)
        [reason] = [each for each in again.document.reasons if "earlier run" in each]
        assert "(GET /page)" in reason
        shared = run_again("/page", "shared: [/page]")
        assert not any("earlier" in each for each in shared.document.reasons)
        # What is a request's own is none of anybody's.
        assert [run_again("/own").exit_code for _ in range(2)] == [0, 0]
    finally:
        server.kill()
        server.wait()
