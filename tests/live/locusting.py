"""Runs `ctxsim locust` as a user does: applications to be loaded, and a web UI that is asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from ports import free_port

# Starting Locust, a harness and a cell takes seconds, and many on a machine that does other things.
LONG_S = 100
LEAKY = """
import time
LAST = {"text": ""}

def app(environ, start_response):
    LAST["text"] = environ["QUERY_STRING"]
    time.sleep(0.002)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [LAST["text"].encode()]
"""
KEEPING = """
import time

def app(environ, start_response):
    time.sleep(0.002)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["QUERY_STRING"].encode()]
"""
SILENT = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
# Its cells are ready only when a short run time would be over.
LATE = f"import time as clock\nclock.sleep(6)\n{KEEPING}"
APPS = {"leaky": LEAKY, "keeping": KEEPING, "silent": SILENT, "late": LATE}
# Without CTX208, whose lessons take longer than these loads.
SCENARIO = """
version: 1
name: {name}
target: {{app: "{name}:app", kind: wsgi}}
steps: [{{get: "/?tag={{canary}}"}}]
workers: ["threads:4"]
checks: [crosstalk]
"""
SHORT = ["--headless", "-u", "12", "-r", "100", "-t", "2s"]


def written(tmp_path: Path) -> Path:
    """The folder, with applications in it, and scenarios of the same names."""
    for name, source in APPS.items():
        (tmp_path / f"{name}.py").write_text(source)
        (tmp_path / f"{name}.yaml").write_text(SCENARIO.format(name=name))
    (tmp_path / "nowhere.yaml").write_text(SCENARIO.format(name="nowhere"))
    (tmp_path / "wrong.yaml").write_text("version: 1\nworkers: [bad\n")
    return tmp_path


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "ctxsim", "locust", *words]


def ran(folder: Path, *words: str, program: list[str] | None = None) -> Any:
    return subprocess.run(
        [*program, *words] if program else command(*words),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONG_S,
        check=False,
    )


def totals(stderr: str) -> int:
    """The requests of Locust's own last summary."""
    lines = [line for line in stderr.splitlines() if line.split()[:1] == ["Aggregated"]]
    return int(lines[-1].split()[-1])


class Web:
    """A web UI that runs."""

    def __init__(self, folder: Path, *words: str, scenario: str = "leaky.yaml") -> None:
        self.address = f"http://127.0.0.1:{free_port()}"
        port = self.address.rpartition(":")[2]
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                command(scenario, "--web-port", port, *words),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, "CTXSIM_WEB_PASSWORD": "open sesame"},
            )

    def ask(self, path: str, form: dict[str, str] | None = None, **headers: str) -> Any:
        """Status and body."""
        data = None if form is None else urllib.parse.urlencode(form).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        asked = urllib.request.Request(self.address + path, data, named)
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def until(self, path: str, part: str) -> str:
        """The body of a page, once it holds a text."""
        until_s = time.monotonic() + LONG_S
        body = ""
        while time.monotonic() < until_s:
            try:
                body = self.ask(path)[1]
            except urllib.error.URLError:
                body = ""
            if part in body:
                return body
            assert self.process.poll() is None
            threading.Event().wait(0.1)
        raise AssertionError(f"{path} never held {part}: {body}")

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LONG_S)
