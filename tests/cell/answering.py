"""One request in the hands of what examines its answer."""

from __future__ import annotations

import threading

from driving import RUN, plan_of, step

from ctxsim.cell import canaries
from ctxsim.cell.history import Event, Tally
from ctxsim.cell.plan import Users
from ctxsim.cell.targets.importing import resolve
from ctxsim.cell.visits import Response, Traffic
from ctxsim.cell.witness.answers import Answers, Owner
from ctxsim.cell.witness.marks import Marks
from ctxsim.cell.witness.record import Record


class Bench:
    """One request of user 1 (or of a visitor) in the hands of what examines its answer."""

    def __init__(self, asked=None, *, visitor=False, **keys):
        asked = asked or step("GET /wall/today?{canary}", mine=("{user.name}",))
        users = Users(vars=(("name", "user{n}"),))
        plan = plan_of(asked, users=users, **keys)
        traffic = Traffic(plan, clock=int)
        marks = Marks(plan, len(traffic.users))
        self.events: list[Event] = []
        record = Record(
            lambda message: self.events.append(Event.from_json(message["event"])),
            threading.Lock(),
        )
        owner = Owner(plan, traffic, marks, resolve)
        self._answers = Answers(marks, owner, record, "session")
        wanted = 0 if visitor else 1
        self.request = traffic.take()
        while self.request.user.number != wanted:
            self.request = traffic.take()
        self.tally = Tally()

    def examine(self, body="", *headers, status=200, **keys):
        data = body if isinstance(body, bytes) else body.encode()
        response = Response(status, list(headers), data, **keys)
        return self._answers.examine(self.request, response, self.tally)

    @property
    def doubts(self):
        return list(self._answers.expected.doubts())

    @property
    def seen(self):
        return [(event.kind, event.place, event.relation) for event in self.events]


def of(user, request, process=1):
    return canaries.canary(canaries.user_prefix(RUN, process, user), request)
