"""Probes: functions of the application's that the scenario names, called inside of requests.

What a probe returns must be the request's own, or None: a canary, or a text that belongs to a user,
of anybody else's is a finding, and so is another user's variable from `users.vars`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ctxsim.cell.history import Event
from ctxsim.cell.visits import Request, Traffic
from ctxsim.cell.witness.answers import Owner
from ctxsim.cell.witness.marks import Mark
from ctxsim.cell.witness.record import Record, where_we_are

Probe = Callable[[], object]


class Probes:
    """Calls the probes for a request, by whichever worker carries it."""

    def __init__(
        self, probes: Sequence[tuple[str, Probe]], traffic: Traffic, owner: Owner, record: Record
    ) -> None:
        self._probes = probes
        self._owner = owner
        self._record = record
        self._traffic = traffic
        self._variables: dict[str, set[int]] = {}
        self._users = 0
        self.expect(len(traffic.users))
        # The requests for which probes are being called: one that waits would otherwise call them
        # again from its own switch point.
        self._asked: set[Request] = set()

    def expect(self, users: int) -> None:
        """Know so many users by their variables."""
        told = {name for name, text in self._traffic.plan.users.vars if "{n}" in text}
        for number in range(self._users + 1, users + 1):
            for name, text in self._traffic.variables(number).items():
                if name in told:
                    self._variables.setdefault(text, set()).add(number)
        self._users = users

    def look(self, request: Request, moment: str) -> None:
        """Call each probe for `request`; `moment` says when, in words for a reader."""
        if request in self._asked:
            return
        self._asked.add(request)
        # No fault may befall a request in our own call.
        sheltered, request.sheltered = request.sheltered, True
        try:
            for name, probe in self._probes:
                self._compare(request, name, _answer(probe), moment)
        finally:
            request.sheltered = sheltered
            self._asked.discard(request)

    def _compare(self, request: Request, name: str, value: object, moment: str) -> None:
        if value is None:
            return
        for mark in self._marks_in(value, request):
            if self._owner.is_own(mark, request) or self._owner.is_shared(mark, request):
                continue
            self._record.note(
                Event(
                    kind="saw.foreign",
                    place=f"probe {name}",
                    victim=request.who,
                    source=self._owner.source(mark),
                    seen=f"{mark.text} {moment}",
                    where=where_we_are(3),
                    at_request=self._record.ended + 1,
                )
            )
            return

    def _marks_in(self, value: object, request: Request) -> Iterator[Mark]:
        text = str(value) if type(value) is int else value
        if type(text) is str and (users := self._variables.get(text)):
            if request.user.number not in users:
                yield Mark(text, min(users), 0)
            return
        yield from self._owner.marks.in_object(value)


def _answer(probe: Probe) -> object:
    try:
        return probe()
    # Outside of a context, before a login: a probe that has nothing to tell may say so by raising.
    except Exception:  # noqa: BLE001 # ok: see above
        return None
