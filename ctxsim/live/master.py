"""A master's side of a run: the plan goes out, last words come in, and who is lost is known.

Locust's own totals may lack what a worker did last, and it ends with 0 where a worker died. So the
verdict waits for the last word of every worker, or until it is known that none will come.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from ctxsim.jobs import run_of, seed_of
from ctxsim.live.board import Board
from ctxsim.live.orders import Order
from ctxsim.live.parts import Part, Run

logger = logging.getLogger(__name__)

HELLO, WELCOME, ORDER, FINISH, NEWS = (
    f"ctxsim_{each}" for each in ("hello", "welcome", "order", "finish", "news")
)
_MISSING = "missing"
# The states of Locust's runners in which users are there, or are about to come.
_UNDER_WAY = frozenset({"ready", "spawning", "running"})
_WATCH_EVERY_S = 0.5
# How late a last word may come after the last heartbeat.
_LATE_S = 20.0
# How long a connected worker may take to say that it is one of ctxsim's, which it does at once.
_HELLO_S = 10.0
_SILENT = "it did not say that it carries scenarios; start it by `ctxsim locust SCENARIO --worker`"


class Runner(Protocol):
    """What is asked of Locust's MasterRunner."""

    clients: Any
    state: str

    def register_message(self, msg_type: str, listener: Callable[..., Any]) -> None: ...
    def send_message(
        self, msg_type: str, data: Any = None, client_id: str | None = None
    ) -> None: ...
    def stop(self, send_stop_to_client: bool = True) -> None: ...


class Master:
    """Has the workers of a master carry one run after the other, each its own part.

    `on_end` is called where nobody carries a run any more that was not stopped.
    """

    def __init__(self, runner: Runner, on_end: Callable[[], object]) -> None:
        self._runner = runner
        self._on_end = on_end
        self._greeted: list[str] = []
        self._order: Order | None = None
        self._is_ending = False
        # By worker: since when no heartbeat has come.
        self._missing_s: dict[str, float] = {}
        self.run: Run | None = None
        self.board: Board | None = None
        runner.register_message(HELLO, self._on_hello)
        runner.register_message(NEWS, self._on_news)
        threading.Thread(target=self._watch, daemon=True).start()

    def begin(self, order: Order) -> Run:
        """Begin a run; those who are there, and those who come, get a part of it each."""
        scenario = order.scenario()
        seed = seed_of(scenario)
        run = run_of(scenario, seed)
        self._order = replace(order, text=scenario.text, seed=str(seed), run=run)
        # For every part: whether it can be carried at all shows here, and not on each machine.
        self._order.options(scenario)
        self._is_ending = False
        self.run = Run(scenario)
        self.board = Board(self.run)
        for worker in self._greeted:
            if worker in self._runner.clients:
                self._send_part(worker)
        return self.run

    def await_ready(self) -> None:
        """Wait until each worker that is connected has its part, and is ready for users."""
        asleep, until_s = threading.Event(), time.monotonic() + _HELLO_S
        while (run := self.run) is not None:
            if not (silent := set(self._runner.clients) - set(run.parts)):
                run.wait("ready")
                return
            if time.monotonic() > until_s:
                for worker in silent:
                    self._lose(self._part(run, worker), _SILENT)
            asleep.wait(_WATCH_EVERY_S)

    def end(self) -> None:
        """The users are about to go: from now on, a worker may be late."""
        if self.run is not None and not self._is_ending:
            self._find_lost(self.run)
            self._is_ending = True

    def finish(self) -> None:
        """Have all workers judge, after the users have gone."""
        self.end()
        self._runner.send_message(FINISH, None, None)

    def _on_hello(self, environment: Any, msg: Any, **_: object) -> None:
        if msg.node_id not in self._greeted:
            self._greeted.append(msg.node_id)
        self._runner.send_message(WELCOME, None, msg.node_id)
        run = self.run
        # Who comes while a run ends would wait for users, and the verdict for its last word.
        if run is None or run.is_over or self._is_ending or msg.node_id in run.parts:
            return
        self._send_part(msg.node_id)

    def _send_part(self, worker: str) -> None:
        assert self.run is not None
        order = self._part(self.run, worker).order
        self._runner.send_message(ORDER, {"order": json.dumps(order.to_json())}, worker)

    def _part(self, run: Run, worker: str) -> Part:
        assert self._order is not None
        part = Part(f"worker {worker}", replace(self._order, part=len(run.parts)))
        run.parts[worker] = part
        return part

    def _on_news(self, environment: Any, msg: Any, **_: object) -> None:
        run = self.run
        # What is said of an earlier run comes too late.
        if run is None or self._order is None or msg.data["run"] != self._order.run:
            return
        part = run.parts.get(msg.node_id)
        if part is not None and self.board is not None:
            part.take(json.loads(msg.data["news"]))
            self.board.look()

    def _watch(self) -> None:
        asleep, ended = threading.Event(), None
        while True:
            asleep.wait(_WATCH_EVERY_S)
            run = self.run
            if run is None or run is ended:
                continue
            self._find_lost(run)
            if run.is_over:
                ended = run
                if self._runner.state in _UNDER_WAY:
                    self._on_end()

    def _find_lost(self, run: Run) -> None:
        for worker, part in list(run.parts.items()):
            if not part.is_over and (why := self._why_lost(worker)):
                self._lose(part, why)

    def _lose(self, part: Part, why: str) -> None:
        part.lost = why
        logger.error("%s: %s", part.name, why)

    def _why_lost(self, worker: str) -> str:
        """Why a worker will hardly speak again; '' where it will."""
        if worker not in self._runner.clients:
            return "it left before its last word"
        if self._runner.clients[worker].state != _MISSING:
            self._missing_s.pop(worker, None)
            return ""
        # In a load, it is requests that are missing. At the end, whatever holds up its heartbeats:
        # where its last word comes all the same, nothing is.
        since_s = self._missing_s.setdefault(worker, time.monotonic())
        if self._is_ending and time.monotonic() - since_s < _LATE_S:
            return ""
        return "it went missing before its last word"
