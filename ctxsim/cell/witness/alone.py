"""Compares what requests are answered with what is known of their answers alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from ctxsim.cell.history import A_NUMBER, A_PART, AS_ANOTHER, AS_TOLD, Event, Who
from ctxsim.cell.learnt import Answered, Learnt
from ctxsim.cell.likeness import (
    EDGE,
    Template,
    excerpt,
    first_difference,
    is_part,
    nearest,
    words,
)
from ctxsim.cell.plan import Plan
from ctxsim.cell.visits import Request, Response
from ctxsim.cell.witness.counting import GivenTwice
from ctxsim.cell.witness.expected import asks_for_patience
from ctxsim.cell.witness.own_words import CANARY, OwnWords, head_of, told, way
from ctxsim.cell.witness.reasons import reason_for
from ctxsim.cell.witness.record import Record
from ctxsim.cell.witness.steady import Meeting, Steady

_DIGITS = b"0123456789"
# So many forms of one answer are known again at once; an answer that never comes twice in the same
# form is, after some, looked at closely only now and then, because that takes long.
_MOST_FORMS = 2048
_CLOSE_LOOKS = 256
_THEN_EVERY = 16
_SHOWN = 160
# A default in place of a value is one number, and comes often. What changes with the load (how long
# it took, how many are served) takes many values, or begins beside the one that it had alone.
_OFTEN = 5
_REDIRECTIONS, _SERVER_ERRORS = 300, 500


class Examiner(Protocol):
    """Looks at answers that nothing else is said of; True where it compared something."""

    def examine(self, request: Request, response: Response, body: bytes) -> bool: ...


class Settled:
    """Hands on what is answered one by one, but for the visit after a request that failed.

    What a failed request leaves behind in the process, it leaves to whoever comes next, and no
    longer does that one answer alone. What it leaves to its own user is that user's own past.
    """

    def __init__(self, inner: Examiner) -> None:
        self._inner = inner
        self._left_over = False

    def examine(self, request: Request, response: Response, body: bytes) -> bool:
        if request.faulted:
            self._left_over = True
            return False
        if self._left_over:
            # The last step of that visit.
            self._left_over = bool(request.lane.steps)
            return False
        return self._inner.examine(request, response, body)


def _is_none(response: Response) -> bool:
    """Whether no answer came, as where a server restarts: that is none that differs."""
    return response.error is not None and not response.status


@dataclass(slots=True)
class _Often:
    """What was answered several times in the same way."""

    first: Event
    times: int = 0


class Known:
    """One way in which a step is answered alone, and the forms of it that were met."""

    __slots__ = (
        "always", "answered", "as_alone", "close_looks", "forms", "head", "known_again",
        "numbers", "of_users", "steady", "telling",
    )  # fmt: skip

    def __init__(self, answered: Answered, *, is_load: bool) -> None:
        self.answered = answered
        # Those of a search begin again in each of its processes.
        self.steady = Steady(answered.steady) if answered.steady and is_load else None
        headers = answered.steady_headers
        self.head = Steady(tuple(range(len(headers)))) if headers and is_load else None
        self.always = answered.always
        self.of_users = {each.user: each.template for each in answered.of_users}
        self.forms: dict[int, set[int]] = {0: set()}
        self.close_looks = self.known_again = 0
        # How many answers were the same as alone, their numbers, too.
        self.as_alone = 0
        # By place in the template and by number: what was answered with it, in a load.
        self.numbers: dict[int, dict[str, _Often]] = {}
        self.telling = any(mark != CANARY for mark in answered.always)

    def forms_of(self, user: int) -> set[int]:
        """The forms that were met in which this user is answered as alone."""
        apart = self.steady is not None or user in self.of_users
        return self.forms.setdefault(user if apart else 0, set())

    def count_again(self) -> None:
        """Count an answer that is as one before, which was as alone."""
        self.as_alone += 1
        self.known_again += 1

    def is_closed(self) -> bool:
        """Whether to leave this one out, of answers that are hardly ever the same."""
        self.close_looks += 1
        seldom = self.close_looks > max(_CLOSE_LOOKS, self.known_again)
        return seldom and self.close_looks % _THEN_EVERY != 0


class Comparison:
    """Notes each answer that is otherwise than alone."""

    def __init__(
        self,
        plan: Plan,
        own_words: OwnWords,
        record: Record,
        users: int,
        is_shared: Callable[[Request], bool],
    ) -> None:
        self._own_words = own_words
        self._record = record
        self._users = users
        self._is_shared = is_shared
        self._one_by_one = plan.one_by_one
        self._is_parallel = plan.users.parallel > 1
        learnt = plan.learnt or Learnt()
        # The steps of visitors say nothing of what is expected.
        self._expected = [step.expect.status for step in plan.steps]
        self._situations = plan.situations
        self._ways = {(each.step, each.visitor): each for each in learnt.ways}
        self._known = {
            (each.step, each.visitor, each.status): Known(each, is_load=plan.search is None)
            for each in learnt.answers
        }
        is_load = plan.search is None and not plan.one_by_one
        self.given_twice = GivenTwice(learnt.counters if is_load else (), plan)

    def expect(self, users: int) -> None:
        """So many users there are from now on."""
        self._users = users

    def examine(self, request: Request, response: Response, body: bytes) -> bool:
        lane = request.lane
        if request.faulted or lane.settling or lane.unsettled:
            return False
        user = request.user.number
        step = self._situations[request.prepared.index]
        known = self._known.get((step, user == 0, response.status))
        if known is None or response.error is not None:
            self._see_way(request, response, body)
            return False
        is_headed, is_told = self._see_head(known, request, response)
        if is_told:
            return True
        data = body if response.status < _REDIRECTIONS else told(response, body)
        if user and self.given_twice.counts(step, response.status):
            said = words(self._own_words.marked(request, data))
            self.given_twice.see(step, response.status, request, said, body)
        return self._compare(known, request, data) or is_headed

    @property
    def tells_users_apart(self) -> bool:
        """Whether any users are answered in ways of their own alone."""
        return any(known.of_users for known in self._known.values())

    def known_as(self, request: Request, response: Response) -> Known | None:
        """What an answer is as that came before; None if each such answer has to be looked at."""
        user, status = request.user.number, response.status
        step = self._situations[request.prepared.index]
        known = self._known.get((step, user == 0, status))
        if known is None or status >= _REDIRECTIONS or known.steady or known.head:
            return None
        if self.given_twice.counts(step, status):
            return None
        form = self._form(known, request, response.body)
        return known if form in known.forms_of(user) else None

    def _form(self, known: Known, request: Request, data: bytes) -> int | None:
        """What an answer is known again by; None where that needs a closer look."""
        reduced = self._own_words.reduced(request, data)
        if reduced is None:
            return None
        own = request.user.number in known.of_users
        exactly = own or known.steady is not None or known.answered.numbers is not None
        return hash(reduced if exactly else reduced.translate(None, _DIGITS))

    def _see_head(self, known: Known, request: Request, response: Response) -> tuple[bool, bool]:
        """Whether headers were compared with the user's own, and whether they are told of."""
        if known.head is None:
            return False, False
        said = head_of(response)
        values = [said[name] for name in known.answered.steady_headers if name in said]
        if len(values) < len(known.answered.steady_headers):
            return False, False
        met = known.head.meet(request.who, tuple(values))
        is_told = met.meeting is not None and self._note_meeting(known, request, met.meeting)
        return met.compared, is_told

    def _compare(self, known: Known, request: Request, data: bytes) -> bool:
        user = request.user.number
        own = user in known.of_users
        if known.answered.template is None and not own:
            return self._see_own(known, request, data)
        form = self._form(known, request, data)
        if form is not None and form in known.forms_of(user):
            known.count_again()
            return known.telling or own or known.steady is not None
        return not known.is_closed() and self._look_closely(known, request, data, form)

    def _see_own(self, known: Known, request: Request, data: bytes) -> bool:
        """Answers that vary: only whether their own values are there."""
        for mark in known.always:
            value = self._own_words.value(mark, request)
            if value.encode("latin-1") not in data:
                template = words(data.decode("latin-1"))
                self._note(request, "its own value is missing", excerpt(template, 0), value, known)
                return False
        return known.telling

    def _look_closely(self, known: Known, request: Request, data: bytes, form: int | None) -> bool:
        user = request.user.number
        template = known.of_users.get(user, known.answered.template)
        assert template is not None
        text = self._own_words.marked(request, data)
        sample = words(text)
        at = first_difference(template, sample)
        if at < 0:
            if user not in known.of_users and self._sees_numbers(known, request, sample):
                return known.telling
            known.as_alone += 1
            met = None if known.steady is None else known.steady.meet(request.who, sample)
            if met is not None and met.is_news:
                known.forms.clear()
            if met is not None and met.meeting is not None:
                return self._note_meeting(known, request, met.meeting)
            forms = known.forms_of(user)
            if form is not None and len(forms) < _MOST_FORMS and (met is None or met.is_own):
                forms.add(form)
            compared = met is not None and met.compared
            return known.telling or user in known.of_users or compared
        if self._see_another(known, request, data):
            return True
        there = set(self._own_words.always_in(request, text))
        missing = [mark for mark in known.always if mark not in there]
        place = A_PART if is_part(template, sample) else "body"
        place = "its own value is missing" if missing else place
        wanted, seen = (
            excerpt(self._own_words.as_sent(request, each), at)
            for each in (nearest(template, sample), sample)
        )
        self._note(request, place, seen, wanted, known)
        return False

    def _note_meeting(self, known: Known, request: Request, met: Meeting) -> bool:
        """Note that two users were told what, alone, only one of them is; True where it is told."""
        if self._is_shared(request):
            return False
        alone = f"no two users are told the same, {known.answered.count} times"
        seen = _short(f"{met.seen} (as {met.other})")
        event = self._event(request, AS_TOLD, seen, alone)
        self._record.note(replace(event, victim=met.victim))
        return True

    def _sees_numbers(self, known: Known, request: Request, sample: tuple[str, ...]) -> bool:
        """Whether an answer that is as alone otherwise holds another number than it does alone."""
        wanted = known.answered.numbers
        at = -1 if wanted is None else first_difference(wanted, sample)
        # What a user's own requests do to each other at the same time is that user's matter.
        if wanted is None or at < 0 or self._is_parallel or self._is_shared(request):
            return False
        shown = (excerpt(self._own_words.as_sent(request, each), at) for each in (sample, wanted))
        event = self._event(request, A_NUMBER, _short(next(shown)), _of(known, next(shown)))
        if self._one_by_one:
            self._record.note(event)
        else:
            known.numbers.setdefault(at, {}).setdefault(sample[at], _Often(event)).times += 1
        return True

    def tell_numbers(self) -> None:
        """Note, after a load, the numbers that stood in the place of another one."""
        # A gauge, such as the number of threads, is another one all the time.
        seen = (known for known in self._known.values() if known.as_alone >= _OFTEN)
        for known in seen:
            for at, others in known.numbers.items():
                wanted = (known.answered.numbers or ())[at]
                often = next(iter(others.values()))
                if len(others) == 1 and often.times >= _OFTEN and _are_apart(wanted, *others):
                    self._record.note(often.first, times=often.times)

    def _see_way(self, request: Request, response: Response, body: bytes) -> None:
        """An answer with a status that was hardly, or never, seen alone."""
        step, visitor = self._situations[request.prepared.index], request.user.number == 0
        ways, got = self._ways.get((step, visitor)), way(response)
        if ways is None or got in ways.ways or _is_none(response):
            return
        data, reason = told(response, body), reason_for(request, response)
        if response.error is None:
            # Whoever wrote the scenario knew of it. Of visitors it says nothing but that the server
            # may be unable: what else it expects is what users get.
            expected = response.status in self._expected[step]
            if expected and (not visitor or response.status >= _SERVER_ERRORS):
                return
            if asks_for_patience(response):
                return
            of_users = self._known.get((step, False, response.status))
            if visitor and of_users is not None and self._see_another(of_users, request, data):
                return
        # The page of an error is the same for all of them.
        seen = reason or _short(data.decode("latin-1"))
        self._add(request, f"status {got}", seen, f"{' or '.join(ways.ways)}, {ways.count} times")

    def _see_another(self, known: Known, request: Request, data: bytes) -> bool:
        """Whether this is what exactly one other user is answered alone; then it is noted."""
        of_users = self._known.get((known.answered.step, False, known.answered.status))
        if of_users is None:
            return False
        text = self._own_words.without_canaries(request, data)
        sample = words(text)
        fitting = [
            user
            for user, template in self._templates(of_users, text)
            if user != request.user.number
            and len(template) == len(sample)
            and first_difference(self._own_words.as_told_to(user, template), sample) < 0
        ]
        if len(fitting) != 1:
            return False
        self._add(request, AS_ANOTHER, _short(text), "", Who(fitting[0], 0))
        return True

    def _templates(self, known: Known, text: str) -> Iterator[tuple[int, Template]]:
        yield from known.of_users.items()
        template = known.answered.template
        if (
            known.of_users
            or template is None
            or not any(EDGE + "user." in (w or "") for w in template)
        ):
            return
        named = {n for each in self._own_words.variables for _, n in each.text.find(text)}
        yield from ((user, template) for user in sorted(named) if user <= self._users)

    def _note(self, request: Request, place: str, seen: str, wanted: str, known: Known) -> None:
        self._add(request, place, _short(seen), _of(known, wanted))

    def _add(
        self, request: Request, place: str, seen: str, wanted: str, source: Who | None = None
    ) -> None:
        if not self._is_shared(request):
            self._record.note(self._event(request, place, seen, wanted, source))

    def _event(
        self, request: Request, place: str, seen: str, wanted: str, source: Who | None = None
    ) -> Event:
        relation = "" if source is None else "user" if request.user.number else "visitor"
        return Event(
            kind="answer.otherwise" if source is None else "answer.foreign",
            place=place,
            victim=request.who,
            source=source,
            relation=relation,
            seen=seen,
            expected=wanted,
            at_request=self._record.ended + 1,
        )


def _of(known: Known, wanted: str) -> str:
    count = known.answered.count
    return f"{_short(wanted)}, {count} of {count} times"


def _are_apart(wanted: str | None, number: str) -> bool:
    if wanted is None or not (wanted.isdecimal() and number.isdecimal()):
        return True
    return abs(int(wanted) - int(number)) > 1


def _short(text: str) -> str:
    # It was read byte by byte.
    text = text.replace(EDGE, "").encode("latin-1", "replace").decode(errors="replace")
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * _SHOWN])
    line = " ".join(printable.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
