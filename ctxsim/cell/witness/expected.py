"""What the scenario expects of answers, and the answers that do not keep it.

Not every answer can be held to it. Who is told to come back later was refused for the load's sake,
and a body that nobody here can unpack may say what is expected: both are counted, and doubted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from ctxsim.cell.bodies import MISSING, TOO_LARGE, member, member_of
from ctxsim.cell.history import FAILED, Event
from ctxsim.cell.steps import fill_json
from ctxsim.cell.visits import Request, Response
from ctxsim.cell.witness.reasons import reason_for
from ctxsim.cell.witness.record import Record
from ctxsim.cell.witness.unique import Unique, as_bytes

_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_TOO_MANY_REQUESTS, _UNAVAILABLE = 429, 503
_READ, _SHOWN = 400, 120


class Expected:
    """Holds answers to what their steps expect."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._unique = Unique()
        # How many expected something, and were refused because too much was asked at once.
        self._refused = 0
        # How many came in a coding that is not unpacked, by its name.
        self.unread: Counter[str] = Counter()

    def examine(
        self, request: Request, response: Response, body: bytes, coding: str
    ) -> tuple[bool, bool]:
        """Note what is not kept: whether all is, and whether a text of the request's own is there.

        `body` is unpacked but for `coding`.
        """
        if asks_for_patience(response) and _is_unmet(request, response):
            self._refused += 1
            return False, False
        kept = True
        for event in self.broken(request, response, body, coding):
            self._record.note(event)
            kept = False
        return kept, kept and _tells(response, coding) and _names_its_own(request)

    def doubts(self) -> Iterator[str]:
        """Why what was answered tells too little."""
        if self._refused:
            yield (
                f"{self._refused:,} answers were a 429, or a 503 with Retry-After, in place of "
                "what is expected: send less at a time, or expect it"
            )
        for coding, count in self.unread.most_common():
            if coding == TOO_LARGE:
                yield (
                    f"{count:,} answers unpack to more than is looked at: nothing could be found "
                    "in the rest of them; have less packed in one answer"
                )
                continue
            yield (
                f"{count:,} answers came as {coding}, which is not unpacked: nothing could be "
                "found in them; have them sent plainly, or as gzip"
            )

    def broken(
        self, request: Request, response: Response, body: bytes, coding: str
    ) -> Iterator[Event]:
        """What a step expects, and its answer does not keep."""
        expect = request.prepared.step.expect
        is_error = is_failure(response) and response.status not in expect.status
        if expect.status and response.status not in expect.status:
            wanted = " or ".join(map(str, expect.status))
            relation = FAILED if is_error else ""
            yield self._unmet(request, "status", wanted, _status(request, response), relation)
            if is_error:
                # That the page of an error lacks what is expected follows.
                return
        if not _tells(response, coding):
            return
        for event in self._broken_body(request, response, body):
            yield replace(event, relation=FAILED) if is_error else event

    def _broken_body(self, request: Request, response: Response, body: bytes) -> Iterator[Event]:
        expect = request.prepared.step.expect
        if expect.unique is not None and _is_answer(request, response):
            yield from self._alike(request, body, expect.unique)
        if not (expect.contains or expect.absent or expect.json):
            return
        text = body.decode(errors="replace")
        for template, rendered in zip(
            expect.contains, request.prepared.expect_contains, strict=True
        ):
            wanted = request.fill(rendered)
            if wanted not in text:
                place = f"contains {template!r}"
                yield self._unmet(request, place, wanted, short(text), _own(template))
        for template, rendered in zip(expect.absent, request.prepared.expect_absent, strict=True):
            unwanted = request.fill(rendered)
            if unwanted in text:
                yield self._unmet(request, f"absent {template!r}", f"no {unwanted!r}", short(text))
        if expect.json:
            yield from self._broken_members(request, text)

    def _alike(self, request: Request, body: bytes, member: str) -> Iterator[Event]:
        place = f"unique member {member}" if member else "unique"
        if member:
            value = member_of(body, member)
            if value is MISSING:
                yield self._unmet(request, place, "such a member", "no such member")
                return
            body = as_bytes(value)
        other = self._unique.other(request, body)
        if other is not None:
            shown = short(body.decode(errors="replace"))
            wanted = "what no other answer to this step has"
            event = self._unmet(request, place, wanted, f"{shown} (as {other})")
            yield replace(event, source=other)

    def _broken_members(self, request: Request, text: str) -> Iterator[Event]:
        try:
            document = json.loads(text)
        except ValueError:
            yield self._unmet(request, "json", "a JSON document", short(text))
            return
        templates = request.prepared.step.expect.json
        for (path, template), (_, value) in zip(
            templates, request.prepared.expect_json, strict=True
        ):
            wanted, got = fill_json(value, request.fill_value), member(document, path)
            # JSON knows true from 1, which are equal in Python.
            if got != wanted or (got is True) != (wanted is True):
                place = f"json member {path}"
                shown = "no such member" if got is MISSING else short(repr(got))
                own = _own(json.dumps(template))
                yield self._unmet(request, place, repr(wanted), shown, own)

    def _unmet(
        self, request: Request, place: str, wanted: str, got: str, relation: str = ""
    ) -> Event:
        return Event(
            kind="expectation.broken",
            place=place,
            victim=request.who,
            relation=relation,
            seen=got,
            expected=wanted,
            at_request=self._record.ended + 1,
        )


def asks_for_patience(response: Response) -> bool:
    """Whether an application says that it is asked too much at once (RFC 6585, RFC 9110)."""
    if response.status != _UNAVAILABLE:
        return response.status == _TOO_MANY_REQUESTS
    return any(name.lower() == "retry-after" for name, _ in response.headers)


def is_failure(response: Response) -> bool:
    """Whether an answer is an error as a whole."""
    raised = response.error is not None and not response.complete
    return raised or response.status >= _SERVER_ERROR


def short(text: str) -> str:
    """The beginning of a text, for a reader."""
    printable = "".join(c if c.isprintable() else " " for c in text[:_READ])
    words = " ".join(printable.split())
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}..."


def _tells(response: Response, coding: str) -> bool:
    """Whether a body can be held to what is expected of it."""
    return not coding and not asks_for_patience(response)


def _is_unmet(request: Request, response: Response) -> bool:
    """Whether the step expects something, and another status than it got."""
    expect = request.prepared.step.expect
    if expect.status:
        return response.status not in expect.status
    return bool(expect.contains or expect.absent or expect.json or expect.unique is not None)


def _own(template: str) -> str:
    """How an expectation is related to its request: where it names a text of the request's own."""
    return "own" if "{" in template else ""


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


def _status(request: Request, response: Response) -> str:
    reason = reason_for(request, response)
    if response.error is not None:
        return reason
    return f"{response.status}, {reason}" if reason else str(response.status)
