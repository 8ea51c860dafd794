"""`ctxsim locust` as processes of its own: results, exit codes, the web UI and its guard."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from locusting import LONG_S, SHORT, Web, command, ran, totals
from ports import free_port

import ctxsim

SERVER = Path(__file__).parents[1] / "broken_server.py"
LOCUSTFILE = Path(ctxsim.__file__).with_name("locustfile.py")
pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]


def test_a_load_of_a_leaking_application_ends_with_its_findings(folder: Path) -> None:
    words = ["leaky.yaml", *SHORT, "--format", "json", "--report", "junit=out/junit.xml"]
    done = ran(folder, *words)
    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"] == 1
    assert {each["code"] for each in document["findings"]} == {"CTX201"}
    assert document["cells"][0]["requests"] == totals(done.stderr) > 100
    # One kind of failure, whoever was concerned.
    assert done.stderr.count("a response carried a value that belongs to another") == 1
    assert json.loads((folder / ".ctxsim" / "last.json").read_text()) == document
    assert "CTX201" in (folder / "out" / "junit.xml").read_text()


def test_a_load_that_keeps_users_apart_is_clean_whatever_the_folder_configures(
    folder: Path,
) -> None:
    (folder / "locust.conf").write_text("[locust]\nusers = nonsense\nno-such-option = 1\n")
    (folder / "pyproject.toml").write_text('[tool.locust]\nheadless = "x"\nno-such = 1\n')
    done = ran(folder, "keeping.yaml", *SHORT)
    assert done.returncode == 0, done.stderr
    assert "clean: 0 findings in 1 cell" in done.stdout


def test_a_report_of_locusts_that_cannot_be_written_takes_no_finding_with_it(
    folder: Path,
) -> None:
    """Its disk is full; Locust ends there, before it asks for a verdict."""
    done = ran(folder, "leaky.yaml", *SHORT, "--format", "json", "--html", "/dev/full")
    assert done.returncode == 1
    assert {each["code"] for each in json.loads(done.stdout)["findings"]} == {"CTX201"}
    assert "No space left" in done.stderr


def test_processes_that_would_each_start_the_server_are_refused(folder: Path) -> None:
    (folder / "server.yaml").write_text("""
version: 1
target: {kind: http, url: "http://127.0.0.1:8000", start: python server.py}
steps: [{get: "/cart?tag={canary}"}]
workers: ["greenlets:8"]
""")
    done = ran(folder, "server.yaml", *SHORT, "--processes=2")
    assert done.returncode == 2
    assert "start it yourself" in done.stderr


@pytest.mark.parametrize(("mode", "code"), [("right", 0), ("global", 1)])
def test_a_server_is_loaded_as_an_application_is(folder: Path, mode: str, code: int) -> None:
    port = free_port()
    (folder / "server.yaml").write_text(f"""
version: 1
target:
  kind: http
  url: http://127.0.0.1:{port}
  start: {sys.executable} {SERVER} {port} {mode}
steps: [{{get: "/cart?tag={{canary}}"}}]
workers: ["greenlets:8"]
checks: [crosstalk]
""")
    done = ran(folder, "server.yaml", *SHORT, "--format", "json")
    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"] == code, done.stderr
    assert document["cells"][0]["requests"] == totals(done.stderr) > 50


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["silent.yaml", *SHORT], 4, "nothing was compared"),
        (["nowhere.yaml", *SHORT], 3, "no module named 'nowhere'"),
        (["wrong.yaml", *SHORT], 2, "wrong.yaml:3:1: error"),
        (["keeping.yaml", *SHORT, "--workers", "thread:4"], 2, "no kind of workers"),
        (["keeping.yaml", "--no-such-option"], 2, "no-such-option"),
        (["--headless", "keeping.yaml"], 2, "the scenario comes first"),
    ],
)
def test_what_cannot_be_told_ends_with_its_own_exit_code(
    folder: Path, words: list[str], code: int, told: str
) -> None:
    done = ran(folder, *words)
    assert done.returncode == code, done.stderr
    assert told in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--master", "--worker"], "two processes"),
        (["--headless", "--worker", "--master"], "two processes"),
        (["-f", "other.py"], "takes the place of a locustfile"),
        (["-fother.py"], "takes the place of a locustfile"),
        (["--locustfile=other.py", *SHORT], "takes the place of a locustfile"),
        (["NoSuchUser", *SHORT], "NoSuchUser"),
        (["--autoquit", "3"], "--autostart"),
        (["--processes", "-2"], "Invalid --processes count"),
        (["--processes", "2", "--master"], "cannot be combined"),
        (["--master", "--expect-workers", "0"], "must be a positive number"),
        (["--web-base-path", "load"], "must start with a slash"),
        (["--headless", "-u", "-3", "-t", "1s"], "there cannot be -3 users"),
        (["--host", "http://127.0.0.1:9000", *SHORT], "--host says nothing here"),
        (["--exclude-tags", "slow", *SHORT], "--exclude-tags says nothing here"),
        (["--tls-cert", "cert.pem"], "given together"),
        (["--tls-cert", "cert.pem", "--tls-key", "key.pem"], "cannot be read"),
        (["--headless", "--html", "/proc/no/report.html"], "--html /proc/no/report.html cannot be"),
        (["--headless", "--json-file", "/proc/no/x"], "--json-file /proc/no/x cannot be"),
        (["--headless", "--html", "."], "it is a folder"),
        (["--web-host", "300.1.1.1"], "the web UI cannot be at 300.1.1.1:8089"),
        (["--web-port", "70000"], "the web UI cannot be at 127.0.0.1:70000"),
    ],
)
def test_options_that_cannot_be_are_wrong_usage(folder: Path, words: list[str], told: str) -> None:
    (folder / "other.py").write_text("raise SystemExit('this was not asked for')\n")
    done = ran(folder, "keeping.yaml", *words)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["--web-port", "--master-bind-port"])
def test_a_port_that_is_busy_is_wrong_usage_and_no_finding(folder: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = {option: str(taken.getsockname()[1])}
        words.setdefault("--web-port", str(free_port()))
        done = ran(folder, "keeping.yaml", "--master", *(w for pair in words.items() for w in pair))
    assert done.returncode == 2, done.stderr
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_plain_locust_takes_the_packaged_locustfile(folder: Path) -> None:
    program = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE)]
    done = ran(folder, "--scenario", "leaky.yaml", *SHORT, program=program)
    assert done.returncode == 1, done.stderr
    assert "CTX201" in done.stdout


def test_a_load_that_is_ended_before_its_time_tells_what_is_known(folder: Path) -> None:
    words = ["leaky.yaml", "--headless", "-u", "12", "-r", "100", "-t", "5m", "--format", "json"]
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(
            command(*words),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            until_s = time.monotonic() + LONG_S
            while "All users spawned" not in (folder / "log").read_text():
                assert time.monotonic() < until_s
                threading.Event().wait(0.1)
            threading.Event().wait(2)
            process.send_signal(signal.SIGTERM)
            stdout, _ = process.communicate(timeout=LONG_S)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == json.loads(stdout)["exit_code"] == 130
    assert json.loads(stdout)["findings"][0]["code"] == "CTX201"


def test_the_web_ui_shows_and_gives_away_what_was_found(web: Web) -> None:
    form = {"user_count": "10", "spawn_rate": "100", "seed": "5", "workers": "threads:3"}
    assert web.ask("/ctxsim/result.json")[0] == 409
    assert json.loads(web.ask("/swarm", form)[1])["success"]
    # Locust's own numbers may be two seconds old.
    web.until("/stats/requests", "CTX201")
    stats = web.until("/stats/requests", "a response carried a value")
    [matrix, findings] = json.loads(stats)["extended_stats"]
    assert matrix["data"][0]["name"] == "app/threads:3"
    assert [row["code"] for row in findings["data"]] == ["CTX201"]
    assert [each["name"] for each in json.loads(stats)["errors"]] == ["/"]
    too_many = json.loads(web.ask("/swarm", {**form, "user_count": "70000"})[1])
    assert not too_many["success"]
    assert "too many" in too_many["message"]
    web.ask("/stop", {})
    assert "leaky.LAST" in web.until("/ctxsim", "exit code 1")
    document = json.loads(web.ask("/ctxsim/result.json")[1])
    assert document["seed"] == 5
    web.until("/stats/requests", f'"num_requests": {document["cells"][0]["requests"]},')
    assert "CTX201" in web.ask("/ctxsim/junit.xml")[1]
    assert web.end() == 1


def test_a_run_time_of_the_form_counts_from_when_cells_are_ready(folder: Path) -> None:
    """What requests are answered alone, and slow imports, would use it up."""
    web = Web(folder, scenario="late.yaml")
    try:
        web.until("/", "<html")
        form = {"user_count": "10", "spawn_rate": "100", "run_time": "2s"}
        assert json.loads(web.ask("/swarm", form)[1])["success"]
        web.until("/ctxsim", "exit code 0")
        [cell] = json.loads(web.ask("/ctxsim/result.json")[1])["cells"]
        assert cell["requests"] > 0
    finally:
        web.end()


def test_a_stopped_run_is_not_stopped_again_by_its_run_time(folder: Path) -> None:
    web = Web(folder, scenario="late.yaml")
    try:
        web.until("/", "<html")
        form = {"user_count": "10", "spawn_rate": "100"}
        assert json.loads(web.ask("/swarm", {**form, "run_time": "2s"})[1])["success"]
        web.ask("/stop", {})
        web.until("/stats/requests", '"state": "stopped"')
        assert json.loads(web.ask("/swarm", form)[1])["success"]
        web.until("/stats/requests", '"num_requests": 1')
        threading.Event().wait(4)
        assert '"state": "running"' in web.ask("/stats/requests")[1]
    finally:
        web.end()


def test_more_users_may_come_while_a_load_runs(web: Web) -> None:
    form = {"user_count": "2", "spawn_rate": "100", "workers": "threads:9"}
    assert json.loads(web.ask("/swarm", form)[1])["success"]
    web.until("/ctxsim", "CTX201")
    assert json.loads(web.ask("/swarm", {**form, "user_count": "40"})[1])["success"]
    web.until("/stats/requests", '"user_count": 40')
    # What a form asks for, Locust keeps for later ones too.
    assert not json.loads(web.ask("/swarm", {**form, "seed": "abc"})[1])["success"]
    # Two users and a visitor have three requests in flight at the most.
    web.until("/stats/requests", '"in_flight": 9')
    web.ask("/stop", {})
    web.until("/ctxsim", "exit code 1")
    [cell] = json.loads(web.ask("/ctxsim/result.json")[1])["cells"]
    assert cell["in_flight_peak"] == 9


def test_the_web_ui_obeys_nobody_else(web: Web) -> None:
    form = {"user_count": "1", "spawn_rate": "1"}
    assert web.ask("/swarm", form, Origin="http://evil.example")[0] == 403
    assert web.ask("/swarm", form, Sec_Fetch_Site="cross-site")[0] == 403
    for path in ("/stats/reset", "/stop", "/swarm", "/user"):
        assert web.ask(path, form, Sec_Fetch_Site="cross-site")[0] == 403
        assert web.ask(path, form, Referer="http://evil.example/")[0] == 403
        assert web.ask(path, form, User_Agent="Mozilla/5.0 (X11)")[0] == 403
    assert web.ask("/ctxsim", Host="evil.example")[0] == 403
    assert json.loads(web.ask("/stats/requests")[1])["user_count"] == 0
    wrong = json.loads(web.ask("/swarm", {**form, "workers": "thread:3"})[1])
    assert not wrong["success"]
    assert "no kind of workers" in wrong["message"]
    assert json.loads(web.ask("/swarm", form, Origin=web.address)[1])["success"]


def test_a_web_ui_with_a_login_shows_nothing_before_it(folder: Path) -> None:
    web = Web(folder, "--web-login")
    try:
        web.until("/login", "ctxsim")
        assert "extended_tabs" not in web.ask("/")[1]
        assert "No test was started" not in web.ask("/ctxsim")[1]
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        for password, shows in (("wrong", False), ("open sesame", True)):
            form = urllib.parse.urlencode({"username": "ctxsim", "password": password}).encode()
            opener.open(f"{web.address}/ctxsim/login", form, timeout=60).read()
            page = opener.open(f"{web.address}/ctxsim", timeout=60).read().decode()
            assert ("No test was started" in page) == shows
    finally:
        web.process.kill()
        web.process.wait()
