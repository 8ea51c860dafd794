"""What it costs to look through one response for values that are not its own."""

from __future__ import annotations

import time

from measures import Measure, at_most

from ctxsim.cell.history import Tally
from ctxsim.cell.plan import Flow, Plan, Step, Target, Users, Workers
from ctxsim.cell.visits import Request, Response, Traffic
from ctxsim.cell.witness.answers import Answers, Owner
from ctxsim.cell.witness.marks import Marks
from ctxsim.cell.witness.record import Record

RUN = "0badcafe"
SMALL_BYTES, LARGE_BYTES = 200, 1_000_000
FIXED_GOAL_US, BYTE_GOAL_NS = 10, 1
LINE = b"<li class='item'>Two pounds of apples, one of pears: 4.80</li>\n"


def _plan() -> Plan:
    step = Step("", "GET", "/cart", mine=("{user.name}",))
    return Plan(
        scenario="scanning",
        run=RUN,
        process=1,
        seed=1,
        target=Target("none:app"),
        workers=Workers.parse("sync"),
        flows=(Flow("steps", 1.0, (step,)),),
        users=Users(vars=(("name", "user{n}@example.org"),)),
    )


class _NoLock:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class Scanned:
    """One response of about `size` bytes that carries its own canary, and all that looks at it."""

    def __init__(self, size: int) -> None:
        plan = _plan()
        traffic = Traffic(plan, time.perf_counter)
        marks = Marks(plan, len(traffic.users))
        record = Record(lambda _message: None, _NoLock())
        owner = Owner(plan, traffic, marks, lambda _name: None)
        self._answers = Answers(marks, owner, record, "session")
        self._tally = Tally()
        self._request = self._taken(traffic)
        own = self._request.canary.encode()
        self.body = (own + LINE * (size // len(LINE) + 1))[:size]
        headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(size))]
        self._response = Response(200, headers, self.body)

    def _taken(self, traffic: Traffic) -> Request:
        request = traffic.take()
        assert request is not None
        return request

    def us(self, times: int) -> float:
        """Microseconds of process time for one look, the least of five rounds."""
        return min(self._round(times) for _ in range(5))

    def _round(self, times: int) -> float:
        started = time.process_time()
        for _ in range(times):
            self._answers.examine(self._request, self._response, self._tally)
        assert self._tally.compared
        return (time.process_time() - started) / times * 1e6


def measure() -> list[Measure]:
    """A small page for what each response costs, a large one for what each byte does."""
    small_us = Scanned(SMALL_BYTES).us(5_000)
    large_us = Scanned(LARGE_BYTES).us(50)
    byte_ns = (large_us - small_us) * 1_000 / (LARGE_BYTES - SMALL_BYTES)
    return [
        at_most(
            "looking through a response",
            FIXED_GOAL_US,
            small_us,
            " us",
            f"{SMALL_BYTES} bytes of HTML with its own canary, and a text of each user to look for",
        ),
        at_most(
            "looking through a response, for each byte",
            BYTE_GOAL_NS,
            byte_ns,
            " ns",
            f"{large_us:,.0f} us for {LARGE_BYTES:,} bytes",
        ),
    ]
