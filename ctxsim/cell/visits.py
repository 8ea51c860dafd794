"""The seeded stream of users' requests: who sends what next.

Each user goes through flows, visit after visit, with a cookie jar of its own; a visitor sends the
same steps without credentials. A user that has several requests in flight goes through several
visits at once, each in a lane. What one lane sends, and which of its requests fail, depends on the
seed and on its own past alone, never on how the workers interleave. In which order lanes come is
the workers' doing, but for `sync`, where it follows from the seed as well.
"""

from __future__ import annotations

import itertools
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ctxsim.cell import canaries
from ctxsim.cell.captures import captured
from ctxsim.cell.chance import scrambled, weighted
from ctxsim.cell.history import Who
from ctxsim.cell.jar import Jar
from ctxsim.cell.plan import Json, Plan, Step
from ctxsim.cell.population import user_count, visitor_count
from ctxsim.cell.steps import (
    Prepared,
    fill,
    fill_value,
    filled,
    for_visitors,
    of_user,
    prepared,
)

# One in so many requests may be a visitor's: who is refused at once would be back at once, and
# leave little to users whose requests take time.
_MOST_OF_VISITORS = 4
# So many are passed over for a user; where all users are busy, none comes behind thousands.
_MOST_PASSED = 100
_FIRST_FAILURE = 400


class Request:
    """One fake request, from its making to the end of its response."""

    __slots__ = (
        "__weakref__", "began", "begun", "body", "canary", "content_type", "due", "fault",
        "fault_draw", "faulted", "headers", "hooked", "iterated", "lane", "line", "number", "path",
        "prepared", "query", "session_seen", "shape", "sheltered", "switches", "tagged", "torn",
        "torn_iterated", "user", "visit",
    )  # fmt: skip

    def __init__(self, lane: Lane, prepared: Prepared, number: int) -> None:
        self.lane = lane
        self.user = user = lane.user
        self.prepared = prepared
        self.number = number
        self.canary = canary = canaries.canary(user.prefix, number)
        self.visit = lane.visit
        # Which fault is meant to befall it, chance that chooses how, and whether it did.
        self.fault: str | None = None
        self.fault_draw = 0
        self.faulted = False
        # How many switch points it has passed; and whether no fault may befall it just now, because
        # it is in a teardown, whose failure no application can be expected to make good.
        self.switches = 0
        self.sheltered = False
        # Whether the hooks of its framework have run, which set what others read.
        self.hooked = False
        # Whether its response is being read: what runs from now on runs for the sake of that.
        self.iterated = False
        # How many requests of the cell had ended when it began.
        self.began = 0
        # What its session held when it was last searched.
        self.session_seen: object = None
        # How often its request context began, and how often its teardown ran: before its response
        # was read, and for the sake of that.
        self.begun = self.torn = self.torn_iterated = 0
        # In an open load: when it was meant to be sent, by the load's clock.
        self.due: float | None = None
        # To a server: the connection that others share with it, how its body is sent, and whether
        # it carries a header that the step does not name.
        self.line: object = None
        self.shape = ""
        self.tagged = False
        self.content_type = prepared.content_type
        if prepared.fixed:
            self.path, self.query, self.headers = prepared.path, prepared.query, prepared.headers
            self.body = prepared.body.encode()
            return
        self.path, self.query, self.headers, self.body = filled(prepared, canary, lane.visit)

    def fill(self, text: str) -> str:
        """Fill in `{canary}`, and what earlier steps of the visit gave."""
        return fill(text, self.canary, self.visit)

    def fill_value(self, text: str) -> Json:
        """The same where a text of a JSON document may turn out to be a number."""
        return fill_value(text, self.canary, self.visit)

    @property
    def step(self) -> Step:
        return self.prepared.step

    @property
    def who(self) -> Who:
        return Who(self.user.number, self.number, self.prepared.step.route)

    def __repr__(self) -> str:
        # It travels in the WSGI environ; an application that prints its environ must not print
        # canaries by our doing.
        return "<ctxsim request>"


@dataclass(slots=True)
class Response:
    """What came back. `complete` is False where the client left before the end."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    complete: bool = True
    error: BaseException | None = None
    # The words of the status line behind its number.
    reason: str = ""


# Common to all visits that have no named step yet; replaced, never changed.
_NO_CANARIES: dict[str, str] = {}


class User:
    """A simulated client; number 0 is a visitor, of which there are several."""

    __slots__ = ("jar", "lanes", "number", "prefix", "prepared")

    def __init__(self, number: int, prefix: str, chances: Sequence[int]) -> None:
        self.number = number
        self.prefix = prefix
        self.jar: Jar | None = Jar() if number else None
        self.prepared: dict[str, tuple[Prepared, ...]] | None = None
        self.lanes = [Lane(self, place, chance) for place, chance in enumerate(chances)]

    @property
    def canary(self) -> str:
        """The canary by which the user is known, whichever request carries it."""
        return canaries.canary(self.prefix, 0)

    def step_of(self, number: int) -> int | None:
        """Which step its request `number` was; None where that was not sent."""
        turn, place = divmod(number - 1, len(self.lanes))
        sent = self.lanes[place].sent
        return sent[turn] if 0 <= turn < len(sent) else None


class Lane:
    """One visit after the other of a user; of each lane one request is in flight at a time."""

    __slots__ = (
        "chance", "place", "sent", "settling", "steps", "turns", "unsettled", "user", "visit",
        "visits",
    )  # fmt: skip

    def __init__(self, user: User, place: int, chance: int) -> None:
        self.user = user
        # Which of the user's lanes it is, from 0.
        self.place = place
        self.chance = chance
        # The steps of the visit that are still to come; `visit` holds what named ones have given.
        self.steps: tuple[Prepared, ...] = ()
        self.visit: dict[str, str] = _NO_CANARIES
        self.visits = 0
        # Whether a fault befell the user since this visit began, or since the one before did: what
        # it left undone, such as a login, shows in the user's own next visit.
        self.unsettled = self.settling = False
        # Which step each of its requests was, in order.
        self.sent = array("H")
        # And the how-manieth of the cell.
        self.turns = array("I")

    def number_next(self, index: int) -> int:
        """The number of the next request, which is the step `index`.

        Lanes take turns in their user's numbers, so that none has to ask what the others sent.
        """
        self.sent.append(index)
        return (len(self.sent) - 1) * len(self.user.lanes) + self.place + 1

    def draw(self) -> int:
        """The next 24 bits of this lane's own chance."""
        # A linear congruential generator (Numerical Recipes' constants): one multiplication, since
        # it is drawn for each request; its low bits are poor and are not used.
        self.chance = (self.chance * 1664525 + 1013904223) & 0xFFFFFFFF
        return self.chance >> 8


_DRAWN = 1 << 24


class Traffic:
    """All users of a cell; hands out requests and takes back what came of them.

    `take` and `done` are called by native threads at the same time. They lock nothing: the queue of
    ready lanes and the counters change by single operations of CPython's deque and count.
    """

    def __init__(self, plan: Plan, clock: Callable[[], float]) -> None:
        self.plan = plan
        self._clock = clock
        self._deadline = float("inf")
        self._limit = plan.load.requests
        self._not_before = float("-inf")
        self._handed_out = itertools.count()
        # About how many requests were handed out: native threads may lose some.
        self._sent = 0
        self._visitor_numbers = itertools.count(1)
        # The highest number of any user's request yet: native threads may lose some.
        self.latest = 0
        self._turns = itertools.count()
        self._is_level = False
        self._visitor_sent: dict[int, int] = {}
        # A rehearsal is carried alone, one request after the other.
        alone = plan.one_by_one or plan.only_user is not None
        self._lanes_each = 1 if alone else plan.users.parallel
        self._error_below = int(plan.faults.error * _DRAWN)
        self._abort_below = self._error_below + int(plan.faults.abort * _DRAWN)
        self._cancel_below = self._abort_below + int(plan.faults.cancel * _DRAWN)
        self._steps = plan.steps
        # Where there is one flow, whose visits are all that there is.
        self._one_flow = plan.flows[0].name if len(plan.flows) == 1 else ""
        # The steps that no user has sent yet.
        self._unsent = set(range(len(self._steps)))
        self._index = {id(step): i for i, step in enumerate(self._steps)}
        self._for_all = self._prepare_common()
        self._for_visitors = {
            flow.name: for_visitors(flow, self._index[id(flow.steps[0])]) for flow in plan.flows
        }
        self.users = [self._user(n) for n in self._numbers()]
        visitors = visitor_count(plan) if any(self._for_visitors.values()) else 0
        self.visitors = [self._user(0, serial) for serial in range(visitors)]
        self.lanes = tuple(each for user in (*self.users, *self.visitors) for each in user.lanes)
        self.ready = deque(_shuffled(self.lanes, plan.seed))
        if plan.one_by_one and plan.process % 2:
            # Of two processes one begins with those who are last in the other, so that what depends
            # on who came first differs between them.
            self.ready.reverse()
        # How many requests can be in flight at once: each lane has one at a time.
        self.width = 1 if plan.one_by_one else len(self.ready)
        if plan.only_user is not None:
            self._rehearse()

    def unsent(self) -> list[str]:
        """The routes of which no user has sent any step."""
        sent = {self._steps[index].route for index in self.sent_steps}
        unsent = (self._steps[index].route for index in sorted(self._unsent))
        return [route for route in dict.fromkeys(unsent) if route not in sent]

    @property
    def sent_steps(self) -> frozenset[int]:
        """Which steps a user has sent."""
        return frozenset(range(len(self._steps))) - self._unsent

    def sent_elsewhere(self, steps: Iterable[int]) -> None:
        """Count steps as sent that another process sent for this one."""
        self._unsent.difference_update(steps)

    def vary(self, variation: int) -> None:
        """Let all lanes go through other visits than they would; to be called before any request.

        `variation` counts from 0. The same one gives the same visits. In every other one all flows
        are as frequent, whatever their weights: two rare visits at the same time hardly come else.
        """
        self._is_level = variation % 2 == 1
        for lane in self.lanes:
            lane.chance = scrambled(lane.chance, variation)

    def next_step(self, lane: Lane) -> int:
        """Which step the lane's next request will be; its visit is begun, if it has to be."""
        return self._next(lane).index

    def _next(self, lane: Lane) -> Prepared:
        """The next step for which earlier ones gave what it needs; the first of a visit needs
        nothing."""
        while lane.steps and any(each not in lane.visit for each in lane.steps[0].needs):
            lane.steps = lane.steps[1:]
        if not lane.steps:
            self._enter_visit(lane)
        return lane.steps[0]

    def next_of(self, lane: Lane) -> Request:
        """The next request of a lane, none of whose requests is in flight."""
        prepared = self._next(lane)
        lane.steps = lane.steps[1:]
        request = Request(lane, prepared, self._number(lane, prepared.index))
        if prepared.step.name:
            # Copied, since the earlier requests of this visit keep the canaries that they know.
            lane.visit = {**lane.visit, f"{{{prepared.step.name}.canary}}": request.canary}
        drawn = lane.draw()
        if drawn < self._cancel_below:
            request.fault = self._fault(drawn)
            request.fault_draw = lane.draw()
        return request

    def _enter_visit(self, lane: Lane) -> None:
        lane.steps = self._begin_visit(lane)
        lane.visit = _NO_CANARIES
        lane.settling, lane.unsettled = lane.unsettled, False

    def begin(self) -> None:
        """Start the clock of a load that is given as a duration."""
        load = self.plan.load
        if load.duration_s is not None:
            self._deadline = self._clock() + load.duration_s
        if load.least_s:
            self._not_before = self._clock() + load.least_s

    def stop(self) -> None:
        """Hand out nothing more."""
        self._deadline = float("-inf")

    @property
    def is_over(self) -> bool:
        """Whether it was told to stop."""
        return self._deadline == float("-inf")

    def take(self) -> Request | None:
        """The next request, or None when everything was sent."""
        if self._deadline != float("inf") and self._clock() >= self._deadline:
            return None
        if (
            self._limit is not None
            and next(self._handed_out) >= self._limit
            and (self._not_before < 0 or self._clock() >= self._not_before)
        ):
            return None
        try:
            lane = self._next_ready()
            if not lane.user.number and len(self._visitor_sent) * _MOST_OF_VISITORS > self._sent:
                lane = self._rather_a_user(lane)
        except IndexError:
            return None
        self._sent += 1
        return self.next_of(lane)

    def _next_ready(self) -> Lane:
        return self.ready.popleft()

    def _rather_a_user(self, visitor: Lane) -> Lane:
        """The lane of a user, if one comes soon; visitors who fail at once take turns."""
        for _ in self.visitors[:_MOST_PASSED]:
            self.ready.append(visitor)
            visitor = self._next_ready()
            if visitor.user.number:
                break
        return visitor

    def done(self, request: Request, response: Response, *, kept_promise: bool) -> None:
        """Take back a request: the user's jar is filled and the lane's next step becomes ready.

        A visit ends where a fault befell it or an expectation was broken, since what follows would
        only fail for the same reason.
        """
        lane, jar = request.lane, request.user.jar
        if jar is not None and response.complete:
            for name, value in response.headers:
                if name.lower() == "set-cookie":
                    jar.take(value)
        step = request.prepared.step
        if step.captures and response.complete and 0 < response.status < _FIRST_FAILURE:
            cookies = {} if jar is None else jar.values()
            given = captured(step, response.headers, response.body, cookies)
            lane.visit = {**lane.visit, **given}
        if request.faulted:
            for each in request.user.lanes:
                each.unsettled = True
        if request.faulted or not kept_promise:
            lane.steps = ()
        if self.plan.one_by_one:
            (self.ready.appendleft if lane.steps else self.ready.append)(lane)
            return
        if lane.steps and lane.chance >> 10 & 1:
            # Half of those in the middle of a visit go on at once: where users are many, the last
            # steps of a flow would otherwise never be reached.
            self.ready.appendleft(lane)
            return
        self.ready.append(lane)
        # A little disorder: otherwise users would come round in one fixed order.
        self.ready.rotate(-(lane.chance >> 8 & 3))

    def route_of(self, user: int, request: int) -> str:
        """The route of one request that was sent, '' where it is not known."""
        if user == 0:
            index = self._visitor_sent.get(request)
        else:
            index = self.users[user - 1].step_of(request) if user <= len(self.users) else None
        return "" if index is None else self._steps[index].route

    def shares_of_run(self) -> Callable[[int, int], float]:
        """Tells how much of the run had been sent before a user's request (0: a visitor's), 0 to 1.

        It holds for the run so far: to look for its last request takes all users.
        """
        users, by_visitors = self.users, max(len(self._visitor_sent), 1)
        turns = (each.turns for user in users for each in user.lanes if each.turns)
        sent = max((each[-1] for each in turns), default=0) + 1

        def share(user: int, request: int) -> float:
            if user == 0:
                return (request - 1) / by_visitors
            lanes = users[user - 1].lanes
            turn, place = divmod(request - 1, len(lanes))
            return lanes[place].turns[turn] / sent

        return share

    def variables(self, number: int) -> dict[str, str]:
        """The variables of user `number`, `{n}` filled in."""
        return {k: v.replace("{n}", str(number)) for k, v in self.plan.users.vars}

    def _numbers(self) -> Iterable[int]:
        only = self.plan.only_user
        return range(1, (user_count(self.plan) if only is None else only) + 1)

    def _user(self, number: int, serial: int = 0) -> User:
        plan = self.plan
        prefix = canaries.user_prefix(plan.run, plan.process, number)
        lanes = self._lanes_each if number else 1
        chances = [scrambled(plan.seed, number, serial + place) for place in range(lanes)]
        user = User(number, prefix, chances)
        if number == 0:
            user.prepared = self._for_visitors
        return user

    def _rehearse(self) -> None:
        # Alone, for several visits, since an answer may depend on the user's own past. The users
        # before it exist only for their numbers.
        number = self.plan.only_user
        user = self.users[number - 1] if number else self.visitors[0]
        self.users, self.visitors = (self.users, []) if number else ([], [user])
        self.ready = deque(user.lanes)
        self.width = len(self.users) + len(self.visitors)

    def _fault(self, drawn: int) -> str:
        if drawn < self._error_below:
            return "error"
        return "abort" if drawn < self._abort_below else "cancel"

    def _number(self, lane: Lane, index: int) -> int:
        if lane.user.number:
            if self._unsent:
                self._unsent.discard(index)
            lane.turns.append(next(self._turns))
            number = lane.number_next(index)
        else:
            number = next(self._visitor_numbers)
            self._visitor_sent[number] = index
        if number > self.latest:
            self.latest = number
        return number

    def _begin_visit(self, lane: Lane) -> tuple[Prepared, ...]:
        ours = self._prepared_for(lane.user)
        if self._one_flow:
            return ours[self._one_flow]
        flows = [flow for flow in self.plan.flows if ours[flow.name]]
        if self.plan.only_user is not None or self.plan.learning:
            # Each in turn, whatever its weight.
            lane.visits += 1
            return ours[flows[(lane.visits - 1) % len(flows)].name]
        if len(flows) == 1:
            return ours[flows[0].name]
        if self._is_level:
            return ours[flows[lane.draw() * len(flows) // _DRAWN].name]
        return ours[weighted(flows, lane.draw() / _DRAWN).name]

    def _prepared_for(self, user: User) -> dict[str, tuple[Prepared, ...]]:
        if user.prepared is None:
            user.prepared = self._for_all or self._prepare(self.variables(user.number), user.canary)
        return user.prepared

    def _prepare_common(self) -> dict[str, tuple[Prepared, ...]] | None:
        """The prepared steps where they are the same for all users, else None."""
        if any(of_user(step) for step in self._steps):
            return None
        return self._prepare({}, "")

    def _prepare(self, values: dict[str, str], canary: str) -> dict[str, tuple[Prepared, ...]]:
        known = {**values, "canary": canary}
        return {
            flow.name: tuple(prepared(step, self._index[id(step)], known) for step in flow.steps)
            for flow in self.plan.flows
        }


def _shuffled(lanes: Iterable[Lane], seed: int) -> list[Lane]:
    lanes = list(lanes)
    ranks = {id(lane): scrambled(seed, lane.user.number, i) for i, lane in enumerate(lanes)}
    return sorted(lanes, key=lambda lane: ranks[id(lane)])
