"""The seeded stream of users' requests: who sends what next.

Each user goes through flows, visit after visit, with a cookie jar of its own; a visitor sends the
same steps without credentials. A user that has several requests in flight goes through several
visits at once, each in a lane. What one lane sends, and which of its requests fail, depends on the
seed and on its own past alone, never on how the workers interleave. In which order lanes come is
the workers' doing, but for `sync`, where it follows from the seed as well.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ctxsim.cell import canaries
from ctxsim.cell.captures import captured
from ctxsim.cell.chance import scrambled
from ctxsim.cell.clients import NO_CANARIES, NOTHING_KEPT, Lane, User, in_first_order
from ctxsim.cell.flows import DRAWN, Flows
from ctxsim.cell.history import Who
from ctxsim.cell.issued import Issued
from ctxsim.cell.plan import SAFE, Json, Plan, Step
from ctxsim.cell.population import user_count, visitor_count
from ctxsim.cell.steps import Prepared, fill, fill_value, filled

# One in so many requests may be a visitor's: who is refused at once would be back at once, and
# leave little to users whose requests take time.
_MOST_OF_VISITORS = 4
# Where none is ready, since users take long, visitors send no more than their part of the clients,
# and so many for a start. Workers wait then, and all together ask about so often in a second.
_VISITORS_AHEAD = 10
# Nor more than the users, where those are few: it is their requests that tell.
_MOST_WHERE_FEW = 1 / 2
_SHORTEST_HELD_S, _ASKED_PER_S = 0.002, 2_000
# So many are passed over for a user; where all users are busy, none comes behind thousands.
_MOST_PASSED = 100
_FIRST_FAILURE = 400
_REFUSALS, _REDIRECTIONS = (401, 403), range(300, 400)


class Request:
    """One fake request, from its making to the end of its response."""

    __slots__ = (
        "__weakref__", "began", "begun", "body", "canary", "content_type", "due", "fault",
        "fault_draw", "faulted", "headers", "hooked", "iterated", "lane", "line", "number",
        "on_fault", "path", "prepared", "query", "raised", "session_seen", "shape", "sheltered",
        "switches", "tagged", "torn", "torn_iterated", "user", "visit",
    )  # fmt: skip

    def __init__(self, lane: Lane, prepared: Prepared, number: int) -> None:
        self.lane = lane
        self.user = user = lane.user
        self.prepared = prepared
        self.number = number
        self.canary = canary = canaries.canary(user.prefix, number, user.check)
        self.visit = lane.visit
        # Which fault is meant to befall it, chance that chooses how, and whether it did.
        self.fault: str | None = None
        self.fault_draw = 0
        self.faulted = False
        self.on_fault: Callable[[int, str], object] | None = None
        # How many switch points it has passed; and whether no fault may befall it just now, because
        # it is in a teardown, whose failure no application can be expected to make good.
        self.switches = 0
        self.sheltered = False
        # Whether the hooks of its framework have run, which set what others read.
        self.hooked = False
        # Why it fails, where its framework tells so and answers for the error itself.
        self.raised = ""
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


class Traffic:
    """All users of a cell; hands out requests and takes back what came of them.

    `take` and `done` are called by native threads at the same time. They lock nothing: the queue of
    ready lanes and the counters change by single operations of CPython's deque and count.
    """

    def __init__(
        self,
        plan: Plan,
        clock: Callable[[], float],
        wait: Callable[[float], object] | None = None,
        *,
        asks_again: bool = False,
    ) -> None:
        """`wait` lets a worker wait that asks for a request, so many seconds. Where it must not,
        and `asks_again` instead, `take` says by `ask_again_s` when to do that."""
        self.plan = plan
        self._clock = clock
        self._wait = wait
        # After how many seconds to ask again, where None was taken and more is to be sent.
        self.ask_again_s: float | None = None
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
        self._visitor_sent: dict[int, int] = {}
        # A rehearsal is carried alone, one request after the other.
        is_alone = plan.one_by_one or plan.only_user is not None
        self._lanes_each = 1 if is_alone else plan.users.parallel
        self._error_below = int(plan.faults.error * DRAWN)
        self._abort_below = self._error_below + int(plan.faults.abort * DRAWN)
        self._cancel_below = self._abort_below + int(plan.faults.cancel * DRAWN)
        self._steps = plan.steps
        self._flows = Flows(plan)
        # The steps that no user has sent yet.
        self._unsent = set(range(len(self._steps)))
        self.users = [self._user(n) for n in self._numbers()]
        visitors = visitor_count(plan) if any(self._flows.of_visitors.values()) else 0
        self.visitors = [self._user(0, serial) for serial in range(visitors)]
        self.lanes = tuple(each for user in (*self.users, *self.visitors) for each in user.lanes)
        self._issued = Issued()
        self.ready = in_first_order(self.lanes, plan)
        # How many requests can be in flight at once: each lane has one at a time.
        self.width = 1 if plan.one_by_one else len(self.ready)
        if plan.only_user is not None:
            self._rehearse()
        self._are_visitors_done = False
        self._part_of_visitors = self._fair_part() if asks_again or wait is not None else 1.0
        # So many seconds a worker waits before it asks again.
        self.held_s = max(_SHORTEST_HELD_S, plan.workers.in_flight / _ASKED_PER_S)

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

    def vary(self, variation: int, ends_before: frozenset[int] = frozenset()) -> None:
        """Let all lanes go through other visits than they would; to be called before any request.

        `variation` counts from 0. The same one gives the same visits. In every other one all flows
        are as frequent, whatever their weights: two rare visits at the same time hardly come else.
        A visit ends before a step of `ends_before`, as if the user had left there.
        """
        self._flows.ends_before = ends_before
        if not self._flows.has_any(self._flows.of_visitors):
            self.lanes = tuple(each for each in self.lanes if each.user.number)
        self._flows.are_level = variation % 2 == 1
        for lane in self.lanes:
            lane.chance = scrambled(lane.chance, variation)

    def never_sent(self, ends_before: frozenset[int]) -> frozenset[int]:
        """Which steps are not sent where visits end before those; that may be all of them."""
        self._flows.ends_before, before = ends_before, self._flows.ends_before
        is_none = not (self.users or self._flows.has_any(self._flows.of_visitors))
        never = frozenset(range(len(self._steps))) if is_none else self._flows.never_sent()
        self._flows.ends_before = before
        return never

    def leave_out(self, route: str) -> None:
        """Send a route no more, since it answers nothing; where none is left, the load ends."""
        flows = self._flows
        flows.left_out |= {i for i, step in enumerate(self._steps) if step.route == route}
        if len(flows.never_sent()) == len(self._steps):
            self.stop()
        self._are_visitors_done = bool(self.users) and not flows.has_any(flows.of_visitors)

    def next_step(self, lane: Lane) -> int:
        """Which step the lane's next request will be; its visit is begun, if it has to be."""
        return self._next(lane).index

    def _next(self, lane: Lane) -> Prepared:
        """The next step for which earlier ones gave what it needs; the first of a visit needs
        nothing. None is one that was left out since the visit began."""
        while lane.steps and (
            lane.steps[0].index in self._flows.left_out
            or any(each not in lane.visit for each in lane.steps[0].needs)
        ):
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
        if drawn < self._cancel_below and not lane.is_opening:
            request.fault = self._fault(drawn)
            request.fault_draw = lane.draw()
        return request

    def _enter_visit(self, lane: Lane) -> None:
        user = lane.user
        if user.sendable is None:
            user.sendable = self._flows.of_user(user.number, user.canary)
        lane.visits += 1
        if lane.is_opening:
            opening = self._flows.opening(user.sendable)
            lane.opens, lane.steps = len(opening), opening[min(lane.visits, len(opening)) - 1]
        else:
            lane.steps = self._flows.chosen(user.sendable, lane.visits, lane.draw)
        lane.visit = NO_CANARIES
        lane.settling, lane.unsettled = lane.unsettled, False
        if user.kept:
            self._leave_out_what_is_kept(lane)

    def _leave_out_what_is_kept(self, lane: Lane) -> None:
        """Leave out the steps that are sent once, and were.

        A visit that has no others, as visitors' may, is left as it is.
        """
        kept, once = lane.user.kept, self._flows.once
        for each in lane.steps:
            lane.visit = {**lane.visit, **kept.get(once.get(each.index, -1), {})}
        lane.steps = tuple(s for s in lane.steps if once.get(s.index) not in kept) or lane.steps

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
        """The next request; None when everything was sent, or where `ask_again_s` is set."""
        lane = self._next_lane()
        while lane is not None and not lane.user.number and self._are_visitors_ahead():
            self.ready.append(lane)
            if self._wait is None:
                self.ask_again_s = self.held_s
                return None
            self._wait(self.held_s)
            lane = self._next_lane()
        self.ask_again_s = None
        if lane is None:
            return None
        if (
            self._limit is not None
            and next(self._handed_out) >= self._limit
            and (self._not_before < 0 or self._clock() >= self._not_before)
        ):
            self.ready.appendleft(lane)
            return None
        self._sent += 1
        return self.next_of(lane)

    def _next_lane(self) -> Lane | None:
        if self._deadline != float("inf") and self._clock() >= self._deadline:
            return None
        try:
            lane = self._next_ready()
            while self._are_visitors_done and not lane.user.number:
                lane = self._next_ready()
            if not lane.user.number and len(self._visitor_sent) * _MOST_OF_VISITORS > self._sent:
                lane = self._rather_a_user(lane)
        except IndexError:
            return None
        return lane

    def _fair_part(self) -> float:
        """What part of all requests visitors may send, where no user is ready."""
        if not self.users:
            return 1.0
        part = len(self.visitors) / (len(self.visitors) + len(self.users))
        return min(max(part, 1 / _MOST_OF_VISITORS), _MOST_WHERE_FEW)

    def _are_visitors_ahead(self) -> bool:
        """Whether they have sent more than their part."""
        return len(self._visitor_sent) > _VISITORS_AHEAD + self._part_of_visitors * self._sent

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
        lane = request.lane
        self._issued.take(request, response)
        step = request.prepared.step
        if (step.captures or step.once) and response.complete:
            self._capture(request, response, kept_promise=kept_promise)
        if request.faulted or (self._flows.once and self._is_lost(request, response)):
            for each in request.user.lanes:
                each.unsettled = True
        if request.faulted or not kept_promise:
            lane.steps = ()
        if self.plan.one_by_one or lane.is_opening:
            goes_on = lane.steps or lane.visits < lane.opens
            (self.ready.appendleft if goes_on else self.ready.append)(lane)
            return
        if lane.steps and lane.chance >> 10 & 1:
            # Half of those in the middle of a visit go on at once: where users are many, the last
            # steps of a flow would otherwise never be reached.
            self.ready.appendleft(lane)
            return
        self.ready.append(lane)
        # A little disorder: otherwise users would come round in one fixed order.
        self.ready.rotate(-(lane.chance >> 8 & 3))

    def session_keys(self) -> dict[str, int]:
        """What may be the key of a session, and whose it is."""
        return self._issued.keys(self.users)

    def _capture(self, request: Request, response: Response, *, kept_promise: bool) -> None:
        """Take what the answer gives, and have a step that is sent once not sent again, if it gave
        all that it should."""
        if not 0 < response.status < _FIRST_FAILURE:
            return
        lane, user, step = request.lane, request.user, request.step
        cookies = {} if user.jar is None else user.jar.values()
        given = captured(step, response.headers, response.body, cookies)
        lane.visit = {**lane.visit, **given}
        is_done = step.once and kept_promise and not request.faulted
        if is_done and all(f"{{{step.name}.{each.name}}}" in given for each in step.captures):
            kept = {f"{{{step.name}.canary}}": request.canary, **given}
            user.kept = {**user.kept, self._flows.once[request.prepared.index]: kept}

    def _is_lost(self, request: Request, response: Response) -> bool:
        """Whether the session of a user who is let in once was lost; then that is sent again.

        The user was refused, as one who is not known, or sent elsewhere where it only asked: after
        a request that failed on purpose, or where the same was answered well before. An
        application has more ways to end a session than a scenario could name.
        """
        user, index = request.user, request.prepared.index
        is_elsewhere = response.status in _REDIRECTIONS and request.step.method in SAFE
        if not is_elsewhere and response.status not in _REFUSALS:
            if user.number and 0 < response.status < _FIRST_FAILURE:
                user.answered |= {self._flows.same[index]}
            return False
        was_well = self._flows.same[index] in user.answered
        is_lost = bool(user.kept) and (request.lane.settling or was_well)
        if is_lost:
            user.kept = NOTHING_KEPT
        return is_lost and request.lane.settling

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
        return self._flows.variables(number)

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
            user.sendable = self._flows.of_visitors
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
