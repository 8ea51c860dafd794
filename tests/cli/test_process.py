"""The command line as a process of its own: start-up, signals, pipes, real cells."""

import json
import os
import shlex
import signal
import subprocess
import sys

import pytest

HEAVY = ("gevent", "greenlet", "locust", "flask", "pydantic", "werkzeug", "rich", "ruamel", "hdrh")
APP = """
import os
import threading
told = os.open({fifo!r}, os.O_WRONLY)

def app(environ, start_response):
    os.write(told, b"x")
    if "stuck" in environ["PATH_INFO"]:
        threading.Event().wait()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["QUERY_STRING"].encode()]
"""
SHOP = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [environ["QUERY_STRING"].encode()]
"""
SCENARIO = """
version: 1
name: endless
target: {app: endless:app, kind: wsgi}
steps: [{get: "/?tag={canary}"}]
workers: [sync]
# Without CTX208, since requests that are carried alone are part of no cell.
checks: [crosstalk]
load: {duration: 1m}
"""

HANGS = {
    "a fifo that nobody writes to": "open('never')",
    "a sleep": "import time; time.sleep(3600)",
    "a lock": "threading.Event().wait()",
    "a process of its own": """
import subprocess
subprocess.run(["sleep", "3600"], pass_fds=[told])
""",
}
WORDS = ["sync", "greenlets:2", "greenlets:2:late", "greenlets:2:partial"]


def command(*words):
    return [sys.executable, "-m", "ctxsim", *words]


@pytest.fixture
def endless(tmp_path):
    """A folder with a scenario that runs for long, and the fifo by which its app says it serves."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    (tmp_path / "endless.py").write_text(APP.format(fifo=str(fifo)), encoding="utf-8")
    (tmp_path / "endless.ctxsim.yaml").write_text(SCENARIO, encoding="utf-8")
    return tmp_path


def serving(folder, *words):
    """Start a run, and return it once its application has written to the fifo, with the fifo."""
    run = subprocess.Popen(
        command("run", "endless.ctxsim.yaml", "-q", *words),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    fifo = os.open(folder / "fifo", os.O_RDONLY)
    assert os.read(fifo, 1) == b"x"
    return run, fifo


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_and_what_is_known_is_reported(endless, number):
    run, fifo = serving(endless, "--format", "json")
    run.send_signal(number)
    # Read on, as the application must not block on its fifo while it is told to stop.
    while os.read(fifo, 65536):
        pass
    out, err = run.communicate()
    os.close(fifo)
    document = json.loads(out)
    assert run.returncode == document["exit_code"] == 130, err
    assert document["verdict"] == "inconclusive"
    assert document["cells"][0]["requests"] > 0
    assert document["cells"][0]["ending"]["kind"] == "stopped"


def test_a_second_ctrl_c_ends_the_run_at_once(endless):
    stuck = SCENARIO.replace("/?tag", "/stuck?tag")
    (endless / "endless.ctxsim.yaml").write_text(stuck, encoding="utf-8")
    run, fifo = serving(endless)
    run.send_signal(signal.SIGINT)
    run.send_signal(signal.SIGTERM)
    out, err = run.communicate()
    os.close(fifo)
    assert run.returncode == 130, err
    assert "stopped" in out


def killed_and_over(folder):
    """Kill a run in the middle, and wait for the end of all that has the fifo open."""
    run, fifo = serving(folder)
    run.kill()
    run.communicate()
    while os.read(fifo, 65536):
        pass
    os.close(fifo)


# Less than the run lasts, or a cell that lives on would go unnoticed.
@pytest.mark.timeout(20)
def test_no_cell_outlives_a_harness_that_is_killed(endless):
    killed_and_over(endless)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("hang", [*HANGS])
def test_no_cell_outlives_a_harness_that_is_killed_while_the_cell_imports(endless, hang, words):
    told = APP.partition("\n\n")[0].format(fifo=str(endless / "fifo"))
    hanging = f"{told}\nos.write(told, b'x')\n{HANGS[hang]}\n"
    (endless / "endless.py").write_text(hanging, encoding="utf-8")
    os.mkfifo(endless / "never")
    scenario = SCENARIO.replace("[sync]", f"[{words!r}]")
    (endless / "endless.ctxsim.yaml").write_text(scenario, encoding="utf-8")
    killed_and_over(endless)


def test_a_reader_that_goes_away_is_no_error(endless):
    read, write = os.pipe()
    os.close(read)
    validated = subprocess.run(
        command("schema"), stdout=write, stderr=subprocess.PIPE, cwd=endless, check=False
    )
    os.close(write)
    assert (validated.returncode, validated.stderr) == (0, b"")


def in_shell(line, folder):
    script = line.replace("ctxsim", f"{shlex.quote(sys.executable)} -m ctxsim")
    return subprocess.run(
        ["sh", "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def shop(tmp_path):
    """A folder with a scenario that is over soon."""
    (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
    text = SCENARIO.replace("endless", "shop").replace("{duration: 1m}", "{requests: 20}")
    (tmp_path / "shop.yaml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", ["-q", "", "--format json", "--verbose"])
def test_a_stream_that_is_closed_is_no_error(shop, closed, words):
    done = in_shell(f"ctxsim run shop.yaml {words} {closed}", shop)
    assert done.returncode == 0, done.stderr
    assert json.loads((shop / ".ctxsim" / "last.json").read_text())["verdict"] == "clean"
    told = [text for text, mark in [(done.stdout, " >&-"), (done.stderr, "2>&-")] if mark in closed]
    assert "".join(told) == ""


def test_the_exit_code_is_the_verdict_s_where_stdout_is_closed(shop):
    (shop / "none.yaml").write_text((shop / "shop.yaml").read_text().replace("?tag={canary}", ""))
    assert in_shell("ctxsim run none.yaml -q >&-", shop).returncode == 4


@pytest.mark.parametrize(
    "line", ["run shop.yaml -q", "run shop.yaml -q --format json", "schema", ""]
)
def test_a_result_that_stdout_does_not_take_is_told_in_a_line(shop, line):
    done = in_shell(f"ctxsim {line} >/dev/full", shop)
    assert (done.returncode, done.stderr) == (
        2,
        "error: the result could not be written to stdout: No space left on device\n",
    )


def test_words_that_stderr_does_not_take_are_lost(shop):
    done = in_shell("ctxsim run shop.yaml 2>/dev/full", shop)
    assert done.returncode == 0
    assert "clean: 0 findings" in done.stdout


SIGNALLED = """
import os, sys
from ctxsim.cli import main

class Signals:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), {number})

sys.meta_path.insert(0, Signals())
sys.exit(main({words!r}))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command_word", ["run", "matrix"])
@pytest.mark.parametrize("module", ["ctxsim.cli.running", "pydantic", "ctxsim.simulation"])
def test_a_signal_while_a_command_is_still_starting_is_an_interruption(
    shop, number, command_word, module
):
    words = [command_word, "shop.yaml", "-q"]
    program = SIGNALLED.format(module=module, number=int(number), words=words)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=shop, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "interrupted")


def test_stdout_without_unicode_gets_ascii(tmp_path):
    (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
    text = SCENARIO.replace("endless:app", "shop:app").replace("name: endless", "name: Zoë's shop")
    text = text.replace("{duration: 1m}", "{requests: 20}")
    (tmp_path / "shop.ctxsim.yaml").write_text(text, encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(
        command("run", "shop.ctxsim.yaml"),
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Zo\\xeb's shop" in done.stdout.decode("ascii")


def test_the_command_line_imports_nothing_heavy():
    asked = (
        "import ctxsim.cli, sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "click" in loaded
    assert not set(HEAVY) & set(loaded)


def test_the_version_is_one_line():
    done = subprocess.run(command("--version"), capture_output=True, text=True, check=True)
    assert done.stdout == "ctxsim 0.1.0\n"
