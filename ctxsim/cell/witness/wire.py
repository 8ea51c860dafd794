"""Which request of a connection a response belongs to; and which ways of sending a server takes.

A response that carries what belongs to another request may be the application's doing, which keeps
values where requests share them, or that of the wire: an answer came in the place of another
one. The wire is to blame where both requests went by the same connection, where their steps give
back their own canaries when each has a connection of its own, and where neither of the two did so
here. In all other cases the application is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ctxsim.cell.history import Event, Who
from ctxsim.cell.visits import Request
from ctxsim.cell.witness.marks import Mark, Marks
from ctxsim.cell.witness.record import Record

# So many requests of a connection are remembered: answers are misplaced by a few, never by more.
_MOST_OF_LINE = 64
# So many answers show that a step takes a body in another shape.
_TRIALS = 2

# What a step is to a client: visitors send it without credentials.
StepKey = tuple[int, bool]


class Line:
    """A connection that several requests share, and how each was answered.

    `answered` maps a request's canary to whether its answer held it, None while there is none.
    """

    __slots__ = ("answered",)

    def __init__(self) -> None:
        self.answered: OrderedDict[str, bool | None] = OrderedDict()

    def send(self, request: Request) -> None:
        """The request goes by this connection."""
        request.line = self
        self.answered[request.canary] = None
        if len(self.answered) > _MOST_OF_LINE:
            self.answered.popitem(last=False)

    def leave(self, request: Request) -> None:
        """The request got no answer here, and goes by another connection."""
        request.line = None
        self.answered.pop(request.canary, None)


class Wire:
    """Judges what came by connections that are shared, and bodies in shapes on trial."""

    def __init__(self, record: Record, marks: Marks, routes: Sequence[str]) -> None:
        self._record = record
        self._marks = marks
        self._routes = routes
        # Steps that were answered plainly, by a connection of their own: whether their own canary
        # was in the answer.
        self._gives_back: dict[StepKey, bool] = {}
        # What another request's answer will decide, by that one's canary.
        self._waiting: dict[str, list[Callable[[], None]]] = {}
        self._accepted: dict[tuple[int, str], int] = {}
        self._refused: set[tuple[int, str]] = set()

    def knows(self, request: Request) -> bool:
        """Whether it is known how the step is answered plainly; before, nothing else is tried."""
        return _key(request) in self._gives_back

    # Bodies in other shapes

    def takes(self, request: Request, shape: str) -> bool:
        """Whether the server may take bodies of this step in that shape."""
        return (request.prepared.index, shape) not in self._refused

    def is_trial(self, request: Request) -> bool:
        """Whether it is not known yet that the server takes this shape: then nothing is judged."""
        key = (request.prepared.index, request.shape)
        return bool(request.shape) and self._accepted.get(key, 0) < _TRIALS

    def tried(self, request: Request, *, has_own: bool, kept: bool) -> bool:
        """Take up the answer to a trial: whether it was answered as a plain body is."""
        key = (request.prepared.index, request.shape)
        taken = kept and (has_own or not self._gives_back.get(_key(request), False))
        if taken:
            self._accepted[key] = self._accepted.get(key, 0) + 1
        else:
            self._refused.add(key)
        return taken

    def refused(self) -> list[str]:
        """The steps and shapes that were answered otherwise, in words."""
        return [f"{self._routes[index]} as {shape}" for index, shape in sorted(self._refused)]

    # Answers in the place of others

    def examined(
        self,
        request: Request,
        marks: Iterable[Mark],
        *,
        has_own: bool,
        otherwise: Callable[[], None],
    ) -> bool:
        """Whether an answer that holds these marks of others is the wire's matter.

        Where that is not known yet, `otherwise` is called if it turns out to be the application's.
        """
        line = request.line
        if not isinstance(line, Line):
            if not request.faulted and not request.shape:
                self._learn(_key(request), has_own=has_own)
            return False
        gave_back = has_own or not self._gives_back.get(_key(request), False)
        line.answered[request.canary] = gave_back
        for decide in self._waiting.pop(request.canary, ()):
            decide()
        if gave_back:
            return False
        found = next(
            (m for m in marks if m.text != request.canary and m.text in line.answered), None
        )
        if found is None or line.answered[found.text] is True:
            return False
        if line.answered[found.text] is False:
            self._note(request, found)
        else:
            self._wait(line, request, found, otherwise)
        return True

    def unasked(self, data: bytes) -> None:
        """What came on a connection while no answer was awaited on it."""
        for mark in self._marks.in_bytes(data):
            if mark.request and not mark.torn:
                who = Who(mark.user, mark.request)
                at_request = self._record.ended + 1
                self._record.note(_misplaced("after its last answer", who, who, mark, at_request))

    def gone(self, request: Request) -> None:
        """No answer came to the request: what waits for it is decided without."""
        for decide in self._waiting.pop(request.canary, ()):
            decide()

    def finish(self) -> None:
        """Decide what still waits, at the end of a run."""
        for canary in list(self._waiting):
            for decide in self._waiting.pop(canary, ()):
                decide()

    def _learn(self, key: StepKey, *, has_own: bool) -> None:
        # One that gives it back only sometimes is no witness.
        self._gives_back[key] = self._gives_back.get(key, True) and has_own

    def _wait(
        self, line: Line, request: Request, found: Mark, otherwise: Callable[[], None]
    ) -> None:
        def decide() -> None:
            if line.answered.get(found.text) is False:
                self._note(request, found)
            else:
                otherwise()

        self._waiting.setdefault(found.text, []).append(decide)

    def _note(self, request: Request, mark: Mark) -> None:
        source = Who(mark.user, mark.request)
        event = _misplaced("in its place", request.who, source, mark, self._record.ended + 1)
        self._record.note(replace(event, expected=request.canary))


def _misplaced(place: str, victim: Who, source: Who, mark: Mark, at_request: int) -> Event:
    return Event(
        kind="answer.misplaced",
        place=place,
        victim=victim,
        source=source,
        relation="request",
        seen=mark.text,
        at_request=at_request,
    )


def _key(request: Request) -> StepKey:
    return request.prepared.index, request.user.number == 0
