"""Masters and workers of `ctxsim locust`: real processes, some of which are killed."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from locusting import LONG_S, command, ran, totals, written
from ports import free_port

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


class Machines:
    """A master and two workers, each a process, that carry one scenario."""

    def __init__(self, folder: Path, name: str, duration: str) -> None:
        port = str(free_port())
        self.log = folder / "master.log"
        self.result = folder / "result.json"
        load = ["--headless", "-u", "12", "-r", "100", "-t", duration, "--format", "json"]
        master = ["--master", "--expect-workers", "2", "--master-bind-port", port, *load]
        with self.log.open("w") as log, self.result.open("w") as result:
            self.master = subprocess.Popen(
                command(f"{name}.yaml", *master),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=result,
                stderr=log,
            )
        self.workers = [
            subprocess.Popen(
                command(f"{name}.yaml", "--worker", "--master-port", port),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for _ in range(2)
        ]

    def until(self, told: str) -> None:
        """Wait until the master has said something."""
        until_s = time.monotonic() + LONG_S
        while told not in self.log.read_text():
            assert time.monotonic() < until_s, self.log.read_text()
            assert self.master.poll() is None, self.log.read_text()
            threading.Event().wait(0.1)

    def document(self) -> dict[str, Any]:
        """The result, once the master has ended."""
        code = self.master.wait(LONG_S)
        found: dict[str, Any] = json.loads(self.result.read_text())
        assert code == found["exit_code"]
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path)


@contextlib.contextmanager
def machines(folder: Path, name: str, duration: str) -> Iterator[Machines]:
    running = Machines(folder, name, duration)
    try:
        yield running
    finally:
        for process in (running.master, *running.workers):
            process.kill()
            process.wait()


def test_two_workers_are_one_run_whose_totals_are_exact(folder: Path) -> None:
    with machines(folder, "leaky", "4s") as running:
        document = running.document()
        assert document["exit_code"] == 1
        assert [each["code"] for each in document["findings"]] == ["CTX201"]
        assert document["reasons"] == []
        [cell] = document["cells"]
        assert cell["requests"] == totals(running.log.read_text()) > 0
        assert [worker.wait(LONG_S) for worker in running.workers] == [0, 0]


@pytest.mark.parametrize("by_itself", [["--headless"], ["--autostart", "--autoquit", "0"]])
def test_the_run_time_counts_from_when_workers_are_ready(
    folder: Path, by_itself: list[str]
) -> None:
    port = str(free_port())
    ports = ["--master-bind-port", port, "--master-port", port, "--web-port", str(free_port())]
    load = ["-u", "12", "-r", "100", "-t", "2s", "--format", "json"]
    done = ran(folder, "late.yaml", *by_itself, *load, *ports, "--processes", "1")
    [cell] = json.loads(done.stdout)["cells"]
    assert done.returncode == 0, done.stderr
    assert cell["requests"] > 0


def test_a_killed_worker_is_named_and_the_run_is_not_clean(folder: Path) -> None:
    with machines(folder, "keeping", "12s") as running:
        running.until("All users spawned")
        threading.Event().wait(2)
        running.workers[0].send_signal(signal.SIGKILL)
        document = running.document()
        assert (document["exit_code"], document["verdict"]) == (4, "inconclusive")
        [reason] = document["reasons"]
        assert "worker " in reason
        assert "before its last word" in reason


def test_what_a_killed_worker_had_found_is_told(folder: Path) -> None:
    with machines(folder, "leaky", "12s") as running:
        running.until("All users spawned")
        threading.Event().wait(2)
        for worker in running.workers:
            worker.send_signal(signal.SIGKILL)
        document = running.document()
        assert document["exit_code"] == 1
        assert [each["code"] for each in document["findings"]] == ["CTX201"]
        assert len(document["reasons"]) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_whose_master_is_ended_before_its_time_was_interrupted(
    folder: Path, number: signal.Signals
) -> None:
    """What is known so far is told; it is no clean run of the time that was asked for."""
    with machines(folder, "keeping", "5m") as running:
        running.until("All users spawned")
        threading.Event().wait(2)
        running.master.send_signal(number)
        document = running.document()
        assert document["exit_code"] == running.master.returncode == 130
        assert document["cells"][0]["requests"] > 0


def test_a_worker_that_stands_still_for_a_while_does_not_end_clean(folder: Path) -> None:
    with machines(folder, "keeping", "14s") as running:
        running.until("All users spawned")
        running.workers[0].send_signal(signal.SIGSTOP)
        running.until("setting state to missing")
        running.workers[0].send_signal(signal.SIGCONT)
        assert running.document()["exit_code"] == 4


def test_workers_whose_master_was_killed_stop_soon(folder: Path) -> None:
    """Locust's own go on for a minute, and what they carry with them."""
    with machines(folder, "keeping", "5m") as running:
        running.until("All users spawned")
        running.master.send_signal(signal.SIGKILL)
        killed_s = time.monotonic()
        codes = [worker.wait(LONG_S) for worker in running.workers]
        assert time.monotonic() - killed_s < 30
        assert codes == [4, 4]
