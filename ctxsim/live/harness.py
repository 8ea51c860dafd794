"""The harness of one live load, in a process of its own that nothing has patched.

It says what happens over one socket, a JSON object a line, and hears of it who is there:

    Locust -> harness    {"say": "order", "order": {...}}       first, once
                         {"say": "users", "count": n}           so many are there
                         {"say": "finish"}                      all have gone: judge
    harness -> Locust    {"say": "begun", "cells": n, "steps": [[method, path], ...]}
                         {"say": "ready"}                       every cell waits for users
                         {"say": "requests", "cell": name, "rows": [[step, us, why], ...]}
                         {"say": "cells", "cells": [...]}       as they stand, from time to time
                         {"say": "drained"}                     the last request has ended
                         {"say": "last", "last": {...}}         judged; then nothing more
                         {"say": "failed", "code": n, "message": "..."}
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ctxsim.cell.canaries import MAX_USER
from ctxsim.cell.messages import Lines, Message, encode
from ctxsim.cells import Attendance, Halt, Progress
from ctxsim.errors import CtxsimError, ExitCode
from ctxsim.live.carried import Last, cell_to_json
from ctxsim.live.orders import Order
from ctxsim.report.judged import JudgedCell
from ctxsim.scenario import Scenario, cells, plan
from ctxsim.simulation import gather, named

_CHUNK_BYTES = 64 * 1024
_TELL_EVERY_S = 0.5


def serve(channel: socket.socket) -> None:
    """Carry out the one order that comes; returns when everything was said."""
    ears = Ears(channel)
    order = Order.from_json(ears.first()["order"])
    attendance, halt = Attendance(order.users), Halt()
    teller = Teller(channel)
    try:
        scenario = order.scenario()
        options = replace(order.options(scenario), attendance=attendance, halt=halt)
        ears.start(attendance, halt)
        teller.begin(scenario)
        gathered = gather(scenario, options, teller.tell)
    except CtxsimError as error:
        teller.say({"say": "failed", "code": int(error.exit_code), "message": str(error)})
        return
    except Exception as error:
        message = f"internal error in ctxsim (this is our bug): {error!r}"
        teller.say({"say": "failed", "code": int(ExitCode.FAULT), "message": message})
        raise
    teller.say({"say": "last", "last": Last.of(gathered.case, gathered.told).to_json()})


class Ears:
    """Hears who is there, in a thread; that nobody speaks any more ends everything."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._lines = Lines()
        self._early: list[Message] = []

    def first(self) -> Message:
        while data := self._channel.recv(_CHUNK_BYTES):
            self._early += self._lines.feed(data)
            if self._early:
                return self._early.pop(0)
        raise SystemExit("ctxsim: nobody said what to do")

    def start(self, attendance: Attendance, halt: Halt) -> None:
        threading.Thread(target=self._listen, args=(attendance, halt), daemon=True).start()

    def _listen(self, attendance: Attendance, halt: Halt) -> None:
        self._obey(self._early, attendance)
        while data := self._hear():
            self._obey(self._lines.feed(data), attendance)
        # Twice, because there is nobody to whom a last word could be said.
        halt.interrupt()
        halt.interrupt()

    def _hear(self) -> bytes:
        try:
            return self._channel.recv(_CHUNK_BYTES)
        except ConnectionError:
            return b""

    def _obey(self, messages: Any, attendance: Attendance) -> None:
        for message in messages:
            match message:
                case {"say": "users", "count": int() as count}:
                    attendance.come(min(count, MAX_USER))
                case {"say": "finish"}:
                    attendance.is_over = True


class Teller:
    """Says what happens: requests at once, how cells stand from time to time."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._cells: dict[str, tuple[Progress, float]] = {}
        self._reached: dict[str, set[str]] = {"ready": set(), "drained": set()}
        self._told_s = 0.0
        self._expected = 0

    def say(self, message: Message) -> None:
        # Who does not hear any more has closed the other end, which `Ears` notices.
        try:
            self._channel.sendall(encode(message))
        except ConnectionError:
            return

    def begin(self, scenario: Scenario) -> None:
        chosen = cells(scenario)
        self._expected = len(chosen)
        steps = plan(scenario, chosen[0], seed=0, run="0" * 8, process=1).steps
        paths = [[step.method, step.path.partition("?")[0]] for step in steps]
        self.say({"say": "begun", "steps": paths, "cells": len(chosen)})

    def tell(self, now: Progress) -> None:
        """Take up how one cell is."""
        if not now.job.plan.load.live:
            return
        name = now.job.cell.name
        if now.state == "requests":
            workers = now.job.cell.workers.word
            self.say({"say": "requests", "cell": workers, "rows": now.rows})
            return
        since_s = self._cells[name][1] if name in self._cells else time.monotonic()
        self._cells[name] = (now, since_s)
        self._tell_stages(name, now)
        if now.state != "tally" or time.monotonic() - self._told_s > _TELL_EVERY_S:
            self._told_s = time.monotonic()
            self.say({"say": "cells", "cells": self._as_they_stand()})

    def _tell_stages(self, name: str, now: Progress) -> None:
        # A cell may end before it was ready.
        for stage, reached_by in (("ready", ("ready", "ended")), ("drained", ("ended",))):
            reached = self._reached[stage]
            if now.state in reached_by and name not in reached:
                reached.add(name)
                if len(reached) == self._expected:
                    self.say({"say": stage})

    def _as_they_stand(self) -> Sequence[dict[str, Any]]:
        return [
            cell_to_json(_standing(progress, time.monotonic() - since_s))
            for progress, since_s in self._cells.values()
        ]


def _standing(now: Progress, elapsed_s: float) -> JudgedCell:
    cell = named(now.job.cell, now.kind)
    return JudgedCell(cell.storage, cell.workers.word, now.history, (), elapsed_s=elapsed_s)
