"""Responses: whose values came back, and whether the answer is what the scenario expects."""

from __future__ import annotations

import json
import re
import zlib
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from ctxsim.cell.history import Event, Tally, Who
from ctxsim.cell.plan import Json, Plan
from ctxsim.cell.steps import fill_json
from ctxsim.cell.visits import Request, Response, Traffic
from ctxsim.cell.witness.alone import Examiner
from ctxsim.cell.witness.earlier import Earlier
from ctxsim.cell.witness.marks import Mark, Marks
from ctxsim.cell.witness.readings import plain_body, unbroken
from ctxsim.cell.witness.record import Record
from ctxsim.cell.witness.unique import Unique, as_bytes
from ctxsim.cell.witness.wire import Wire

_SERVER_ERROR = 500
_CLIENT_ERROR = 400
_REDIRECTION = 3
_EXCERPT = 24
_READ, _SHOWN = 400, 120
# Content types that are in most responses and carry nothing.
_USUAL_TYPES = frozenset(
    f"{kind}{charset}"
    for kind in ("text/html", "text/plain", "application/json")
    for charset in ("", "; charset=utf-8")
)
_REQUEST_ID = "header x-request-id"
# Neither a word nor base64 goes on across it.
_APART = b" \n "
_MISSING = object()
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
        self._marks = marks
        self._owner = owner
        self._record = record
        self._session_cookie = session_cookie
        self._unique = Unique()
        # Knows, or learns, how requests are answered alone.
        self._alone = alone
        # Knows what requests to a server have to do with each other on their connections.
        self._wire = wire
        self._earlier = earlier

    def examine(self, request: Request, response: Response, tally: Tally) -> bool:
        """Compare one response with its request; False where an expectation was broken."""
        body = plain_body(response.body, response.headers)
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
            broken = list(self._broken(request, response))
            for event in broken:
                self._record.note(event)
            kept = not broken
            compared = compared or (kept and _names_its_own(request))
        # Of what belongs to others, or is not as expected, everything is told already.
        if self._alone is not None and (request.faulted or (answered and kept and not told)):
            compared = self._alone.examine(request, response, body) or compared
        tally.compared += compared
        if not request.faulted and (failure := failure_of(request, response)):
            tally.failed += 1
            tally.failures[failure] = tally.failures.get(failure, 0) + 1
        return kept

    def _try(self, wire: Wire, request: Request, response: Response, *, has_own: bool) -> None:
        """See whether the server takes the body's shape, which is chosen here.

        What it makes of one that it does not take is no finding.
        """
        kept = not (any(self._broken(request, response)) or failure_of(request, response))
        if not wire.tried(request, has_own=has_own, kept=kept):
            request.fault, request.faulted = "shape", True

    def _compare(self, request: Request, response: Response, body: bytes) -> _Compared:
        """Note what is not the request's own."""
        own = request.canary
        # To be sent elsewhere is no answer yet: a page that refuses everybody does so, and often
        # says where the client came from.
        elsewhere = response.status // 100 == _REDIRECTION
        compared = told = gave_back = False
        every: list[Mark] = []
        foreign: list[tuple[Mark, str, bytes]] = []
        for place, data in self._pieces(response, body, own):
            others, has_own = self._marks.beside(data, own)
            if request.tagged and place.lower() == _REQUEST_ID:
                # What only sends a header back says nothing of the answer.
                has_own = False
            belongs = not elsewhere or "cookie" in place
            compared = compared or (has_own and belongs)
            gave_back = gave_back or has_own
            every += others
            for mark in others:
                if self._owner.is_own(mark, request):
                    compared = compared or belongs
                    if place == "body" and mark.request and not (mark.torn or mark.cut):
                        self._owner.recalled.add(mark.text)
                elif not self._owner.is_shared(mark, request, place):
                    compared = told = True
                    foreign.append((mark, place, data))

        def note() -> None:
            for found in foreign:
                self._note_foreign(request, *found)

        misplaced = (
            self._wire is not None
            and response.complete
            and self._wire.examined(request, every, has_own=gave_back, otherwise=note)
        )
        if not misplaced:
            note()
        return _Compared(compared or misplaced, told or misplaced, misplaced, gave_back)

    def _pieces(self, response: Response, body: bytes, own: str) -> Iterator[tuple[str, bytes]]:
        """Where marks may be: the body, and of the head what holds any."""
        if body:
            yield "body", unbroken(body)
        head = list(self._of_head(response))
        if len(head) > 1:
            # Most heads hold nothing, which one look at all of them together tells.
            others, has_own = self._marks.beside(_APART.join([data for _, data in head]), own)
            if not others and not has_own:
                return
        yield from head

    def _of_head(self, response: Response) -> Iterator[tuple[str, bytes]]:
        if response.reason:
            yield "status line", response.reason.encode("latin-1", "replace")
        for name, value in response.headers:
            if name == "Content-Length" or value in _USUAL_TYPES:
                continue
            data = value.encode("latin-1", "replace")
            if name.lower() == "set-cookie":
                yield from self._cookie(data)
            else:
                yield f"header {name}", data

    def _cookie(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        pair = data.partition(b";")[0]
        name, _, value = pair.partition(b"=")
        if name.decode("latin-1").strip() != self._session_cookie and b"sess" not in name.lower():
            yield f"cookie {name.decode('latin-1')}", data
            return
        # Decoded, and as it stands: a plain value may happen to be valid base64 of something else.
        yield f"session cookie {name.decode('latin-1')}", data + b"\n" + session_text(value)

    def _note_foreign(self, request: Request, mark: Mark, place: str, data: bytes) -> None:
        seen = _excerpt(data, mark.text) if place == "body" else mark.text
        self._record.note(
            Event(
                kind="answer.foreign",
                place=place,
                victim=request.who,
                source=self._owner.source(mark),
                relation=self._owner.relation(mark, request),
                seen=f"{seen}{_flaw(mark)}",
                expected=request.canary if mark.request or mark.cut else "",
                at_request=self._record.ended + 1,
            )
        )

    def _broken(self, request: Request, response: Response) -> Iterator[Event]:
        expect = request.prepared.step.expect
        if expect.status and response.status not in expect.status:
            wanted = " or ".join(map(str, expect.status))
            yield self._unmet(request, "status", wanted, _status(response), own=False)
        if expect.unique is not None and _is_answer(request, response):
            yield from self._alike(request, response, expect.unique)
        if not (expect.contains or expect.absent or expect.json):
            return
        text = response.body.decode(errors="replace")
        for template, rendered in zip(
            expect.contains, request.prepared.expect_contains, strict=True
        ):
            wanted = request.fill(rendered)
            if wanted not in text:
                yield self._unmet(
                    request, f"contains {template!r}", wanted, _short(text), own="{" in template
                )
        for template, rendered in zip(expect.absent, request.prepared.expect_absent, strict=True):
            unwanted = request.fill(rendered)
            if unwanted in text:
                place = f"absent {template!r}"
                yield self._unmet(request, place, f"no {unwanted!r}", _short(text), own=False)
        if expect.json:
            yield from self._broken_members(request, text)

    def _alike(self, request: Request, response: Response, member: str) -> Iterator[Event]:
        body = response.body
        place = f"unique member {member}" if member else "unique"
        if member:
            value = _member_of(body, member)
            if value is _MISSING:
                yield self._unmet(request, place, "such a member", "no such member", own=False)
                return
            body = as_bytes(value)
        other = self._unique.other(request, body)
        if other is not None:
            shown = _short(body.decode(errors="replace"))
            wanted = "what no other answer to this step has"
            event = self._unmet(request, place, wanted, f"{shown} (as {other})", own=False)
            yield replace(event, source=other)

    def _broken_members(self, request: Request, text: str) -> Iterator[Event]:
        try:
            document = json.loads(text)
        except ValueError:
            yield self._unmet(request, "json", "a JSON document", _short(text), own=False)
            return
        templates = request.prepared.step.expect.json
        for (member, template), (_, value) in zip(
            templates, request.prepared.expect_json, strict=True
        ):
            wanted, got = fill_json(value, request.fill), _member(document, member)
            # JSON knows true from 1, which are equal in Python.
            if got != wanted or (got is True) != (wanted is True):
                own = "{" in json.dumps(template)
                place = f"json member {member}"
                shown = "no such member" if got is _MISSING else _short(repr(got))
                yield self._unmet(request, place, repr(wanted), shown, own=own)

    def _unmet(self, request: Request, place: str, wanted: str, got: str, *, own: bool) -> Event:
        return Event(
            kind="expectation.broken",
            place=place,
            victim=request.who,
            relation="own" if own else "",
            seen=got,
            expected=wanted,
            at_request=self._record.ended + 1,
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
    status, expected = response.status, request.prepared.step.expect.status
    if status in expected or not response.complete:
        return ""
    # That a visitor is turned away is as it should be.
    limit = _CLIENT_ERROR if request.user.number else _SERVER_ERROR
    return str(status) if status >= limit else ""


def _names_its_own(request: Request) -> bool:
    """Whether an expectation that held says that a text of this very user or request is there."""
    expect = request.prepared.step.expect
    if any("{" in text for text in expect.contains):
        return True
    return any("{" in json.dumps(value) for _, value in expect.json)


def _is_answer(request: Request, response: Response) -> bool:
    """Whether it is an answer as the step expects one, and no page of an error."""
    if not response.complete or response.error is not None:
        return False
    expected = request.prepared.step.expect.status
    return response.status in expected if expected else response.status < _CLIENT_ERROR


def _member_of(body: bytes, path: str) -> Any:
    try:
        return _member(json.loads(body), path)
    except ValueError:
        return _MISSING


def _member(document: Json, path: str) -> object:
    """What `path` leads to; _MISSING where there is nothing, which is not a null."""
    if isinstance(document, dict) and path in document:
        return document[path]
    for part in path.split("."):
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        else:
            return _MISSING
    return document


def _status(response: Response) -> str:
    if response.error is not None:
        return f"{type(response.error).__name__}: {response.error}"[:200]
    return str(response.status)


def _short(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text[:_READ])
    words = " ".join(printable.split())
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}..."


def _excerpt(data: bytes, text: str) -> str:
    at = data.lower().find(text.lower().encode())
    if at < 0:
        return text
    part = data[max(0, at - _EXCERPT) : at + len(text) + _EXCERPT]
    return _short(part.decode(errors="replace"))
