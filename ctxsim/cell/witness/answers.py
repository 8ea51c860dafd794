"""Responses: whose values came back, and whether the answer is what the scenario expects."""

from __future__ import annotations

import re
import zlib
from base64 import urlsafe_b64decode
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from ctxsim.cell.bodies import USUAL_TYPES, unpacked
from ctxsim.cell.history import Event, Tally, Who
from ctxsim.cell.plan import Plan
from ctxsim.cell.visits import Request, Response, Traffic
from ctxsim.cell.witness.again import Again
from ctxsim.cell.witness.alone import Examiner
from ctxsim.cell.witness.earlier import Earlier
from ctxsim.cell.witness.expected import Expected, asks_for_patience, short
from ctxsim.cell.witness.marks import Mark, Marks
from ctxsim.cell.witness.readings import coding_of, unbroken
from ctxsim.cell.witness.reasons import reason_for
from ctxsim.cell.witness.record import Record
from ctxsim.cell.witness.wire import Wire

_SERVER_ERROR = 500
_CLIENT_ERROR = 400
_REDIRECTION = 3
_EXCERPT = 24
# The words of a status line that a server has for its number say nothing of anyone.
_USUAL_REASONS = frozenset(status.phrase for status in HTTPStatus)
_REQUEST_ID = "header x-request-id"
# Neither a word nor base64 goes on across it.
_APART = b" \n "
_CODED_SESSION = re.compile(rb"\.?[A-Za-z0-9_-]{4,}")


class Owner:
    """Tells whether a mark may be seen by a request, and puts names to both sides."""

    def __init__(
        self, plan: Plan, traffic: Traffic, marks: Marks, resolve: Callable[[str], object]
    ):
        self._process = plan.process
        self._traffic = traffic
        self.marks = marks
        self._resolve = resolve
        self._routes = plan.shared.routes
        self._objects = plan.shared.objects
        # What was seen in a shared object once stays shared, for the object may have changed since.
        self._public: set[str] = set()
        # Canaries that bodies gave back to their own user when their request had ended.
        self.recalled: set[str] = set()

    def is_own(self, mark: Mark, request: Request) -> bool:
        """Whether `mark` is this request's, or that of the same user.

        What begins with all that tells its user and goes on otherwise may be a mixture, or cut off,
        but tells of nobody else: names are made so, of a value's beginning and a hash of it.
        """
        if mark.torn or mark.cut:
            return mark.text.startswith(request.user.prefix)
        number = request.user.number
        if number == 0:
            # A visitor is known by what it sent in this visit.
            return mark.text in (request.canary, *request.visit.values())
        return mark.user == number

    def is_shared_route(self, request: Request) -> bool:
        """Whether the scenario says that all may see what is answered here."""
        return any(covers(route, request.path) for route in self._routes)

    def is_shared(self, mark: Mark, request: Request, place: str = "") -> bool:
        """Whether the scenario says that all may see it: by the route or by an object.

        A page that all may see gives nobody another's cookie.
        """
        in_cookie = "cookie" in place
        if not in_cookie and self.is_shared_route(request):
            return True
        if self._objects and mark.text not in self._public:
            for name in self._objects:
                found = self.marks.in_object(self._resolve(name))
                self._public.update(each.text for each in found)
        return mark.text in self._public

    def source(self, mark: Mark) -> Who | None:
        """Whose mark it is; None where it cannot be told."""
        if mark.torn:
            return None
        here = mark.process in (None, self._process) and mark.request
        route = self._traffic.route_of(mark.user, mark.request) if here else ""
        return Who(mark.user, mark.request, route)

    def relation(self, mark: Mark, request: Request) -> str:
        """How the two stand to each other, as `Event.relation` has it."""
        identifies = mark.user != 0 and mark.request == 0 and not (mark.torn or mark.cut)
        if not identifies:
            return "request"
        return "user" if request.user.number else "visitor"


def _flaw(mark: Mark) -> str:
    if mark.torn:
        return " (a mixture of several canaries)"
    return " (its end is cut off)" if mark.cut else ""


def covers(route: str, path: str) -> bool:
    """Whether a route that is declared `shared` is that of `path`, or stands above it."""
    return path == route or (route != "/" and path.startswith(route.rstrip("/") + "/"))


class _Compared(NamedTuple):
    """Whether anything was compared, or noted; what came: another's answer, its own canary."""

    compared: bool
    told: bool
    misplaced: bool
    has_own: bool


# A mark, where it was, and what it was in.
_Foreign = tuple[Mark, str, bytes]
# Of most answers: made once, since to make one takes long.
_ITS_OWN = _Compared(compared=True, told=False, misplaced=False, has_own=True)


class Answers:
    """Examines each response; what does not belong there is noted."""

    def __init__(
        self,
        marks: Marks,
        owner: Owner,
        record: Record,
        session_cookie: str,
        alone: Examiner | None = None,
        wire: Wire | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        self.marks = marks
        self._owner = owner
        self._record = record
        self._session_cookie = session_cookie
        self.expected = Expected(record)
        # What was raised first of each kind of error, and by which route.
        self.reasons: dict[str, str] = {}
        # Knows, or learns, how requests are answered alone.
        self._alone = alone
        # Knows what requests to a server have to do with each other on their connections.
        self._wire = wire
        self._earlier = earlier
        # Knows answers again; None where each one has a part in what becomes of others.
        self.again: Again | None = None

    def examine(self, request: Request, response: Response, tally: Tally) -> bool:
        """Compare one response with its request; False where an expectation was broken."""
        again = self.again
        key = None if again is None else again.key_of(request, response)
        if again is None or key is None:
            return self._look(request, response, tally)[0]
        if (seen := again.get(key)) is not None:
            tally.compared += seen.compared
            return True
        kept, compared, is_plain = self._look(request, response, tally)
        if is_plain:
            again.learn(key, request, response, compared=compared)
        return kept

    def _look(self, request: Request, response: Response, tally: Tally) -> tuple[bool, bool, bool]:
        """Whether expectations were kept, whether anything was compared, and whether that is all.

        It is so where nothing is to be told of an answer that counts as no failure.
        """
        body, coding = unpacked(response.body, response.headers)
        if coding:
            self.expected.unread[coding] += 1
        if self._earlier is not None and not self._owner.is_shared_route(request):
            self._earlier.look(request, body)
        found = self._compare(request, response, body)
        compared, told = found.compared, found.told
        if self._wire is not None and self._wire.is_trial(request) and not request.faulted:
            self._try(self._wire, request, response, has_own=found.has_own)
        kept = True
        # Whose client has left expects nothing; who got an error instead of an answer does, but not
        # who got nothing at all. Nor does anything follow from an answer that is another request's
        # as a whole.
        answered = response.complete or (response.error is not None and response.status > 0)
        expects = not request.faulted and not found.misplaced
        if expects and answered and request.user.number:
            kept, is_own = self.expected.examine(request, response, body, coding)
            compared = compared or is_own
        # Of what belongs to others, or is not as expected, everything is told already.
        told = told or bool(coding)
        if self._alone is not None and (request.faulted or (answered and kept and not told)):
            compared = self._alone.examine(request, response, body) or compared
        tally.compared += compared
        failure = "" if request.faulted else failure_of(request, response)
        if failure:
            tally.failed += 1
            tally.failures[failure] = tally.failures.get(failure, 0) + 1
            if failure not in self.reasons and (reason := reason_for(request, response)):
                self.reasons[failure] = f"{request.step.route} raised {reason}"
        return kept, compared, kept and not told and not failure

    def _try(self, wire: Wire, request: Request, response: Response, *, has_own: bool) -> None:
        """See whether the server takes the body's shape, which is chosen here.

        What it makes of one that it does not take is no finding.
        """
        if asks_for_patience(response):
            return
        body, coding = unpacked(response.body, response.headers)
        broken = any(self.expected.broken(request, response, body, coding))
        kept = not (broken or failure_of(request, response))
        if not wire.tried(request, has_own=has_own, kept=kept):
            request.fault, request.faulted = "shape", True

    def _compare(self, request: Request, response: Response, body: bytes) -> _Compared:
        """Note what is not the request's own."""
        own = request.canary
        # To be sent elsewhere is no answer yet: a page that refuses everybody does so, and often
        # says where the client came from.
        elsewhere = response.status // 100 == _REDIRECTION
        compared = gave_back = False
        every: list[Mark] = []
        foreign: list[_Foreign] = []
        for place, data in self._pieces(response, body, own):
            others, has_own = self.marks.beside(data, own)
            if request.tagged and place.lower() == _REQUEST_ID:
                # What only sends a header back says nothing of the answer.
                has_own = False
            gave_back = gave_back or has_own
            if others:
                every += others
                belonging, strange = self._told_apart(request, others, place)
                foreign += [(mark, place, data) for mark in strange]
                has_own = has_own or belonging
            compared = compared or (has_own and (not elsewhere or "cookie" in place))
        misplaced = self._is_misplaced(request, response, every, foreign, has_own=gave_back)
        if compared and gave_back and not foreign and not misplaced:
            return _ITS_OWN
        told = bool(foreign) or misplaced
        return _Compared(compared or told, told, misplaced, gave_back)

    def _told_apart(
        self, request: Request, marks: list[Mark], place: str
    ) -> tuple[bool, list[Mark]]:
        """Whether any of these is the request's own, and those that it must not see."""
        others = []
        for mark in marks:
            if not self._owner.is_own(mark, request):
                others.append(mark)
            elif place == "body" and mark.request and not (mark.torn or mark.cut):
                self._owner.recalled.add(mark.text)
        strange = [mark for mark in others if not self._owner.is_shared(mark, request, place)]
        return len(others) < len(marks), strange

    def _is_misplaced(
        self,
        request: Request,
        response: Response,
        every: list[Mark],
        foreign: list[_Foreign],
        *,
        has_own: bool,
    ) -> bool:
        """Whether an answer is another request's by the connection's doing; else note the marks."""

        def note() -> None:
            for found in foreign:
                self._note_foreign(request, *found)

        wire = self._wire if response.complete else None
        if wire is not None and wire.examined(request, every, has_own=has_own, otherwise=note):
            return True
        if foreign:
            note()
        return False

    def _pieces(self, response: Response, body: bytes, own: str) -> list[tuple[str, bytes]]:
        """Where marks may be: the body, and of the head what holds any."""
        pieces = [("body", unbroken(body))] if body else []
        head = self._of_head(response)
        if len(head) > 1:
            # Most heads hold nothing, which one look at all of them together tells.
            others, has_own = self.marks.beside(_APART.join([data for _, data in head]), own)
            if not others and not has_own:
                return pieces
        return pieces + head if head else pieces

    def _of_head(self, response: Response) -> list[tuple[str, bytes]]:
        head = []
        if response.reason and response.reason not in _USUAL_REASONS:
            head.append(("status line", response.reason.encode("latin-1", "replace")))
        for name, value in response.headers:
            if name == "Content-Length" or value in USUAL_TYPES:
                continue
            data = value.encode("latin-1", "replace")
            if name.lower() == "set-cookie":
                head.append(self._cookie(data))
            else:
                head.append((f"header {name}", data))
        return head

    def _cookie(self, data: bytes) -> tuple[str, bytes]:
        pair = data.partition(b";")[0]
        name, _, value = pair.partition(b"=")
        if name.decode("latin-1").strip() != self._session_cookie and b"sess" not in name.lower():
            return f"cookie {name.decode('latin-1')}", data
        # Decoded, and as it stands: a plain value may happen to be valid base64 of something else.
        return f"session cookie {name.decode('latin-1')}", data + b"\n" + session_text(value)

    def _note_foreign(self, request: Request, mark: Mark, place: str, data: bytes) -> None:
        seen = _excerpt(data, mark.text) if place == "body" else mark.text
        # Behind a session cookie stands what it holds.
        sent = data.partition(b"\n")[0] if "cookie" in place else data
        self._record.note(
            Event(
                kind="answer.foreign",
                place=place,
                victim=request.who,
                source=self._owner.source(mark),
                relation=self._owner.relation(mark, request),
                seen=f"{seen}{_flaw(mark)}",
                expected=request.canary if mark.request or mark.cut else "",
                coding=coding_of(sent, mark.text),
                at_request=self._record.ended + 1,
            )
        )


def session_text(value: bytes) -> bytes:
    """The content of a signed session cookie (itsdangerous: base64, zlib after a dot), or b''."""
    match = _CODED_SESSION.match(value.strip(b'"'))
    if match is None:
        return b""
    coded = match[0].lstrip(b".")
    try:
        decoded = urlsafe_b64decode(coded + b"=" * (-len(coded) % 4))
        return zlib.decompress(decoded) if match[0].startswith(b".") else decoded
    except (ValueError, zlib.error):
        return b""


def failure_of(request: Request, response: Response) -> str:
    """Why a request counts as failed; '' where it does not."""
    if response.error is not None:
        return type(response.error).__name__
    status = response.status
    # Most are none, and to ask what the step expects takes as long as all else here.
    if status < _CLIENT_ERROR or not response.complete:
        return ""
    if status in request.prepared.step.expect.status:
        return ""
    # That a visitor is turned away is as it should be.
    limit = _CLIENT_ERROR if request.user.number else _SERVER_ERROR
    return str(status) if status >= limit else ""


def _excerpt(data: bytes, text: str) -> str:
    at = data.lower().find(text.lower().encode())
    if at < 0:
        return text
    part = data[max(0, at - _EXCERPT) : at + len(text) + _EXCERPT]
    return short(part.decode(errors="replace"))
