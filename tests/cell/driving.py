"""Starts a real cell, listens until its last word, and judges what it said."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ctxsim.cell
from ctxsim.cell.checks import Finding, verdict
from ctxsim.cell.history import Ending, Event, History, Origin, Tally
from ctxsim.cell.learnt import Lesson
from ctxsim.cell.messages import Lines, Message, encode
from ctxsim.cell.plan import Faults, Flow, Load, Plan, Step, Target, Users, Workers
from ctxsim.cell.sights import Sight

PROGRAM = Path(ctxsim.cell.__file__).with_name("__main__.py")
RUN = "0badcafe"
DEFAULT_FAULTS = Faults(error=0.02, abort=0.02, cancel=0.01)
NAMED = Users(vars=(("name", "user{n}"),))

WORDS = (
    "sync",
    "threads:4",
    "threads:4:fresh",
    "threads:4:copied",
    "greenlets:20",
    "greenlets:20:unpatched",
    "greenlets:20:late",
    "greenlets:20:partial",
    "greenlets:20:copied",
    "threads:2 x greenlets:10",
    "tasks:10",
    "tasks:10:empty",
    "tasks:10:to_thread",
    "tasks:10:executor",
)

Hear = Callable[[Message, socket.socket], None]


def step(line: str, name: str = "", **keys: Any) -> Step:
    """A step from `METHOD /path?query` and the fields of a Step."""
    method, _, path = line.partition(" ")
    return Step(name=name, method=method, path=path, **keys)


def flow(*steps: Step | str, name: str = "visit", weight: float = 1) -> Flow:
    made = tuple(step(each) if isinstance(each, str) else each for each in steps)
    return Flow(name, weight, made)


def plan_of(
    *steps: Step | str, target: Target | None = None, workers: str = "sync", **keys: Any
) -> Plan:
    """A plan of one flow, 200 requests, without faults unless `keys` say otherwise."""
    given: dict[str, Any] = {
        "scenario": "tests",
        "run": RUN,
        "process": 1,
        "seed": 7,
        "target": target or Target("app:app"),
        "workers": Workers.parse(workers),
        "flows": (flow(*steps),),
        "users": NAMED,
        "load": Load(requests=200),
    }
    return Plan(**{**given, **keys})


@dataclass(slots=True)
class Lived:
    """What a cell said until its end, and how its process ended."""

    history: History = field(default_factory=History)
    facts: dict[str, str] = field(default_factory=dict)
    ready: bool = False
    lesson: Lesson | None = None
    last_word: bool = False
    stacks: tuple[str, ...] = ()
    tried: list[str] = field(default_factory=list)
    sight: Sight | None = None
    returncode: int = 0
    stdout: str = ""
    stderr: str = ""
    dumped: str = ""

    def hear(self, message: Message) -> None:
        match message["say"]:
            case "ready":
                self.ready, self.facts = True, message["target"]
            case "event":
                self.history.add(Event.from_json(message["event"]))
            case "origin":
                self.history.origins[tuple(message["cause"])] = Origin.from_json(message["origin"])
            case "tally":
                self.history.tally = Tally.from_json(message["tally"])
                self.history.counts.update((tuple(k), n) for k, n in message["counts"])
            case "trying":
                self.tried.append(message["route"])
            case "sight":
                self.sight = Sight.from_json(message["sight"])
            case "stacks":
                self.stacks = tuple(message["stacks"])
            case "learnt":
                self.lesson = Lesson.from_json(message["lesson"])
            case "end":
                self._hear_the_last(message["ending"])
            case unknown:
                raise AssertionError(f"unknown message {unknown!r}")

    def _hear_the_last(self, ending: dict[str, Any] | None) -> None:
        assert not self.last_word, "a cell says its last word once"
        self.last_word = True
        if ending is not None:
            stacks = tuple(ending.pop("stacks", ()))
            self.history.ending = Ending(**ending, stacks=stacks)

    @property
    def tally(self) -> Tally:
        return self.history.tally

    @property
    def ending(self) -> Ending | None:
        return self.history.ending

    @property
    def findings(self) -> list[Finding]:
        return verdict.judge(self.history)

    @property
    def codes(self) -> set[str]:
        return {finding.code for finding in self.findings}

    def finished(self) -> Lived:
        """Itself, once it is known that the cell carried everything out."""
        assert self.last_word, f"no last word; exit {self.returncode}\n{self.stderr}{self.dumped}"
        assert self.ending is None, self.ending
        assert self.returncode == 0
        return self

    def told(self) -> str:
        """All findings in words, for the message of an assertion."""
        lines = [f"{f.code} x{f.count} {f.cause}: {' / '.join(f.story)}" for f in self.findings]
        return "\n".join([*lines, str(self.tally.failures), self.stderr[-2000:]])


def live(
    plan: Plan,
    *,
    hear: Hear = lambda _message, _channel: None,
    python: str = sys.executable,
    env: dict[str, str] | None = None,
    limit_s: float = 40,
) -> Lived:
    """Carry `plan` out in a cell of its own; the process group is killed after `limit_s`.

    `hear` is told of each message as it comes, and may answer, or close the channel.
    """
    lived = Lived()
    ours, theirs = socket.socketpair()
    with ours, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with theirs, tempfile.TemporaryFile() as dumped:
            fds = (theirs.fileno(), dumped.fileno())
            process = subprocess.Popen(
                [python, "-P", str(PROGRAM), *map(str, fds)],
                pass_fds=fds,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **(env or {})},
            )
            theirs.close()
            try:
                ours.sendall(encode({"say": "plan", "plan": plan.to_json()}))
                _listen(ours, lived, hear, time.monotonic() + limit_s)
                lived.returncode = process.wait(limit_s)
            finally:
                _kill(process)
            lived.dumped = _text(dumped)
        lived.stdout, lived.stderr = _text(out), _text(err)
    return lived


def _listen(ours: socket.socket, lived: Lived, hear: Hear, until: float) -> None:
    lines = Lines()
    # A closed socket has no number: `hear` hung up.
    while ours.fileno() >= 0:
        ours.settimeout(max(0.01, until - time.monotonic()))
        try:
            data = ours.recv(65536)
        except ConnectionResetError:
            return
        if not data:
            return
        for message in lines.feed(data):
            lived.hear(message)
            hear(message, ours)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode(errors="replace"))


def with_workers(plan: Plan, word: str) -> Plan:
    return replace(plan, workers=Workers.parse(word))


def routes_of(findings: Sequence[Finding], code: str) -> set[str]:
    return {finding.victim.route for finding in findings if finding.code == code}
