"""Trying routes: a traffic that sends each attempt once, alone, and notes how it was answered."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from ctxsim.cell.clients import User
from ctxsim.cell.likeness import without_digits
from ctxsim.cell.looking.attempts import (
    CANARY,
    USER,
    VARS,
    Attempt,
    as_json,
    attempts,
    carried,
    is_asked_for,
    sendable,
)
from ctxsim.cell.looking.carrying import (
    Carrying,
    Gift,
    Taker,
    Use,
    applied,
    gifts,
    takes_in_path,
)
from ctxsim.cell.looking.guessing import Guess, Guesses, Maker
from ctxsim.cell.looking.links import Links
from ctxsim.cell.looking.loops import Loops
from ctxsim.cell.looking.ways_in import asked_for, lets_out, logins, registers
from ctxsim.cell.messages import Message
from ctxsim.cell.open_load import Evenly
from ctxsim.cell.plan import Look, Step
from ctxsim.cell.sights import (
    LONG_S,
    NO_SUCH_PAGE,
    NO_TIME,
    UNSAFE,
    Read,
    Route,
    Sight,
    Trial,
    Tried,
)
from ctxsim.cell.steps import prepared
from ctxsim.cell.visits import Request, Response
from ctxsim.cell.witness.reasons import reason_for

_MOST_ROUTES = 150
_FIRST_ERROR, _FIRST_FAULT = 400, 500
# In the last part of the time, all routes are sent once before any is sent in more ways.
_IN_HURRY = 0.5
# Sent for the links of the page alone, with nothing of the user's in it.
_FOR_LINKS = "links"
# Sent to be let in again, where a try that failed has let the user out.
_BACK_IN = "back in"
# What an application reads that takes the header apart by itself.
_ANY_SCHEME = Read("auth", "header")
_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
# How a body is refused that is not what was wanted.
_NOT_UNDERSTOOD = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)


@dataclass(slots=True)
class _Course:
    """One route under trial."""

    route: Route
    left: deque[Attempt] = field(default_factory=deque)
    trials: list[Trial] = field(default_factory=list)
    why: str = ""
    fullest: Attempt | None = None
    # Once, where a form was not what it takes.
    as_json: Attempt | None = None
    taker: Taker | None = None
    # How it was answered when all that it reads was sent: the status, and what is always said.
    answers: list[tuple[int, str]] = field(default_factory=list)

    def tries_again(self) -> bool:
        """Whether it is sent once more, where it did nothing but fail.

        That may be for what the request before it left behind: others have been sent since.
        """
        failed = self.trials and all(trial.status >= _FIRST_FAULT for trial in self.trials)
        if not failed or self.fullest is None:
            return False
        self.left.append(self.fullest)
        self.fullest = None
        return True


class Trials:
    """Hands out attempts as `Traffic` hands out requests; one user sends all of them."""

    def __init__(
        self,
        routes: Sequence[Route],
        common: Iterable[Read],
        look: Look,
        *,
        session: Iterable[str],
        user: User,
        loops: Loops,
        clock: Callable[[], float],
        say: Callable[[Message], None],
        pace: Evenly | None = None,
        logged: Callable[[], str] = str,
        follows: bool = False,
    ) -> None:
        """`logged` gives what error the application logged last, '' where it logged none.

        With `follows`, what pages lead to is tried as well.
        """
        self._common, self._session = tuple(common), tuple(session)
        self._look = look
        self._links = Links(routes) if follows else None
        self._courses = [self._course(route) for route in routes]
        for course in [each for each in self._courses if not each.why][_MOST_ROUTES:]:
            course.why, course.left = "there are too many routes to try all of them", deque()
        # By their names, which no two have.
        self._by_name = {each.route.name: each for each in self._courses}
        takers = [each.taker for each in self._courses if each.taker and not each.why]
        self._carrying = Carrying(takers)
        self._guesses = Guesses(takers, self._is_lost)
        self._guess: Guess | None = None
        self._order = _in_turn(self._courses)
        self._user = user
        # The names of the cookies that answers have set.
        self._given: frozenset[str] = frozenset()
        self._loops = loops
        self._looping = ""
        self._clock = clock
        self._pace = pace
        self._logged = logged
        self._deadline = self._hurry = float("inf")
        self._say = say
        # The route, the way, and when it was sent.
        self._under_way: dict[int, tuple[_Course, Attempt, float]] = {}

    def _course(self, route: Route) -> _Course:
        course = _Course(route, why=self._why_not(route))
        if not course.why:
            names = sendable(route, self._common, session=self._session)
            asked = [each.name for each in names if is_asked_for(each)]
            course.taker = Taker(route, names, asked)
            ways = attempts(route, self._common, session=self._session)
            course.left.extend(ways[:1] if route == NO_SUCH_PAGE else ways)
            course.fullest = ways[0]
            if not route.is_safe:
                course.as_json = as_json(route, self._common, session=self._session)
            elif self._links is not None:
                # A list that is asked for what nobody has named shows nothing, and leads nowhere.
                course.left.append(Attempt(_FOR_LINKS, Step("", route.method, route.path)))
        return course

    def _why_not(self, route: Route) -> str:
        if route.wants:
            return route.wants
        if not route.is_safe and not self._look.unsafe:
            return UNSAFE
        if route.name in self._look.left_out:
            return "alone it hung, or ended its process"
        return ""

    @property
    def width(self) -> int:
        return 1

    @property
    def ask_again_s(self) -> None:
        """Nothing comes later: what is to be sent is there, or it is over."""

    def unsent(self) -> list[str]:
        return []

    def begin(self) -> None:
        self._deadline = self._clock() + self._look.duration_s
        self._hurry = self._deadline - _IN_HURRY * self._look.duration_s

    def stop(self) -> None:
        self._deadline = float("-inf")

    def take(self) -> Request | None:
        """The next attempt as a request; None when all were sent, or when the time is over."""
        course = self._next()
        course = course or next((each for each in self._order if each.tries_again()), None)
        course = course or self._to_guess()
        if course is not None and self._pace is not None:
            self._pace.wait()
        if course is None or self._clock() >= self._deadline:
            return None
        attempt = course.left.popleft()
        self._say({"say": "trying", "route": course.route.name})
        user = self._user
        [lane] = user.lanes
        known = {name: text.replace("{n}", str(user.number)) for name, text in VARS}
        ready = prepared(attempt.step, 0, {**known, "canary": user.canary})
        lane.visit = self._carrying.visit
        # What was logged before has nothing to do with it.
        self._logged()
        request = Request(lane, ready, lane.number_next(0))
        self._under_way[request.number] = (course, attempt, self._clock())
        return request

    def _next(self) -> _Course | None:
        """The first with something left; where time is short, first those that were never sent."""
        left = [each for each in self._order if each.left]
        if self._clock() >= self._hurry:
            left = [each for each in left if not each.trials] or left
        return next(iter(left), None)

    def done(self, request: Request, response: Response, *, kept_promise: bool) -> None:
        """Note how a request was answered; what it was given as cookies it sends from now on."""
        course, attempt, began = self._under_way.pop(request.number)
        lasted_s = self._clock() - began
        jar = request.user.jar
        for name, value in response.headers:
            if jar is not None and name.lower() == "set-cookie":
                jar.take(value)
        cookies = {} if jar is None else jar.values()
        self._leave_to_jar(cookies)
        guess, self._guess = self._guess, None
        if guess is not None:
            if guess.is_right(response):
                self._take_up(guess)
            return
        self._follow(request, response)
        is_aside = attempt.variant in (_FOR_LINKS, _BACK_IN)
        if is_aside or self._is_no_news(course, attempt, request, response):
            return
        unmade = course.taker is not None and not takes_in_path(course.taker.uses)
        own = (request.canary, request.user.canary)
        step, takers = self._carrying.heard(
            course.route, attempt.step, response, cookies, request.canary, _known_by(request.user)
        )
        for each in takers:
            self._carry_on(each)
        self._guesses.heard(Maker(course.route, step, response, own))
        trial = _trial(replace(attempt, step=step), request, response, self._carrying.canaries)
        reason = self._why_failed(request, response)
        course.trials.append(replace(trial, unmade=unmade, lasted_s=lasted_s, reason=reason))
        self._say_who(course, response)
        self._say_as(_scheme_taken(course))
        if lasted_s >= LONG_S and len(course.trials) == 1 and not course.left:
            # What is slow the first time may have loaded what it needs.
            course.left.append(attempt)
        if course.as_json is not None and _wants_json(course, response, reason):
            course.left.append(course.as_json)
            course.as_json = None
        course.left.extend(self._way_back_in(course))
        if self._loops.run:
            self._looping = self._looping or course.route.name

    def _way_back_in(self, course: _Course) -> Iterator[Attempt]:
        """What let the user in, where its last try failed: that may have ended the session."""
        if course.left or course.trials[-1].status < _FIRST_ERROR:
            return
        # Who was let in is often sent elsewhere.
        taken = next((each for each in course.trials if 0 < each.status < _FIRST_ERROR), None)
        if taken is not None and course.route in logins([each.route for each in self._courses]):
            yield Attempt(_BACK_IN, taken.step)

    def _follow(self, request: Request, response: Response) -> None:
        """Try what a page leads to as well, where nobody else tells what there is."""
        if self._links is None:
            return
        own = {request.canary: CANARY, request.user.canary: USER}
        for route in self._links.followed(request.path, response, own, unsafe=self._look.unsafe):
            course = self._course(route)
            self._courses.append(course)
            self._by_name[route.name] = course
            self._order = _in_turn(self._courses)

    def _why_failed(self, request: Request, response: Response) -> str:
        reason = reason_for(request, response)
        return reason or (self._logged() if response.status >= _FIRST_FAULT else "")

    def _leave_to_jar(self, cookies: Iterable[str]) -> None:
        """Send routes, before what else is to be sent of them, with the cookies that the user was
        given, where they read those: with any others nobody would know who asks."""
        known = frozenset(cookies)
        given = known - self._given
        self._given |= known
        for course in self._courses if given else ():
            if course.taker is None or not any(map(given.__contains__, _cookies(course.taker))):
                continue
            session = (*self._session, *self._given)
            tried = [each.step for each in course.trials]
            ways = attempts(course.route, self._common, session=session)
            ways = [each for each in ways if each.step not in tried]
            sent = [each.step for each in ways]
            course.left = deque([*ways, *(each for each in course.left if each.step not in sent)])

    def _is_no_news(
        self, course: _Course, attempt: Attempt, request: Request, response: Response
    ) -> bool:
        """Whether short texts were answered as long ones were: a text that is known by itself
        tells more."""
        own = [request.canary, *_known_by(request.user)]
        said = response.body.decode(errors="replace")
        for each in own:
            said = said.replace(each, "")
        answer = (response.status, without_digits(said))
        if attempt.variant == "full":
            course.answers.append(answer)
        return attempt.variant == "short" and answer in course.answers

    def _carry_on(self, taker: Taker) -> None:
        """Send a route, before what else is to be sent of it, with what it was found to take."""
        session = (*self._session, *self._given)
        ways = carried(taker.route, self._common, taker.uses, session=session)
        self._by_name[taker.route.name].left.extendleft(reversed(ways))

    def _is_lost(self, taker: Taker) -> bool:
        trials = self._by_name[taker.route.name].trials
        return not takes_in_path(taker.uses) and not any(each.is_good for each in trials)

    def _to_guess(self) -> _Course | None:
        """The course of a page that an answer may have given the id for, with how to send it."""
        self._guess = guess = self._guesses.next()
        if guess is None:
            return None
        course = self._by_name[guess.gift.taker.route.name]
        session = (*self._session, *self._given)
        uses = {guess.gift.use: guess.text}
        course.left.extend(carried(course.route, self._common, uses, session=session)[:1])
        return course

    def _say_who(self, course: _Course, response: Response) -> None:
        """Send a route, before what else is to be sent of it, as who it asks for, where nothing but
        its refusal says how."""
        taker, read = course.taker, asked_for(response)
        if taker is None or read is None or any(each.place == "auth" for each in taker.reads):
            return
        course.route = taker.route = replace(course.route, reads=(read, *course.route.reads))
        taker.reads = (read, *taker.reads)
        sent = [*(each.step for each in course.trials), *(each.step for each in course.left)]
        ways = attempts(course.route, self._common, session=(*self._session, *self._given))
        course.left.extendleft(reversed([each for each in ways if each.step not in sent]))
        # A token may have been given before anybody was known to take it.
        for maker in self._guesses.makers:
            given = gifts(maker.route, maker.response, [taker], _known_by(self._user))
            if tokens := [each for each in given if each.use.place == "bearer"]:
                self._give(maker, tokens)
                break

    def _say_as(self, scheme: str) -> None:
        """Send what is left by the scheme that was taken where others were refused, if any was.

        A middleware or a dependency reads the header for all routes alike.
        """
        if not scheme or any(_takes_basic_alone(each) for each in self._courses):
            return
        read = Read("auth", scheme.lower())
        self._common = tuple(_of_scheme(self._common, read))
        for course in self._courses:
            course.route = replace(course.route, reads=tuple(_of_scheme(course.route.reads, read)))
            if course.taker is not None:
                course.taker.route = course.route
                course.taker.reads = tuple(_of_scheme(course.taker.reads, read))
            tried = [each.step for each in course.trials]
            left = [_by_scheme(each, scheme) for each in course.left]
            course.left = deque(each for each in left if each.step not in tried)

    def _take_up(self, guess: Guess) -> None:
        """Have what a guess was right about captured, and sent."""
        self._give(guess.maker, list(self._guesses.alike(guess)))

    def _give(self, maker: Maker, given: Sequence[Gift]) -> None:
        """Have what a maker was given captured, and sent by those that take it."""
        step = self._carrying.take_up(maker.route, maker.step, maker.response, given)
        trials = self._by_name[maker.route.name].trials
        trials[:] = [replace(t, step=step) if t.step == maker.step else t for t in trials]
        self._guesses.heard(replace(maker, step=step))
        for each in given:
            self._carry_on(each.taker)

    def sight(self, seen: Sight) -> dict[str, Any]:
        """What was seen, with these routes and how they were answered."""
        routes = tuple(map(self._tried, self._courses))
        return replace(seen, routes=routes, looping=self._looping).to_json()

    def _tried(self, course: _Course) -> Tried:
        why = course.why
        if not why and not course.trials:
            why = NO_TIME
        return Tried(course.route, tuple(course.trials), why)


def _wants_json(course: _Course, response: Response, reason: str) -> bool:
    """Whether a route may have failed because what it was sent is no JSON."""
    if response.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE or "JSON" in reason:
        return True
    reads = () if course.taker is None else course.taker.reads
    names_nothing = not any(each.place in ("form", "file", "json") for each in reads)
    return names_nothing and response.status in _NOT_UNDERSTOOD


def _scheme_taken(course: _Course) -> str:
    """The scheme by which a route was answered well where Basic was refused; "" if none was."""
    if course.taker is None or _ANY_SCHEME not in course.taker.reads:
        return ""
    full = [each for each in course.trials if each.variant == "full"]
    taken = (_scheme_of(each.step) for each in full if each.is_good)
    was_refused = any(each.step.auth and each.status in _REFUSED for each in full)
    return next(filter(None, taken), "") if was_refused else ""


def _takes_basic_alone(course: _Course) -> bool:
    full = [each for each in course.trials if each.variant == "full"]
    refused = any(_scheme_of(each.step) and each.status in _REFUSED for each in full)
    return refused and any(each.step.auth and each.is_good for each in full)


def _scheme_of(step: Step) -> str:
    said = dict(step.headers).get("Authorization", "")
    return said.partition(" ")[0] if said else ""


def _of_scheme(reads: Iterable[Read], read: Read) -> Iterator[Read]:
    yield from dict.fromkeys(read if each == _ANY_SCHEME else each for each in reads)


def _by_scheme(attempt: Attempt, scheme: str) -> Attempt:
    if attempt.variant == "full" or attempt.step.auth is None:
        return attempt
    return replace(attempt, step=applied(attempt.step, {Use("bearer", scheme): USER}))


def _cookies(taker: Taker) -> Iterator[str]:
    return (read.name for read in taker.reads if read.place == "cookie")


def _in_turn(courses: Sequence[_Course]) -> list[_Course]:
    lets_in = logins([each.route for each in courses])
    return sorted(courses, key=lambda each: _turn(each.route, lets_in))


def _turn(route: Route, lets_in: Sequence[Route]) -> int:
    """What makes a user known, what lets one in, what only reads, what makes, what ends things."""
    if lets_out(route.path) or route.method == "DELETE":
        return 4 if route.method == "DELETE" else 5
    if route.is_safe:
        return 2
    if registers(route):
        return 0
    return 1 if route in lets_in else 3


def _known_by(user: User) -> tuple[str, ...]:
    """The texts by which a user is known; numbers may be anybody's."""
    shorts = (text.replace("{n}", str(user.number)) for _, text in VARS[1:])
    return (user.canary, *shorts)


def _trial(attempt: Attempt, request: Request, response: Response, earlier: Iterable[str]) -> Trial:
    headers = "\n".join(f"{name}: {value}" for name, value in response.headers)
    texts = (request.canary, request.user.canary, *earlier)
    own = [each.encode() for each in texts]
    leads_to = next((v for k, v in response.headers if k.lower() == "location"), "")
    error = "" if response.error is None else type(response.error).__name__
    return Trial(
        attempt.variant,
        attempt.step,
        response.status,
        echoes=any(each in response.body or each in headers.encode() for each in own),
        leads_to=leads_to,
        error=error,
    )
